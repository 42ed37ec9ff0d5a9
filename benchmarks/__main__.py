"""python -m benchmarks: a training step of minires and of PyTorch in turn (A B A B …), as ratios within one run."""

import argparse
import statistics
import time

import numpy as np

from minires import Tensor, models, ops, optim
from minires.arrays import channels_last


def batch(size):
    rng = np.random.default_rng(0)
    return rng.standard_normal((size, 3, 32, 32), dtype=np.float32), rng.integers(0, 10, size)


def minires_step(size):
    """One SGD step of ResNet-20 on `size` 32×32 pictures, as a function without arguments."""
    images, labels = batch(size)
    model = models.resnet20(rng=0)
    optimizer = optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)
    images = channels_last(images)

    def step():
        optimizer.zero_grad()
        ops.cross_entropy(model(Tensor(images)), labels).backward()
        optimizer.step()
    return step


def torch_step(size):
    """The same in PyTorch, in its faster memory format."""
    import torch
    from torch import nn

    def norm_conv(i, o, stride=1):
        return nn.Sequential(nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o))

    class Block(nn.Module):
        def __init__(self, i, o, stride):
            super().__init__()
            self.first, self.second, self.stride, self.grow = norm_conv(i, o, stride), norm_conv(o, o), stride, o - i

        def forward(self, x):
            f = self.second(torch.relu(self.first(x)))
            x = x[:, :, ::self.stride, ::self.stride]
            return torch.relu(f + nn.functional.pad(x, (0, 0, 0, 0, self.grow // 2, self.grow // 2)))

    layers = [norm_conv(3, 16), nn.ReLU()]
    for i, o, stride in ((16, 16, 1), (16, 32, 2), (32, 64, 2)):
        layers += [Block(i, o, stride), Block(o, o, 1), Block(o, o, 1)]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)
    images, labels = batch(size)
    images = torch.tensor(images).to(memory_format=torch.channels_last)
    labels = torch.tensor(labels)

    def step():
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return step


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--batch-size", type=int, default=128, help="pictures per step (default: 128)")
    parser.add_argument("--pairs", type=int, default=7, help="measured steps of each (default: 7)")
    args = parser.parse_args()
    contenders = {"minires": minires_step(args.batch_size)}
    try:
        contenders["torch"] = torch_step(args.batch_size)
    except ImportError:
        print("PyTorch is not installed; minires is timed alone")
    seconds = {name: [] for name in contenders}
    for pair in range(args.pairs + 1):
        for name, step in contenders.items():
            began = time.perf_counter()
            step()
            if pair:  # the first warms up
                seconds[name].append(time.perf_counter() - began)
    for name, times in seconds.items():
        print(f"{name:<8} {args.batch_size / statistics.median(times):7.0f} images/s "
              f"(median of {len(times)}, {min(times):.3f} to {max(times):.3f} s a step)")
    if len(seconds) == 2:
        ratios = [b / a for a, b in zip(*seconds.values(), strict=True)]
        print(f"torch time / minires time: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
