"""The classic mistakes of convolutions, batch norm and residual blocks are named."""

import numpy as np
import pytest

from minires import gradcheck

CONV = """
import numpy as np
def conv2d(x, w, b, stride=1, padding=0):
    SH, SW = stride if isinstance(stride, tuple) else (stride, stride)
    PH, PW = padding if isinstance(padding, tuple) else (padding, padding)
    KH, KW = w.shape[2:]
    xp = np.pad(x, ((0, 0), (0, 0), (PH, PH), (PW, PW)))
    OH = (xp.shape[2] - KH) // SH + 1
    OW = (xp.shape[3] - KW) // SW + 1
    y = np.zeros((len(x), len(w), OH, OW))
    for i in range(OH):
        for j in range(OW):
            window = xp[:, :, i * SH : i * SH + KH, j * SW : j * SW + KW]
            y[:, :, i, j] = np.einsum("nchw,ochw->no", window, w) + b

    def backward(dy):
        dxp = np.zeros_like(xp)
        dw = np.zeros_like(w)
        for n in range(len(x)):
            for o in range(len(w)):
                for i in range(OH):
                    for j in range(OW):
                        rows = slice(i * SH, i * SH + KH)
                        columns = slice(j * SW, j * SW + KW)
                        dxp[n, :, rows, columns] += dy[n, o, i, j] * w[o]
                        dw[o] += dy[n, o, i, j] * xp[n, :, rows, columns]
        return dxp[:, :, PH : PH + x.shape[2], PW : PW + x.shape[3]], dw, dy.sum((0, 2, 3))

    return y, backward
"""


def graded(text, **more):
    names = {}
    exec(text, names)
    return str(gradcheck.grade(names["conv2d"], like="conv2d", seed=0, **more))


@pytest.mark.parametrize(
    ("right", "wrong", "hint"),
    [
        ("dxp[n, :, rows, columns] +=", "dxp[n, :, rows, columns] =", "your dx keeps the last turn of a loop only"),
        ("dw[o] +=", "dw[o] =", "your dw keeps the last turn of a loop only: add (+=), do not assign (=)"),
        ("    KH, KW =", "    SH = SW = 1\n    KH, KW =", "your y ignores the stride: window (oh,ow) begins at"),
        ("    KH, KW =", "    PH = PW = 0\n    KH, KW =", "your y ignores the padding: pad x before"),
        ("window = xp[:, :, i * SH : i * SH + KH, j * SW : j * SW + KW]", "window = xp[:, :, i:i + KH, j:j + KW]",
         "your y ignores the stride"),
    ],
)  # fmt: skip
def test_a_convolution_is_told_what_its_loops_forget(right, wrong, hint):
    assert right in CONV
    assert hint in graded(CONV.replace(right, wrong))


def test_a_right_convolution_has_no_hint():
    said = graded(CONV)
    assert "8 of 8 cases passed" in said
    assert "your " not in said


def block(x, w, *, branch=True, shortcut=True, mask=True, last=True):
    """y = relu(x + w·relu(x)), or without the last ReLU; and a backward in which something may be forgotten."""
    f = w * np.maximum(x, 0)
    y = np.maximum(x + f, 0) if last else x + f

    def backward(dy):
        g = dy * (y > 0) if mask and last else dy
        return branch * g * w * (x > 0) + shortcut * g, (g * np.maximum(x, 0)).sum(0)

    return y, backward


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize(
    ("forgotten", "hint"),
    [
        ("shortcut", "your dx is that of the branch alone: add what the shortcut passes on, the 1 in 1 + F′"),
        ("branch", "your dx is what the shortcut passes on alone: add the gradient through the branch"),
        ("mask", "the ReLU's mask is missing, begin with dy = dy * (y > 0)"),
        ("", ""),
    ],
)
def test_a_residual_block_is_told_which_part_it_forgets(forgotten, hint, last):
    def teachers(x, w):
        return block(x, w, last=last)

    def mine(x, w):
        return block(x, w, last=last, **({forgotten: False} if forgotten else {}))

    result = gradcheck.grade(mine, reference=teachers, shapes=[(4, 5), (5,)], seed=0)
    right = not forgotten or (forgotten == "mask" and not last)
    assert result.passed == right
    assert (hint in str(result)) or right
    assert ("your " in str(result)) != right


def test_the_case_that_is_farthest_off_is_quoted():
    def batch_norm(x, gamma, beta, eps=1e-5):
        axes = (0, *range(2, x.ndim))
        shape = [1, -1, *[1] * (x.ndim - 2)]
        centered = x - x.mean(axes, keepdims=True)
        sigma = x.std(axes, keepdims=True)
        s = sigma + eps
        x_hat = centered / s

        def backward(dy):
            g = dy * gamma.reshape(shape)
            projected = (g * centered).mean(axes, keepdims=True)
            dx = (g - g.mean(axes, keepdims=True)) / s - centered * projected / (s * s * sigma)
            return dx, (dy * x_hat).sum(axes), dy.sum(axes)

        return x_hat * gamma.reshape(shape) + beta.reshape(shape), backward

    result = gradcheck.grade(batch_norm, seed=0)
    said = str(result)
    worst = max(result.cases, key=lambda case: case.error)
    assert f"dx is wrong, in {worst.name}: " in said
    assert "it belongs under the root" in said
    assert "but for a factor" not in said
