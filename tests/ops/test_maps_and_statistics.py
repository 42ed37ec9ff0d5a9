"""What normalisation remembers, and the axes of a map: what does not fit is refused with the remedy."""

import numpy as np
import pytest

import minires
from minires import Tensor, nn, no_grad, ops
from minires.errors import DTypeError, OptionError, ShapeError


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (
            {"running_mean": [0.0, 0.0], "running_var": np.ones(2)},
            DTypeError,
            r"running_mean must be an array of 2 numbers, got \[0",
        ),
        ({"running_mean": 0, "running_var": 1}, DTypeError, "running_mean must be an array of 2 numbers, got 0"),
        ({"running_mean": np.zeros(2, int), "running_var": np.ones(2)}, DTypeError, "running_mean must be floats"),
        (
            {"running_mean": np.zeros(2), "running_var": np.broadcast_to(1.0, 2)},
            OptionError,
            "running_var is read-only",
        ),
        (
            {"running_mean": np.zeros(2), "running_var": np.ones(2), "momentum": None},
            OptionError,
            "momentum must be a number",
        ),
        (
            {"running_mean": np.zeros(2), "running_var": np.ones(2), "training": "False"},
            DTypeError,
            "training must be True or",
        ),
    ],
)
def test_statistics_that_a_batch_could_not_be_mixed_into_are_refused(settings, error, message):
    given = {"training": True, **settings}
    x = Tensor(np.random.default_rng(0).standard_normal((4, 2)))
    ones = np.ones(2)
    with pytest.raises(error, match=f"batch_norm: {message}"):
        ops.batch_norm(x, ones, ones, **given)
    with no_grad(), pytest.raises(error, match=f"conv_norm: {message}"):
        ops.conv_norm(Tensor(x.data[:, :, None, None]), np.eye(2)[:, :, None, None], ones, ones, **given)


def test_integers_serve_as_statistics_where_they_are_only_read():
    x = Tensor([[3.0, 5.0]], dtype=np.float64)
    ones = np.ones(2)
    y = ops.batch_norm(x, ones, ones * 0, running_mean=np.array([1, 2]), running_var=np.array([1, 9]), eps=0.0)
    np.testing.assert_allclose(y.data, [[2, 1]], rtol=1e-15)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: ops.conv2d(x, np.ones((2, 3, 3, 3), "f4")),
        lambda x: nn.Conv2d(3, 2, 3)(x),
        lambda x: ops.max_pool2d(x, 2),
        lambda x: nn.AvgPool2d(2)(x),
        lambda x: nn.AdaptiveAvgPool2d(1)(x),
        lambda x: nn.BatchNorm2d(3)(x),
        lambda x: nn.BatchNorm1d(3)(x[0, 0]),
        lambda x: minires.models.resnet8()(x),
    ],
)
def test_an_image_without_a_batch_axis_says_how_to_add_one(call):
    x = Tensor(np.ones((3, 8, 8), np.float32))
    with pytest.raises(ShapeError, match=r"; add a batch axis: x\[None\]$"):
        call(x)


def test_the_remedy_helps_and_is_given_where_it_helps_only():
    assert nn.Conv2d(3, 2, 3)(Tensor(np.ones((3, 8, 8), np.float32))[None]).shape == (1, 2, 6, 6)
    with pytest.raises(ShapeError, match=r"got \(8, 8\) and \(2, 3, 3, 3\)$"):
        nn.Conv2d(3, 2, 3)(Tensor(np.ones((8, 8), np.float32)))
