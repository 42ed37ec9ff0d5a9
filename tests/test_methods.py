"""What people who know PyTorch or NumPy write on a Tensor, and what they get: right values come from these two."""

import numpy as np
import pytest

import minires
from minires import Tensor, ops
from minires.errors import DTypeError, GraphError, OptionError, ShapeError

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
    with pytest.raises(OptionError, match="std: unbiased=False and correction= are one setting"):
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


# Gradients are not lost without a word


def graph():
    return Tensor([2.0, 3.0], requires_grad=True)


@pytest.mark.parametrize(
    "lose",
    [
        lambda w: Tensor(np.zeros((2, 2), "f4")).__setitem__(0, w * 2),
        lambda w: Tensor([0.0, 0]).copy_(w),
        lambda w: np.asarray(w),
        lambda w: np.concatenate([w, w]),
        lambda w: np.stack([w, w * 2]),
        lambda w: np.where([True, False], w, 0),
        lambda w: np.sin(w),
        lambda w: np.linalg.norm(w),
        lambda w: np.add.reduce(w),
        lambda w: Tensor(w),
        lambda w: Tensor([w, w]),
        lambda w: minires.tensor([w, w]),
        minires.tensor,
        np.from_dlpack,
        lambda w: ops.clip(w, min=w),
        lambda w: ops.cross_entropy(Tensor(np.ones((1, 2), "f4")), np.array([0]), weight=w),
        lambda w: np.add(w, w, out=np.zeros(2, "f4")),
        lambda w: np.zeros(2, "f4").__iadd__(w),
        lambda w: np.clip(w, 0, 1),
    ],
)
def test_what_would_cut_the_graph_is_refused_with_the_remedy(lose):
    with pytest.raises((GraphError, DTypeError), match=r"ops|detach"):
        lose(graph())


def test_outside_a_graph_numpy_takes_a_tensor_as_an_array():
    w = Tensor([2.0, 3.0])
    assert np.concatenate([w, w]).tolist() == [2, 3, 2, 3]
    with minires.no_grad():
        out = Tensor(np.zeros((2, 2), "f4"))
        out[1] = graph() * 2
        assert out.tolist() == [[0, 0], [4, 6]]
        assert np.asarray(graph()).tolist() == [2, 3]
    assert np.asarray(graph().detach()).tolist() == [2, 3]


@pytest.mark.parametrize("index", [[0], np.array([0]), [[0], [1]], ([0], slice(None))], ids=repr)
def test_an_index_may_change_after_it_was_used(index):
    x = Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    y = x[index]
    expected = np.zeros((2, 3))
    np.add.at(
        expected,
        tuple(np.asarray(i) if isinstance(i, list) else i for i in index)
        if isinstance(index, tuple)
        else np.asarray(index),
        1.0,
    )
    changed = index[0] if isinstance(index, (tuple, list)) and isinstance(index[0], list) else index
    changed[0] = 1 - changed[0]
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, expected)


def test_an_array_inside_a_tuple_that_backward_keeps_is_watched():
    a, b = (Tensor(np.ones((2, 2)), requires_grad=True) for _ in range(2))
    y = ops.einsum("ij,jk->ik", a, b)
    with minires.no_grad():
        a[0, 0] = 5
    with pytest.raises(GraphError, match="changed in place"):
        y.sum().backward()


def test_second_derivatives_are_named_as_missing_with_the_way_to_have_a_product():
    x = Tensor([1.0, 2.0], requires_grad=True, dtype=np.float64)
    with pytest.raises(GraphError, match=r"\(∇L\(x \+ h·v\) − ∇L\(x − h·v\)\)/2h"):
        (x * x * x).sum().backward(create_graph=True)

    def gradient(at):  # and that way works: the Hessian of Σ x³ is 6·diag(x)
        t = Tensor(at, requires_grad=True)
        (t * t * t).sum().backward()
        return t.grad

    v = np.array([1.0, -1.0])
    h = 1e-5
    product = (gradient(x.data + h * v) - gradient(x.data - h * v)) / (2 * h)
    np.testing.assert_allclose(product, 6 * x.data * v, rtol=1e-9)


# Arrays that are not what they look like


def test_numbers_in_another_machines_order_of_bytes_are_converted():
    x = Tensor(np.array([1.0, 2.0], ">f4"), requires_grad=True)
    (x * 2.0).sum().backward()
    assert (x.dtype.isnative, x.grad.tolist()) == (True, [2, 2])
    with pytest.raises(DTypeError, match=r"add: argument 2 has its bytes in another order|argument 2 is >f4"):
        ops.add(x, np.array([1.0, 2.0], ">f4"))


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize(
    "make",
    [
        lambda: np.ma.masked_array([1.0, 2.0], [0, 1]),
        lambda: np.matrix([[1.0, 2.0]]),
        lambda: np.ones(2, np.float16),
        lambda: np.ones(2, np.longdouble),
        lambda: np.ones(2, complex),
        lambda: np.array(["a", "b"]),
    ],
    ids=["masked", "matrix", "float16", "longdouble", "complex", "text"],
)
def test_arrays_that_compute_otherwise_are_refused_everywhere(make):
    strange = make()
    for call in (Tensor, minires.tensor, ops.exp, ops.sum, ops.clone, lambda a: Tensor([1.0, 2.0]) * a):
        with pytest.raises(DTypeError):
            call(strange)


@pytest.mark.parametrize("target", [None, "gpu", "cuda:", "cpu:0", "float16", object, "cuda:-1", 3], ids=repr)
def test_to_refuses_what_is_neither_a_device_nor_a_type(target):
    with pytest.raises((OptionError, DTypeError)):
        Tensor([1.0]).to(target)


def test_lists_of_unequal_lengths_are_named():
    with pytest.raises(ShapeError, match="rows of equal length"):
        Tensor([[1.0], [1.0, 2.0]])


# Memory: what is written into a view is in the tensor, or it is refused


def test_what_is_written_into_a_view_is_not_lost():
    from minires import nn

    weight = nn.Conv2d(2, 3, 3, rng=0).weight  # which lies in memory as its kernels want it
    plain = Tensor(np.ones((2, 3), "f4"))
    with minires.no_grad():
        plain.view(-1)[0] = 5
        plain.reshape(3, 2)[2, 1] = 7
        assert plain.tolist() == [[5, 1, 1], [1, 1, 7]]
        for lost in (
            lambda: weight.view(3, -1).zero_(),
            lambda: weight.flatten(1).copy_(0),
            lambda: plain.T.reshape(6).fill_(0),
            lambda: plain.expand(2, 2, 3).zero_(),
        ):
            with pytest.raises(GraphError, match=r"read-only.*clone\(\)"):
                lost()
        weight.view(3, -1).clone().zero_()


def test_contiguous_copies_what_lies_otherwise_and_nothing_else():
    x = Tensor(A.copy())
    assert x.contiguous() is x
    y = x.T.contiguous()
    y.zero_()
    assert y.data.flags.c_contiguous
    np.testing.assert_array_equal(x.data, A)


@pytest.mark.parametrize(
    "index",
    [
        np.s_[0, :, [0, 1, 1]],
        np.s_[:, 0, :, [0, 1]],
        np.s_[0, :, [0, 1], [2, 0]],
        np.s_[[0, 1], :, 1],
        np.s_[..., 0, [1, 1]],
        np.s_[0, None, [1, 0]],
        np.s_[np.array(1), :, [0, 1]],
        np.s_[0, :, np.array([True, False, True])],
        np.s_[0, :, (1, 2)],
        np.s_[0, :, range(2)],
        np.s_[(0, 1), :, [1, 2]],
        np.s_[0, :, (True, False, True)],
        np.s_[(0, 1), None, (1, 2)],
        np.s_[True, [0, 1]],
        np.s_[:, True, [0, 1]],
        np.s_[0, True, :, [0, 2]],
        np.s_[True, :, [0, 1]],
        np.s_[True,],
        np.s_[..., True],
        np.s_[:, [0, 1], ..., [1, 0], :],
        np.s_[0, :, ()],
    ],
    ids=str,
)
def test_integers_beside_index_arrays_select_as_in_torch(index):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what this test compares with")
    values = np.random.default_rng(0).standard_normal((3, 3, 3, 3)).astype("f4")
    theirs = torch.tensor(values, requires_grad=True)
    ours = Tensor(values.copy(), requires_grad=True)
    as_theirs = tuple(torch.as_tensor(i) if isinstance(i, np.ndarray) else i for i in index)
    expected, found = theirs[as_theirs], ours[index]
    upstream = np.random.default_rng(1).standard_normal(tuple(expected.shape)).astype("f4")
    np.testing.assert_array_equal(found.data, expected.detach().numpy())
    expected.backward(torch.tensor(upstream))
    found.backward(upstream)
    np.testing.assert_array_equal(ours.grad, theirs.grad.numpy())
    with minires.no_grad(), torch.no_grad():
        ours[index] = upstream[..., :1]  # one value along the last axis: where a place is named twice, either may win
        theirs[as_theirs] = torch.tensor(upstream[..., :1])
    np.testing.assert_array_equal(ours.data, theirs.detach().numpy())


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


# Names that are missing say what to use


@pytest.mark.parametrize(
    ("ask", "advice"),
    [
        (lambda: Tensor([1.0]).gather, "Tensor has no 'gather': index with arrays"),
        (lambda: minires.cat, "use minires.ops.cat"),
        (lambda: minires.from_numpy, "use Tensor"),
        (lambda: Tensor([1.0]).astype, r"use \.to"),
        (lambda: minires.cellar, "no 'cellar'$"),
    ],
)
def test_a_name_of_torchs_that_is_missing_says_what_does_the_same(ask, advice):
    with pytest.raises(AttributeError, match=advice):
        ask()


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


def test_an_op_that_is_no_method_is_named_and_an_op_of_ones_own_is_not():
    for name in ("where", "take_along_dim", "gelu"):
        with pytest.raises(AttributeError, match=f"use minires.ops.{name}"):
            getattr(Tensor(A), name)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("StepLR", "optim.multistep"),
        ("MultiStepLR", "optim.multistep"),
        ("CosineAnnealingLR", "optim.cosine"),
        ("OneCycleLR", "optim.one_cycle"),
        ("ReduceLROnPlateau", "optimizer.lr"),
    ],
)
def test_a_schedule_of_torchs_is_looked_up_in_optim_too(name, advice):
    with pytest.raises(AttributeError, match=f"has no '{name}': .*{advice}"):
        getattr(minires.optim, name)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("reset_running_stats", "running_mean"),
        ("register_full_backward_pre_hook", "register_full_backward_hook"),
        ("num_feature", "did you mean 'num_features'"),
        ("load_weights", None),
    ],
)
def test_a_near_name_is_offered_only_where_it_is_very_near(name, advice):
    with pytest.raises(AttributeError) as caught:
        getattr(minires.nn.BatchNorm2d(2), name)
    assert advice in str(caught.value) if advice else ":" not in str(caught.value)


def test_the_advice_on_largest_and_on_zeros_like_does_what_torch_does():
    x = Tensor(np.array([2.0, 9.0, 4.0]))
    assert x[np.argsort(-x.data)[:2]].tolist() == [9, 4]
    assert minires.zeros(x.shape, dtype=x.dtype).dtype == np.float64
    for name, advice in (
        ("topk", r"x\[np\.argsort\(-x\.data\)\[:k\]\]"),
        ("new_zeros", r"minires\.zeros\(shape, dtype=x\.dtype\)"),
    ):
        with pytest.raises(AttributeError, match=advice):
            getattr(x, name)


def test_no_advice_is_about_a_name_that_exists():
    from minires import nn, optim
    from minires.torch_names import ADVICE

    elsewhere = {"float", "double", "long", "device", "utils", "clamp"}  # torch itself has these names, too
    for place in (Tensor, minires, nn, nn.functional, optim, ops):
        assert not [
            name
            for name in set(ADVICE) - elsewhere
            if name in dir(place) and (place is not minires or name not in minires._PACKAGES)
        ], place


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
