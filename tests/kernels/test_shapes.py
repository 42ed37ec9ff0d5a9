"""A convolution that is not computed has the shape of one that is, and no other block sees it."""

import numpy as np
import pytest

from minires import kernels, ops
from minires.kernels.choice import shapes_only

rng = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        ((2, 6, 9, 8), {}),
        ((1, 6, 9, 8), {"stride": (2, 3), "padding": (1, 0)}),
        ((3, 6, 9, 9), {"dilation": 2, "padding": 1}),
        ((2, 3, 9, 8), {"groups": 2, "padding": "same"}),
    ],
)
def test_it_is_zeros_in_the_shape_type_and_order_of_a_real_one(shape, settings, dtype):
    x = rng.standard_normal((shape[0], 6, *shape[2:])).astype(dtype)
    w = rng.standard_normal((4, shape[1], 3, 3)).astype(dtype)
    real, _ = ops.conv2d.raw(x, w, **settings)
    with shapes_only():
        y, _ = ops.conv2d.raw(x, w, **settings)
    assert (y.shape, y.dtype, y.strides) == (real.shape, real.dtype, real.strides)
    assert real.any()
    assert not y.any()


def test_the_fused_convolution_is_not_computed_either():
    x = rng.standard_normal((2, 3, 5, 5))
    w = rng.standard_normal((4, 3, 1, 1))
    v = np.ones(4)
    settings = {"running_mean": v, "running_var": v}
    real, _ = ops.conv_norm.raw(x, w, v, v, **settings)
    with shapes_only():
        y, _ = ops.conv_norm.raw(x, w, v, v, **settings)
    assert y.shape == real.shape
    assert not y.any()


def test_after_the_block_the_choice_is_what_it_was_before():
    with kernels.use("direct"):
        with shapes_only():
            assert kernels.chosen() == "shapes"
        assert kernels.chosen() == "direct"
    with pytest.raises(ValueError, match="choose one of fastest, direct, readable, naive, got 'shapes'"):
        kernels.use("shapes")
