"""The exercises of lesson 8: the architecture of a ResNet, counted. The last one is in cifar_cost.py."""

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


@output_sizes.mistake
def _(size, layers):
    """your padding comes after the division: it makes the image larger, so it belongs in front, size + 2·padding"""
    return _sizes(size, layers, lambda size, K, stride, padding: (size - K) // stride + 1 + 2 * padding)


@output_sizes.mistake
def _(size, layers):
    """you subtract K − 1: it is size + 2·padding − K, because the 1 behind the division is the first window"""
    return _sizes(size, layers, lambda size, K, stride, padding: (size + 2 * padding - (K - 1)) // stride + 1)


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
    """you compare in_channels with `channels`: the block gives 4·channels, so x keeps its shape if it has as many"""
    return _bottleneck(in_channels, channels, stride, projects=lambda C, wide, stride: wide != 4 * C or stride > 1)


@bottleneck_parameters.mistake
def _(in_channels, channels, stride):
    """your block has a projection only if channels and stride change, both: one of them is enough, so write `or`"""
    return _bottleneck(in_channels, channels, stride, projects=lambda C, wide, stride: wide != C and stride > 1)


@bottleneck_parameters.mistake
def _(in_channels, channels, stride):
    """your projection makes `channels`: it is added to the branch, so it makes 4·channels, too"""
    right = _bottleneck(in_channels, channels, stride)
    projects = in_channels != 4 * channels or stride > 1
    return right - projects * 3 * channels * (in_channels + 2)


@bottleneck_parameters.mistake
def _(in_channels, channels, stride):
    """your 3×3 kernel has 3 elements: it has 9"""
    return _bottleneck(in_channels, channels, stride) - 6 * channels**2


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


@bottleneck_parameters.mistake
def _(in_channels, channels, stride):
    """your last norm has `channels` channels: it stands behind the last convolution, which makes 4·channels"""
    return _bottleneck(in_channels, channels, stride) - 2 * (4 * channels - channels)
