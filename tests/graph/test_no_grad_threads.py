"""Where recording is switched off, and threads that record each for itself."""

import threading
import time

import numpy as np
import pytest
from leaves import leaf

import minires
from minires import Tensor, kernels, models, ops
from minires.errors import DTypeError


def test_no_grad_ends_with_its_block_even_after_an_exception():
    x = leaf(3)

    @minires.no_grad()
    def fail():
        assert (x * 2.0).node is None
        raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert (x * 2.0).requires_grad


def test_no_grad_decorates_without_brackets_too_and_keeps_the_name():
    @minires.no_grad
    def doubled(x):
        """Twice x"""
        return 2 * x

    x = Tensor(np.ones(2), requires_grad=True)
    assert (doubled(x).requires_grad, (2 * x).requires_grad) == (False, True)
    assert (doubled.__name__, doubled.__doc__) == ("doubled", "Twice x")
    with pytest.raises(DTypeError, match=r"no_grad decorates a function, got 5; write @no_grad\(\)"):
        minires.no_grad(5)


def test_one_no_grad_can_be_entered_again_and_inside_itself():
    off = minires.no_grad()
    x = Tensor(np.ones(2), requires_grad=True)
    with off, off:
        assert not (2 * x).requires_grad
    assert (2 * x).requires_grad
    with off:
        assert not (2 * x).requires_grad
    assert (2 * x).requires_grad


@pytest.mark.parametrize("bare", [True, False])
def test_the_steps_of_a_generator_record_nothing_and_what_lies_between_them_is_recorded(bare):
    ended = []

    def steps(x):
        try:
            given = yield 2 * x
            try:
                yield given * x
            except KeyError:
                yield 3 * x
        finally:
            ended.append((4 * x).requires_grad)
        return 5 * x

    steps = minires.no_grad(steps) if bare else minires.no_grad()(steps)
    x = Tensor(np.ones(2), requires_grad=True)
    going = steps(x)
    for step in (lambda: next(going), lambda: going.send(7), lambda: going.throw(KeyError("thrown in"))):
        assert not step().requires_grad
        assert (2 * x).requires_grad
    with pytest.raises(StopIteration) as end:
        next(going)
    assert not end.value.value.requires_grad
    left_early = steps(x)
    next(left_early)
    left_early.close()
    assert ended == [False, False]
    assert (2 * x).requires_grad


def test_no_grad_nests_and_decorates():
    x = leaf(3)

    @minires.no_grad()
    def double():
        with minires.no_grad():
            pass
        return x * 2.0

    assert not double().requires_grad
    assert not double().requires_grad
    assert (x * 2.0).requires_grad


def test_no_grad_holds_for_its_thread_only():
    x = leaf(3)
    recorded = []
    with minires.no_grad():
        thread = threading.Thread(target=lambda: recorded.append((x * 2.0).requires_grad))
        thread.start()
        thread.join()
    assert recorded == [True]


def test_two_threads_differentiate_their_own_graphs():
    def work(k):
        x = leaf(50, seed=k)
        for _ in range(100):
            x.grad = None
            (x * x).sum().backward()
        results[k] = np.array_equal(x.grad, 2 * x.data)

    results = {}
    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == dict.fromkeys(range(4), True)


def test_two_threads_differentiate_networks_as_one_thread_does():
    images = np.random.default_rng(0).standard_normal((8, 3, 16, 16)).astype(np.float32)

    def gradients(seed):
        model = models.resnet8(rng=seed)
        ops.cross_entropy(model(Tensor(images)), np.arange(8)).backward()
        found[seed] = [p.grad for p in model.parameters()]

    found = {}
    for seed in range(2):
        gradients(seed)
    alone, found = found, {}
    threads = [threading.Thread(target=gradients, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(2):
        for a, b in zip(alone[seed], found[seed], strict=True):
            np.testing.assert_array_equal(a, b)


def test_threads_that_share_a_leaf_add_up_all_of_their_gradients():
    w = Tensor(np.zeros(3), requires_grad=True)

    def work():
        for _ in range(300):
            (w * 1.0).sum().backward()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert w.grad.tolist() == [1200] * 3


def test_a_thread_waits_while_another_adds_to_the_same_grad(monkeypatch):
    """The sum is slow here, so both would read the old .grad if they did not take turns."""
    x = leaf(3)
    x.grad = np.zeros(3)
    add = kernels.add

    def slow_add(a, b, out=None):
        time.sleep(0.05)
        return add(a, b, out)

    monkeypatch.setattr(kernels, "add", slow_add)
    threads = [threading.Thread(target=x.backward, args=(np.ones(3),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(x.grad, 2)
