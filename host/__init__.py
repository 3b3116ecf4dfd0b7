"""The host: one room, from everybody's video and labels to two grids.

In come WebRTC sessions: a video stream and mood messages per participant, and viewers who only look.
Out go the clean grid (one VP8 encode for all viewers) and, while a host token watches, the annotated one.
The way through: `session` -> `slot` -> `room` -> `compositor` -> `renderer` -> `fanout` and `annotated`.
"""
