"""Numbers at the edge: large, infinite, not a number, very small."""

import numpy as np
import pytest
from backends import host

from minires import Tensor, kernels, ops
from minires.arrays import channels_last, owner

DTYPES = [np.float32, np.float64]


@pytest.mark.parametrize("dtype", DTYPES)
def test_cross_entropy_of_huge_logits_is_exact(dtype):
    logits = Tensor(np.array([[1e4, -1e4, 0], [-1e4, 1e4, 1e4]], dtype), requires_grad=True)
    loss = ops.cross_entropy(logits, np.array([1, 2]), reduction="none")
    np.testing.assert_allclose(loss.data, [2e4, np.log(2.0)], rtol=np.finfo(dtype).eps)
    loss.backward(np.ones(2, dtype))
    np.testing.assert_array_equal(logits.grad, np.array([[1, -1, 0], [0, 0.5, -0.5]], dtype))


def test_a_class_that_is_ruled_out_leaves_loss_and_gradient_finite():
    logits = Tensor(np.array([[0.0, -np.inf, 1.0]]), requires_grad=True)
    loss = ops.cross_entropy(logits, np.array([2]))
    loss.backward()
    assert np.isfinite(loss.item())
    assert np.isfinite(logits.grad).all()
    assert logits.grad[0, 1] == 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_nan_or_infinity_in_the_logits_gives_nan(value):
    with np.errstate(invalid="ignore"):
        assert np.isnan(ops.cross_entropy(Tensor(np.array([[value, 1.0]])), np.array([0])).item())


WHATEVER = np.array([[1.0, 2, 3], [np.nan, 0, 0], [-np.inf, 0, 0], [np.inf, 1, np.inf], [-np.inf, -np.inf, -np.inf]])
LOGITS = {
    "rows": (WHATEVER, np.array([0, -100, -100, -100, -100])),
    "map": (WHATEVER.T[None, :, :, None], np.array([0, -100, -100, -100, -100])[None, :, None]),
}  # (1,3,5,1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("settings", [{}, {"weight": np.array([0.5, 2, 1])}, {"label_smoothing": 0.3}], ids=str)
@pytest.mark.parametrize("form", LOGITS)
@pytest.mark.parametrize("op", [ops.cross_entropy, ops.nll_loss])
def test_what_lies_in_an_ignored_row_does_not_matter(backend, op, form, settings, reduction, dtype):
    if op is ops.nll_loss and "label_smoothing" in settings:
        return
    logits, target = LOGITS[form]
    found = []
    for data in (logits, np.where(np.isfinite(logits), logits, 7)):
        x = Tensor(backend.array(data.astype(dtype)), requires_grad=True)
        y = op(x, backend.array(target), reduction=reduction, **{k: backend.array(v) for k, v in settings.items()})
        y.backward(backend.array(np.full(y.shape, 2, dtype)))
        found.append((host(y.data), host(x.grad)))
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)
    gradients = np.moveaxis(found[0][1], 1, -1).reshape(5, 3)
    assert gradients[0].any()
    np.testing.assert_array_equal(gradients[1:], 0)


def test_an_infinite_gradient_does_not_reach_an_ignored_row(backend):
    for op in (ops.cross_entropy, ops.nll_loss):
        _, backward = op.raw(backend.array(np.ones((2, 3))), backend.array(np.array([-100, -100])), reduction="none")
        np.testing.assert_array_equal(host(backward(backend.array(np.array([np.inf, np.nan])))[0]), np.zeros((2, 3)))


@pytest.mark.parametrize("name", ["target", "weight", "pos_weight"])
def test_labels_and_weights_changed_after_the_loss_do_not_change_its_gradient(backend, name):
    def gradients(change):
        found = []
        for op, static in (
            (ops.cross_entropy, {"weight": np.array([1.0, 2, 3]), "label_smoothing": 0.2}),
            (ops.nll_loss, {"weight": np.array([1.0, 2, 3])}),
            (
                ops.binary_cross_entropy_with_logits,
                {"weight": np.array([[1.0], [2.0]]), "pos_weight": np.array([1.0, 2, 3])},
            ),
        ):
            static = {k: backend.array(v) for k, v in static.items()}
            target = np.array([0, 2]) if "pos_weight" not in static else np.array([[0.5, 0, 1], [1, 1, 0]])
            arrays = {"target": backend.array(target), **static}
            _, backward = op.raw(backend.array(np.array([[1.0, 2, 3], [3, 1, 1]])), arrays["target"], **static)
            if change and name in arrays and not (name == "target" and "pos_weight" in static):
                arrays[name][...] = 1
            found.append(host(backward(backend.array(np.array(1.0)))[0]))
        return found

    for a, b in zip(gradients(False), gradients(True), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", DTYPES)
def test_binary_cross_entropy_keeps_its_relative_precision_far_from_zero(dtype):
    x = Tensor(np.array([80.0, -80, 80, -80, 1e4], dtype), requires_grad=True)
    loss = ops.binary_cross_entropy_with_logits(x, np.array([1.0, 0, 0, 1, 0], dtype), reduction="none")
    np.testing.assert_allclose(loss.data, [np.exp(-80.0), np.exp(-80.0), 80, 80, 1e4], rtol=2 * np.finfo(dtype).eps)
    loss.backward(np.ones(5, dtype))
    np.testing.assert_allclose(x.grad, [-np.exp(-80.0), np.exp(-80.0), 1, -1, 1], rtol=2 * np.finfo(dtype).eps)


@pytest.mark.parametrize(
    "op",
    [
        ops.relu,
        ops.abs,
        ops.exp,
        ops.sigmoid,
        ops.tanh,
        lambda x: ops.maximum(x, 0.0),
        lambda x: ops.max(x),
        lambda x: ops.clip(x, min=0),
        ops.silu,
        ops.gelu,
    ],
)
def test_a_nan_goes_through(op):
    assert np.isnan(op(Tensor(np.array([1.0, np.nan]))).data).any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_overflows_where_the_result_is_finite(dtype):
    x = Tensor(np.array([[-1e4, -100, 0, 100, 1e4]], dtype))
    for y in (ops.sigmoid(x), ops.silu(x), ops.softmax(x, dim=1), ops.logsumexp(x, dim=1), ops.tanh(x), ops.gelu(x)):
        assert np.isfinite(y.data).all()


def test_sigmoid_keeps_its_relative_precision_far_below_zero():
    np.testing.assert_allclose(ops.sigmoid(Tensor(np.array([-700.0, -40.0]))).data, np.exp([-700.0, -40.0]), rtol=1e-15)


def test_logsumexp_of_nothing_but_minus_infinity_is_minus_infinity():
    with np.errstate(divide="ignore"):
        assert ops.logsumexp(Tensor(np.full(3, -np.inf)), dim=0).item() == -np.inf


def test_denormals_are_numbers_like_others():
    tiny = np.full((1, 1, 3, 3), 5e-324)
    assert ops.conv2d(Tensor(tiny), Tensor(np.ones((1, 1, 3, 3)))).item() == 9 * 5e-324
    assert ops.relu(Tensor(tiny)).data.all()


@pytest.mark.parametrize(("a", "b", "da"), [(0.0, 2.0, 0.0), (0.0, 1.0, 1.0), (0.0, 0.0, 0.0), (-2.0, 3.0, 12.0)])
def test_powers_at_zero_have_finite_gradients(a, b, da):
    x = Tensor(np.array([a]), requires_grad=True)
    (x**b).backward(np.ones(1))
    assert x.grad == da
    x.grad = None
    ops.pow(x, np.array([b])).backward(np.ones(1))
    assert x.grad == da


@pytest.mark.parametrize("zero", [0.0, np.zeros(3)], ids=["number", "array"])
def test_a_power_of_zero_does_not_depend_on_its_exponent(zero):
    b = Tensor(np.array([0.0, 1.0, 2.5]), requires_grad=True)
    y = ops.pow(zero, b)
    y.backward(np.ones(3))
    np.testing.assert_array_equal(y.data, [1, 0, 0])
    np.testing.assert_array_equal(b.grad, np.zeros(3))


def test_batch_norm_of_float32_with_a_mean_of_a_million_is_as_good_as_its_input():
    rng = np.random.default_rng(0)
    x = (1e6 + rng.standard_normal((8, 4, 16, 16))).astype(np.float32)
    y = ops.batch_norm(Tensor(x), np.ones(4, np.float32), np.zeros(4, np.float32), training=True)
    wide = x.astype(float)
    exact = (wide - wide.mean(axis=(0, 2, 3), keepdims=True)) / np.sqrt(wide.var(axis=(0, 2, 3), keepdims=True) + 1e-5)
    assert np.abs(y.data - exact).max() < 4e-6


def test_conv_norm_of_float32_is_as_exact_as_conv2d_and_batch_norm():
    """Errors against float64, root mean square, beside those of the two ops; measured 0.8–1.1 for y and dx, 0.9–1.5 for dw,

    and 1.1–3.8 for dγ, which is a sum of products with a rounded G where batch norm's is one of products in double.
    """
    rng = np.random.default_rng(0)
    mixed = rng.standard_normal((16, 16)) / 4  # channels that know of each other, as those behind a ReLU do
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
    for e, wide in zip(exact, one(x, w, weight, bias, dy), strict=True):
        np.testing.assert_allclose(wide, e, rtol=0, atol=1e-12 * np.abs(e).max())
    narrow = [a.astype(np.float32) for a in (x, w, weight, bias, dy)]
    for e, a, b, most in zip(exact, one(*narrow), two(*narrow), (1.2, 1.2, 1.6, 4, 1.1), strict=True):
        assert a.dtype == np.float32
        assert np.square(a - e).mean() ** 0.5 <= most * np.square(b - e).mean() ** 0.5


def test_conv_norm_knows_small_variances_among_large_ones():
    """Weights for which nearly all cancels: σ² is 1e-8 of what its terms are, and still right to 1e-4."""
    rng = np.random.default_rng(0)
    common = rng.standard_normal((4, 1, 16, 16))
    own = rng.standard_normal((4, 8, 16, 16))
    x = (1000 + common + 1e-4 * own).astype(np.float32)
    w = rng.standard_normal((32, 8, 1, 1)).astype(np.float32)
    w = np.round((w - w.mean(axis=1, keepdims=True)) * 64) / 64
    w[:, 0] -= w.sum(axis=1)  # exactly: what is common to the channels cancels
    running = np.zeros(32), np.zeros(32)
    ops.conv_norm.raw(
        x,
        w,
        np.ones(32, np.float32),
        np.zeros(32, np.float32),
        running_mean=running[0],
        running_var=running[1],
        training=True,
        momentum=1.0,
    )
    z = np.einsum("nchw,oc->nohw", x.astype(float), w[:, :, 0, 0].astype(float))
    np.testing.assert_allclose(running[1], z.var(axis=(0, 2, 3), ddof=1), rtol=1e-4)
    np.testing.assert_allclose(running[0], z.mean(axis=(0, 2, 3)), atol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_conv_norm_makes_no_map_but_y(training):
    x = np.ones((2, 3, 4, 4))
    w = np.ones((12, 3, 1, 1))
    v = np.ones(12)
    for relu in (False, True):
        y, backward = ops.conv_norm.raw(x, w, v, v, running_mean=v, running_var=v, training=training, relu=relu)
        kept = [cell.cell_contents for cell in backward.__closure__]
        assert sum(getattr(a, "shape", None) == y.shape for a in kept) == relu


def test_conv_norm_computes_no_gradient_of_pictures(monkeypatch):
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


def test_ties_follow_the_conventions():
    zero = Tensor(np.zeros(1), requires_grad=True)
    ops.relu(zero).backward(np.ones(1))
    assert zero.grad == 0
    same = Tensor(np.ones((1, 1, 2, 2)), requires_grad=True)
    ops.max_pool2d(same, kernel_size=2).backward(np.ones((1, 1, 1, 1)))
    np.testing.assert_array_equal(same.grad.ravel(), [1, 0, 0, 0])
    same.grad = None
    ops.max(same).backward()
    np.testing.assert_array_equal(same.grad.ravel(), [0.25] * 4)


def test_batch_norms_backward_keeps_y_for_its_relu_only():
    """A map of each batch norm more would make a step of ResNet-50 200 MB larger."""
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 4))
    v = np.ones(3)
    for op, keeps in ((ops.batch_norm, False), (ops.batch_norm_relu, True)):
        y, backward = op.raw(x, v, v, training=True)
        kept = any(owner(cell.cell_contents) is owner(y) for cell in backward.__closure__)
        assert kept is keeps


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_what_a_relu_or_a_window_passed_over_gets_no_gradient_be_the_upstream_infinite(backend, value, dtype):
    """As in PyTorch: nothing is multiplied by 0, for 0·∞ is a NaN."""
    row = np.array([[[[-1, 3, 0, -0.0, 2, -4]]]], dtype)
    x = backend.array(row)
    dy = backend.array(np.full_like(row, value))
    passed = np.where(row > 0, value, 0)
    np.testing.assert_array_equal(host(ops.relu.raw(x)[1](dy)), passed)
    for dx in ops.residual_add_relu.raw(x, x)[1](dy):
        np.testing.assert_array_equal(host(dx), passed)
    _, backward = ops.max_pool2d.raw(x, kernel_size=(1, 3))
    np.testing.assert_array_equal(host(backward(dy[..., :2])), np.where((row == 3) | (row == 2), value, 0))
