"""Wrong answers to the exercises of lesson 7."""

import numpy as np
from planted_answers import wrong


@wrong("7.2", "old v")
def sgd_step(w, g, v, lr, momentum, weight_decay):
    new_w = w - lr * v
    new_v = momentum * v + g + weight_decay * w
    return new_w, new_v


@wrong("7.2", "AdamW")
def sgd_step(w, g, v, lr, momentum, weight_decay):  # noqa: F811 - the name is what the exercise asks for
    v = momentum * v + g
    w = w - lr * (v + weight_decay * w)
    return w, v


@wrong("7.2", "weight decay is missing")
def sgd_step(w, g, v, lr, momentum, weight_decay):  # noqa: F811 - as above
    v = momentum * v + g
    return w - lr * v, v


@wrong("7.2", "running mean")
def sgd_step(w, g, v, lr, momentum, weight_decay):  # noqa: F811 - as above
    g = g + weight_decay * w
    v = momentum * v + (1 - momentum) * g
    return w - lr * v, v


@wrong("7.2", "learning rate in it")
def sgd_step(w, g, v, lr, momentum, weight_decay):  # noqa: F811 - as above
    v = momentum * v - lr * (g + weight_decay * w)
    return w + v, v


@wrong("7.2", "Nesterov")
def sgd_step(w, g, v, lr, momentum, weight_decay):  # noqa: F811 - as above
    g = g + weight_decay * w
    v = momentum * v + g
    return w - lr * (g + momentum * v), v


@wrong("7.2", "wrong order")
def sgd_step(w, g, v, lr, momentum, weight_decay):  # noqa: F811 - as above
    v = momentum * v + g + weight_decay * w
    return v, w - lr * v


@wrong("7.2", "work on a copy")
def sgd_step(w, g, v, lr, momentum, weight_decay):  # noqa: F811 - as above
    v *= momentum
    v += g + weight_decay * w
    w -= lr * v
    return w, v


@wrong("7.2", "uphill")
def sgd_step(w, g, v, lr, momentum, weight_decay):  # noqa: F811 - as above
    v = momentum * v + g + weight_decay * w
    return w + lr * v, v


@wrong("7.1", "exchanged")
def crop(images, padding, offsets):
    N, C, H, W = images.shape
    padded = np.zeros((N, C, H + 2 * padding, W + 2 * padding))
    padded[:, :, padding : padding + H, padding : padding + W] = images
    crops = np.zeros_like(images)
    for n in range(N):
        left, top = offsets[n]
        crops[n] = padded[n, :, top : top + H, left : left + W]
    return crops


@wrong("7.1", "each image has its own")
def crop(images, padding, offsets):  # noqa: F811 - as above
    _, _, H, W = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    top, left = offsets[0]
    return padded[:, :, top : top + H, left : left + W]


@wrong("7.1", "comes back")
def crop(images, padding, offsets):  # noqa: F811 - as above
    crops = np.zeros_like(images)
    for n, (top, left) in enumerate(offsets):
        crops[n] = np.roll(images[n], (padding - top, padding - left), axis=(1, 2))
    return crops


@wrong("7.1", "repeats the edge")
def crop(images, padding, offsets):  # noqa: F811 - as above
    N, _, H, W = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (padding, padding), (padding, padding)), mode="edge")
    return np.array([padded[n, :, i : i + H, j : j + W] for n, (i, j) in zip(range(N), offsets)])


@wrong("7.1", "wrong way")
def crop(images, padding, offsets):  # noqa: F811 - as above
    N, C, H, W = images.shape
    padded = np.zeros((N, C, H + 2 * padding, W + 2 * padding))
    for n, (top, left) in enumerate(offsets):
        padded[n, :, top : top + H, left : left + W] = images[n]
    return padded[:, :, padding : padding + H, padding : padding + W]


@wrong("7.1", "size of the images")
def crop(images, padding, offsets):  # noqa: F811 - as above
    crops = []
    padded = np.pad(images, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    _, _, H, W = images.shape
    for n in range(len(images)):
        crops.append(padded[n, :, offsets[n, 0] :, offsets[n, 1] :][:, : H - 1, : W - 1])
    return np.array(crops)


@wrong("7.3", "begins with 0")
def warmup_cosine(steps, warmup, max_lr):
    rates = []
    for k in range(steps):
        if k < warmup:
            rates.append(max_lr * k / warmup)
        else:
            rates.append(max_lr * 0.5 * (1 + np.cos(np.pi * (k - warmup) / (steps - warmup))))
    return rates


@wrong("7.3", "begins after the warm-up")
def warmup_cosine(steps, warmup, max_lr):  # noqa: F811 - as above
    k = np.arange(steps)
    up = max_lr * (k + 1) / max(warmup, 1)
    down = max_lr * 0.5 * (1 + np.cos(np.pi * k / steps))
    return np.where(k < warmup, up, down)


@wrong("7.3", "the last step does nothing")
def warmup_cosine(steps, warmup, max_lr):  # noqa: F811 - as above
    rates = np.zeros(steps)
    for k in range(warmup):
        rates[k] = max_lr * (k + 1) / warmup
    for k in range(warmup, steps):
        rates[k] = max_lr * (1 + np.cos(np.pi * (k - warmup) / (steps - warmup - 1))) / 2
    return rates


@wrong("7.3", "twice max_lr")
def warmup_cosine(steps, warmup, max_lr):  # noqa: F811 - as above
    up = [max_lr * (k + 1) / warmup for k in range(warmup)]
    return up + [max_lr * (1 + np.cos(np.pi * k / (steps - warmup))) for k in range(steps - warmup)]


@wrong("7.3", "−max_lr")
def warmup_cosine(steps, warmup, max_lr):  # noqa: F811 - as above
    up = [max_lr * (k + 1) / warmup for k in range(warmup)]
    return up + [max_lr * np.cos(np.pi * k / (steps - warmup)) for k in range(steps - warmup)]


@wrong("7.3", "along a line")
def warmup_cosine(steps, warmup, max_lr):  # noqa: F811 - as above
    up = [max_lr * (k + 1) / warmup for k in range(warmup)]
    return up + [max_lr * (1 - k / (steps - warmup)) for k in range(steps - warmup)]


@wrong("7.3", "the last is missing in your rates")
def warmup_cosine(steps, warmup, max_lr):  # noqa: F811 - as above
    rates = [max_lr * (k + 1) / warmup for k in range(warmup)]
    for k in range(warmup, steps - 1):
        rates.append(max_lr * 0.5 * (1 + np.cos(np.pi * (k - warmup) / (steps - warmup))))
    return rates


@wrong("7.1", "height and width")
def crop(images, padding, offsets):  # noqa: F811 - as above
    _, _, H, W = images.shape
    padded = np.pad(images, padding)
    return np.array([padded[n, :, i : i + H, j : j + W] for n, (i, j) in enumerate(offsets)])


@wrong("7.2", "the gradient alone")
def sgd_step(w, g, v, lr, momentum, weight_decay):  # noqa: F811 - as above
    v = momentum * v + g + weight_decay * w
    return w - lr * g, v


@wrong("7.3", "radians")
def warmup_cosine(steps, warmup, max_lr):  # noqa: F811 - as above
    up = [max_lr * (k + 1) / warmup for k in range(warmup)]
    return up + [max_lr * (1 + np.cos(180 * k / (steps - warmup))) / 2 for k in range(steps - warmup)]


@wrong("7.1", "n elements from i on")
def crop(images, padding, offsets):  # noqa: F811 - as above
    N, C, H, W = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    crops = np.zeros((N, C, H, W))
    for n, (top, left) in enumerate(offsets):
        crops[n] = padded[n, :, top:H, left:W]
    return crops


@wrong("7.1", "n elements from i on")
def crop(images, padding, offsets):  # noqa: F811 - as above
    crops = np.zeros(images.shape)
    for n, (top, left) in enumerate(offsets):
        crops[n] = images[n, :, top : top + images.shape[2], left : left + images.shape[3]]
    return crops


@wrong("7.1", "whole numbers only")
def crop(images, padding, offsets):  # noqa: F811 - as above
    _, _, H, W = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    return np.array([padded[n, :, i : i + H, j : j + W] for n, (i, j) in enumerate(offsets)], dtype=int)


@wrong("7.1", "one crop")
def crop(images, padding, offsets):  # noqa: F811 - as above
    _, _, H, W = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    for n, (top, left) in enumerate(offsets):
        crops = padded[n, :, top : top + H, left : left + W]
    return crops


@wrong("7.2", "weight decay has not")
def sgd_step(w, g, v, lr, momentum, weight_decay):  # noqa: F811 - as above
    v = momentum * v + (1 - momentum) * g + weight_decay * w
    return w - lr * v, v


@wrong("7.2", "then moves uphill")
def sgd_step(w, g, v, lr, momentum, weight_decay):  # noqa: F811 - as above
    v = momentum * v - lr * (g + weight_decay * w)
    return w - v, v


@wrong("7.3", "with its first step at 0")
def warmup_cosine(steps, warmup, max_lr):  # noqa: F811 - as above
    up = np.linspace(0, max_lr, warmup)
    x = np.arange(steps - warmup) / (steps - warmup)
    return np.append(up, max_lr * (1 + np.cos(np.pi * x)) / 2)


@wrong("7.3", "no parentheses")
def warmup_cosine(steps, warmup, max_lr):  # noqa: F811 - as above
    rates = []
    for k in range(steps):
        if k < warmup:
            rates.append(max_lr * (k + 1) / warmup)
        else:
            rates.append(max_lr * 0.5 * (1 + np.cos(np.pi * (k - warmup / steps - warmup))))
    return np.array(rates)


@wrong("7.3", "divide by 0")
def warmup_cosine(steps, warmup, max_lr):  # noqa: F811 - as above
    share = 1 / warmup
    up = [max_lr * (k + 1) * share for k in range(warmup)]
    return up + [max_lr * (1 + np.cos(np.pi * k / (steps - warmup))) / 2 for k in range(steps - warmup)]


@wrong("7.1", "corner of the padded image")
def crop(images, padding, offsets):  # noqa: F811 - as above
    _, _, H, W = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    crops = np.zeros(images.shape)
    for n, (top, left) in enumerate(offsets + padding):
        crops[n] = padded[n, :, top : top + H, left : left + W]
    return crops


@wrong("7.1", "last offset")
def crop(images, padding, offsets):  # noqa: F811 - as above
    _, _, H, W = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    for top, left in offsets:
        crops = padded[:, :, top : top + H, left : left + W]
    return crops


@wrong("7.1", "padding − offset")
def crop(images, padding, offsets):  # noqa: F811 - as above
    _, _, H, W = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    crops = np.zeros(images.shape)
    for n in range(len(images)):
        top, left = padding - offsets[n]
        crops[n] = padded[n, :, top : top + H, left : left + W]
    return crops


@wrong("7.2", "a second step")
def sgd_step(w, g, v, lr, momentum, weight_decay):  # noqa: F811 - as above
    v = momentum * v + g
    w = w - lr * v
    w = w - lr * weight_decay * w
    return w, v


@wrong("7.3", "lacks − warmup")
def warmup_cosine(steps, warmup, max_lr):  # noqa: F811 - as above
    rates = np.zeros(steps)
    for k in range(steps):
        if k < warmup:
            rates[k] = max_lr * (k + 1) / warmup
        else:
            rates[k] = max_lr / 2 * (1 + np.cos(np.pi * k / (steps - warmup)))
    return rates
