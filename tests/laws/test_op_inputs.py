"""What all ops take or refuse: views, empty batches, arrays of another kind or on another device, images without a batch."""

import numpy as np
import pytest
from backends import GPUS

import minires
from minires import Tensor, nn, ops
from minires.errors import DTypeError, ShapeError


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[:, :, ::-1],
        lambda a: a.swapaxes(2, 3).copy().swapaxes(2, 3),
        lambda a: np.broadcast_to(a[:1], a.shape),
    ],
)
def test_any_view_is_a_valid_input(view):
    image = view(np.random.default_rng(0).standard_normal((2, 4, 6, 5)))
    straight = np.ascontiguousarray(image)
    for op in (
        lambda x: ops.conv2d(x, np.ones((6, 4, 3, 3)), padding=1),
        ops.relu,
        lambda x: ops.max_pool2d(x, kernel_size=2),
        lambda x: ops.batch_norm(x, np.ones(4), np.ones(4), training=True),
    ):
        np.testing.assert_allclose(op(Tensor(image)).data, op(Tensor(straight)).data, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("place", GPUS)
@pytest.mark.parametrize("where", ["target", "weight", "running_mean", "gradient", "x"])
def test_arrays_on_two_devices_are_refused_with_one_clear_line(place, where):
    x = Tensor(place.array(np.ones((2, 3), np.float32)), requires_grad=True)
    here = np.ones(3, np.float32)
    there = place.array(here)
    calls = {
        "target": lambda: ops.cross_entropy(x, np.array([0, 1])),
        "weight": lambda: ops.cross_entropy(x, place.array(np.array([0, 1])), weight=here),
        "running_mean": lambda: ops.batch_norm(
            x.reshape(2, 3, 1, 1), there, there, running_mean=here, running_var=here
        ),
        "gradient": lambda: x.backward(np.ones((2, 3), np.float32)),
        "x": lambda: x + np.ones((2, 3), np.float32),
    }
    with pytest.raises(DTypeError, match="cuda:0") as caught:
        calls[where]()
    assert "cpu" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert x[np.array([1, 0])].shape == (2, 3)  # an index may lie anywhere


@pytest.mark.parametrize(
    "wrong",
    [
        np.ma.masked_array([1.0, 1.0], [0, 1]),
        np.ones(2, complex),
        np.array(["a", "b"]),
        np.array([1, 2], "M8[s]"),
        np.array([1.0, None]),
    ],
    ids=["masked", "complex", "text", "dates", "objects"],
)
def test_a_setting_is_an_array_of_numbers(wrong):

    def ones(*shape):
        return Tensor(np.ones(shape))

    logits = ones(3, 2)
    target = np.array([0, 1, 1])
    for call in (
        lambda: ops.cross_entropy(logits, target, weight=wrong),
        lambda: ops.clip(ones(2), min=wrong),
        lambda: ops.binary_cross_entropy_with_logits(ones(3, 2), ones(3, 2), weight=wrong),
    ):
        with pytest.raises(DTypeError, match=r"weight|min"):
            call()


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
