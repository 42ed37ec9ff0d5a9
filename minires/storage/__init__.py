"""Weights and checkpoints in files that notice damage and survive a crash.

>>> storage.save("weights.safetensors", model.state_dict())
>>> arrays, metadata = storage.load("weights.safetensors")
>>> model.load_state_dict(arrays)
"""

from minires.storage.atomic import atomic_write
from minires.storage.checkpoint import load_checkpoint, save_checkpoint
from minires.storage.weights import load, save

__all__ = ["atomic_write", "load", "load_checkpoint", "save", "save_checkpoint"]
