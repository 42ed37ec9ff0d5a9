"""What a mutation of an op would get away with if only its usual cases were tried."""

import numpy as np
import pytest

from minires import Tensor, ops
from minires.arrays import channels_last, is_channels_last
from minires.errors import DTypeError, OptionError, ShapeError


@pytest.mark.parametrize(
    ("make", "dtype"),
    [
        (lambda: Tensor([1, 2]) + 2.5, np.float32),
        (lambda: Tensor([1]) / 2, np.float32),
        (lambda: Tensor([1, 2]).mean(), np.float32),
        (lambda: ops.where(np.array([True]), 1.0, 2.0), np.float32),
        (lambda: ops.where(np.array([True]), 1, 2), np.int64),
        (lambda: Tensor(np.array([1], np.int8)) + Tensor([300]), np.int64),
        (lambda: Tensor(np.ones(2)) * np.array([1, 2]), np.float64),
        (lambda: ops.clip(Tensor(np.ones(2, "f4")), min=np.zeros(2)), np.float32),
        (lambda: Tensor([True, True]).sum(), np.int64),
        (lambda: Tensor(np.full(2, 200, np.uint8)).sum(), np.int64),
    ],
)
def test_the_dtype_of_a_result_is_the_one_that_is_promised(make, dtype):
    assert make().dtype == dtype


def t(*shape):
    return Tensor(np.ones(shape))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ops.where(np.ones((2, 3), bool), t(3), t(4)), ShapeError, "where: shapes"),
        (lambda: ops.where(np.ones((2, 3), bool), 1.0, t(4)), ShapeError, "where: shapes"),
        (lambda: ops.einsum("ii->i", t(2, 2)), OptionError, "each once"),
        (lambda: ops.einsum("ij->ii", t(2, 2)), OptionError, "each once"),
        (lambda: ops.einsum("ij->k", t(2, 2)), OptionError, "only their letters"),
        (lambda: ops.einsum("ij", t(2, 2, 2)), ShapeError, "does not fit"),
        (lambda: ops.einsum("ij,jk->ik", t(2, 3), t(2, 3)), ShapeError, "does not fit"),
        (lambda: ops.einsum("ij,jk", t(2, 3)), OptionError, "operands"),
        (lambda: ops.einsum("i...->i", t(2, 3)), OptionError, "write axes out for"),
        (lambda: ops.einsum("İ->", t(2)), OptionError, "must be letters a … z"),
        (lambda: ops.einsum("\u212a->", t(2)), OptionError, "must be letters a … z"),
        (lambda: ops.einsum("i->ß", t(2)), OptionError, "must be letters a … z"),
        (lambda: t(2, 3)[::0], OptionError, r"getitem: the step of a slice must not be 0, got slice\(None, None, 0\)"),
        (
            lambda: t(2, 3)[0, 1:2.5],
            DTypeError,
            r"getitem: a slice in an index must be one of integers, got slice\(1, 2.5",
        ),
        (lambda: t(2, 3)[[0], ::"a"], DTypeError, "getitem: a slice"),
        (lambda: t(2).__setitem__(slice(None, None, 0), 1), OptionError, "setitem: the step of a slice"),
        (lambda: t(2).__setitem__(slice(0.5, None), 1), DTypeError, "setitem: a slice in an index"),
        (lambda: t(*(1,) * 64).unsqueeze(0), ShapeError, "unsqueeze: x has 64 axes already"),
        (lambda: ops.stack([t(*(1,) * 64)], -1), ShapeError, "stack: x has 64 axes already"),
        (lambda: ops.pad(t(2, 3), pad=(1,) * 6), ShapeError, "pad: needs two widths"),
        (lambda: t(2, 1).expand(-1, 2, 3), ShapeError, "expand: "),
        (lambda: t(2, 3).expand(2, 4), ShapeError, "expand: "),
        (lambda: t(2, 3).expand(3), ShapeError, "expand: "),
        (lambda: ops.clip(t(3), min=np.zeros((2, 3))), ShapeError, "does not broadcast to x"),
        (lambda: ops.clip(t(3), max=np.zeros(3, complex)), DTypeError, "max must be"),
        (lambda: ops.clip(t(3), min="0"), DTypeError, "clip: min must be"),
        (lambda: ops.take_along_dim(t(2, 3), np.ones((2, 3)), dim=1), DTypeError, "integers"),
        (lambda: ops.take_along_dim(t(2, 3), np.ones((3, 3), int), dim=1), ShapeError, "differ in another axis"),
        (lambda: t(2, 3).argmax(2), ShapeError, "argmax: dim 2"),
        (lambda: t(0, 3).max(0), ShapeError, "nothing to choose from"),
        (lambda: t(4).reshape(2.0, -1), DTypeError, "reshape: needs a tuple of whole"),
        (lambda: ops.reshape(t(4), None), DTypeError, "whole numbers"),
        (lambda: t(4).reshape(-2, 2), ShapeError, "reshape: 4 elements"),
        (lambda: t(4).reshape(2**70), ShapeError, "reshape: 4 elements"),
        (lambda: ops.permute(t(2, 2), None), DTypeError, "permute: needs"),
        (lambda: ops.pad(t(2), 1), DTypeError, "pad: needs a tuple"),
        (lambda: ops.pad(t(2), (1.5, 0)), DTypeError, "pad: needs a tuple"),
        (lambda: t(1).expand(1.5), DTypeError, "expand: needs"),
        (lambda: t(1).expand(-2), ShapeError, "expand: "),
        (lambda: ops.broadcast_to(t(1), 3), DTypeError, "broadcast_to: needs"),
        (lambda: -Tensor([True]), DTypeError, "booleans have no sign"),
        (lambda: Tensor([True]) - Tensor([False]), DTypeError, "not subtracted"),
        (lambda: ops.norm(t(3), p=3), OptionError, "p must be 1 or 2"),
        (lambda: ops.std(t(1)), ShapeError, "no degree of freedom"),
    ],
)
def test_what_does_not_fit_is_refused_in_the_ops_own_words(call, error, message):
    with pytest.raises(error, match=message):
        call()


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
    logits = t(3, 2)
    target = np.array([0, 1, 1])
    for call in (
        lambda: ops.cross_entropy(logits, target, weight=wrong),
        lambda: ops.clip(t(2), min=wrong),
        lambda: ops.binary_cross_entropy_with_logits(t(3, 2), t(3, 2), weight=wrong),
    ):
        with pytest.raises(DTypeError, match=r"weight|min"):
            call()


def test_a_masked_target_is_refused():
    with pytest.raises(DTypeError, match="cross_entropy: MaskedArray"):
        ops.cross_entropy(t(2, 2), np.ma.masked_array([0, 1], [0, 1]))


def test_reductions_of_nothing_and_of_what_is_not_finite():
    assert ops.amax(t(0, 3), dim=1).shape == (0,)
    assert ops.norm(t(0)).item() == 0
    assert ops.norm(Tensor([3.0, np.inf])).item() == np.inf
    x = Tensor([1.0, np.nan, 2.0], requires_grad=True)
    y = ops.amax(x)
    assert np.isnan(y.item())
    y.backward()
    assert x.grad.tolist() == [0, 1, 0]


def test_an_empty_list_selects_nothing_and_has_a_gradient_of_zeros():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = x[[]]
    assert y.shape == (0,)
    y.sum().backward()
    assert x.grad.tolist() == [0, 0]


def test_indices_may_be_changed_after_they_were_taken_along():
    x = Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    indices = np.array([[2], [0]])
    y = ops.take_along_dim(x, indices, dim=1)
    indices[...] = 1
    y.sum().backward()
    assert x.grad.tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize(
    ("x", "indices", "message"),
    [
        (np.ones((2, 3)), np.array([[0], [3]]), r"take_along_dim: index 3 is none of -3 … 2, dim -1 of x \(2, 3\)"),
        (np.ones((2, 3)), np.array([[-4], [0]]), "take_along_dim: index -4 is none of"),
        (np.ones((2, 3)), np.array([[2**63], [0]], np.uint64), "take_along_dim: index 9223372036854775808 is none of"),
        (np.ones(()), np.array(7), "take_along_dim: index 7 is none of -1 … 0"),
    ],
)
def test_an_index_outside_is_named_by_take_along_dim(x, indices, message):
    with pytest.raises(IndexError, match=message):
        ops.take_along_dim(Tensor(x), indices, dim=-1)


@pytest.mark.parametrize("index", [2**64 - 1, 2**63])
def test_an_index_too_large_for_int64_is_not_taken_for_one_from_the_end(index):
    indices = np.array([0, index], np.uint64)
    for call in (lambda: t(3)[indices], lambda: t(3).__setitem__(indices, 5.0), lambda: t(2, 3)[:, indices]):
        with pytest.raises(IndexError, match=f"[gs]etitem: index {index} is out of bounds"):
            call()
    assert Tensor([1.0, 2.0])[np.array([1, 0], np.uint64)].tolist() == [2, 1]


def test_take_along_dim_counts_from_the_end_and_needs_an_axis_of_indices_for_each_of_x():
    x = Tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
    y = ops.take_along_dim(x, np.array([[-1, 0], [-3, 1]], np.int8), dim=1)
    y.sum().backward()
    assert y.tolist() == [[3, 1], [4, 5]]
    assert x.grad.tolist() == [[1, 0, 1], [1, 1, 0]]
    assert ops.take_along_dim(Tensor(3.0), np.array(-1), dim=0).item() == 3
    for x, indices in ((t(3), np.array(0)), (Tensor(3.0), np.array([0, 0]))):
        with pytest.raises(ShapeError, match="differ in another axis"):
            ops.take_along_dim(x, indices, dim=0)


def test_a_clone_lies_in_memory_as_the_original_does():
    assert is_channels_last(Tensor(channels_last(np.ones((2, 3, 4, 5)))).clone().data)


@pytest.mark.parametrize("shape", [(2, 4, 0, 6), (2, 4, 6, 0), (0, 4, 2, 2), (0, 4, 0, 0)])
@pytest.mark.parametrize("lay", [np.ascontiguousarray, channels_last])
def test_maps_without_pixels_pass_through(shape, lay):
    x = Tensor(lay(np.zeros(shape, "f4")), requires_grad=True)
    one = np.ones(4, "f4")
    y = ops.relu(ops.batch_norm(x, one, one, running_mean=one, running_var=one))
    y.sum().backward()
    assert y.shape == x.grad.shape == shape


@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value|overflow) encountered:RuntimeWarning")
@pytest.mark.parametrize("base_is_a_number", [False, True])
def test_a_power_at_zero_and_at_infinity_has_the_gradients_of_torch(base_is_a_number):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what this test compares with")
    exponents = [0.0, 1.0, 2.0, -1.0, -3.0, -2.0, np.inf, -np.inf, np.nan]

    def gradients(tensor, base):
        a = base if base_is_a_number else tensor([base] * len(exponents), requires_grad=True)
        b = tensor(exponents, requires_grad=True)
        (a**b).sum().backward()
        return [np.asarray(b.grad)] if base_is_a_number else [np.asarray(a.grad), np.asarray(b.grad)]

    for base in (0.0, -0.0, 1.0, 2.0, -2.0, np.inf, -np.inf, np.nan):
        for found, right in zip(gradients(Tensor, base), gradients(torch.tensor, base), strict=True):
            np.testing.assert_allclose(found, right, rtol=1e-6, err_msg=f"base {base}")


def test_the_0th_power_is_constant_everywhere():
    x = Tensor([np.inf, -np.inf, np.nan, 0.0, 2.0], requires_grad=True)
    (x**0).sum().backward()
    assert x.grad.tolist() == [0] * 5
