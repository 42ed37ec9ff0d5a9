"""What a case is, and the source of randomness of all cases."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from minires.arrays import channels_last

_makers = {}


@dataclass
class Case:
    """One call: op.raw(*arrays, **static).

    convention: for arrays that lie at a tie, dy -> the gradients that minires chooses there, written by hand.
    beyond: whether the arguments have a form that torch's op takes, too, and that homework need not take.
    """

    label: str
    arrays: tuple
    static: dict = field(default_factory=dict)
    convention: Callable | None = None
    beyond: bool = False


def cases_for(*names):
    """Register a generator of Cases, called with a Draw, under each name; with several it is told which one."""

    def register(make):
        for name in names:
            _makers[name] = (lambda draw, name=name: make(draw, name)) if len(names) > 1 else make
        return make

    return register


def names():
    """The ops that have cases."""
    return sorted(_makers)


def cases_of(name: str, seed: int = 0, samples: int = 1) -> list[Case]:
    """The cases of one op: sizes, settings and values drawn from the seed, `samples` times over."""
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
        """`count` integers, no two neighbours equal."""
        drawn = []
        while len(drawn) < count:
            n = self.size(low, high)
            drawn += [] if drawn and drawn[-1] == n else [n]
        return tuple(drawn)

    def chance(self, *choices):
        """One of the choices."""
        return choices[self.size(0, len(choices) - 1)]

    def normal(self, *shape, scale=1.0, shift=0.0):
        """Normally distributed values."""
        return np.asarray(self.rng.standard_normal(shape) * scale + shift)

    def positive(self, *shape):
        """Values in [0.5, 2]."""
        return self.rng.uniform(0.5, 2.0, shape)

    def probabilities(self, *shape):
        """Values in (0, 1) that add up to 1 along axis 1."""
        p = self.positive(*shape)
        return p / p.sum(axis=1, keepdims=True)

    def steps(self, *shape):
        """Different values, 0.1 apart, in random order: what has no tie and no near one."""
        return (self.rng.permutation(math.prod(shape)).reshape(shape) - math.prod(shape) / 2) * 0.1 + 0.05

    def apart(self, *shape):
        """Values of size 1 to 2.5, neighbours of opposite sign: where all are equal, a deviation has no derivative."""
        return (0.5 + self.positive(*shape)) * (1 - 2 * (np.indices(shape).sum(axis=0) % 2))

    def laid_out(self, x):
        """x (N,C,H,W), in either memory format."""
        return channels_last(x) if self.size(0, 1) else x

    def window(self, C, *, kernel=(1, 3), stride=(1, 3), padding=True, dilation=(1, 2), N=(2, 3)):
        """A geometry in which no two axes agree and the stride leaves rows over: x (N,C,H,W), (KH,KW), settings.

        H ≠ W, and kernel, stride, padding and dilation differ between the axes where their ranges allow.
        """

        def two(low, high):
            return self.sizes(2, low, high) if high > low else (low, low)

        K = two(*kernel)
        S = two(*stride)
        D = two(*dilation)
        P = two(0, 2) if padding is True else padding
        # no window wholly in the padding, and as many pixels as kernel positions: every weight meets a pixel
        P = tuple(min(p, d * (k - 1)) for p, d, k in zip(P, D, K))
        while True:
            map_size = []
            for k, s, p, d in zip(K, S, P, D):
                left_over = self.size(1, s - 1) if s > 1 else 0
                map_size.append((self.size(2, 3) - 1) * s + d * (k - 1) + 1 - 2 * p + left_over)
            H, W = map_size
            large_enough = all(n >= k for n, k in zip(map_size, K))
            if large_enough and H != W:
                break
            if not large_enough:
                P = tuple(max(p - 1, 0) for p in P)
        settings = {"stride": S, "padding": P, "dilation": D}
        return self.normal(self.size(*N), C, H, W), K, settings
