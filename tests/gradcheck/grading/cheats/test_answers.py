"""Answers that are made to cost the grader's own process memory, or to forge lines of its table and files."""

import json
import tracemalloc

import numpy as np
import pytest

from minires.gradcheck.grading.answers import number
from minires.gradcheck.grading.errors import WrongError


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
