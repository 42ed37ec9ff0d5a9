"""Compiling CUDA source, launching it, and feature maps as matrices."""

from collections import Counter
from functools import wraps

import cupy
import numpy as np

from minires.arrays import is_channels_last

THREADS = 256  # in a block
CTYPES = {"f": "float", "d": "double"}


made = {}  # every kernel that has been used, by its arguments here
launched = Counter()  # how often, by name: every caller launches the kernel that it gets


def _once(make):
    @wraps(make)
    def get(*key):
        if key not in made:
            made[key] = make(*key)
        launched[made[key].name] += 1
        return made[key]

    return get


@_once
def elementwise(inputs, outputs, formula, name):
    """An ElementwiseKernel."""
    return cupy.ElementwiseKernel(inputs, outputs, formula, f"minires_{name}")


@_once
def raw(source, name, dtype):
    """The kernel `name` of a source in which T is the type of the elements."""
    typed = f"typedef {CTYPES[np.dtype(dtype).char]} T;\n{source}"
    return cupy.RawModule(code=typed, options=("-std=c++17",)).get_function(name)


def product(a, b, out=None):
    """a @ b of matrices, transposed ones without a copy. By dot, because CuPy's matmul takes twice as long to start."""
    launched["matmul"] += 1
    return a.dot(b, out)


def pixels(x):
    """A feature map (N,C,H,W) as a matrix (N·H·W,C): a view if it lies channels-last, else a copy."""
    return cupy.ascontiguousarray(x.transpose(0, 2, 3, 1)).reshape(-1, x.shape[1])


def as_feature_map(matrix, shape, like=None):
    """A matrix (N·H·W,C) as a feature map of that shape (N,C,H,W), channels-last or in the memory order of `like`."""
    N, C, H, W = shape
    y = matrix.reshape(N, H, W, C).transpose(0, 3, 1, 2)
    return y if like is None or is_channels_last(like) else cupy.ascontiguousarray(y)
