"""Matrix products. The gradient of a bias is a sum of kernels/readable/sums.py."""

import math

from minires import kernels
from minires.arrays import array_module
from minires.errors import OptionError, ShapeError
from minires.op import op
from minires.ops.arithmetic import unbroadcast


@op(needs=True)
def matmul(a, b):
    """Y = A·B over the last two axes: dA = dY·Bᵀ, dB = Aᵀ·dY; vectors and leading axes as in NumPy."""
    A, B = a[None, :] if a.ndim == 1 else a, b[:, None] if b.ndim == 1 else b
    if not a.ndim or not b.ndim or A.shape[-1] != B.shape[-2]:
        raise ShapeError(
            f"matmul: {a.shape} and {b.shape} do not fit; the last axis of the first must equal "
            "the last but one of the second"
        )
    shape_a, shape_b, shape_A, shape_B = a.shape, b.shape, A.shape, B.shape
    try:
        Y = kernels.matmul(A, B)
    except ValueError:
        raise ShapeError(f"matmul: the leading axes of {shape_a} and {shape_b} do not broadcast") from None
    shape_Y = Y.shape

    def backward(dy, needs=(True, True)):
        dY = dy.reshape(shape_Y)
        dA = unbroadcast(dY @ B.swapaxes(-1, -2), shape_A).reshape(shape_a) if needs[0] else None
        dB = unbroadcast(A.swapaxes(-1, -2) @ dY, shape_B).reshape(shape_b) if needs[1] else None
        return dA, dB

    added_axes = tuple(i for i, was_added in ((-2, a.ndim == 1), (-1, b.ndim == 1)) if was_added)
    return Y.squeeze(added_axes) if added_axes else Y, backward


@op(needs=True)
def linear(x, weight, bias=None):
    """Y = X·Wᵀ + b: dX = dY·W, dW = dYᵀ·X, db = Σ dY.

    x (…,I), weight W (O,I), bias b (O,) -> y (…,O).
    """
    if not x.ndim or weight.ndim != 2 or x.shape[-1] != weight.shape[1]:
        raise ShapeError(
            f"linear: x {x.shape} and weight {weight.shape} do not fit; the last axis of x must be weight.shape[1]"
        )
    O, I = weight.shape
    has_bias = bias is not None
    if has_bias and bias.shape != (O,):
        raise ShapeError(f"linear: bias has shape {bias.shape}, {O} outputs need ({O},)")
    shape = x.shape
    M = math.prod(shape[:-1])
    X = x.reshape(M, I)  # (…,I) -> (M,I)
    Y = kernels.matmul(X, weight.T)
    if has_bias:
        Y += bias

    def backward(dy, needs=(True, True, True)):
        dY = dy.reshape(M, O)  # (…,O) -> (M,O)
        dx = kernels.matmul(dY, weight).reshape(shape) if needs[0] else None
        dw = kernels.matmul(dY.T, X) if needs[1] else None
        return (dx, dw, kernels.sums(dY, (0,))) if has_bias else (dx, dw)

    return Y.reshape((*shape[:-1], O)), backward


@op(variadic=True, view=True)
def einsum(*xs, equation):
    """y = the product of the xs, summed over every letter that y does not have  [Einstein's convention].

    ∂L/∂x is the product of ∂L/∂y and the other xs, summed over every letter that x does not have. Along a letter that
    only this x has, the gradient is repeated. A letter that stands twice in one x takes its diagonal, as the trace "ii"
    does; beside the diagonal ∂L/∂x is 0.
    The sums are those of kernels/readable/contraction.py. An axis needs a letter: write axes out for "...".
    """
    terms, out = _parsed(equation, xs)
    sizes = {letter: n for term, x in zip(terms, xs) for letter, n in zip(term, x.shape)}
    xp = array_module(*xs)
    shapes = [x.shape for x in xs]
    places = [_diagonal(xp, term, x.shape) for term, x in zip(terms, xs)]
    xs = [x[place] for x, place in zip(xs, places)]
    terms = ["".join(dict.fromkeys(term)) for term in terms]  # "iij" -> "ij"

    def backward(dy):
        dxs = []
        for k, (term, x) in enumerate(zip(terms, xs)):
            others = [(t, a) for i, (t, a) in enumerate(zip(terms, xs)) if i != k]
            elsewhere = out + "".join(t for t, _ in others)
            letters = "".join(letter for letter in term if letter in elsewhere)
            dx = kernels.contract([(out, dy), *others], letters)
            shape = [sizes[letter] if letter in elsewhere else 1 for letter in term]
            dx = xp.broadcast_to(dx.reshape(shape), x.shape)
            dxs.append(dx if places[k] is ... else _written(xp, places[k], dx, shapes[k]))
        return tuple(dxs)

    return kernels.contract(list(zip(terms, xs)), out), backward


def _diagonal(xp, term, shape):
    """The index of the elements of an array whose repeated letters agree: an axis for each letter; ... for all."""
    sizes = dict(zip(term, shape))
    if len(sizes) == len(term):
        return ...
    grid = dict(zip(sizes, xp.ix_(*map(xp.arange, sizes.values()))))
    return tuple([grid[letter] for letter in term])


def _written(xp, place, dx, shape):
    """An array of zeros of this shape, with dx at that place."""
    out = xp.zeros(shape, dx.dtype)
    out[place] = dx
    return out


def _parsed(equation, xs):
    """(letters of each x, letters of y). Raises OptionError for a wrong equation, ShapeError where sizes differ."""
    left, arrow, out = str(equation).replace(" ", "").partition("->")
    terms = left.split(",")
    if not arrow:  # y has the letters that stand once, in the order of the alphabet
        out = "".join(sorted(letter for letter in set(left) - {","} if left.count(letter) == 1))
    for term in (*terms, out):
        if not (term + "a").isalpha() or not term.isascii():
            raise OptionError(
                f"einsum: {term!r} of {equation!r} must be letters a … z or A … Z; write axes out for '...', "
                "as in 'bij,bjk->bik'"
            )
    if len(set(out)) < len(out):
        raise OptionError(f"einsum: the result {out!r} of {equation!r} must have each letter once")
    if len(terms) != len(xs) or set(out) - set(left):
        raise OptionError(
            f"einsum: {equation!r} names {len(terms)} operands and the result {out!r}, given "
            f"{len(xs)} operands; write one group of letters for each, and only their letters after ->"
        )
    sizes = {}
    for term, x in zip(terms, xs):
        if len(term) != x.ndim or any(sizes.setdefault(letter, n) != n for letter, n in zip(term, x.shape)):
            raise ShapeError(f"einsum: {equation!r} does not fit shapes {', '.join(str(x.shape) for x in xs)}")
    return terms, out
