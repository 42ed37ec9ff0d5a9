"""Submissions as students hand them in: each style right, wrong and blank, with the verdict that it must get.

ALL holds (name, op, what is graded, source, status). A wrong one differs from the right one of its style in one line.
"""

from submissions import (
    activations,
    broken,
    caches,
    convolution,
    convolution_layers,
    convolution_layouts,
    convolution_pairs,
    declared,
    dodges,
    dropout_residual,
    flags,
    in_place,
    later_batches,
    linear,
    lists,
    looked_at_twice,
    losses,
    no_gradient,
    normalization,
    one_sample,
    pooling,
    rounds,
    usual_forms,
)
from submissions.convolution import CONV, FLOAT32
from submissions.convolution_pairs import BLANK_CS231N, CS231N, PAIR
from submissions.linear import AFFINE
from submissions.losses import ENTROPY
from submissions.normalization import LAYER_NORM, NORM, SIZED_NORM
from submissions.pooling import CEILED, CS231N_POOL, SHARED
from submissions.table import IMPORT

__all__ = [
    "AFFINE",
    "ALL",
    "BLANK_CS231N",
    "CEILED",
    "CONV",
    "CS231N",
    "CS231N_POOL",
    "ENTROPY",
    "FLOAT32",
    "IMPORT",
    "LAYER_NORM",
    "NORM",
    "PAIR",
    "SHARED",
    "SIZED_NORM",
]

STYLES = (
    activations,
    broken,
    caches,
    convolution,
    convolution_layers,
    convolution_layouts,
    convolution_pairs,
    declared,
    dodges,
    dropout_residual,
    flags,
    in_place,
    later_batches,
    linear,
    lists,
    looked_at_twice,
    losses,
    no_gradient,
    normalization,
    one_sample,
    pooling,
    rounds,
    usual_forms,
)
ALL = [row for module in STYLES for row in module.TABLE]
