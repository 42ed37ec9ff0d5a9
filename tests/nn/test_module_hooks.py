"""Hooks before forward, after it, and on a module's gradients, compared with torch's."""

import numpy as np
import pytest

from minires import Tensor, nn, no_grad, ops
from minires.errors import DTypeError, GraphError, ShapeError


def test_a_pre_hook_changes_the_inputs():
    layer = nn.ReLU()
    layer.register_forward_pre_hook(lambda module, inputs: inputs[0] * -1.0)
    assert layer(Tensor([-3.0])).item() == 3
    layer.register_forward_pre_hook(lambda module, inputs: (inputs[0] * 2.0,))
    assert layer(Tensor([-3.0])).item() == 6
    layer.register_forward_pre_hook(lambda module, inputs: (inputs[0] * 0.0,), prepend=True)
    assert layer(Tensor([-3.0])).item() == 0


def test_hooks_may_see_and_change_keywords():
    class Scaled(nn.Module):
        def forward(self, x, *, scale):
            return x * scale

    layer = Scaled()
    seen = []
    layer.register_forward_pre_hook(lambda m, inputs, kw: (inputs, {"scale": kw["scale"] + 1}), with_kwargs=True)
    layer.register_forward_hook(lambda m, inputs, kw, y: seen.append((len(inputs), kw)), with_kwargs=True)
    assert layer(Tensor([2.0]), scale=3.0).item() == 8
    assert seen == [(1, {"scale": 4.0})]
    layer.register_forward_pre_hook(lambda m, inputs, kw: inputs, with_kwargs=True)
    with pytest.raises(DTypeError, match="returns None or"):
        layer(Tensor([2.0]), scale=3.0)


@pytest.mark.parametrize(
    "register", ["register_forward_pre_hook", "register_forward_hook", "register_full_backward_hook"]
)
def test_a_handle_takes_the_hook_away_in_three_ways(register):
    layer = nn.ReLU()
    calls = []

    def called():
        calls.clear()
        layer(Tensor([1.0], requires_grad=True)).backward()
        return len(calls)

    def add():
        return getattr(layer, register)(lambda *arguments: calls.append(arguments))

    first = add()
    second = add()
    assert called() == 2
    first.remove()
    first.remove()  # again does nothing
    assert called() == 1
    second()
    assert called() == 0
    with add():
        assert called() == 1
    assert called() == 0
    assert not layer._hooks
    with pytest.raises(DTypeError, match="a hook must be a function, got NoneType"):
        getattr(layer, register)(None)


def test_a_prepended_hook_comes_first_and_a_hook_may_leave_while_hooks_run():
    layer = nn.Identity()
    seen = []
    late = layer.register_forward_hook(lambda *_: seen.append("late"))
    layer.register_forward_hook(lambda *_: (seen.append("early"), late.remove())[0], prepend=True)
    layer(1)
    layer(1)
    assert seen == ["early", "late", "early"]


class Two(nn.Module):
    """y = x·w + 3·v, and v itself where asked for."""

    def __init__(self):
        self.w = nn.Parameter(np.array([2.0, 4.0]))

    def forward(self, x, v=None, both=False):
        y = x * self.w if v is None else x * self.w + v * 3.0
        return (y, v * 5.0) if both else y


def listened(**options):
    layer = Two()
    seen = []
    layer.register_full_backward_hook(lambda module, dx, dy: seen.append((module, dx, dy)))
    return layer, seen


def leaf(*values):
    return Tensor(np.array(values), requires_grad=True)


def test_a_backward_hook_sees_what_arrives_and_what_leaves():
    layer, seen = listened()
    x = leaf(1.0, 1.0)
    (layer(x) * 10.0 + x).sum().backward()
    ((module, (dx,), (dy,)),) = seen
    assert module is layer
    np.testing.assert_array_equal(dy, [10, 10])
    np.testing.assert_array_equal(dx, [20, 40])  # through the layer, without what the sum adds
    np.testing.assert_array_equal(x.grad, [21, 41])
    np.testing.assert_array_equal(layer.w.grad, [10, 10])


def test_an_input_without_a_gradient_gives_none_and_the_hook_is_called_all_the_same():
    layer, seen = listened()
    layer(Tensor(np.ones(2))).sum().backward()
    assert seen[0][1] == (None,)
    np.testing.assert_array_equal(seen[0][2][0], [1, 1])


def test_several_inputs_and_outputs_come_together_in_one_call():
    layer, seen = listened()
    x = leaf(1.0, 1.0)
    v = leaf(2.0, 3.0)
    y, z = layer(x, v, True)
    (y.sum() + (z * 2.0).sum()).backward()
    assert len(seen) == 1
    _, (dx, dv, flag), (dy, dz) = seen[0]
    np.testing.assert_array_equal([dx, dv], [[2, 4], [13, 13]])
    np.testing.assert_array_equal([dy, dz], [[1, 1], [2, 2]])
    assert flag is None
    np.testing.assert_array_equal(v.grad, [13, 13])


def test_an_output_that_is_not_used_has_no_gradient():
    layer, seen = listened()
    x = leaf(1.0, 1.0)
    v = leaf(2.0, 3.0)
    layer(x, v, both=True)[1].sum().backward()
    _, (dx, dv), (dy, dz) = seen[0]
    assert dx is None
    assert dy is None
    np.testing.assert_array_equal([dv, dz], [[5, 5], [1, 1]])
    assert x.grad is None


def test_a_backward_hook_replaces_the_gradient_of_the_inputs_and_of_nothing_else():
    layer = Two()
    layer.register_full_backward_hook(lambda module, dx, dy: (dx[0] * 0 + 7,))
    x = leaf(1.0, 1.0)
    layer(x * 2.0).sum().backward()
    np.testing.assert_array_equal(x.grad, [14, 14])
    np.testing.assert_array_equal(layer.w.grad, [2, 2])
    layer.register_full_backward_hook(lambda module, dx, dy: (dx[0], dx[0]))
    with pytest.raises(GraphError, match="returned 2 gradients, the module has 1 inputs"):
        layer(x).sum().backward()
    other = Two()
    other.register_full_backward_hook(lambda module, dx, dy: (np.ones(3),))
    with pytest.raises(ShapeError, match="backward hook of Two"):
        other(x).sum().backward()


def test_a_retained_graph_calls_the_hook_on_each_backward():
    layer, seen = listened()
    y = layer(leaf(1.0, 1.0)).sum()
    y.backward(retain_graph=True)
    y.backward(np.array(3.0))
    np.testing.assert_array_equal([dx for _, (dx,), _ in seen], [[2, 4], [6, 12]])
    layer, seen = listened()
    y, z = layer(leaf(1.0, 1.0), leaf(1.0, 1.0), both=True)
    y.sum().backward(retain_graph=True)
    z.sum().backward()
    assert [[a is None for a in (*dx, *dy)] for _, dx, dy in seen] == [
        [False, False, False, True],
        [True, False, True, False],
    ]


def test_the_arrays_that_a_hook_keeps_are_not_written_into_later():
    """The engine adds in place, and ReLU writes over ∂L/∂y, where nothing else refers to the array; a hook does."""
    layer = nn.ReLU()
    seen = []
    layer.register_full_backward_hook(lambda module, dx, dy: seen.append((dx[0], dy[0])))
    x = Tensor(np.random.default_rng(0).standard_normal((4, 8)), requires_grad=True)
    h = x * 1.5
    older = h * 3.0  # its gradient reaches h after that of the layer, and is added to it
    (older + layer(h) * 2.0).sum().backward()
    ((dx, dy),) = seen
    np.testing.assert_array_equal(dy, np.full((4, 8), 2.0))
    np.testing.assert_array_equal(dx, np.where(x.data > 0, 2.0, 0.0))
    np.testing.assert_array_equal(x.grad, np.where(x.data > 0, 7.5, 4.5))


def test_nothing_is_recorded_for_hooks_under_no_grad():
    layer, seen = listened()
    with no_grad():
        assert not layer(leaf(1.0, 1.0)).requires_grad
    layer(leaf(1.0, 1.0))
    assert seen == []


def test_a_hook_changes_no_bit_of_the_gradients():
    def gradients(with_hooks):
        rng = np.random.default_rng(0)
        model = nn.Sequential(
            nn.Conv2d(3, 8, 3, rng=rng),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(),
            nn.Flatten(),
            nn.Linear(8, 4, rng=rng),
        )
        if with_hooks:
            for module in model.modules():
                module.register_full_backward_hook(lambda module, dx, dy: None)
        ops.cross_entropy(model(Tensor(rng.standard_normal((4, 3, 8, 8), dtype=np.float32))), np.arange(4)).backward()
        return [p.grad for p in model.parameters()]

    for a, b in zip(gradients(True), gradients(False), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")  # torch, of the first layer's input
def test_grad_cam_sees_what_it_sees_in_torch():
    """Gradients in and out of every layer of a small network, its first convolution's input included."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what this test compares with")
    rng = np.random.default_rng(0)
    ours = nn.Sequential(nn.Conv2d(2, 3, 3, rng=rng), nn.Tanh(), nn.Flatten(), nn.Linear(12, 2, rng=rng)).double()
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(2, 3, 3), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(12, 2)
    ).double()
    theirs.load_state_dict({k: torch.tensor(np.ascontiguousarray(v)) for k, v in ours.state_dict().items()})
    found, expected = [], []
    for model, seen in ((ours, found), (theirs, expected)):
        for module in model:
            module.register_full_backward_hook(lambda m, dx, dy, seen=seen: seen.append((type(m).__name__, [*dx, *dy])))
    x = rng.standard_normal((2, 2, 4, 4))
    (ours(Tensor(x)) * np.array([1.0, -2.0])).sum().backward()
    (theirs(torch.tensor(x)) * torch.tensor([1.0, -2.0])).sum().backward()
    assert [name for name, _ in found] == [name for name, _ in expected] == ["Linear", "Flatten", "Tanh", "Conv2d"]
    for (_, a), (_, b) in zip(found, expected):
        assert [v is None for v in a] == [v is None for v in b]
        for v, w in zip(a, b):
            if v is not None:
                np.testing.assert_allclose(v, w.numpy(), rtol=1e-12, atol=1e-14)
