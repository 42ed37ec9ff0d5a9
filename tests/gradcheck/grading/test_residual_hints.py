"""What is said of a residual add with a ReLU: which of the gradients a mask is missing from, or which mask it has."""

import pytest
from test_styles import graded

RIGHT = """
import numpy as np
def residual_add_relu(x, f):
    y = np.maximum(x + f, 0)
    return y, lambda dy: (dy * (y > 0), dy * (y > 0))
"""
GRADIENTS = "(dy * (y > 0), dy * (y > 0))"
Y = "np.maximum(x + f, 0)"
AFTER = ": the ReLU comes after the add, "


def hints(text):
    result = graded("residual_add_relu", "residual_add_relu", text)
    return result.passed, {hint for case in result.cases for hint in case.hints}


def test_the_right_one_gets_no_hint():
    assert hints(RIGHT) == (True, set())


@pytest.mark.parametrize(
    ("gradients", "said"),
    [
        ("(dy, dy)", {f"your gradients are dy everywhere{AFTER}so its mask is y > 0"}),
        ("(dy, dy * (y > 0))", {f"your dx is dy everywhere{AFTER}so its mask y > 0 holds for x too"}),
        ("(dy * (y > 0), dy)", {f"your df is dy everywhere{AFTER}so its mask is y > 0"}),
        ("(dy * (x > 0), dy * (x > 0))", {"your dx has the mask x > 0", "your df has the mask x > 0"}),
        ("(dy * (x > 0), dy * (f > 0))", {"your dx has the mask x > 0", "your df has the mask f > 0"}),
        ("(dy * (y > 0), dy * (f > 0))", {"your df has the mask f > 0"}),
    ],
)
def test_a_hint_says_which_gradients_it_is_about(gradients, said):
    passed, found = hints(RIGHT.replace(GRADIENTS, gradients))
    assert not passed
    sum_ = "so its mask is that of the sum, y > 0"
    assert found == {hint if AFTER in hint else f"{hint}{AFTER}{sum_}" for hint in said}


@pytest.mark.parametrize(
    ("y", "gradients", "said"),
    [
        ("x + np.maximum(f, 0)", "(dy, dy * (f > 0))", f"your y is x + relu(f){AFTER}y = relu(x + f)"),
        ("np.maximum(x, 0) + f", "(dy * (x > 0), dy)", f"your y is relu(x) + f{AFTER}y = relu(x + f)"),
        ("x + f", "(dy, dy)", "your y is x + f: the ReLU after the add is missing, y = relu(x + f)"),
    ],
)
def test_a_relu_in_another_place_is_what_is_named(y, gradients, said):
    assert hints(RIGHT.replace(Y, y).replace(GRADIENTS, gradients)) == (False, {said})


@pytest.mark.parametrize("blank", ["None", "..."])
def test_a_blank_is_seen_where_the_next_line_uses_it(blank):
    text = f"""
import numpy as np
def batch_norm(x, gamma, beta, eps=1e-5):
    mean, var = x.mean(0), x.var(0)
    x_hat = {blank}
    y = gamma * x_hat + beta
    return y, lambda dy: (dy, dy.sum(0), dy.sum(0))
"""
    assert graded("batch_norm", "batch_norm", text).status == "not done"
    assert graded("batch_norm", "batch_norm", text.replace(blank, '"x"')).status != "not done"
