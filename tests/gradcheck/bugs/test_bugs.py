"""The mutation test: all planted bugs must be killed, and no two are the same."""

import copy
import inspect
import re

import numpy as np
import pytest

from minires import ops
from minires.gradcheck import check
from minires.gradcheck.__main__ import main
from minires.gradcheck.bugs import Bug, Call, catalogue, planted
from minires.gradcheck.bugs import bug as bug_module
from minires.gradcheck.bugs.bug import BrokenBugError, bug
from minires.gradcheck.bugs.mutation_test import is_killed
from minires.gradcheck.cases import cases_of
from minires.gradcheck.checks.checker import check_case, upstream_for
from minires.op import registry


def test_the_catalogue_is_large_and_covers_what_networks_are_made_of():
    assert len(catalogue) >= 200
    count = {op: sum(bug.op == op for bug in catalogue) for op in registry}
    assert count["conv2d"] >= 25
    assert count["batch_norm"] >= 12
    assert all(count[op] >= 4 for op in ("layer_norm", "max_pool2d", "avg_pool2d", "cross_entropy", "residual_add"))
    assert all(count[op] for op in ("add", "mul", "matmul", "linear", "softmax", "relu", "sum", "mean", "getitem"))


def test_every_bug_has_a_name_of_its_own():
    assert len({(bug.op, bug.name) for bug in catalogue}) == len(catalogue)


@pytest.mark.parametrize("bug", catalogue, ids=lambda bug: f"{bug.op}: {bug.name}")
def test_a_hint_says_in_one_line_what_is_wrong_and_the_remedy(bug):
    """It names gradients as the report does: dweight, and not dw."""
    assert re.fullmatch(r"your \S.*\S: \S.*[^.]", bug.hint)
    assert len(bug.hint) <= 110
    arguments = inspect.signature(registry[bug.op].raw).parameters
    assert {name for name in re.findall(r"your d(\w+)", bug.hint) if name != "y"} <= arguments.keys()


@pytest.mark.parametrize("bug", catalogue, ids=lambda bug: f"{bug.op}: {bug.name}")
def test_the_bug_is_killed(bug):
    assert is_killed(bug)


OUTSIDE = {"all to each tie", "all to both at ties", "to all of several equal ones", "both slopes at 0"}


@pytest.mark.parametrize(
    "bug", [bug for bug in catalogue if bug.name in OUTSIDE], ids=lambda bug: f"{bug.op}: {bug.name}"
)
@pytest.mark.parametrize("seed", range(3))
def test_too_much_gradient_at_a_tie_is_found_in_a_users_function_too(bug, seed):
    """A user's function has no convention to be compared with."""
    assert sum(other.name in OUTSIDE for other in catalogue) >= len(OUTSIDE)
    found = [
        check(planted(bug), *copy.deepcopy(case.arrays), seed=seed, **case.static)
        for case in cases_of(bug.op, seed)
        if case.convention
    ]
    assert found
    for report in found:
        assert not report.passed, report
        assert report.kinks


def listed(dxs):
    return list(dxs) if isinstance(dxs, tuple) else [dxs]


def when_it_alone_is_needed(backward, dy, count):
    """[the first gradient] if backward is told which are needed, and this one is; else []."""
    if "needs" not in inspect.signature(backward).parameters:
        return []
    return [backward(dy.copy(), tuple(i == 0 for i in range(count)))[0]]


def gradients(bug, seed):
    """What a bug's backward returns on all cases of its op, as one list of arrays."""
    found = []
    for case in cases_of(bug.op, seed):
        static = copy.deepcopy(case.static)
        y, backward = planted(bug)(*copy.deepcopy(case.arrays), **static)
        dy = upstream_for(np.shape(y), seed)
        with np.errstate(all="ignore"):
            backward(dy.copy())
            found += listed(backward(dy.copy()))  # a few bugs show in the second call only
            found += when_it_alone_is_needed(backward, dy, len(case.arrays))
            for value in static.values():  # one bug shows when a setting has changed
                if isinstance(value, np.ndarray) and value.dtype.kind == "f":
                    value += 1
            found += listed(backward(dy.copy()))
    return found


def same(a, b):
    return a is b or (
        a is not None
        and b is not None
        and np.shape(a) == np.shape(b)
        and a.dtype == b.dtype
        and np.allclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True)
    )


@pytest.mark.parametrize("op", sorted({bug.op for bug in catalogue}))
def test_no_two_bugs_of_an_op_are_the_same(op):
    found = {bug.name: gradients(bug, 0) + gradients(bug, 1) for bug in catalogue if bug.op == op}
    names = list(found)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            assert not all(map(same, found[a], found[b])), (a, b)


def test_a_bug_that_raises_is_not_killed():
    broken = Bug("relu", "broken", "", lambda call: call.setting("no such setting"))
    with pytest.raises(BrokenBugError, match="relu: broken: KeyError"):
        is_killed(broken)


def test_a_backward_without_a_bug_survives():
    harmless = Bug("conv2d", "none", "", lambda call: call.right)
    assert not is_killed(harmless)


def test_a_call_gives_the_right_gradients_and_replaces_some():
    x = np.ones((1, 1, 3, 3))
    w = np.ones((1, 1, 2, 2))
    call = Call("conv2d", (x, w), {}, np.ones((1, 1, 2, 2)))
    dx, dw = call.right
    np.testing.assert_array_equal(dx, ops.conv2d.raw(x, w)[1](call.dy)[0])
    replaced = call.but(weight=2 * dw, bias=np.ones(1))
    assert len(replaced) == 2  # there is no bias to have a gradient
    np.testing.assert_array_equal(replaced[0], dx)
    np.testing.assert_array_equal(replaced[1], 2 * dw)
    np.testing.assert_array_equal(call.y, np.full((1, 1, 2, 2), 4.0))


def test_a_gradient_of_no_argument_is_an_error_and_plants_nothing():
    call = Call("conv2d", (np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2))), {}, np.ones((1, 1, 2, 2)))
    with pytest.raises(TypeError, match="conv2d has the arguments x, weight, bias, no stride, w"):
        call.but(w=call.right[1], stride=1)
    misspelt = Bug("relu", "misspelt", "", lambda call: call.but(input=call.dy))
    with pytest.raises(BrokenBugError, match="relu has the arguments x, no input"):
        is_killed(misspelt)


def test_a_bug_shows_only_when_it_applies_and_once_in_each_op(monkeypatch):
    monkeypatch.setattr("minires.gradcheck.bugs.bug.catalogue", [])

    @bug(("relu", "abs"), "doubled", when=lambda call: call.dy.ndim > 1)
    def _(call):
        """your dx is doubled: dx = dy"""
        return call.but(x=2 * call.right[0])

    entered = bug_module.catalogue
    assert [(each.op, each.name, each.hint) for each in entered] == [
        (op, "doubled", "your dx is doubled: dx = dy") for op in ("relu", "abs")
    ]
    for shape, factor in (((2,), 1), ((2, 1), 2)):
        call = Call("abs", (-np.ones(shape),), {}, np.ones(shape))
        np.testing.assert_array_equal(entered[1].gradients(call)[0], -factor * np.ones(shape))


def test_the_command_prints_killed_and_planted_and_lists_survivors(capsys, monkeypatch):
    assert main(["--bugs", "residual_add", "relu"]) == 0
    out = capsys.readouterr().out
    assert "planted bugs killed (100 %)" in out
    assert [line.split()[0] for line in out.splitlines()[1:3]] == ["relu", "residual_add"]
    monkeypatch.setattr(
        "minires.gradcheck.bugs.mutation_test.catalogue", [Bug("relu", "none", "it is right", lambda call: call.right)]
    )
    assert main(["--bugs"]) == 1
    out = capsys.readouterr().out
    assert "SURVIVED relu: none (it is right)" in out
    assert "0 of 1 planted bugs killed (0 %)" in out


def test_bugs_that_only_a_tie_shows_are_found_by_the_convention():
    for op, name in (("relu", "at 0"), ("max_pool2d", "to the last"), ("amax", "tie")):
        bug = next(b for b in catalogue if b.op == op and name in b.name)
        problems = [p for case in cases_of(op) for p in check_case(op, case, planted(bug)).problems]
        assert any("by convention" in p for p in problems), bug
