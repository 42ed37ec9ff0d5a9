"""A submission that is too large, or no file, has a row that says so."""

import os

import pytest

from minires.gradcheck.__main__ import main

RIGHT = "def relu(x):\n    return x * (x > 0), lambda dy: dy * (x > 0)\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no FIFOs")
def test_each_has_its_row(tmp_path, capsys):
    for student in ("ann", "big", "pipe"):
        (tmp_path / student).mkdir()
    (tmp_path / "ann" / "hw.py").write_text(RIGHT)
    (tmp_path / "big" / "hw.py").write_text(RIGHT + "x = 1\n" * 200_000)
    os.mkfifo(tmp_path / "pipe" / "hw.py")
    os.mkfifo(tmp_path / "flat.py")
    assert main([str(tmp_path), "--function", "relu", "--like", "relu"]) == 2
    rows = capsys.readouterr().out.splitlines()[1:]
    assert [row.partition("could not run")[2].partition("of 0")[2].strip() for row in rows[:4]] == [
        "",
        "hw.py is larger than 1 MB",
        "it is no file",
        "hw.py is no file",
    ]
    assert "passed" in rows[0]
