"""Work that is held to a teacher's own function, and does a part of it only."""

import pytest

SCORES = """
import numpy as np
def scores(q, k):
    s = q @ k.T / np.sqrt(q.shape[1])
    mask = np.triu(np.ones(s.shape, bool), 1)
    y = MASKED
    def backward(dy):
        d = np.where(mask, 0, dy) / np.sqrt(q.shape[1])
        return d @ k, d.T @ q
    return y, backward
"""


@pytest.mark.parametrize("masked", ["np.where(mask, -1e9, s)", "np.where(mask, -1e30, s)"])
def test_a_sentinel_makes_nothing_beside_it_right(tmp_path, grade, masked):
    (tmp_path / "teacher.py").write_text(SCORES.replace("MASKED", masked))
    held = ["--reference", f"{tmp_path / 'teacher.py'}:scores", "--shapes", "4,3", "4,3"]
    far = masked.replace("s)", "np.where(s > 0, s, 13.0))")
    for name, y, status in (
        ("right", masked, 0),
        ("single", f"({masked}).astype(np.float32)", 0),
        ("other", "np.where(mask, -1e8, s)", 1),
        ("nothing", masked.replace("s)", "13.0)"), 1),
        ("float32", f"({far}).astype(np.float32)", 1),
        ("part", far, 1),
    ):
        (tmp_path / f"{name}.py").write_text(SCORES.replace("MASKED", y))
        found, out = grade(f"{tmp_path / name}.py:scores", *held)
        assert found == status, (name, out)


def test_a_parameter_called_target_has_a_gradient_unless_y_is_a_loss(tmp_path, grade):
    product = "def gate(x, target): return x * target, lambda dy: (dy * target, dy * x)\n"
    loss = "def loss(x, target):\n    d = x - target\n    return (d * d).sum() / 2, lambda dy: (dy * d, -dy * d)\n"
    (tmp_path / "teacher.py").write_text(product + loss)
    (tmp_path / "hw.py").write_text(product.replace("dy * x", "None") + loss.replace("-dy * d", "None"))
    held = ["--shapes", "3,4", "3,4", "--reference"]
    status, out = grade(f"{tmp_path / 'hw.py'}:gate", *held, f"{tmp_path / 'teacher.py'}:gate")
    assert status == 1
    assert "the backward gives no gradient (None) for target" in out
    status, out = grade(f"{tmp_path / 'hw.py'}:loss", *held, f"{tmp_path / 'teacher.py'}:loss")
    assert status == 0, out
    assert "no gradient for target was looked at" in out


def test_a_backward_of_several_numbers_that_takes_nothing_is_told(tmp_path, grade):
    (tmp_path / "teacher.py").write_text("def block(x): return 2 * x, lambda dy: 2 * dy\n")
    (tmp_path / "hw.py").write_text(
        "import numpy as np\n"
        "class Block:\n"
        "    def forward(self, x):\n        self.x = x\n        return 2 * x\n"
        "    def backward(self):\n        return np.full(self.x.shape, 2.0)\n"
    )
    held = ["--reference", f"{tmp_path / 'teacher.py'}:block", "--shapes", "3,4"]
    status, out = grade(f"{tmp_path / 'hw.py'}:Block", *held)
    assert status == 2
    assert "it gives the gradient of one number" in out
    assert "the grader itself failed" not in out
