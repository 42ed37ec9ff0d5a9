"""Optimisers against torch's, their state, and the settings they refuse."""

import itertools

import numpy as np
import pytest

from minires import Tensor, optim
from minires.errors import CheckpointError, DTypeError, OptionError, ShapeError

SHAPES = [(3, 4), (5,), ()]
SGD_SETTINGS = [{"momentum": m, "weight_decay": w, "dampening": d, "nesterov": n}
                for m, w, d, n in itertools.product((0.0, 0.9), (0.0, 0.1), (0.0, 0.3), (False, True))
                if not n or (m and not d)]
ADAMW_SETTINGS = [{}, {"betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.3}, {"weight_decay": 0.0}]


def tensors(dtype, seed=0):
    rng = np.random.default_rng(seed)
    return [Tensor(np.asarray(rng.standard_normal(s), dtype), requires_grad=True) for s in SHAPES]


def gradients(dtype, step):
    rng = np.random.default_rng([1, step])
    return [np.asarray(rng.standard_normal(s), dtype) for s in SHAPES]


@pytest.mark.parametrize(("dtype", "units"), [(np.float64, 40), (np.float32, 40)])
@pytest.mark.parametrize(("name", "settings"), [("SGD", s) for s in SGD_SETTINGS] + [("AdamW", s) for s in ADAMW_SETTINGS],
                         ids=str)
def test_twenty_steps_are_torchs(name, settings, dtype, units):
    """20 steps of a few roundings each on both sides: 2·20 rounding units."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what this test compares with")
    ours = tensors(dtype)
    theirs = [torch.tensor(t.data, requires_grad=True) for t in ours]
    a, b = getattr(optim, name)(ours, lr=0.1, **settings), getattr(torch.optim, name)(theirs, lr=0.1, **settings)
    for step in range(20):
        a.lr = 0.1 / (1 + step)
        b.param_groups[0]["lr"] = 0.1 / (1 + step)
        for p, q, g in zip(ours, theirs, gradients(dtype, step), strict=True):
            p.grad, q.grad = g, torch.tensor(g)
        a.step()
        b.step()
    for p, q in zip(ours, theirs, strict=True):
        assert p.dtype == dtype
        expected = q.detach().numpy()
        assert np.abs(p.data - expected).max() <= units * np.finfo(dtype).eps * max(1, np.abs(expected).max())


@pytest.mark.parametrize("make", [lambda p: optim.SGD(p, 0.1, momentum=0.9, nesterov=True), optim.AdamW])
def test_a_restored_optimiser_goes_on_to_the_same_bits(make):
    def run(start, stop, params, optimizer):
        for step in range(start, stop):
            for p, g in zip(params, gradients(np.float32, step), strict=True):
                p.grad = g
            optimizer.step()
    params = tensors(np.float32)
    optimizer = make(params)
    run(0, 3, params, optimizer)
    twins = [Tensor(p.data.copy(), requires_grad=True) for p in params]
    other = make(twins)
    other.load_state_dict({k: v.copy() for k, v in optimizer.state_dict().items()})
    run(3, 6, params, optimizer)
    run(3, 6, twins, other)
    for p, q in zip(params, twins, strict=True):
        assert p.data.tobytes() == q.data.tobytes()


def test_groups_override_the_defaults():
    p, q = tensors(np.float64)[:2]
    optimizer = optim.SGD([{"params": [p], "weight_decay": 0.0}, {"params": [q]}], 0.5, weight_decay=0.1)
    before = p.data.copy(), q.data.copy()
    p.grad, q.grad = np.zeros(p.shape), np.zeros(q.shape)
    optimizer.step()
    np.testing.assert_array_equal(p.data, before[0])
    np.testing.assert_allclose(q.data, before[1] * 0.95)
    optimizer.lr = 0.0
    assert {group["lr"] for group in optimizer.groups} == {0.0}


def test_parameters_without_gradient_stay():
    p, q = tensors(np.float64)[:2]
    optimizer = optim.SGD([p, q], 0.1, weight_decay=0.1)
    before = q.data.copy()
    p.grad = np.ones(p.shape)
    optimizer.step()
    np.testing.assert_array_equal(q.data, before)
    optimizer.zero_grad()
    assert p.grad is None


def params():
    return [Tensor(np.ones(2), requires_grad=True)]


@pytest.mark.parametrize(("make", "message"), [
    (lambda: optim.SGD(params(), -0.1), "lr must be a number of at least 0, got -0.1"),
    (lambda: optim.SGD(params(), float("nan")), "lr must be a number of at least 0, got nan"),
    (lambda: optim.SGD(params(), "fast"), "lr must be a number"),
    (lambda: optim.SGD(params(), 0.1, momentum=-1), "momentum must be"),
    (lambda: optim.SGD(params(), 0.1, weight_decay=-1), "weight_decay must be"),
    (lambda: optim.SGD(params(), 0.1, nesterov=True), "nesterov needs a momentum above 0"),
    (lambda: optim.SGD(params(), 0.1, momentum=0.9, dampening=0.1, nesterov=True), "nesterov needs"),
    (lambda: optim.SGD([], 0.1), "no parameters"),
    (lambda: optim.SGD(params() * 2, 0.1), "a parameter is given twice"),
    (lambda: optim.SGD([Tensor(np.ones(2))], 0.1), "requires a gradient"),
    (lambda: optim.SGD([np.ones(2)], 0.1), "must be a Tensor"),
    (lambda: optim.SGD([{"params": params(), "learning_rate": 1}], 0.1), "unknown setting 'learning_rate'"),
    (lambda: optim.AdamW(params(), betas=(0.9, 1.0)), "betas must be a number of at least 0 and below 1"),
    (lambda: optim.AdamW(params(), eps=-1), "eps must be"),
])
def test_settings_out_of_range_are_refused(make, message):
    with pytest.raises(OptionError, match=message):
        make()


def test_a_gradient_that_does_not_fit_is_refused():
    p = params()
    optimizer = optim.SGD(p, 0.1)
    p[0].grad = np.ones(3)
    with pytest.raises(ShapeError, match=r"parameter \(2,\) has a gradient \(3,\)"):
        optimizer.step()
    p[0].grad = np.ones(2, np.float32)
    with pytest.raises(DTypeError, match="float64 parameter has a float32 gradient"):
        optimizer.step()


@pytest.mark.parametrize("state", [{}, {"steps": np.array(1), "momentum_buffer.5": np.ones(2)},
                                   {"steps": np.array(1), "momentum_buffer.0": np.ones(3)}])
def test_a_state_that_does_not_fit_is_refused(state):
    with pytest.raises(CheckpointError, match="SGD cannot load this state"):
        optim.SGD(params(), 0.1, momentum=0.9).load_state_dict(state)
