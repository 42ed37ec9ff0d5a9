"""The exercises of lesson 8: the architecture of a ResNet, counted."""

import numpy as np

from minires.lessons.exercise import exercise

STEM = [(7, 2, 3), (3, 2, 1)]  # of the ResNets for ImageNet: convolution and max pool


@exercise("8.1", gives="sizes", exact=True)
def output_sizes(size, layers):
    """The width of the output of each layer: layers is a list of (kernel size, stride, padding). -> list of numbers"""
    return _sizes(size, layers)


def _sizes(size, layers, one=lambda size, K, stride, padding: (size + 2 * padding - K) // stride + 1):
    sizes = []
    for layer in layers:
        size = one(size, *layer)
        sizes.append(size)
    return sizes


@output_sizes.draw
def _(rng):
    size = int(rng.integers(60, 130))
    several = [(3, 1, 1), (5, 2, 1), (1, 1, 0), (3, 2, 1), (4, 3, 2), (2, 2, 0)]
    yield "the first two layers of a ResNet", (224, STEM)
    yield "layers in another order", (size, [several[k] for k in rng.permutation(len(several))])
    yield "the stages of a ResNet", (size, [*STEM, (3, 1, 1), (3, 2, 1), (3, 2, 1), (3, 2, 1)])
    yield "no padding", (3 * size, [(7, 2, 0), (3, 3, 0), (3, 2, 0)])
    yield "strides that leave pixels over", (size + size % 2, [(3, 2, 0), (3, 2, 1), (3, 2, 0)])
    yield "a 1×1 convolution with a stride", (size, [(1, 2, 0), (1, 3, 0)])
    yield "no layer", (size, [])


@output_sizes.mistake
def _(size, layers):
    """each of your layers begins with the image: the input of a layer is the output of the layer before"""
    return [_sizes(size, [layer])[0] for layer in layers]


@output_sizes.mistake
def _(size, layers):
    """you add the padding once: it stands on both sides, so the layer sees size + 2·padding pixels"""
    return _sizes(size, layers, lambda size, K, stride, padding: (size + padding - K) // stride + 1)


@output_sizes.mistake
def _(size, layers):
    """your number of windows lacks the first one: add 1 after the division"""
    return _sizes(size, layers, lambda size, K, stride, padding: (size + 2 * padding - K) // stride)


@output_sizes.mistake
def _(size, layers):
    """you add 1 before you divide: the 1 is the first window, so it comes after // stride"""
    return _sizes(size, layers, lambda size, K, stride, padding: (size + 2 * padding - K + 1) // stride)


@output_sizes.mistake
def _(size, layers):
    """you round up: a window that does not fit is left out, so divide with // before you add 1"""
    return _sizes(size, layers, lambda size, K, stride, padding: -(-(size + 2 * padding - K) // stride) + 1)


@output_sizes.mistake
def _(size, layers):
    """you divide by the stride only: the kernel and the padding count, too"""
    return _sizes(size, layers, lambda size, K, stride, padding: size // stride)


@output_sizes.mistake
def _(size, layers):
    """you divide by the stride only, and round up: the kernel and the padding count, too"""
    return _sizes(size, layers, lambda size, K, stride, padding: -(-size // stride))


@output_sizes.mistake
def _(size, layers):
    """your layers ignore the padding: each side has so many pixels more"""
    return _sizes(size, layers, lambda size, K, stride, padding: (size - K) // stride + 1)


@output_sizes.mistake
def _(size, layers):
    """your layers ignore the stride: there is one window in each `stride` pixels"""
    return _sizes(size, layers, lambda size, K, stride, padding: size + 2 * padding - K + 1)


@output_sizes.mistake
def _(size, layers):
    """your list begins with the image itself: it has one size for each layer, that of its output"""
    return [size, *_sizes(size, layers)]


@output_sizes.mistake
def _(size, layers):
    """your list begins with the image, and the last output is missing: give the output of each layer"""
    return [size, *_sizes(size, layers)][:-1]


@output_sizes.mistake
def _(size, layers):
    """you take stride and padding in the wrong order: a layer is (kernel size, stride, padding)"""
    return _sizes(size, layers, lambda size, K, padding, stride: (size + 2 * padding - K) // stride + 1)


@output_sizes.sign
def _(sizes, size, layers):
    """your list has one number, that of the last layer: it has one for each layer"""
    last = [size, *_sizes(size, layers)][-1]
    return len(layers) != 1 and np.ravel(sizes).tolist() == [last]


# ---- the bottleneck


@exercise("8.2", gives="parameters")
def bottleneck_parameters(in_channels, channels, stride):
    """The parameters of a bottleneck block with its norms, and its projection if the shape changes: a whole number."""
    return _bottleneck(in_channels, channels, stride)


def _bottleneck(
    C, c, stride, kernels=(1, 3, 1), wide=4, norm=2, bias=0, projects=lambda C, wide, stride: wide != C or stride > 1
):
    def convolution(C, O, K):
        return O * C * K * K + (norm + bias) * O

    first, middle, last = kernels
    count = convolution(C, c, first) + convolution(c, c, middle) + convolution(c, wide * c, last)
    return count + (convolution(C, wide * c, 1) if projects(C, wide * c, stride) else 0)


@bottleneck_parameters.draw
def _(rng):
    c, C = (8 * rng.integers(2, 40, 2)).tolist()
    yield "the second block of a ResNet-50", (256, 64, 1)
    yield "the first block of a ResNet-50", (64, 64, 1)
    yield "the block that begins conv3_x", (256, 128, 2)
    yield "a block that keeps the shape", (4 * c, c, 1)
    yield "a stride, and channels that stay", (4 * c, c, 2)
    yield "channels that change, and no stride", (C + 4 * c, c, 1)
    yield "fewer channels behind it", (8 * c, c, 2)


@bottleneck_parameters.mistake
def _(in_channels, channels, stride):
    """your count leaves out batch norm: each of its channels has γ and β, two parameters"""
    return _bottleneck(in_channels, channels, stride, norm=0)


@bottleneck_parameters.mistake
def _(in_channels, channels, stride):
    """you count one parameter a channel beside the weights: a norm has two, γ and β, and a convolution has no bias"""
    return _bottleneck(in_channels, channels, stride, norm=1)


@bottleneck_parameters.mistake
def _(in_channels, channels, stride):
    """your batch norm has four numbers a channel: the running mean and variance are buffers, not parameters"""
    return _bottleneck(in_channels, channels, stride, norm=4)


@bottleneck_parameters.mistake
def _(in_channels, channels, stride):
    """your convolutions have a bias: they have none, because the norm behind each of them has a β"""
    return _bottleneck(in_channels, channels, stride, bias=1)


@bottleneck_parameters.mistake
def _(in_channels, channels, stride):
    """your count has the weights of three convolutions: add the norms, and the projection where the shape changes"""
    return _bottleneck(in_channels, channels, stride, norm=0, projects=lambda *_: False)


@bottleneck_parameters.mistake
def _(in_channels, channels, stride):
    """your projection is missing: where the shape changes, the shortcut has a 1×1 convolution and a norm"""
    return _bottleneck(in_channels, channels, stride, projects=lambda *_: False)


@bottleneck_parameters.mistake
def _(in_channels, channels, stride):
    """your block always has a projection: where the shape stays, the shortcut is x itself, without parameters"""
    return _bottleneck(in_channels, channels, stride, projects=lambda *_: True)


@bottleneck_parameters.mistake
def _(in_channels, channels, stride):
    """your projection depends on the stride alone: it is needed where the channels change, too"""
    return _bottleneck(in_channels, channels, stride, projects=lambda C, wide, stride: stride > 1)


@bottleneck_parameters.mistake
def _(in_channels, channels, stride):
    """your projection depends on the channels alone: a stride changes the shape, too"""
    return _bottleneck(in_channels, channels, stride, projects=lambda C, wide, stride: wide != C)


@bottleneck_parameters.mistake
def _(in_channels, channels, stride):
    """your block is as wide behind as in the middle: its last convolution makes 4·channels"""
    return _bottleneck(in_channels, channels, stride, wide=1)


@bottleneck_parameters.mistake
def _(in_channels, channels, stride):
    """your middle convolution is 1×1: a bottleneck is 1×1, 3×3, 1×1"""
    return _bottleneck(in_channels, channels, stride, kernels=(1, 1, 1))


@bottleneck_parameters.mistake
def _(in_channels, channels, stride):
    """all your convolutions are 3×3: a bottleneck is 1×1, 3×3, 1×1"""
    return _bottleneck(in_channels, channels, stride, kernels=(3, 3, 3))


@bottleneck_parameters.mistake
def _(in_channels, channels, stride):
    """your projection has no norm: it is a 1×1 convolution with batch norm"""
    with_norm = _bottleneck(in_channels, channels, stride)
    without = _bottleneck(in_channels, channels, stride, projects=lambda *_: False)
    return with_norm - (8 * channels if with_norm != without else 0)


@bottleneck_parameters.mistake
def _(in_channels, channels, stride):
    """your first convolution begins with `channels`: it sees all in_channels of x"""
    right = _bottleneck(in_channels, channels, stride)
    return right + (channels - in_channels) * channels


# ---- the networks for CIFAR-10


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


@cifar_multiply_adds.sign
def _(counts, n, size):
    """your number is the sum: give the five parts, the first convolution, three stages, and the fc"""
    return np.ravel(counts).tolist() == [sum(_cifar(n, size))]


def _pixels(size):
    """Pixels of the maps of the first convolution and of each stage."""
    return [size**2, size**2, (size // 2) ** 2, (size // 4) ** 2]
