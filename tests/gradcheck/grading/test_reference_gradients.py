"""A teacher's function need not give all gradients: what it gives is proven, and is what a submission is asked for."""

import numpy as np
import pytest
from test_reference_hints import functions

from minires import gradcheck
from minires.errors import OptionError

TEXT = """
import numpy as np
def loss(x, W1, b1, W2, labels):
    a = x @ W1 + b1
    h = a * (a > 0)
    s = h @ W2
    p = np.exp(s) / np.exp(s).sum(1, keepdims=True)
    d = p - np.eye(3)[labels]
    d /= len(x)
    dW2 = h.T @ d
    dh = d @ W2.T * (a > 0)
    dW1, db1 = x.T @ dh, dh.sum(0)
    dx = dh @ W1.T
    return -np.log(p[np.arange(len(x)), labels]).mean(), GIVEN
"""
DICT = "{'W1': dW1, 'b1': db1, 'W2': dW2}"
TUPLE = "(dW1, db1, dW2)"
ALL = "(dx, dW1, db1, dW2)"
CLOSURE = "lambda dy: (None, dy * dW1, dy * db1, dy * dW2)"
CLOSURE_DICT = "lambda dy: {'W1': dy * dW1, 'b1': dy * db1, 'W2': dy * dW2}"
SHAPES = [(6, 4), (4, 5), (5,), (5, 3), "6:3"]
UNASKED = "the reference gives no dx, so none was asked for"


def loss(given, right="", wrong=""):
    assert right in TEXT
    text = TEXT.replace(right, wrong) if right else TEXT
    return functions(text.replace("GIVEN", given), "loss", "loss.py")


def graded(mine, reference):
    return gradcheck.grade(mine, reference=reference, shapes=SHAPES, seed=1)


@pytest.mark.parametrize("reference", [DICT, TUPLE, CLOSURE, CLOSURE_DICT])
@pytest.mark.parametrize("given", [DICT, TUPLE, CLOSURE, CLOSURE_DICT, ALL])
def test_what_the_reference_gives_is_what_is_asked_for(reference, given):
    teacher = loss(reference)
    right = graded(loss(given), teacher)
    assert right.passed, right
    assert UNASKED in str(right)
    assert graded(loss(given, "d /= len(x)", "d /= 6"), teacher).status == "failed"  # wrong for another batch size
    wrong = graded(loss(given, "dh.sum(0)", "dh.mean(0)"), teacher)
    assert wrong.status == "failed"
    assert "db1 is wrong" in str(wrong)


@pytest.mark.parametrize("given", [DICT, TUPLE])
def test_a_gradient_that_the_reference_gives_is_asked_for(given):
    result = graded(loss(given), loss(ALL))
    assert result.status == "failed"
    assert "gives no gradient (None) for x" in str(result)
    assert "dW1 is wrong" not in str(result)
    assert graded(loss(DICT.replace("'b1': db1, ", "")), loss(DICT)).status == "failed"


@pytest.mark.parametrize("given", [DICT, TUPLE, CLOSURE, CLOSURE_DICT])
def test_a_reference_is_proven_for_what_it_gives(given):
    with pytest.raises(OptionError, match="the reference itself does not pass the check"):
        graded(loss(DICT), loss(given, "* (a > 0)\n    dW1", "\n    dW1"))
    blank = given.replace("dW1", "None").replace("db1", "None").replace("dW2", "None").replace("dy * None", "None")
    with pytest.raises(OptionError, match=r"the reference (?:itself does not pass the check|loss cannot be called)"):
        graded(loss(DICT), loss(blank))


@pytest.mark.parametrize("given", [DICT, TUPLE])
def test_one_mistake_in_all_gradients_is_said_once(given):
    said = str(graded(loss(given, "d /= len(x)", ""), loss(given)))
    assert said.count("divided by") == 1
    assert "your dW1, db1 and dW2 are not divided by the number of samples, 6: a mean is wanted, not a sum" in said
    said = str(graded(loss(ALL, "d /= len(x)", ""), loss(ALL)))
    assert said.count("divided by") == 1
    assert "your dx, dW1, db1 and dW2 are not divided by the number of samples, 6" in said
    assert "factor" not in said


def test_what_is_measured_for_advice_need_not_give_all_gradients():
    advice = gradcheck.grade(loss(DICT), shapes=SHAPES, seed=1)
    assert advice.passed
    assert "it gives no dx, so none was checked" in str(advice)
    assert not gradcheck.grade(loss(DICT, "d /= len(x)", ""), shapes=SHAPES, seed=1).passed


def test_a_net_with_a_loss_is_told_to_be_a_function():
    class Net:
        def loss(self, X, y):
            return np.sum(X), {}

    result = graded(Net, loss(DICT))
    assert result.status == "could not run"
    assert "write def f(x, W1, b1, …, labels), which sets these in a new net and returns net.loss(x, labels)" in str(
        result
    )
