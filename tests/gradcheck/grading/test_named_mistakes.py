"""A mistake that is known is named, and a near relative of it is not given that name."""

import pytest
from submissions import IMPORT
from submissions.window_mistakes import TABLE
from test_styles import graded


def with_all(source, changes):
    for right, wrong in changes:
        source = source.replace(right, wrong)
    return IMPORT + source


@pytest.mark.parametrize(("like", "target", "source"), sorted({row[1:4] for row in TABLE}))
def test_what_the_mistakes_are_made_in_is_right(like, target, source):
    result = graded(like, target, IMPORT + source)
    assert result.passed, result
    assert "your " not in str(result)


@pytest.mark.parametrize(
    ("like", "target", "source", "mistake", "hint", "relative"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE]
)
def test_a_mistake_gets_its_hint_and_its_relative_does_not(like, target, source, mistake, hint, relative):
    result = graded(like, target, with_all(source, mistake))
    assert result.status == "failed", result
    assert hint in str(result), result
    result = graded(like, target, with_all(source, relative))
    assert result.status == "failed", result
    assert hint not in str(result), result


@pytest.mark.parametrize(("start", "hint"), [("", True), ("import numpy as np\n", False)])
def test_an_import_that_is_missing_is_told(start, hint):
    text = "def relu(x):\n    y = np.maximum(x, 0)\n    return y, lambda dy: dy * (x > zero)\n"
    result = graded("relu", "relu", start + text)
    assert result.status == "failed"
    assert ("begin the file with: import numpy as np" in str(result)) == hint
