"""An exception in one line, with the place in the code of the person who reads it."""

import numpy as np
import pytest

from minires import ops
from minires.errors import describe


@pytest.mark.parametrize(
    "call",
    [lambda: ops.conv2d(np.ones(2), np.ones(2)), lambda: np.pad(np.ones(2), "x")],
    ids=["raised inside minires", "raised inside NumPy"],
)
def test_the_place_is_the_readers_own_line_however_deep_the_error_was_raised(call):
    with pytest.raises((TypeError, ValueError)) as raised:
        call()
    assert f"(test_describe.py, line {call.__code__.co_firstlineno})" in describe(raised.value)


def test_an_error_is_one_line_and_not_a_page():
    said = describe(ValueError("a\n  b " + "x" * 1000))
    assert said.startswith("ValueError: a b x")
    assert len(said) < 320
    assert "\n" not in said


def test_an_error_without_a_text_is_named_by_its_class():
    assert describe(KeyError()) == "KeyError"
