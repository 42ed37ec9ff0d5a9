"""Sums over axes."""

from minires.arrays import array_module


def sums(x, axes, keepdims=False):
    """Σ x over the axes, added up in double precision and rounded to x's dtype."""
    double = array_module(x).result_type(x.dtype, float)
    return x.sum(axis=axes, keepdims=keepdims, dtype=double).astype(x.dtype, copy=False)
