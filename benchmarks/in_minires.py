"""minires' side. Each function here makes a step, which is a function without arguments. Its call is timed."""

import contextlib
import io
from functools import partial

import numpy as np

from benchmarks import networks
from minires import data, kernels
from minires.arrays import channels_last
from minires.gradcheck.checks.full_check import full_check
from minires.kernels import Window
from minires.nn import BatchNorm2d, Conv2d
from minires.ops import batch_norm as batch_norm_op
from minires.parallel import Replicas, unsupported_reason
from minires.probes.training_step import random_batch, training_parts
from minires.train import train_step as one_step


def set_threads(n):
    kernels.set_num_threads(n)


def train_step(name, size, count):
    """A step of minires.train, with a process for each thread; its .args are (model, optimizer, images, labels, …)."""
    parts = training_parts(name, size, count)
    networks.without_dropout(parts[0])
    replicas = _replicas(parts[0], count)
    return partial(_loss, *parts, replicas if replicas.n > 1 else None)


def _replicas(model, count):
    return Replicas(model, 1 if unsupported_reason(model) else min(kernels.get_num_threads(), count))


def _loss(*parts):
    return one_step(*parts)[0]


def inference(name, size, count):
    """A step of inference as minires.train evaluates, with a process for each thread."""
    model = networks.create(name).eval()
    return partial(_replicas(model, count).predict, channels_last(random_batch(model, size, count)[0]))


def conv(direction, C, O, kernel, stride, padding, size, count, groups=1):
    rng = np.random.default_rng(0)
    w = Conv2d(C, O, kernel, stride, padding, groups=groups, bias=False, rng=rng).weight.data
    x = channels_last(rng.standard_normal((count, C, size, size), dtype=np.float32))
    win = Window.of(x.shape, w.shape, stride, padding, groups=groups)
    dy = channels_last(rng.standard_normal(win.y_shape, dtype=np.float32))
    return {
        "forward": lambda: kernels.conv(x, w, win),
        "dx": lambda: kernels.conv_dx(dy, w, win),
        "dw": lambda: kernels.conv_dw(dy, x, win),
    }[direction]


def batch_norm(C, size, count):
    """Forward and backward, in training."""
    rng = np.random.default_rng(0)
    x, dy = (channels_last(rng.standard_normal((count, C, size, size), dtype=np.float32)) for _ in range(2))
    norm = BatchNorm2d(C)

    def step():
        _, backward = batch_norm_op.raw(
            x,
            norm.weight.data,
            norm.bias.data,
            running_mean=norm.running_mean,
            running_var=norm.running_var,
            training=True,
        )
        return backward(dy)

    return step


def gradient_check(names, samples):
    def step():
        with contextlib.redirect_stdout(io.StringIO()):
            if not full_check(names, samples=samples, quiet=True):
                raise AssertionError("the gradient check failed; run python -m minires.gradcheck")

    return step


def loading(count, size):
    """An epoch of a loader over images in memory, augmented as for CIFAR-10."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)
    dataset = data.ArrayDataset("random", range(10), images, rng.integers(0, 10, count), (0.5,) * 3, (0.25,) * 3)
    transform = data.compose(
        data.random_crop(dataset.shape[1:], padding=4),
        data.random_horizontal_flip(),
        data.normalize(dataset.mean, dataset.std),
    )
    loader = data.ArrayLoader(dataset, size, shuffle=True, transform=transform)

    def step():
        for _ in loader:
            pass

    return step
