"""Mixup and smoothed targets, against PyTorch."""

import numpy as np
import pytest

from minires import Tensor, data, ops
from minires.errors import MiniresError

LABELS = np.array([0, 2, 1, 2, 0])


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_soft_targets_have_the_loss_and_the_gradient_of_torchs_label_smoothing(rng, smoothing):
    torch = pytest.importorskip("torch")
    logits = rng.standard_normal((5, 3))
    ours = Tensor(logits, requires_grad=True)
    loss = ops.cross_entropy(ours, data.soft_targets(LABELS, 3, smoothing, np.float64))
    loss.backward()
    theirs = torch.tensor(logits, requires_grad=True)
    expected = torch.nn.functional.cross_entropy(theirs, torch.tensor(LABELS), label_smoothing=smoothing)
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    np.testing.assert_allclose(ours.grad, theirs.grad.numpy(), rtol=1e-12, atol=1e-15)


def test_mixup_is_torchs_mixup_with_the_same_share(rng):
    torch = pytest.importorskip("torch")
    images = rng.standard_normal((5, 3, 4, 4)).transpose(0, 1, 3, 2)
    before = images.copy()
    mixed, targets = data.mixup(0.4, 3, 0.1)(images, LABELS, np.random.default_rng(7))
    share = np.random.default_rng(7).beta(0.4, 0.4)
    x = torch.tensor(images)
    hot = torch.nn.functional.one_hot(torch.tensor(LABELS), 3).double() * 0.9 + 0.1 / 3
    np.testing.assert_allclose(mixed, share * x + (1 - share) * x.roll(1, 0), rtol=1e-13)
    np.testing.assert_allclose(targets, share * hot + (1 - share) * hot.roll(1, 0), rtol=1e-13)
    assert mixed.strides == images.strides
    np.testing.assert_array_equal(images, before)
    np.testing.assert_allclose(targets.sum(axis=1), 1)


def test_mixup_of_torchvision_pairs_the_same_images(rng):
    torch = pytest.importorskip("torch")
    pytest.importorskip("torchvision")
    from torchvision.transforms import v2

    images = rng.standard_normal((5, 3, 4, 4))
    found, theirs = v2.MixUp(alpha=1.0, num_classes=3)(torch.tensor(images), torch.tensor(LABELS))
    share = float(((found[0] - images[-1]) / (images[0] - images[-1])).mean())
    from minires.data.mixing import mixed

    np.testing.assert_allclose(mixed(images, share), found, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(mixed(np.eye(3)[LABELS], share), theirs, rtol=1e-6, atol=1e-6)


def test_without_alpha_nothing_is_mixed_and_nothing_is_drawn(rng):
    images = np.ones((5, 1, 2, 2), np.float32)
    state = rng.bit_generator.state
    found, targets = data.mixup(0.0, 3)(images, LABELS, rng)
    assert found is images
    np.testing.assert_array_equal(targets, np.eye(3)[LABELS])
    assert targets.dtype == np.float32
    assert rng.bit_generator.state == state


@pytest.mark.parametrize(
    "call",
    [
        lambda: data.mixup(-1, 3),
        lambda: data.mixup(float("nan"), 3),
        lambda: data.mixup(0.2, 3)(np.ones((5, 2)), LABELS, None),
        lambda: data.soft_targets(LABELS, 3, 1.5),
        lambda: data.soft_targets(LABELS, 0),
    ],
)
def test_what_cannot_be_mixed_is_refused(call):
    with pytest.raises(MiniresError, match=r"mixup|soft_targets"):
        call()
