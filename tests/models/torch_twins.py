"""The same networks in PyTorch, with the same parameter names, to compare with."""

import torch
from torch import nn
from torch.nn import functional as F


class PadShortcut(nn.Module):
    def __init__(self, grow, stride):
        super().__init__()
        self.grow, self.stride = grow, stride

    def forward(self, x):
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.grow // 2, self.grow - self.grow // 2))


class Block(nn.Module):
    """Basic (two 3×3) or bottleneck (1×1, 3×3, 1×1) by `convs` = [(kernel, out, stride), …]."""

    def __init__(self, i, convs, stride, shortcut):
        super().__init__()
        width = i
        self.count = len(convs)
        for n, (kernel, out, s) in enumerate(convs, 1):
            setattr(self, f"conv{n}", nn.Conv2d(width, out, kernel, s, kernel // 2, bias=False))
            setattr(self, f"bn{n}", nn.BatchNorm2d(out))
            width = out
        self.plain = shortcut is None
        self.downsample = nn.Identity()
        if not self.plain and (stride != 1 or i != width):
            self.downsample = (
                PadShortcut(width - i, stride)
                if shortcut == "A"
                else nn.Sequential(nn.Conv2d(i, width, 1, stride, bias=False), nn.BatchNorm2d(width))
            )

    def forward(self, x):
        f = x
        for n in range(1, self.count + 1):
            f = getattr(self, f"bn{n}")(getattr(self, f"conv{n}")(f))
            f = torch.relu(f) if n < self.count else f
        return torch.relu(f if self.plain else self.downsample(x) + f)


class PreActBlock(nn.Module):
    def __init__(self, i, o, stride, shortcut):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(i)
        self.conv1 = nn.Conv2d(i, o, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(o)
        self.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.downsample = nn.Identity()
        if stride != 1 or i != o:
            self.downsample = (
                PadShortcut(o - i, stride)
                if shortcut == "A"
                else nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))
            )

    def forward(self, x):
        f = self.conv1(torch.relu(self.bn1(x)))
        return self.downsample(x) + self.conv2(torch.relu(self.bn2(f)))


def stage(i, channels, blocks, stride, shortcut, bottleneck=False, variant="v1.5", preact=False):
    layers = []
    for n in range(blocks):
        s = stride if n == 0 else 1
        if preact:
            layers.append(PreActBlock(i, channels, s, shortcut))
            i = channels
            continue
        if bottleneck:
            first, middle = (s, 1) if variant == "v1" else (1, s)
            convs = [(1, channels, first), (3, channels, middle), (1, 4 * channels, 1)]
        else:
            convs = [(3, channels, s), (3, channels, 1)]
        layers.append(Block(i, convs, s, shortcut))
        i = convs[-1][1]
    return nn.Sequential(*layers)


class ResNet(nn.Module):
    def __init__(self, blocks, bottleneck, num_classes, shortcut="B", variant="v1.5"):
        super().__init__()
        e = 4 if bottleneck else 1
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        inputs = [64, 64 * e, 128 * e, 256 * e]
        for n, (i, count) in enumerate(zip(inputs, blocks, strict=True)):
            setattr(
                self, f"layer{n + 1}", stage(i, 64 * 2**n, count, 1 if n == 0 else 2, shortcut, bottleneck, variant)
            )
        self.fc = nn.Linear(512 * e, num_classes)

    def forward(self, x):
        x = F.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


class CifarResNet(nn.Module):
    def __init__(self, depth, shortcut="A", num_classes=10):
        super().__init__()
        n = (depth - 2) // 6
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = stage(16, 16, n, 1, shortcut)
        self.layer2 = stage(16, 32, n, 2, shortcut)
        self.layer3 = stage(32, 64, n, 2, shortcut)
        self.linear = nn.Linear(64, num_classes)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(torch.relu(self.bn1(self.conv1(x))))))
        return self.linear(x.mean((2, 3)))


class PreActCifarResNet(nn.Module):
    def __init__(self, depth, shortcut="A", num_classes=10):
        super().__init__()
        n = (depth - 2) // 6
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.layer1 = stage(16, 16, n, 1, shortcut, preact=True)
        self.layer2 = stage(16, 32, n, 2, shortcut, preact=True)
        self.layer3 = stage(32, 64, n, 2, shortcut, preact=True)
        self.linear = nn.Linear(64, num_classes)
        self.bn = nn.BatchNorm2d(64)

    def forward(self, x):
        x = torch.relu(self.bn(self.layer3(self.layer2(self.layer1(self.conv1(x))))))
        return self.linear(x.mean((2, 3)))
