"""People who do not exist: a generator of faces with exact truth, to train on without a picture of anybody.

In: MakeHuman's CC0 assets and a seed. Out: images, one line of truth for each, contact sheets. Only `blender*` and
`worker` need Blender (`bpy`, the extra `faces`); everything else is NumPy and tested without it.
"""
