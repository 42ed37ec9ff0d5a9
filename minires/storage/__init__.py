"""Weights and checkpoints in files. A damaged file is noticed, and a crash while writing keeps the old file.

>>> storage.save("weights.safetensors", model.state_dict())
>>> arrays, metadata = storage.load("weights.safetensors")
>>> model.load_state_dict(arrays)

PyTorch's files and NumPy's .npz are read, too, without PyTorch (formats.py), and save("weights.pth", …) writes a file
that torch.load reads. model.load(path) does both steps, and knows the names that other programs give.

A checkpoint of python -m minires.train holds more than weights:

>>> sections, state = storage.load_checkpoint("runs/digits-resnet20/checkpoint.safetensors")
>>> model.load_state_dict(sections["model"])
"""

from minires.storage.atomic import atomic_write, check_writable, remove_leftovers
from minires.storage.checkpoint import load_checkpoint, load_state, save_checkpoint
from minires.storage.formats import load, load_weights
from minires.storage.weights import save

__all__ = [
    "atomic_write",
    "check_writable",
    "load",
    "load_checkpoint",
    "load_state",
    "load_weights",
    "remove_leftovers",
    "save",
    "save_checkpoint",
]
