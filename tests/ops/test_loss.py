"""ops/loss.py: losses of classifiers."""

import itertools

import numpy as np
import pytest
from against_torch import against_torch, both, needs_torch, normal, positive, rng
from backends import host
from bad_input import array, labels, ones, refusals, t

from minires import Tensor, ops
from minires.errors import DTypeError, OptionError, ShapeError

X = normal(2, 4, 7, 6)
V = normal(3, 5)
TARGET = np.array([0, 2, 1, 4, 2, 0])
PIXELS = rng.integers(0, 4, (2, 7, 6))  # a class for each pixel of X
DTYPES = [np.float32, np.float64]


def loss(name, target=None, **settings):
    """The row's function of an op. Arrays among the settings take the dtype of its first argument."""

    def function(f, x, *more):
        more = more if target is None else (f.array(target),)
        given = {k: f.array(v, x) if isinstance(v, np.ndarray) else v for k, v in settings.items()}
        return getattr(f, name)(x, *more, **given)

    return function


REDUCTIONS = ("mean", "sum", "none")
WEIGHTS = {}, {"weight": positive(5)}
TABLE = [
    ("cross_entropy of a feature map", loss("cross_entropy", PIXELS), (X,)),
    ("cross_entropy with a list", lambda f, x: f.cross_entropy(x, [4, 0, 1] if f.ours else f.array([4, 0, 1])), (V,)),
    ("nll_loss of a feature map", loss("nll_loss", PIXELS), (X,)),
]
for reduction, ignored, weight in itertools.product(REDUCTIONS, (-100, 2), WEIGHTS):
    settings = {"reduction": reduction, "ignore_index": ignored, **weight}
    name = f"{reduction} {ignored} {list(weight)}"
    TABLE.append((f"nll_loss {name}", loss("nll_loss", TARGET, **settings), (normal(6, 5),)))
    for smoothing in (0.0, 0.3):
        smoothed = loss("cross_entropy", TARGET, label_smoothing=smoothing, **settings)
        TABLE.append((f"cross_entropy {name} {smoothing}", smoothed, (normal(6, 5),)))
for reduction, smoothing, weight in itertools.product(REDUCTIONS, (0.0, 0.3, 1.0), ({}, {"weight": positive(4)})):
    settings = {"reduction": reduction, "label_smoothing": smoothing, **weight}
    name = f"cross_entropy of probabilities {reduction} {smoothing} {list(weight)}"
    TABLE.append((name, loss("cross_entropy", **settings), (X, positive(*X.shape))))
BINARY = "binary_cross_entropy_with_logits"
for reduction in REDUCTIONS:
    both_weights = {"weight": positive(3, 5), "pos_weight": positive(3, 1)}
    for weights in {}, {"weight": positive(3, 1)}, {"pos_weight": positive(5)}, both_weights:
        function = loss(BINARY, reduction=reduction, **weights)
        TABLE.append((f"{BINARY} {reduction} {list(weights)}", function, (5 * V, rng.uniform(0, 1, V.shape))))

TestAgainstTorch = against_torch(TABLE)


def entropy(x, target, **settings):
    return ops.cross_entropy(x, target, **settings)


def of_three(**settings):
    return ops.cross_entropy(t(3, 4), labels(0, 1, 2), **settings)


def binary(*inputs, **settings):
    return ops.binary_cross_entropy_with_logits(*inputs, **settings)


def large(n):
    """A class number that int64 cannot hold, among others."""
    return array([0, 2**64 - n, 1], np.uint64)


ONE = "of one sample give a batch of one: "
test_bad_input = refusals(
    [
        (ShapeError, lambda: entropy(t(3, 4), labels(0, 1)), r"cross_entropy: logits \(N,K,…\) are \(3, 4\)"),
        (ShapeError, lambda: entropy(t(3), labels(0, 1, 2)), r"cross_entropy: logits \(N,K,…\) are \(3,\)"),
        (ShapeError, lambda: entropy(t(3, 0), labels(0, 1, 2)), r"cross_entropy: logits \(N,K,…\) are \(3, 0\)"),
        (ShapeError, lambda: entropy(t(2, 4, 3), labels(0, 1)), r"are \(2, 4, 3\), target \(N,…\) is \(2,\)"),
        (DTypeError, lambda: entropy(t(3, 4), labels(True, False, True)), "as integers, got bool"),
        (DTypeError, lambda: entropy(t(3, 4), ["a", "b", "c"]), "cross_entropy: target must hold class numbers"),
        (DTypeError, lambda: entropy(t(3, 4), [[0], [1, 2]]), r"as integers, got the list \[\[0\], \[1, 2\]\]"),
        (DTypeError, lambda: entropy(t(3, 4), [0.0, 1.0, 2.0]), "as integers, got float64"),
        (DTypeError, lambda: entropy(t(3, 4), ones(3)), "cross_entropy: target must hold class numbers"),
        (DTypeError, lambda: entropy(ones((3, 4), int), labels(0, 1, 2)), "cross_entropy: argument 1 is int64"),
        (ShapeError, lambda: entropy(t(4), array(1)), ONE + r"logits\[None\], target\[None\]"),
        (ShapeError, lambda: ops.nll_loss(t(4), array(1)), ONE + r"log_p\[None\], target\[None\]"),
        (DTypeError, lambda: entropy(t(3, 4), ones((3, 4), np.float32)), "mixes float64 logits and float32 prob"),
        (DTypeError, lambda: entropy(t(3, 4), ones((4, 3))), r"classes of the logits \(3, 4\); got float64 \(4, 3\)"),
        (OptionError, lambda: entropy(t(3, 4), ones((3, 4)), ignore_index=0), "ignore_index=0 goes with class numbers"),
        (ShapeError, lambda: entropy(t(3, 4), ones((3, 4)), weight=ones(3)), r"weight has shape \(3,\), 4 classes"),
        (ShapeError, lambda: entropy(t(3, 4), ones((3, 4), int)), r"target \(N,…\) is \(3, 4\)"),
        (IndexError, lambda: entropy(t(3, 4), labels(0, 4, 1)), "cross_entropy: target 4 is no class of 0 … 3"),
        (IndexError, lambda: entropy(t(3, 4), labels(0, -1, 1)), "target -1 is no class"),
        (IndexError, lambda: entropy(t(3, 4), large(100)), "is no class of 0 … 3"),
        (IndexError, lambda: entropy(t(3, 4), large(1), ignore_index=-1), "is no class of 0 … 3"),
        (DTypeError, lambda: of_three(ignore_index=0.5), "ignore_index must be an integer"),
        (DTypeError, lambda: of_three(weight=[1, 1, 1, 2]), "weight must be an array"),
        (ShapeError, lambda: of_three(weight=ones(3)), "weight has shape"),
        (OptionError, lambda: of_three(label_smoothing=1.5), "label_smoothing must be .* at most 1, got 1.5"),
        (OptionError, lambda: of_three(label_smoothing="a"), "label_smoothing .* got 'a'"),
        (OptionError, lambda: of_three(reduction="avg"), "reduction must be one of"),
        (IndexError, lambda: ops.nll_loss(t(3, 4), labels(0, 4, 1)), "nll_loss: target 4 is no class of 0 … 3"),
        (IndexError, lambda: ops.nll_loss(t(3, 4), large(100)), "is no class of 0 … 3"),
        (DTypeError, lambda: ops.nll_loss(t(3, 4), ones((3, 4))), "nll_loss: target must hold class numbers"),
        (ShapeError, lambda: ops.nll_loss(t(3, 4), labels(0, 1)), r"nll_loss: log_p \(N,K,…\) are \(3, 4\)"),
        (OptionError, lambda: ops.nll_loss(t(2, 4), labels(0, 1), reduction="avg"), "nll_loss: reduction must be"),
        (ShapeError, lambda: binary(t(3, 1), t(3)), r"input \(3, 1\) and target \(3,\) differ"),
        (ShapeError, lambda: binary(t(3, 2), t(3, 2), pos_weight=ones(3)), r"pos_weight \(3,\) does not broadcast"),
        (ShapeError, lambda: binary(t(3), t(3), weight=ones((2, 3))), "weight .* does not broadcast"),
        (DTypeError, lambda: binary(t(3), t(3), pos_weight=2.0), "pos_weight must be an array"),
        (OptionError, lambda: binary(t(3), t(3), reduction=None), "reduction must be one of"),
    ]
)


ROWS = np.array([[1.0, 2, 3], [4, 5, 1], [0, -1, 2]])


@needs_torch
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weight", [None, [1.0, 2.0, 0.5], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]], ids=str)
@pytest.mark.parametrize("target", [[0, 1, -100], [-100, 1, -100], [-100, -100, -100]], ids=str)
def test_a_loss_of_few_samples_none_or_no_weight_is_torchs(target, weight, smoothing, reduction):
    """A mean over nothing is NaN, its gradient 0 for ignored samples and NaN for those without weight; no warning."""
    weight = None if weight is None else np.array(weight)
    settings = {"weight": weight, "label_smoothing": smoothing, "reduction": reduction}
    for a, b in zip(*both(loss("cross_entropy", np.array(target), **settings), (ROWS,)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)


@needs_torch
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(
    ("name", "target", "shapes"),
    [
        ("cross_entropy", np.zeros(0, int), [(0, 3)]),
        ("nll_loss", np.zeros((2, 0), int), [(2, 3, 0)]),
        ("cross_entropy", None, [(0, 3)] * 2),
        ("mse_loss", None, [(0, 3)] * 2),
        ("l1_loss", None, [(0,)] * 2),
        ("smooth_l1_loss", None, [(0,)] * 2),
        (BINARY, None, [(2, 0)] * 2),
    ],
    ids=["cross_entropy", "nll_loss", "probabilities", "mse_loss", "l1_loss", "smooth_l1_loss", "binary"],
)
def test_a_loss_of_no_samples_is_torchs(name, target, shapes, reduction):
    inputs = [np.zeros(shape) for shape in shapes]
    for a, b in zip(*both(loss(name, target, reduction=reduction), inputs, np.float32), strict=True):
        np.testing.assert_array_equal(a, b)


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
IGNORED = np.array([0, -100, -100, -100, -100])
LOGITS = {
    "rows": (WHATEVER, IGNORED),
    "feature map": (WHATEVER.T[None, :, :, None], IGNORED[None, :, None]),  # (1,3,5,1)
}


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


def test_a_masked_target_is_refused():
    with pytest.raises(DTypeError, match="cross_entropy: MaskedArray"):
        ops.cross_entropy(t(2, 2), np.ma.masked_array([0, 1], [0, 1]))
