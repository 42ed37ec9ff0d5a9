"""Tensors and Parameters in a pickle."""

import copy
import pickle

import numpy as np
import pytest

from minires import Tensor, nn
from minires.arrays import memory_order
from minires.errors import GraphError


def through_pickle(value):
    return pickle.loads(pickle.dumps(value))


@pytest.mark.parametrize("kind", [Tensor, nn.Parameter])
@pytest.mark.parametrize("requires_grad", [True, False])
def test_a_leaf_comes_back_as_it_was(kind, requires_grad):
    data = (
        np.random.default_rng(0).standard_normal((2, 3, 4, 5)).transpose(2, 3, 1, 0)
    )  # as a convolution's weights lie
    leaf = kind(data, requires_grad=requires_grad)
    back = through_pickle(leaf)
    assert type(back) is kind
    assert back.requires_grad is requires_grad
    assert back.dtype == np.float64
    np.testing.assert_array_equal(back.data, data)
    assert memory_order(back.data) == memory_order(data) == (3, 2, 0, 1)
    assert back.grad is None


@pytest.mark.parametrize("value", [3.0, [True, False], np.arange(4), np.zeros((0, 2)), np.arange(6.0)[::-2]])
def test_values_of_every_kind_and_shape_come_back(value):
    back = through_pickle(Tensor(value))
    np.testing.assert_array_equal(back.data, Tensor(value).data)
    assert back.shape == Tensor(value).shape
    assert back.dtype == Tensor(value).dtype


def test_what_comes_back_can_be_trained():
    back = through_pickle(Tensor([1.0, 2.0], requires_grad=True))
    (back * back).sum().backward()
    np.testing.assert_array_equal(back.grad, [2, 4])


def test_one_tensor_in_two_places_stays_one():
    leaf = Tensor([1.0])
    first, second = through_pickle([leaf, leaf])
    assert first is second


def test_a_tensor_in_a_graph_is_not_pickled():
    x = Tensor([1.0], requires_grad=True)
    with pytest.raises(GraphError, match=r"only leaf tensors can be pickled; use detach\(\) first"):
        pickle.dumps(x * 2.0)
    assert through_pickle((x * 2.0).detach()).data == 2


def test_a_shallow_copy_of_a_result_speaks_of_copying():
    x = Tensor([1.0, 2.0], requires_grad=True)
    assert copy.copy(x).data is not None
    with pytest.raises(GraphError, match=r"copied by copy\.copy\(\); t\.clone\(\)"):
        copy.copy(x * 2)


class Named(Tensor):
    """A subclass of a user's, whose __init__ takes something else."""

    def __init__(self, name, values):
        super().__init__(values, True)
        self.name = name


def test_a_subclass_with_an_init_of_its_own_is_copied_with_its_attributes():
    x = Named(["w"], [1.0, 2.0])
    for copied in (copy.deepcopy(x), copy.copy(x), pickle.loads(pickle.dumps(x))):
        assert type(copied) is Named
        assert copied.requires_grad
        assert copied.tolist() == [1, 2]
        assert copied.name == ["w"]
    assert copy.deepcopy(x).name is not x.name
