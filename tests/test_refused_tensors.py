"""No gradient is lost without an error, and no array with other arithmetic becomes a Tensor."""

import numpy as np
import pytest

import minires
from minires import Tensor, ops
from minires.errors import DTypeError, GraphError, OptionError, ShapeError

A = np.random.default_rng(0).uniform(0.5, 2, (3, 4)).astype("f4")


# Gradients are not lost without an error


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
    with pytest.raises(DTypeError, match=r"add: argument 2 has another byte order \(>f4\)"):
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
