"""Methods that people know from PyTorch and NumPy: right values come from these two."""

import numpy as np
import pytest

import minires
from minires import Tensor, ops
from minires.errors import DTypeError, OptionError, ShapeError

A = np.random.default_rng(0).uniform(0.5, 2, (3, 4)).astype("f4")
B = np.random.default_rng(1).uniform(0.5, 2, (3, 4)).astype("f4")


@pytest.mark.parametrize(
    ("ours", "right"),
    [
        (lambda x: x.exp(), np.exp(A)),
        (lambda x: x.log(), np.log(A)),
        (lambda x: x.sqrt(), np.sqrt(A)),
        (lambda x: x.neg().abs(), A),
        (lambda x: x.add(B), A + B),
        (lambda x: x.sub(B), A - B),
        (lambda x: x.mul(B), A * B),
        (lambda x: x.div(B), A / B),
        (lambda x: x.pow(2), A**2),
        (lambda x: x.maximum(B), np.maximum(A, B)),
        (lambda x: x.clip(0.7, 1), A.clip(0.7, 1)),
        (lambda x: x.clamp(min=1), A.clip(1)),
        (lambda x: (x - 1).relu(), (A - 1).clip(0)),
        (lambda x: x.sigmoid(), 1 / (1 + np.exp(-A))),
        (lambda x: x.tanh(), np.tanh(A)),
        (lambda x: +x, A),
        (lambda x: x.softmax(1), np.exp(A) / np.exp(A).sum(1, keepdims=True)),
        (lambda x: x.log_softmax(dim=0), A - np.log(np.exp(A).sum(0))),
        (lambda x: x.logsumexp((0, 1)), np.log(np.exp(A).sum())),
        (lambda x: x.matmul(B.T), A @ B.T),
        (lambda x: x.sum(axis=1), A.sum(1)),
        (lambda x: x.sum(0, keepdims=True), A.sum(0, keepdims=True)),
        (lambda x: x.mean(axis=(0, 1)), A.mean()),
        (lambda x: x.var(1), A.var(1, ddof=1)),
        (lambda x: x.std(dim=0), A.std(0, ddof=1)),
        (lambda x: x.norm(), np.sqrt((A * A).sum())),
        (lambda x: x.norm(p=1, dim=1), A.sum(1)),
        (lambda x: x.amax(1), A.max(1)),
        (lambda x: x.amin((0, 1)), A.min()),
        (lambda x: np.max(x, 1, keepdims=True), A.max(1, keepdims=True)),
        (lambda x: x.max(), A.max()),
        (lambda x: x.min(axis=0)[0], A.min(0)),
        (lambda x: x.max(1).values, A.max(1)),
        (lambda x: x.max(1)[1], A.argmax(1)),
        (lambda x: x.min(0, True)[1], A.argmin(0)[None]),
        (lambda x: x.argmax(), A.argmax()),
        (lambda x: x.argmin(-1, keepdim=True), A.argmin(-1)[:, None]),
        (lambda x: x.view(2, -1), A.reshape(2, 6)),
        (lambda x: x.view((12,)), A.ravel()),
        (lambda x: x.T.contiguous(), A.T),
        (lambda x: x.unsqueeze(1), A[:, None]),
        (lambda x: x.unsqueeze(-1).squeeze(), A),
        (lambda x: x[:, None].squeeze(1), A),
        (lambda x: x.expand(2, 3, 4), np.broadcast_to(A, (2, 3, 4))),
        (lambda x: x[:1].expand(5, -1), np.broadcast_to(A[:1], (5, 4))),
        (lambda x: x.clone(), A),
        (lambda x: x.double(), A.astype(float)),
        (lambda x: x.to(np.float64).float(), A),
        (lambda x: x.to("float64").type_as(x), A),
        (lambda x: x.long(), A.astype(int)),
        (lambda x: x.cpu(), A),
        (lambda x: (x > 1).float(), (A > 1).astype("f4")),
        (lambda x: (x > 1) & ~(x > 1.5), (A > 1) & (A <= 1.5)),
        (lambda x: ((x > 1) | (x < 0.7)).any(), True),
        (lambda x: (x > 0).all(1), [True] * 3),
        (lambda x: (x.argmax(1) == A.argmax(1)).float().mean(), 1),
        (lambda x: (x > 1).sum(), (A > 1).sum()),
        (lambda x: (x > 1).mean(), (A > 1).mean()),
        (lambda x: x.eq(A).all(), True),
        (lambda x: Tensor([1, 2, 3]) + 1.5, [2.5, 3.5, 4.5]),
        (lambda x: x[0] * np.arange(4), A[0] * np.arange(4)),
        (lambda x: Tensor([1, 2]) / 2, [0.5, 1]),
        (lambda x: Tensor([1, 2]) + Tensor([3, 4]), [4, 6]),
        (lambda x: x * (x > 1), A * (A > 1)),
        (lambda x: ops.where(x > 1, x, 0), np.where(A > 1, A, 0)),
        (lambda x: np.sum(x), A.sum()),
        (lambda x: np.mean(x, axis=0), A.mean(0)),
        (lambda x: np.std(x), A.std()),
        (lambda x: np.var(x, 1), A.var(1)),
        (lambda x: np.max(x), A.max()),
        (lambda x: np.min(x, axis=1), A.min(1)),
        (lambda x: np.argmax(x, axis=1), A.argmax(1)),
        (lambda x: np.exp(x), np.exp(A)),
        (lambda x: np.add(B, x), A + B),
        (lambda x: B - x, B - A),
        (lambda x: B / x, B / A),
        (lambda x: np.greater(B, x), B > A),
        (lambda x: np.isnan(x), np.isnan(A)),
        (lambda x: x + np.float64(2), A + 2),
        (lambda x: x.fill_(2), A * 0 + 2),
        (lambda x: x.to("cpu", np.float64), A.astype(float)),
        (lambda x: x.to(dtype=np.float64, device="cpu"), A.astype(float)),
        (lambda x: x.to(Tensor(A.astype(float)), non_blocking=True), A.astype(float)),
        (lambda x: x.minimum(B), np.minimum(A, B)),
        (lambda x: Tensor(np.full(2, 200, np.uint8)).sum() - 500, -100),
        (lambda x: x.mean(dim=[]), A.mean()),
        (lambda x: x.zero_(), A * 0),
    ],
)
def test_a_habit_gives_what_torch_or_numpy_gives(ours, right):
    y = ours(Tensor(A.copy()))
    assert isinstance(y, Tensor)
    right = np.asarray(right)
    assert y.shape == right.shape
    assert y.dtype.kind == right.dtype.kind or right.dtype == object or y.dtype == np.float32
    np.testing.assert_allclose(y.data, right, rtol=3e-6)


def test_unbiased_and_correction_are_one_setting():
    x = Tensor(A)
    assert x.var(unbiased=False).item() == x.var(correction=0).item() < x.var(unbiased=True).item() == x.var().item()
    with pytest.raises(OptionError, match="std: unbiased=False and correction=0 are one setting"):
        x.std(correction=0, unbiased=False)
    with pytest.raises(DTypeError, match="var: unbiased must be True or False, got 0"):
        x.var(1, 0)


def test_what_is_a_number_becomes_one():
    assert (int(Tensor(3)), float(Tensor(2.5)), [10, 20][Tensor(1)], Tensor([[1, 2]]).tolist()) == (
        3,
        2.5,
        20,
        [[1, 2]],
    )
    for no_index in (Tensor(1.0), Tensor([1])):
        with pytest.raises(TypeError, match="0-d tensor of integers"):
            [10, 20][no_index]


def test_max_along_an_axis_is_unpacked_as_in_torch_and_never_into_rows():
    logits = Tensor([[1.0, 5, 2], [7, 3, 4]], requires_grad=True)
    values, indices = logits.max(1)
    assert (values.tolist(), indices.tolist(), indices.dtype) == ([5, 7], [1, 0], np.int64)
    values.sum().backward()
    assert logits.grad.tolist() == [[0, 1, 0], [1, 0, 0]]
    with pytest.raises(OptionError, match="one setting"):
        logits.max(dim=1, axis=0)


@pytest.mark.parametrize(
    "call", [lambda x: x.mean(0, 1), lambda x: ops.sum(x, 0, 1), lambda x: x.std(False), lambda x: x.sum(True)]
)
def test_several_dims_are_one_tuple_and_no_boolean_is_a_dim(call):
    with pytest.raises(DTypeError, match=r"keepdim must be True or False|dim must be an integer"):
        call(Tensor(A))


@pytest.mark.parametrize(
    "call", [lambda x: x.sum(dtype=int), lambda x: x.mean(out=np.zeros(2)), lambda x: np.sum(x, dtype="f8")]
)
def test_what_numpys_reductions_take_besides_is_refused_and_not_ignored(call):
    with pytest.raises(OptionError, match=r"takes no (dtype|out)="):
        call(Tensor(A))


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("sum", {"where": A > 1}),
        ("sum", {"initial": 9.0}),
        ("mean", {"where": A > 1}),
        ("var", {"where": A > 1}),
        ("var", {"mean": 0.0}),
        ("std", {"where": A > 1}),
        ("max", {"initial": 9.0}),
        ("min", {"initial": 9.0}),
        ("all", {"where": A > 1}),
        ("any", {"where": A > 1}),
    ],
    ids=lambda value: "-".join(value),
)
def test_numpys_settings_that_a_tensor_has_not_are_refused_by_name(name, setting):
    with pytest.raises(OptionError, match=rf"{name}: a Tensor takes no {next(iter(setting))}=, got"):
        getattr(np, name)(Tensor(A), axis=0, **setting)


@pytest.mark.parametrize("name", ["sum", "mean", "var", "std", "max", "min", "argmax", "argmin", "all", "any"])
def test_a_misspelt_setting_of_a_reduction_is_pythons_own_error(name):
    with pytest.raises(TypeError, match=rf"{name}\(\) got an unexpected keyword argument 'keep_dim'"):
        getattr(Tensor(A), name)(0, keep_dim=True)


def test_a_type_changed_in_a_graph_hands_the_gradient_back_in_the_old_one():
    x = Tensor(A.copy(), requires_grad=True)
    (x.double() * 2.0).sum().backward()
    assert x.grad.dtype == np.float32
    np.testing.assert_array_equal(x.grad, 2 * np.ones_like(A))
    assert not x.long().requires_grad
    assert not (x > 1).requires_grad


# Making tensors


def test_tensors_are_made_from_sizes_in_float32():
    minires.manual_seed(1)
    first = minires.randn(2, 3)
    minires.manual_seed(1)
    for t, value in ((minires.zeros(2, 3), 0), (minires.ones((2, 3)), 1), (minires.randn(2, 3), first.data)):
        assert (t.shape, t.dtype) == ((2, 3), np.float32)
        assert (t.data == value).all()
    assert minires.randn(3, rng=5, requires_grad=True).requires_grad
    assert minires.zeros(dtype=np.float64).shape == ()
    assert minires.ones(2, dtype=None).dtype == np.float32
    array = np.ones(2)
    assert not np.shares_memory(minires.tensor(array).data, array)
    assert minires.tensor([1, 2]).dtype == np.int64
    with pytest.raises(ShapeError, match="a size must be a whole number"):
        minires.zeros(2, -1)


def test_steps_have_values_and_no_gradient():
    x = Tensor(A, requires_grad=True)
    for step in (lambda: x // 2, lambda: x % 2, lambda: 2 // x, lambda: 2 % x):
        with pytest.raises(DTypeError, match=r"would lose the gradient of a Tensor.*t\.detach\(\)"):
            step()
        with minires.no_grad():
            assert step().dtype == np.float32
    with pytest.raises(DTypeError, match=r"divmod: write x // y and x % y"):
        divmod(x, 2)
    with pytest.raises(DTypeError, match=r"round: of a Tensor use np\.round"):
        round(x)


def test_every_method_says_what_it_does():
    from minires.methods import Methods
    from minires.tensor_base import TensorBase

    parts = Methods.__mro__[: Methods.__mro__.index(TensorBase)]
    public = [m for part in parts for name, m in vars(part).items() if not name.startswith("_") and callable(m)]
    assert len(public) >= 50
    assert not [m.__qualname__ for m in public if not (m.__doc__ or m.__name__.startswith("__"))]


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x.to(np.float64, np.float32),
        lambda x: x.to(np.float64, dtype=np.float32),
        lambda x: x.to(Tensor([1]), dtype="float64"),
        lambda x: x.to(np.float32, "cpu", np.float32),
    ],
)
def test_two_dtypes_are_refused_as_one_would_be_passed_over(call):
    with pytest.raises(OptionError, match=r"to: \w+ is the second dtype given, after \w+; give one"):
        call(Tensor(A))


def test_two_devices_are_refused_and_a_device_beside_a_dtype_is_not():
    with pytest.raises(OptionError, match="to: cpu is the second device given, after cpu"):
        Tensor(A).to("cpu", device="cpu")
    assert Tensor(A).to("cpu", np.float64).dtype == Tensor(A).to("float64", device="cpu").dtype == np.float64


def test_dim_0_is_an_axis_and_not_no_axis():
    x = np.random.default_rng(0).standard_normal((2, 3, 4))
    t = Tensor(x)
    np.testing.assert_allclose(t.norm(dim=0).data, np.sqrt((x * x).sum(axis=0)))
    for name in ("sum", "mean", "amax", "amin", "argmax", "argmin", "all", "any"):
        numpys = {"amax": "max", "amin": "min"}.get(name, name)
        np.testing.assert_allclose(getattr(t, name)(0).data, getattr(x, numpys)(axis=0))
    np.testing.assert_allclose(t.var(0).data, x.var(axis=0, ddof=1))
    np.testing.assert_allclose(t.std(0).data, x.std(axis=0, ddof=1))
    np.testing.assert_allclose(t.max(0).values.data, x.max(axis=0))


def test_max_of_an_array_is_elementwise_and_keepdim_without_dim_gives_values_alone():
    x = np.array([[1.0, 5.0], [3.0, 2.0]])
    other = np.array([2.0, 2.0])
    np.testing.assert_array_equal(Tensor(x).max(other).data, np.maximum(x, other))
    np.testing.assert_array_equal(Tensor(x).min(other).data, np.minimum(x, other))
    np.testing.assert_array_equal(Tensor(x).max(keepdim=True).data, [[5.0]])
    np.testing.assert_array_equal(Tensor(x).min(keepdim=True).data, [[1.0]])


def test_a_copy_that_looks_like_a_view_is_read_only():
    t = Tensor(np.arange(6.0).reshape(2, 3)).T
    for copy in (t.reshape(6), t.view(6), t.flatten()):
        assert not copy.data.flags.writeable
    assert Tensor(np.arange(6.0)).reshape(2, 3).data.flags.writeable


@pytest.mark.parametrize(
    "call",
    [
        lambda t: t.view((6,), 99),
        lambda t: t.reshape([6], 2, 3),
        lambda t: t.permute((1, 0), 7),
        lambda t: t.expand((2, 3), 7),
    ],
)
def test_what_stands_after_a_tuple_of_sizes_is_refused_and_not_ignored(call):
    with pytest.raises(DTypeError, match=r"takes one tuple or several integers, got \("):
        call(Tensor(np.zeros((2, 3))))


def test_contiguous_makes_rows_of_a_transpose_and_leaves_what_is_in_rows():
    t = Tensor(np.arange(6.0).reshape(2, 3))
    assert t.contiguous() is t
    assert t.T.contiguous().data.flags.c_contiguous
    np.testing.assert_array_equal(t.T.contiguous().data, t.data.T)


def test_a_shape_may_be_a_list_and_each_method_speaks_of_itself():
    t = Tensor(np.arange(6.0))
    assert t.reshape([2, 3]).shape == t.view([2, 3]).shape == (2, 3)
    assert t.reshape(2, 3).permute([1, 0]).shape == (3, 2)
    for name in ("reshape", "view", "permute", "expand"):
        with pytest.raises(ShapeError, match=rf"^{name}: a shape is needed, such as {name}\(2, 3\)"):
            getattr(t, name)()


def test_a_second_dtype_is_named_with_the_first():
    with pytest.raises(OptionError, match="to: float64 is the second dtype given, after int64; give one"):
        Tensor([1.0]).to(np.int64, np.float64)


def test_logsumexp_keeps_its_axes_if_asked_to():
    t = Tensor(np.zeros((2, 3)))
    assert t.logsumexp(1, True).shape == (2, 1)
    assert t.logsumexp((0, 1), keepdim=True).shape == (1, 1)
    assert t.logsumexp(1).shape == (2,)


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "any", "all"])
def test_an_empty_axis_is_refused_because_numpy_and_torch_mean_opposites_by_it(name):
    with pytest.raises(OptionError, match=rf"{name}: axis=\(\) names no axis"):
        getattr(np, name)(Tensor([1.0, 2.0]), axis=())


def test_all_and_any_without_a_dim_keep_each_element_as_in_torch():
    t = Tensor([[True, False], [True, True]])
    assert t.all(dim=()).tolist() == t.any(dim=[]).tolist() == [[True, False], [True, True]]


def test_two_names_of_the_correction_are_refused_even_where_one_is_its_default():
    x = Tensor([1.0, 2.0, 4.0])
    for settings in ({"unbiased": False, "correction": 1}, {"correction": 0, "ddof": 0}, {"unbiased": True, "ddof": 1}):
        with pytest.raises(OptionError, match="are one setting"):
            x.var(**settings)
    assert x.var(ddof=0).item() == x.var(correction=0).item()


def test_max_speaks_of_itself():
    with pytest.raises(DTypeError, match=r"^max: dim must be an integer"):
        Tensor(np.ones((2, 3))).max((0, 1))
    with pytest.raises(ShapeError, match=r"^min: nothing to choose from"):
        Tensor(np.ones(0)).min()
