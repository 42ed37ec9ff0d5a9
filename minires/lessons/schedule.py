"""The exercise of lesson 7 on the learning rate: a warm-up, then half a cosine."""

import numpy as np

from minires.lessons.exercise import exercise


@exercise("7.3", gives="rates")
def warmup_cosine(steps, warmup, max_lr):
    """The learning rates of all steps k = 0, 1, …, steps − 1: a line up, then half a cosine down.

    max_lr·(k + 1)/warmup for k < warmup, then max_lr·½·(1 + cos(π·(k − warmup)/(steps − warmup))).
    """
    return _rates(steps, warmup, max_lr)


def _rates(steps, warmup, max_lr, up=lambda k, n: (k + 1) / n, down=lambda x: (1 + np.cos(np.pi * x)) / 2, less=0):
    rises = [max_lr * up(k, warmup) for k in range(warmup)]
    rest = steps - warmup
    falls = [max_lr * down(k / (rest - less if rest > less else 1)) for k in range(rest)]
    return np.array(rises + falls)


@warmup_cosine.draw
def _(rng):
    steps, warmup = rng.integers((15, 3), (40, 8)).tolist()
    yield "ten steps, as in the example", (10, 4, 0.2)
    yield "more steps", (steps, warmup, 0.5)
    yield "a short warm-up", (steps, 2, 1.0)
    yield "one step of warm-up", (steps, 1, 0.1)
    yield "no warm-up", (steps, 0, 0.3)


@warmup_cosine.mistake
def _(steps, warmup, max_lr):
    """your warm-up begins with 0, so the first step does nothing: it is (k + 1)/warmup"""
    return _rates(steps, warmup, max_lr, up=lambda k, n: k / n)


@warmup_cosine.mistake
def _(steps, warmup, max_lr):
    """your cosine goes down to −max_lr: it is ½·(1 + cos)"""
    return _rates(steps, warmup, max_lr, down=lambda x: np.cos(np.pi * x))


@warmup_cosine.mistake
def _(steps, warmup, max_lr):
    """your cosine is that of a quarter turn, cos(π/2·x): it is ½·(1 + cos(π·x)), which is flat at both ends"""
    return _rates(steps, warmup, max_lr, down=lambda x: np.cos(np.pi * x / 2))


@warmup_cosine.mistake
def _(steps, warmup, max_lr):
    """your cosine begins at twice max_lr: it is ½·(1 + cos)"""
    return _rates(steps, warmup, max_lr, down=lambda x: 1 + np.cos(np.pi * x))


@warmup_cosine.mistake
def _(steps, warmup, max_lr):
    """your cosine has no π in it: at the end it is cos(π) = −1"""
    return _rates(steps, warmup, max_lr, down=lambda x: (1 + np.cos(x)) / 2)


@warmup_cosine.mistake
def _(steps, warmup, max_lr):
    """your cosine makes a whole turn, and is back at max_lr: it is cos(π·x), without a 2"""
    return _rates(steps, warmup, max_lr, down=lambda x: (1 + np.cos(2 * np.pi * x)) / 2)


@warmup_cosine.mistake
def _(steps, warmup, max_lr):
    """your rates fall along a line: it is ½·(1 + cos(π·x))"""
    return _rates(steps, warmup, max_lr, down=lambda x: 1 - x)


@warmup_cosine.mistake
def _(steps, warmup, max_lr):
    """your cosine begins with the first step: it begins after the warm-up, at k − warmup of steps − warmup"""
    rates = _rates(steps, 0, max_lr)
    return np.append(_rates(steps, warmup, max_lr)[:warmup], rates[warmup:])


@warmup_cosine.mistake
def _(steps, warmup, max_lr):
    """your cosine is as long as all steps: it has steps − warmup of them"""
    rates = _rates(steps, 0, max_lr)
    return np.append(_rates(steps, warmup, max_lr)[:warmup], rates[: steps - warmup])


@warmup_cosine.mistake
def _(steps, warmup, max_lr):
    """your last rate is 0, so the last step does nothing: divide by steps − warmup, not by one less"""
    return _rates(steps, warmup, max_lr, less=1)


@warmup_cosine.mistake
def _(steps, warmup, max_lr):
    """your rates rise all the time and fall never: after the warm-up comes half a cosine down"""
    return _rates(steps, warmup, max_lr, down=lambda x: (1 - np.cos(np.pi * x)) / 2)


@warmup_cosine.mistake
def _(steps, warmup, max_lr):
    """your rates have no warm-up: the first ones rise along a line"""
    return _rates(steps, 0, max_lr)


@warmup_cosine.mistake
def _(steps, warmup, max_lr):
    """your rates have no max_lr in them: multiply by it"""
    return _rates(steps, warmup, 1.0)


@warmup_cosine.mistake
def _(steps, warmup, max_lr):
    """your warm-up is one step too long, and rises above max_lr: it is k < warmup"""
    rates = warmup_cosine(steps, warmup, max_lr)
    rates[warmup] = max_lr * (warmup + 1) / warmup
    return rates


@warmup_cosine.mistake
def _(steps, warmup, max_lr):
    """your cosine is one step too early: after the warm-up comes max_lr once more, k − warmup = 0"""
    rest = steps - warmup
    return _rates(steps, warmup, max_lr, down=lambda x: (1 + np.cos(np.pi * (x + 1 / rest))) / 2)


@warmup_cosine.mistake
def _(steps, warmup, max_lr):
    """your cosine has 180 in place of π: np.cos takes radians"""
    return _rates(steps, warmup, max_lr, down=lambda x: (1 + np.cos(180 * x)) / 2)


@warmup_cosine.mistake
def _(steps, warmup, max_lr):
    """your ½ multiplies the 1 only: it is ½·(1 + cos), with parentheses"""
    return _rates(steps, warmup, max_lr, down=lambda x: 1 / 2 + np.cos(np.pi * x))


@warmup_cosine.mistake
def _(steps, warmup, max_lr):
    """your rates stay at max_lr after the warm-up: they fall along half a cosine"""
    return _rates(steps, warmup, max_lr, down=lambda x: 1.0)


@warmup_cosine.mistake
def _(steps, warmup, max_lr):
    """your warm-up is a line from 0 to max_lr, with its first step at 0: it is (k + 1)/warmup"""
    return _rates(steps, warmup, max_lr, up=lambda k, n: k / (n - 1) if n > 1 else 0.0)


@warmup_cosine.mistake
def _(steps, warmup, max_lr):
    """your fraction has no parentheses: it is (k − warmup)/(steps − warmup)"""
    return _rates(
        steps, warmup, max_lr, down=lambda k: (1 + np.cos(np.pi * (k - warmup / steps))) / 2, less=steps - warmup - 1
    )


@warmup_cosine.mistake
def _(steps, warmup, max_lr):
    """your cosine lacks − warmup above the line: it is (k − warmup)/(steps − warmup), so that it begins with 0"""
    return _rates(steps, warmup, max_lr, down=lambda x: (1 + np.cos(np.pi * (x + warmup / (steps - warmup)))) / 2)
