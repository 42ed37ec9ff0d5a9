"""What lines of PyTorch code need to run, with its names or with ours."""

import numpy as np
import pytest

import minires

torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what these tests compare with")

A = np.random.default_rng(0).uniform(0.5, 2, (3, 4)).astype("f4")
MAP = np.random.default_rng(1).standard_normal((2, 4, 6, 5)).astype("f4")
LABELS = np.array([2, 0, 3])


def ours():
    import minires.nn.functional as functional
    from minires import data, nn, optim

    return {
        "torch": minires,
        "nn": nn,
        "F": functional,
        "optim": optim,
        "T": minires.tensor,
        "DataLoader": data.DataLoader,
        "TensorDataset": data.TensorDataset,
        "np": np,
        "A": A,
        "MAP": MAP,
        "LABELS": LABELS,
    }


def theirs():
    return {
        "torch": torch,
        "nn": torch.nn,
        "F": torch.nn.functional,
        "optim": torch.optim,
        "T": torch.tensor,
        "DataLoader": torch.utils.data.DataLoader,
        "TensorDataset": torch.utils.data.TensorDataset,
        "np": np,
        "A": A,
        "MAP": MAP,
        "LABELS": LABELS,
    }


def run(text, names):
    """The value of the last line."""
    *lines, last = [line.strip() for line in text.strip().split(";")]
    for line in lines:
        exec(line, names)
    return eval(last, names)


def numbers(value):
    if isinstance(value, (tuple, list)):
        return [numbers(v) for v in value]
    value = value.detach() if hasattr(value, "detach") else value
    return np.asarray(value.numpy() if hasattr(value, "numpy") else value)
