"""A function from a file, held to an op: the op's cases are fitted to it, and each is graded.

Two forms are understood: that of an op, function(x, w, b, *, stride=1) -> (y, backward), and a backward alone, a
function whose first argument is dy: function(dy, x, w, b, *, stride=1) -> (dx, dw, db).
"""

import copy
import inspect

import numpy as np

from minires.errors import MiniresError, OptionError
from minires.gradcheck.cases import cases_of
from minires.gradcheck.checks.checker import check_tested
from minires.gradcheck.checks.tested_function import CannotCheckError, TestedFunction
from minires.gradcheck.grading.hints import hint
from minires.op import registry


def is_backward(function):
    """Whether the function is a backward alone: its first argument is dy."""
    return next(iter(inspect.signature(function).parameters), None) == "dy"


def adapted(function, like):
    """The function in the form of an op: given the settings it knows, and before a backward alone the op's forward."""
    settings, arrays = _parameters(function, like)
    defaults = _settings(like)

    def call(*arrays, **static):
        known = {key: value for key, value in static.items() if key in settings or None in settings}
        known |= {
            key: defaults[key]
            for key in settings
            if settings[key] is inspect.Parameter.empty and key in defaults and key not in known
        }
        if not is_backward(function):
            return function(*arrays, **known)
        y, _ = registry[like].raw(*arrays, **copy.deepcopy(static))
        return y, lambda dy: function(dy, *arrays, **known)

    call.__name__ = _name(function)
    call.__signature__ = inspect.Signature(arrays)
    return call


def _name(function):
    """A function's name, or the type of another callable: a functools.partial has no name of its own."""
    return getattr(function, "__name__", type(function).__name__)


def _settings(like):
    """An op's settings and their defaults."""
    return {
        p.name: p.default for p in inspect.signature(registry[like].raw).parameters.values() if p.kind is p.KEYWORD_ONLY
    }


def _parameters(function, like):
    """({setting: default}, [parameters of arrays]) of a function; **settings appear under the name None."""
    known = _settings(like)
    settings = {}
    arrays = []
    parameters = list(inspect.signature(function).parameters.values())
    for p in parameters[1:] if is_backward(function) else parameters:
        if p.kind is p.VAR_KEYWORD or p.kind is p.KEYWORD_ONLY or p.name in known:
            settings[None if p.kind is p.VAR_KEYWORD else p.name] = p.default
        else:
            arrays.append(p)
    return settings, arrays


# What decides nothing in training, and that a function without `training` is meant for training.
OF_EVALUATION = ("running_mean", "running_var", "momentum")


def fit(function, like, case):
    """Why a case is not for this function ("takes no groups"), or "".

    Settings that the function does not know go back to the op's defaults, if the op can do the case with these.
    """
    settings, arrays = _parameters(function, like)
    unknown = [] if None in settings else [key for key in case.static if key not in settings]
    training = case.static.get("training")
    if "training" in unknown and not training:
        return "takes no training=False"
    unknown = [key for key in unknown if key != "training" and not (training and key in OF_EVALUATION)]
    for key in unknown:
        del case.static[key]
    if unknown:
        try:
            registry[like].raw(*case.arrays, **copy.deepcopy(case.static))
        except MiniresError:
            return f"takes no {', '.join(unknown)}"
    if any(p.kind is p.VAR_POSITIONAL for p in arrays):
        return ""
    needed = sum(p.default is p.empty for p in arrays)
    if not needed <= len(case.arrays) <= len(arrays):
        return f"takes the arrays {', '.join(p.name for p in arrays)}, the case has {len(case.arrays)} of them"
    return ""


def cases_for_function(function, like, seed, samples):
    """(cases that fit, {reason: how many do not}). Raises OptionError when none does."""
    cases, passed_over = [], {}
    for case in cases_of(like, seed, samples):
        if case.beyond:
            continue
        reason = fit(function, like, case)
        if reason:
            passed_over[reason] = passed_over.get(reason, 0) + 1
        else:
            cases.append(case)
    if not cases:
        form = str(inspect.signature(registry[like].raw))
        form = form.replace("(", "(dy, ", 1) if is_backward(function) else form
        raise OptionError(
            f"none of {like}'s cases fits {_name(function)}{inspect.signature(function)}: it "
            f"{', it '.join(passed_over)}; write it as {_name(function)}{form}"
        )
    return cases, passed_over


def grade(function, like, case, seed):
    """One case: gradients against measured ones, y against the op's, a hint for whoever is wrong. -> Report"""
    whole = adapted(function, like)
    report = _check_tested(whole, like, case, seed)
    used = case
    if report.problems and "the forward raises" in report.problems[0]:
        even = _evened(case)
        if even.static != case.static:
            second = _check_tested(whole, like, even, seed)
            if not (second.problems and "the forward raises" in second.problems[0]):
                pairs = ", ".join(f"{k}={v}" for k, v in case.static.items() if isinstance(v, tuple))
                second.notes.append(f"takes no pairs ({pairs}): checked with one number for both axes")
                report, used = second, even
    if report.wrong:
        report.hint = hint(whole, like, used, report, seed)
    if not is_backward(function) and like != "dropout":  # dropout's mask is its author's choice
        report.problems += _forward_differs(whole, like, used)
    return report


def _check_tested(function, like, case, seed):
    tested = TestedFunction(function, case.arrays, case.static)
    return check_tested(
        tested, f"{like} ({case.label})", seed=seed, view=registry[like].view, convention=case.convention
    )


def _evened(case):
    """The case with one number in place of each pair of settings, for functions that know square windows only."""
    choose = {"stride": max, "kernel_size": min, "padding": min, "dilation": min, "output_size": min}
    static = {
        key: choose[key](value) if key in choose and isinstance(value, tuple) else value
        for key, value in case.static.items()
    }
    return type(case)(case.label, case.arrays, static)


def _forward_differs(function, like, case):
    try:
        y, _ = TestedFunction(function, case.arrays, case.static).forward(list(case.arrays))
    except CannotCheckError:
        return []
    right = np.asarray(registry[like].raw(*case.arrays, **copy.deepcopy(case.static))[0])
    if y.shape != right.shape:
        return [f"y has shape {y.shape}, that of {like} is {right.shape}"]
    difference = np.nan_to_num(np.abs(y - right), nan=np.inf)
    if difference.max(initial=0) <= 1e-6 * max(1.0, float(np.abs(right).max(initial=0))):
        return []
    at = tuple(map(int, np.unravel_index(np.argmax(difference), difference.shape)))
    return [f"y is not {like}'s: y{list(at)} is {y[at]:.6g}, it should be {right[at]:.6g}"]
