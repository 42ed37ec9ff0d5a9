"""A batch in parts has the gradient of the whole batch."""

import numpy as np
import pytest

from minires import models, nn
from minires.train.accumulation import accumulated
from minires.train.step import gradients


def computed(model, images, labels, parts):
    """(loss, correct, gradients, sizes of the parts)"""
    sizes = []

    def one(x, t):
        sizes.append(len(x))
        return gradients(model, x, t)

    parameters = list(model.parameters())
    loss, correct = accumulated(one, parameters, images, labels, parts)
    return loss, correct, [p.grad for p in parameters], sizes


@pytest.mark.parametrize(("parts", "sizes"), [(1, [7]), (2, [4, 3]), (3, [3, 2, 2]), (4, [3, 2, 2]), (100, [3, 2, 2])])
def test_parts_give_the_mean_over_all_images_and_none_is_of_one_image(parts, sizes):
    rng = np.random.default_rng(0)
    images = rng.standard_normal((7, 3, 8, 8))
    labels = rng.integers(0, 4, 7)
    model = nn.Sequential(nn.Conv2d(3, 5, 3, rng=0), nn.ReLU(), nn.Flatten(), nn.Linear(180, 4, rng=1)).double()
    whole = computed(model, images, labels, 1)
    found = computed(model, images, labels, parts)
    assert found[3] == sizes
    assert found[0] == pytest.approx(whole[0], rel=1e-12)
    assert found[1] == whole[1]
    for a, b in zip(found[2], whole[2], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


def test_a_batch_of_one_image_is_one_part():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, rng=0))
    assert computed(model, np.ones((1, 1, 2, 2), np.float32), np.array([0]), 8)[3] == [1]


def test_a_block_that_stochastic_depth_leaves_out_of_a_part_has_the_gradient_of_the_others():
    """A parameter that no part has reached keeps no gradient, so that the optimizer leaves it alone."""
    model = models.resnet8(rng=0, stochastic_depth=1.0)
    images = np.random.default_rng(0).standard_normal((8, 3, 8, 8)).astype(np.float32)
    found = computed(model, images, np.arange(8), 4)[2]
    assert any(g is None for g in found)
    assert any(g is not None for g in found)
