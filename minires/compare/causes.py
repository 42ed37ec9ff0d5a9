"""What usually makes a layer differ: for each op, the other ways in which people compute it.

A variation computes an op otherwise. Each is tried where two networks differ, and is the cause if they then agree.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from minires.data.imagefolder import MEAN, STD
from minires.export.recording import computed
from minires.kernels.window import pair
from minires.tensor import unwrap

EPS = (1e-3, 1e-5, 1e-6, 1e-12, 0.0)
MOMENTA = (0.1, 0.01, 0.001, 0.9, 0.99)


class Variation(NamedTuple):
    """cause: what the other program does, in words. compute(inputs, settings) gives what it would give."""

    cause: str
    compute: Callable[[list[Any], dict[str, Any]], Any]


def variations(op: str, inputs: list[Any], settings: dict[str, Any]) -> Iterator[Variation]:
    """All other ways to compute this call."""
    for name, value, cause in _other_settings(op, settings):
        yield Variation(cause, partial(_with_setting, op, name, value))
    for other in OTHER_OPS.get(op, ()):
        yield Variation(f"{WORDS[other]} in place of {WORDS[op]}", partial(_with_op, other))
    yield from OTHER_WAYS.get(op, lambda x, s: ())(inputs, settings)


def _with_setting(op, name, value, inputs, settings):
    return computed(op, inputs, {**settings, name: value})


def _with_op(op, inputs, settings):
    return computed(op, inputs[:1], {})


WORDS = {"relu": "ReLU", "relu6": "ReLU6", "silu": "SiLU", "gelu": "GELU"}
OTHER_OPS = {
    "gelu": ("relu", "silu"),
    "relu": ("relu6", "silu", "gelu"),
    "relu6": ("relu", "silu"),
    "silu": ("relu", "relu6", "gelu"),
}


def _other_settings(op, settings):
    """(setting, another value, the cause in words)."""
    if op in ("batch_norm", "layer_norm", "group_norm"):
        for eps in EPS:
            if eps != settings["eps"]:
                yield "eps", eps, f"eps is {eps:g} there, {settings['eps']:g} here"
    if op in ("max_pool2d", "avg_pool2d"):
        there = not settings.get("ceil_mode", False)
        yield "ceil_mode", there, f"ceil_mode is {there} there, {not there} here"
    if op == "avg_pool2d":
        there = not settings.get("count_include_pad", True)
        yield "count_include_pad", there, f"count_include_pad is {there} there, {not there} here"
    if op == "gelu":
        here = settings.get("approximate", "none")
        there = "tanh" if here == "none" else "none"
        yield "approximate", there, f"GELU has approximate={there!r} there, {here!r} here"
    if op == "conv2d":
        stride = pair(settings.get("stride", 1), "stride", "conv2d", 1)
        for there in ((1, 1), (2, 2)):
            if there != stride:
                where = "this convolution strides there" if there == (2, 2) else "another convolution strides there"
                yield "stride", there, f"stride is {there[0]} there, {stride[0]} here: {where}, as v1 and v1.5 differ"


def _norm(inputs, settings):
    x = inputs[0]
    axes = (0, *range(2, x.ndim))
    mean, var = (f(x, axis=axes, dtype=np.float64).astype(x.dtype) for f in (np.mean, np.var))

    def training(inputs, settings):
        return computed("batch_norm", inputs, {**settings, "running_mean": mean, "running_var": var})

    yield Variation("the other network is in training mode, so its norm sees the batch; call eval() there", training)
    m = x.size // x.shape[1]
    unbiased = var * np.float32(m / max(m - 1, 1))
    for momentum in MOMENTA:

        def updated(inputs, settings, momentum=momentum):
            new = {
                "running_mean": (1 - momentum) * settings["running_mean"] + momentum * mean,
                "running_var": (1 - momentum) * settings["running_var"] + momentum * unbiased,
            }
            new = {name: array.astype(x.dtype) for name, array in new.items()}
            return computed("batch_norm", inputs, {**settings, **new})

        cause = f"a pass in training mode has changed the running statistics there, with momentum {momentum:g}"
        yield Variation(cause, updated)


def _conv(inputs, settings):
    x, weight = inputs[:2]
    KH, KW = weight.shape[2:]
    SH, SW = pair(settings.get("stride", 1), "stride", "conv2d", 1)

    def same(inputs, settings):
        total = [max((-(-n // s) - 1) * s + k - n, 0) for n, s, k in zip(x.shape[2:], (SH, SW), (KH, KW))]
        widths = [(0, 0), (0, 0), *((n // 2, n - n // 2) for n in total)]
        return computed("conv2d", [np.pad(x, widths), *inputs[1:]], {**settings, "padding": 0})

    if (KH, KW) != (1, 1):
        yield Variation("padding is 'same' there as TensorFlow has it, with the odd row and column last", same)
        yield Variation(
            "the filters are flipped there: it convolves, and PyTorch and minires correlate",
            lambda i, s: computed("conv2d", [i[0], np.ascontiguousarray(weight[:, :, ::-1, ::-1]), *i[2:]], s),
        )
        yield Variation(
            "height and width of the filters are exchanged there",
            lambda i, s: computed("conv2d", [i[0], np.ascontiguousarray(weight.swapaxes(2, 3)), *i[2:]], s),
        )
    if x.shape[1] == 3:
        for cause, change in images():
            yield Variation(cause, lambda i, s, change=change: computed("conv2d", [change(i[0]), *i[1:]], s))


def images():
    """(cause, change): what a network may do with its images first."""
    mean, std = (np.array(v, np.float32).reshape(1, -1, 1, 1) for v in (MEAN, STD))
    yield "the colors are in the other order there: BGR, not RGB", lambda x: np.ascontiguousarray(x[:, ::-1])
    yield "the images are normalized once more there", lambda x: (x - mean) / std
    yield "the images are not normalized there", lambda x: x * std + mean
    yield "the images have values of 0 … 255 there", lambda x: (x * std + mean) * np.float32(255)
    yield "the images are normalized with mean 0.5 and std 0.5 there", lambda x: (x * std + mean) * 2 - 1


def _flatten(inputs, settings):
    def rows_first(inputs, settings):
        return inputs[0].transpose(0, 2, 3, 1).reshape(len(inputs[0]), -1)

    if inputs[0].ndim == 4 and inputs[0].shape[2:] != (1, 1):
        yield Variation("the map is flattened as (H,W,C) there, as TensorFlow does, and here as (C,H,W)", rows_first)


def _sigmoid(inputs, settings):
    yield Variation(
        "hard sigmoid, min(max(x + 3, 0), 6)/6, in place of sigmoid",
        lambda i, s: unwrap(computed("relu6", [i[0] + 3], {})) / 6,
    )


OTHER_WAYS = {"batch_norm": _norm, "conv2d": _conv, "flatten": _flatten, "sigmoid": _sigmoid}
