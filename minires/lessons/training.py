"""The exercises of lesson 7 on images and steps: a random crop, and SGD with momentum and weight decay."""

import numpy as np

from minires.lessons.exercise import exercise


@exercise("7.2", gives=("w", "v"))
def sgd_step(w, g, v, lr, momentum, weight_decay):
    """One step of SGD as PyTorch has it: v ← μ·v + (g + λ·w), w ← w − lr·v. Arrays of one shape -> new w, new v"""
    v = momentum * v + (g + weight_decay * w)
    return w - lr * v, v


@sgd_step.draw
def _(rng):
    def step(shape, lr, momentum, weight_decay):
        return *(rng.standard_normal((3, *shape)) + 0.5), lr, momentum, weight_decay

    yield "three weights", step((3,), 0.1, 0.9, 5e-4)
    yield "a large weight decay", step((4,), 0.2, 0.9, 0.3)
    yield "a kernel of a convolution", step((2, 3, 3, 3), 0.05, 0.8, 0.1)
    yield "no momentum", step((5,), 0.1, 0.0, 0.2)
    yield "no weight decay", step((5,), 0.3, 0.5, 0.0)
    w, g, v, *rest = step((4,), 0.1, 0.9, 0.1)
    yield "the first step, where v is 0", (w, g, 0 * v, *rest)


@sgd_step.mistake
def _(w, g, v, lr, momentum, weight_decay):
    """your w moves by the old v: first the new v, then the step with it"""
    return w - lr * v, sgd_step(w, g, v, lr, momentum, weight_decay)[1]


@sgd_step.mistake
def _(w, g, v, lr, momentum, weight_decay):
    """your weight decay is not in v: that is AdamW's way; in SGD λ·w is added to the gradient before the momentum"""
    v = momentum * v + g
    return w - lr * v - lr * weight_decay * w, v


@sgd_step.mistake
def _(w, g, v, lr, momentum, weight_decay):
    """your weight decay is missing: λ·w is added to the gradient"""
    return sgd_step(w, g, v, lr, momentum, 0.0)


@sgd_step.mistake
def _(w, g, v, lr, momentum, weight_decay):
    """your weight decay has the wrong sign: λ·w is added to the gradient, so that the step makes w smaller"""
    return sgd_step(w, g, v, lr, momentum, -weight_decay)


@sgd_step.mistake
def _(w, g, v, lr, momentum, weight_decay):
    """your gradient has the factor 1 − μ, as in a running mean: SGD adds all of it"""
    v = momentum * v + (1 - momentum) * (g + weight_decay * w)
    return w - lr * v, v


@sgd_step.mistake
def _(w, g, v, lr, momentum, weight_decay):
    """your w moves uphill: subtract lr·v"""
    _, v = sgd_step(w, g, v, lr, momentum, weight_decay)
    return w + lr * v, v


@sgd_step.mistake
def _(w, g, v, lr, momentum, weight_decay):
    """your v has the learning rate in it: in PyTorch v is a sum of gradients, and w − lr·v is the step"""
    v = momentum * v - lr * (g + weight_decay * w)
    return w + v, v


@sgd_step.mistake
def _(w, g, v, lr, momentum, weight_decay):
    """your v has the learning rate in it: v is a sum of gradients, and w − lr·v is the step"""
    v = momentum * v + lr * (g + weight_decay * w)
    return w - v, v


@sgd_step.mistake
def _(w, g, v, lr, momentum, weight_decay):
    """your step looks ahead, as Nesterov's does: here w moves by lr·v"""
    g = g + weight_decay * w
    v = momentum * v + g
    return w - lr * (g + momentum * v), v


@sgd_step.mistake
def _(w, g, v, lr, momentum, weight_decay):
    """your momentum multiplies the gradient, too: v ← μ·v + g"""
    v = momentum * (v + g + weight_decay * w)
    return w - lr * v, v


@sgd_step.mistake
def _(w, g, v, lr, momentum, weight_decay):
    """your v forgets what it was: add μ·v to the gradient"""
    return sgd_step(w, g, 0 * v, lr, momentum, weight_decay)


@sgd_step.mistake
def _(w, g, v, lr, momentum, weight_decay):
    """your w moves by the gradient alone: it moves by v"""
    return w - lr * g, sgd_step(w, g, v, lr, momentum, weight_decay)[1]


@sgd_step.mistake
def _(w, g, v, lr, momentum, weight_decay):
    """your weight decay is doubled: the gradient of ½λ‖w‖² is λ·w"""
    return sgd_step(w, g, v, lr, momentum, 2 * weight_decay)


@sgd_step.mistake
def _(w, g, v, lr, momentum, weight_decay):
    """your weight decay adds ½λ·w², which belongs to the loss: its gradient is λ·w"""
    return sgd_step(w, g + weight_decay * w * w / 2, v, lr, momentum, 0.0)


@sgd_step.mistake
def _(w, g, v, lr, momentum, weight_decay):
    """your weight decay makes w smaller by λ·w at once: it is added to the gradient, and so passes v and the rate"""
    v = momentum * v + g
    return (1 - weight_decay) * w - lr * v, v


@sgd_step.mistake
def _(w, g, v, lr, momentum, weight_decay):
    """your gradient has the factor 1 − μ, and your weight decay has not: SGD adds all of both"""
    v = momentum * v + (1 - momentum) * g + weight_decay * w
    return w - lr * v, v


@sgd_step.mistake
def _(w, g, v, lr, momentum, weight_decay):
    """your v has −lr in it, and w − v then moves uphill: v is a sum of gradients, and w − lr·v is the step"""
    v = momentum * v - lr * (g + weight_decay * w)
    return w - v, v


@sgd_step.mistake
def _(w, g, v, lr, momentum, weight_decay):
    """your weight decay is a second step, with the new w: add λ·w to g, and take one step"""
    v = momentum * v + g
    w = w - lr * v
    return w - lr * weight_decay * w, v


@exercise("7.1", gives="the crops")
def crop(images, padding, offsets):
    """Crops as large as the images (N,C,H,W), after `padding` zeros were put on every side.

    offsets (N,2): where each crop begins in its padded image, (top, left), from 0 to 2·padding. -> (N,C,H,W)
    """
    return _crops(images, padding, offsets)


def _crops(images, padding, offsets, **pad):
    _, _, H, W = images.shape
    border = (padding, padding)
    padded = np.pad(images, ((0, 0), (0, 0), border, border), **pad)
    return np.stack([image[:, top : top + H, left : left + W] for image, (top, left) in zip(padded, offsets)])


@crop.draw
def _(rng):
    def batch(N, C, H, W, padding):
        images = rng.uniform(0.1, 1, (N, C, H, W))
        return images, padding, rng.integers(0, 2 * padding + 1, (N, 2))

    yield "digits", batch(4, 1, 8, 8, 1)
    yield "photographs", batch(3, 3, 6, 6, 2)
    yield "height and width differ", batch(4, 2, 4, 7, 2)
    images, padding, offsets = batch(4, 1, 5, 5, 3)
    offsets[:2] = (0, 2 * padding), (2 * padding, 1)
    yield "the corners", (images, padding, offsets)
    yield "no padding", batch(2, 3, 5, 5, 0)
    images, padding, _ = batch(2, 1, 4, 4, 2)
    yield "the middle, which changes nothing", (images, padding, np.full((2, 2), padding))


@crop.mistake
def _(images, padding, offsets):
    """your offsets are exchanged: the first is top, along the height, the second is left, along the width"""
    return _crops(images, padding, offsets[:, ::-1])


@crop.mistake
def _(images, padding, offsets):
    """your images move the wrong way: the crop begins at the offset, so a larger one shows more of the right side"""
    return _crops(images, padding, 2 * padding - offsets)


@crop.mistake
def _(images, padding, offsets):
    """all your crops begin at the first offset: each image has its own"""
    return _crops(images, padding, np.broadcast_to(offsets[0], offsets.shape))


@crop.mistake
def _(images, padding, offsets):
    """all your crops have the last offset: each image has its own"""
    return _crops(images, padding, np.broadcast_to(offsets[-1], offsets.shape))


@crop.mistake
def _(images, padding, offsets):
    """your crops begin at padding − offset: offsets are counted from the corner of the padded image, so begin there"""
    return _crops(images, padding, padding - offsets)


@crop.mistake
def _(images, padding, offsets):
    """your border repeats the edge of the image: it is zeros"""
    return _crops(images, padding, offsets, mode="edge")


@crop.mistake
def _(images, padding, offsets):
    """your border mirrors the image: it is zeros"""
    return _crops(images, padding, offsets, mode="reflect")


@crop.mistake
def _(images, padding, offsets):
    """what leaves your image on one side comes back on the other: the border is zeros"""
    return _crops(images, padding, offsets, mode="wrap")


@crop.mistake
def _(images, padding, offsets):
    """your border is white: it is zeros"""
    return _crops(images, padding, offsets, constant_values=1)


@crop.mistake
def _(images, padding, offsets):
    """your crops are in the middle of the padded images, whatever the offsets say"""
    return images


@crop.mistake
def _(images, padding, offsets):
    """your result is the padded images: cut H×W pixels out of each"""
    return np.pad(images, ((0, 0), (0, 0), (padding, padding), (padding, padding)))


@crop.mistake
def _(images, padding, offsets):
    """your crops begin at padding + offset: the offsets count from the corner of the padded image"""
    return _crops(images, padding, offsets + padding)


@crop.sign
def _(value, images, padding, offsets):
    """your crops have not the size of the images: they end at top + H and left + W"""
    N, C, H, W = images.shape
    uncut = (N, C, H + 2 * padding, W + 2 * padding)
    return np.ndim(value) == 4 and np.shape(value)[:2] == (N, C) and np.shape(value) not in (images.shape, uncut)


@crop.sign
def _(value, images, padding, offsets):
    """your padding adds images and channels, too: only height and width have a border"""
    return padding > 0 and np.ndim(value) == 4 and np.shape(value)[1] == images.shape[1] + 2 * padding


@crop.sign
def _(value, images, padding, offsets):
    """you return one crop, and there is one for each image: collect them in an array (N,C,H,W)"""
    return np.ndim(value) == 3 and len(images) > 1
