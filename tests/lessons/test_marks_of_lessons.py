"""python -m tutorials.grade: notebooks behind walls, by exercise."""

import csv
import inspect
import json
import runpy

import pytest
from planted_answers import HERE, planted, written

from minires import lessons
from minires.errors import DataError
from minires.gradcheck.grading.source import read
from minires.lessons.exercise import catalogue
from tutorials.grade.__main__ import lesson_of, main
from tutorials.grade.submission import taken

pytest.importorskip("IPython", reason="IPython is not installed; it reads notebooks")
SETUP = "import numpy as np\nfrom minires import lessons, ops\nprint(lessons.size())"
FOREVER = "import time\nwhile True:\n    time.sleep(1)"  # an experiment that must not run
for file in sorted((HERE / "wrong").glob("*.py")):
    runpy.run_path(str(file))


def notebook(path, *cells):
    """A notebook of these code cells, with a text between them."""
    code = [{"cell_type": "code", "source": c, "metadata": {}, "outputs": [], "execution_count": None} for c in cells]
    text = {"cell_type": "markdown", "source": "# A lesson", "metadata": {}}
    book = {"cells": [text, *code], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    path.write_text(json.dumps(book), encoding="utf-8")
    return path


def source_of(function):
    """The text of a planted answer without its decorator."""
    return inspect.getsource(function).partition("\n")[2]


@pytest.fixture
def mark(tmp_path, capsys):
    """mark(*words): the exit status, the outcomes as JSON has them, and what was printed."""

    def run(*words):
        file = tmp_path / "marks.json"
        status = main([*map(str, words), "--json", str(file), "--seed", "5"])
        return status, json.loads(file.read_text(encoding="utf-8"))["results"], capsys.readouterr().out

    return run


@pytest.mark.parametrize("lesson", sorted({one.lesson for one in lessons.exercises()}))
def test_solutions_get_all_points_and_blanks_none(tmp_path, mark, lesson):
    exercises = lessons.exercises(lesson)
    right = notebook(tmp_path / "right.ipynb", SETUP, *(written("solution", one.number) for one in exercises), FOREVER)
    status, [marks], out = mark(right)
    assert (status, marks["points"]) == (0, sum(one.points for one in exercises)), out
    assert (marks["lesson"], marks["out_of"]) == (lesson, marks["points"])
    blank = notebook(tmp_path / "blank.ipynb", SETUP, *(written("exercise", one.number) for one in exercises))
    status, [marks], _ = mark(blank)
    assert (status, marks["points"]) == (1, 0)
    assert {one["status"] for one in marks["exercises"]} == {"not done yet"}


@pytest.mark.parametrize("lesson", sorted({one.lesson for one in lessons.exercises()}))
def test_wrong_answers_get_the_hint_that_the_notebook_gave(tmp_path, mark, lesson):
    first = {number: (word, answer) for number, word, answer in planted if catalogue[number].lesson == lesson}
    cells = [source_of(answer) for _, answer in first.values()]
    helpers = (
        "def channels(v):\n    return v.reshape(1, -1, 1, 1)\n\nimport math\nfrom collections import deque\n"
        "AXES = (0, 2, 3)\n\ndef mean(v):\n    return v.mean(AXES, keepdims=True)\n"
    )
    status, [marks], _ = mark(notebook(tmp_path / "wrong.ipynb", SETUP, helpers, *cells))
    assert (status, marks["points"]) == (1, 0)
    for one in marks["exercises"]:
        assert one["status"] == "wrong"
        assert first[one["number"]][0] in one["hint"]


RIGHT = "def path_lengths(n):\n    return [math.comb(n, k) for k in range(n + 1)]"


def test_experiments_do_not_run_and_what_the_function_needs_does(tmp_path, mark):
    file = notebook(
        tmp_path / "a.ipynb",
        "%matplotlib inline\n" + FOREVER,
        "import math\nimport a_module_that_is_not_here\nFIRST = 1\n1 / 0",
        "table = [math.factorial(k) for k in range(99)]\nother = [undefined(k) for k in range(3)]\ntable.append(1 / 0)",
        "def path_lengths(n):\n    return None",
        "def part(n, k):\n    return table[n] // (table[k] * table[n - k]) * FIRST",
        "def path_lengths(n):\n    other = [part(n, k) for k in range(n + 1)]\n    return other",
        "lessons.check('9.1', path_lengths)\nopen('/etc/passwd').read()",
    )
    status, [marks], out = mark(file)
    assert (status, marks["points"]) == (1, 1), out  # the lesson's other exercises are not there
    assert [one["status"] for one in marks["exercises"]] == ["right", "not done yet", "not done yet"]


def test_a_statement_keeps_its_line_and_its_cell(tmp_path):
    function = "@staticmethod\ndef path_lengths(n):\n    return math.perm(n)"
    file = notebook(tmp_path / "a.ipynb", f"import math, re\n\n\n{function}\nprint(3)")
    source, hidden = taken(read(file), ["path_lengths"])
    assert [cell.name for cell in source.cells] == ["a.ipynb, cell 2, math, re", "a.ipynb, cell 2, path_lengths"]
    assert source.cells[1].text == "\n\n\n" + function
    assert hidden == set()


def test_statements_in_one_line_are_cut_where_they_end(tmp_path):
    file = notebook(tmp_path / "a.ipynb", "a = 'é한'; b = 2  # why\n\nc = (3,\n  4); d = 'é'")
    source, _ = taken(read(file), ["a", "b", "c", "d"])
    assert [cell.text for cell in source.cells] == ["a = 'é한'", "b = 2", "\n\nc = (3,\n  4)", "\n\n\nd = 'é'"]


def test_a_notebook_of_very_many_statements_is_read_in_a_time_that_grows_with_its_length(tmp_path):
    """In one that grows with the square of it, this test would take half an hour."""
    file = notebook(tmp_path / "a.ipynb", "def path_lengths(n):\n    return n\n" + "0\n" * 100_000)
    source, _ = taken(read(file), ["path_lengths"])
    assert [cell.text for cell in source.cells] == ["def path_lengths(n):\n    return n"]


def test_more_than_can_be_handed_over_is_refused(tmp_path):
    """Each statement comes with the empty lines before it."""
    text = "".join(f"a{i} = 0\n" for i in range(3000))
    file = notebook(tmp_path / "a.ipynb", f"{text}\ndef f(n):\n    return {', '.join(f'a{i}' for i in range(3000))}")
    with pytest.raises(DataError, match=r"a\.ipynb has more than 300 kB of code"):
        taken(read(file), ["f"])


TAKEN = {
    "import math": "return math.pi",
    "import numpy.linalg": "return numpy.linalg.norm(n)",
    "from math import *": "return comb(n, 1)",
    "try:\n    import cupy as xp\nexcept ImportError:\n    import numpy as xp": "return xp.zeros(n)",
    "if True:\n    A = 1\nelse:\n    pass": "return A",
    "table = {k: k**2 for k in range(9)}": "return table[n]",
    "A, (B, *C) = 1, (2, 3)": "return [k for k in C]",
    "A: int = 3": "return lambda: A",
    "A = []\nA += [3]": "return A",
    "class A:\n    b = 3": "return A.b",
    "async def other():\n    return 3": "return other()",
    "def other(n):\n    return n\nother.calls = 0": "return other.calls",
}


@pytest.mark.parametrize("before", TAKEN)
def test_what_a_function_needs_is_taken(tmp_path, before):
    file = notebook(tmp_path / "a.ipynb", before, f"def f(n):\n    {TAKEN[before]}")
    source, _ = taken(read(file), ["f"])
    assert "\n".join(cell.text.strip() for cell in source.cells[:-1]) == before


@pytest.mark.parametrize(
    "before",
    [
        "import matplotlib.pyplot as plt",
        "n = experiment()",
        "for A in range(3):\n    print(A)",
        "if True:\n    A = 1\n    print(A)",
        "from minires import ops as A",
        "return 3",
    ],
)
def test_what_no_function_needs_is_left_out(tmp_path, before):
    file = notebook(tmp_path / "a.ipynb", before, "def f(n):\n    plt = n\n    return plt + A")
    source, _ = taken(read(file), ["f"])
    assert [cell.name for cell in source.cells] == ["a.ipynb, cell 3, f"]


def test_a_definition_that_cannot_be_compiled_is_taken_with_its_error(tmp_path, mark):
    file = notebook(tmp_path / "a.ipynb", "def path_lengths(n):\n    nonlocal k\n    return k")
    _, [marks], _ = mark(file)
    assert "SyntaxError" in " ".join(marks["exercises"][0]["said"])


def test_an_error_is_told_with_its_cell_and_line(tmp_path, mark):
    file = notebook(tmp_path / "a.ipynb", "import math", "print(1)\n\ndef path_lengths(n):\n    return math.combs(n)")
    status, [marks], _ = mark(file)
    assert status == 2
    assert "a.ipynb, cell 3, path_lengths, line 4" in marks["exercises"][0]["said"][0]


def test_a_cell_that_python_cannot_read_is_told_where_it_has_the_exercise(tmp_path, mark):
    file = notebook(tmp_path / "a.ipynb", "import math\ndef other(:", "def path_lengths(n)\n    return 3")
    _, [marks], _ = mark(file, "--lesson", "9")
    assert "SyntaxError" in " ".join(marks["exercises"][0]["said"])
    assert "cell 3, line 1" in " ".join(marks["exercises"][0]["said"])


def test_minires_is_hidden_and_said_so(tmp_path, mark):
    file = notebook(
        tmp_path / "a.ipynb",
        "from minires.lessons.exercise import catalogue\nimport minires as mr",
        "def path_lengths(n):\n    return catalogue['9.1'](n)",
    )
    _, [marks], _ = mark(file)
    assert marks["points"] == 0
    assert "minires, which is hidden here" in marks["exercises"][0]["hint"]
    file = notebook(
        tmp_path / "b.ipynb",
        "def path_lengths(n):\n    from minires.lessons.exercise import catalogue\n    return catalogue['9.1'](n)",
    )
    _, [marks], _ = mark(file)
    assert marks["points"] == 0
    assert "minires is hidden here" in marks["exercises"][0]["hint"]


def test_a_loop_without_end_costs_its_own_exercise_only(tmp_path, mark):
    loop = "def im2col(x, kernel_size, stride):\n    while True:\n        pass"
    file = notebook(tmp_path / "a.ipynb", SETUP, loop, written("solution", "2.2"))
    status, [marks], _ = mark(file, "--timeout", "1")
    assert status == 1
    assert [one["status"] for one in marks["exercises"][:2]] == ["timed out", "right"]
    assert marks["points"] == 1


def test_a_function_that_ends_its_process_costs_its_own_exercise_only(tmp_path, mark):
    leave = "import os\ndef im2col(x, kernel_size, stride):\n    os._exit(0)"
    _, [marks], _ = mark(notebook(tmp_path / "a.ipynb", SETUP, leave, written("solution", "2.2")))
    assert [one["status"] for one in marks["exercises"][:2]] == ["could not be run", "right"]


def test_the_lesson_is_the_one_whose_functions_are_there(tmp_path, mark, capsys):
    assert lesson_of(read(notebook(tmp_path / "a.ipynb", SETUP, written("exercise", "2.2")))) == 2
    status, [marks], _ = mark(notebook(tmp_path / "b.ipynb", "def f(x):\n    return x"))
    assert status == 2
    assert "none of the functions" in marks["error"]
    both = notebook(tmp_path / "c.ipynb", written("solution", "6.1"), "import math\n" + RIGHT)
    status, [marks], _ = mark(both)
    assert status == 2
    assert "--lesson 6" in marks["error"]
    status, [marks], _ = mark(both, "--lesson", "9")
    assert (status, marks["points"]) == (1, 1)
    assert main([str(both), "--lesson", "77"]) == 2
    assert "--lesson 77 has no exercises; these have: 1, 2" in capsys.readouterr().err


def test_a_class_in_folders_has_a_line_each_and_files_for_graders(tmp_path, capsys):
    handed_in = tmp_path / "in"
    for student in ("ann", "ben", "=cmd"):
        (handed_in / student).mkdir(parents=True)
    notebook(handed_in / "ann" / "09.ipynb", "import math", RIGHT)
    notebook(handed_in / "ben" / "09.ipynb", "def path_lengths(n):\n    raise NotImplementedError")
    (handed_in / "=cmd" / "09.ipynb").write_text("this is no notebook: path_lengths = 3")
    outputs = {kind: tmp_path / f"marks.{kind}" for kind in ("csv", "json", "gradescope")}
    words = [word for kind, file in outputs.items() for word in (f"--{kind}", str(file))]
    assert main([str(handed_in), "--lesson", "9", "--seed", "3", "--jobs", "2", *words]) == 2
    out = capsys.readouterr().out
    assert out.startswith("seed 3\n")
    with outputs["csv"].open(encoding="utf-8-sig") as file:
        rows = {row["submission"].rpartition("in/")[2]: row for row in csv.DictReader(file)}
    assert {name: row["9.1"] for name, row in rows.items()} == {
        "=cmd/09.ipynb": "0",
        "ann/09.ipynb": "1",
        "ben/09.ipynb": "0",
    }
    assert {row["out_of"] for row in rows.values()} == {"3"}
    assert "no notebook" in rows["=cmd/09.ipynb"]["said"]
    tests = json.loads(outputs["gradescope"].read_text())["tests"]
    scores = {number: [one["score"] for one in tests if number in one["name"]] for number in ("9.1", "9.2", "9.3")}
    assert scores == {"9.1": [0, 1, 0], "9.2": [0, 0, 0], "9.3": [0, 0, 0]}
    assert {one["max_score"] for one in tests} == {1}
    found = json.loads(outputs["json"].read_text())
    assert found["seed"] == 3
    assert [one["points"] for one in found["results"]] == [0, 1, 0]


def test_the_seed_is_another_each_time_and_is_printed(tmp_path, capsys):
    file = notebook(tmp_path / "a.ipynb", "import math", RIGHT)
    seeds = set()
    for _ in range(2):
        assert main([str(file)]) == 1  # two of three exercises are not there
        seeds.add(capsys.readouterr().out.splitlines()[0])
    assert len(seeds) == 2


def test_marks_are_not_written_over_a_notebook(tmp_path, capsys):
    file = notebook(tmp_path / "a.ipynb", RIGHT)
    assert main([str(file), "--csv", str(file)]) == 2
    assert "would be overwritten" in capsys.readouterr().err
