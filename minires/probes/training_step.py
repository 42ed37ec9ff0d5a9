"""A training step to be timed: a new network, its optimizer, random images and their labels."""

import numpy as np

from minires import models, optim
from minires.arrays import channels_last, to_device
from minires.nn import Linear

LR, MOMENTUM, WEIGHT_DECAY = 0.01, 0.9, 1e-4  # with this rate random labels can be learned without overflow


def random_batch(model, size, count):
    """`count` random images (N,3,size,size) and their labels; the same ones at each call."""
    rng = np.random.default_rng(0)
    classes = [m for m in model.modules() if isinstance(m, Linear)][-1].weight.shape[0]
    return rng.standard_normal((count, 3, size, size), dtype=np.float32), rng.integers(0, classes, count)


def training_parts(name, size, count, device="cpu"):
    """(model, optimizer, images, labels), as minires.train.train_step takes them."""
    model = models.create(name, rng=0).to(device)
    images, labels = random_batch(model, size, count)
    optimizer = optim.SGD(model.parameters(), LR, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    return model, optimizer, to_device(channels_last(images), device), to_device(labels, device)
