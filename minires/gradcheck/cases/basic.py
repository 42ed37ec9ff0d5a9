"""Cases of arithmetic, activations, products, reductions, and of ops that only move values."""

import numpy as np

from minires.arrays import channels_last
from minires.gradcheck.cases.draw import Case, cases_for


@cases_for("add", "sub", "mul", "maximum", "minimum")
def _binary(draw, name):
    m, n, k = draw.sizes(3, 2, 5)
    yield Case("same shape", (draw.normal(m, n), draw.normal(m, n)))
    yield Case("broadcast both ways", (draw.normal(m, 1, n), draw.normal(k, 1)))
    yield Case("new axes for the second", (draw.normal(k, m, n), draw.normal(n)))
    yield Case("new axes for the first", (draw.normal(1, n), draw.normal(k, m, n)))
    yield Case("with a scalar array", (draw.normal(m, n), draw.normal()))
    yield Case("transposed", (draw.normal(n, m).T, draw.normal(m, n)))
    yield Case("square", (draw.normal(n, 1), draw.normal(n, n)))
    yield Case("empty", (draw.normal(0, n), draw.normal(n)))
    if name in ("maximum", "minimum"):
        a = np.array([1.0, -2.0, 3.0, 0.0])
        b = np.array([1.0, 5.0, -4.0, 0.0])
        a, b = (a, b) if name == "maximum" else (-a, -b)
        yield Case("ties", (a, b), convention=lambda dy: (dy * [0.5, 0, 1, 0.5], dy * [0.5, 1, 0, 0.5]))


@cases_for("div")
def _div(draw):
    m, n, k = draw.sizes(3, 2, 5)
    yield Case("same shape", (draw.normal(m, n), draw.positive(m, n)))
    yield Case("broadcast both ways", (draw.normal(m, 1, n), -draw.positive(k, 1)))
    yield Case("by a scalar array", (draw.normal(m, n), draw.positive()))


@cases_for("pow")
def _pow(draw):
    m, n, k = draw.sizes(3, 2, 5)
    yield Case("same shape", (draw.positive(m, n), draw.normal(m, n)))
    yield Case("broadcast both ways", (draw.positive(m, 1, n), draw.normal(k, 1)))


@cases_for("neg", "exp", "tanh", "sigmoid", "silu")
def _smooth(draw, name):
    m, n, k = draw.sizes(3, 2, 5)
    yield Case("matrix", (draw.normal(m, n, scale=2),))
    yield Case("feature map, channels-last", (channels_last(draw.normal(2, m, n, k)),))
    yield Case("scalar", (draw.normal(),))


@cases_for("relu", "relu6", "abs", "leaky_relu")
def _kinked(draw, name):
    m, n, k = draw.sizes(3, 2, 5)
    at_0 = {"relu": 0.0, "relu6": 0.0, "abs": 0.0, "leaky_relu": 0.01}[name]
    below = {"relu": 0.0, "relu6": 0.0, "abs": -1.0, "leaky_relu": 0.01}[name]
    yield Case("matrix", (draw.normal(m, n, scale=2),))
    yield Case("feature map, channels-last", (channels_last(draw.normal(2, m, n, k)),))
    yield Case("next to the kink", (np.array([1e-6, -1e-6, 0.5, -0.5, 1e-3]),))
    yield Case("at the kink", (np.array([0.0, 1.5, -1.5, 0.0]),), convention=lambda dy: dy * [at_0, 1, below, at_0])
    if name == "relu6":
        yield Case("on both sides of 6", (draw.normal(m, n, scale=2, mean=6),))
        yield Case("at 6", (np.array([6.0, 5.5, 7.0]),), convention=lambda dy: dy * [0, 1, 0])
    if name == "leaky_relu":
        yield Case("another slope", (draw.normal(m, n),), {"negative_slope": 0.3})


@cases_for("log", "sqrt")
def _positive(draw, name):
    yield Case("matrix", (draw.positive(*draw.sizes(2, 2, 5)),))
    yield Case("feature map, channels-last", (channels_last(draw.positive(2, *draw.sizes(3, 2, 4))),))


@cases_for("gelu")
def _gelu(draw):
    for approximate in ("none", "tanh"):
        x = draw.normal(*draw.sizes(2, 2, 5), scale=2)
        yield Case(f"approximate={approximate}", (x,), {"approximate": approximate})


@cases_for("clip")
def _clip(draw):
    shape = draw.sizes(2, 3, 6)
    yield Case("both bounds", (draw.normal(*shape, scale=2),), {"min": -0.5, "max": 0.8})
    yield Case("lower bound only", (draw.normal(*shape),), {"min": 0.1})
    yield Case("upper bound only", (draw.normal(*shape),), {"max": 0.1})
    x = np.array([-0.5, 0.75, 0.0, 2.0])
    yield Case("at the bounds", (x,), {"min": -0.5, "max": 0.75}, convention=lambda dy: dy * [1, 1, 1, 0])


@cases_for("matmul")
def _matmul(draw):
    m, n, k, batch = draw.sizes(4, 2, 5)
    yield Case("matrices", (draw.normal(m, n), draw.normal(n, k)))
    yield Case("square", (draw.normal(n, n), draw.normal(n, n)))
    yield Case("batches that broadcast", (draw.normal(2, 1, m, n), draw.normal(batch, n, k)))
    yield Case("vector · matrix", (draw.normal(n), draw.normal(n, k)))
    yield Case("matrix · vector", (draw.normal(batch, m, n), draw.normal(n)))
    yield Case("vector · vector", (draw.normal(n), draw.normal(n)))


@cases_for("linear")
def _linear(draw):
    m, n, k = draw.sizes(3, 2, 6)
    yield Case("matrix", (draw.normal(m, n), draw.normal(k, n), draw.normal(k)))
    yield Case("three axes, no bias", (draw.normal(2, m, n), draw.normal(k, n)))
    yield Case("three axes", (draw.normal(k, m, n), draw.normal(k, n), draw.normal(k)))
    yield Case("as many outputs as inputs", (draw.normal(m, n), draw.normal(n, n), draw.normal(n)))


@cases_for("where")
def _where(draw):
    m, n, k = draw.sizes(3, 2, 5)
    yield Case("same shape", (draw.normal(m, n) > 0, draw.normal(m, n), draw.normal(m, n)))
    yield Case("broadcast all ways", (draw.normal(k, 1, 1) > 0, draw.normal(m, 1), draw.normal(1, n)))
    yield Case("square", (draw.normal(n, n) > 0, draw.normal(n, 1), draw.normal(1, n)))
    yield Case("scalars", (np.array(True), draw.normal(), draw.normal()))


@cases_for("einsum")
def _einsum(draw):
    m, n, k, b = draw.sizes(4, 2, 5)
    yield Case("matrices", (draw.normal(m, n), draw.normal(n, k)), {"equation": "mn,nk->mk"})
    yield Case("square, transposed", (draw.normal(n, n), draw.normal(n, n)), {"equation": "ij,kj->ki"})
    yield Case("batches", (draw.normal(b, m, n), draw.normal(b, k, n)), {"equation": "bmn,bkn->bmk"})
    yield Case("a letter added up alone", (draw.normal(m, n), draw.normal(n)), {"equation": "mn,n->n"})
    yield Case("three", (draw.normal(m, n), draw.normal(n, k), draw.normal(k)), {"equation": "mn,nk,k->m"})
    yield Case("one, permuted and summed", (draw.normal(m, n, k),), {"equation": "mnk->km"})
    yield Case("trace", (draw.normal(n, n),), {"equation": "nn"})
    yield Case("diagonals, then a product", (draw.normal(n, k, n), draw.normal(m, n)), {"equation": "nkn,mn->kn"})


@cases_for("sum", "mean", "amax", "amin", "var", "std", "norm")
def _reduction(draw, name):
    values = draw.apart if name == "std" else draw.normal
    x = values(*draw.sizes(3, 2, 5))
    yield Case("all", (x,))
    yield Case("middle axis", (x,), {"dim": 1})
    yield Case("two axes, kept", (x,), {"dim": (0, -1), "keepdim": True})
    yield Case("cube, first axis", (values(3, 3, 3),), {"dim": 0})
    if name in ("var", "std"):
        yield Case("biased", (x,), {"dim": 2, "correction": 0})
    if name == "norm":
        yield Case("p = 1", (x,), {"p": 1, "dim": (0, 2)})
        yield Case("large", (1e8 * x,), {"dim": 1})
    if name in ("amax", "amin"):
        x = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
        parts = [[0, 1 / 2, 1 / 2], [1 / 3, 1 / 3, 1 / 3]]
        yield Case("ties", (x if name == "amax" else -x,), {"dim": 1}, convention=lambda dy: dy[:, None] * parts)
    if name not in ("var", "std"):  # these have no value for a single element
        yield Case("scalar", (draw.normal(),))
        yield Case("one element", (draw.normal(1),), {"dim": 0})


@cases_for("reshape")
def _reshape(draw):
    m, n = draw.sizes(2, 2, 4)
    yield Case("with -1", (draw.normal(m, n, 4),), {"shape": (4, -1)})
    yield Case("of channels-last", (channels_last(draw.normal(2, 3, m, n)),), {"shape": (2, 3 * m * n)})


@cases_for("permute")
def _permute(draw):
    yield Case("cycle", (draw.normal(*draw.sizes(3, 2, 4)),), {"dims": (2, 0, -2)})
    yield Case("cycle of a cube", (draw.normal(3, 3, 3),), {"dims": (1, 2, 0)})


@cases_for("transpose")
def _transpose(draw):
    yield Case("outer axes", (draw.normal(*draw.sizes(3, 2, 4)),), {"dim0": 0, "dim1": -1})
    yield Case("square", (draw.normal(3, 3),), {"dim0": 0, "dim1": 1})


@cases_for("flatten")
def _flatten(draw):
    x = draw.normal(2, *draw.sizes(3, 2, 4))
    yield Case("feature map", (channels_last(x),), {"start_dim": 1})
    yield Case("inner axes", (x,), {"start_dim": 1, "end_dim": 2})


@cases_for("cat")
def _cat(draw):
    m, n = draw.sizes(2, 2, 4)
    yield Case("unequal parts", tuple(draw.normal(m, k, n) for k in draw.sizes(3, 1, 4)), {"dim": 1})
    yield Case("last axis", (draw.normal(m, n), draw.normal(m, n)), {"dim": -1})


@cases_for("stack")
def _stack(draw):
    m, n = draw.sizes(2, 2, 4)
    yield Case("last axis", (draw.normal(m, n), draw.normal(m, n)), {"dim": -1})
    yield Case("first axis", tuple(draw.normal(3) for _ in range(3)), {"dim": 0})


@cases_for("getitem")
def _getitem(draw):
    x = draw.normal(draw.size(4, 5), draw.size(3, 4), draw.size(5, 6))
    yield Case("slices", (x,), {"index": (slice(1, None, 2), None, -1, slice(None, None, -2))})
    yield Case("repeated index", (x,), {"index": (np.array([0, 2, 0, 0]), slice(None), np.array([1, 1, 1, 4]))})
    yield Case("mask", (x,), {"index": x > 0.3})


@cases_for("take_along_dim")
def _take_along_dim(draw):
    x = draw.normal(draw.size(3, 4), draw.size(4, 5), 2)
    yield Case("maxima", (x, x.argmax(axis=1)[:, None]), {"dim": 1})
    yield Case("repeated", (x, draw.rng.integers(0, x.shape[0], (6, *x.shape[1:]))), {"dim": 0})
    yield Case("last axis", (x, np.array([1, 0, 1])[None, None] + 0 * x[..., :1].astype(int)), {"dim": -1})


@cases_for("squeeze")
def _squeeze(draw):
    m, n = draw.sizes(2, 2, 4)
    yield Case("all", (draw.normal(1, m, 1, n),))
    yield Case("one of two", (draw.normal(m, 1, n, 1),), {"dim": -1})
    yield Case("of length 2", (draw.normal(2, 1, n),), {"dim": (0, 1)})


@cases_for("unsqueeze")
def _unsqueeze(draw):
    m, n = draw.sizes(2, 2, 4)
    yield Case("in between", (draw.normal(m, n),), {"dim": 1})
    yield Case("at the end", (draw.normal(m, n),), {"dim": -1})
    yield Case("scalar", (draw.normal(),), {"dim": 0})


@cases_for("expand")
def _expand(draw):
    m, n, k = draw.sizes(3, 2, 4)
    yield Case("new and stretched axes", (draw.normal(m, 1),), {"sizes": (k, -1, n)})
    yield Case("square", (draw.normal(n, 1),), {"sizes": (n, n)})


@cases_for("clone")
def _clone(draw):
    yield Case("feature map, channels-last", (channels_last(draw.normal(2, *draw.sizes(3, 2, 4))),))
    yield Case("scalar", (draw.normal(),))


@cases_for("pad")
def _pad(draw):
    left, right, top, bottom = draw.sizes(4, 0, 3)
    widths = left, right, (left + 1) % 4 if top == left else top, bottom  # the axes have different borders
    yield Case("uneven", (draw.normal(*draw.sizes(3, 2, 4)),), {"pad": widths, "value": 0.7})


@cases_for("broadcast_to")
def _broadcast_to(draw):
    m, n, k = draw.sizes(3, 2, 4)
    yield Case("new and stretched axes", (draw.normal(m, 1),), {"shape": (k, m, n)})
    yield Case("square", (draw.normal(n, 1),), {"shape": (n, n)})


@cases_for("to")
def _to(draw):
    yield Case("same device", (draw.normal(*draw.sizes(2, 2, 4)),), {"device": "cpu"})
    yield Case("no setting", (draw.normal(*draw.sizes(2, 2, 4)),))
