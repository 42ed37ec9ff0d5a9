"""What a case is, and the random generator of all cases."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from minires.arrays import channels_last

_makers = {}


@dataclass
class Case:
    """One call: op.raw(*arrays, **static).

    convention: for arrays with a tie, dy -> the gradients that minires chooses there, written by hand.
    beyond: whether the arguments have a form that homework need not take, but torch's op takes.
    """

    label: str
    arrays: tuple
    static: dict = field(default_factory=dict)
    convention: Callable | None = None
    beyond: bool = False


def cases_for(*names):
    """Register a generator of Cases under each name. It takes a Draw, and its name if there are several."""

    def register(make):
        for name in names:
            _makers[name] = (lambda draw, name=name: make(draw, name)) if len(names) > 1 else make
        return make

    return register


def names():
    """The ops that have cases."""
    return sorted(_makers)


def cases_of(name: str, seed: int = 0, samples: int = 1) -> list[Case]:
    """The cases of one op, drawn `samples` times: sizes, settings and values come from the seed."""
    cases: list[Case] = []
    for sample in range(samples):
        drawn = list(_makers[name](Draw(np.random.default_rng([seed, sample]))))
        for case in drawn if sample else []:
            case.label += f", sample {sample + 1}"
        cases += drawn
    return cases


class Draw:
    """Sizes and values from one random generator."""

    def __init__(self, rng):
        self.rng = rng

    def size(self, low, high):
        """An integer, low … high."""
        return int(self.rng.integers(low, high + 1))

    def sizes(self, count, low, high):
        """`count` integers; no two neighbours are equal."""
        drawn = []
        while len(drawn) < count:
            n = self.size(low, high)
            drawn += [] if drawn and drawn[-1] == n else [n]
        return tuple(drawn)

    def normal(self, *shape, scale=1.0, mean=0.0):
        """Normally distributed values."""
        return np.asarray(self.rng.standard_normal(shape) * scale + mean)

    def positive(self, *shape):
        """Values in [0.5, 2]."""
        return self.rng.uniform(0.5, 2.0, shape)

    def probabilities(self, *shape):
        """Values in (0, 1) whose sum along axis 1 is 1."""
        p = self.positive(*shape)
        return p / p.sum(axis=1, keepdims=True)

    def steps(self, *shape):
        """Different values, 0.1 apart, in random order: so there are no ties, and none close by."""
        return (self.rng.permutation(math.prod(shape)).reshape(shape) - math.prod(shape) / 2) * 0.1 + 0.05

    def apart(self, *shape):
        """Values of size 1 to 2.5 with alternating signs. The std of equal values has no derivative."""
        return (0.5 + self.positive(*shape)) * (1 - 2 * (np.indices(shape).sum(axis=0) % 2))

    def laid_out(self, x):
        """x (N,C,H,W), in either memory format."""
        return channels_last(x) if self.size(0, 1) else x

    def window(self, C, *, kernel=(1, 3), stride=(1, 3), padding=True, dilation=(1, 2), N=(2, 3)):
        """A geometry whose axes differ and whose stride leaves rows over: x (N,C,H,W), (KH,KW), settings.

        H ≠ W, and kernel, stride, padding and dilation differ between the axes if their ranges allow.
        """

        def two(low, high):
            return self.sizes(2, low, high) if high > low else (low, low)

        K = two(*kernel)
        S = two(*stride)
        D = two(*dilation)
        P = two(0, 2) if padding is True else padding
        # no window is all padding, and there are as many pixels as kernel elements: every weight meets a pixel
        P = tuple(min(p, d * (k - 1)) for p, d, k in zip(P, D, K))
        while True:
            size = []
            for k, s, p, d in zip(K, S, P, D):
                left_over = self.size(1, s - 1) if s > 1 else 0
                size.append((self.size(2, 3) - 1) * s + d * (k - 1) + 1 - 2 * p + left_over)
            H, W = size
            large_enough = all(n >= k for n, k in zip(size, K))
            if large_enough and H != W:
                break
            if not large_enough:
                P = tuple(max(p - 1, 0) for p in P)
        settings = {"stride": S, "padding": P, "dilation": D}
        return self.normal(self.size(*N), C, H, W), K, settings
