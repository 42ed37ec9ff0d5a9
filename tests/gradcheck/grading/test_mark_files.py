"""Marks in files: their scores and names, and that none are lost when the command ends early."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
import submissions
from marks import GOOD, rows_of

from minires.gradcheck.__main__ import main
from minires.gradcheck.grading import results

IDENTITY = """
def same(x): return x.copy(), lambda dy: dy.copy()
def dropout(x, p=0.5, training=True): return same(x)
def sum(x, dim=None, keepdim=False): return same(x)
def clone(x): return same(x)
"""


@pytest.mark.parametrize(("op", "score"), [("dropout", "0"), ("sum", "0"), ("clone", "1.0")])
def test_who_gives_x_back_earns_nothing_where_more_is_to_be_done(tmp_path, grade, op, score):
    (tmp_path / "hw.py").write_text(IDENTITY)
    grade(f"{tmp_path / 'hw.py'}:{op}", "--like", op, "--csv", tmp_path / "marks.csv")
    (row,) = rows_of(tmp_path / "marks.csv")
    assert float(row["score"]) == float(score)
    assert int(row["cases_passed"]) > 0  # which are counted all the same


def test_files_are_written_for_graders(homework, tmp_path, grade):
    ours, table, theirs = tmp_path / "out.json", tmp_path / "out.csv", tmp_path / "results.json"
    names = [homework(n) for n in ("right_relu", "wrong_relu", "gives_none", "nothing")]
    status, out = grade(*names, "--like", "relu", "--json", ours, "--csv", table, "--gradescope", theirs)
    assert status == 2
    assert "4 submissions: 1 passed, 1 failed, 1 not done, 1 could not run" in out
    report = json.loads(ours.read_text(encoding="utf-8"), parse_constant=lambda c: pytest.fail(f"{c} is no JSON"))
    assert [r["status"] for r in report["results"]] == ["passed", "failed", "not done", "could not run"]
    assert report["results"][0]["cases_passed"] == report["results"][0]["cases"] == 6
    assert next(r for r in report["results"][1]["reports"] if not r["passed"])["wrong"] == ["x"]
    rows = rows_of(table)
    assert [row["status"] for row in rows] == ["passed", "failed", "not done", "could not run"]
    assert [row["score"] for row in rows][2:] == ["0", ""]  # of what could not be run nothing is known
    tests = json.loads(theirs.read_text(encoding="utf-8"))["tests"]
    assert [t["max_score"] for t in tests] == [1] * 4
    assert tests[0]["score"] == 1
    assert 0 < tests[1]["score"] < 1
    assert [t["score"] for t in tests[2:]] == [0, 0]
    assert [t["status"] for t in tests] == ["passed", "failed", "failed", "failed"]
    assert [t["output"].splitlines()[0] for t in tests] == ["passed", "failed", "not done", "could not run"]
    assert "dx is wrong, in relu (" in tests[1]["output"]


def test_an_empty_batch_earns_nothing_and_samples_of_a_case_count_once(tmp_path, capsys):
    dead = submissions.CONV.replace("return (dx, dw) if b is None else", "return (dx * 0, dw * 0) if b is None else")
    dead = dead.replace("(dx, dw, dy.sum", "(dx * 0, dw * 0, dy.sum")
    (tmp_path / "dead.py").write_text(submissions.IMPORT + dead)
    (tmp_path / "right.py").write_text(submissions.IMPORT + submissions.CONV)
    stride = submissions.CONV.replace(
        "at = np.s_[:, :, i * stride:i * stride + KH, j * stride:j * stride + KW]",
        "at = np.s_[:, :, i:i + KH, j:j + KW]",
    )
    (tmp_path / "some.py").write_text(submissions.IMPORT + stride)
    files = "--csv", tmp_path / "m.csv", "--gradescope", tmp_path / "g.json", "--seed", "5"
    main([str(tmp_path), "--function", "conv2d", "--like", "conv2d", *map(str, files)])
    capsys.readouterr()
    assert (tmp_path / "m.csv").read_bytes().startswith("\ufeffsubmission".encode())
    rows = rows_of(tmp_path / "m.csv")
    assert [row["seed"] for row in rows] == ["5"] * 3
    scores = [float(row["score"]) for row in rows]
    assert scores[:2] == [0, 1]
    assert 0.2 < scores[2] < 0.8
    assert [t["score"] for t in json.loads((tmp_path / "g.json").read_text(encoding="utf-8"))["tests"]] == scores


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_the_name_of_a_file_is_no_formula_no_escape_and_no_line_of_its_own(tmp_path, grade):
    formulas = ["=1+2.py", "+a.py", "-b.py", "@c.py", "＝d.py", "kim;=1+1;.py", "lee;-2|@x.py"]
    names = [*formulas, "\x1b[2Jx\n9 passed.py", "\u202ee.py", "ann, 'bob'.py", "김.py"]
    for name in names:
        (tmp_path / "in" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_text("def neg(x):\n    return -x, lambda dy: -dy\n")
    files = ["--csv", tmp_path / "marks.csv", "--gradescope", tmp_path / "results.json"]
    status, out = grade(tmp_path / "in", "--function", "neg", "--like", "neg", *files)
    assert status == 0
    assert out.count("\n") == len(names) + 2
    text = (tmp_path / "marks.csv").read_text(encoding="utf-8-sig")
    written = [row["submission"].rpartition("/")[2] for row in rows_of(tmp_path / "marks.csv")]
    tests = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["tests"]
    assert text.count("\n") == len(names) + 1
    assert len(written) == len(set(written)) == len(names)
    for shown in (out.replace("\n", ""), text.replace("\n", ""), *(test["name"] for test in tests)):
        assert shown.isprintable()
    rows = list(csv.reader(results.table_of([results.Result(name, error=name) for name in names]).splitlines()))
    cells = [part for row in rows for cell in row for part in re.split(r"[;|]", cell)]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "＝")]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_two_files_have_two_names_in_the_marks(tmp_path, grade):
    """What tells them apart may be a letter that is not seen; and marks are looked up by names."""
    different = [" ", "\t", "\n", "\\t", "\\n", "\xa0", "\u2003", "\u200b", "\r", "\x1b", "\x85", "\u202e", "\\x1b"]
    (tmp_path / "in").mkdir()
    for letter in different:
        (tmp_path / "in" / f"a{letter}b.py").write_text("def neg(x):\n    return -x, lambda dy: -dy\n")
    flags = ["--csv", tmp_path / "marks.csv", "--json", tmp_path / "marks.json", "--gradescope", tmp_path / "g.json"]
    status, _ = grade(tmp_path / "in", "--function", "neg", "--like", "neg", *flags)
    assert status == 0
    written = [
        [row["submission"] for row in rows_of(tmp_path / "marks.csv")],
        [one["target"] for one in json.loads((tmp_path / "marks.json").read_text(encoding="utf-8"))["results"]],
        [one["name"] for one in json.loads((tmp_path / "g.json").read_text(encoding="utf-8"))["tests"]],
    ]
    for names in written:
        assert len(set(names)) == len(different)
        assert all(name.isprintable() for name in names)


def test_results_are_written_as_they_come(homework, tmp_path, monkeypatch, grade):
    seen = []
    write = results.atomic_write

    def counted(file, content):
        seen.append(content.count(b"\n"))
        write(file, content)

    monkeypatch.setattr(results, "atomic_write", counted)
    grade(homework("right_relu"), homework("wrong_relu"), "--like", "relu", "--csv", tmp_path / "x.csv")
    assert seen == [2, 3]


def test_a_console_that_closes_early_loses_no_results(homework, tmp_path):
    """The reader of standard output has gone, and cannot print the letters of the sentences either."""
    command = [sys.executable, "-m", "minires.gradcheck", homework("wrong_relu"), homework("right_relu")]
    process = subprocess.Popen(
        [*command, "--like", "relu", "--csv", "marks.csv", "--json", "marks.json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
    )
    process.stdout.close()
    assert process.wait(60) == 1
    assert len(json.loads((tmp_path / "marks.json").read_text(encoding="utf-8"))["results"]) == 2
    assert (tmp_path / "marks.csv").read_text(encoding="utf-8").count("\n") == 3


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
@pytest.mark.parametrize("jobs", [1, 3])
def test_control_c_ends_at_once_with_what_there_is(tmp_path, jobs):
    endless = "def relu(x):\n    while True: pass\n"
    for k in range(8):
        folder = tmp_path / "in" / f"s{k}"
        folder.mkdir(parents=True)
        (folder / "work.py").write_text(endless if k in (1, 2, 4) else GOOD)
    arguments = ["in", "--function", "relu", "--like", "relu", "--jobs", str(jobs), "--timeout", "60", "--samples", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "minires.gradcheck", *arguments, "--csv", "marks.csv", "--json", "marks.json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path / "in")},
    )
    assert process.stdout.readline().startswith("seed ")
    assert "passed" in process.stdout.readline()  # the first; the others, some of which are endless, go on
    time.sleep(3)
    sent = time.monotonic()
    process.send_signal(signal.SIGTERM)  # as Ctrl-C, which a shell's background jobs ignore
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - sent < 5
    rows = rows_of(tmp_path / "marks.csv")
    assert process.returncode == 130
    assert err == f"\nminires.gradcheck: stopped; {len(rows)} of 8 submissions were marked\n"
    assert [row["status"] for row in rows] == ["passed"] * len(rows)
    assert len(rows) == 1 if jobs == 1 else len(rows) >= 2
    assert not json.loads((tmp_path / "marks.json").read_text(encoding="utf-8"))["passed"]
    assert not list((tmp_path / "in").glob("minires-*"))
