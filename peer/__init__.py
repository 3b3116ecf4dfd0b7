"""The Python participant: it looks at its own person, and joins the meeting with their picture and their label.

In come frames of a camera, a file or a test pattern, and the meeting's clean grid. Out go one VP8 track and one
small message a second that says attentive or not; no picture is judged anywhere but here.
"""
