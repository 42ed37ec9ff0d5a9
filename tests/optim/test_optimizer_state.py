"""The state of an optimizer: what is in it, what is loaded of it, and what is refused."""

import numpy as np
import pytest

from minires import Tensor, optim, storage
from minires.errors import CheckpointError, OptionError


def params(*shapes):
    return [Tensor(np.ones(shape), requires_grad=True) for shape in shapes or [(2,)]]


def test_all_settings_are_in_the_state():
    p, q = params((3, 4), (5,))
    first = optim.Adam([{"params": [p], "lr": 0.05, "betas": (0.5, 0.6)}, {"params": [q]}], 0.5, weight_decay=0.1)
    first.lr, first.param_groups[1]["eps"] = 0.3, 1e-3
    second = optim.Adam([{"params": [p], "lr": 1}, {"params": [q]}], 10)
    second.load_state_dict(first.state_dict())
    for a, b in zip(first.param_groups, second.param_groups, strict=True):
        assert {k: v for k, v in a.items() if k != "params"} == {k: v for k, v in b.items() if k != "params"}
    assert second.lr == 0.3


def test_what_is_kept_goes_by_the_settings_that_are_loaded():
    p = params()
    with_momentum = optim.SGD(p, 0.1, 0.9, nesterov=True)
    without = optim.SGD(p, 0.2)
    p[0].grad = np.ones(2)
    with_momentum.step()
    other = optim.SGD(p, 0.2)
    other.load_state_dict(with_momentum.state_dict())
    assert (other.lr, other.param_groups[0]["momentum"], other.param_groups[0]["nesterov"]) == (0.1, 0.9, True)
    np.testing.assert_array_equal(other.state[0]["momentum_buffer"], np.ones(2))
    with_momentum.param_groups[0].update(momentum=0.0, nesterov=False)
    without.load_state_dict(with_momentum.state_dict())
    assert (without.param_groups[0]["momentum"], without.state) == (0.0, [{}])


def test_an_optimizer_of_ones_own_needs_an_update_and_no_more():
    class Signs(optim.Optimizer):
        def __init__(self, params, lr=0.5, every=2, name="signs"):
            super().__init__(params, lr=lr, every=every, name=name)

        def update(self, xs, dxs, states, group, t, first):
            for x, dx in zip(xs, dxs):
                x -= group["lr"] * np.sign(dx) * (t % group["every"] == 0)

    p = params()
    optimizer = Signs(p)
    p[0].grad = np.array([3.0, -2.0])
    optimizer.step()
    optimizer.step()
    np.testing.assert_array_equal(p[0].data, [0.5, 1.5])
    other = Signs(p, 0.1, 5, "others")
    other.load_state_dict(optimizer.state_dict())
    assert (other.lr, other.param_groups[0]["every"], other.param_groups[0]["name"], other.steps) == (
        0.5,
        2,
        "others",
        [2],
    )


def test_a_state_without_settings_as_older_checkpoints_have_it_leaves_them():
    optimizer = optim.SGD(params(), 0.25, momentum=0.5)
    optimizer.load_state_dict({"steps": np.array([1]), "momentum_buffer.0": np.ones(2)})
    assert (optimizer.lr, optimizer.param_groups[0]["momentum"], optimizer.steps) == (0.25, 0.5, [1])


def test_a_state_survives_a_weights_file(tmp_path):
    pytest.importorskip("safetensors", reason="safetensors is not installed")
    p = params()
    optimizer = optim.Adam(p, 0.1, (0.7, 0.8))
    p[0].grad = np.ones(2)
    optimizer.step()
    storage.save(tmp_path / "state.safetensors", optimizer.state_dict())
    other = optim.Adam(p, 0.3)
    other.load_state_dict(storage.load(tmp_path / "state.safetensors")[0])
    assert (other.lr, other.param_groups[0]["betas"], other.steps) == (0.1, (0.7, 0.8), [1])
    np.testing.assert_array_equal(other.state[0]["exp_avg_sq"], optimizer.state[0]["exp_avg_sq"])


def test_what_is_loaded_lies_in_memory_as_its_parameter_does():
    weight = np.ones((2, 3, 3, 4)).transpose(3, 2, 0, 1)
    optimizer = optim.SGD([Tensor(weight, requires_grad=True)], 0.1, momentum=0.9)
    optimizer.load_state_dict({"steps": np.array([1]), "momentum_buffer.0": np.ones((4, 3, 2, 3))})
    assert optimizer.state[0]["momentum_buffer"].strides == weight.strides


STEPS = {"steps": np.array([1])}
BUFFER = {"momentum_buffer.0": np.ones(2)}


@pytest.mark.parametrize(
    ("momentum", "state", "message"),
    [
        (0.9, {}, r"missing: \['steps'\], unexpected: \[\], shape or type differs: \[\]"),
        (0.9, STEPS, r"missing: \['momentum_buffer.0'\], unexpected: \[\], shape or type differs: \[\]"),
        (
            0.9,
            {**STEPS, **BUFFER, "momentum_buffer.5": np.ones(2)},
            r"missing: \[\], unexpected: \['momentum_buffer.5'\]",
        ),
        (0.0, {**STEPS, **BUFFER}, r"missing: \[\], unexpected: \['momentum_buffer.0'\]"),
        (
            0.9,
            {**STEPS, "momentum_buffer.0": np.ones(3)},
            r"unexpected: \[\], shape or type differs: \['momentum_buffer.0'\]",
        ),
        (0.9, {"steps": np.array([1.5]), **BUFFER}, r"shape or type differs: \['steps'\]"),
        (0.9, {"steps": np.array([-1]), **BUFFER}, "steps below 0: -1"),
        (0.9, {**STEPS, "momentum_buffer.0": np.ones(2, int)}, r"shape or type differs: \['momentum_buffer.0'\]"),
        (0.9, {**STEPS, **BUFFER, "group.0.lr": np.array(np.nan)}, "lr must be a finite number of at least 0, got nan"),
        (0.9, {**STEPS, **BUFFER, "group.0.lr": np.array([0.1])}, r"shape or type differs: \['group.0.lr'\]"),
        (0.9, {**STEPS, **BUFFER, "group.0.lr": np.array("a")}, r"shape or type differs: \['group.0.lr'\]"),
        (0.9, {**STEPS, **BUFFER, "group.1.lr": np.array(0.1)}, r"unexpected: \['group.1.lr'\]"),
        (0.9, {**STEPS, **BUFFER, "group.0.params": np.array(0.1)}, r"unexpected: \['group.0.params'\]"),
        (0.9, {"steps": np.array(1), **BUFFER}, r"unexpected: \[\], shape or type differs: \['steps'\]"),
        (0.9, {"steps": np.array([True]), **BUFFER}, r"shape or type differs: \['steps'\]"),
        (0.9, {"steps": np.ma.array([1], mask=[True]), **BUFFER}, r"steps: MaskedArray computes in its own way"),
        (
            0.9,
            {**STEPS, **BUFFER, "group.0.nesterov": np.array(0.5)},
            r"group.0.nesterov must be True or False \(1 or 0\), got 0.5",
        ),
        (
            0.9,
            {**STEPS, **BUFFER, "group.0.nesterov": np.array(np.nan)},
            "group.0.nesterov must be True or False .*, got nan",
        ),
        (0.9, None, r"\{name: array\} is needed, got a NoneType$"),
        (0.9, 5, "got a int$"),
        (0.9, [1], "got a list$"),
        (0.9, "state.safetensors", r"got a str, read the file first: storage\.load\(path\)\[0\]$"),
        (0.9, optim.SGD(params()), r"got a SGD, pass its state_dict\(\)$"),
        (0.9, optim.SGD(params()).state_dict, r"got a method, call it: state_dict\(\)$"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(momentum, state, message):
    optimizer = optim.SGD(params(), 0.1, momentum=momentum)
    with pytest.raises(CheckpointError, match="SGD cannot load this state; .*" + message):
        optimizer.load_state_dict(state)
    assert (optimizer.steps, optimizer.state, optimizer.lr) == ([0], [{}], 0.1)


def test_numbers_too_large_for_the_parameter_are_refused_and_infinities_are_loaded():
    """NumPy makes 1e300 infinite in float32, with no more than a warning."""
    optimizer = optim.SGD([Tensor(np.ones(2, np.float32), requires_grad=True)], 0.1, momentum=0.9)
    with pytest.raises(CheckpointError, match=r"too large for its parameter's type: \['momentum_buffer.0'\]$"):
        optimizer.load_state_dict({**STEPS, "momentum_buffer.0": np.array([1e300, 1])})
    assert (optimizer.steps, optimizer.state) == ([0], [{}])
    optimizer.load_state_dict({**STEPS, "momentum_buffer.0": np.array([np.inf, np.nan])})
    np.testing.assert_array_equal(optimizer.state[0]["momentum_buffer"], np.float32([np.inf, np.nan]))


def test_a_whole_setting_of_ones_own_is_loaded_as_a_whole_number_or_refused():
    class Skipping(optim.Optimizer):
        def __init__(self, params, lr=0.5, every=2):
            super().__init__(params, lr=lr, every=every)

    optimizer = Skipping(params())
    optimizer.load_state_dict({**optimizer.state_dict(), "group.0.every": np.array(7.0)})
    assert repr(optimizer.param_groups[0]["every"]) == "7"
    for value in (2.5, np.nan, np.inf):
        with pytest.raises(CheckpointError, match=f"group.0.every must be a whole number, got {value}"):
            optimizer.load_state_dict({**optimizer.state_dict(), "group.0.every": np.array(value)})


def test_a_setting_that_is_written_as_a_list_is_in_the_state():
    optimizer = optim.Adam(params())
    other = optim.Adam(params())
    optimizer.param_groups[0]["betas"] = [0.5, 0.6]
    other.load_state_dict(optimizer.state_dict())
    assert other.param_groups[0]["betas"] == (0.5, 0.6)


class Own(optim.Optimizer):
    def __init__(self, params, lr=0.5, every=2, decays=None):
        super().__init__(params, lr=lr, every=every, decays=decays)


@pytest.mark.parametrize("written", [[1.0, 3.0], (1.0, 3.0), np.array([1.0, 3.0])])
def test_several_numbers_of_ones_own_are_in_the_state_as_they_were(written):
    optimizer = Own(params(), decays=written)
    other = Own(params(), decays=type(written)([5, 5]) if not isinstance(written, np.ndarray) else np.array([5.0, 5.0]))
    other.load_state_dict(optimizer.state_dict())
    assert repr(other.param_groups[0]["decays"]) == repr(written)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("lr", None),
        ("lr", "0.1"),
        ("lr", np.array([0.1])),
        ("lr", Tensor(0.1)),
        ("lr", 10**400),
        ("every", None),
        ("every", "2"),
        ("every", 10**400),
        ("every", [1, [2]]),
    ],
)
def test_a_setting_that_is_no_number_any_more_is_refused_and_can_be_loaded_anew(setting, value):
    optimizer = Own(params())
    state = optimizer.state_dict()
    optimizer.param_groups[0][setting] = value
    with pytest.raises(OptionError, match=rf"{setting} must be .*, got"):
        optimizer.state_dict()
    optimizer.load_state_dict(state)
    assert (optimizer.lr, optimizer.param_groups[0]["every"]) == (0.5, 2)


@pytest.mark.parametrize(
    "use",
    [
        lambda optimizer: optimizer.lr,
        lambda optimizer: setattr(optimizer, "lr", 0.1),
        lambda optimizer: optimizer.state_dict(),
        lambda optimizer: optimizer.load_state_dict({"steps": np.array([0])}),
    ],
)
@pytest.mark.parametrize("write", [lambda groups: groups.clear(), lambda groups: groups[0].pop("params")])
def test_groups_that_have_gone_are_told_whatever_is_asked(use, write):
    optimizer = optim.SGD(params(), 0.1)
    write(optimizer.param_groups)
    with pytest.raises(OptionError, match="SGD: param_groups has other groups or parameters than were given"):
        use(optimizer)


@pytest.mark.parametrize("value", [None, "0.1", np.array([0.1]), 10**400])
def test_a_rate_that_is_no_number_is_told_where_it_is_read(value):
    optimizer = optim.SGD(params(), 0.1)
    optimizer.param_groups[0]["lr"] = value
    with pytest.raises(OptionError, match="lr must be a finite number of at least 0"):
        _ = optimizer.lr
    optimizer.lr = 0.25
    assert optimizer.lr == 0.25
