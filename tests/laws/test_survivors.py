"""Mutations of layers, optimizers and the engine that no test had noticed: each has a test here."""

from collections import namedtuple
from functools import partial

import numpy as np
import pytest

import minires
from minires import Tensor, nn, ops, optim
from minires.errors import DTypeError, GraphError, OptionError, ShapeError
from minires.mode import complex_step

Pair = namedtuple("Pair", ["first", "second"])


class Twofold(nn.Module):
    def forward(self, x):
        return Pair(x * 2.0, x * 3.0)


def leaf(*values):
    return Tensor(np.array(values), requires_grad=True)


@pytest.mark.parametrize("kind", ["register_forward_pre_hook", "register_forward_hook"])
def test_a_modules_hook_may_remove_itself_and_the_next_one_is_still_called(kind):
    layer = nn.ReLU()
    seen = []
    handles = []

    def once(*_):
        seen.append("once")
        handles[0].remove()

    handles.append(getattr(layer, kind)(once))
    getattr(layer, kind)(lambda *_: seen.append("always"))
    layer(leaf(1.0))
    layer(leaf(1.0))
    assert seen == ["once", "always", "always"]


def test_a_hook_on_a_gradient_that_is_kept_may_remove_itself_and_the_next_one_is_still_called():
    x = leaf(1.0)
    seen = []
    handles = []

    def once(t):
        seen.append("once")
        handles[0].remove()

    handles.append(x.register_post_accumulate_grad_hook(once))
    x.register_post_accumulate_grad_hook(lambda t: seen.append("always"))
    (x * 2.0).backward()
    (x * 2.0).backward()
    assert seen == ["once", "always", "always"]


def test_a_hook_on_a_gradient_on_its_way_may_remove_itself_and_the_next_one_is_still_called():
    x = leaf(1.0)
    seen = []
    removers = []

    def once(gradient):
        seen.append("once")
        removers[0]()

    removers.append(x.register_hook(once))
    x.register_hook(lambda gradient: seen.append("always"))
    (x * 2.0).backward()
    (x * 2.0).backward()
    assert seen == ["once", "always", "always"]


def test_a_setting_may_be_a_tensor_of_a_graph_where_nothing_is_recorded():
    x = Tensor([1.0, 4.0])
    low = Tensor([3.0, 3.0], requires_grad=True)
    with pytest.raises(GraphError, match="min is a setting, through which no gradient flows"):
        ops.clip(x, min=low * 1.0)
    with minires.no_grad():
        assert ops.clip(x, min=low).tolist() == [3, 4]
    assert ops.clip(x, min=low.detach()).tolist() == [3, 4]


def test_a_complex_setting_is_for_the_complex_step_only(own_ops):
    @minires.op
    def scaled(x, *, by):
        return x * by, lambda dy: dy * by

    by = np.array([1 + 1e-20j, 2.0])
    with complex_step():
        assert scaled(np.ones(2), by=by).data.tolist() == by.tolist()
    with pytest.raises(DTypeError, match="scaled: by must be an array of numbers, got complex128"):
        scaled(np.ones(2), by=by)


def test_what_an_object_keeps_and_hands_out_first_is_not_added_to(own_ops):
    kept = np.ones(2)

    @minires.op
    def keeping(x):
        return x * 1, partial(lambda kept, dy: kept, kept)

    x = leaf(1.0, 2.0)
    twice = x * 2.0
    (keeping(x) + twice).sum().backward()  # the newest op's gradient, kept, is the first to arrive at x
    assert (kept.tolist(), x.grad.tolist()) == ([1, 1], [3, 3])


@pytest.mark.parametrize("number", [128, -129])
def test_a_number_just_too_large_for_the_integers_beside_it_is_refused(number):
    x = Tensor(np.array([1, 2], np.int8))
    with pytest.raises(OptionError, match=f"add: {number} does not fit into int8"):
        x + number
    inside = number - 1 if number > 0 else number + 1
    assert (x * 0 + inside).tolist() == [inside] * 2


def test_a_tensor_without_axes_has_the_dims_0_and_minus_1_only():
    x = Tensor(3.0)
    assert x.sum(0).item() == x.sum(-1).item() == 3
    for dim in (1, -2):
        with pytest.raises(ShapeError, match=f"sum: dim {dim} is out of range for 0 axes"):
            x.sum(dim)


def test_a_model_moved_to_another_float_type_takes_its_gradients_along():
    layer = nn.Linear(1, 1, rng=0)
    layer(Tensor(np.full((1, 1), 2, "f4"))).sum().backward()
    layer.to(np.float64)
    assert layer.weight.grad.dtype == layer.bias.grad.dtype == np.float64
    layer(Tensor(np.full((1, 1), 3.0))).sum().backward()  # adds up with what was there
    assert (layer.weight.grad.item(), layer.bias.grad.item()) == (5, 2)


@pytest.mark.parametrize(("channels", "message"), [((4, 6), "4 input and 6 output"), ((6, 4), "6 input and 4 output")])
def test_groups_divide_the_channels_that_come_and_those_that_go(channels, message):
    with pytest.raises(ShapeError, match=f"Conv2d: groups=4 must divide {message} channels"):
        nn.Conv2d(*channels, 3, groups=4)


def test_a_backward_hook_leaves_what_no_grad_computes_outside_a_graph():
    layer = nn.Linear(2, 2, rng=0)
    layer.register_full_backward_hook(lambda *_: None)
    with minires.no_grad():
        assert not layer(Tensor(np.ones((1, 2), "f4"))).requires_grad


def test_a_backward_hook_takes_a_module_that_gives_a_named_tuple():
    module = Twofold()
    seen = []
    module.register_full_backward_hook(
        lambda m, grad_input, grad_output: seen.append([g.tolist() for g in grad_output])
    )
    x = leaf(1.0, 2.0)
    y = module(x)
    assert isinstance(y, Pair)
    (y.first * 5.0 + y.second).sum().backward()
    assert seen == [[[5, 5], [1, 1]]]
    assert x.grad.tolist() == [13, 13]


def test_an_array_changed_behind_a_backward_hook_is_noticed():
    layer = nn.ReLU()
    x = leaf(1.0, 2.0)
    layer.register_full_backward_hook(lambda *_: None)
    y = x * 1.0
    z = layer(y) * y
    with minires.no_grad():
        y[0] = 9.0
    with pytest.raises(GraphError, match="changed in place"):
        z.sum().backward()


def test_a_buffer_that_is_not_saved_is_not_loaded():
    layer = nn.ReLU()
    layer.register_buffer("scratch", np.zeros(2), persistent=False)
    layer.register_buffer("kept", np.zeros(2))
    layer.load_state_dict({"scratch": np.ones(2), "kept": np.ones(2)}, strict=False)
    assert (layer.scratch.tolist(), layer.kept.tolist()) == ([0, 0], [1, 1])


def test_arrays_of_a_state_that_was_loaded_stay_the_callers():
    x = leaf(1.0, 2.0)
    optimizer = optim.SGD([x], lr=0.1, momentum=0.9)
    state = {**optimizer.state_dict(), "steps": np.array([1]), "momentum_buffer.0": np.ones(2)}
    optimizer.load_state_dict(state)
    state["momentum_buffer.0"][...] = 7
    assert optimizer.state[0]["momentum_buffer"].tolist() == [1, 1]


def test_an_infinite_norm_is_an_error_where_that_is_asked_for():
    x = leaf(1.0, 2.0)
    x.grad = np.array([np.inf, 1.0])
    with pytest.raises(GraphError, match="norm of the gradients is inf"):
        optim.clip_grad_norm_([x], 1.0, error_if_nonfinite=True)
    assert x.grad.tolist() == [np.inf, 1]


def test_the_first_step_of_one_cycle_may_be_its_top():
    lr = optim.one_cycle(0.4, total_steps=10, pct_start=0.1)
    assert lr(0) == pytest.approx(0.4)
    assert lr(9) < 1e-4


def test_losses_that_count_nothing_have_gradients_of_zero():
    x = leaf([1.0, 2.0], [3.0, 4.0])
    ops.nll_loss(x, np.array([-100, -100])).backward()
    assert x.grad.tolist() == [[0, 0], [0, 0]]


def test_training_between_an_evaluation_and_its_backward_changes_nothing():
    layer = nn.BatchNorm2d(2)
    x = Tensor(np.random.default_rng(0).standard_normal((3, 2, 2, 2)).astype("f4"), requires_grad=True)

    def gradient(between):
        layer.eval()
        y = (layer(x) ** 2.0).sum()
        between()
        x.grad = layer.weight.grad = None
        y.backward()
        return x.grad.copy(), layer.weight.grad.copy()

    expected = gradient(lambda: None)
    found = gradient(lambda: layer.train()(Tensor(x.data * 5 + 3)))
    for a, b in zip(found, expected):
        np.testing.assert_array_equal(a, b)
