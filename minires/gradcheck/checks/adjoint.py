"""Linear ops held to the adjoint identity ⟨A·x, dy⟩ = ⟨x, Aᵀ·dy⟩ on integers, where both sides are exact.

Where y is linear in an argument, backward is the transposed linear map. The two inner products are then the same sum in
another order. With small integers in float64 nothing is rounded, because all sums stay below 2⁵³. So the difference
must be 0. This needs no tolerance and no step, and is cheap enough for thousands of random geometries.
"""

from dataclasses import dataclass

import numpy as np

from minires import kernels
from minires.arrays import channels_last
from minires.gradcheck.cases import cases_of
from minires.kernels import Window
from minires.kernels.readable import im2col
from minires.op import registry

RANGE = 9  # integers −9 … 9


@dataclass
class AdjointCheck:
    """The verdict on one linear map: how many configurations, the largest |⟨A·x, dy⟩ − ⟨x, Aᵀ·dy⟩|, and where."""

    name: str
    argument: str
    configurations: int = 0
    difference: float = 0.0
    where: str = ""

    @property
    def passed(self):
        return self.difference == 0

    def add(self, ours, theirs, where):
        """Two inner products of one configuration."""
        self.configurations += 1
        gap = abs(float(ours) - float(theirs))
        if not gap <= self.difference:  # a NaN counts too
            self.difference, self.where = gap if gap == gap else np.inf, where


def integers(rng, *shape):
    """Small integers, as floats."""
    return np.asarray(rng.integers(-RANGE, RANGE + 1, shape), float)


def random_window(rng, groups=True):
    """A small random geometry of a convolution: (x shape, weight shape, settings)."""
    while True:
        N = int(rng.integers(1, 4))
        G = int(rng.integers(1, 4)) if groups else 1
        C = G * int(rng.integers(1, 4))
        O = G * int(rng.integers(1, 4))
        (H, W) = rng.integers(1, 9, 2)
        K = rng.integers(1, 5, 2)
        S = rng.integers(1, 4, 2)
        P = rng.integers(0, 4, 2)
        D = rng.integers(1, 4, 2)
        reach = D * (K - 1) + 1
        if reach[0] <= H + 2 * P[0] and reach[1] <= W + 2 * P[1]:
            settings = {
                "stride": tuple(map(int, S)),
                "padding": tuple(map(int, P)),
                "dilation": tuple(map(int, D)),
                "groups": G,
            }
            return (N, C, int(H), int(W)), (O, C // G, int(K[0]), int(K[1])), settings


def adjoint_identities(seed=0, configurations=1000, conv2d=None):
    """Every linear map of the kernels and ops -> list of AdjointCheck. conv2d: a function to check in its place."""
    rng = np.random.default_rng([seed, 4])
    return [
        *_convolutions(rng, configurations, conv2d or registry["conv2d"].raw),
        *_columns(rng, configurations),
        *_pools(rng, configurations),
        *_ops(seed, max(1, configurations // 50)),
    ]


def _convolutions(rng, configurations, conv2d):
    """conv2d in x, weight and bias, by the readable and by the fastest kernels."""
    found = [AdjointCheck("conv2d", argument) for argument in ("x", "weight", "bias")]
    for k in range(configurations):
        x_shape, w_shape, settings = random_window(rng)
        x = integers(rng, *x_shape)
        w = integers(rng, *w_shape)
        b = integers(rng, w_shape[0])
        x = channels_last(x) if k % 3 else x
        with kernels.use("readable" if k % 4 == 0 else "fastest"):
            y, backward = conv2d(x, w, b, **settings)
            dy = integers(rng, *y.shape)
            dx, dw, db = backward(dy)
        offset = np.sum(dy * b.reshape(1, -1, 1, 1))  # without b, y is linear in x and in w
        where = f"x {x_shape}, w {w_shape}, {settings}"
        for check, v, dv in zip(found, (x, w), (dx, dw)):
            check.add(np.sum(dy * y) - offset, np.sum(v * dv), where)
        found[2].add(offset, np.sum(b * db), where)
    return found


def _columns(rng, configurations):
    """im2col and col2im: each is the other's adjoint."""
    check = AdjointCheck("im2col, col2im", "x")
    for _ in range(configurations):
        x_shape, w_shape, settings = random_window(rng, groups=False)
        win = Window.of(x_shape, w_shape, **settings)
        x = integers(rng, *x_shape)
        cols = im2col.im2col(x, win)
        dcols = integers(rng, *cols.shape)
        check.add(np.sum(dcols * cols), np.sum(x * im2col.col2im(dcols, win)), f"x {x_shape}, {settings}")
    return [check]


def _pools(rng, configurations):
    """Average pooling, and max pooling, which is linear while the argmax stays the same."""
    found = [AdjointCheck("max_pool2d, fixed argmax", "x"), AdjointCheck("avg_pool2d", "x")]
    for _ in range(configurations):
        x_shape, _, settings = random_window(rng, groups=False)
        K = [1, 2, 4][int(rng.integers(3))], [1, 2, 4][int(rng.integers(3))]  # 1/(KH·KW) is exact for powers of two
        P = tuple(min(p, k // 2) for p, k in zip(settings["padding"], K))
        if any(k > n + 2 * p for k, n, p in zip(K, x_shape[2:], P)):
            continue
        geometry = {"kernel_size": K, "stride": settings["stride"], "padding": P}
        x = channels_last(integers(rng, *x_shape))
        for check, name in zip(found, ("max_pool2d", "avg_pool2d")):
            y, backward = registry[name].raw(x, **geometry)
            dy = integers(rng, *y.shape)
            check.add(np.sum(dy * y), np.sum(x * backward(dy)), f"x {x_shape}, {geometry}")
    return found


LINEAR = {  # op -> the arguments in which y is linear while the others are fixed
    "add": ("a", "b"),
    "sub": ("a", "b"),
    "mul": ("a", "b"),
    "neg": ("x",),
    "matmul": ("a", "b"),
    "linear": ("x", "weight"),
    "sum": ("x",),
    "reshape": ("x",),
    "permute": ("x",),
    "transpose": ("x",),
    "flatten": ("x",),
    "cat": ("xs[0]", "xs[1]"),
    "stack": ("xs[0]", "xs[1]"),
    "getitem": ("x",),
    "pad": ("x",),
    "broadcast_to": ("x",),
    "to": ("x",),
    "residual_add": ("x", "f"),
}


def _ops(seed, samples):
    """The small linear ops on their own cases, with integers for the values."""
    for name, arguments in LINEAR.items():
        raw = registry[name].raw
        found = [AdjointCheck(name, argument) for argument in arguments]
        rng = np.random.default_rng([seed, 5])
        for case in cases_of(name, seed, samples):
            arrays = [integers(rng, *a.shape) for a in case.arrays]
            for i, check in enumerate(found):
                # y(x) − y(0): an affine map without its constant is linear
                zero = [np.zeros_like(a) if k == i else a for k, a in enumerate(arrays)]
                y, backward = raw(*arrays, **case.static)
                dy = integers(rng, *np.shape(y))
                dxs = backward(dy)
                dx = dxs[i] if isinstance(dxs, tuple) else dxs
                check.add(np.sum(dy * (y - raw(*zero, **case.static)[0])), np.sum(arrays[i] * dx), case.label)
        yield from found
