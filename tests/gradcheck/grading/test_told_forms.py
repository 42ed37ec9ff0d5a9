"""What cannot be run says what to change; what is a matter of form is not marked as wrong."""

import pytest
from submissions import ENTROPY, IMPORT
from test_styles import graded

from minires import gradcheck

TUPLE = "return loss, dx"


@pytest.mark.parametrize("loss", ["np.array([loss])", "np.array([[loss]])", "loss.reshape(1)"])
def test_a_loss_with_axes_of_length_1_is_a_number(loss):
    one = graded("cross_entropy", "softmax_loss", IMPORT + ENTROPY.replace(TUPLE, f"return {loss}, dx"))
    assert one.passed, one
    assert "its number as an array of shape (1" in str(one)
    closure = f"return {loss}, lambda dy: dx * dy"
    assert graded("cross_entropy", "softmax_loss", IMPORT + ENTROPY.replace(TUPLE, closure)).passed
    wrong = ENTROPY.replace(TUPLE, f"return 2 * {loss}, dx")
    assert graded("cross_entropy", "softmax_loss", IMPORT + wrong).status == "failed"


def test_a_loss_for_each_sample_is_still_wrong():
    text = IMPORT + ENTROPY.replace("y]).mean()", "y])")
    closure = graded("cross_entropy", "softmax_loss", text.replace(TUPLE, "return loss, lambda dy: dx * dy"))
    assert closure.status == "failed"
    assert "your loss is one for each sample: their mean is wanted" in str(closure)


def test_the_order_of_a_loss_and_its_gradient_is_told():
    result = graded("cross_entropy", "softmax_loss", IMPORT + ENTROPY.replace(TUPLE, "return dx, loss"))
    assert result.status == "could not run"
    assert "the loss comes first, return (loss, dx)" in str(result)


@pytest.mark.parametrize("body", ["x @ params['w1']", "x"])
def test_what_was_handed_over_is_told_where_a_dict_of_arrays_is_wanted(body):
    def teacher(x, w1):
        return x @ w1, lambda dy: (dy @ w1.T, x.T @ dy)

    names = {}
    exec(f"def net(x, params):\n    return {body}, lambda dy: (dy, dy)\n", names)
    result = gradcheck.grade(names["net"], reference=teacher, shapes=[(5, 4), (4, 3)], seed=0)
    assert result.status == "could not run"
    said = "each array is handed over as a parameter of its own: x (5, 4), w1 (4, 3)"
    assert f"{said}; here x was given the array x, params was given a dict of settings" in str(result)


@pytest.mark.parametrize("names", [("y", "t"), ("y", "label"), ("x", "y"), ("y_pred", "y")])
@pytest.mark.parametrize("gradients", ["dx", "dx, -dx"])
def test_y_beside_a_target_is_what_was_computed(names, gradients):
    first, second = names
    text = f"def mse({first}, {second}):\n    dx = 2 * ({first} - {second}) / {first}.size\n"
    text += (
        f"    return (({first} - {second}) ** 2).mean(), {gradients if ',' not in gradients else f'({gradients})'}\n"
    )
    assert graded("mse_loss", "mse", text).passed
    wrong = graded("mse_loss", "mse", text.replace("dx = 2", "dx = -2"))
    assert wrong.status == "failed"
    assert f"d{first} is wrong" in str(wrong)


def test_weights_that_a_backward_changes_by_a_rate_of_its_own_are_not_called_wrong():
    text = """
class Dense:
    def __init__(self, W, b):
        self.W, self.b = W.copy(), b.copy()
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, dy):
        dx = dy @ self.W.T
        self.W -= 0.1 * self.x.T @ dy
        self.b -= 0.1 * dy.sum(0)
        return dx
"""
    said = graded("linear", "Dense", text)
    assert said.status == "could not run"
    assert "its backward takes a step of training, and keeps no dW and db: keep each gradient, as self.dW, or" in str(
        said
    )
    told = text.replace("dy):", "dy, lr):").replace("0.1 *", "lr *")
    assert "dW and db as its step of training subtracts them" in str(graded("linear", "Dense", told))
    forgotten = text.replace("self.W, self.b = W.copy(), b", "self.W, self.b = W.T.copy(), b")
    forgotten = forgotten.replace("x @ self.W + self.b", "x @ self.W.T + self.b").replace("self.W.T\n", "self.W\n")
    forgotten = forgotten.replace("self.W -= 0.1 * self.x.T @ dy", "pass").replace("self.b -= 0.1", "self.db = 1")
    result = graded("linear", "Dense", forgotten)
    assert result.status == "failed", result
    assert "the backward gives no gradient (None) for W" in str(result)


def test_a_derivative_without_dy_is_told_what_a_backward_takes():
    result = graded("relu", "relu_grad", "def relu_grad(x):\n    return 1.0 * (x > 0)\n")
    assert result.status == "could not run"
    assert "relu_grad takes no dy: a backward is given dy, the gradient with respect to y, and returns dx" in str(
        result
    )


def test_a_forward_without_the_cache_that_its_backward_takes_is_told_so():
    pair = """
def affine_forward(x, w, b):
    return x @ w + b
def affine_backward(dout, cache):
    x, w, b = cache
    return dout @ w.T, x.T @ dout, dout.sum(0)
"""
    result = graded("linear", "affine_forward,affine_backward", pair)
    assert result.status == "could not run"
    said = "affine_forward returns an array of shape (5, 4) alone: return (y, cache), because affine_backward takes"
    assert said in str(result)
    assert graded("linear", "affine_forward,affine_backward", pair.replace("w + b", "w + b, (x, w, b)")).passed


def test_a_forward_that_gives_none_is_said_to_be_the_forward():
    text = "def relu_forward(x):\n    return None, x\ndef relu_backward(dout, cache):\n    return None\n"
    result = graded("relu", "relu_forward,relu_backward", text)
    assert result.status == "not done"
    assert "not done: the forward gives None" in str(result)


def test_rows_whose_mean_is_taken_over_the_wrong_axis_are_not_taken_for_columns():
    text = """
def batchnorm_forward(x, gamma, beta, eps=1e-5):
    N, D = x.shape
    std = np.sqrt(x.var(1, keepdims=True) + eps)
    h = (x - x.mean(1, keepdims=True)) / std
    return gamma * h + beta, (h, gamma, std)
def batchnorm_backward(dout, cache):
    h, gamma, std = cache
    dh = dout * gamma
    return (dh - dh.mean(0) - h * (dh * h).mean(0)) / std, (dout * h).sum(0), dout.sum(0)
"""
    result = graded("batch_norm", "batchnorm_forward,batchnorm_backward", IMPORT + text)
    assert result.status == "failed"
    assert "recognized: (y, cache), (N,C) only" in str(result)
    assert "your mean and variance are taken over C: take them over N" in str(result)


DICT = (
    IMPORT
    + """
def loss(x, y):
    p = np.exp(x - x.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    rows = np.arange(len(x))
    dx = p.copy()
    dx[rows, y] -= 1
    dx /= len(x)
    value = -np.log(p[rows, y]).mean()
    return RETURNED
"""
)


@pytest.mark.parametrize(
    ("returned", "status", "sentence"),
    [
        ("{'loss': value, 'dx': dx}", "passed", "(loss, gradients)"),
        ("{'dlogits': dx, 'loss': value}", "passed", "(loss, gradients)"),
        ("{'loss': value, 'grads': {'dx': dx}}", "passed", "(loss, gradients)"),
        ("{'loss': value, 'backward': lambda dy: dy * dx}", "passed", "(y, backward)"),
        ("{'loss': value, 'dx': 2 * dx}", "failed", "dx is wrong"),
        ("{'loss': 2 * value, 'dx': dx}", "failed", "the loss is not cross_entropy's"),
        ("{'loss': value, 'dx': None}", "not done", "the backward gives None"),
        ("{'loss': value}", "could not run", "loss gives a dict with the keys loss: return (loss, dx), or a dict with"),
        ("{'mean': value, 'dx': dx}", "could not run", "with the keys mean, dx: return (loss, dx), or a dict with the"),
        ("{'loss': value, 'first': dx}", "could not run", "its gradients are called first; call them dx"),
    ],
)
def test_a_loss_may_return_a_dict_or_is_told_its_keys(returned, status, sentence):
    result = graded("cross_entropy", "loss", DICT.replace("RETURNED", returned))
    assert result.status == status, result
    assert sentence in str(result)


def test_a_bias_that_its_flag_switches_off_is_named():
    text = (
        IMPORT + "def linear(x, w, b, use_bias=True):\n    return x @ w.T + b, lambda d: (d @ w, d.T @ x, d.sum(0))\n"
    )
    assert "your y has the b in it although its flag is False" in str(graded("linear", "linear", text))
    right = text.replace("+ b,", "+ use_bias * b,")
    assert graded("linear", "linear", right).passed
    other = graded("linear", "linear", text.replace("+ b,", "+ 2 * b * (not use_bias) + use_bias * b,"))
    assert other.status == "failed"
    assert "its flag" not in str(other)


@pytest.mark.parametrize("axes", ["0", "(0, 1)"])
def test_a_backward_for_matrices_beside_a_forward_for_more_is_told(axes):
    text = """
def layer_norm(x, gamma, beta, eps=1e-5):
    inv = 1 / np.sqrt(x.var(-1, keepdims=True) + eps)
    h = (x - x.mean(-1, keepdims=True)) * inv
    def backward(dy):
        g = dy * gamma
        axes = AXES if dy.ndim > 2 else 0
        dx = inv * (g - g.mean(-1, keepdims=True) - h * (g * h).mean(-1, keepdims=True))
        return dx, (dy * h).sum(axes), dy.sum(axes)
    return gamma * h + beta, backward
"""
    result = graded("layer_norm", "layer_norm", IMPORT + text.replace("AXES", axes))
    assert result.passed
    assert ("takes no x of 3 axes in its backward: only its forward does" in str(result)) == (axes == "0")


@pytest.mark.parametrize("before", ["ctx", "self"])
def test_a_method_without_its_object_is_told_and_not_failed(before):
    text = f"""
class Linear:
    @staticmethod
    def forward({before}, x, w):
        {before}.kept = x, w
        return x @ w.T
    @staticmethod
    def backward({before}, g):
        x, w = {before}.kept
        return g @ w, g.T @ x
"""
    result = graded("linear", "Linear", IMPORT + text)
    assert result.status == "could not run"
    assert f"its {'parameter ctx' if before == 'ctx' else 'first parameter'} is " in str(result)


def test_half_of_a_squared_error_and_a_gradient_without_the_scale_are_named():
    half = "def mse(x, t):\n    d = x - t\n    return (d**2).mean() / 2, 2 * d / d.size\n"
    said = str(graded("mse_loss", "mse", IMPORT + half))
    assert "your loss has a factor ½, which mse_loss has not" in said
    assert "samples and classes" not in said
    text = "def dropout(x, p=0.5):\n    keep = np.random.rand(*x.shape) >= p\n"
    text += "    return x * keep / (1 - p), lambda dy: dy * keep\n"
    assert "dx is dy times 0 or 1: multiply it by 1/(1 − p), too" in str(graded("dropout", "dropout", IMPORT + text))
