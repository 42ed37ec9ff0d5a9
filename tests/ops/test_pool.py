"""ops/pool.py: the maximum or the mean under a window."""

import numpy as np
import pytest
from against_torch import against_torch, both, needs_torch, normal, rng, torch
from bad_input import refusals, t, x

from minires import Tensor, ops
from minires.arrays import channels_last, is_channels_last
from minires.errors import DTypeError, ShapeError
from minires.ops.pool import LARGEST_WINDOW

X = normal(2, 4, 7, 6)
TIES = rng.integers(0, 2, X.shape) * 1.0


def region(output_size):
    return lambda f, x: f.adaptive_avg_pool2d(x, output_size)


TestAgainstTorch = against_torch(
    [
        ("max_pool2d", lambda f, x: f.max_pool2d(x, (3, 2), (2, 1), 1), (X,)),
        ("max_pool2d with ties", lambda f, x: f.max_pool2d(x, 3, 1, 1), (TIES,)),
        ("avg_pool2d", lambda f, x: f.avg_pool2d(x, (3, 2), (2, 1), 1), (X,)),
        ("adaptive_avg_pool2d", region((3, 9)), (X,)),
        ("adaptive_avg_pool2d that keeps the columns", region((3, None)), (X,)),
        ("global pool", region(1), (X,)),
    ]
)

test_bad_input = refusals(
    [
        (ShapeError, lambda: ops.max_pool2d(x(), kernel_size=2, padding=2), "max_pool2d: padding 2 is more than half"),
        (DTypeError, lambda: ops.max_pool2d(x(), 2, padding="same"), "max_pool2d: padding must be an integer or two"),
        (ShapeError, lambda: ops.max_pool2d(x(), 2, dilation=0), "max_pool2d: dilation must be at least 1, got 0"),
        (ShapeError, lambda: ops.avg_pool2d(t(4, 6), kernel_size=2), r"avg_pool2d: x must be \(N,C,H,W\)"),
        (ShapeError, lambda: ops.adaptive_avg_pool2d(t(2, 3)), r"adaptive_avg_pool2d: x must be \(N,C,H,W\), got \(2,"),
        (DTypeError, lambda: ops.adaptive_avg_pool2d(x(), None), "output_size must be an integer or two, got None"),
        (ShapeError, lambda: ops.adaptive_avg_pool2d(x(), (1, 2, 2)), r"an integer or two, got \(1, 2, 2\)"),
        (ShapeError, lambda: ops.adaptive_avg_pool2d(x(), 0), "adaptive_avg_pool2d: output_size must be at least 1"),
    ]
)


def windows(rng):
    """(H, W) and the settings of a pooling, each of them anything that torch might take."""
    K, S, P = ([int(v) for v in rng.integers(low, high, 2)] for low, high in ((1, 5), (1, 5), (0, 3)))
    return tuple(rng.integers(1, 9, 2)), {
        "kernel_size": tuple(K),
        "stride": tuple(S),
        "padding": tuple(P),
        "ceil_mode": bool(rng.integers(2)),
    }


@needs_torch
@pytest.mark.parametrize("seed", range(400))
def test_any_pooling_is_torchs_or_refused_by_both(seed):
    rng = np.random.default_rng(seed)
    (H, W), settings = windows(rng)
    x = rng.permutation(2 * H * W).reshape(1, 2, H, W).astype(float)
    for name, more in (
        ("max_pool2d", {"dilation": tuple(int(d) for d in rng.integers(1, 3, 2))}),
        ("avg_pool2d", {"count_include_pad": bool(rng.integers(2))}),
    ):

        def pool(f, x, name=name, more=more):
            return getattr(f, name)(x, **settings, **more)

        try:
            right = pool(torch.nn.functional, torch.tensor(x))
        except RuntimeError:
            with pytest.raises(ValueError, match=name):
                pool(ops, Tensor(x))
            continue
        if not torch.isfinite(right).all():
            continue  # a window of dilation in which torch finds nothing sends its gradient to any place
        for a, b in zip(*both(pool, (x,)), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("laid_out", [np.ascontiguousarray, channels_last])
@pytest.mark.parametrize("output_size", [(1, 1), (2, 1), (1, 3)])
def test_large_regions_of_one_size_are_averaged_and_keep_the_memory_format(laid_out, output_size):
    OH, OW = output_size
    rng = np.random.default_rng(0)
    x = laid_out(rng.standard_normal((2, 3, 28, 36)))
    dy = rng.standard_normal((2, 3, OH, OW))
    y, backward = ops.adaptive_avg_pool2d.raw(x, output_size=output_size)
    dx = backward(dy)
    regions = x.reshape(2, 3, OH, 28 // OH, OW, 36 // OW)
    np.testing.assert_allclose(y, regions.mean(axis=(3, 5)), atol=1e-14)
    assert regions[0, 0, 0, :, 0, :].size > LARGEST_WINDOW
    expected = np.repeat(np.repeat(dy, 28 // OH, axis=2), 36 // OW, axis=3) * OH * OW / (28 * 36)
    np.testing.assert_allclose(dx, expected, atol=1e-14)
    assert is_channels_last(dx) == is_channels_last(x)
