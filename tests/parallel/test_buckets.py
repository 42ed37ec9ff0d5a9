"""Gradients go into buckets during backward, and come out as sums over ranks."""

import numpy as np
import pytest

from minires import Tensor
from minires.nn import Linear, Sequential
from minires.parallel import Alone, buckets


class Doubling(Alone):
    """Two ranks with the same gradients: each sum is twice the array. It notes in which order sums begin."""

    def __init__(self):
        self.events = []

    def start_sum(self, array):
        self.events.append(("begun", array.size))
        return array

    def wait(self, array):
        self.events.append(("waited", array.size))
        array *= 2


@pytest.fixture
def network():
    return Sequential(Linear(3, 4, rng=0), Linear(4, 5, rng=1), Linear(5, 2, rng=2))


def backward(network):
    """The plain gradients of a loss, by name."""
    network.zero_grad()
    network(Tensor(np.arange(6.0, dtype=np.float32).reshape(2, 3))).sum().backward()
    return {name: p.grad for name, p in network.named_parameters()}


def in_buckets(network, ranks):
    parts = buckets.Buckets(list(network.parameters()), ranks)
    with parts.filling():
        backward(network)
    parts.finish()
    return {name: p.grad for name, p in network.named_parameters()}


def test_sums_of_the_last_layers_begin_before_the_first_layer_has_a_gradient(network, monkeypatch):
    monkeypatch.setattr(buckets, "BUCKET_BYTES", 4)
    ranks = Doubling()
    network[0].weight.register_post_accumulate_grad_hook(lambda p: ranks.events.append(("hook", p.grad.size)))
    in_buckets(network, ranks)
    begun = [event for event in ranks.events if event[0] == "begun"]
    assert len(begun) == 6  # a bucket a parameter
    assert [size for _, size in begun] == [2 + 1, 10 + 1, 5 + 1, 20 + 1, 4 + 1, 12 + 1]  # from the last to the first
    assert ranks.events[:6] == begun
    assert ranks.events[-1] == ("hook", 12)  # a hook of the user's comes when the sum is there


def test_a_bucket_waits_for_the_one_before_it_even_if_it_is_full_first(network, monkeypatch):
    monkeypatch.setattr(buckets, "BUCKET_BYTES", 4)
    ranks = Doubling()
    parts = buckets.Buckets(list(network.parameters()), ranks)
    with parts.filling():
        for p in network.parameters():  # the first layer first, as no backward of a chain does
            p.grad = np.ones_like(p.data)
            for hook in p.node.post_grad_hooks.values():
                hook(p)
    assert [size for _, size in ranks.events] == [3, 11, 6, 21, 5, 13]


@pytest.mark.parametrize("size", [4, 64, 1 << 20])
def test_the_sums_of_all_gradients_come_out_whatever_the_size_of_a_bucket(network, monkeypatch, size):
    monkeypatch.setattr(buckets, "BUCKET_BYTES", size)
    expected = {name: dw.copy() for name, dw in backward(network).items()}
    for name, dw in in_buckets(network, Doubling()).items():
        np.testing.assert_array_equal(dw, 2 * expected[name])


def test_a_frozen_parameter_and_one_without_a_gradient_get_none(network):
    network[0].weight.requires_grad_(False)
    unused = list(Linear(2, 2, rng=3).parameters())
    parts = buckets.Buckets([*network.parameters(), *unused], Doubling())
    with parts.filling():
        backward(network)
    parts.finish()
    assert network[0].weight.grad is None
    assert [p.grad for p in unused] == [None, None]
    assert network[0].bias.grad is not None


def test_parameters_of_two_dtypes_have_buckets_of_their_own(network):
    network[1].double()
    parts = buckets.Buckets(list(network.parameters()), Doubling())
    assert [bucket.array.dtype for bucket in parts.buckets] == [np.float32, np.float64, np.float32]
