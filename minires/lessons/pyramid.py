"""The last exercise of lesson 12: one step from the top of a feature pyramid down."""

import numpy as np

from minires.lessons.exercise import exercise


@exercise("12.3", gives="the map")
def top_down(C, P, w, b):
    """One step of a feature pyramid: the 1×1 convolution of C, w·C + b, plus P made twice as high and wide.

    C (K,2H,2W): a map of the backbone; P (D,H,W): the pyramid above it; w (D,K), b (D) -> (D,2H,2W). Each pixel of P
    is there four times, 2×2.
    """
    return _lateral(C, w, b) + _nearest(P)


def _lateral(C, w, b):
    return np.einsum("dk,khw->dhw", w, C) + b[:, None, None]


def _nearest(P):
    return P.repeat(2, 1).repeat(2, 2)


def _holes(P):
    """P at every second pixel, and 0 between."""
    wide = np.zeros((P.shape[0], 2 * P.shape[1], 2 * P.shape[2]))
    wide[:, ::2, ::2] = P
    return wide


@top_down.draw
def _(rng):
    def case(K, D, H, W):
        w = rng.standard_normal((D, K))
        return rng.standard_normal((K, 2 * H, 2 * W)), rng.standard_normal((D, H, W)), w, rng.standard_normal(D)

    yield "3 channels to 2, 4×4 pixels", case(3, 2, 2, 2)
    yield "maps that are no squares", case(2, 4, 3, int(rng.integers(4, 6)))
    yield "as many channels below as above", case(3, 3, 2, 3)
    yield "a pyramid of one channel", case(4, 1, 3, 2)
    yield "one pixel above", case(5, 3, 1, 1)


@top_down.mistake
def _(C, P, w, b):
    """your P is laid beside itself, as np.tile does: each of its pixels becomes four that are neighbors, 2×2"""
    return _lateral(C, w, b) + np.tile(P, (1, 2, 2))


@top_down.mistake
def _(C, P, w, b):
    """your P has zeros between its pixels: each pixel is there four times, 2×2"""
    return _lateral(C, w, b) + _holes(P)


@top_down.mistake
def _(C, P, w, b):
    """your P is missing: add it, twice as high and wide"""
    return _lateral(C, w, b)


@top_down.mistake
def _(C, P, w, b):
    """your C is missing: add its 1×1 convolution, w·C + b"""
    return _nearest(P)


@top_down.mistake
def _(C, P, w, b):
    """your 1×1 convolution has no bias: w·C + b"""
    return _lateral(C, w, 0 * b) + _nearest(P)


@top_down.mistake
def _(C, P, w, b):
    """your bias is added twice: it belongs to w·C alone"""
    return _lateral(C, w, 2 * b) + _nearest(P)


@top_down.mistake
def _(C, P, w, b):
    """you multiply the two maps: add them"""
    return _lateral(C, w, b) * _nearest(P)


@top_down.mistake
def _(C, P, w, b):
    """you take the larger of the two maps: add them"""
    return np.maximum(_lateral(C, w, b), _nearest(P))


@top_down.mistake
def _(C, P, w, b):
    """you take the mean of the two maps: add them"""
    return (_lateral(C, w, b) + _nearest(P)) / 2


@top_down.mistake
def _(C, P, w, b):
    """your map has a ReLU: a pyramid has none in this step"""
    return np.maximum(_lateral(C, w, b) + _nearest(P), 0)


@top_down.mistake
def _(C, P, w, b):
    """your lateral map has a ReLU: a pyramid has none in this step"""
    return np.maximum(_lateral(C, w, b), 0) + _nearest(P)


@top_down.mistake
def _(C, P, w, b):
    """your P is divided by four, as if it shared out its numbers: each of the four pixels has all of it"""
    return _lateral(C, w, b) + _nearest(P) / 4


@top_down.mistake
def _(C, P, w, b):
    """your two maps stand one behind the other: a pyramid adds them up"""
    return np.concatenate([_lateral(C, w, b), _nearest(P)])


@top_down.sign
def _(value, C, P, w, b):
    """your C is made as small as P: the pyramid goes down, so make P as large as C"""
    small = _lateral(C, w, b)
    means = small.reshape(len(small), P.shape[1], 2, P.shape[2], 2).mean((2, 4))
    smaller = means, small[:, ::2, ::2], small[:, 1::2, 1::2]
    return np.shape(value) == P.shape and any(np.allclose(value, one + P) for one in smaller)
