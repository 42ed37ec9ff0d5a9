"""ops/norm.py: batch norm, layer norm and group norm."""

import numpy as np
import pytest
from against_torch import against_torch, needs_torch, normal, positive, torch
from bad_input import ones, refusals, t, x

from minires import Tensor, nn, no_grad, ops
from minires.arrays import channels_last
from minires.errors import DTypeError, OptionError, ShapeError

X = normal(2, 4, 7, 6)
L = normal(3, 4, 5)
REVERSED = np.asfortranarray(L)  # in memory
RUNNING = {"running_mean": normal(4), "running_var": positive(4)}
PER_CHANNEL = positive(4) * [1, -1, 1, 1], normal(4)


def in_training(f, x, weight, bias):
    statistics = {"running_mean": None, "running_var": None}
    return f.batch_norm(x, weight=weight, bias=bias, training=True, eps=0.1, **statistics)


def in_evaluation(f, x, weight, bias):
    running = {name: f.array(v, x) for name, v in RUNNING.items()}
    return f.batch_norm(x, weight=weight, bias=bias, **running)


def layer(*shape, **settings):
    return lambda f, x, w=None, b=None: f.layer_norm(x, normalized_shape=shape, weight=w, bias=b, **settings)


def group(num_groups, **settings):
    return lambda f, x, w=None, b=None: f.group_norm(x, num_groups=num_groups, weight=w, bias=b, **settings)


def bias_only(f, x, bias):
    """The backward of torch's group norm fails without a weight."""
    return f.group_norm(x, None, bias, num_groups=3) if f.ours else f.group_norm(x, 3) + bias[:, None]


TestAgainstTorch = against_torch(
    [
        ("batch_norm in training", in_training, (X, *PER_CHANNEL)),
        ("batch_norm in evaluation", in_evaluation, (X, *PER_CHANNEL)),
        ("batch_norm of (N,C) in training", in_training, (normal(5, 4), *PER_CHANNEL)),
        ("batch_norm of (N,C,L) in training", in_training, (L, *PER_CHANNEL)),
        ("batch_norm of (N,C,L) in evaluation", in_evaluation, (REVERSED, *PER_CHANNEL)),
        ("layer_norm", layer(7, 6, eps=0.1), (X, normal(7, 6), normal(7, 6))),
        ("layer_norm with weight only", layer(6), (X, normal(6))),
        ("layer_norm with bias only", lambda f, x, b: layer(6)(f, x, None, b), (X, normal(6))),
        ("layer_norm without affine part", layer(6), (X,)),
        ("group_norm", group(2, eps=0.1), (X, normal(4), normal(4))),
        ("group_norm with weight only", group(4), (X, normal(4))),
        ("group_norm of rows", group(1), (normal(3, 6),)),
        ("group_norm with bias only", bias_only, (normal(3, 6, 5), normal(6))),
        ("group_norm of no samples", group(2), (normal(0, 4, 3), normal(4))),
    ]
)


def running(mean, var, **settings):
    return {"running_mean": mean, "running_var": var, **settings}


def train(*inputs, **settings):
    return ops.batch_norm(*inputs, training=True, **settings)


AT_LEAST_0 = "eps must be a finite number of at least 0, got"
test_bad_input = refusals(
    [
        (ShapeError, lambda: train(x(), t(3), t(4)), r"batch_norm: weight has shape \(3,\), x has 4 channels"),
        (ShapeError, lambda: train(x(), t(4), t(3)), r"batch_norm: bias has shape \(3,\), x has 4 channels"),
        (ShapeError, lambda: train(x(), t(4), t(4), **running(ones(5), ones(4))), r"running_mean has shape \(5,\)"),
        (ShapeError, lambda: train(x(), t(4), t(4), **running(ones(4), ones(5))), r"running_var has shape \(5,\)"),
        (ShapeError, lambda: ops.batch_norm(x(), t(4), t(4)), "batch_norm: training=False needs running_mean"),
        (ShapeError, lambda: train(x(), t(4), t(4), running_mean=ones(4)), "running_mean and running_var come"),
        (ShapeError, lambda: train(t(1, 4, 1, 1), t(4), t(4)), "more than one value a channel, got 1"),
        (ShapeError, lambda: train(t(0, 4, 2, 2), t(4), t(4)), "more than one value a channel, got 0"),
        (ShapeError, lambda: train(t(1, 4), t(4), t(4)), "more than one value a channel, got 1"),
        (ShapeError, lambda: train(t(4), t(4), t(4)), r"x must be \(N,C,H,W\), \(N,C,L\) or \(N,C\), got \(4,\)"),
        (OptionError, lambda: train(x(), t(4), t(4), eps=np.inf), f"batch_norm: {AT_LEAST_0} inf"),
        (OptionError, lambda: nn.BatchNorm2d(3, momentum=2), "BatchNorm2d: momentum must be a number"),
        (OptionError, lambda: ops.layer_norm(x(), t(5), t(5), eps=np.nan), f"layer_norm: {AT_LEAST_0} nan"),
        (ShapeError, lambda: ops.layer_norm(x(), t(4), t(4)), r"layer_norm: x \(2, 4, 6, 5\) does not end with"),
        (ShapeError, lambda: ops.layer_norm(t(2, 0)), r"layer_norm: nothing to take a mean of in x \(2, 0\)"),
        (ShapeError, lambda: ops.layer_norm(x(), t(5), t(4)), r"layer_norm: bias has shape \(4,\)"),
        (DTypeError, lambda: ops.group_norm(x(), num_groups=2.0), "group_norm: num_groups must be an integer, got 2.0"),
        (ShapeError, lambda: ops.group_norm(x(), num_groups=3), "num_groups=3 must divide the 4 channels of x"),
        (ShapeError, lambda: ops.group_norm(x(), num_groups=0), "group_norm: num_groups=0 must divide"),
        (ShapeError, lambda: ops.group_norm(t(4), num_groups=1), r"group_norm: x must be \(N,C,…\), got \(4,\)"),
        (ShapeError, lambda: ops.group_norm(t(2, 4, 0), num_groups=2), "group_norm: nothing to take a mean of"),
        (ShapeError, lambda: ops.group_norm(t(2, 0, 3), num_groups=1), r"nothing to take a mean of in x \(2, 0, 3\)"),
        (ShapeError, lambda: ops.group_norm(t(2, 0), num_groups=0), "group_norm: num_groups=0 must divide"),
        (ShapeError, lambda: ops.group_norm(x(), t(2), num_groups=2), r"weight has shape \(2,\), x has 4 channels"),
        (OptionError, lambda: ops.group_norm(x(), num_groups=2, eps=-1), f"group_norm: {AT_LEAST_0} -1"),
    ]
)


@needs_torch
@pytest.mark.parametrize("momentum", [0.1, 0.7])
def test_running_statistics_are_torchs(momentum):
    ours = {k: v.copy() for k, v in RUNNING.items()}
    theirs = {k: torch.tensor(v) for k, v in RUNNING.items()}
    for _ in range(3):
        ops.batch_norm(Tensor(X), np.ones(4), np.zeros(4), training=True, momentum=momentum, **ours)
        torch.nn.functional.batch_norm(torch.tensor(X), **theirs, training=True, momentum=momentum)
    for key in RUNNING:
        np.testing.assert_allclose(ours[key], theirs[key].numpy(), rtol=1e-13)


ZEROS = np.zeros(2)
ONES = np.ones(2)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (running([0.0, 0.0], ONES), DTypeError, r"running_mean must be an array of 2 numbers, got \[0"),
        (running(0, 1), DTypeError, "running_mean must be an array of 2 numbers, got 0"),
        (running(np.zeros(2, int), ONES), DTypeError, "running_mean must be floats"),
        (running(ZEROS, np.broadcast_to(1.0, 2)), OptionError, "running_var is read-only"),
        (running(ZEROS, ONES, momentum=None), OptionError, "momentum must be a number"),
        (running(ZEROS, ONES, training="False"), DTypeError, "training must be True or"),
    ],
)
def test_running_statistics_that_training_cannot_update_are_refused(settings, error, message):
    given = {"training": True, **settings}
    x = Tensor(np.random.default_rng(0).standard_normal((4, 2)))
    with pytest.raises(error, match=f"batch_norm: {message}"):
        ops.batch_norm(x, ONES, ONES, **given)
    with no_grad(), pytest.raises(error, match=f"conv_norm: {message}"):
        ops.conv_norm(Tensor(x.data[:, :, None, None]), np.eye(2)[:, :, None, None], ONES, ONES, **given)


def test_integers_serve_as_statistics_where_they_are_only_read():
    x = Tensor([[3.0, 5.0]], dtype=np.float64)
    ones = np.ones(2)
    y = ops.batch_norm(x, ones, ones * 0, running_mean=np.array([1, 2]), running_var=np.array([1, 9]), eps=0.0)
    np.testing.assert_allclose(y.data, [[2, 1]], rtol=1e-15)


@pytest.mark.parametrize("mean", [1e6, -1e6])
def test_batch_norm_of_float32_with_a_mean_of_a_million_is_as_good_as_its_input(mean):
    rng = np.random.default_rng(0)
    x = (mean + rng.standard_normal((8, 4, 16, 16))).astype(np.float32)
    y = ops.batch_norm(Tensor(x), np.ones(4, np.float32), np.zeros(4, np.float32), training=True)
    x64 = x.astype(float)
    exact = (x64 - x64.mean(axis=(0, 2, 3), keepdims=True)) / np.sqrt(x64.var(axis=(0, 2, 3), keepdims=True) + 1e-5)
    assert np.abs(y.data - exact).max() < 4e-6


@pytest.mark.parametrize("shape", [(2, 4, 0, 6), (2, 4, 6, 0), (0, 4, 2, 2), (0, 4, 0, 0)])
@pytest.mark.parametrize("lay", [np.ascontiguousarray, channels_last])
def test_feature_maps_without_pixels_pass_through(shape, lay):
    x = Tensor(lay(np.zeros(shape, "f4")), requires_grad=True)
    one = np.ones(4, "f4")
    y = ops.relu(ops.batch_norm(x, one, one, running_mean=one, running_var=one))
    y.sum().backward()
    assert y.shape == x.grad.shape == shape
