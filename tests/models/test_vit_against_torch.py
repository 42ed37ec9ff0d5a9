"""Vision Transformers against a block written with torch.nn, and against torchvision's own, with the same weights."""

import numpy as np
import pytest

from minires import kernels, models
from minires.models.vit import EncoderBlock

torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what these tests compare with")
from same_as_torch import assert_same, shapes  # noqa: E402 - it imports torch, so it comes after the check


class TorchBlock(torch.nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)); swapped: each norm comes after its add, as in the first ones."""

    def __init__(self, heads, D, width, swapped=False):
        super().__init__()
        self.ln_1 = torch.nn.LayerNorm(D, eps=1e-6)
        self.self_attention = torch.nn.MultiheadAttention(D, heads, batch_first=True)
        self.ln_2 = torch.nn.LayerNorm(D, eps=1e-6)
        self.mlp = torch.nn.Sequential(
            torch.nn.Linear(D, width), torch.nn.GELU(), torch.nn.Identity(), torch.nn.Linear(width, D)
        )
        self.swapped = swapped

    def forward(self, x):
        if self.swapped:
            x = self.ln_1(x + self.self_attention(x, x, x, need_weights=False)[0])
            return self.ln_2(x + self.mlp(x))
        y = self.ln_1(x)
        x = x + self.self_attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


@pytest.mark.parametrize("choice", ["fastest", "readable"])
def test_a_block_is_its_torch_twin(choice):
    with kernels.use(choice):
        assert_same(EncoderBlock(3, 6, 10, rng=0), TorchBlock(3, 6, 10), (2, 5, 6))


def test_a_twin_whose_norms_come_after_the_adds_is_noticed():
    with pytest.raises(AssertionError, match="logits"):
        assert_same(EncoderBlock(3, 6, 10, rng=0), TorchBlock(3, 6, 10, swapped=True), (2, 5, 6))


@pytest.mark.parametrize("name", ["vit_b_16", "vit_b_32", "vit_l_16"])
def test_names_and_shapes_are_torchvisions(torchvision, name):
    with torch.device("meta"):  # shapes without numbers
        theirs = getattr(torchvision.models, name)()
    with kernels.shapes_only():
        ours = models.create(name)
    assert shapes(ours) == shapes(theirs)


def small(torchvision, **options):
    """The same small network here and in torchvision. Heads do not begin as zeros, which would hide all else."""
    ours = models.VisionTransformer(4, 2, 12, image_size=12, num_heads=3, mlp_dim=20, num_classes=5, rng=0, **options)
    theirs = torchvision.models.VisionTransformer(12, 4, 2, 3, 12, 20, num_classes=5, **options)
    rng = np.random.default_rng(5)
    for parameter in (ours.class_token, ours.heads.head.weight):
        parameter.data[...] = rng.standard_normal(parameter.shape)
    return ours, theirs


@pytest.mark.parametrize("options", [{}, {"representation_size": 7}])
def test_logits_and_gradients_are_torchvisions(torchvision, options):
    ours, theirs = small(torchvision, **options)
    assert shapes(ours) == shapes(theirs)
    assert_same(ours, theirs, (2, 3, 12, 12))


def test_a_network_with_another_activation_is_noticed(torchvision):
    ours, theirs = small(torchvision)
    for block in theirs.encoder.layers:
        block.mlp[1] = torch.nn.Tanh()
    with pytest.raises(AssertionError, match="logits"):
        assert_same(ours, theirs, (2, 3, 12, 12))
