"""Exercise 2.4 of lesson 2: what a convolution costs."""

from minires.lessons.exercise import exercise


@exercise("2.4", gives="cost", exact=True)
def cost(C, H, W, O, kernel_size, stride, padding):
    """The rows and columns of a convolution's output, and its multiply-adds: three whole numbers."""
    OH = (H + 2 * padding - kernel_size) // stride + 1
    OW = (W + 2 * padding - kernel_size) // stride + 1
    return [OH, OW, O * OH * OW * C * kernel_size**2]


@cost.draw
def _(rng):
    C, O = rng.integers(3, 60, 2).tolist()
    H, W = rng.integers(9, 40, 2).tolist()
    yield "the first layer of a ResNet", (3, 224, 224, 64, 7, 2, 3)
    yield "rows and columns of other numbers", (C, H, W, O, 3, 1, 1)
    yield "a stride that leaves rows and columns over", (C, 12, 17, O, 3, 2, 0)
    yield "a stride of 3 with padding", (C, 14, 2 * W + 1, O, 5, 3, 1)
    yield "a kernel of one element", (C, H, W, O, 1, 2, 0)
    yield "a kernel as large as the image", (C, 5, 5, O, 5, 1, 0)


def _costs(C, H, W, O, K, OH, OW):
    return [OH, OW, O * OH * OW * C * K * K]


@cost.mistake
def _(C, H, W, O, kernel_size, stride, padding):
    """you add the padding once: it stands above and below, so there are H + 2·padding rows"""
    OH = (H + padding - kernel_size) // stride + 1
    OW = (W + padding - kernel_size) // stride + 1
    return _costs(C, H, W, O, kernel_size, OH, OW)


@cost.mistake
def _(C, H, W, O, kernel_size, stride, padding):
    """your number of windows lacks the first one: OH = (H + 2·padding − K) // stride + 1"""
    OH = (H + 2 * padding - kernel_size) // stride
    OW = (W + 2 * padding - kernel_size) // stride
    return _costs(C, H, W, O, kernel_size, OH, OW)


@cost.mistake
def _(C, H, W, O, kernel_size, stride, padding):
    """you round up: a window that does not fit is left out, so divide with // before you add 1"""
    OH = -(-(H + 2 * padding - kernel_size) // stride) + 1
    OW = -(-(W + 2 * padding - kernel_size) // stride) + 1
    return _costs(C, H, W, O, kernel_size, OH, OW)


@cost.mistake
def _(C, H, W, O, kernel_size, stride, padding):
    """you add 1 before you divide: OH = (H + 2·padding − K) // stride + 1"""
    OH = (H + 2 * padding - kernel_size + 1) // stride
    OW = (W + 2 * padding - kernel_size + 1) // stride
    return _costs(C, H, W, O, kernel_size, OH, OW)


@cost.mistake
def _(C, H, W, O, kernel_size, stride, padding):
    """your count lacks the channels: each output adds up C·K·K products"""
    OH, OW, count = cost(C, H, W, O, kernel_size, stride, padding)
    return [OH, OW, count // C]


@cost.mistake
def _(C, H, W, O, kernel_size, stride, padding):
    """your count lacks the filters: there are O·OH·OW outputs"""
    OH, OW, count = cost(C, H, W, O, kernel_size, stride, padding)
    return [OH, OW, count // O]


@cost.mistake
def _(C, H, W, O, kernel_size, stride, padding):
    """your count takes the pixels of the image: take those of the output, OH·OW"""
    OH, OW, _ = cost(C, H, W, O, kernel_size, stride, padding)
    return [OH, OW, O * H * W * C * kernel_size**2]


@cost.mistake
def _(C, H, W, O, kernel_size, stride, padding):
    """you count a product and its addition as two: together they are one multiply-add"""
    OH, OW, count = cost(C, H, W, O, kernel_size, stride, padding)
    return [OH, OW, 2 * count]


@cost.mistake
def _(C, H, W, O, kernel_size, stride, padding):
    """you count K products for each channel of a window: a window has K·K elements"""
    OH, OW, count = cost(C, H, W, O, kernel_size, stride, padding)
    return [OH, OW, count // kernel_size]
