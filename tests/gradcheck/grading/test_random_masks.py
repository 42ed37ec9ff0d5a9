"""A dropout draws its mask anew, or from the seed that it is given."""

import numpy as np
import pytest
from test_styles import graded

from minires import gradcheck

DRAWN = np.random.default_rng()


def masked(x, p, generator):
    mask = (generator.random(x.shape) >= p) / (1 - p)
    return x * mask, lambda dy: dy * mask


def new(x, p=0.5):
    return masked(x, p, DRAWN)


def of_its_seed(x, p=0.5, seed=None):
    return masked(x, p, np.random.default_rng(seed))


def of_a_seed_or_its_own(x, p=0.5, seed=7):
    return masked(x, p, np.random.default_rng(7 if seed is None else seed))


def fixed(x, p=0.5):
    return masked(x, p, np.random.default_rng(0))


def fixed_beside_a_seed(x, p=0.5, seed=None):
    return masked(x, p, np.random.default_rng(0))


def of_a_generator(x, p=0.5, rng=None):
    return masked(x, p, rng)


@pytest.mark.parametrize("function", [new, of_its_seed, of_a_seed_or_its_own])
def test_a_mask_that_is_drawn_anew_or_from_the_seed_passes(function):
    result = gradcheck.grade(function, like="dropout", seed=0)
    assert result.passed, result
    assert result.total >= 4


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (fixed, "its mask is the same in each call: draw it anew each time, and set no seed inside"),
        (fixed_beside_a_seed, "its mask is the same for different seeds: draw it from the seed given"),
    ],
)
def test_one_mask_for_all_is_wrong(function, said):
    result = gradcheck.grade(function, like="dropout", seed=0)
    assert result.status == "failed"
    assert said in str(result)


def test_a_generator_cannot_be_handed_over_which_is_no_mistake():
    result = gradcheck.grade(of_a_generator, like="dropout", seed=0)
    assert result.status == "could not run"
    assert "no Generator can be handed over; take a seed, np.random.default_rng(seed)" in result.error


@pytest.mark.parametrize(
    ("mask", "scale", "said"),
    [
        (
            "np.random.rand(*x.shape) >= p",
            "1",
            "y is not x times 0 or 1/(1 − p): divide what is kept by 1 − p in training",
        ),
        ("np.random.rand(*x.shape) >= p", "(1 - p) ** 2", "y is not x times 0 or 1/(1 − p)"),
        ("np.random.rand(*x.shape) >= 0.9", "1 - p", "of the elements are kept, but 60% should be: p is 0.4"),
        ("np.random.rand(*x.shape[1:]) >= p", "1 - p", "its mask is the same for all samples"),
        ("np.random.rand(len(x), 1) >= p", "1 - p", "its mask is the same for all features"),
    ],
)
def test_what_is_wrong_with_a_mask_is_said(mask, scale, said):
    text = f"""
import numpy as np
def dropout(x, p=0.5, training=True):
    mask = ({mask}) / ({scale}) if training else np.ones(x.shape)
    return x * mask, lambda dy: dy * mask
"""
    assert said in str(graded("dropout", "dropout", text))


def test_in_evaluation_y_is_x():
    text = """
import numpy as np
def dropout(x, p=0.5, training=True):
    mask = (np.random.rand(*x.shape) >= p) / (1 - p) if training else np.ones(x.shape) * (1 - p)
    return x * mask, lambda dy: dy * mask
"""
    assert "y is not x: in evaluation, or with a p of 0, a dropout changes nothing" in str(
        graded("dropout", "dropout", text)
    )


KEPT = """
import numpy as np
def dropout(x, P=0.5, training=True):
    mask = (np.random.rand(*x.shape) COMPARED) / DIVISOR if training else np.ones(x.shape)
    return x * mask, lambda dy: dy * mask
"""


@pytest.mark.parametrize(
    ("name", "compared", "divisor", "status", "said"),
    [
        ("p", "< p", "p", "passed", "recognized: (y, backward), p is the probability to keep an element"),
        ("p", ">= p", "(1 - p)", "passed", "recognized: (y, backward)\n"),
        (
            "p",
            "< p",
            "1.0",
            "failed",
            "1/p: divide what is kept by p in training, because p is the probability to keep",
        ),
        ("p", "< p", "(1 - p)", "failed", "probability p, and divides by 1 − p: divide by p"),
        ("p", ">= p", "1.0", "failed", "1/(1 − p): divide what is kept by 1 − p in training"),
        ("p", ">= p", "p", "failed", "with probability 1 − p, and divides by p: divide by 1 − p"),
        ("keep_prob", "< keep_prob", "keep_prob", "passed", "keep_prob is the probability to keep an element"),
        ("keep_prob", "< keep_prob", "1.0", "failed", "1/keep_prob: divide what is kept by keep_prob in training"),
        ("keep_prob", ">= keep_prob", "(1 - keep_prob)", "failed", "y is not x times 0 or 1/keep_prob"),
        ("keep_prob", ">= keep_prob", "keep_prob", "failed", "1 − keep_prob: keep it with probability keep_prob"),
        ("drop_prob", ">= drop_prob", "(1 - drop_prob)", "passed", "recognized: (y, backward)\n"),
        ("drop_prob", "< drop_prob", "drop_prob", "failed", "y is not x times 0 or 1/(1 − drop_prob)"),
        ("drop_prob", "< drop_prob", "(1 - drop_prob)", "failed", "drop_prob: keep it with probability 1 − drop_prob"),
    ],
)
def test_what_p_means_is_recognized_and_told_in_the_same_words(name, compared, divisor, status, said):
    text = KEPT.replace("P=", f"{name}=").replace("COMPARED", compared).replace("DIVISOR", divisor)
    result = graded("dropout", "dropout", text)
    assert result.status == status, result
    assert said in str(result)


def test_p_means_the_same_in_all_cases():
    def either(x, p=0.5):
        kept = p if p in (0.4, 0.7) else 1 - p
        mask = (DRAWN.random(x.shape) < kept) / kept
        return x * mask, lambda dy: dy * mask

    result = gradcheck.grade(either, like="dropout", seed=0)
    assert result.status == "failed"
    assert "its p is the probability to keep an element in one case, and that to drop it in another" in str(result)


def test_a_dict_and_a_layer_may_hold_the_probability_to_keep():
    pair = """
import numpy as np
def dropout_forward(x, dropout_param):
    keep, mode = dropout_param["keep_prob"], dropout_param["mode"]
    mask = (np.random.rand(*x.shape) < keep) / keep if mode == "train" else np.ones(x.shape)
    return x * mask, mask
def dropout_backward(dout, mask):
    return dout * mask
"""
    layer = """
import numpy as np
class Dropout:
    def __init__(self, keep_prob=0.5):
        self.keep_prob, self.training = keep_prob, True
    def forward(self, x):
        self.mask = (np.random.rand(*x.shape) < self.keep_prob) / self.keep_prob if self.training else np.ones(x.shape)
        return x * self.mask
    def backward(self, dy):
        return dy * self.mask
"""
    for target, text in (("dropout_forward,dropout_backward", pair), ("Dropout", layer)):
        result = graded("dropout", target, text)
        assert result.passed, result
        assert "keep_prob is the probability to keep an element" in str(result)
        assert graded("dropout", target, text.replace(") < ", ") >= ")).status == "failed"
