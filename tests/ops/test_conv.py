"""ops/conv.py: convolution."""

import numpy as np
import pytest
from against_torch import against_torch, both, needs_torch, normal
from bad_input import ones, refusals, t, w, x

from minires import Tensor, kernels, nn, ops
from minires.errors import DTypeError, ShapeError

WINDOWS = (
    {"padding": "same"},
    {"padding": "valid", "stride": 2},
    {"padding": (1, 4)},  # more than a kernel of 3 reaches
    {"padding": (4, 1)},
    {},
    {"stride": 2, "padding": 1},
    {"stride": (1, 2), "padding": (2, 0), "dilation": (2, 1)},
)
TABLE = []
for window in WINDOWS:
    for groups, channels, bias in ((1, 4, True), (2, 2, True), (4, 1, False)):
        settings = {**window, "groups": groups}
        inputs = (normal(2, 4, 7, 6), normal(8, channels, 3, 2), normal(8))[: 2 + bias]
        TABLE.append((f"conv2d {settings}", lambda f, *inputs, s=settings: f.conv2d(*inputs, **s), inputs))

TestAgainstTorch = against_torch(TABLE)

test_bad_input = refusals(
    [
        (ShapeError, lambda: ops.conv2d(x(), w(), t(5)), r"conv2d: bias has shape \(5,\), 6 output channels need \(6,"),
        (ShapeError, lambda: ops.conv2d(x(), t(6, 3, 3, 3)), "conv2d: x has 4 channels, weight expects 3"),
        (ShapeError, lambda: ops.conv2d(x(), w(), stride=0), "conv2d: stride must be at least 1, got 0"),
        (DTypeError, lambda: ops.conv2d(x(), w(), stride=1.5), "conv2d: stride must be an integer or two, got 1.5"),
        (ShapeError, lambda: ops.conv2d(t(2, 4, 2, 2), w()), "conv2d: the kernel reaches over 3×3"),
        (ShapeError, lambda: ops.conv2d(x(), w(), stride=2, padding="same"), "conv2d: padding='same' needs stride 1"),
        (DTypeError, lambda: ops.conv2d(x(), w(), padding="full"), "an integer or two, 'same' or 'valid'"),
        (DTypeError, lambda: ops.conv2d(x(), ones((6, 4, 3, 3), np.float32)), "conv2d: mixes float64 and float32"),
        (DTypeError, lambda: ops.conv2d(x(), ones((6, 4, 3, 3), int)), "conv2d: argument 2 is int64"),
        (ShapeError, lambda: nn.Conv2d(4, 6, 3, groups=3), "Conv2d: groups=3 must divide 4"),
        (ShapeError, lambda: nn.Conv2d(4, 6, 0), "Conv2d: kernel_size must be at least 1"),
    ]
)


@needs_torch
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")  # torch says that it copies
@pytest.mark.parametrize("kernel", ["readable", "direct", "fastest"])
@pytest.mark.parametrize("seed", range(30))
def test_same_padding_is_torchs_for_any_kernel_and_dilation(seed, kernel):
    rng = np.random.default_rng(seed)
    K = rng.integers(1, 6, 2)
    D = tuple(int(d) for d in rng.integers(1, 4, 2))
    (H, W) = rng.integers(1, 9, 2)
    groups = int(rng.integers(1, 3))
    inputs = rng.standard_normal((2, 4, H, W)), rng.standard_normal((6, 4 // groups, *K)), rng.standard_normal(6)

    def conv(f, x, weight, bias):
        return f.conv2d(x, weight, bias, padding="same", dilation=D, groups=groups)

    with kernels.use(kernel):
        for a, b in zip(*both(conv, inputs), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-11)


def test_denormals_are_numbers_like_others():
    tiny = np.full((1, 1, 3, 3), 5e-324)
    assert ops.conv2d(Tensor(tiny), Tensor(np.ones((1, 1, 3, 3)))).item() == 9 * 5e-324
    assert ops.relu(Tensor(tiny)).data.all()


def test_no_images_are_a_valid_batch():
    x = t(0, 4, 6, 5)
    weight = Tensor(w().data, requires_grad=True)
    y = ops.conv2d(x, weight, padding=1)
    assert y.shape == (0, 6, 6, 5)
    y.sum().backward()
    assert not weight.grad.any()
    assert ops.max_pool2d(x, kernel_size=2).shape == (0, 4, 3, 2)
