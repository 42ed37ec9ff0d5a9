"""Gradients kept within bounds, against torch's."""

import math

import numpy as np
import pytest
from backends import host

from minires import Tensor, nn, optim
from minires.errors import DTypeError, GraphError, OptionError, ShapeError

SHAPES = [(3, 4), (), (0,), (5, 2, 3)]


def parameters(gradients, place="cpu"):
    found = []
    for g in gradients:
        t = Tensor(np.zeros(g.shape, g.dtype), requires_grad=True, device=place)
        t.grad = Tensor(g.copy("K"), device=place).data
        found.append(t)
    return found


def torchs(gradients):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what these tests compare with")
    found = []
    for g in gradients:
        t = torch.zeros(g.shape, dtype=getattr(torch, str(g.dtype)), requires_grad=True)
        t.grad = torch.tensor(g)
        found.append(t)
    return torch, found


def gradients(scale=1.0, dtype=np.float64, **special):
    rng = np.random.default_rng(0)
    found = [np.asarray(rng.standard_normal(s) * scale, dtype) for s in SHAPES]
    for value in special.values():
        found[3][1, 0, 2] = value
    return found


@pytest.mark.parametrize("special", [{}, {"nan": np.nan}, {"inf": np.inf}, {"minus": -np.inf}], ids=str)
@pytest.mark.parametrize("norm_type", [2.0, 1, 3.5, 0.5, math.inf])
@pytest.mark.parametrize("max_norm", [0.5, 1e6, 0.0, math.inf])
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-13), (np.float32, 1e-6)])
def test_the_norm_and_the_gradients_are_torchs(backend, dtype, rtol, max_norm, norm_type, special):
    torch, theirs = torchs(gradients(dtype=dtype, **special))
    ours = parameters(gradients(dtype=dtype, **special), backend.device)
    not_empty = [t for t in theirs if t.numel()]  # torch knows no largest one of an empty gradient
    expected = torch.nn.utils.clip_grad_norm_(not_empty, max_norm, norm_type)
    with np.errstate(invalid="ignore"):
        norm = optim.clip_grad_norm_((t for t in ours), max_norm, norm_type)
    assert (norm.shape, norm.dtype) == ((), dtype)
    np.testing.assert_allclose(norm.item(), expected.item(), rtol=rtol)
    for p, q in zip(ours, theirs, strict=True):
        assert p.grad.dtype == dtype
        np.testing.assert_allclose(host(p.grad), q.grad.numpy(), rtol=rtol)


@pytest.mark.parametrize("scale", [1e-30, 1e30, 0.0])
def test_the_norm_of_float32_neither_overflows_nor_vanishes(scale):
    ours = parameters(gradients(scale, np.float32))
    exact = math.sqrt(sum(float((g.astype(np.float64) ** 2).sum()) for g in gradients(scale, np.float32)))
    assert optim.clip_grad_norm_(ours, math.inf).item() == pytest.approx(exact, rel=1e-6)


def test_a_norm_that_is_not_finite_can_be_an_error_that_changes_nothing():
    ours = parameters(gradients(nan=np.nan))
    with pytest.raises(GraphError, match="the norm of the gradients is nan"):
        optim.clip_grad_norm_(ours, 1.0, error_if_nonfinite=True)
    for p, g in zip(ours, gradients(nan=np.nan), strict=True):
        np.testing.assert_array_equal(p.grad, g)


def test_parameters_without_a_gradient_do_not_count():
    p, q = parameters([np.array([3.0, 4.0]), np.ones(2)])
    q.grad = None
    assert optim.clip_grad_norm_([p, q], 1.0).item() == 5
    np.testing.assert_allclose(p.grad, [0.6, 0.8], rtol=1e-6)
    assert q.grad is None
    assert optim.clip_grad_norm_([q], 1.0).item() == 0
    assert optim.clip_grad_norm_(p, math.inf).item() == pytest.approx(1, rel=1e-6)  # one Tensor alone


def test_a_training_step_goes_no_further_than_the_bound():
    layer = nn.Linear(3, 2, rng=0)
    before = layer.weight.data.copy()
    (layer(Tensor(np.full((4, 3), 1e3, np.float32))) * 1e3).sum().backward()
    optim.clip_grad_norm_([layer.weight], 0.5)
    optim.SGD([layer.weight], 1.0).step()
    assert np.linalg.norm(layer.weight.data - before) == pytest.approx(0.5, rel=1e-3)


def test_values_are_clipped_as_in_torch(backend):
    torch, theirs = torchs(gradients(nan=np.nan, inf=np.inf))
    ours = parameters(gradients(nan=np.nan, inf=np.inf), backend.device)
    torch.nn.utils.clip_grad_value_(theirs, 0.4)
    assert optim.clip_grad_value_(ours, 0.4) is None
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(host(p.grad), q.grad.numpy())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: optim.clip_grad_norm_([], 1.0), r"there are no parameters; model.parameters\(\) is a generator"),
        (lambda: optim.clip_grad_value_(iter(()), 1.0), "there are no parameters"),
        (lambda: optim.clip_grad_norm_(nn.Linear(2, 2, rng=0), 1.0), r"got a Linear; give its parameters\(\)"),
        (lambda: optim.clip_grad_value_(3, 1.0), "params must be Tensors, got int"),
        (lambda: optim.clip_grad_norm_([np.ones(2)], 1.0), "must be a Tensor, got ndarray"),
        (
            lambda: optim.clip_grad_norm_(parameters([np.ones(2)]), -1.0),
            "max_norm must be a number of at least 0, got -1.0",
        ),
        (
            lambda: optim.clip_grad_norm_(parameters([np.ones(2)]), math.nan),
            "max_norm must be a number of at least 0, got nan",
        ),
        (lambda: optim.clip_grad_norm_(parameters([np.ones(2)]), 1.0, 0), "norm_type must be above 0, got 0"),
        (
            lambda: optim.clip_grad_norm_(parameters([np.ones(2)]), 1.0, "inf"),
            "norm_type must be a number of at least 0",
        ),
        (lambda: optim.clip_grad_value_(parameters([np.ones(2)]), math.inf), "clip_value must be a finite number"),
        (
            lambda: optim.clip_grad_norm_(parameters([np.ones(2)]), np.ones(2)),
            r"max_norm must be a number .* got array",
        ),
        (
            lambda: optim.clip_grad_norm_(parameters([np.ones(2)]), 1.0, np.ones(2)),
            r"norm_type must be a number .* got array",
        ),
        (
            lambda: optim.clip_grad_norm_(parameters([np.ones(2)]), 10**400),
            "max_norm must be a number of at least 0, got 1000",
        ),
    ],
)
def test_nonsense_is_refused(call, message):
    with pytest.raises(OptionError, match=message):
        call()


def read_only(array):
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("clip", "name"), [(optim.clip_grad_norm_, "clip_grad_norm_"), (optim.clip_grad_value_, "clip_grad_value_")]
)
@pytest.mark.parametrize(
    ("grad", "error", "message"),
    [
        (read_only(np.full(2, 3.0)), GraphError, r"parameter \(2,\) is read-only, .* set p.grad to a copy"),
        (np.array([3, 3]), DTypeError, "a float64 parameter has a int64 gradient"),
        (np.full(2, 3, np.float32), DTypeError, "a float64 parameter has a float32 gradient"),
        ([3.0, 3.0], DTypeError, "a parameter's grad must be an array, got list"),
        (np.full(3, 3.0), ShapeError, r"a parameter \(2,\) has a gradient \(3,\)"),
    ],
)
def test_a_gradient_that_cannot_be_clipped_is_refused_and_no_other_is_clipped(clip, name, grad, error, message):
    first, second = parameters([np.full(2, 3.0), np.full(2, 3.0)])
    second.grad = grad
    with pytest.raises(error, match=f"{name}: .*{message}"):
        clip([first, second], 1.0)
    np.testing.assert_array_equal(first.grad, [3, 3])
