"""ops/shape.py: rearranging elements, and indexing."""

import numpy as np
import pytest
from against_torch import against_torch, normal
from bad_input import array, refusals, t

from minires import Tensor, ops
from minires.arrays import channels_last, is_channels_last
from minires.errors import DTypeError, OptionError, ShapeError

X = normal(2, 4, 7, 6)
V = normal(3, 5)
LARGE = np.abs(V) > 0.5
ROWS = np.array([0, 0, 1])
COLUMNS = np.array([1, 1, 2])
INDICES = np.array([[1, 1, 0], [0, 2, 2]])

TestAgainstTorch = against_torch(
    [
        ("reshape", lambda f, x: f.reshape(x, (4, -1)), (X,)),
        ("permute", lambda f, x: f.permute(x, (3, 0, -2, 1)), (X,)),
        ("transpose", lambda f, x: f.transpose(x, 1, -1), (X,)),
        ("transpose of a 0-d", lambda f, x: f.transpose(x, 0, -1), (normal(),)),
        ("flatten", lambda f, x: f.flatten(x, 1, 2), (X,)),
        ("flatten of a 0-d", lambda f, x: f.flatten(x), (normal(),)),
        ("squeeze", lambda f, x: f.squeeze(x), (normal(1, 3, 1),)),
        ("squeeze of one axis", lambda f, x: f.squeeze(x, -1), (normal(1, 3, 1),)),
        ("squeeze of a longer axis", lambda f, x: f.squeeze(x, (0, 1)), (normal(1, 3, 1),)),
        ("unsqueeze", lambda f, x: f.unsqueeze(x, -1), (V,)),
        ("expand", lambda f, x: x.expand(2, -1, 4), (normal(3, 1),)),
        ("broadcast_to", lambda f, x: f.broadcast_to(x, (2, 3, 4)), (normal(3, 1),)),
        ("cat", lambda f, a, b: f.cat([a, b, a], -1), (normal(2, 3), normal(2, 4))),
        ("stack", lambda f, a, b: f.stack([a, b], 1), (normal(2, 3), normal(2, 3))),
        ("pad", lambda f, x: f.pad(x, (1, 2, 0, 3, 1, 0), value=0.7), (X,)),
        ("slices", lambda f, x: x[1:, ..., ::2, None, -1], (X,)),
        ("index arrays", lambda f, x: x[f.array(ROWS), :, f.array(COLUMNS)], (X,)),
        ("mask", lambda f, x: x[f.array(LARGE)], (V,)),
        ("take_along_dim", lambda f, x: f.take_along_dim(x, f.array(INDICES), dim=1), (normal(2, 4),)),
        ("clone", lambda f, x: f.clone(x), (X,)),
        ("to another dtype and back", lambda f, x: (x.double() * 2.0).to(x.dtype), (V,)),
    ]
)

test_bad_input = refusals(
    [
        (ShapeError, lambda: ops.reshape(t(2, 3), shape=(4, 2)), "reshape: 6 elements"),
        (DTypeError, lambda: t(4).reshape(2.0, -1), "reshape: each argument must be an integer, got 2.0"),
        (DTypeError, lambda: t(4).view(n for n in (2, 2)), "view: each argument must be an integer, got <generator"),
        (DTypeError, lambda: ops.reshape(t(4), None), "integers"),
        (ShapeError, lambda: t(4).reshape(-2, 2), "reshape: 4 elements"),
        (ShapeError, lambda: t(4).reshape(2**70), "reshape: 4 elements"),
        (ShapeError, lambda: ops.permute(t(2, 3), dims=(0, 0)), r"permute: dims \(0, 0\) must name each"),
        (DTypeError, lambda: ops.permute(t(2, 2), None), "permute: needs"),
        (ShapeError, lambda: ops.transpose(t(2, 3), dim0=0, dim1=2), "transpose: dim 2 is out of range for 2 axes"),
        (ShapeError, lambda: ops.flatten(t(2, 3, 4), start_dim=2, end_dim=1), "flatten: start_dim 2 comes after"),
        (DTypeError, lambda: ops.cat(3), "cat: needs a list of tensors, got int"),
        (ShapeError, lambda: ops.cat([t(2, 3), t(2, 4)], dim=0), "cat: shapes"),
        (ShapeError, lambda: ops.cat([t(2, 3), t(3, 3)], dim=1), "cat: shapes"),
        (ShapeError, lambda: ops.cat([]), "cat: needs at least one"),
        (ShapeError, lambda: ops.cat([t(), t()]), "cat: a 0-d tensor has no axis"),
        (DTypeError, lambda: ops.cat([t(2, 3), None]), "cat: argument 2 must be a Tensor or an array, got NoneType"),
        (DTypeError, lambda: ops.stack(), "stack: needs a list of tensors, got NoneType"),
        (ShapeError, lambda: ops.stack([t(2, 3), t(2, 4)]), "stack: shapes"),
        (ShapeError, lambda: ops.stack([t(2), t(2)], dim=2), "stack: dim 2 is out of range for 2 axes"),
        (ShapeError, lambda: ops.pad(t(2, 3), pad=(1,)), "pad: needs two widths"),
        (ShapeError, lambda: ops.pad(t(2, 3), pad=(1, -1)), "pad: needs two widths >= 0"),
        (ShapeError, lambda: ops.pad(t(2, 3), pad=(1,) * 6), "pad: needs two widths"),
        (DTypeError, lambda: ops.pad(t(2), 1), "pad: needs a tuple"),
        (DTypeError, lambda: ops.pad(t(2), (1.5, 0)), "pad: needs a tuple"),
        (ShapeError, lambda: ops.broadcast_to(t(2, 3), shape=(4, 3)), r"broadcast_to: \(2, 3\) does not broadcast"),
        (DTypeError, lambda: ops.broadcast_to(t(1), 3), "broadcast_to: needs"),
        (ShapeError, lambda: t(2, 1).expand(-1, 2, 3), "expand: "),
        (ShapeError, lambda: t(2, 3).expand(2, 4), "expand: "),
        (ShapeError, lambda: t(2, 3).expand(3), "expand: "),
        (DTypeError, lambda: t(1).expand(1.5), "expand: each argument must be an integer, got 1.5"),
        (ShapeError, lambda: t(1).expand(-2), "expand: "),
        (ShapeError, lambda: t(1).expand(2**62), "expand: an array of shape .* is larger than any can be"),
        (IndexError, lambda: t(2, 3)[5], r"getitem: .*shape \(2, 3\)"),
        (OptionError, lambda: t(2, 3)[::0], r"getitem: the step of a slice must not be 0, got slice\(None, None, 0\)"),
        (DTypeError, lambda: t(2, 3)[0, 1:2.5], r"getitem: a slice in an index must be .* integers, got slice\(1, 2.5"),
        (DTypeError, lambda: t(2, 3)[[0], ::"a"], "getitem: a slice"),
        (OptionError, lambda: t(2).__setitem__(slice(None, None, 0), 1), "setitem: the step of a slice"),
        (DTypeError, lambda: t(2).__setitem__(slice(0.5, None), 1), "setitem: a slice in an index"),
        (DTypeError, lambda: ops.take_along_dim(t(2, 3), array(np.ones((2, 3))), dim=1), "integers"),
        (ShapeError, lambda: ops.take_along_dim(t(2, 3), array(np.ones((3, 3), int)), dim=1), "differ in another axis"),
    ]
)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: x.unsqueeze(0), "unsqueeze: x has 64 axes already"),
        (lambda x: ops.stack([x], -1), "stack: x has 64 axes already"),
    ],
)
def test_more_axes_than_an_array_can_have_are_refused(call, message):
    with pytest.raises(ShapeError, match=message):
        call(Tensor(np.ones((1,) * 64)))


def test_an_empty_list_selects_nothing_and_has_a_gradient_of_zeros():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = x[[]]
    assert y.shape == (0,)
    y.sum().backward()
    assert x.grad.tolist() == [0, 0]


@pytest.mark.parametrize("index", [np.array([0, 1]), np.array([True, True, False, False])], ids=["places", "mask"])
def test_an_index_array_may_be_changed_after_it_was_used(index):
    x = Tensor(np.arange(4.0), requires_grad=True)
    index = Tensor(index)
    y = x[index]
    index[...] = index.data[::-1]
    index[0] = 3
    y.backward(np.array([5.0, 7.0]))
    np.testing.assert_array_equal(x.grad, [5, 7, 0, 0])


@pytest.mark.parametrize("index", [2**64 - 1, 2**63])
def test_an_index_too_large_for_int64_is_not_taken_for_one_from_the_end(index):
    indices = np.array([0, index], np.uint64)
    for call in (lambda: t(3)[indices], lambda: t(3).__setitem__(indices, 5.0), lambda: t(2, 3)[:, indices]):
        with pytest.raises(IndexError, match=f"[gs]etitem: index {index} is out of bounds"):
            call()
    assert Tensor([1.0, 2.0])[np.array([1, 0], np.uint64)].tolist() == [2, 1]


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


@pytest.mark.parametrize("of", [np.asarray, Tensor])
def test_an_array_of_bytes_is_not_taken_for_a_mask_nor_for_positions(of):
    """PyTorch takes it for the one, NumPy for the other."""
    mask = np.array([0, 1, 1], np.uint8)
    x = t(3)
    for call in (lambda: x[of(mask)], lambda: t(2, 3)[:, of(mask)], lambda: x.__setitem__(of(mask), 5.0)):
        with pytest.raises(DTypeError, match=r"[gs]etitem: an array of uint8 is a mask in PyTorch .* astype\(bool\)"):
            call()
    assert x[Tensor(mask).to(bool)].shape == (2,)
    assert x[Tensor(mask).to(int)].shape == (3,)
    assert x[mask[1]].shape == ()  # a single byte is an integer


def test_an_element_that_an_index_names_twice_receives_both_gradients():
    x = Tensor(np.arange(3.0), requires_grad=True)
    x[[2, 0, 2]].backward(np.array([1.0, 10.0, 100.0]))
    np.testing.assert_array_equal(x.grad, [10, 0, 101])
