"""Optimizers against torch's, and the settings they refuse."""

import itertools

import numpy as np
import pytest
from backends import BACKENDS, GPUS

from minires import Tensor, nn, optim
from minires.arrays import to_device
from minires.errors import GraphError

SHAPES = [(3, 4), (5,), (), (1,), (0,), (4, 0, 2)]
SGD_SETTINGS = [
    {"momentum": m, "weight_decay": w, "dampening": d, "nesterov": n}
    for m, w, d, n in itertools.product((0.0, 0.9), (0.0, 0.1), (0.0, 0.3), (False, True))
    if not n or (m and not d)
]
ADAM_SETTINGS = [{}, {"betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.3}, {"weight_decay": 0.0}]
ALL_SETTINGS = [("SGD", s) for s in SGD_SETTINGS] + [(name, s) for name in ("Adam", "AdamW") for s in ADAM_SETTINGS]


def tensors(dtype, seed=0):
    rng = np.random.default_rng(seed)
    arrays = [np.asarray(rng.standard_normal(s), dtype) for s in SHAPES]
    arrays.append(rng.standard_normal((6, 8)).astype(dtype)[::-2, 1::3])  # with gaps, and backwards
    return [Tensor(a, requires_grad=True) for a in arrays]


def gradients(dtype, step):
    rng = np.random.default_rng([1, step])
    return [np.asarray(rng.standard_normal(s), dtype) for s in [*SHAPES, (3, 3)]]


@pytest.mark.parametrize(("dtype", "units"), [(np.float64, 40), (np.float32, 40)])
@pytest.mark.parametrize(("name", "settings"), ALL_SETTINGS, ids=str)
def test_twenty_steps_are_torchs(name, settings, dtype, units):
    """20 steps of a few roundings each on both sides: 2·20 rounding units."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what this test compares with")
    ours = tensors(dtype)
    theirs = [torch.tensor(t.data.copy(), requires_grad=True) for t in ours]
    memory = [t.data for t in ours]
    a = getattr(optim, name)(ours, lr=0.1, **settings)
    b = getattr(torch.optim, name)(theirs, lr=0.1, **settings)
    for step in range(20):
        a.lr = 0.1 / (1 + step)
        b.param_groups[0]["lr"] = 0.1 / (1 + step)
        for p, q, g in zip(ours, theirs, gradients(dtype, step), strict=True):
            p.grad = g
            q.grad = torch.tensor(g)
        a.step()
        b.step()
    for p, q, array in zip(ours, theirs, memory, strict=True):
        assert p.data is array
        assert p.dtype == dtype
        expected = q.detach().numpy()
        assert np.abs(p.data - expected).max(initial=0) <= units * np.finfo(dtype).eps * max(
            1, np.abs(expected).max(initial=0)
        )


@pytest.mark.parametrize(("dtype", "units"), [(np.float64, 40), (np.float32, 40)])
@pytest.mark.parametrize(("name", "settings"), ALL_SETTINGS, ids=str)
def test_many_parameters_in_any_memory_order_are_stepped_as_each_alone(backend, name, settings, dtype, units):
    """More than one launch takes on a GPU; the reference is each parameter's own optimizer with NumPy."""
    rng = np.random.default_rng(0)
    arrays = [
        rng.standard_normal((3, 4, 2))[..., :k].transpose(k % 3, (k + 1) % 3, (k + 2) % 3).astype(dtype)
        for k in [1, 2] * 40
    ]
    ours, each = (
        [Tensor(place.array(a.copy("K")), requires_grad=True) for a in arrays] for place in (backend, BACKENDS[0])
    )
    together = getattr(optim, name)(ours, lr=0.1, **settings)
    alone = [getattr(optim, name)([p], lr=0.1, **settings) for p in each]
    for step in range(4):
        for i, (p, q) in enumerate(zip(ours, each, strict=True)):
            g = rng.standard_normal(p.shape).astype(dtype)
            p.grad, q.grad = (backend.array(g), g) if i != 3 or step > 1 else (None, None)
        for optimizer in (together, *alone):
            optimizer.step()
    for p, q in zip(ours, each, strict=True):
        assert np.abs(p.detach().numpy() - q.data).max() <= units * np.finfo(dtype).eps * max(1, np.abs(q.data).max())


@pytest.mark.parametrize("make", [lambda p: optim.SGD(p, 0.1, momentum=0.9, nesterov=True), optim.Adam, optim.AdamW])
def test_a_restored_optimizer_goes_on_to_the_same_bits(backend, make):
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
    p.grad = np.zeros(p.shape)
    q.grad = np.zeros(q.shape)
    optimizer.step()
    np.testing.assert_array_equal(p.data, before[0])
    np.testing.assert_allclose(q.data, before[1] * 0.95)


def test_a_group_with_its_own_rate_keeps_its_ratio_to_the_schedule():
    p, q = tensors(np.float64)[:2]
    optimizer = optim.SGD([{"params": [p], "lr": 0.05}, {"params": [q]}], 0.5)
    assert optimizer.lr == 0.5
    for lr in (0.0, 0.3):  # a rate of 0 does not make it forget
        optimizer.lr = lr
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.03, 0.3], rel=1e-15)
    before = p.data.copy(), q.data.copy()
    p.grad = np.ones(p.shape)
    q.grad = np.ones(q.shape)
    optimizer.step()
    np.testing.assert_allclose(before[0] - p.data, 0.03, rtol=1e-13)
    np.testing.assert_allclose(before[1] - q.data, 0.3, rtol=1e-13)


def test_the_rate_is_that_of_the_groups_without_one_of_their_own():
    p, q, r = tensors(np.float64)[:3]
    optimizer = optim.SGD([{"params": [p], "lr": 0.25}, {"params": [q]}], 0.5)
    optimizer.param_groups[1]["lr"] = 2.0
    assert optimizer.lr == 2.0
    optimizer = optim.SGD([{"params": [p], "lr": 0.0}, {"params": [q], "lr": 0.25}, {"params": [r], "lr": 0.125}], 0.5)
    assert optimizer.lr == 0.5  # where all have one, it is what their ratio makes of it
    optimizer.lr = 2.0
    assert [group["lr"] for group in optimizer.param_groups] == [0.0, 1.0, 0.5]
    assert optimizer.lr == 2.0
    optimizer = optim.SGD([{"params": [p], "lr": 0.0}], 0.5)
    optimizer.lr = 2.0
    assert (optimizer.lr, optimizer.param_groups[0]["lr"]) == (0.0, 0.0)


def test_a_rate_may_begin_at_0():
    p = [Tensor(np.ones(2), requires_grad=True)]
    optimizer = optim.SGD(p, 0.0)
    p[0].grad = np.ones(2)
    optimizer.step()
    optimizer.lr = 0.5
    optimizer.step()
    np.testing.assert_array_equal(p[0].data, [0.5, 0.5])


def test_a_step_between_forward_and_backward_is_noticed():
    p = [Tensor(np.ones(2), requires_grad=True)]
    optimizer = optim.SGD(p, 0.5)
    loss = (p[0] * p[0]).sum()
    p[0].grad = np.ones(2)
    optimizer.step()
    with pytest.raises(GraphError, match="changed"):
        loss.backward()


def test_a_parameter_whose_gradient_comes_late_is_stepped_as_torch_does():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what this test compares with")
    ours = tensors(np.float64)
    theirs = [torch.tensor(t.data.copy(), requires_grad=True) for t in ours]
    a = optim.AdamW(ours, lr=0.1)
    b = torch.optim.AdamW(theirs, lr=0.1)
    for step in range(8):
        for i, (p, q, g) in enumerate(zip(ours, theirs, gradients(np.float64, step), strict=True)):
            absent = i == 1 and step < 5
            p.grad, q.grad = (None, None) if absent else (g, torch.tensor(g))
        a.step()
        b.step()
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-13)


@pytest.mark.parametrize(
    "make",
    [
        lambda p, number: optim.SGD(p, number(0.1), number(0.9), number(0.3), number(0.1)),
        lambda p, number: optim.Adam(p, number(0.1), weight_decay=number(0.1)),
        lambda p, number: optim.AdamW(p, number(0.1), (number(0.9), number(0.99)), number(1e-3)),
    ],
)
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
        assert {array.dtype for state in optimizer.state for array in state.values()} == {np.dtype("f4")}
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


@pytest.mark.parametrize(
    "make", [lambda p: optim.SGD(p, 0.1, momentum=0.9), lambda p: optim.Adam(p, 0.1), lambda p: optim.AdamW(p, 0.1)]
)
def test_what_is_kept_for_a_parameter_follows_it_to_another_dtype(make):
    layer = nn.Linear(3, 2, bias=False, rng=0)
    optimizer = make(layer.parameters())
    exact = layer.weight.data.astype(np.float64)
    reference = Tensor(exact, requires_grad=True)
    other = make([reference])
    for step, dtype in enumerate([np.float32, np.float64, np.float64, np.float32]):
        layer.to(dtype)
        g = np.random.default_rng(step).standard_normal((2, 3)).astype(np.float32)
        layer.weight.grad = g.astype(dtype)
        reference.grad = g.astype(np.float64)
        optimizer.step()
        other.step()
        assert {a.dtype for a in optimizer.state[0].values()} == {np.dtype(dtype)}
    np.testing.assert_allclose(layer.weight.data, reference.data, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize(("stored", "wanted"), [(np.float32, np.float64), (np.float64, np.float32)])
def test_a_state_is_loaded_into_the_parameters_dtype(stored, wanted):
    p, q = (Tensor(np.ones(2, dtype), requires_grad=True) for dtype in (stored, wanted))
    one = optim.SGD([p], 0.1, momentum=0.5)
    other = optim.SGD([q], 0.1, momentum=0.5)
    p.grad = np.ones(2, stored)
    one.step()
    other.load_state_dict(one.state_dict())
    q.grad = np.ones(2, wanted)
    other.step()  # v = 0.5·1 + 1
    assert other.state[0]["momentum_buffer"].dtype == wanted
    np.testing.assert_allclose(q.data, np.full(2, 1 - 0.15), rtol=1e-6)


@pytest.mark.parametrize("place", GPUS)
@pytest.mark.parametrize("make", [lambda p: optim.SGD(p, 0.1, momentum=0.9), lambda p: optim.AdamW(p, 0.1)])
def test_what_is_kept_for_a_parameter_follows_it_to_another_device(place, make):
    rng = np.random.default_rng(0)
    start = rng.standard_normal((2, 3))
    gradients = rng.standard_normal((4, 2, 3))
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
