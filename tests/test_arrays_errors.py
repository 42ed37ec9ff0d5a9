"""Arrays: memory formats, devices, and the sentence about a missing package."""

import sys

import numpy as np
import pytest

from minires import arrays
from minires.errors import need


def test_channels_last_is_a_view_of_nhwc_memory():
    x = np.arange(48.0).reshape(2, 3, 4, 2)
    last = arrays.channels_last(x)
    np.testing.assert_array_equal(last, x)
    assert last.transpose(0, 2, 3, 1).flags.c_contiguous
    assert arrays.is_channels_last(last)
    assert not arrays.is_channels_last(x)
    assert np.shares_memory(arrays.channels_last(last), last)


@pytest.mark.parametrize("shape", [(2, 1, 4, 5), (2, 3, 1, 1), (1, 1, 1, 1)])
def test_a_map_that_lies_both_ways_is_channels_last(shape):
    assert arrays.is_channels_last(np.zeros(shape))
    assert arrays.empty_feature_map((2, 3, 4, 5), like=np.zeros(shape)).transpose(0, 2, 3, 1).flags.c_contiguous


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 3, 1), (3, 1, 0, 2)])
def test_an_array_can_be_made_to_lie_as_another_does(order):
    x = arrays.empty((2, 3, 4, 5), np.float32, order)
    assert x.shape == (2, 3, 4, 5)
    assert arrays.memory_order(x) == order
    assert x.transpose(order).flags.c_contiguous


def test_layout_of_gives_back_what_it_gets():
    x = np.zeros((2, 3, 4, 5))
    last = arrays.channels_last(x)
    assert arrays.is_channels_last(arrays.layout_of(last)(x))
    assert arrays.layout_of(x)(last).flags.c_contiguous


def test_the_owner_of_views_is_one_array():
    x = np.zeros(12)
    assert arrays.owner(x.reshape(3, 4)[1:].T) is x
    assert arrays.owner(x) is x


def test_numpy_arrays_live_on_the_cpu():
    x = np.zeros(2)
    assert arrays.array_module(x) is np
    assert arrays.device_of(x) == "cpu"
    assert arrays.to_device(x, "cpu") is x


def test_a_missing_package_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(ImportError, match=r'the bar needs tqdm, .*; install it with: pip install "minires\[data\]"'):
        need("tqdm", "data", for_what="the bar")
    assert need("math", "data", for_what="sums").pi > 3
