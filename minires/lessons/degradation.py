"""The other exercises of lesson 5: two networks compared by their errors, in parts and over several seeds."""

import numpy as np

from minires.lessons.exercise import exercise


@exercise("5.2", gives=("the points by training", "the points by overfitting"))
def why_worse(train, test):
    """Why the deep network's test error is higher: by how many points its training error is, and its gap.

    train, test (2,E): errors in % after each epoch, the shallow network first. The gap is test − training error.
    """
    return _parts(train[:, -1], test[:, -1])


def _parts(train, test):
    gap = test - train
    return train[1] - train[0], gap[1] - gap[0]


@why_worse.draw
def _(rng):
    def curves(ends, epochs):
        """Errors that fall to these ends."""
        way = np.sort(rng.uniform(0.1, 1, (2, epochs)))[:, ::-1]
        way[:, -1] = 0
        return np.array(ends)[:, None] + 60 * way + rng.uniform(0, 2, (2, epochs))

    def pair(train, gap, epochs=6):
        train = curves(train, epochs)
        return train, train + np.array(gap)[:, None] + rng.uniform(0, 2, (2, epochs))

    yield "the example", pair((4.0, 12.0), (5.0, 4.0), 3)
    yield "a deep network that overfits", pair((8.0, 1.0), (3.0, 20.0))
    yield "test errors below the training errors", pair((30.0, 50.0), (-4.0, -12.0))
    yield "both", pair((3.0, 9.0), (2.0, 8.0), int(rng.integers(7, 12)))
    yield "one epoch", pair((40.0, 70.0), (3.0, 5.0), 1)
    best = pair((2.0, 10.0), (4.0, 6.0), 8)
    best[1][:, 4] -= 60  # an epoch in the middle is the best
    yield "the best test error is not the last", best


@why_worse.mistake
def _(train, test):
    """your points are those of the shallow network above the deep one: subtract the shallow one"""
    return _parts(train[::-1, -1], test[::-1, -1])


@why_worse.mistake
def _(train, test):
    """your points are those after the first epoch: take the last"""
    return _parts(train[:, 0], test[:, 0])


@why_worse.mistake
def _(train, test):
    """your points are means over the epochs: take the last epoch"""
    return _parts(train.mean(1), test.mean(1))


@why_worse.mistake
def _(train, test):
    """your points are those of the best epochs, which are not known before the test: take the last epoch"""
    return _parts(train.min(1), test.min(1))


@why_worse.mistake
def _(train, test):
    """your second number is the whole difference of the test errors: subtract the part by training"""
    return train[1, -1] - train[0, -1], test[1, -1] - test[0, -1]


@why_worse.mistake
def _(train, test):
    """your gap is training minus test error: it is test minus training error"""
    return _parts(train[:, -1], 2 * train[:, -1] - test[:, -1])


@why_worse.mistake
def _(train, test):
    """your second number is the gap of the deep network alone: subtract that of the shallow one"""
    return train[1, -1] - train[0, -1], test[1, -1] - train[1, -1]


@why_worse.mistake
def _(train, test):
    """your first number is the training error of the deep network alone: subtract that of the shallow one"""
    return train[1, -1], _parts(train[:, -1], test[:, -1])[1]


@why_worse.mistake
def _(train, test):
    """your numbers are magnitudes: a deep network that trains better has fewer points, below 0"""
    return tuple(map(abs, _parts(train[:, -1], test[:, -1])))


@why_worse.mistake
def _(train, test):
    """your points are those of the epoch with the best test error, which is not known before: take the last epoch"""
    best = [range(2), test.argmin(1)]
    return _parts(train[tuple(best)], test[tuple(best)])


@why_worse.mistake
def _(train, test):
    """your gap is a magnitude: a test error below the training error has a gap below 0"""
    train = train[:, -1]
    return _parts(train, train + np.abs(test[:, -1] - train))


@why_worse.mistake
def _(train, test):
    """your gap is cut off at 0: a gap may become smaller with depth"""
    by_training, by_overfitting = _parts(train[:, -1], test[:, -1])
    return by_training, max(0.0, by_overfitting)


@why_worse.mistake
def _(train, test):
    """your points are cut off at 0: a deep network may train better, and a gap may become smaller with depth"""
    return tuple(max(0.0, points) for points in _parts(train[:, -1], test[:, -1]))


@why_worse.mistake
def _(train, test):
    """your first number is the difference of the test errors, which has both parts in it: take the training errors"""
    return test[1, -1] - test[0, -1], _parts(train[:, -1], test[:, -1])[1]


@why_worse.mistake
def _(train, test):
    """your numbers compare two epochs of the deep network: the networks are the rows, the epochs the columns"""
    gap = test - train
    return train[-1, 1] - train[-1, 0], gap[-1, 1] - gap[-1, 0]


@why_worse.sign
def _(value, train, test):
    """your numbers are parts of the whole, of 1 or of 100 %: they are asked for in points"""
    return np.shape(value) == (2,) and any(np.isclose(np.sum(value), whole) for whole in (1, 100))


@why_worse.sign
def _(value, train, test):
    """your numbers are those of all epochs: take the last one, [-1]"""
    return np.shape(value) == train.shape


@exercise("5.3", gives=("low", "high"))
def paired_interval(a, b, t):
    """The 95 % interval of the mean of a − b, seed by seed. a, b (n,): errors; t: the quantile. -> low, high"""
    return _interval(a - b, t)


def _interval(d, t, ddof=1, n=None, s=None):
    s = np.std(d, ddof=ddof) if s is None else s
    half = t * s / np.sqrt(len(d) if n is None else n)
    return d.mean() - half, d.mean() + half


@paired_interval.draw
def _(rng):
    def pair(n, t, noise=2.0):
        easy = rng.uniform(5, 25, n)  # what the seed does to both
        return easy + rng.uniform(4, 8) + noise * rng.standard_normal(n), easy + noise * rng.standard_normal(n), t

    yield "three seeds", pair(3, 4.303)
    yield "five seeds", pair(5, 2.776)
    yield "ten seeds", pair(10, 2.262)
    yield "two seeds", pair(2, 12.706)
    a, b, t = pair(7, 2.447)
    yield "b is the larger one", (b, a, t)


@paired_interval.mistake
def _(a, b, t):
    """your interval is that of b − a: subtract b from a"""
    return _interval(b - a, t)


@paired_interval.mistake
def _(a, b, t):
    """your s is the standard deviation of the n numbers, divided by n: divide by n − 1 (ddof=1)"""
    return _interval(a - b, t, ddof=0)


@paired_interval.mistake
def _(a, b, t):
    """your interval has no √n in it: the mean of n numbers is known better than one of them"""
    return _interval(a - b, t, n=1)


@paired_interval.mistake
def _(a, b, t):
    """your s is divided by n: divide it by √n"""
    d = a - b
    return _interval(d, t, n=len(d) ** 2)


@paired_interval.mistake
def _(a, b, t):
    """your s is divided by √(n − 1), and it had the n − 1 already: divide by √n"""
    return _interval(a - b, t, n=len(a) - 1)


@paired_interval.mistake
def _(a, b, t):
    """you take a variance for s: take its root, the standard deviation"""
    d = a - b
    return _interval(d, t, s=np.var(d, ddof=1))


@paired_interval.mistake
def _(a, b, t):
    """your interval is not paired: first the difference of each seed, then its standard deviation"""
    return _interval(a - b, t, s=np.sqrt(np.var(a, ddof=1) + np.var(b, ddof=1)))


@paired_interval.mistake
def _(a, b, t):
    """your interval is not paired, and adds deviations: first the difference of each seed, then its deviation"""
    return _interval(a - b, t, s=np.std(a, ddof=1) + np.std(b, ddof=1))


@paired_interval.mistake
def _(a, b, t):
    """your s is a difference of deviations: first the difference of each seed, then its standard deviation"""
    return _interval(a - b, t, s=np.std(a, ddof=1) - np.std(b, ddof=1))


@paired_interval.mistake
def _(a, b, t):
    """your interval is that of a large sample, with 1.96 in place of t: few seeds need the t of the argument"""
    return _interval(a - b, 1.96)


@paired_interval.mistake
def _(a, b, t):
    """your interval has no t in it: multiply s/√n by t"""
    return _interval(a - b, 1.0)


@paired_interval.mistake
def _(a, b, t):
    """your interval is as wide as half of it should be: t·s/√n goes to both sides of the mean"""
    return _interval(a - b, t / 2)


@paired_interval.mistake
def _(a, b, t):
    """your interval is turned round: first the low end, then the high one"""
    return _interval(a - b, -t)


@paired_interval.mistake
def _(a, b, t):
    """your interval holds all differences: it is asked for their mean, which is mean ± t·s/√n"""
    d = a - b
    return d.min(), d.max()


@paired_interval.mistake
def _(a, b, t):
    """you return the mean and half of the width: the ends are mean − half and mean + half"""
    low, high = paired_interval(a, b, t)
    return (low + high) / 2, (high - low) / 2


@paired_interval.mistake
def _(a, b, t):
    """your differences are magnitudes: where b is larger, a − b is below 0"""
    return _interval(np.abs(a - b), t)


@paired_interval.mistake
def _(a, b, t):
    """your interval is cut off at 0: its low end may be below 0"""
    low, high = paired_interval(a, b, t)
    return max(0.0, low), high


@paired_interval.sign
def _(value, a, b, t):
    """you return one number: return both ends, mean − t·s/√n and mean + t·s/√n"""
    return np.ndim(value) == 0
