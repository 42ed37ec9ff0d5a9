"""A network after a few steps on digits: as quick as a lesson needs it."""

from functools import cache

import numpy as np

from minires import data, models, optim
from minires.mode import no_grad
from minires.tensor import Tensor
from minires.train import train_step

IMAGES, TESTED = 1200, 300  # digits that are trained on, and tested
BATCH = 32


def error_after(steps, model, options="", *, seed=0, lr=0.003):
    """The error in % on 300 test digits, after so many steps of Adam with 32 of 1200 digits each.

    model: its name; options: as text, as Family.written gives them. Networks of one seed see the same digits in the
    same order.
    """
    images, labels = _digits(0, IMAGES)
    network = models.create(model, in_channels=1, rng=seed, **models.read_options(options))
    optimizer = optim.Adam(network.parameters(), lr)
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        batch = rng.integers(len(labels), size=BATCH)
        train_step(network, optimizer, images[batch], labels[batch])
    images, labels = _digits(1, TESTED)
    network.eval()
    with no_grad():
        guesses = network(Tensor(images)).data.argmax(1)
    return 100 * float(np.mean(guesses != labels))


@cache
def _digits(part, count):
    """(images, labels) of the first digits of the training set, 0, or of the test set, 1."""
    return next(iter(data.ArrayLoader(data.load("digits")[part].limit(count), count)))
