"""The loss as a function of all weights, and directions that are as large as the filters."""

import numpy as np
import pytest

from minires import Tensor, models, nn, ops
from minires.mode import no_grad
from minires.probes import LossSurface, extreme_eigenvalues, hessian_product


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    return rng.standard_normal((8, 1, 8, 8)).astype(np.float32), rng.integers(0, 10, 8)


@pytest.fixture
def model(batch):
    model = models.resnet8(in_channels=1, rng=0)
    with no_grad():
        model(Tensor(batch[0]))  # running statistics that are not 0 and 1
    return model


def test_the_loss_at_its_own_weights_is_that_of_the_network_in_evaluation(model, batch):
    images, labels = batch
    before = {name: np.array(a) for name, a in model.state_dict().items()}
    surface = LossSurface(model, images, labels)
    surface.loss(surface.w0 + 1)
    surface.gradient(surface.w0 - 1)
    loss = surface.loss(surface.w0)
    assert model.training
    assert all((before[name] == a).all() for name, a in model.state_dict().items())
    model.eval()
    assert loss == pytest.approx(ops.cross_entropy(model(Tensor(images)), labels).item(), rel=1e-5)


def test_the_gradient_is_the_slope_of_the_loss(model, batch):
    surface = LossSurface(model, *batch)
    d = surface.random_direction(0)
    h = 1e-5
    slope = (surface.loss(surface.w0 + h * d) - surface.loss(surface.w0 - h * d)) / (2 * h)
    assert surface.gradient(surface.w0) @ d == pytest.approx(slope, rel=1e-6)


def test_many_images_are_done_in_parts(monkeypatch, model, batch):
    whole = LossSurface(model, *batch)
    monkeypatch.setattr("minires.probes.landscape.BATCH", 3)
    parts = LossSurface(model, *batch)
    assert len(parts.batches) == 3
    assert parts.loss(whole.w0) == pytest.approx(whole.loss(whole.w0), rel=1e-13)
    assert parts.gradient(whole.w0) == pytest.approx(whole.gradient(whole.w0), rel=1e-9, abs=1e-12)


def test_each_filter_of_a_direction_has_the_length_of_the_filter_of_the_weights(model, batch):
    surface = LossSurface(model, *batch)
    d = surface.random_direction(0)
    at = 0
    for p in surface.model.parameters():
        part = d[at : at + p.data.size].reshape(p.data.shape)
        at += p.data.size
        for i in range(len(part)):
            expected = np.linalg.norm(p.data[i]) if p.data.ndim > 1 else 0
            assert np.linalg.norm(part[i]) == pytest.approx(expected, rel=1e-12)
    assert at == len(d)
    assert (surface.random_direction(0) == d).all()
    assert (surface.random_direction(1) != d).any()


def rescaled(model, factor):
    """The same function: conv1's filters times a factor, and bn1's running statistics to suit."""
    other = models.resnet8(in_channels=1, rng=0)
    other.load_state_dict(model.state_dict())
    other.conv1.weight.data = other.conv1.weight.data * np.float32(factor)
    other.bn1.running_mean = other.bn1.running_mean * np.float32(factor)
    other.bn1.running_var = other.bn1.running_var * np.float32(factor**2)
    return other


def test_the_size_of_a_filter_before_batch_norm_changes_neither_slices_nor_sharpness(model, batch):
    other = rescaled(model, 0.125)

    def measured(model):
        surface = LossSurface(model, *batch)
        for module in surface.model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = 0.0  # which would stay as it is while the variance shrinks
        sizes = surface.filter_norms()
        ends = extreme_eigenvalues(
            lambda v: sizes * hessian_product(surface.gradient, surface.w0, sizes * v), len(sizes), steps=6, rng=0
        )
        raw = extreme_eigenvalues(
            lambda v: hessian_product(surface.gradient, surface.w0, v), len(sizes), steps=6, rng=0
        )
        return surface.along(surface.random_direction(0), [-1, -0.5, 0, 0.5, 1]), ends, raw

    slices, ends, raw = measured(model)
    slices_other, ends_other, raw_other = measured(other)
    assert slices_other == pytest.approx(slices, rel=1e-9)
    assert ends_other == pytest.approx(ends, rel=1e-4)
    assert raw_other[1] != pytest.approx(raw[1], rel=0.01)  # without the normalization it does change


def test_a_slice_starts_where_it_is_told(model, batch):
    surface = LossSurface(model, *batch)
    d = surface.random_direction(0)
    assert surface.along(d, [0.0, 0.25]) == [surface.loss(surface.w0), surface.loss(surface.w0 + 0.25 * d)]
    assert surface.along(d, [0.0], surface.w0 + d) == [surface.loss(surface.w0 + d)]
