"""Every part of a network that a process has copied is known to be unchanged, or is copied again."""

import numpy as np
import pytest
from changes import CHANGES, Holder, look
from sharing import network

from minires import nn


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_seen_and_no_change_is_none(holder, change):
    before = look(holder)
    assert before.difference(look(holder)) == ""
    change(holder)
    after = look(holder)
    assert before.difference(after)
    assert after.difference(look(holder)) == ""


def test_the_place_of_a_change_is_named():
    model = network()
    before = look(model)
    model.layer2[0].bn1.eps = 0.5
    assert before.difference(look(model)) == "layer2.0.bn1.eps"
    holder = Holder()
    before = look(holder)
    holder.config.shifts[0] = 1.0
    assert before.difference(look(holder)) == "config.shifts"
    holder.open.close()
    model = nn.Linear(2, 2, rng=0)
    before = look(model)
    model.last = 1
    assert before.difference(look(model)) == "last"


def test_what_a_step_of_training_changes_is_no_change():
    """Weights lie in shared memory, buffers are copied with each batch, gradients are each process's own."""
    model = network()
    before = look(model)
    for p in model.parameters():
        p.data -= 0.1
        p.grad = np.zeros_like(p.data)
    model.bn1.running_mean += 1
    model.bn1.num_batches_tracked += 1
    model.train()  # which sets attributes that were the class's
    assert before.difference(look(model)) == ""


def test_values_that_are_made_anew_are_no_change():
    model = network()
    values = [
        "slice(1, 9)",
        "range(300)",
        "1e9 + 1j",
        "b'bytes'",
        "(1, 'two')",
        "frozenset({1000})",
        "[1000, None]",
        "{'a': 1000}",
        "{1000}",
    ]
    for i, value in enumerate(values):
        setattr(model, f"value{i}", eval(value))
    before = look(model)
    for i, value in enumerate(values):
        setattr(model, f"value{i}", eval(value))
    assert before.difference(look(model)) == ""


def test_what_takes_the_place_of_something_that_has_gone_is_seen():
    """Python gives the address of a deleted object to the next one of its size."""

    def change_array(model):
        model.linear.bias.data = np.zeros(10)  # the first array goes
        model.linear.bias.data = np.ones(10)

    def change_buffer(model):
        model.bn1.running_mean = None
        model.bn1.running_mean = np.ones(16)

    def change_method(model):
        type(model).added = None
        type(model).added = lambda self: 2

    def change_object(model):
        model.marker = None
        model.marker = object()

    for change in (change_array, change_buffer, change_method, change_object):
        model = network()
        model.marker = object()
        type(model).added = lambda self: 1
        try:
            before = look(model)
            change(model)
            assert before.difference(look(model)), change.__name__
        finally:
            del type(model).added


def test_a_variable_without_a_value_hides_none_after_it():
    def outer():
        scale = [1.0]
        model.function = lambda: (absent, scale)
        model.scale = scale
        if False:
            absent = None

    model = network()
    outer()
    model.scale, scale = None, model.scale
    before = look(model)
    scale[0] = 2.0
    assert before.difference(look(model)) == "function.scale"


def test_a_library_that_a_module_holds_is_not_looked_into():
    model = network()
    before = len(look(model).fingerprints)
    model.library, model.kind, model.builtin = np, np.float32, len  # of len: its module and the name of that
    assert len(look(model).fingerprints) == before + 5


def test_what_has_many_names_is_looked_at_once():
    model = network()
    before = len(look(model).fingerprints)
    for i in range(100):
        setattr(model, f"again{i}", model.layer1)
    assert len(look(model).fingerprints) == before + 100
    model.layer1[0].bn1.eps = 0.5
    assert len(look(model).fingerprints) == before + 100
