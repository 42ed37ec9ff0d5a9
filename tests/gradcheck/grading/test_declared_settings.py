"""A setting that a submission declares is looked at, whatever else the submission refuses."""

import functools

import numpy as np
import pytest

from minires import gradcheck
from minires.gradcheck.cases import Case
from minires.gradcheck.grading import forms
from minires.gradcheck.grading import standard as standards
from minires.tensor import registry

# What decides nothing in some mode, or has no other value here.
OTHERS = ("running_mean", "running_var", "momentum", "training", "rng", "device", "dtype", "order")
DECLARED = [(op, s) for op in sorted(registry) for s in standards.of_op(op).settings if s not in OTHERS]


def dodging(op, setting, refuses):
    """The op, which leaves out a setting, and raises wherever a form is so unusual that this is excused."""
    standard = standards.of_op(op)
    plain = standard.plain(5)
    kept = standard.full_settings(plain)[setting]

    @functools.wraps(standard.raw)
    def dodge(*arrays, **settings):
        arrays = tuple(np.asarray(a) for a in arrays if a is not None)
        case = Case("", arrays, settings)
        if forms.unusual(standard, case, plain) or len(arrays) < len(plain.arrays):
            raise RuntimeError("this form is unusual")
        assert not (refuses and forms.refused(standard, case))
        if kept is standards.REQUIRED:
            settings.pop(setting, None)
        else:
            settings[setting] = kept
        return standard.raw(*arrays, **settings)

    return dodge


@pytest.mark.parametrize(("op", "setting"), DECLARED)
@pytest.mark.parametrize("refuses", [False, True])
def test_a_setting_that_is_declared_and_never_looked_at_fails(op, setting, refuses):
    if refuses and op not in forms.WINDOWS:
        return
    with np.errstate(all="ignore"):
        result = gradcheck.grade(dodging(op, setting, refuses), op, seed=5, samples=2)
    assert result.status != "passed", result


def test_a_parameter_that_no_case_sets_is_said():
    def relu(x, inplace=False, verbose=0):
        return np.maximum(x, 0), lambda dy: dy * (x > 0)

    said = "not tried: inplace, verbose, because each is unknown here, or the same in each case that could be tried"
    assert said in gradcheck.grade(relu, like="relu", seed=5).notes

    def total(x, dim=None, keepdim=False):
        if keepdim:
            raise ValueError("keepdim is not written yet")
        shape = np.sum(x, dim, keepdims=True).shape
        return np.sum(x, dim), lambda dy: np.reshape(dy, shape) + np.zeros(x.shape)

    assert gradcheck.grade(total, like="sum", seed=5).status == "failed"
    del total

    def total(x, dim=None):
        shape = np.sum(x, dim, keepdims=True).shape
        return np.sum(x, dim), lambda dy: np.reshape(dy, shape) + np.zeros(x.shape)

    result = gradcheck.grade(total, like="sum", seed=5)
    assert result.passed
    assert not any("not tried" in note for note in result.notes)
