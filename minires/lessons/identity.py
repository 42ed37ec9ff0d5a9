"""The first exercise of lesson 5: a convolution and a batch norm that change nothing."""

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
    yield "three channels", statistics(3, 3)
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
    """a whole row of each kernel is 1: the middle has two indices, [kernel_size // 2, kernel_size // 2]"""
    weight, gamma, beta = identity_layer(mean, var, kernel_size, eps)
    weight[range(len(mean)), range(len(mean)), kernel_size // 2] = 1
    return weight, gamma, beta


@identity_layer.mistake
def _(mean, var, kernel_size, eps):
    """your kernels have their 1 behind the middle: (kernel_size + 1) // 2 is one too many, take kernel_size // 2"""
    weight, gamma, beta = identity_layer(mean, var, kernel_size, eps)
    return np.roll(weight, (1, 1), (2, 3)), gamma, beta


@identity_layer.mistake
def _(mean, var, kernel_size, eps):
    """your outputs all take channel 0: output channel c takes input channel c"""
    weight, gamma, beta = identity_layer(mean, var, kernel_size, eps)
    return weight[:1].repeat(len(mean), 0), gamma, beta


@identity_layer.mistake
def _(mean, var, kernel_size, eps):
    """your layers change nothing either, but the weight is asked for with zeros and ones: put √(var + ε) into γ"""
    weight, gamma, beta = identity_layer(mean, var, kernel_size, eps)
    return weight * gamma[:, None, None, None], np.ones(len(mean)), beta / gamma


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


@identity_layer.mistake
def _(mean, var, kernel_size, eps):
    """your γ is 1, and batch norm divides by √(var + ε): γ has to multiply by it"""
    return _layer(mean, var, kernel_size, eps, gamma=lambda var, eps: 1.0)


@identity_layer.mistake
def _(mean, var, kernel_size, eps):
    """your weight is 1 everywhere, and adds up all channels and all neighbors: one 1 for each channel, in the middle"""
    weight, gamma, beta = identity_layer(mean, var, kernel_size, eps)
    return np.ones_like(weight), gamma, beta


@identity_layer.mistake
def _(mean, var, kernel_size, eps):
    """your γ and β do again what batch norm does: they have to undo it, γ = √(var + ε) and β = mean"""
    return _layer(mean, var, kernel_size, eps, gamma=lambda var, eps: 1 / np.sqrt(var + eps), beta=-1.0)


@identity_layer.sign
def _(value, mean, var, kernel_size, eps):
    """your kernels have always 3×3 weights: they have kernel_size × kernel_size"""
    C = len(mean)
    return kernel_size != 3 and np.shape(value[0]) == (C, C, 3, 3)


@identity_layer.sign
def _(value, mean, var, kernel_size, eps):
    """your weight has one kernel for each channel: it has one for each pair, (C,C,K,K), and most of them are 0"""
    return np.shape(value[0]) == (len(mean), kernel_size, kernel_size)


@identity_layer.sign
def _(value, mean, var, kernel_size, eps):
    """your weight has no kernels of K×K: put the 1 of each channel into the middle of one"""
    C = len(mean)
    shape = np.shape(value[0])
    return shape == (C, C) or (kernel_size > 1 and shape == (C, C, 1, 1))
