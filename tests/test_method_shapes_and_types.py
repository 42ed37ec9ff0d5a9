"""Methods that change a shape, a dtype or a device, and tensors made from sizes."""

import numpy as np
import pytest

import minires
from minires import Tensor
from minires.errors import DTypeError, OptionError, ShapeError

A = np.random.default_rng(0).uniform(0.5, 2, (3, 4)).astype("f4")


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


def test_a_type_changed_in_a_graph_hands_the_gradient_back_in_the_old_one():
    x = Tensor(A.copy(), requires_grad=True)
    (x.double() * 2.0).sum().backward()
    assert x.grad.dtype == np.float32
    np.testing.assert_array_equal(x.grad, 2 * np.ones_like(A))
    assert not x.long().requires_grad
    assert not (x > 1).requires_grad


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


def test_a_second_dtype_is_named_with_the_first():
    with pytest.raises(OptionError, match="to: float64 is the second dtype given, after int64; give one"):
        Tensor([1.0]).to(np.int64, np.float64)


def test_two_devices_are_refused_and_a_device_beside_a_dtype_is_not():
    with pytest.raises(OptionError, match="to: cpu is the second device given, after cpu"):
        Tensor(A).to("cpu", device="cpu")
    assert Tensor(A).to("cpu", np.float64).dtype == Tensor(A).to("float64", device="cpu").dtype == np.float64


def test_a_shape_may_be_a_list_and_each_method_speaks_of_itself():
    t = Tensor(np.arange(6.0))
    assert t.reshape([2, 3]).shape == t.view([2, 3]).shape == (2, 3)
    assert t.reshape(2, 3).permute([1, 0]).shape == (3, 2)
    for name in ("reshape", "view", "permute", "expand"):
        with pytest.raises(ShapeError, match=rf"^{name}: a shape is needed, such as {name}\(2, 3\)"):
            getattr(t, name)()


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


def test_a_copy_that_looks_like_a_view_is_read_only():
    t = Tensor(np.arange(6.0).reshape(2, 3)).T
    for copy in (t.reshape(6), t.view(6), t.flatten()):
        assert not copy.data.flags.writeable
    assert Tensor(np.arange(6.0)).reshape(2, 3).data.flags.writeable


def test_contiguous_makes_rows_of_a_transpose_and_leaves_what_is_in_rows():
    t = Tensor(np.arange(6.0).reshape(2, 3))
    assert t.contiguous() is t
    assert t.T.contiguous().data.flags.c_contiguous
    np.testing.assert_array_equal(t.T.contiguous().data, t.data.T)
