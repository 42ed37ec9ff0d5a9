"""At a tie several gradients are right, but none that is larger than all of those nearby, however large."""

import pytest
from test_styles import graded

TIED = """
import numpy as np
BIG = 10.0 ** POWER
def relu(x):
    return np.maximum(x, 0), lambda dy: np.where(x == 0, BIG * dy, dy * (x > 0))
def abs(x):
    return np.abs(x), lambda dy: np.where(x == 0, BIG * dy, dy * np.sign(x))
def of_two(a, b):
    a, b = np.broadcast_arrays(a, b)
    tied = a == b
    return np.maximum(a, b), lambda dy: (np.where(tied, BIG * dy, dy * (a > b)), np.where(tied, -BIG * dy, dy * (b > a)))
def maximum(a, b):
    def added(g, shape):
        g = g.sum(tuple(range(g.ndim - len(shape))))
        return g.sum(tuple(k for k, n in enumerate(shape) if n == 1), keepdims=True)
    y, back = of_two(a, b)
    return y, lambda dy: tuple(added(g, s) for g, s in zip(back(dy), (a.shape, b.shape)))
def amax(x, dim=None, keepdim=False):
    y = x.max(dim, keepdims=True)
    tied = ((x == y).sum(dim, keepdims=True) > 1) & (x == y)
    def backward(dy):
        return np.where(tied, BIG, 1) * (x == y) * np.reshape(dy, y.shape)
    return (y if keepdim else y.squeeze(dim)), backward
def max_pool2d(x):
    N, C, H, W = x.shape
    assert H % 2 == W % 2 == 0
    windows = x.reshape(N, C, H // 2, 2, W // 2, 2)
    y = windows.max((3, 5), keepdims=True)
    highest = windows == y
    shares = highest * np.where(highest.sum((3, 5), keepdims=True) > 1, BIG, 1)
    return y[:, :, :, 0, :, 0], lambda dy: (shares * dy[:, :, :, None, :, None]).reshape(x.shape)
"""


@pytest.mark.parametrize("op", ["relu", "abs", "maximum", "amax", "max_pool2d"])
@pytest.mark.parametrize("power", ["-0.5", "0.5", 1, 5, 100, 150, 153, 154, 155, 160, 200, 300, 305])
def test_no_gradient_is_so_large_that_it_passes(op, power):
    result = graded(op, op, TIED.replace("POWER", f"({power})"), samples=1)
    between = power == "-0.5" and op in ("relu", "abs")  # 0.3 lies between the slopes on both sides
    assert result.passed == between, result
    if not between:
        passed = [case.name for case in result.cases if case.passed]
        assert len(passed) >= len(result.cases) - 2  # nothing but the ties fails


MASKED = """
import numpy as np
def masked(x):
    hidden = np.arange(x.size).reshape(x.shape) % 3 == 0
    return np.where(hidden, -np.inf, x), lambda dy: np.where(hidden, 0, dy)
"""


@pytest.mark.parametrize(("change", "status"), [("", 0), ("2 * ", 1)])
def test_a_y_may_be_infinite_where_the_teachers_is(tmp_path, grade, change, status):
    (tmp_path / "teacher.py").write_text(MASKED)
    (tmp_path / "hw.py").write_text(MASKED.replace("-np.inf, x", f"-np.inf, {change}x"))
    found, out = grade(
        f"{tmp_path / 'hw.py'}:masked", "--reference", f"{tmp_path / 'teacher.py'}:masked", "--shapes", "4,5"
    )
    assert found == status, out
