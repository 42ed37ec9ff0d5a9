"""Optimisers against torch's, their state, and the settings they refuse."""

import itertools

import numpy as np
import pytest
from backends import BACKENDS, GPUS

from minires import Tensor, nn, optim
from minires.arrays import to_device
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


@pytest.mark.parametrize(("dtype", "units"), [(np.float64, 40), (np.float32, 40)])
@pytest.mark.parametrize(("name", "settings"), [("SGD", s) for s in SGD_SETTINGS] + [("AdamW", s) for s in ADAMW_SETTINGS],
                         ids=str)
def test_many_parameters_in_any_memory_order_are_stepped_as_each_alone(backend, name, settings, dtype, units):
    """More than one launch takes on a GPU; the reference is each parameter's own optimiser with NumPy."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((3, 4, 2))[..., :k].transpose(k % 3, (k + 1) % 3, (k + 2) % 3).astype(dtype)
              for k in [1, 2] * 40]
    ours, each = ([Tensor(place.array(a.copy("K")), requires_grad=True) for a in arrays] for place in (backend, BACKENDS[0]))
    together = getattr(optim, name)(ours, lr=0.1, **settings)
    alone = [getattr(optim, name)([p], lr=0.1, **settings) for p in each]
    for step in range(4):
        for i, (p, q) in enumerate(zip(ours, each, strict=True)):
            g = rng.standard_normal(p.shape).astype(dtype)
            p.grad, q.grad = (backend.array(g), g) if i != 3 or step > 1 else (None, None)
        for optimizer in (together, *alone):
            optimizer.step()
    for p, q in zip(ours, each, strict=True):
        assert np.abs(p.numpy() - q.data).max() <= units * np.finfo(dtype).eps * max(1, np.abs(q.data).max())


@pytest.mark.parametrize("make", [lambda p: optim.SGD(p, 0.1, momentum=0.9, nesterov=True), optim.AdamW])
def test_a_restored_optimiser_goes_on_to_the_same_bits(backend, make):
    def run(start, stop, params, optimizer):
        for step in range(start, stop):
            for p, g in zip(params, gradients(np.float32, step), strict=True):
                p.grad = backend.array(g)
            optimizer.step()
    params = [Tensor(backend.array(t.data), requires_grad=True) for t in tensors(np.float32)]
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


def test_a_group_with_its_own_rate_keeps_its_ratio_to_the_schedule():
    p, q = tensors(np.float64)[:2]
    optimizer = optim.SGD([{"params": [p], "lr": 0.05}, {"params": [q]}], 0.5)
    assert optimizer.lr == 0.5
    for lr in (0.0, 0.3):  # a rate of 0 does not make it forget
        optimizer.lr = lr
    assert [group["lr"] for group in optimizer.groups] == pytest.approx([0.03, 0.3], rel=1e-15)
    before = p.data.copy(), q.data.copy()
    p.grad, q.grad = np.ones(p.shape), np.ones(q.shape)
    optimizer.step()
    np.testing.assert_allclose(before[0] - p.data, 0.03, rtol=1e-13)
    np.testing.assert_allclose(before[1] - q.data, 0.3, rtol=1e-13)


def test_a_parameter_whose_gradient_comes_late_is_stepped_as_torch_does():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what this test compares with")
    ours = tensors(np.float64)
    theirs = [torch.tensor(t.data, requires_grad=True) for t in ours]
    a, b = optim.AdamW(ours, lr=0.1), torch.optim.AdamW(theirs, lr=0.1)
    for step in range(8):
        for i, (p, q, g) in enumerate(zip(ours, theirs, gradients(np.float64, step), strict=True)):
            absent = i == 1 and step < 5
            p.grad, q.grad = (None, None) if absent else (g, torch.tensor(g))
        a.step()
        b.step()
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-13)


@pytest.mark.parametrize("make", [lambda p, number: optim.SGD(p, number(0.1), number(0.9), number(0.3), number(0.1)),
                                  lambda p, number: optim.AdamW(p, number(0.1), (number(0.9), number(0.99)), number(1e-3))])
def test_settings_given_as_numpy_numbers_bring_no_float64_into_float32(make):
    results = []
    for number in (float, np.float64):
        params = tensors(np.float32)
        optimizer = make(params, number)
        for step in range(5):
            for p, g in zip(params, gradients(np.float32, step), strict=True):
                p.grad = g
            optimizer.step()
        results.append(b"".join(p.data.tobytes() for p in params))
        assert {array.dtype for name, array in optimizer.state_dict().items() if name != "steps"} == {np.dtype("f4")}
    assert results[0] == results[1]


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
    (lambda: optim.SGD(params()[0], 0.1), "is a leaf"),  # a Tensor alone is iterated over: its slices would be trained
    (lambda: optim.SGD([{"params": params()}, *params()], 0.1), "must be a Tensor"),
    (lambda: optim.SGD([{"lr": 0.1}], 0.1), "lacks its 'params'"),
    (lambda: optim.SGD([{"params": params(), "lr": 0.1}], 0.0), r"lr must be above 0 where a group has its own \(0.1\)"),
    (lambda: optim.AdamW(params(), betas=0.9), "betas must be two numbers, got 0.9"),
    (lambda: optim.AdamW(params(), betas=(0.9,)), "betas must be two numbers"),
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


STEPS, BUFFER = {"steps": np.array([1])}, {"momentum_buffer.0": np.ones(2)}


@pytest.mark.parametrize(("momentum", "state", "message"), [
    (0.9, {}, r"missing: \['steps'\], unexpected: \[\], shape differs: \[\]"),
    (0.9, STEPS, r"missing: \['momentum_buffer.0'\], unexpected: \[\], shape differs: \[\]"),
    (0.9, {**STEPS, **BUFFER, "momentum_buffer.5": np.ones(2)}, r"missing: \[\], unexpected: \['momentum_buffer.5'\]"),
    (0.0, {**STEPS, **BUFFER}, r"missing: \[\], unexpected: \['momentum_buffer.0'\]"),
    (0.9, {**STEPS, "momentum_buffer.0": np.ones(3)}, r"unexpected: \[\], shape differs: \['momentum_buffer.0'\]"),
    (0.9, {"steps": np.array(1), **BUFFER}, r"unexpected: \[\], shape differs: \['steps'\]"),
])
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(momentum, state, message):
    optimizer = optim.SGD(params(), 0.1, momentum=momentum)
    with pytest.raises(CheckpointError, match="SGD cannot load this state; .*" + message):
        optimizer.load_state_dict(state)
    assert (optimizer.steps, optimizer.state) == ([0], [{}])


@pytest.mark.parametrize("place", GPUS)
@pytest.mark.parametrize("make", [lambda p: optim.SGD(p, 0.1, momentum=0.9), lambda p: optim.AdamW(p, 0.1)])
def test_what_is_kept_for_a_parameter_follows_it_to_another_device(place, make):
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal((2, 3)), rng.standard_normal((4, 2, 3))
    ends = []
    for places in (["cpu"] * 4, ["cpu", place.device, place.device, "cpu"]):
        layer = nn.Linear(3, 2, bias=False, rng=0).to(np.float64)
        layer.weight.data[...] = start
        optimizer = make(layer.parameters())
        for device, gradient in zip(places, gradients):
            layer.to(device).weight.grad = to_device(gradient, device)
            optimizer.step()
        ends.append(layer.weight.data)
    np.testing.assert_allclose(ends[1], ends[0], rtol=1e-14)
