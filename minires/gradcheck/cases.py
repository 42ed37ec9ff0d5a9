"""The inputs under which each op is checked: hard ones, for easy ones hide bugs.

Of 90 realistic bugs planted in backward passes, `y.sum().backward()` on square maps, stride 1 and γ = 1 shows 45; a
random upstream on the configurations below shows 87. So: N ≥ 2, H ≠ W, another kernel, stride, padding and dilation on
each axis, strides that leave rows over, groups, γ ≠ 1, a large ε, running statistics that are not the batch's,
overlapping pools, class weights with smoothing and ignored targets, broadcasting in every position.
"""

from dataclasses import dataclass, field

import numpy as np

from minires.arrays import channels_last

_cases = {}


@dataclass
class Case:
    """One call: op.raw(*arrays, **static)."""

    label: str
    arrays: tuple
    static: dict = field(default_factory=dict)


def names():
    """The ops that have cases."""
    return sorted(_cases)


def cases_of(name, seed=0):
    """The cases of one op, made from a seed."""
    return list(_cases[name](np.random.default_rng(seed)))


def _for(*names):
    """Register a generator of Cases under each name; with several it is told which one."""
    def register(make):
        for name in names:
            _cases[name] = (lambda rng, name=name: make(rng, name)) if len(names) > 1 else make
        return make
    return register


def _positive(rng, *shape):
    return rng.uniform(0.5, 2.0, shape)


@_for("add", "sub", "mul", "maximum")
def _binary(rng, name):
    normal = rng.standard_normal
    yield Case("same shape", (normal((2, 3)), normal((2, 3))))
    yield Case("broadcast both ways", (normal((2, 1, 3)), normal((4, 1))))
    yield Case("with a scalar array", (normal((2, 3)), normal(())))
    yield Case("transposed", (normal((3, 2)).T, normal((2, 3))))
    yield Case("empty", (normal((0, 3)), normal((3,))))


@_for("div")
def _div(rng):
    yield Case("same shape", (rng.standard_normal((2, 3)), _positive(rng, 2, 3)))
    yield Case("broadcast both ways", (rng.standard_normal((2, 1, 3)), -_positive(rng, 4, 1)))


@_for("pow")
def _pow(rng):
    yield Case("same shape", (_positive(rng, 2, 3), rng.standard_normal((2, 3))))
    yield Case("broadcast both ways", (_positive(rng, 2, 1, 3), rng.standard_normal((4, 1))))


@_for("neg", "abs", "exp", "tanh", "sigmoid", "relu", "silu")
def _unary(rng, name):
    yield Case("matrix", (rng.standard_normal((3, 4)) * 2,))
    yield Case("map, channels-last", (channels_last(rng.standard_normal((2, 3, 2, 4))),))


@_for("log", "sqrt")
def _unary_positive(rng, name):
    yield Case("matrix", (_positive(rng, 3, 4),))


@_for("leaky_relu")
def _leaky_relu(rng):
    yield Case("default slope", (rng.standard_normal((3, 4)),))
    yield Case("slope 0.3", (rng.standard_normal((3, 4)),), {"negative_slope": 0.3})


@_for("gelu")
def _gelu(rng):
    for approximate in ("none", "tanh"):
        yield Case(f"approximate={approximate}", (rng.standard_normal((3, 5)) * 3,), {"approximate": approximate})


@_for("clip")
def _clip(rng):
    yield Case("both bounds", (rng.standard_normal((4, 5)),), {"min": -0.5, "max": 0.8})
    yield Case("lower bound only", (rng.standard_normal((4, 5)),), {"min": 0.1})


@_for("matmul")
def _matmul(rng):
    normal = rng.standard_normal
    yield Case("matrices", (normal((2, 3)), normal((3, 4))))
    yield Case("batches that broadcast", (normal((2, 1, 2, 3)), normal((4, 3, 2))))
    yield Case("vector · matrix", (normal(3), normal((3, 4))))
    yield Case("matrix · vector", (normal((2, 5, 3)), normal(3)))
    yield Case("vector · vector", (normal(3), normal(3)))


@_for("linear")
def _linear(rng):
    normal = rng.standard_normal
    yield Case("with bias", (normal((3, 4)), normal((5, 4)), normal(5)))
    yield Case("no bias, three axes", (normal((2, 3, 4)), normal((5, 4))))


@_for("sum", "mean", "max", "var")
def _reduction(rng, name):
    x = rng.standard_normal((2, 3, 4))
    yield Case("all", (x,))
    yield Case("middle axis", (x,), {"dim": 1})
    yield Case("two axes, kept", (x,), {"dim": (0, -1), "keepdim": True})
    if name == "var":
        yield Case("biased", (x,), {"dim": 2, "correction": 0})


@_for("reshape")
def _reshape(rng):
    yield Case("with -1", (rng.standard_normal((2, 3, 4)),), {"shape": (4, -1)})
    yield Case("of channels-last", (channels_last(rng.standard_normal((2, 3, 2, 2))),), {"shape": (2, 12)})


@_for("permute")
def _permute(rng):
    yield Case("cycle", (rng.standard_normal((2, 3, 4)),), {"dims": (2, 0, -2)})


@_for("transpose")
def _transpose(rng):
    yield Case("outer axes", (rng.standard_normal((2, 3, 4)),), {"dim0": 0, "dim1": -1})


@_for("flatten")
def _flatten(rng):
    yield Case("map", (channels_last(rng.standard_normal((2, 3, 2, 4))),), {"start_dim": 1})
    yield Case("inner axes", (rng.standard_normal((2, 3, 2, 4)),), {"start_dim": 1, "end_dim": 2})


@_for("cat")
def _cat(rng):
    normal = rng.standard_normal
    yield Case("unequal parts", (normal((2, 1, 3)), normal((2, 4, 3)), normal((2, 2, 3))), {"dim": 1})


@_for("stack")
def _stack(rng):
    yield Case("last axis", (rng.standard_normal((2, 3)), rng.standard_normal((2, 3))), {"dim": -1})


@_for("getitem")
def _getitem(rng):
    x = rng.standard_normal((4, 3, 5))
    yield Case("slices", (x,), {"index": (slice(1, None, 2), None, -1, slice(None, None, -2))})
    yield Case("repeated index", (x,), {"index": (np.array([0, 2, 0, 0]), slice(None), np.array([1, 1, 1, 4]))})
    yield Case("mask", (x,), {"index": x > 0.3})


@_for("pad")
def _pad(rng):
    yield Case("uneven", (rng.standard_normal((2, 3, 4)),), {"pad": (1, 2, 0, 3), "value": 0.7})


@_for("broadcast_to")
def _broadcast_to(rng):
    yield Case("new and stretched axes", (rng.standard_normal((3, 1)),), {"shape": (2, 3, 4)})


@_for("to")
def _to(rng):
    yield Case("where it is", (rng.standard_normal((2, 3)),), {"device": "cpu"})


@_for("conv2d")
def _conv2d(rng):
    normal = rng.standard_normal
    uneven = {"stride": (2, 3), "padding": (1, 2), "dilation": (2, 1)}
    x = normal((2, 4, 8, 9))
    yield Case("everything uneven", (x, normal((3, 4, 3, 2)), normal(3)), uneven)
    yield Case("channels-last", (channels_last(x), normal((3, 4, 3, 2)), normal(3)), uneven)
    yield Case("groups", (x, normal((6, 2, 2, 3)), normal(6)), {"groups": 2, "stride": (3, 2), "padding": (0, 1)})
    yield Case("depthwise", (x[:, :, :5], normal((4, 1, 3, 3))), {"groups": 4, "padding": 1})
    yield Case("O = C/groups", (normal((2, 4, 5, 4)), normal((2, 2, 2, 2)), normal(2)), {"groups": 2})
    yield Case("1×1, stride 2", (normal((2, 3, 5, 4)), normal((2, 3, 1, 1))), {"stride": 2})
    yield Case("3×3, padding 1", (normal((2, 2, 4, 5)), normal((3, 2, 3, 3))), {"padding": 1})
    yield Case("no pictures", (normal((0, 2, 4, 5)), normal((3, 2, 3, 3)), normal(3)))


@_for("batch_norm")
def _batch_norm(rng):
    x = rng.standard_normal((3, 4, 2, 5)) * 2 + 1
    weight, bias = rng.uniform(0.5, 2, 4), rng.standard_normal(4)
    running = {"running_mean": rng.standard_normal(4), "running_var": rng.uniform(0.2, 3, 4)}
    for label, data in (("", x), (", channels-last", channels_last(x))):
        yield Case(f"training{label}", (data, weight, bias), {"training": True, "eps": 0.3, **running})
        yield Case(f"evaluation{label}", (data, weight, bias), {"training": False, "eps": 0.3, **running})
    yield Case("training, default eps", (x * 0.1, weight, bias), {"training": True})


@_for("layer_norm")
def _layer_norm(rng):
    normal = rng.standard_normal
    yield Case("last axis", (normal((2, 3, 5)) * 2, rng.uniform(0.5, 2, 5), normal(5)), {"eps": 0.3})
    yield Case("two axes", (normal((2, 3, 4)), normal((3, 4)), normal((3, 4))))
    yield Case("no affine part", (normal((2, 6)),))


@_for("max_pool2d", "avg_pool2d")
def _pool(rng, name):
    x = rng.standard_normal((2, 3, 7, 6))
    yield Case("overlapping, uneven", (x,), {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 0)})
    yield Case("channels-last", (channels_last(x),), {"kernel_size": 3, "stride": 2, "padding": 1})
    yield Case("rows left over", (x,), {"kernel_size": 2, "stride": 3})


@_for("adaptive_avg_pool2d")
def _adaptive_avg_pool2d(rng):
    x = rng.standard_normal((2, 3, 5, 7))
    yield Case("global", (x,), {"output_size": 1})
    yield Case("uneven regions", (channels_last(x),), {"output_size": (3, 4)})
    yield Case("more cells than pixels", (x,), {"output_size": (2, 9)})


@_for("softmax", "log_softmax", "logsumexp")
def _softmax(rng, name):
    yield Case("last axis", (rng.standard_normal((3, 4)) * 3,), {"dim": -1})
    yield Case("channels of a map", (rng.standard_normal((2, 3, 2, 2)) * 3,), {"dim": 1})


@_for("dropout")
def _dropout(rng):
    x = rng.standard_normal((4, 5))
    yield Case("training", (x,), {"p": 0.3, "rng": 7})
    yield Case("evaluation", (x,), {"p": 0.3, "training": False})


@_for("cross_entropy")
def _cross_entropy(rng):
    logits, target = rng.standard_normal((6, 4)) * 2, np.array([3, 0, 2, 1, 1, 0])
    hard = {"weight": rng.uniform(0.5, 2, 4), "label_smoothing": 0.2, "ignore_index": 1}
    for reduction in ("mean", "sum", "none"):
        yield Case(f"plain, {reduction}", (logits, target), {"reduction": reduction})
        yield Case(f"weights, smoothing, ignored, {reduction}", (logits, target), {"reduction": reduction, **hard})
    yield Case("a map of classes", (rng.standard_normal((2, 3, 2, 4)), rng.integers(0, 3, (2, 2, 4))),
               {"label_smoothing": 0.1})


@_for("mse_loss")
def _mse_loss(rng):
    for reduction in ("mean", "sum", "none"):
        yield Case(reduction, (rng.standard_normal((2, 3)), rng.standard_normal((2, 3))), {"reduction": reduction})


@_for("residual_add")
def _residual_add(rng):
    x, f = rng.standard_normal((2, 3, 4, 5)), rng.standard_normal((2, 3, 4, 5))
    yield Case("map", (x, f))
    yield Case("mixed formats", (x, channels_last(f)))
