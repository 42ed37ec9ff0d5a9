"""Weights and checkpoints in files. A damaged file is noticed, and a crash while writing keeps the old file.

>>> storage.save("weights.safetensors", model.state_dict())
>>> arrays, metadata = storage.load("weights.safetensors")
>>> model.load_state_dict(arrays)

A checkpoint of python -m minires.train holds more than weights:

>>> sections, state = storage.load_checkpoint("runs/digits-resnet20/checkpoint.safetensors")
>>> model.load_state_dict(sections["model"])
"""

from minires.storage.atomic import atomic_write, check_writable, remove_leftovers
from minires.storage.checkpoint import load_checkpoint, load_state, save_checkpoint
from minires.storage.weights import load, save

__all__ = [
    "atomic_write",
    "check_writable",
    "load",
    "load_checkpoint",
    "load_state",
    "remove_leftovers",
    "save",
    "save_checkpoint",
]
