"""The benchmark's copies of other families in PyTorch train as minires does: the same loss, step by step."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
sys.path.append(str(Path(__file__).parents[2]))  # benchmarks/ is no part of the installed package

import torch

from benchmarks import in_minires, in_torch
from benchmarks.workloads import SUCCESSORS

SMALL = {  # a small relative of each family that is timed
    "vgg16": ("vgg11", 32),
    "resnext50_32x4d": ("resnext20", 16),
    "se_resnet50": ("se_resnet20", 16),
    "densenet121": ("densenet_bc22", 16),
    "mobilenet_v2": ("mobilenet21", 16),
    "efficientnet_b0": ("efficientnet_b0", 64),
    "vit_b_16": ("vit_tiny_cifar", 32),
}


@pytest.mark.parametrize("family", SUCCESSORS)
def test_the_losses_of_three_steps_are_those_of_pytorch(family):
    name, size = SMALL[family]
    ours = in_minires.train_step(name, size, 4)
    theirs = in_torch.step_in(torch.channels_last, name, size, 4)
    assert [ours() for _ in range(3)] == pytest.approx([theirs() for _ in range(3)], rel=2e-3)
