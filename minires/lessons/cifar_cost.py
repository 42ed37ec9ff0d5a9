"""The last exercise of lesson 8: the multiply-adds of the ResNets for CIFAR-10."""

import numpy as np

from minires.lessons.exercise import exercise


@exercise("8.3", gives="counts", exact=True)
def cifar_multiply_adds(n, size):
    """Multiply-adds of a ResNet of 6n + 2 layers for CIFAR-10: of the first convolution, each stage, and the fc.

    -> a list of five whole numbers. Images have 3 channels and size×size pixels, and size is a multiple of 4.
    """
    return _cifar(n, size)


def _cifar(n, size, kernel=9, shrink=2, grow=2, layers=2, first_of_stage=True, image=3):
    width = 16
    counts = [image * width * kernel * size**2]
    for stage in range(3):
        before = width
        if stage:
            width *= grow
            size //= shrink
        first = before if first_of_stage else width
        counts.append(kernel * size**2 * (first * width + (layers * n - 1) * width * width))
    return [*counts, 10 * width]


@cifar_multiply_adds.draw
def _(rng):
    n, quarter = rng.integers(4, 30, 2).tolist()
    yield "a ResNet-20", (3, 32)
    yield "more layers", (n, 32)
    yield "larger images", (3, 4 * quarter + 32)
    yield "the smallest network", (1, 32)
    yield "a ResNet-1202", (200, 32)


@cifar_multiply_adds.mistake
def _(n, size):
    """the first convolution of your stages 2 and 3 sees too many channels: its input has those of the stage before"""
    return _cifar(n, size, first_of_stage=False)


@cifar_multiply_adds.mistake
def _(n, size):
    """your maps stay as large as the image: from stage to stage their width is halved"""
    return _cifar(n, size, shrink=1)


@cifar_multiply_adds.mistake
def _(n, size):
    """your maps have a quarter of the width: from stage to stage the width is halved, and the pixels are a quarter"""
    return _cifar(n, size, shrink=4)


@cifar_multiply_adds.mistake
def _(n, size):
    """your channels stay 16: from stage to stage they are doubled"""
    return _cifar(n, size, grow=1)


@cifar_multiply_adds.mistake
def _(n, size):
    """your stages have n convolutions: they have n blocks, of two convolutions each"""
    return _cifar(n, size, layers=1)


@cifar_multiply_adds.mistake
def _(n, size):
    """your stages have 2n − 1 convolutions: they have 2n, and the first one is among them"""
    counts = _cifar(n, size)
    for stage, pixels in enumerate(_pixels(size)[1:], 1):
        counts[stage] -= 9 * pixels * (8 * 2**stage) ** 2
    return counts


@cifar_multiply_adds.mistake
def _(n, size):
    """your stages have 2n + 1 convolutions: they have 2n, and the first one is among them"""
    counts = _cifar(n, size)
    return [counts[0], *(count + more for count, more in zip(counts[1:4], _whole(size))), counts[4]]


@cifar_multiply_adds.mistake
def _(n, size):
    """your maps are halved before the first stage, too: it has the size of the image"""
    return [_cifar(n, size)[0], *_cifar(n, size // 2)[1:]]


@cifar_multiply_adds.mistake
def _(n, size):
    """your fc counts its bias: a bias is added, and nothing is multiplied"""
    return [*_cifar(n, size)[:-1], 650]


@cifar_multiply_adds.mistake
def _(n, size):
    """your kernels have 3 elements: a 3×3 kernel has 9"""
    return _cifar(n, size, kernel=3)


@cifar_multiply_adds.mistake
def _(n, size):
    """your images have one channel: they have 3"""
    return _cifar(n, size, image=1)


@cifar_multiply_adds.mistake
def _(n, size):
    """your numbers are parameters: a weight of a convolution is used at each pixel of the output"""
    return [*(count // pixels for count, pixels in zip(_cifar(n, size), _pixels(size))), 640]


@cifar_multiply_adds.mistake
def _(n, size):
    """your counts are operations: a multiplication with its addition counts once here"""
    return [2 * count for count in _cifar(n, size)]


@cifar_multiply_adds.mistake
def _(n, size):
    """your first convolution of stages 2 and 3 makes an output as large as its input: it has the stride 2"""
    counts = _cifar(n, size)
    for stage, width in ((2, 32), (3, 64)):
        pixels = _pixels(size)[stage]
        counts[stage] += 3 * pixels * 9 * (width // 2) * width
    return counts


@cifar_multiply_adds.mistake
def _(n, size):
    """your fc sees all pixels of the last map: the average pool leaves one number a channel"""
    return [*_cifar(n, size)[:-1], 640 * (size // 4) ** 2]


@cifar_multiply_adds.mistake
def _(n, size):
    """your shortcuts have projections: kind A fills up with zeros, and has no multiplications"""
    counts = _cifar(n, size)
    for stage, width in ((2, 32), (3, 64)):
        counts[stage] += _pixels(size)[stage] * (width // 2) * width
    return counts


@cifar_multiply_adds.mistake
def _(n, size):
    """both convolutions of your first block see half of the channels: only the first one of a stage does"""
    counts = _cifar(n, size)
    for stage, width in ((2, 32), (3, 64)):
        counts[stage] -= 9 * _pixels(size)[stage] * (width // 2) * width
    return counts


@cifar_multiply_adds.sign
def _(counts, n, size):
    """your number is the sum: give the five parts, the first convolution, three stages, and the fc"""
    return np.ravel(counts).tolist() == [sum(_cifar(n, size))]


def _pixels(size):
    """Pixels of the maps of the first convolution and of each stage."""
    return [size**2, size**2, (size // 2) ** 2, (size // 4) ** 2]


def _whole(size):
    """Multiply-adds of one convolution in each stage that keeps the channels."""
    return [9 * pixels * (16 * 2**stage) ** 2 for stage, pixels in enumerate(_pixels(size)[1:])]
