"""From a picture to a label: find the largest face, cut it out, ask the model, read the person over time.

In come BGR frames and a model file of the contract in DESIGN.md. Out comes a `Decision`, about five a second.
`training` imports the detector and the crop from here, so that both see the same faces.
"""
