"""MyGrad's side: the CIFAR networks, written as in its documentation.

It has no momentum, which is computed here, and no running statistics, which are left out in its favour.
"""

import mygrad as mg
import numpy as np
from mygrad.nnet.activations import relu
from mygrad.nnet.layers import batchnorm, conv_nd
from mygrad.nnet.losses import softmax_crossentropy

from benchmarks import networks, threads
from minires.models.blocks import PadShortcut
from minires.probes.training_step import LR, MOMENTUM, WEIGHT_DECAY, random_batch

set_threads = threads.of_blas


def parameter(array):
    return mg.tensor(np.array(array, np.float32, order="C"))


def norm_conv(conv, bn):
    """-> (function of a feature map, parameters)"""
    w, gamma, beta = (parameter(p.data) for p in (conv.weight, bn.weight, bn.bias))
    (stride, _), (padding, _) = conv.stride, conv.padding  # the same for rows and columns in all of these networks

    def forward(x):
        p = padding
        if stride > 1:  # the windows must end where x ends: if its size is even, pad two of the four sides only
            x = zeros_beside(zeros_beside(x, 2, padding, 0), 3, padding, 0)
            p = 0
        return batchnorm(conv_nd(x, w, stride=stride, padding=p), gamma=gamma, beta=beta, eps=bn.eps)

    return forward, [w, gamma, beta]


def zeros_beside(x, axis, before, after):
    shapes = [(*x.shape[:axis], n, *x.shape[axis + 1 :]) for n in (before, after)]
    return mg.concatenate([np.zeros(shapes[0], np.float32), x, np.zeros(shapes[1], np.float32)], axis=axis)


def shortcut(x, module):
    if not isinstance(module, PadShortcut):
        return x
    return zeros_beside(x[:, :, :: module.stride, :: module.stride], 1, module.before, module.after)


def train_step(name, size, count):
    model = networks.create(name)
    images, labels = random_batch(model, size, count)
    stem, _, blocks, head = networks.anatomy(model)
    layers = [norm_conv(*stem), *(norm_conv(*pair) for block in blocks for pair in networks.branch(block))]
    w = parameter(head.weight.data)
    b = parameter(head.bias.data)
    parameters = [p for _, own in layers for p in own] + [w, b]
    velocities = [np.zeros_like(p.data) for p in parameters]

    def step():
        functions = iter([function for function, _ in layers])
        x = relu(next(functions)(images))
        for block in blocks:
            first = next(functions)
            second = next(functions)
            f = second(relu(first(x)))
            x = relu(shortcut(x, block.downsample) + f)
        loss = softmax_crossentropy(mg.mean(x, axis=(2, 3)) @ w.T + b, labels)
        loss.backward()
        for p, v in zip(parameters, velocities):
            v *= MOMENTUM
            v += p.grad + WEIGHT_DECAY * p.data
            p.data[...] -= LR * v
        return loss.item()

    return step
