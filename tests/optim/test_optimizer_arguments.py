"""What optimizers take: parameters, settings, groups and gradients, and what they refuse."""

from fractions import Fraction

import numpy as np
import pytest

from minires import Tensor, nn, optim
from minires.errors import DTypeError, OptionError, ShapeError


def params():
    return [Tensor(np.ones(2), requires_grad=True)]


def tensors(dtype):
    rng = np.random.default_rng(0)
    return [Tensor(np.asarray(rng.standard_normal(shape), dtype), requires_grad=True) for shape in ((3, 4), (5,), ())]


def used_up():
    generator = iter(params())
    list(generator)
    return generator


def test_the_rate_may_be_any_real_number_and_is_torchs_by_default():
    rates = [optim.SGD(params(), lr).lr for lr in (0.5, np.float32(0.5), np.float64(0.5), Fraction(1, 2))]
    assert [type(lr) for lr in rates] == [float] * 4
    assert {*rates} == {0.5}
    assert [make(params()).lr for make in (optim.SGD, optim.Adam, optim.AdamW)] == [1e-3] * 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optim.SGD(params(), -0.1), "lr must be a finite number of at least 0, got -0.1"),
        (lambda: optim.SGD(params(), float("nan")), "lr must be a finite number of at least 0, got nan"),
        (lambda: optim.SGD(params(), float("inf")), "lr must be a finite number of at least 0, got inf"),
        (lambda: optim.SGD(params(), 10**400), "lr must be a finite number"),
        (lambda: optim.SGD(params(), True), "lr must be a finite number of at least 0, got True"),
        (lambda: optim.SGD(params(), "fast"), "lr must be a finite number"),
        (
            lambda: optim.SGD(params(), 0.1, momentum=-1),
            "momentum must be a number of at least 0 and at most 1, got -1",
        ),
        (lambda: optim.SGD(params(), 0.1, momentum=5), "momentum must be a number of at least 0 and at most 1, got 5"),
        (
            lambda: optim.SGD(params(), 0.1, momentum=0.9, dampening=2),
            "dampening must be a number of at least 0 and at most 1",
        ),
        (lambda: optim.SGD(params(), 0.1, weight_decay=-1), "weight_decay must be"),
        (
            lambda: optim.SGD(params(), 0.1, weight_decay=np.inf),
            "weight_decay must be a finite number of at least 0, got inf",
        ),
        (lambda: optim.SGD(params(), 0.1, nesterov=True), "nesterov needs a momentum above 0"),
        (lambda: optim.SGD(params(), 0.1, nesterov="no"), "nesterov must be True or False, got 'no'"),
        (lambda: optim.SGD(params(), 0.1, momentum=0.9, dampening=0.1, nesterov=True), "nesterov needs"),
        (lambda: optim.SGD([], 0.1), "no parameters"),
        (lambda: optim.SGD([{"params": []}], 0.1), "no parameters"),
        (lambda: optim.SGD(params(), np.float32("inf")), "lr must be a finite number"),
        (lambda: optim.SGD(used_up(), 0.1), r"model\.parameters\(\) is a generator, .* call it again"),
        (lambda: optim.SGD(params() * 2, 0.1), "a parameter is given twice"),
        (lambda: optim.SGD([{"params": (p := params())}, {"params": p}], 0.1), "a parameter is given twice"),
        (lambda: optim.SGD([np.ones(2)], 0.1), "must be a Tensor, got ndarray"),
        (lambda: optim.SGD(params()[0], 0.1), r"put a single one into a list: \[parameter\]"),
        (lambda: optim.SGD(nn.Linear(2, 2, rng=0), 0.1), r"got a Linear; give its parameters\(\)"),
        (
            lambda: optim.SGD(nn.Linear(2, 2, rng=0).named_parameters(), 0.1),
            r"model\.parameters\(\), not named_parameters\(\)",
        ),
        (lambda: optim.SGD(dict(nn.Linear(2, 2, rng=0).named_parameters()), 0.1), r"give its values\(\)"),
        (lambda: optim.SGD(3, 0.1), "params must be Tensors, got int"),
        (lambda: optim.SGD([params()[0] * 2], 0.1), r"must be a leaf, this one \(2,\) is the result of mul"),
        (lambda: optim.SGD([{"params": params()}, *params()], 0.1), "must be a Tensor, got dict"),
        (lambda: optim.SGD([{"lr": 0.1}], 0.1), "lacks its 'params'"),
        (
            lambda: optim.SGD([{"params": params(), "lr": 0.1}], 0.0),
            r"lr must be above 0 where a group has its own \(0.1\)",
        ),
        (lambda: optim.SGD([{"params": params(), "lr": float("inf")}], 0.1), "lr must be a finite number"),
        (lambda: optim.AdamW(params(), betas=0.9), "betas must be two numbers, got 0.9"),
        (lambda: optim.AdamW(params(), betas=(0.9,)), "betas must be two numbers"),
        (lambda: optim.SGD([{"params": params(), "learning_rate": 1}], 0.1), "unknown setting 'learning_rate'"),
        (lambda: optim.AdamW(params(), betas=(0.9, 1.0)), "betas must be a number of at least 0 and below 1"),
        (
            lambda: optim.Adam(params(), betas=(float("nan"), 0.9)),
            "betas must be a number of at least 0 and below 1, got nan",
        ),
        (lambda: optim.Adam(params(), eps=np.inf), "eps must be a finite number of at least 0, got inf"),
        (lambda: optim.SGD(params(), maximize=True), "SGD: maximize is not implemented; minimize the negative"),
        (lambda: optim.Adam(params(), maximize=True), "Adam: maximize is not implemented; minimize the negative"),
        (lambda: optim.AdamW(params(), maximize=True), "AdamW: maximize is not implemented; minimize the negative"),
        (lambda: optim.Adam(params(), amsgrad=True), "Adam: amsgrad is not implemented"),
        (lambda: optim.AdamW(params(), amsgrad=True), "AdamW: amsgrad is not implemented"),
        (lambda: optim.AdamW(params(), eps=-1), "eps must be"),
        (
            lambda: optim.SGD(params(), 0.1).add_param_group(None),
            "a parameter group is a dictionary .*, got a NoneType",
        ),
        (lambda: optim.SGD(params(), 0.1).add_param_group("lr"), "a parameter group is a dictionary .*, got a str"),
        (lambda: optim.SGD(params(), 0.1).step(0.5), "closure must be a function that computes the loss, got 0.5"),
    ],
)
def test_settings_out_of_range_are_refused(make, message):
    with pytest.raises(OptionError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_integers_are_no_parameters():
    with pytest.raises(DTypeError, match=r"must hold floats, this one \(2,\) is int64"):
        optim.SGD([Tensor(np.arange(2))], 0.1)


def test_a_frozen_parameter_is_left_alone_until_it_is_thawed():
    layer = nn.Linear(3, 2, rng=0)
    layer.bias.requires_grad = False
    optimizer = optim.SGD(layer.parameters(), 0.1, momentum=0.9, weight_decay=0.1)
    before = layer.bias.data.copy()
    x = Tensor(np.ones((4, 3), np.float32))
    layer(x).sum().backward()
    optimizer.step()
    np.testing.assert_array_equal(layer.bias.data, before)
    layer.bias.requires_grad = True
    optimizer.zero_grad()
    layer(x).sum().backward()
    optimizer.step()
    np.testing.assert_allclose(layer.bias.data, before - 0.1 * (4 + 0.1 * before), rtol=1e-6)


def test_what_is_written_into_a_group_takes_effect_and_is_checked():
    p, q = tensors(np.float64)[:2]
    optimizer = optim.SGD([{"params": p}, {"params": [q]}], 0.5)
    assert [[id(t) for t in group["params"]] for group in optimizer.param_groups] == [[id(p)], [id(q)]]
    before = p.data.copy(), q.data.copy()
    optimizer.param_groups[0]["lr"] = 0.25
    assert optimizer.lr == 0.25
    optimizer.param_groups[1]["weight_decay"] = 0.5
    p.grad = np.ones(p.shape)
    q.grad = np.ones(q.shape)
    optimizer.step()
    np.testing.assert_allclose(p.data, before[0] - 0.25, rtol=1e-15)
    np.testing.assert_allclose(q.data, before[1] - 0.5 * (1 + 0.5 * before[1]), rtol=1e-14, atol=1e-15)
    optimizer.param_groups[1]["lr"] = float("nan")
    changed = p.data.copy()
    with pytest.raises(OptionError, match="lr must be a finite number of at least 0, got nan"):
        optimizer.step()
    np.testing.assert_array_equal(p.data, changed)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda groups: groups.append({}), "other groups or parameters than were given"),
        (lambda groups: groups.append({"params": []}), "other groups or parameters"),
        (lambda groups: groups.append({"params": params()}), r"add some with add_param_group\(\)"),
        (lambda groups: groups.clear(), "other groups or parameters"),
        (lambda groups: groups[0].update(params=None), "other groups or parameters"),
        (lambda groups: groups[0].update(params=[]), "other groups or parameters"),
        (lambda groups: groups[0].update(params=params() + params()), "other groups or parameters"),
        (lambda groups: groups[0].pop("params"), "other groups or parameters"),
        (lambda groups: groups[0].pop("momentum"), "a parameter group lacks its 'momentum'"),
    ],
)
def test_groups_that_were_written_into_what_cannot_be_stepped_are_refused(write, message):
    p = params()
    optimizer = optim.SGD(p, 0.1, momentum=0.9)
    p[0].grad = np.ones(2)
    write(optimizer.param_groups)
    with pytest.raises(OptionError, match=f"SGD: .*{message}"):
        optimizer.step()
    np.testing.assert_array_equal(p[0].data, np.ones(2))


def test_a_group_can_be_added_later():
    p, q = tensors(np.float64)[:2]
    optimizer = optim.SGD([p], 0.5, momentum=0.9)
    p.grad = np.ones(p.shape)
    optimizer.step()
    optimizer.add_param_group({"params": [q], "lr": 0.05})
    optimizer.lr = 1.0
    before = q.data.copy()
    q.grad = np.ones(q.shape)
    optimizer.step()
    np.testing.assert_allclose(q.data, before - 0.1, rtol=1e-14)
    with pytest.raises(OptionError, match="given twice"):
        optimizer.add_param_group({"params": [p]})
    assert len(optimizer.param_groups) == len(optimizer.state) == len(optimizer.steps) == 2


def test_zero_grad_forgets_or_fills_with_zeros():
    p, q, scalar = tensors(np.float32)
    optimizer = optim.SGD([p, q, scalar], 0.1)
    p.grad = np.ones(p.shape, np.float32)
    scalar.grad = np.ones((), np.float32)
    optimizer.zero_grad(set_to_none=False)
    np.testing.assert_array_equal(p.grad, np.zeros(p.shape, np.float32))
    assert p.grad.dtype == np.float32
    assert isinstance(scalar.grad, np.ndarray)
    assert q.grad is None
    optimizer.zero_grad()
    assert p.grad is scalar.grad is None


def test_step_calls_a_closure_first_and_hands_on_its_loss():
    p = params()[0]
    optimizer = optim.SGD([p], 0.5)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 2
    np.testing.assert_array_equal(p.data, [0, 0])
    assert optimizer.step() is None


def test_an_optimizer_shows_its_settings_as_torchs_does():
    optimizer = optim.Adam([{"params": params(), "weight_decay": 0.1}, {"params": params()}], lr=0.25)
    assert (
        repr(optimizer)
        == """Adam (
Parameter Group 0
    betas: (0.9, 0.999)
    eps: 1e-08
    lr: 0.25
    weight_decay: 0.1
Parameter Group 1
    betas: (0.9, 0.999)
    eps: 1e-08
    lr: 0.25
    weight_decay: 0.0
)"""
    )


def test_a_gradient_that_does_not_fit_is_refused():
    p = params()
    optimizer = optim.SGD(p, 0.1)
    p[0].grad = np.ones(3)
    with pytest.raises(ShapeError, match=r"parameter \(2,\) has a gradient \(3,\)"):
        optimizer.step()
    p[0].grad = np.ones(2, np.float32)
    with pytest.raises(DTypeError, match="float64 parameter has a float32 gradient"):
        optimizer.step()
    p[0].grad = [1.0, 1.0]
    with pytest.raises(DTypeError, match="a parameter's grad must be an array, got list"):
        optimizer.step()


def test_nothing_is_changed_where_one_gradient_does_not_fit():
    p = params()[0]
    q = params()[0]
    optimizer = optim.SGD([p, q], 0.1, momentum=0.9)
    p.grad = np.ones(2)
    q.grad = np.ones(3)
    with pytest.raises(ShapeError):
        optimizer.step()
    np.testing.assert_array_equal(p.data, np.ones(2))
    assert optimizer.steps == [0, 0]


def test_a_parameter_that_has_another_shape_since_is_refused():
    p = params()[0]
    optimizer = optim.SGD([p], 0.1, momentum=0.9)
    p.grad = np.ones(2)
    optimizer.step()
    p.data = np.ones((3, 2))
    p.grad = np.ones((3, 2))
    with pytest.raises(ShapeError, match=r"is now \(3, 2\), its momentum_buffer is \(2,\)"):
        optimizer.step()


@pytest.mark.parametrize("unordered", [set, frozenset])
def test_a_set_of_parameters_is_refused_because_its_order_changes_from_run_to_run(unordered):
    """A checkpoint's state belongs to parameters by their positions."""
    for call in (lambda: optim.SGD(unordered(params()), 0.1), lambda: optim.Adam([{"params": unordered(params())}])):
        with pytest.raises(
            DTypeError, match=r"params must have an order.* got a (frozen)?set; give model.parameters\(\)"
        ):
            call()
