"""The parts of a convolution and a batch norm that are computed as one op (ops/conv_norm.py)."""

from minires.arrays import array_module
from minires.kernels.readable.convolution import conv
from minires.kernels.readable.norm import CHANNEL, each


def conv_affine(x, w, win, factor, constant, relu=False):
    """factor·(w ⋆ x) + constant, or with relu its ReLU; factor (None for 1) and constant are (O,)."""
    z = conv(x, w, win)
    y = (z if factor is None else each(factor) * z) + each(constant)
    y = y.astype(x.dtype, copy=False)
    return array_module(y).maximum(y, 0) if relu else y


def channel_sums(dy):
    """Σ dy over N, H and W: dy (N,C,H,W) -> (C,), in double precision."""
    return dy.sum(axis=CHANNEL, dtype=array_module(dy).result_type(dy.dtype, float))


def product_sums(dy, w, dw):
    """Σ dy and Σ dy·z by channel, where z = w ⋆ x. dw = dy ⋆ x gives the second, Σ w·dw -> (O,) and (O,)."""
    double = array_module(dy).result_type(dy.dtype, float)
    return channel_sums(dy), (w * dw.astype(double)).sum(axis=(1, 2, 3))


def scatter_matrix(x):
    """⟨x⟩ and S = Σ (x − ⟨x⟩)(x − ⟨x⟩)ᵀ over the pixels of x (N,C,H,W) -> (C,) and (C,C), in double precision."""
    pixels = x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])  # (N,C,H,W) -> (N·H·W,C)
    pixels = pixels.astype(array_module(x).result_type(x.dtype, float))
    mean = pixels.mean(axis=0)
    centered = pixels - mean
    return mean, centered.T @ centered
