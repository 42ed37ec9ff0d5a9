"""DeZero's side: the CIFAR networks, made of its functions and its optimizer (0.0.13, 2020, from PyPI).

It multiplies gradients by arrays of integers. So with NumPy 2 its backward runs in float64.
"""

import numpy as np

# DeZero's defaults still use np.int, which NumPy has removed.
np.int = int  # noqa: NPY001
try:
    import dezero
    from dezero import functions as F
    from dezero import optimizers
finally:
    del np.int  # noqa: NPY001

from benchmarks import networks, threads  # noqa: E402 - the alias must be gone before anything else is imported
from minires.models.blocks import PadShortcut  # noqa: E402
from minires.probes.training_step import LR, MOMENTUM, WEIGHT_DECAY, random_batch  # noqa: E402

set_threads = threads.of_blas


class Pad(dezero.Function):
    """Option A's shortcut: DeZero has no padding of channels, and the backward of its slicing goes pixel by pixel."""

    def __init__(self, shortcut):
        super().__init__()
        self.stride, self.before, self.after = shortcut.stride, shortcut.before, shortcut.after

    def forward(self, x):
        self.shape = x.shape
        pad = [(0, 0), (self.before, self.after), (0, 0), (0, 0)]
        return np.pad(x[:, :, :: self.stride, :: self.stride], pad)

    def backward(self, gy):
        gx = np.zeros(self.shape, gy.dtype)
        gx[:, :, :: self.stride, :: self.stride] = gy.data[:, self.before : gy.shape[1] - self.after]
        return dezero.Variable(gx)


class Network(dezero.Layer):
    """A network of functions: DeZero's layers make their own weights, so the parameters are kept here, by position."""

    def __init__(self, model):
        super().__init__()
        self.anatomy = networks.anatomy(model)
        pairs = [self.anatomy.stem, *(pair for block in self.anatomy.blocks for pair in networks.branch(block))]
        for i, (conv, bn) in enumerate(pairs):
            for name, p in (("w", conv.weight), ("gamma", bn.weight), ("beta", bn.bias)):
                setattr(self, f"{name}{i}", parameter(p))
        self.layers = [(i, conv, bn.running_mean.copy(), bn.running_var.copy()) for i, (conv, bn) in enumerate(pairs)]
        self.w = parameter(self.anatomy.head.weight, transposed=True)
        self.b = parameter(self.anatomy.head.bias)

    def norm_conv(self, x, layer):
        i, conv, mean, var = layer
        y = F.conv2d(x, getattr(self, f"w{i}"), None, conv.stride, conv.padding)
        return F.batch_nrom(y, getattr(self, f"gamma{i}"), getattr(self, f"beta{i}"), mean, var, 0.9, 1e-5)

    def forward(self, x):
        layers = iter(self.layers)
        x = F.relu(self.norm_conv(x, next(layers)))
        for block in self.anatomy.blocks:
            f = self.norm_conv(F.relu(self.norm_conv(x, next(layers))), next(layers))
            x = F.relu((Pad(block.downsample)(x) if isinstance(block.downsample, PadShortcut) else x) + f)
        pixels = np.float32(x.shape[2] * x.shape[3])
        return F.linear(F.sum(F.sum(x, axis=3), axis=2) / pixels, self.w, self.b)


def parameter(p, transposed=False):
    return dezero.Parameter(np.array(p.data.T if transposed else p.data, np.float32, order="C"))


def train_step(name, size, count):
    model = networks.create(name)
    images, labels = random_batch(model, size, count)
    network = Network(model)
    optimizer = optimizers.MomentumSGD(LR, MOMENTUM).setup(network)
    optimizer.add_hook(optimizers.WeightDecay(WEIGHT_DECAY))

    def step():
        loss = F.softmax_cross_entropy(network(images), labels)
        network.cleargrads()
        loss.backward()
        optimizer.update()
        return float(loss.data)

    return step
