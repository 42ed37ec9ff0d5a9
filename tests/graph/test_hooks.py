"""Hooks see, keep and replace gradients."""

import numpy as np
import pytest
from leaves import leaf

from minires import Tensor
from minires.errors import GraphError, ShapeError


def test_hooks_see_and_replace_the_gradient_and_can_be_removed():
    x = leaf(3)
    hidden = x * 2.0
    seen = []
    hidden.register_hook(seen.append)
    remove = hidden.register_hook(lambda g: g * 10)
    hidden.sum().backward(retain_graph=True)
    np.testing.assert_array_equal(seen[0], np.ones(3))
    np.testing.assert_array_equal(x.grad, np.full(3, 20.0))
    remove()
    x.grad = None
    hidden.sum().backward()
    np.testing.assert_array_equal(x.grad, np.full(3, 2.0))


def test_a_hook_on_a_leaf_changes_what_is_stored():
    x = leaf(3)
    x.register_hook(lambda g: -g)
    x.sum().backward()
    np.testing.assert_array_equal(x.grad, -np.ones(3))


def test_a_gradient_that_a_hook_kept_is_not_the_grad_even_if_the_hook_removed_itself():
    x = leaf(3)
    kept = []

    def keep(g):
        kept.append(g)
        remove()

    remove = x.register_hook(keep)
    (x * 2.0).sum().backward()
    x.grad[...] = 0
    np.testing.assert_array_equal(kept[0], np.full(3, 2.0))


def test_a_hook_after_accumulation_finds_the_gradient_and_may_take_it_away():
    x = leaf(3)
    seen = []
    remove = x.register_post_accumulate_grad_hook(lambda t: seen.append((t is x, t.grad.copy())))
    x.register_hook(lambda g: -g)
    for expected in (-2.0, -4.0):  # called once a sweep, with all that has arrived
        (x + x).sum().backward()
        assert seen[-1][0]
        np.testing.assert_array_equal(seen[-1][1], np.full(3, expected))

    def take(t):
        t.grad = None

    x.register_post_accumulate_grad_hook(take)
    remove()
    x.sum().backward()
    assert x.grad is None
    assert len(seen) == 2


def test_a_hook_after_accumulation_needs_a_leaf():
    x = leaf(3)
    for tensor in (x * 2.0, Tensor([1.0])):
        with pytest.raises(GraphError, match="only a leaf that requires a gradient"):
            tensor.register_post_accumulate_grad_hook(print)


def test_a_hook_must_return_a_gradient_that_fits():
    x = leaf(3)
    x.register_hook(lambda g: g[:2])
    with pytest.raises(ShapeError, match=r"gradient hook: returned a gradient \(2,\) for an input \(3,\)"):
        x.sum().backward()


def test_hooks_and_kept_gradients_need_a_graph():
    for ask in (lambda t: t.register_hook(print), lambda t: t.retain_grad()):
        with pytest.raises(GraphError, match="depends on nothing that requires a gradient"):
            ask(Tensor([1.0]))


def test_retain_grad_keeps_an_intermediate_gradient():
    x = leaf(3)
    hidden = x * 2.0
    hidden.retain_grad()
    (hidden * hidden).sum().backward()
    np.testing.assert_array_equal(hidden.grad, 2 * hidden.data)
    assert (x * 2.0).grad is None


def test_an_exception_in_a_hook_leaves_the_engine_usable():
    x = leaf(3)
    y = x * 2.0
    remove = y.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        y.sum().backward()
    remove()
    (x * 3.0).sum().backward()
    np.testing.assert_array_equal(x.grad, np.full(3, 3.0))


@pytest.mark.parametrize("register", [Tensor.register_hook, Tensor.register_post_accumulate_grad_hook])
def test_a_hook_may_remove_itself_and_register_another_while_it_is_called(register):
    x = leaf(3)
    calls = []

    def once(_):
        calls.append("once")
        handle.remove()
        register(x, lambda _: calls.append("later"))

    handle = register(x, once)
    x.sum().backward()
    assert calls == ["once"]
    x.sum().backward()
    assert calls == ["once", "later"]
