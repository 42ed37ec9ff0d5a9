"""PyTorch's side: channels-last, and in place where torchvision's networks work in place.

ResNets are written out here. Other networks are what minires.export writes for PyTorch, with batch norm in training.
Their steps are timed in both memory formats, and the faster one is PyTorch's; memory is that of channels-last.
"""

import time
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks import networks
from minires import export
from minires.models.blocks import PadShortcut
from minires.nn import Identity
from minires.probes.training_step import LR, MOMENTUM, WEIGHT_DECAY, random_batch

RESNETS = ("resnet20", "resnet18", "resnet50")  # which twin() writes out


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


def written(model, size):
    """Any minires network in PyTorch, in training: the file that minires.export writes of it."""
    state = model.state_dict()
    trained = [name for name, _ in model.named_parameters()]
    recording = export.record(model.eval(), (3, size, size))
    text = export.to_torch(recording, state, trained, name="written")
    for function in ("relu", "relu6", "silu"):
        text = text.replace(f"F.{function}(", f"{function}_(")
    module = {}
    exec(compile(text, "what minires.export wrote", "exec"), module)
    for function in ("relu", "relu6", "silu"):
        module[f"{function}_"] = partial(getattr(F, function), inplace=True)
    module["batch_norm"] = _batch_norm
    net = module["Written"]()
    net.load_state_dict({name: torch.tensor(array) for name, array in state.items()})
    return net.train()


def _batch_norm(x, part, eps=1e-5):
    return F.batch_norm(x, part.running_mean, part.running_var, part.weight, part.bias, training=True, eps=eps)


def step_in(memory, name, size, count):
    """A training step of a network that minires.export has written, in one memory format."""
    model = networks.create(name)
    images, labels = (torch.tensor(array) for array in random_batch(model, size, count))
    return _step(written(model, size).to(memory_format=memory), images.contiguous(memory_format=memory), labels)


def faster_step(name, size, count):
    """The same in the faster of the two formats."""
    seconds = {}
    for memory in (torch.contiguous_format, torch.channels_last):
        step = step_in(memory, name, size, count)
        step()  # which takes the memory
        begin = time.perf_counter()
        step()
        seconds[memory] = time.perf_counter() - begin
        del step
    return step_in(min(seconds, key=seconds.get), name, size, count)


def step_for_memory(name, size, count):
    """A training step that tries nothing before, which would count."""
    known = name in RESNETS
    return train_step(name, size, count) if known else step_in(torch.channels_last, name, size, count)


def train_step(name, size, count):
    if name not in RESNETS:
        return faster_step(name, size, count)
    model = networks.create(name)
    images, labels = map(tensor, random_batch(model, size, count))
    return _step(twin(model), images, labels)


def _step(model, images, labels):
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


def conv(direction, C, O, kernel, stride, padding, size, count, groups=1):
    def random(*shape):
        return torch.randn(shape).contiguous(memory_format=torch.channels_last)

    x = random(count, C, size, size)
    w = random(O, C // groups, kernel, kernel)
    dy = random(*F.conv2d(x, w, None, stride, padding, 1, groups).shape)
    wanted = [direction == "dx", direction == "dw", False]

    def step():
        if direction == "forward":
            return F.conv2d(x, w, None, stride, padding, 1, groups)
        return torch.ops.aten.convolution_backward(
            dy, x, w, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], groups, wanted
        )

    return torch.no_grad()(step)


def batch_norm(C, size, count):
    x, dy = (torch.randn(count, C, size, size).contiguous(memory_format=torch.channels_last) for _ in range(2))
    norm = nn.BatchNorm2d(C)
    inputs = (x.requires_grad_(), norm.weight, norm.bias)
    return lambda: torch.autograd.grad(norm(x), inputs, dy)
