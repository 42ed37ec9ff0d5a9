"""Answers that are made to cost the grader's own process memory, or to forge lines of its table and files."""

import json
import tracemalloc

import numpy as np
import pytest

from minires import gradcheck
from minires.gradcheck.grading.answers import number
from minires.gradcheck.grading.errors import WrongError
from minires.gradcheck.grading.plan import too_large


@pytest.mark.parametrize(
    "answer",
    [
        [np.zeros(27_000, np.uint8)] * 9000 + [np.zeros(27_000, complex)],
        [[np.zeros(27_000, np.uint8)] * 9000, [np.zeros(27_000, np.uint8)] * 8999 + [np.zeros(27_000)]],
        ["a" * 900_000] + ["b"] * 1200,
        [1, "a" * 900_000] + [2] * 1200,
        [None, [1.0] * 1000],
    ],
)
def test_a_list_takes_no_memory_before_it_is_known_to_hold_a_few_numbers(answer):
    tracemalloc.start()
    try:
        with pytest.raises(WrongError, match=r"y is \(.*\), no array"):
            number(answer, "y")
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()


def test_lists_of_numbers_and_of_arrays_are_arrays():
    np.testing.assert_array_equal(number([[1, 2.5], [True, 3]], "y"), [[1, 2.5], [1, 3]])
    np.testing.assert_array_equal(number([np.ones(2), np.zeros(2, int)], "y"), [[1, 1], [0, 0]])
    assert number([], "y").size == 0


def test_the_keys_of_gradients_forge_no_line_and_fill_no_file(tmp_path, grade):
    (tmp_path / "alice.py").write_text(
        "import numpy as np\ndef relu(x): return np.maximum(x, 0), lambda dy: dy * (x > 0)\n"
    )
    (tmp_path / "mallory.py").write_text(
        "import numpy as np\n"
        "keys = ['a\\nalice.py   passed   14 of 14\\n', '\\x9b31m\\u202e\\u2028', 'k' * 900_000]\n"
        "def relu(x): return np.maximum(x, 0), lambda dy: dict.fromkeys(keys, dy)\n"
    )
    files = [tmp_path / name for name in ("marks.json", "marks.csv", "scope.json")]
    flags = [word for flag, file in zip(("--json", "--csv", "--gradescope"), files) for word in (flag, str(file))]
    status, out = grade(str(tmp_path), "--function", "relu", "--like", "relu", "--samples", "1", *flags)
    assert status == 2
    assert len(out.splitlines()) == 4  # the seed, two submissions and the sum
    assert all(line.isprintable() for line in out.splitlines())
    assert len(files[1].read_text().splitlines()) == 3
    for file in files:
        assert len(text := file.read_text(encoding="utf-8-sig")) < 10_000
        assert all(line.isprintable() for line in text.split("\n"))
    assert (
        "its gradients are called a alice.py passed 14 of 14" in json.loads(files[0].read_text())["results"][1]["error"]
    )


@pytest.mark.parametrize(
    ("y", "dx", "said"),
    [
        ("np.maximum(x, 0)", "np.zeros((0, 4000, 4000))", "a gradient of shape (0, 4000, 4000) for x"),
        ("np.maximum(x, 0)", "np.broadcast_to(np.uint8(1), (1,) * 15 + (2500, 4000) + (1,) * 15)", "1, 2500, 4000, 1"),
        ("np.broadcast_to(np.uint8(0), (4_000_000,))", "dy * (x > 0)", "y has shape (4000000,), that of relu is"),
    ],
)
def test_an_array_that_is_far_too_large_takes_no_memory_and_no_time(y, dx, said):
    scope = {"np": np}
    exec(f"def relu(x): return {y}, lambda dy: {dx}", scope)
    tracemalloc.start()
    try:
        result = gradcheck.grade(scope["relu"], "relu", samples=1)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()
    assert result.status == "failed"
    assert said in str(result)


@pytest.mark.parametrize(
    ("answer", "against", "too"),
    [
        (np.zeros(3), np.zeros(()), False),
        (np.zeros((5, 4, 3, 2)), np.zeros(2), False),
        (np.zeros((0, 2, 3)), np.zeros((4, 2, 3)), False),
        (np.zeros((2, 3, 0, 0)), np.zeros((2, 3, 8, 8)), False),
        (np.zeros((1, 1, 1, 1, 1, 3)), np.zeros(3), True),
        (np.zeros((0, 10**6)), np.zeros((4, 2, 3)), True),
        (np.broadcast_to(0.0, (10**6,)), np.zeros((4, 2, 3)), True),
    ],
)
def test_what_is_far_too_large_counts_an_empty_axis_as_one(answer, against, too):
    assert too_large(answer, against) is too
