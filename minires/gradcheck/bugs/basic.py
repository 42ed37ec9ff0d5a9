"""Bugs of arithmetic, broadcasting, activations, products, and of the residual add."""

import math

import numpy as np

from minires.gradcheck.bugs.bug import bug


def narrow(g, shape, reduce=np.sum):
    """g brought back to `shape` by reduce(array, axis, keepdims), of which np.sum is the right one."""
    extra = g.ndim - len(shape)
    axes = tuple(i for i, n in enumerate(g.shape) if i < extra or (shape[i - extra] == 1 and n != 1))
    reduce = reduce if g.size else np.sum
    return reduce(g, axis=axes, keepdims=True).reshape(shape) if axes else g


def first(g, axis, keepdims):
    return g[tuple(slice(0, 1) if i in axis else slice(None) for i in range(g.ndim))]


# Broadcasting: what was repeated forward must be added up backward.

bug("add", "broadcast axes averaged", "your gradient is averaged over the broadcast axes: add up")(
    lambda call: tuple(narrow(call.dy, x.shape, np.mean) for x in call.arrays)
)
bug("add", "first slice of broadcast axes", "your gradient is the first slice along a broadcast axis: add up over it")(
    lambda call: tuple(narrow(call.dy, x.shape, first) for x in call.arrays)
)
bug("add", "not added up for b", "your db has the shape of y: add up over the axes along which b was broadcast")(
    lambda call: (call.right[0], call.dy)
)
bug("add", "no gradient for b", "your db is None: both summands have a gradient")(lambda call: (call.right[0], None))
bug("sub", "b not negated", "your db has the wrong sign: y = a − b")(lambda call: (call.right[0], -call.right[1]))
bug("sub", "a negated too", "your da has the wrong sign: y = a − b")(lambda call: (-call.right[0], call.right[1]))
bug("sub", "stretched axes dropped", "your gradient has lost an axis of length 1: add up with keepdims=True")(
    lambda call: tuple(
        np.squeeze(g, tuple(i for i, n in enumerate(x.shape) if n == 1 and x.shape != call.dy.shape))
        for x, g in zip(call.arrays, call.right)
    )
)
bug("mul", "own factor", "your da is dy·a: it is dy·b, and db is dy·a")(
    lambda call: tuple(narrow(call.dy * x, x.shape) for x in call.arrays)
)
bug("mul", "upstream forgotten", "your gradients ignore dy: multiply by it")(
    lambda call: call.again(dy=np.ones_like(call.dy))
)


@bug("mul", "dy multiplied in place", "your backward changes dy: write dy * b, not dy *= b")
def _(call):
    right = call.right
    if call.dy.flags.writeable:
        call.dy *= call.arrays[1]
    return right


bug("div", "b not squared", "your db is −dy·a/b: it is −dy·a/b²")(
    lambda call: call.but(b=narrow(-call.dy * call.y, call.arrays[1].shape))
)
bug("div", "sign of b", "your db has the wrong sign: 1/b falls as b rises")(
    lambda call: (call.right[0], -call.right[1])
)
bug("div", "multiplied by b", "your da is dy·b: it is dy/b")(
    lambda call: call.but(a=narrow(call.dy * call.arrays[1], call.arrays[0].shape))
)
bug("pow", "exponent not lowered", "your da is dy·b·aᵇ: it is dy·b·aᵇ⁻¹")(
    lambda call: call.but(a=narrow(call.dy * call.arrays[1] * call.y, call.arrays[0].shape))
)
bug("pow", "factor b forgotten", "your da is dy·aᵇ⁻¹: it is dy·b·aᵇ⁻¹")(
    lambda call: call.but(a=narrow(call.dy * call.y / call.arrays[0], call.arrays[0].shape))
)
bug("pow", "logarithm forgotten", "your db is dy·aᵇ: it is dy·aᵇ·ln a")(
    lambda call: call.but(b=narrow(call.dy * call.y, call.arrays[1].shape))
)
bug("maximum", "all to both at ties", "your gradient goes to a and to b where they are equal: each takes half")(
    lambda call: tuple(narrow(call.dy * (x >= other), x.shape) for x, other in (call.arrays, call.arrays[::-1]))
)
bug("maximum", "all to a", "your da takes all of dy: only where a is the greater")(
    lambda call: call.but(a=narrow(call.dy, call.arrays[0].shape))
)
bug("minimum", "all to both at ties", "your gradient goes to a and to b where they are equal: each takes half")(
    lambda call: tuple(narrow(call.dy * (x <= other), x.shape) for x, other in (call.arrays, call.arrays[::-1]))
)
bug("minimum", "maximum's", "your gradient goes to the greater of a and b")(
    lambda call: tuple(narrow(call.dy * (x > other), x.shape) for x, other in (call.arrays, call.arrays[::-1]))
)
bug("maximum", "minimum's", "your gradient goes to the lesser of a and b")(
    lambda call: tuple(narrow(call.dy * (x < other), x.shape) for x, other in (call.arrays, call.arrays[::-1]))
)

bug("neg", "clipped", "your gradients are clipped to ±50: clip in the optimizer, for backward must be linear in dy")(
    lambda call: tuple(np.clip(g, -50, 50) for g in call.right)
)
bug("sub", "small dropped", "your backward drops a dy below 1e-6: it must be linear in dy, however small that is")(
    lambda call: call.again(dy=np.where(np.abs(call.dy) < 1e-6, call.dy.dtype.type(0), call.dy))
)
bug("div", "large normed", "your backward divides a large dy by its norm: it must be linear in dy, however large")(
    lambda call: call.again(dy=call.dy / call.dy.dtype.type(max(1.0, np.linalg.norm(call.dy) / 1e3)))
)

bug("where", "all to both", "your gradients ignore the condition: each takes dy where it was chosen only")(
    lambda call: (None, *(narrow(call.dy, x.shape) for x in call.arrays[1:]))
)
bug("where", "the wrong way round", "your da and db are exchanged: a is chosen where the condition is true")(
    lambda call: (
        None,
        *(narrow(np.where(c, call.dy, 0), x.shape) for c, x in zip((~call.arrays[0], call.arrays[0]), call.arrays[1:])),
    )
)
bug("where", "broadcast axes averaged", "your gradient is averaged over the broadcast axes: add up")(
    lambda call: (
        None,
        *(
            narrow(np.where(c, call.dy, 0), x.shape, np.mean)
            for c, x in zip((call.arrays[0], ~call.arrays[0]), call.arrays[1:])
        ),
    )
)

# Functions of one argument.

bug("neg", "sign forgotten", "your dx misses the minus")(lambda call: call.dy)
bug("abs", "sign forgotten", "your dx misses the sign of x")(lambda call: call.dy)
bug("abs", "sign as x/|x|", "your dx is NaN at 0, from 0/0: np.sign(0) is 0")(
    lambda call: call.dy * (call.arrays[0] / call.y)
)
bug("abs", "sign 1 at 0", "your sign of 0 is 1: it is 0")(lambda call: np.where(call.arrays[0] >= 0, call.dy, -call.dy))
bug("exp", "power rule", "your dx is dy·x·eˣ⁻¹, the rule for powers of x: it is dy·eˣ")(
    lambda call: call.dy * call.arrays[0] * np.exp(call.arrays[0] - 1)
)
bug("exp", "upstream forgotten", "your dx is eˣ: multiply by dy")(lambda call: np.array(call.y))
bug("log", "y for x", "your dx is dy/y: it is dy/x")(lambda call: call.dy / call.y)
bug("log", "logarithm to base 10", "your dx is that of the logarithm to base 10: ln's is dy/x")(
    lambda call: call.right[0] / math.log(10)
)
bug("sqrt", "½ forgotten", "your dx is dy/√x: it is dy/(2√x)")(lambda call: call.dy / call.y)
bug("sqrt", "root forgotten", "your dx is dy/(2x): it is dy/(2√x)")(lambda call: call.dy / (2 * call.arrays[0]))
bug("tanh", "y not squared", "your dx is dy·(1 − y): it is dy·(1 − y²)")(lambda call: call.dy * (1 - call.y))
bug("tanh", "tanh of y", "your dx is dy·(1 − tanh(y)²): y is tanh x already")(
    lambda call: call.dy * (1 - np.tanh(call.y) ** 2)
)
bug("sigmoid", "σ of y", "your dx takes σ(y): y is σ(x) already, so dx = dy·y(1 − y)")(
    lambda call: call.dy / (2 + np.exp(call.y) + np.exp(-call.y))
)
bug("sigmoid", "x for y", "your dx is dy·x(1 − x): it is dy·y(1 − y)")(
    lambda call: call.dy * call.arrays[0] * (1 - call.arrays[0])
)
bug("relu", "mask forgotten", "your dx lets everything through: only where x > 0")(lambda call: call.dy)
bug("relu", "mask of dy", "your mask asks whether dy > 0: it must ask whether x > 0")(
    lambda call: call.dy * (call.dy > 0)
)
bug("relu", "1 at 0", "your dx lets dy through at x = 0: relu'(0) is 0 here")(
    lambda call: call.dy * (call.arrays[0] >= 0)
)
bug("relu", "upstream forgotten", "your dx is the mask itself: multiply by dy")(
    lambda call: (call.arrays[0] > 0).astype(call.dy.dtype)
)


@bug(
    "relu", "mask written into x", "your backward changes x: mask = x > 0 is an array of its own, x[x <= 0] = 0 is not"
)
def _(call):
    x, right = call.arrays[0], call.right
    if x.flags.writeable:
        x[x <= 0] = 0
    return right


bug("relu6", "no bound above", "your dx lets dy through above 6: there it is 0")(
    lambda call: call.dy * (call.arrays[0] > 0)
)
bug("relu6", "1 at 6", "your dx lets dy through at x = 6: it is 0 there")(
    lambda call: call.dy * ((call.arrays[0] > 0) & (call.arrays[0] <= 6))
)
bug("leaky_relu", "slope forgotten", "your dx is 0 below 0: it is dy·slope there")(
    lambda call: call.dy * (call.arrays[0] > 0)
)
bug("leaky_relu", "always the default slope", "your dx uses the slope 0.01 whatever negative_slope says")(
    lambda call: call.again(negative_slope=0.01)
)
bug("leaky_relu", "both slopes at 0", "your dx at 0 is dy·(1 + slope): the masks x ≥ 0 and x ≤ 0 both hold there")(
    lambda call: call.dy * ((call.arrays[0] >= 0) + call.setting("negative_slope") * (call.arrays[0] <= 0))
)
bug("silu", "product rule forgotten", "your dx is dy·σ(x): both factors of x·σ(x) depend on x")(
    lambda call: call.dy / (1 + np.exp(-call.arrays[0]))
)
bug("silu", "first term forgotten", "your dx is dy·x·σ(1 − σ): both factors of x·σ(x) depend on x")(
    lambda call: call.right[0] - call.dy / (1 + np.exp(-call.arrays[0]))
)
bug("gelu", "density forgotten", "your dx is dy·Φ(x): both factors of x·Φ(x) depend on x")(
    lambda call: call.dy * np.divide(call.y, call.arrays[0], out=np.full_like(call.y, 0.5), where=call.arrays[0] != 0)
)
bug("gelu", "the other approximation", "your dx differentiates the other of the two formulas: mind approximate=")(
    lambda call: call.again(approximate="none" if call.setting("approximate") == "tanh" else "tanh")
)


def bounds(call):
    low = call.setting("min")
    high = call.setting("max")
    return -math.inf if low is None else low, math.inf if high is None else high


bug("clip", "mask forgotten", "your dx lets dy through outside the bounds: there it is 0")(lambda call: call.dy)
bug("clip", "dy clipped", "your dx is dy clipped: the bounds are of x, dx is dy where x lies within them")(
    lambda call: np.clip(call.dy, *bounds(call))
)
bug("clip", "0 at the bounds", "your dx is 0 at the bounds: they belong to the inside")(
    lambda call: call.dy * ((call.arrays[0] > bounds(call)[0]) & (call.arrays[0] < bounds(call)[1]))
)

bug("einsum", "gradients exchanged", "your gradients come in reverse order")(
    lambda call: call.right[::-1] if len({x.shape for x in call.arrays}) == 1 else call.right
)
bug("einsum", "averaged", "your gradient is divided by how many terms each sum has: dy flows to each")(
    lambda call: tuple(dx / 2 for dx in call.right)
)
bug("einsum", "upstream forgotten", "your gradients ignore dy: multiply by it")(
    lambda call: call.again(dy=np.ones_like(call.dy))
)

# Products. Where vectors meet, these bugs would not run, or are none.


def of_matrices(gradients):
    """A bug of (call, A, B) where both have two axes or more."""
    return lambda call: gradients(call, *call.arrays) if min(a.ndim for a in call.arrays) > 1 else call.right


def is_square(a):
    return a.shape[-1] == a.shape[-2]


bug("matmul", "B not transposed", "your dA is dY·B: it is dY·Bᵀ")(
    of_matrices(lambda call, A, B: call.but(a=narrow(call.dy @ B, A.shape)) if is_square(B) else call.right)
)
bug("matmul", "A not transposed", "your dB is A·dY: it is Aᵀ·dY")(
    of_matrices(lambda call, A, B: call.but(b=narrow(A @ call.dy, B.shape)) if is_square(A) else call.right)
)
bug("matmul", "order of the factors", "your dB is dY·Aᵀ: the order counts, it is Aᵀ·dY")(
    of_matrices(
        lambda call, A, B: (
            call.but(b=narrow(call.dy @ A.swapaxes(-1, -2), B.shape)) if is_square(A) and is_square(B) else call.right
        )
    )
)
bug("matmul", "first slice of leading axes", "your gradients are the first slice along broadcast leading axes: add up")(
    of_matrices(
        lambda call, A, B: (
            narrow(call.dy @ B.swapaxes(-1, -2), A.shape, first),
            narrow(A.swapaxes(-1, -2) @ call.dy, B.shape, first),
        )
    )
)
bug("matmul", "gradients exchanged", "your dA and dB are returned in the wrong order")(lambda call: call.right[::-1])


def rows(call):
    """linear's dY (M,O) and X (M,I)."""
    (O, I), x = call.arrays[1].shape, call.arrays[0]
    return call.dy.reshape(math.prod(x.shape[:-1]), O), x.reshape(math.prod(x.shape[:-1]), I)


bug("linear", "w transposed in dx", "your dx is dY·Wᵀ: as Y = X·Wᵀ, it is dY·W")(
    lambda call: call.but(x=call.dy @ call.arrays[1].T) if is_square(call.arrays[1]) else call.right
)
bug("linear", "dw transposed", "your dw is Xᵀ·dY: w is (O,I), so it is dYᵀ·X")(
    lambda call: call.but(weight=call.right[1].T)
)
bug("linear", "dw of the last sample", "your dw is that of the last sample only: add up over all samples")(
    lambda call: call.but(weight=rows(call)[0][-1:].T @ rows(call)[1][-1:])
)
bug("linear", "dw averaged", "your dw looks averaged over the samples: add up, divide by nothing")(
    lambda call: call.but(weight=call.right[1] / max(len(rows(call)[0]), 1))
)
bug("linear", "db averaged", "your db looks averaged over the samples: add up, divide by nothing")(
    lambda call: call.but(bias=rows(call)[0].sum(axis=0) / max(len(rows(call)[0]), 1))
)
bug("linear", "db over the first axis only", "your db is added up over the first axis only: over all but the last")(
    lambda call: call.but(bias=call.dy.sum(axis=0))
)

# The residual add: dH goes to x and to f, unchanged.

bug("residual_add", "identity dropped", "your dx is zero: dH goes to x unchanged, that is the 1 in 1 + ∂F/∂x")(
    lambda call: (0 * call.dy, call.dy)
)
bug("residual_add", "branch dropped", "your df is zero: dH goes into the branch unchanged too")(
    lambda call: (call.dy, 0 * call.dy)
)
bug("residual_add", "gradient halved", "your gradient is shared out between x and f: a sum hands all of it to both")(
    lambda call: (call.dy / 2, call.dy / 2)
)
bug("residual_add", "identity twice", "your dx counts the identity twice: dx = dH, the branch adds its own part")(
    lambda call: (2 * call.dy, call.dy)
)
bug("residual_add", "ReLU's mask on the identity", "your dx passes a ReLU that is not there: dx = dH")(
    lambda call: (call.dy * (call.y > 0), call.dy)
)
bug("residual_add", "product's", "your gradients are those of x·f: the residual add is a sum, both are dH")(
    lambda call: (call.dy * call.arrays[1], call.dy * call.arrays[0])
)
bug("residual_add", "no gradient for x", "your dx is None: the shortcut has a gradient, dH itself")(
    lambda call: (None, call.dy)
)
bug("residual_add_relu", "mask left out", "∂L/∂y counts only where y > 0, for x and for f")(
    lambda call: (call.dy, call.dy)
)
bug("residual_add_relu", "mask on the branch only", "the ReLU comes after the add: its mask holds for x too")(
    lambda call: (call.dy, call.right[1])
)
