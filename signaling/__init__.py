"""Signaling: how anybody gets into a meeting, and the words that are spoken there.

In come HTTP requests: SDP offers (WHIP, WHEP), page loads, status and metrics scrapes; each carries a token.
Out go SDP answers, pages, the annotated MJPEG view, JSON and Prometheus text.
`protocol`, `errors`, `rtc` and `codec` are what host and peer share with
it: messages, errors, WebRTC beyond aiortc, and the video codecs.
"""
