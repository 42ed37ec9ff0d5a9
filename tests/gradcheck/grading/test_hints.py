"""A mistake that is known is named: those of the catalogue, one factor, and the classics."""

import numpy as np
import pytest
import submissions
from submissions.normalization import CS231N_NORM
from test_styles import graded

from minires import gradcheck
from minires.gradcheck.bugs import catalogue
from minires.gradcheck.bugs.bug import planted
from minires.gradcheck.grading import hints
from minires.gradcheck.grading import standard as standards
from minires.tensor import registry

# Bugs of forms that homework need not take, of conventions at ties, and of a gradient that may be left out.
NO_MISTAKE = {
    ("abs", "sign 1 at 0"),
    ("relu", "1 at 0"),
    ("relu6", "1 at 6"),
    ("clip", "0 at the bounds"),
    ("max_pool2d", "to the last of equal ones"),
    ("max_pool2d", "dilation forgotten"),
    ("max_pool2d", "last windows of ceil_mode forgotten"),
    ("avg_pool2d", "padding counted"),
    ("avg_pool2d", "what lies beyond the padding counted"),
    ("avg_pool2d", "last windows of ceil_mode forgotten"),
    ("avg_pool2d", "elements beyond the padding counted"),
    ("cross_entropy", "no gradient for the probabilities"),
    ("cross_entropy", "sign of the probabilities' gradient"),
    ("cross_entropy", "smoothing forgotten in the probabilities' gradient"),
    ("cross_entropy", "probabilities assumed to sum to 1"),
    ("conv2d", "dx in float32"),
    ("scaled_dot_product_attention", "first slice of leading axes"),
    ("batch_norm", "dγ with axes of length 1"),  # right where γ is taken as (1,C,1,1), as many write it
    ("relu", "mask written into x"),  # into its own copy of x
    # a submission's settings stay as they are, and it is asked for all gradients
    ("batch_norm", "running statistics read in backward"),
    ("conv_norm", "running statistics read in backward"),
    ("conv_norm", "statistics taken for constants where the weights are fixed"),
}
OPS = sorted({bug.op for bug in catalogue})


@pytest.mark.parametrize("op", sorted(registry))
def test_each_op_passes_as_its_own_submission(op):
    with np.errstate(all="ignore"):
        result = gradcheck.grade(registry[op].raw, op, seed=5, samples=2)
    assert result.status == "passed", result


@pytest.mark.parametrize("op", OPS)
def test_each_bug_of_the_catalogue_fails_as_a_submission(op):
    missed = []
    for bug in catalogue:
        optional = bug.name.endswith("no gradient for the target")
        if bug.op == op and (op, bug.name) not in NO_MISTAKE and not optional:
            with np.errstate(all="ignore"):
                result = gradcheck.grade(planted(bug), op, seed=3)
            missed += [(bug.name, result.status)] if result.status not in ("failed", "not done") else []
    assert not missed


def test_nearly_all_bugs_of_the_catalogue_are_named():
    named = total = 0
    for bug in catalogue[::3]:
        with np.errstate(all="ignore"):
            result = gradcheck.grade(planted(bug), bug.op, seed=3)
        total += result.status == "failed"
        named += bug.hint in str(result)
    assert named > 0.9 * total


SOFTMAX = """
def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    s = e / e.sum(axis=1, keepdims=True)
    return s, lambda dy: s * (dy - (dy * s).sum(axis=1, keepdims=True))
"""
NORM = """
def batch_norm(x, gamma, beta, eps=1e-5):
    axes = (0, 2, 3)
    M = x.size // x.shape[1]
    s = np.sqrt(x.var(axes, keepdims=True) + eps)
    h = (x - x.mean(axes, keepdims=True)) / s
    def backward(dy):
        g = dy * gamma[:, None, None]
        dx = (g - g.sum(axes, keepdims=True) / M - h * (g * h).sum(axes, keepdims=True) / M) / s
        return dx, (dy * h).sum(axes), dy.sum(axes)
    return h * gamma[:, None, None] + beta[:, None, None], backward
"""


@pytest.mark.parametrize(
    ("like", "target", "source", "right", "wrong", "hint"),
    [
        ("batch_norm", "batch_norm", submissions.NORM, "(0, 2, 3), keepdims=True)\n    x_hat", "(0, 2, 3), keepdims=True, ddof=1)\n    x_hat", "you divide the variance by m − 1"),
        ("layer_norm", "layernorm_forward,layernorm_backward", submissions.LAYER_NORM, "x.var(1, keepdims=True)", "x.var(1, keepdims=True, ddof=1)", "you divide the variance by m − 1"),
        ("max_pool2d", "max_pool", submissions.SHARED, "size] += mask", "size] = mask", "keeps the last window's share"),
        ("max_pool2d", "max_pool_forward_naive,max_pool_backward_naive", submissions.CS231N_POOL, "j * s + b] +=", "j * s + b] =", "dx keeps"),
        ("cross_entropy", "softmax_loss", submissions.ENTROPY, "y]).mean()", "y]).sum()", "your loss is the sum over the samples, where the mean is wanted"),
        ("cross_entropy", "softmax_loss", submissions.ENTROPY, "    dx /= N\n", "", "is not divided by the number of samples"),
        ("conv2d", "conv2d", submissions.CONV, "return y, backward", "return y.transpose(0, 2, 3, 1).copy(), backward", "your y has its axes in the order (N,OH,OW,O): (N,O,OH,OW) is wanted"),
        ("conv2d", "conv2d", submissions.CONV, "dx = dxp[:, :, padding:padding + H, padding:padding + W]", "dx = dxp[:, :, padding:padding + H, padding:padding + W].transpose(0, 2, 3, 1).reshape(x.shape)", "in the order (N,H,W,C)"),
        ("conv2d", "conv2d", submissions.CONV, "dy.sum((0, 2, 3))", "dy.mean((0, 2, 3))", "your db is the mean of dy"),
        ("linear", "affine_forward,affine_backward", submissions.AFFINE, "dout.sum(axis=0)", "0.25 * dout.sum(axis=0)", "but for a factor (0.25 in this case)"),
        ("linear", "affine_forward,affine_backward", submissions.AFFINE, "dout.sum(axis=0)", "-dout.sum(axis=0)", "wrong sign"),
        ("linear", "affine_forward,affine_backward", submissions.AFFINE, "dout.dot(w.T)", "0 * dout.dot(w.T)", "your dx is zero"),
        ("conv2d", "conv2d", submissions.CONV, "(dx, dw, dy.sum((0, 2, 3)))", "(dx, dy.sum((0, 2, 3)), dw)", "your dw and db are exchanged: return dw first"),
        ("cross_entropy", "softmax_loss", submissions.ENTROPY, "-np.log", "-np.log2", "your logarithm is log2"),
        ("cross_entropy", "softmax_loss", submissions.ENTROPY, "loss = -", "loss = ", "your loss has the wrong sign"),
        ("cross_entropy", "softmax_loss", submissions.ENTROPY, "N = x", "y = y - 1; N = x", "your classes are counted from 1"),
        ("cross_entropy", "softmax_loss", submissions.ENTROPY, "-= 1", "+= 1", "your dx adds 1 at the right class"),
        ("cross_entropy", "softmax_loss", submissions.ENTROPY, "return loss, dx", "return loss", "returns the loss alone: return (loss, dx)"),
        ("softmax", "softmax", SOFTMAX, "axis=1", "axis=0", "your y is taken along the other axis"),
        ("softmax", "softmax", SOFTMAX, "s * (dy - (dy * s).sum(axis=1, keepdims=True))", "s * (1 - s) * dy", "each y depends on every x"),
        ("batch_norm", "batch_norm", NORM, "M = x.size // x.shape[1]", "M = len(x)", "a channel has N·H·W elements"),
        ("cross_entropy", "softmax_loss", submissions.ENTROPY, "loss = -", "loss = ", "the loss is not cross_entropy's: the loss is -"),
    ],
)  # fmt: skip
def test_a_classic_is_named(like, target, source, right, wrong, hint):
    assert right in source
    result = graded(like, target, submissions.IMPORT + source.replace(right, wrong))
    assert result.status == "failed" or "alone: return" in hint
    assert hint in str(result), result


ROWS = """
def batch_norm(x, gamma, beta, eps=1e-5):
    m, v = x.mean(0), x.var(0)
    s = np.sqrt(v + eps)
    h = (x - m) / s
    def backward(dy):
        d = dy * gamma
        return (d - d.mean(0) - h * (d * h).mean(0)) / s, (dy * h).sum(0), dy.sum(0)
    return h * gamma + beta, backward
"""


@pytest.mark.parametrize(
    ("right", "wrong", "hint"),
    [
        ("- h * (d * h).mean(0)", "", "your dx misses −x̂·⟨dy·x̂⟩"),
        ("(dy * h).sum(0), dy.sum(0)", "dy.sum(0), (dy * h).sum(0)", "your dgamma and dbeta are exchanged"),
        ("np.sqrt(v + eps)", "np.sqrt(v)", "your forward has no ε"),
        ("np.sqrt(v + eps)", "v + eps", "divide by its root"),
    ],
)
def test_a_batch_norm_of_rows_has_the_hints_of_images(right, wrong, hint):
    text = submissions.IMPORT + ROWS
    assert graded("batch_norm", "batch_norm", text).passed
    said = str(graded("batch_norm", "batch_norm", text.replace(right, wrong)))
    assert hint in said
    assert "as the forward does" not in said


def test_statistics_of_two_conventions_are_told_together():
    swapped = "(1 - momentum) * running_mean + momentum * mu"
    text = CS231N_NORM.replace("momentum * running_mean + (1 - momentum) * mu", swapped)
    said = str(graded("batch_norm", "batchnorm_forward,batchnorm_backward", submissions.IMPORT + text))
    assert "running_mean and running_var are averaged with different weights: the batch's mean counts" in said
    assert "running_var after the forward is wrong" not in said


@pytest.mark.parametrize(("wrong", "hint"), [("(H + 2 * padding - KH) // stride", True), ("H + 2 * padding", False)])
def test_the_one_that_is_missing_in_a_shape_is_told_where_it_is_missing_only(wrong, hint):
    text = submissions.IMPORT + submissions.CONV.replace(" OW = (H + 2 * padding - KH) // stride + 1", f" OW = {wrong}")
    columns = wrong.replace("H", "W")
    text = text.replace("(W + 2 * padding - KW) // stride + 1", columns).replace("y[:, :, i, j] =", "y[:, :, i, j] +=")
    said = graded("conv2d", "conv2d", text)
    assert said.status == "failed"
    assert ("mind the + 1" in str(said)) == hint


def test_no_hint_says_a_factor_of_one():
    """w is turned in place, so the gradient of the first call is right."""
    text = (
        "def linear_backward(dy, x, w, b):\n    dw = dy.T @ x\n    w *= 1 + 1e-12\n    return dy @ w, dw, dy.sum(0)\n"
    )
    result = graded("linear", "linear_backward", text)
    assert result.status == "failed"
    assert "it changes w, which it is given, in place" in str(result)
    assert "(1 in this case)" not in str(result)


def test_a_function_that_draws_is_said_to_draw():
    text = "import numpy as np\ndef relu(x):\n    k = np.random.rand()\n    return k * np.maximum(x, 0), lambda dy: k * dy * (x > 0)\n"
    assert "the forward draws random numbers" in str(graded("relu", "relu", text))


def test_no_message_speaks_of_what_the_author_does_not_know():
    for name, like, target, text, status in submissions.ALL:
        if status != "passed":
            said = str(graded(like, target, text))
            assert "kernel that may" not in said, name
            assert "keep the dtype" not in said, name


def test_a_factor_of_float32_is_noted_once_and_passes():
    result = graded("conv2d", "conv2d", submissions.IMPORT + submissions.FLOAT32)
    assert result.status == "passed"
    assert str(result).count("it computes in float32 inside") == 1


def test_an_argument_that_is_not_taken_is_said_not_to_be_checked():
    text = "def linear(x, w):\n    return x @ w.T, lambda dy: (dy @ w, dy.T @ x)\n"
    result = graded("linear", "linear", text)
    assert result.status == "passed"
    assert result.passed_over == {
        "takes no x of 3 axes in its backward: only its forward does": 4,
        "takes no x of 4 axes": 1,
    }  # in 2 samples
    assert "it takes no bias, so dbias was not checked" in str(result)
    assert result.first_word().startswith("it takes no bias, so dbias was not checked")  # the column of a CSV


@pytest.mark.parametrize("where", ["CACHE", "Conv.kept"])
def test_a_cache_that_the_next_forward_overwrites_is_told(where):
    forward, backward = submissions.CS231N.split("def conv_backward_naive")
    text = f"class Conv: pass\n{forward.replace('    cache =', f'    global CACHE; cache = {where} =')}"
    text += f"def conv_backward_naive{backward.replace('= cache', f'= {where}')}"
    said = graded("conv2d", submissions.PAIR, submissions.IMPORT + text)
    assert said.status == "failed"
    assert "it uses what the last forward left in a global or in the class" in str(said)


def test_gradients_that_add_up_from_step_to_step_are_told():
    (text,) = (text for name, _, _, text, _ in submissions.ALL if name == "accumulating grads")
    said = "it adds dW and db to what an earlier backward left: set it to zero before each step"
    assert said in str(graded("linear", "Linear", text))
    assert "an earlier backward" not in str(graded("linear", "Linear", text.replace("+=", "=")))


def test_an_empty_dict_of_gradients_is_blamed_on_the_backward():
    text = "def linear(x, weight, bias):\n    return x @ weight.T + bias, lambda dy: {}\n"
    result = graded("linear", "linear", text)
    assert result.status == "failed"
    assert "the backward gives an empty dict, no gradient for x, weight, bias" in str(result)


@pytest.mark.parametrize("odd", [0, 1, 2, 3])
def test_a_gradient_of_another_shape_fails_whenever_it_comes(odd):
    """dy[None] broadcasts against dy, so only its shape is wrong."""
    text = (
        "import numpy as np\ndef relu(x):\n    calls = []\n    def backward(dy):\n        calls.append(1)\n"
        f"        dx = dy * (x > 0)\n        return dx[None] if len(calls) % 4 == {odd} else dx\n"
        "    return np.maximum(x, 0), backward\n"
    )
    assert graded("relu", "relu", text).status == "failed"


LAID_OUT = """
def linear(x, W, b):
    return {y}, lambda dy: ({dx}, {dW}, {db})
"""


@pytest.mark.parametrize(
    ("y", "db", "dx", "dW", "said_dx", "said_dW"),
    [
        ("x @ W.T + b", "dy.sum(0)", "dy @ W", "dy.T @ x", "your dx is dy·Wᵀ: y = x·Wᵀ, so dx = dy·W", "your dW is xᵀ·dy: W has shape (outputs, inputs), so dW = dyᵀ·x"),
        ("x @ W + b", "dy.sum(0)", "dy @ W.T", "x.T @ dy", "your dx is dy·W: y = x·W, so dx = dy·Wᵀ", "your dW is dyᵀ·x: W has shape (inputs, outputs), so dW = xᵀ·dy"),
        ("W @ x + b", "dy.sum(1, keepdims=True)", "W.T @ dy", "dy @ x.T", "your dx is W·dy: y = W·x, so dx = Wᵀ·dy", "your dW is x·dyᵀ: W has shape (outputs, inputs), so dW = dy·xᵀ"),
        ("W.T @ x + b", "dy.sum(1, keepdims=True)", "W @ dy", "x @ dy.T", "your dx is Wᵀ·dy: y = Wᵀ·x, so dx = W·dy", "your dW is dy·xᵀ: W has shape (inputs, outputs), so dW = x·dyᵀ"),
    ],
)  # fmt: skip
def test_a_hint_speaks_in_the_layout_and_the_names_of_the_submission(y, db, dx, dW, said_dx, said_dW):
    assert graded("linear", "linear", LAID_OUT.format(y=y, dx=dx, dW=dW, db=db)).passed
    turned = f"(lambda g: g if g.shape[0] != g.shape[1] else g)(({dW}).T)"
    result = str(graded("linear", "linear", LAID_OUT.format(y=y, dx=dx, dW=turned, db=db)))
    assert said_dW in result
    turned = dx.replace("W.T", "V") if "W.T" in dx else dx.replace("W", "W.T")
    turned = turned.replace("V", "W")
    wrong = f"({turned} if W.shape[0] == W.shape[1] else {dx})"
    assert said_dx in str(graded("linear", "linear", LAID_OUT.format(y=y, dx=wrong, dW=dW, db=db)))


def test_the_place_of_a_wrong_number_is_that_in_the_submission():
    text = "import numpy as np\ndef linear(x, W, b):\n    dW = np.zeros(W.shape)\n    dW[0, 1] = 1000\n    return x @ W + b, lambda dy: (dy @ W.T, x.T @ dy + dW, dy.sum(0))\n"
    assert "dW[0, 1] is" in str(graded("linear", "linear", text))


@pytest.mark.parametrize("targets", ["tanh,tanh_backward", "tanh_backward"])
@pytest.mark.parametrize("y", ["out", "y", "s", "probs"])
def test_a_backward_that_takes_y_is_handed_y(targets, y):
    text = f"import numpy as np\ndef tanh(x):\n    return np.tanh(x)\ndef tanh_backward(dout, {y}):\n    return dout * (1 - {y})\n"
    assert "your dx is dy·(1 − y): square y, dx = dy·(1 − y²)" in str(graded("tanh", targets, text))
    assert graded("tanh", targets, text.replace(f"- {y}", f"- {y} ** 2")).passed


@pytest.mark.parametrize(
    ("like", "target", "source", "right", "wrong", "hint"),
    [
        ("softmax", "softmax", "def softmax(x):\n    e = np.exp(x - x.max())\n    s = e / e.sum(-1, keepdims=True)\n    return s, lambda dy: s * (dy - (dy * s).sum(-1, keepdims=True))\n", "e.sum(-1, keepdims=True)", "e.sum()", "your y is that of the whole array"),
        ("softmax", "softmax", "def softmax(x):\n    e = np.exp(x - x.max(-1, keepdims=True))\n    s = e / e.sum(-1, keepdims=True)\n    return s, lambda dy: s * (dy - (dy * s).sum(-1, keepdims=True))\n", " - x.max(-1, keepdims=True)", "", "exp overflows: subtract each row's maximum"),
        ("max_pool2d", "max_pool", submissions.SHARED, "-np.inf", "0", "a maximum may be negative: pad with −inf"),
        ("layer_norm", "layernorm_forward,layernorm_backward", submissions.LAYER_NORM, "1, keepdims=True", "0, keepdims=True", "your y is normalized over axis 0"),
        ("conv2d", "conv2d", submissions.CONV, "y += b", "y += 0 * b", "your y has no b: add it"),
        ("linear", "linear", "def linear(x, W, b):\n    return x @ W.T + b, lambda dy: (dy @ W, dy.T @ x, dy.sum(0))\n", "+ b", "+ 0 * b", "your y has no b: add it"),
        ("batch_norm", "batch_norm", "def batch_norm(x, g, b, eps=1e-5):\n    a = (0, 2, 3)\n    s = np.sqrt(x.var(a, keepdims=True) + eps)\n    h = (x - x.mean(a, keepdims=True)) / s\n    G = g[:, None, None]\n    def backward(dy):\n        d = dy * G\n        return (d - d.mean(a, keepdims=True) - h * (d * h).mean(a, keepdims=True)) / s, (dy * h).sum(a), dy.sum(a)\n    return h * G + b[:, None, None], backward\n", "keepdims=True) + eps)\n    h", "keepdims=True)) + eps\n    h", "it belongs under the root"),
    ],
)  # fmt: skip
def test_a_mistake_of_the_forward_is_named(like, target, source, right, wrong, hint):
    assert graded(like, target, submissions.IMPORT + source).passed
    assert right in source
    result = graded(like, target, submissions.IMPORT + source.replace(right, wrong))
    assert result.status == "failed"
    assert hint in str(result), result


def test_a_hint_that_cannot_be_looked_for_costs_no_verdict(monkeypatch):
    def broken(*args):
        raise TypeError("no such padding")

    monkeypatch.setattr(hints.windows, "ys", broken)
    monkeypatch.setattr(hints.windows, "gradients", broken)
    y = np.zeros((1, 1, 2, 2))
    case = standards.of_op("conv2d").plain(0)
    assert hints.of_y(standards.of_op("conv2d"), case, y) == []
    assert hints.of_gradient(standards.of_op("conv2d"), case, y, "x", np.ones(case.arrays[0].shape)) == []


def test_a_constant_that_is_fixed_inside_hides_no_mistake():
    def layer_norm(x, gamma, beta):
        sigma = np.sqrt(x.var(-1, keepdims=True) + 1e-6)
        x_hat = (x - x.mean(-1, keepdims=True)) / sigma

        def backward(dy):
            g = dy * gamma
            dx = (g - x_hat * (g * x_hat).mean(-1, keepdims=True)) / sigma
            return dx, (dy * x_hat).sum(0), dy.sum(0)

        return x_hat * gamma + beta, backward

    said = str(gradcheck.grade(layer_norm, seed=0))
    assert "its eps is 1e-06, and it is held to that" in said
    assert "your dx misses" in said
    assert "your ε is" not in said
    assert "y is not" not in said


def test_a_wrong_y_is_not_told_a_mistake_of_the_backward():
    padded = """
def conv(x, w, b, stride=1, padding=0):
    s, p = stride, padding
    xp = np.pad(x, ((0, 0), (0, 0), (0, 2 * p), (0, 2 * p)))
    v = np.lib.stride_tricks.sliding_window_view(xp, w.shape[2:], (2, 3))[:, :, ::s, ::s]
    y = np.einsum("nchwij,ocij->nohw", v, w) + b[:, None, None]
    def backward(dy):
        g = np.zeros_like(xp)
        for i in range(dy.shape[2]):
            for j in range(dy.shape[3]):
                g[:, :, s*i:s*i+w.shape[2], s*j:s*j+w.shape[3]] += np.einsum("no,ocij->ncij", dy[:, :, i, j], w)
        return g[:, :, :x.shape[2], :x.shape[3]], np.einsum("nohw,nchwij->ocij", dy, v), dy.sum((0, 2, 3))
    return y, backward
"""
    said = str(graded("conv2d", "conv", submissions.IMPORT + padded))
    assert "y is not conv2d's" in said
    assert "your d" not in said


def test_a_factor_of_y_is_one_in_all_cases():
    average = """
def maxpool(x):
    N, C, H, W = x.shape
    y = x.reshape(N, C, H // 2, 2, W // 2, 2).mean((3, 5))
    return y, lambda dy: dy.repeat(2, 2).repeat(2, 3) / 4
"""
    said = str(graded("max_pool2d", "maxpool", submissions.IMPORT + average))
    assert "that of average pooling" in said
    assert "your y is right but for a factor" not in said


def test_a_layer_that_keeps_no_gradient_is_told_where_to():
    text = """
class Dense:
    def __init__(self, W, b):
        self.W, self.b = W, b
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, d):
        return d @ self.W.T
"""
    said = str(graded("linear", "Dense", submissions.IMPORT + text))
    assert "a layer may return each gradient, or keep it: self.dW, self.db" in said
