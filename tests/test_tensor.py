"""Tensor: what it holds, its protocols, and the types it refuses."""

import copy

import numpy as np
import pytest

import minires
from minires import Tensor, ops
from minires.errors import DTypeError, GraphError, MiniresError


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        ([1.0, 2.0], np.float32),
        (3.5, np.float32),
        ([[1, 2]], np.int64),
        ([True], np.bool_),
        (np.ones(2), np.float64),
        (np.ones(2, np.float32), np.float32),
        (np.ones(2, np.uint8), np.uint8),
        (np.float64(2.0), np.float64),
        ([np.ones(2), np.ones(2)], np.float64),
        ([[0.1, np.float64(0.2)]], np.float64),
        ([np.float32(1), 0.5], np.float32),
        ([np.int64(1), 0.5], np.float32),
        ([np.int32(1)], np.int32),
    ],
)
def test_python_numbers_become_float32_or_int64_and_arrays_keep_their_type(data, dtype):
    assert Tensor(data).dtype == minires.tensor(data).dtype == dtype


@pytest.mark.parametrize(
    "data",
    [
        "text",
        [None],
        np.array(["a"]),
        np.array([object], object),
        1j,
        np.ones(2, np.float16),
        np.ones(2, np.longdouble),
    ],
    ids=str,
)
def test_data_that_has_no_gradient_arithmetic_is_refused(data):
    with pytest.raises(DTypeError, match="holds float32, float64, integers or booleans"):
        Tensor(data)


@pytest.mark.parametrize("dtype", [complex, np.float16, object])
def test_data_is_not_converted_to_a_type_that_is_refused(dtype):
    with pytest.raises(DTypeError, match="holds float32, float64, integers or booleans, got"):
        Tensor([1.0], dtype=dtype)


def test_integers_require_no_gradient():
    with pytest.raises(DTypeError, match="only float tensors"):
        Tensor([1, 2], requires_grad=True)


def test_an_array_is_shared_and_not_copied():
    array = np.ones(3)
    assert Tensor(array).data is array


def test_attributes_are_the_arrays():
    t = Tensor(np.ones((2, 3), np.float32), requires_grad=True)
    assert (t.shape, t.ndim, t.dtype, t.device, t.is_leaf) == ((2, 3), 2, np.float32, "cpu", True)
    assert (t.size(), t.size(-1), t.numel(), t.dim()) == ((2, 3), 3, 6, 2)
    assert len(t) == 2
    assert [row.shape for row in t] == [(3,), (3,)]


def test_operators_match_numpys():
    rng = np.random.default_rng(0)
    a = rng.uniform(0.5, 2, (3, 3))
    b = rng.uniform(0.5, 2, (3, 3))
    x = Tensor(a)
    y = Tensor(b)
    for ours, theirs in (
        (x + y, a + b),
        (x - y, a - b),
        (x * y, a * b),
        (x / y, a / b),
        (x**y, a**b),
        (x @ y, a @ b),
        (-x, -a),
        (abs(-x), a),
        (1 - x, 1 - a),
        (2 / x, 2 / a),
        (2.0**x, 2.0**a),
        (a + y, a + b),
        (a @ y, a @ b),
        (x[1:, None], a[1:, None]),
        (x.T, a.T),
        (x.sum(1), a.sum(1)),
        (x.mean(), a.mean()),
        (x.amax(0, True), a.max(0, keepdims=True)),
        (x.reshape(9), a.reshape(9)),
        (x.reshape((1, -1)), a.reshape(1, -1)),
        (x.permute(1, 0), a.T),
        (x.transpose(0, 1), a.T),
        (x.flatten(), a.ravel()),
    ):
        assert isinstance(ours, Tensor)
        np.testing.assert_array_equal(ours.data, theirs)


@pytest.mark.parametrize("number", [2, 2.5, True, np.float64(2.5), np.int64(2), np.float32(2.5)], ids=repr)
def test_a_number_does_not_change_the_type(number):
    x = Tensor(np.ones(3, np.float32), requires_grad=True)
    for y in (x + number, number * x, x / number, number - x, x**number, ops.maximum(x, number)):
        assert y.dtype == np.float32
        x.grad = None
        y.sum().backward()
        assert x.grad.dtype == np.float32


def test_comparisons_give_tensors_of_bool_and_tensors_stay_hashable():
    x = Tensor([1.0, 2.0, 3.0])
    for result, expected in (
        (x > 1, [0, 1, 1]),
        (x == np.array([1, 0, 3]), [1, 0, 1]),
        (x <= x, [1, 1, 1]),
        (x != 2, [1, 0, 1]),
        (x < 2, [1, 0, 0]),
        (x >= 3, [0, 0, 1]),
    ):
        assert isinstance(result, Tensor)
        np.testing.assert_array_equal(result.data, np.array(expected, bool))
    assert x in {x}


def test_numpy_refuses_a_tensor_whose_gradient_would_be_lost():
    x = Tensor(np.ones(3, np.float32), requires_grad=True)
    for tensor in (x, 2 * x):
        with pytest.raises(GraphError, match=r"requires a gradient, .*write t\.detach\(\)\.numpy\(\)"):
            tensor.numpy()
        assert tensor.detach().numpy() is tensor.data
        assert "1., " in repr(x)
        with minires.no_grad():
            assert tensor.numpy() is tensor.data


def test_numpy_and_dlpack_see_the_same_memory():
    x = Tensor(np.ones(3, np.float32))
    np.from_dlpack(x)
    for view in (np.asarray(x), np.from_dlpack(x), x.numpy()):
        assert np.shares_memory(view, x.data)
    assert np.array(x, copy=True).base is None
    assert np.asarray(x, dtype=np.float64).dtype == np.float64


def test_one_element_becomes_a_number():
    assert Tensor([2.5]).item() == 2.5
    assert float(Tensor(2.5)) == 2.5
    assert bool(Tensor([1]))


def test_a_number_is_formatted_as_one_and_not_iterated_over():
    assert f"{Tensor(2.5):.3f}" == "2.500"
    assert f"{Tensor([1.0])}" == repr(Tensor([1.0]))
    with pytest.raises(TypeError, match="0-d tensor"):
        list(Tensor(3.0))


def test_a_tensor_of_a_tensor_shares_memory_and_its_count_of_changes():
    x = Tensor(np.ones(3), requires_grad=True)
    loss = (x * x).sum()
    with minires.no_grad():
        Tensor(x)[0] = 5.0
    with pytest.raises(GraphError, match="changed in place"):
        loss.backward()


def test_repr_is_short_and_says_where_it_comes_from():
    x = Tensor(np.zeros((100, 100), np.float32), requires_grad=True)
    assert len(repr(x)) < 500
    assert "requires_grad=True" in repr(x)
    assert "from relu" in repr(ops.relu(x))


def test_a_deep_copy_has_a_gradient_of_its_own_and_that_of_a_parameter_none():
    x = Tensor(np.ones(3), requires_grad=True)
    x.sum().backward()
    twin = copy.deepcopy(x)
    twin.grad += 1
    assert (x.grad.tolist(), twin.grad.tolist()) == ([1] * 3, [2] * 3)
    weight = minires.nn.Parameter(np.ones(3))
    weight.sum().backward()
    assert copy.deepcopy(weight).grad is None


def test_a_deep_copy_is_a_leaf_of_its_own():
    x = Tensor(np.ones(3), requires_grad=True)
    twin = copy.deepcopy(x)
    twin.sum().backward()
    assert x.grad is None
    assert not np.shares_memory(twin.data, x.data)
    with pytest.raises(GraphError, match="leaf"):
        copy.deepcopy(x * 2)


def test_requires_grad_is_set_on_leaves_only():
    x = Tensor(np.ones(3), requires_grad=True)
    with pytest.raises(GraphError, match="detach"):
        (x * 2).requires_grad = False
    x.requires_grad = False
    assert not (x * 2).requires_grad


def test_in_place_changes_outside_the_graph_write_into_the_same_memory():
    array = np.ones(3, np.float32)
    x = Tensor(array, requires_grad=True)
    with minires.no_grad():
        x -= 0.5
        x *= Tensor(np.array([1, 2, 3], np.float32))
        x[0] = 7
    np.testing.assert_array_equal(array, [7, 1, 1.5])


@pytest.mark.parametrize(("data", "other"), [([1.0, 2.0], np.ones(2)), ([1.0, 2.0], [1.0, 2.0])])
def test_an_operator_in_place_takes_what_the_operator_takes(data, other):
    x = Tensor(data)
    with pytest.raises(DTypeError, match="add: "):
        x + other
    with pytest.raises(DTypeError, match="add: "):
        x += other
    np.testing.assert_array_equal(x.data, data)


@pytest.mark.parametrize(("data", "other"), [([1, 2], 0.5), ([1, 2], np.ones(2)), ([1.0, 2.0], np.ones((2, 2), "f4"))])
def test_an_operator_in_place_never_loses_digits_or_shape(data, other):
    x = Tensor(data)
    with pytest.raises(DTypeError, match="add: "):
        x += other
    np.testing.assert_array_equal(x.data, data)


def test_a_tensor_can_be_indexed_by_tensors():
    x = Tensor(np.arange(3.0), requires_grad=True)
    x[Tensor([2, 0, 2])].sum().backward()
    np.testing.assert_array_equal(x.grad, [1, 0, 2])
    x.requires_grad = False
    x[Tensor([0, 2])] = Tensor(np.array([7.0, 8.0]))
    np.testing.assert_array_equal(x.data, [7, 1, 8])


def test_every_error_of_ours_is_also_the_builtin_one():
    from minires import errors

    for name, builtin in (
        ("ShapeError", ValueError),
        ("DTypeError", TypeError),
        ("GraphError", RuntimeError),
        ("OptionError", ValueError),
        ("CheckpointError", ValueError),
        ("DataError", ValueError),
    ):
        assert issubclass(getattr(errors, name), builtin)
        assert issubclass(getattr(errors, name), MiniresError)


def test_unknown_devices_are_named(monkeypatch):
    with pytest.raises(ValueError, match="device must be 'cpu', 'cuda' or 'cuda:N', got 'gpu'"):
        Tensor([1.0]).to("gpu")
