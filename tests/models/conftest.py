"""What the networks are compared with, where it is installed."""

import pytest


@pytest.fixture
def same_as_torch():
    """same_as_torch.py, which imports PyTorch."""
    pytest.importorskip("torch", reason="PyTorch is not installed; it is what this test compares with")
    import same_as_torch

    return same_as_torch


@pytest.fixture
def torchvision():
    return pytest.importorskip("torchvision", reason="torchvision is not installed; this test compares with it")
