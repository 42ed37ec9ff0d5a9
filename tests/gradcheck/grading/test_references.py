"""A whole function, measured for advice or held to a teacher's."""

from marks import rows_of

BLOCK = """
import numpy as np
def block(x, w1, w2):
    h = np.maximum(x @ w1, 0)
    def backward(dy):
        dh = (dy @ w2.T) * (h > 0)
        return dy + dh @ w1.T, x.T @ dh, h.T @ dy
    return x + h @ w2, backward
"""


def test_a_whole_function_is_measured_for_advice_or_held_to_a_teachers(tmp_path, grade):
    shapes = ["--shapes", "3,4", "4,5", "5,4"]
    (tmp_path / "teacher.py").write_text(BLOCK)
    (tmp_path / "wrong.py").write_text(BLOCK.replace("return dy + dh", "return dh"))
    status, out = grade(f"{tmp_path / 'teacher.py'}:block", *shapes)
    assert status == 0
    assert "this is advice, not a mark" in out
    assert grade(f"{tmp_path / 'wrong.py'}:block", *shapes)[0] == 1
    teacher = ["--reference", f"{tmp_path / 'teacher.py'}:block"]
    assert grade(f"{tmp_path / 'wrong.py'}:block", *shapes, *teacher)[0] == 1
    (tmp_path / "right.py").write_text(BLOCK)
    assert grade(f"{tmp_path / 'right.py'}:block", *shapes, *teacher, "--json", tmp_path / "o.json")[0] == 0


def test_a_function_too_slow_to_be_measured_and_a_layer_that_is_given_its_arrays(tmp_path, monkeypatch, grade):
    monkeypatch.setattr("minires.gradcheck.grading.session.LONGEST", 1)
    (tmp_path / "slow.py").write_text(BLOCK.replace("    h =", "    __import__('time').sleep(0.2)\n    h ="))
    (tmp_path / "layer.py").write_text(
        "class Layer:\n    def __init__(self, w):\n        self.w = w\n"
        "    def forward(self, x):\n        self.x = x\n        return x @ self.w\n"
        "    def backward(self, dy):\n        self.dw = self.x.T @ dy\n        return dy @ self.w.T\n"
    )
    shapes = ["--shapes", "3,4", "4,5", "5,4", "--timeout", "2"]
    status, out = grade(f"{tmp_path / 'slow.py'}:block", *shapes)
    assert status == 1
    assert "its calls took more than 2 s together: it is too slow; --timeout 6 allows three times as much" in out
    assert "timed out: no case is known to be wrong" in out
    assert grade(f"{tmp_path / 'layer.py'}:Layer", "--shapes", "3,4", "4,5")[0] == 0


def test_a_submission_does_not_see_the_teachers_file_nor_another_submission(tmp_path, grade):
    (tmp_path / "teacher.py").write_text(BLOCK)
    (tmp_path / "other.py").write_text(BLOCK)
    (tmp_path / "cheat.py").write_text("from teacher import block\n")
    (tmp_path / "copies.py").write_text("from other import block\n")
    teacher = ["--reference", f"{tmp_path / 'teacher.py'}:block", "--shapes", "3,4", "4,5", "5,4"]
    files = [f"{tmp_path / name}:block" for name in ("cheat.py", "other.py", "copies.py")]
    assert grade(*files, *teacher, "--csv", tmp_path / "t.csv")[0] == 2
    rows = rows_of(tmp_path / "t.csv")
    assert [row["status"] for row in rows] == ["could not run", "passed", "could not run"]
    for row, name in ((rows[0], "teacher"), (rows[2], "other")):
        said = f"No module named '{name}': that file is not the submission's own, and cannot be imported"
        assert said in row["said"]


def test_a_number_that_is_right_for_one_batch_size_only_fails(tmp_path, grade):
    (tmp_path / "teacher.py").write_text(BLOCK)
    teacher = ["--reference", f"{tmp_path / 'teacher.py'}:block", "--shapes", "3,4", "4,5", "5,4"]
    for name, wrong, status in (
        ("mean", ("x.T @ dh,", "(x.T @ dh) / len(x) * 3,"), 1),
        ("fixed", ("    h =", "    x = x.reshape(3, 4)\n    h ="), 0),
    ):
        (tmp_path / f"{name}.py").write_text(BLOCK.replace(*wrong))
        found, out = grade(f"{tmp_path / name}.py:block", *teacher)
        assert found == status, out
    assert "takes no other batch size" in out
