"""The exercises of lesson 5: deeper is worse."""

import numpy as np

from minires.lessons.exercise import exercise


@exercise("5.1", gives=("weight", "gamma", "beta"))
def identity_layer(mean, var, kernel_size, eps):
    """A convolution and a batch norm in evaluation mode that together change nothing, with zeros and ones as weights.

    mean, var (C,): the running statistics; kernel_size: odd. -> weight (C,C,K,K), gamma (C,), beta (C,)
    """
    return _layer(mean, var, kernel_size, eps)


def _layer(mean, var, kernel_size, eps, gamma=lambda var, eps: np.sqrt(var + eps), beta=1.0):
    C = len(mean)
    weight = np.zeros((C, C, kernel_size, kernel_size))
    middle = kernel_size // 2
    weight[range(C), range(C), middle, middle] = 1
    return weight, gamma(var, eps) * np.ones(C), beta * mean


@identity_layer.draw
def _(rng):
    def statistics(C, kernel_size, eps=1e-5, low=0.5):
        return rng.uniform(0.5, 2, C), rng.uniform(low, 4 * low, C), kernel_size, eps

    C = int(rng.integers(4, 7))
    yield "three channels, as in the example", statistics(3, 3)
    yield "more channels", statistics(C, 3)
    yield "a kernel of 5×5", statistics(C, 5)
    yield "a kernel of 1×1", statistics(C, 1)
    yield "one channel", statistics(1, 3)
    yield "a large eps", statistics(C, 3, eps=0.1)
    yield "a channel of variance 0", (np.array([1.0, 2.0]), np.array([0.0, 1.0]), 3, 1e-3)


@identity_layer.mistake
def _(mean, var, kernel_size, eps):
    """your weight adds up all channels: output channel c takes input channel c alone"""
    weight, gamma, beta = identity_layer(mean, var, kernel_size, eps)
    middle = kernel_size // 2
    weight[:, :, middle, middle] = 1
    return weight, gamma, beta


@identity_layer.mistake
def _(mean, var, kernel_size, eps):
    """your kernels are 1 everywhere, which adds up all neighbors of a pixel: only the middle is 1"""
    _, gamma, beta = identity_layer(mean, var, kernel_size, eps)
    C = len(mean)
    return np.eye(C)[:, :, None, None] * np.ones((kernel_size, kernel_size)), gamma, beta


@identity_layer.mistake
def _(mean, var, kernel_size, eps):
    """each of your kernels is the identity matrix, which adds up a diagonal of the image: only its middle is 1"""
    _, gamma, beta = identity_layer(mean, var, kernel_size, eps)
    C = len(mean)
    return np.eye(C)[:, :, None, None] * np.eye(kernel_size), gamma, beta


@identity_layer.mistake
def _(mean, var, kernel_size, eps):
    """your kernels have their 1 in a corner, which moves the image: put it in the middle"""
    weight, gamma, beta = identity_layer(mean, var, kernel_size, eps)
    middle = kernel_size // 2
    return np.roll(weight, (-middle, -middle), (2, 3)), gamma, beta


@identity_layer.mistake
def _(mean, var, kernel_size, eps):
    """your kernels have their 1 at [1, 1], which is the middle of 3×3 only: take kernel_size // 2"""
    weight, gamma, beta = identity_layer(mean, var, kernel_size, eps)
    middle = kernel_size // 2
    return np.roll(weight, (1 - middle, 1 - middle), (2, 3)), gamma, beta


@identity_layer.mistake
def _(mean, var, kernel_size, eps):
    """your γ divides a second time: batch norm divides by √(var + ε), so γ has to multiply by it"""
    return _layer(mean, var, kernel_size, eps, gamma=lambda var, eps: 1 / np.sqrt(var + eps))


@identity_layer.mistake
def _(mean, var, kernel_size, eps):
    """your γ has no ε in it: batch norm divides by √(var + ε)"""
    return _layer(mean, var, kernel_size, eps, gamma=lambda var, eps: np.sqrt(var))


@identity_layer.mistake
def _(mean, var, kernel_size, eps):
    """your γ adds ε behind the root: batch norm divides by √(var + ε)"""
    return _layer(mean, var, kernel_size, eps, gamma=lambda var, eps: np.sqrt(var) + eps)


@identity_layer.mistake
def _(mean, var, kernel_size, eps):
    """your γ is a variance: batch norm divides by its root, √(var + ε)"""
    return _layer(mean, var, kernel_size, eps, gamma=lambda var, eps: var + eps)


@identity_layer.mistake
def _(mean, var, kernel_size, eps):
    """your γ is the variance: take the root, with ε in it, because batch norm divides by √(var + ε)"""
    return _layer(mean, var, kernel_size, eps, gamma=lambda var, eps: var)


@identity_layer.mistake
def _(mean, var, kernel_size, eps):
    """your β has the wrong sign: batch norm subtracts the mean, so β has to add it"""
    return _layer(mean, var, kernel_size, eps, beta=-1.0)


@identity_layer.mistake
def _(mean, var, kernel_size, eps):
    """your β is 0, so the mean that batch norm subtracts is lost"""
    return _layer(mean, var, kernel_size, eps, beta=0.0)


@identity_layer.mistake
def _(mean, var, kernel_size, eps):
    """your γ = 1 and β = 0 leave what batch norm does: choose them so that they undo it"""
    return _layer(mean, var, kernel_size, eps, gamma=lambda var, eps: 1.0, beta=0.0)


@identity_layer.mistake
def _(mean, var, kernel_size, eps):
    """your β is the mean divided by γ: batch norm subtracts the mean before it divides, so β is the mean itself"""
    weight, gamma, beta = identity_layer(mean, var, kernel_size, eps)
    return weight, gamma, beta / gamma


@identity_layer.mistake
def _(mean, var, kernel_size, eps):
    """your β is the mean times γ: γ and √(var + ε) cancel, so β is the mean itself"""
    weight, gamma, beta = identity_layer(mean, var, kernel_size, eps)
    return weight, gamma, beta * gamma


@identity_layer.sign
def _(value, mean, var, kernel_size, eps):
    """your kernels have always 3×3 weights: they have kernel_size × kernel_size"""
    C = len(mean)
    return kernel_size != 3 and np.shape(value[0]) == (C, C, 3, 3)


@identity_layer.sign
def _(value, mean, var, kernel_size, eps):
    """your weight has one kernel for each channel: it has one for each pair, (C,C,K,K), and most of them are 0"""
    return np.shape(value[0]) == (len(mean), kernel_size, kernel_size)


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

    yield "the three seeds of the example", pair(3, 4.303)
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


@paired_interval.sign
def _(value, a, b, t):
    """you return one number: return both ends, mean − t·s/√n and mean + t·s/√n"""
    return np.ndim(value) == 0
