"""PyTorch's side: channels-last, and in place where torchvision's ResNets work in place."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks import networks
from minires.models.blocks import PadShortcut
from minires.nn import Identity
from minires.probes.training_step import LR, MOMENTUM, WEIGHT_DECAY, random_batch


def set_threads(n):
    torch.set_num_threads(n)


def tensor(array):
    """A copy, in channels-last memory if it is (N,C,H,W)."""
    copied = torch.tensor(np.ascontiguousarray(array))
    return copied.contiguous(memory_format=torch.channels_last) if copied.ndim == 4 else copied


def norm_conv(conv, bn):
    O, C, KH, KW = conv.weight.shape
    ours = nn.Conv2d(C, O, (KH, KW), conv.stride, conv.padding, bias=False)
    ours.weight.data = tensor(conv.weight.data)
    return [ours, nn.BatchNorm2d(O)]


class Pad(nn.Module):
    def __init__(self, shortcut):
        super().__init__()
        self.stride, self.pad = shortcut.stride, (0, 0, 0, 0, shortcut.before, shortcut.after)

    def forward(self, x):
        return F.pad(x[:, :, :: self.stride, :: self.stride], self.pad)


class Block(nn.Module):
    def __init__(self, block):
        super().__init__()
        layers = [layer for pair in networks.branch(block) for layer in (*norm_conv(*pair), nn.ReLU(inplace=True))]
        self.branch = nn.Sequential(*layers[:-1])
        shortcut = block.downsample
        if isinstance(shortcut, Identity):
            self.shortcut = nn.Identity()
        else:
            self.shortcut = Pad(shortcut) if isinstance(shortcut, PadShortcut) else nn.Sequential(*norm_conv(*shortcut))

    def forward(self, x):
        h = self.branch(x)
        h += self.shortcut(x)
        return torch.relu_(h)


def twin(model):
    """A minires ResNet in PyTorch."""
    stem, pool, blocks, head = networks.anatomy(model)
    layers = [*norm_conv(*stem), nn.ReLU(inplace=True)]
    layers += [nn.MaxPool2d(pool.kernel_size, pool.stride, pool.padding)] if pool else []
    fc = nn.Linear(*head.weight.shape[::-1])
    fc.weight.data = tensor(head.weight.data)
    fc.bias.data = tensor(head.bias.data)
    return nn.Sequential(*layers, *map(Block, blocks), nn.AdaptiveAvgPool2d(1), nn.Flatten(), fc)


def train_step(name, size, count):
    model = networks.create(name)
    images, labels = map(tensor, random_batch(model, size, count))
    model = twin(model)
    optimizer = torch.optim.SGD(model.parameters(), LR, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)

    def step():
        loss = F.cross_entropy(model(images), labels)
        value = loss.item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return value

    return step


def inference(name, size, count):
    model = networks.create(name)
    images = tensor(random_batch(model, size, count)[0])
    model = twin(model).eval()

    def step():
        with torch.inference_mode():
            return model(images).numpy()

    return step


def conv(direction, C, O, kernel, stride, padding, size, count):
    def random(*shape):
        return torch.randn(shape).contiguous(memory_format=torch.channels_last)

    x = random(count, C, size, size)
    w = random(O, C, kernel, kernel)
    dy = random(*F.conv2d(x, w, None, stride, padding).shape)
    wanted = [direction == "dx", direction == "dw", False]

    def step():
        if direction == "forward":
            return F.conv2d(x, w, None, stride, padding)
        return torch.ops.aten.convolution_backward(
            dy, x, w, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1, wanted
        )

    return torch.no_grad()(step)


def batch_norm(C, size, count):
    x, dy = (torch.randn(count, C, size, size).contiguous(memory_format=torch.channels_last) for _ in range(2))
    norm = nn.BatchNorm2d(C)
    inputs = (x.requires_grad_(), norm.weight, norm.bias)
    return lambda: torch.autograd.grad(norm(x), inputs, dy)
