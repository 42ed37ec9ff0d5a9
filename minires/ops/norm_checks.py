"""What the normalization ops refuse, so that their own pages hold the mathematics only."""

from typing import Any, NamedTuple

from minires.arrays import is_array
from minires.errors import DTypeError, OptionError, ShapeError
from minires.settings import in_range, integer


class RunningStats(NamedTuple):
    """Mean and variance of earlier batches, arrays (C,) or None, and how much the next batch changes them."""

    mean: Any
    var: Any
    momentum: float


def check_channels(op, C, source, **vectors):
    """Raise unless each of these, by name, is None or an array (C,). `source` says what has C channels."""
    for name, v in vectors.items():
        if v is not None and not is_array(v):
            raise DTypeError(f"{op}: {name} must be an array of {C} numbers, got {v!r}")
        if v is not None and v.shape != (C,):
            raise ShapeError(f"{op}: {name} has shape {v.shape}, {source} has {C} channels and needs ({C},)")


def check_statistics(op, count, running, training, eps):
    """Raise unless the statistics can be computed: over `count` values a channel in training, else the running ones."""
    if (running.mean is None) != (running.var is None):
        raise ShapeError(f"{op}: running_mean and running_var come together, got only one of them")
    if running.mean is None and not training:
        raise ShapeError(f"{op}: training=False needs running_mean and running_var")
    in_range(f"{op}: eps", eps, 0)
    if training and running.mean is not None:
        _check_update(op, running)
    if training and count < 2:
        raise ShapeError(
            f"{op}: training needs more than one value a channel, got {count}; use a larger batch, or eval()"
        )


def _check_update(op, running):
    """Raise unless training can change the running statistics in place."""
    in_range(f"{op}: momentum", running.momentum, 0, 1)
    for name, v in (("running_mean", running.mean), ("running_var", running.var)):
        if v.dtype.kind != "f":
            raise DTypeError(f"{op}: {name} must be floats, which training changes in place, got {v.dtype}")
        if not getattr(v.flags, "writeable", True):
            raise OptionError(f"{op}: {name} is read-only, and training changes it in place; pass a copy")


def check_layer_norm(x, weight, bias, normalized_shape, eps):
    """The normalized shape as a tuple, by default weight's or x's last axis. Raises ShapeError unless it fits."""
    if normalized_shape is None:
        normalized_shape = weight.shape if weight is not None else x.shape[-1:]
    lengths = normalized_shape if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
    shape = tuple([integer("layer_norm: normalized_shape", n) for n in lengths])
    if not shape or x.shape[-len(shape) :] != shape:
        raise ShapeError(f"layer_norm: x {x.shape} does not end with the normalized shape {shape}")
    if 0 in shape:
        raise ShapeError(f"layer_norm: nothing to take a mean of in x {x.shape}")
    for name, v in (("weight", weight), ("bias", bias)):
        if v is not None and v.shape != shape:
            raise ShapeError(f"layer_norm: {name} has shape {v.shape}, it must be {shape}")
    in_range("layer_norm: eps", eps, 0)
    return shape


def check_group_norm(x, weight, bias, num_groups, eps):
    """num_groups as an integer. Raises ShapeError unless it divides the channels of x (N,C,…)."""
    num_groups = integer("group_norm: num_groups", num_groups)
    if x.ndim < 2:
        raise ShapeError(f"group_norm: x must be (N,C,…), got {x.shape}")
    C = x.shape[1]
    if num_groups < 1 or C % num_groups:
        raise ShapeError(f"group_norm: num_groups={num_groups} must divide the {C} channels of x")
    if 0 in x.shape[1:]:
        raise ShapeError(f"group_norm: nothing to take a mean of in x {x.shape}")
    check_channels("group_norm", C, "x", weight=weight, bias=bias)
    in_range("group_norm: eps", eps, 0)
    return num_groups
