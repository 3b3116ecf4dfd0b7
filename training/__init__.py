"""From videos of people to the model that runs on a participant's device: prepare, fit, evaluate, compress, export.

In: a DAiSEE folder on disk. Out: a run folder with every table and plot, and `attention.onnx` with its card.
Each stage is a command (`edgeattend train STAGE`, the same as `python -m training STAGE`) that reads what the stage
before it left in the run folder and leaves a record of what it did.
"""
