"""Every style that people write in: right work passes, wrong work fails, a blank is not done."""

import numpy as np
import pytest
import submissions

from minires.gradcheck.grading import standard as standards
from minires.gradcheck.grading.grade import grade_source
from minires.gradcheck.grading.local import Local
from minires.gradcheck.grading.results import Result
from minires.gradcheck.grading.source import Cell, Source


def graded(like, target, text, seed=7, samples=2, **how):
    """The Result of a source, run in this process."""
    source = Source(None, [Cell("homework.py", text)])
    result = Result(target, like)
    with np.errstate(all="ignore"):
        return grade_source(
            source, target.split(","), standards.of_op(like), None, lambda: Local(source), result, seed=seed,
            samples=samples, **how,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("like", "target", "text", "status"), [s[1:] for s in submissions.ALL], ids=[s[0] for s in submissions.ALL]
)
def test_each_submission_gets_its_verdict(like, target, text, status):
    result = graded(like, target, text)
    assert result.status == status, result


def test_what_a_backward_changes_is_told_by_its_name():
    wrong = [row for row in submissions.ALL if "in the backward" in row[0] and "wrong" in row[0]]
    assert len(wrong) == 4
    for name, like, target, text, _ in wrong:
        given = "W" if like == "linear" else "x"
        said = str(graded(like, target, text))
        assert f"it changes {given}, which it is given, in place: work on a copy, {given}.copy()" in said, name
    (own,) = (text for name, _, _, text, _ in submissions.ALL if "the y that it returned" in name)
    assert "a later call changes y, which its forward has returned" in str(graded("tanh", "Tanh", own))


def test_what_is_not_checked_is_said():
    def said(like, target, text):
        result = graded(like, target, submissions.IMPORT + text)
        assert result.status == "passed", result
        return str(result)

    assert "running statistics were not checked" in said("batch_norm", "batch_norm", submissions.NORM)
    assert "running statistics" not in said("batch_norm", "BatchNorm", submissions.SIZED_NORM)
    assert "evaluation was not checked" in said("batch_norm", "batch_norm", submissions.NORM)
    assert "evaluation was not checked" not in said(
        "batch_norm",
        "batch_norm",
        MOMENTUM.replace(", momentum=0.1", "").replace("    if training:", "    momentum = 0.1\n    if training:"),
    )
    pool = said("max_pool2d", "max_pool", submissions.SHARED)
    assert "not tried, because no homework need take it: 3×3, stride 2, ceil_mode; " in pool
    assert "ceil_mode" not in said("max_pool2d", "max_pool", submissions.CEILED).rpartition("not tried")[2]
    narrow = said("linear", "Linear", ONLY_MATRICES)
    assert narrow.endswith("6 of 6 cases passed; 5 more passed over, and what these look at is not marked")
    failed = str(graded("linear", "Linear", submissions.IMPORT + ONLY_MATRICES.replace("dy.sum", "dy.mean")))
    assert failed.endswith("0 of 6 cases passed")


ONLY_MATRICES = """
class Linear:
    def __init__(self, W, b):
        self.W, self.b = W, b
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, dy):
        self.dW, self.db = self.x.T @ dy, dy.sum(0)
        return dy @ self.W.T
"""


MOMENTUM = """
def batch_norm(x, gamma, beta, running_mean, running_var, training=True, momentum=0.1, eps=1e-5):
    mean, var = x.mean(0), x.var(0)
    if training:
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * var
    else:
        mean, var = running_mean, running_var
    inv = 1 / np.sqrt(var + eps)
    h = (x - mean) * inv
    def backward(dy):
        dw, db = (dy * h).sum(0), dy.sum(0)
        return gamma * inv * (dy - training * (db + h * dw) / len(x)), dw, db
    return gamma * h + beta, backward
"""


def test_who_takes_a_momentum_updates_the_running_statistics():
    in_vain = graded("batch_norm", "batch_norm", submissions.IMPORT + MOMENTUM)
    assert in_vain.status == "failed"
    assert "it takes a momentum, but in training its forward leaves running_mean and running_var as before" in str(
        in_vain
    )
    in_place = MOMENTUM.replace("running_mean = (", "running_mean[:] = (").replace(
        "running_var = (", "running_var[:] = ("
    )
    assert graded("batch_norm", "batch_norm", submissions.IMPORT + in_place).passed
    without = MOMENTUM.replace(", momentum=0.1", "").replace("    if training:", "    momentum = 0.1\n    if training:")
    result = graded("batch_norm", "batch_norm", submissions.IMPORT + without)
    assert result.passed
    assert "running statistics were not checked" in str(result)


def test_a_momentum_that_is_declared_and_fixed_inside_fails():
    in_place = MOMENTUM.replace("running_mean = (", "running_mean[:] = (").replace(
        "running_var = (", "running_var[:] = ("
    )
    assert graded("batch_norm", "batch_norm", submissions.IMPORT + in_place).passed
    fixed = in_place.replace("    if training:", "    momentum = 0.1\n    if training:")
    result = graded("batch_norm", "batch_norm", submissions.IMPORT + fixed)
    assert result.status == "failed"
    assert "with a momentum of 0.3" in str(result)


def test_new_statistics_may_be_returned_beside_the_cache():
    text = MOMENTUM.replace("batch_norm(", "batch_norm_forward(").replace(
        "+ beta, backward", "+ beta, backward, RUNNING"
    )
    text = text.replace("RUNNING", "running_mean, running_var")
    text += "def batch_norm_backward(dout, cache):\n    return cache[0](dout)\n"
    assert graded("batch_norm", "batch_norm_forward,batch_norm_backward", submissions.IMPORT + text).passed


def test_a_step_of_training_in_the_backward_is_said_with_its_learning_rate():
    def said(name, right="", instead=""):
        ((like, target, text),) = (row[1:4] for row in submissions.ALL if row[0] == name)
        return str(graded(like, target, text.replace(right, instead)))

    name = "class of a linear layer that trains itself, right"
    step = "its backward takes a step of training of its own, with learning rate "
    assert f"{step}0.1, of W and b: an optimizer would take a second one" in said(name)
    assert f"{step}0.1, of b: an" in said(name, "self.W -= 0.1 * self.dW", "pass")
    assert f"{step}0.025, of W and b: an" in said(name, "-= 0.1 *", "-= 0.1 / 4 *")
    uphill = "its backward adds 0.1 times the gradients to W and b, which makes the loss larger: subtract them"
    assert uphill in said(name, "-= 0.1 *", "+= 0.1 *")
    damaged = "a second forward of the same object, with "
    assert damaged in said(name, "self.W -= 0.1 * self.dW", "self.W *= 0.9")
    assert f"{step}0.01, of gamma and beta: an" in said("class of a batch norm that trains itself, right")
