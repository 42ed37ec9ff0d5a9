"""ops/conv_norm.py: a convolution and the batch norm after it as one op."""

import numpy as np
import pytest
from against_torch import against_torch, needs_torch, normal, positive, torch
from bad_input import refusals, t, w, x

from minires import Tensor, kernels, nn, ops
from minires.arrays import channels_last
from minires.errors import ShapeError

X = normal(2, 4, 7, 6)
MEAN = normal(4)
VAR = positive(4)


def in_training(f, x, weight, gamma, beta):
    if f.ours:
        return f.conv_norm(x, weight, gamma, beta, training=True, eps=0.1)
    return f.batch_norm(f.conv2d(x, weight), None, None, gamma, beta, True, 0.1, 0.1)


def in_evaluation(f, x, weight, gamma, beta):
    running = {"running_mean": f.array(MEAN, x), "running_var": f.array(VAR, x)}
    if f.ours:
        return f.conv_norm(x, weight, gamma, beta, relu=True, stride=2, padding=1, **running)
    return f.relu(f.batch_norm(f.conv2d(x, weight, stride=2, padding=1), weight=gamma, bias=beta, **running))


TestAgainstTorch = against_torch(
    [
        ("conv_norm in training", in_training, (X, normal(9, 4, 1, 1), positive(9), normal(9))),
        ("conv_norm in evaluation", in_evaluation, (X, normal(4, 4, 3, 2), positive(4), normal(4))),
    ]
)


def train(x, weight, gamma, beta, **settings):
    return ops.conv_norm(x, weight, gamma, beta, training=True, **settings)


def w1(C=4):
    """The weight of a 1×1 convolution."""
    return t(6, C, 1, 1)


test_bad_input = refusals(
    [
        (ShapeError, lambda: train(x(), w(), t(6), t(6)), "conv_norm: training needs a 1×1 conv"),
        (ShapeError, lambda: train(x(), w1(), t(6), t(6), stride=2), "use batch_norm"),
        (ShapeError, lambda: train(x(), w1(2), t(6), t(6), groups=2), "groups=2"),
        (ShapeError, lambda: train(x(), w1(), t(4), t(6)), r"conv_norm: gamma has shape \(4,\), y has 6 channels"),
        (ShapeError, lambda: train(x(), w1(), t(6), t(4)), r"conv_norm: beta has shape \(4,\), y has 6 channels"),
        (ShapeError, lambda: train(t(0, 4, 2, 2), w1(), t(6), t(6)), "more than one value"),
        (ShapeError, lambda: ops.conv_norm(x(), w(), t(6), t(6)), "conv_norm: training=False needs running_mean"),
        (ShapeError, lambda: ops.conv_norm(x(), w1(3), t(6), t(6)), "conv_norm: x has 4 channels, weight expects 3"),
    ]
)


def test_conv_norm_of_float32_is_as_exact_as_conv2d_and_batch_norm():
    """Root mean square errors against float64, relative to those of the two ops.

    Measured: 0.8–1.1 for y and dx, 0.9–1.5 for dw, and 1.1–3.8 for dγ. Its products are with a rounded G, where batch
    norm sums products in float64.
    """
    rng = np.random.default_rng(0)
    mixed = rng.standard_normal((16, 16)) / 4  # correlated channels, as behind a ReLU
    x = np.maximum(channels_last(np.einsum("nchw,cd->ndhw", rng.standard_normal((4, 16, 20, 20)), mixed)) + 0.5, 0)
    w = rng.standard_normal((64, 16, 1, 1))
    weight = rng.uniform(0.5, 2, 64)
    bias = rng.standard_normal(64)
    dy = channels_last(rng.standard_normal((4, 64, 20, 20)))

    def two(x, w, weight, bias, dy):
        z, back = ops.conv2d.raw(x, w)
        y, norm_back = ops.batch_norm.raw(z, weight, bias, training=True)
        dz, *rest = norm_back(dy)
        return y, *back(dz), *rest

    def one(x, w, weight, bias, dy):
        y, backward = ops.conv_norm.raw(x, w, weight, bias, training=True)
        return y, *backward(dy)

    exact = two(x, w, weight, bias, dy)
    for e, a in zip(exact, one(x, w, weight, bias, dy), strict=True):
        np.testing.assert_allclose(a, e, rtol=0, atol=1e-12 * np.abs(e).max())
    rounded = [a.astype(np.float32) for a in (x, w, weight, bias, dy)]
    for e, a, b, most in zip(exact, one(*rounded), two(*rounded), (1.2, 1.2, 1.6, 4, 1.1), strict=True):
        assert a.dtype == np.float32
        assert np.square(a - e).mean() ** 0.5 <= most * np.square(b - e).mean() ** 0.5


def test_conv_norm_is_right_for_small_variances_among_large_ones():
    """With weights that make nearly everything cancel, σ² is 1e-8 of its terms, and still right to 1e-4."""
    rng = np.random.default_rng(0)
    common = rng.standard_normal((4, 1, 16, 16))
    own = rng.standard_normal((4, 8, 16, 16))
    x = (1000 + common + 1e-4 * own).astype(np.float32)
    w = rng.standard_normal((32, 8, 1, 1)).astype(np.float32)
    w = np.round((w - w.mean(axis=1, keepdims=True)) * 64) / 64
    w[:, 0] -= w.sum(axis=1)  # exactly: what is common to the channels cancels
    mean = np.zeros(32)
    var = np.zeros(32)
    settings = {"running_mean": mean, "running_var": var, "training": True, "momentum": 1.0}
    ops.conv_norm.raw(x, w, np.ones(32, np.float32), np.zeros(32, np.float32), **settings)
    z = np.einsum("nchw,oc->nohw", x.astype(float), w[:, :, 0, 0].astype(float))
    np.testing.assert_allclose(var, z.var(axis=(0, 2, 3), ddof=1), rtol=1e-4)
    np.testing.assert_allclose(mean, z.mean(axis=(0, 2, 3)), atol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_conv_norm_keeps_no_feature_map_but_y_for_its_relu(training):
    x = np.ones((2, 3, 4, 4))
    w = np.ones((12, 3, 1, 1))
    v = np.ones(12)
    for relu in (False, True):
        y, backward = ops.conv_norm.raw(x, w, v, v, running_mean=v, running_var=v, training=training, relu=relu)
        kept = [cell.cell_contents for cell in backward.__closure__]
        assert sum(getattr(a, "shape", None) == y.shape for a in kept) == relu


def test_conv_norm_computes_no_gradient_of_images(monkeypatch):
    def not_wanted(*arguments):
        raise AssertionError

    monkeypatch.setattr(kernels, "conv_dx_dw", not_wanted)
    w = Tensor(np.ones((4, 2, 1, 1)), requires_grad=True)
    v = np.ones(4)
    ops.conv_norm(np.random.default_rng(0).standard_normal((2, 2, 3, 3)), w, v, v, training=True).backward(
        np.random.default_rng(1).standard_normal((2, 4, 3, 3))
    )
    assert np.abs(w.grad).max() > 0


def test_conv_norm_in_evaluation_computes_no_gradient_of_fixed_weights(monkeypatch):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 2, 5, 5))
    w = rng.standard_normal((4, 2, 3, 3))
    v = np.ones(4)
    y, backward = ops.conv_norm.raw(x, w, v, v, running_mean=v, running_var=v)
    expected = backward(y)[0]

    def not_wanted(*arguments):
        raise AssertionError

    monkeypatch.setattr(kernels, "conv_dx_dw", not_wanted)
    x = Tensor(x, requires_grad=True)
    ops.conv_norm(x, w, v, v, running_mean=v, running_var=v).backward(y)
    np.testing.assert_allclose(x.grad, expected, atol=1e-13)


def test_conv_norm_in_training_gives_images_the_same_gradient_where_the_weights_are_fixed():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 4, 4))
    dy = rng.standard_normal((2, 12, 4, 4))
    w = rng.standard_normal((12, 3, 1, 1))
    gamma = rng.standard_normal(12)
    beta = rng.standard_normal(12)
    _, backward = ops.conv_norm.raw(x, w, gamma, beta, training=True)
    expected = backward(dy)[0]
    x = Tensor(x, requires_grad=True)
    ops.conv_norm(x, w, gamma, beta, training=True).backward(dy)
    np.testing.assert_allclose(x.grad, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("op", [ops.conv_norm, ops.batch_norm, ops.batch_norm_relu])
def test_running_statistics_that_change_before_backward_do_not_change_the_gradients(op):
    x = normal(2, 5, 4, 4)
    arguments = [x, *([normal(5, 5, 1, 1)] if op is ops.conv_norm else []), normal(5), normal(5)]
    mean = normal(5)
    var = positive(5)
    _, backward = op.raw(*arguments, running_mean=mean, running_var=var)
    expected = [dx.copy() for dx in backward(x)]
    mean += 1
    var *= 2
    for found, before in zip(backward(x), expected, strict=True):
        np.testing.assert_array_equal(found, before)


WAYS = {
    "layers": lambda x, conv, norm: norm(conv(x)),
    "op": lambda x, conv, norm: ops.batch_norm(conv(x), norm.weight, norm.bias, **norm.op_settings()),
    "conv_norm": lambda x, conv, norm: ops.conv_norm(x, conv.weight, norm.weight, norm.bias, **norm.op_settings()),
    "chain": lambda x, conv, norm: nn.chain(x, conv, norm),
    "layers and relu": lambda x, conv, norm: ops.relu(norm(conv(x))),
    "batch_norm_relu": lambda x, conv, norm: nn.chain(conv(x), norm, ops.relu),
    "conv_norm and relu": lambda x, conv, norm: nn.chain(x, conv, norm, ops.relu),
}


@needs_torch
@pytest.mark.parametrize("choice", ["fastest", "direct", "readable", "naive"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("mean", "var"), [(np.inf, 1), (-np.inf, 1), (np.nan, 1), (0, np.inf), (0, np.nan)])
def test_running_statistics_that_are_not_finite_give_torchs_result_in_every_way(mean, var, way, choice):
    given = {
        "weight": np.array([1, 2, -1, 0.5]),
        "bias": np.array([0, 1, 2, 3]),
        "running_mean": np.array([0, 5, mean, 1]),
        "running_var": np.array([1, 2, var, 1]),
    }
    given = {name: a.astype(np.float32) for name, a in given.items()}
    x = X.astype(np.float32)
    w = normal(4, 4, 1, 1).astype(np.float32)
    theirs = [torch.tensor(a, requires_grad=True) for a in (x, w, given["weight"], given["bias"])]
    running = torch.tensor(given["running_mean"]), torch.tensor(given["running_var"])
    y = torch.nn.functional.batch_norm(torch.nn.functional.conv2d(*theirs[:2]), *running, *theirs[2:])
    y = torch.relu(y) if "relu" in way else y
    y.sum().backward()
    expected = [y.detach().numpy(), *(t.grad.numpy() for t in theirs)]

    conv = nn.Conv2d(4, 4, 1, bias=False)
    norm = nn.BatchNorm2d(4).eval()
    conv.load_state_dict({"weight": w})
    norm.load_state_dict({**given, "num_batches_tracked": np.array(0)})
    for lay in (np.ascontiguousarray, channels_last):
        inputs = Tensor(lay(x), requires_grad=True)
        norm.zero_grad()
        conv.zero_grad()
        with kernels.use(choice), np.errstate(invalid="ignore"):  # 0·∞ where the ReLU has no slope
            y = WAYS[way](inputs, conv, norm)
            y.sum().backward()
        found = [y.data, inputs.grad, conv.weight.grad, norm.weight.grad, norm.bias.grad]
        count = 1 if "relu" in way and np.isnan(mean + var) else 5  # relu's gradient at a NaN is 0, in PyTorch 1
        for e, a in zip(expected[:count], found[:count], strict=True):
            np.testing.assert_allclose(a, e, rtol=1e-5, atol=1e-4)
