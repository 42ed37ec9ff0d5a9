"""Each fast kernel gives what its readable version gives, and with the readable versions alone everything runs."""

import inspect
from types import ModuleType

import numpy as np
import pytest
from backends import BACKENDS, host

from minires import kernels, models, optim
from minires.arrays import channels_last
from minires.gradcheck import check_op
from minires.kernels import Window, cpu, readable
from minires.kernels.choice import CHOICES
from minires.kernels.readable import convolution, loops
from minires.op import registry
from minires.train import train_step

WIN = Window.of((3, 4, 9, 8), (6, 4, 3, 2), (2, 1), (1, 0))
POOL = Window.pool((3, 4, 9, 8), (3, 2), (2, 1), (1, 0))
LARGE = Window.of((4, 16, 12, 12), (16, 16, 3, 3), 1, 1)
GROUPED = Window.of((3, 4, 9, 8), (6, 2, 3, 2), (2, 1), (1, 0), 1, 2)
DEPTHWISE = Window.of((3, 4, 9, 8), (4, 1, 3, 2), (2, 1), (1, 0), 1, 4)


def drawn(dtype, seed=0):
    """{argument: array}, the arguments of all kernels by their names."""
    rng = np.random.default_rng(seed)

    def normal(*shape):
        return rng.standard_normal(shape).astype(dtype)

    x = 3 + normal(3, 4, 9, 8)
    mean = normal(4).astype(float)
    logits = normal(7, 5)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    y = readable.max_pool(x, POOL)
    return {
        "x": x,
        "a": x,
        "b": normal(*x.shape),
        "dy": normal(*x.shape),
        "y": normal(*x.shape),
        "channel_factors": normal(3, 4, 1, 1),
        "mean": mean,
        "var": rng.uniform(0.5, 2, 4),
        "inv_std": rng.uniform(0.5, 2, 4),
        "weight": normal(4),
        "bias": normal(4),
        "db": normal(4),
        "dw": normal(4),
        "factor": normal(4).astype(float),
        "running_mean": normal(4),
        "running_var": rng.uniform(0.5, 2, 4).astype(dtype),
        "logits": logits,
        "log_p": log_p,
        "t": np.array([0, 4, 2, 2, 1, -100, 3]),
        "w": rng.uniform(0.5, 2, 5).astype(dtype),
        "scale": normal(7),
        "kernel": normal(6, 4, 3, 2),
        "large_x": normal(*LARGE.x_shape),
        "large_kernel": normal(16, 16, 3, 3),
        "large_dy": normal(*LARGE.y_shape),
        "conv_dy": normal(*WIN.y_shape),
        "grouped_kernel": normal(6, 2, 3, 2),
        "grouped_dy": normal(*GROUPED.y_shape),
        "depthwise_kernel": normal(4, 1, 3, 2),
        "depthwise_dy": normal(*DEPTHWISE.y_shape),
        "constant": normal(6).astype(float),
        "conv_factor": normal(6).astype(float),
        "conv_dw": normal(6, 4, 3, 2),
        "pool_y": y,
        "pool_dy": normal(*y.shape),
        "argmax": readable.max_pool_argmax(x, y, POOL),
        **of_attention(normal, rng),
        **of_samples(normal, rng),
    }


def of_samples(normal, rng):
    """Samples for layer norm, in more rows than a block has, and what the forward gives for the backward."""
    rows = 3 + normal(300, 7)
    gamma = rng.uniform(0.5, 2, 7).astype(rows.dtype)
    _, row_mean, row_inv_std = readable.layer_norm(rows, gamma, None, 0.1)
    return {
        "rows": rows,
        "d_rows": normal(300, 7),
        "gamma": gamma,
        "shift": normal(7),
        "row_mean": row_mean,
        "row_inv_std": row_inv_std,
    }


def of_attention(normal, rng):
    """Two images of three heads, with one query that sees no key, and the same for one head, whose names begin with 1."""
    found = {"q": normal(2, 3, 5, 6), "k": normal(2, 3, 4, 6), "v": normal(2, 3, 4, 7), "do": normal(2, 3, 5, 7)}
    sees = rng.random((2, 3, 5, 4)) < 0.5
    sees[1, 2, 3] = False
    found["mask"] = np.where(sees, normal(2, 3, 5, 4), -np.inf).astype(found["q"].dtype)
    found["keep"] = (rng.random((2, 3, 5, 4)) < 0.5).astype(found["q"].dtype)
    o, e, r = readable.attention(*(found[name] for name in "qkv"), 0.4, found["mask"], found["keep"])
    found |= {"o": o, "e": e, "r": r}
    return {**found, **{f"1{name}": a[0, 0] for name, a in found.items()}}


def updates(step, **settings):
    """The new x of a step and the state that it keeps, for two arrays in two memory orders."""

    def run(kernel, x, b, dy, y):
        xs, dxs, ms, vs = ([a.copy(), channels_last(a).copy()] for a in (x, b, dy, abs(y)))
        step(kernel, xs, dxs, ms, vs, settings)
        return [*xs, *ms, *vs]

    return run, "x b dy y"


def in_place(kernel, running_mean, running_var, mean, var):
    kernel(running_mean, running_var, mean, var, 0.1, 60)
    return running_mean, running_var


SGD = {"lr": 0.1, "momentum": 0.9, "dampening": 0.1, "weight_decay": 0.01, "nesterov": False, "first": False}
ADAM = {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "eps": 1e-3, "weight_decay": 0.1, "decoupled": True, "t": 3}


def sgd(**changes):
    return updates(lambda kernel, xs, dxs, ms, vs, settings: kernel(xs, dxs, ms, **settings), **{**SGD, **changes})


def adam(**changes):
    return updates(lambda kernel, xs, dxs, ms, vs, settings: kernel(xs, dxs, ms, vs, **settings), **{**ADAM, **changes})


def called(arguments, *more, **settings):
    """A call of a kernel with these of the drawn arrays, and further arguments."""
    return lambda kernel, *arrays: kernel(*arrays, *more, **settings), arguments


def contracted(equation, arguments):
    """A call of contract, in which the equation gives the arrays their letters."""
    left, _, out = equation.partition("->")
    return lambda kernel, *arrays: kernel(list(zip(left.split(","), arrays, strict=True)), out), arguments


def affine(has_factor, relu):
    return lambda kernel, x, w, factor, constant: kernel(x, w, WIN, factor if has_factor else None, constant, relu)


CASES = {
    "add": [called("a b")],
    "add_relu": [called("a b")],
    "relu": [called("x")],
    "relu_dx": [called("dy y")],
    "relu6": [called("x"), called("dy")],
    "relu6_dx": [called("dy x"), called("dy y")],
    "silu": [called("x"), called("dy")],
    "multiply": [called("dy y"), called("dy channel_factors"), called("channel_factors dy")],
    "multiply_sum": [called("dy y", axes) for axes in [(2, 3), (0, 2, 3), (1,)]] + [called("dy channel_factors", (1,))],
    "scale": [called("x factor")],
    "mean_var": [called("x")],
    "inv_std": [called("var", 0.1)],
    "update_running_stats": [(in_place, "running_mean running_var mean var")],
    "normalize": [called("x mean inv_std weight bias"), called("x mean inv_std weight bias", True)],
    "normalize_sums": [called("dy x mean inv_std")],
    "normalize_dx": [called("dy x mean inv_std weight dw db")],
    "conv": [called("x kernel", WIN), called("large_x large_kernel", LARGE)],
    "conv_dx": [called("conv_dy kernel", WIN), called("large_dy large_kernel", LARGE)],
    "conv_dw": [called("conv_dy x", WIN), called("large_dy large_x", LARGE)],
    "conv_dx_dw": [called("conv_dy x kernel", WIN), called("large_dy large_x large_kernel", LARGE)],
    "conv_affine": [
        (affine(has_factor, relu), "x kernel conv_factor constant")
        for relu in (False, True)
        for has_factor in (False, True)
    ],
    "channel_sums": [called("dy")],
    "product_sums": [called("conv_dy kernel conv_dw")],
    "scatter_matrix": [called("x")],
    "sums": [called("x", axes) for axes in [(0,), (1,), (2, 3), (0, 2, 3), (0, 1, 2, 3)]],
    "contract": [
        contracted("nchw->cn", "x"),
        contracted("nchw,nkhw->nck", "x dy"),
        contracted("nchw,c->nhw", "x weight"),
        contracted("ochw,okhw,c,k->", "kernel conv_dw weight bias"),
    ],
    "gelu": [called("x"), called("dy")],
    "layer_norm": [
        called("rows gamma shift", 0.1),
        (lambda kernel, x: kernel(x, None, None, 0.1), "rows"),
        (lambda kernel, x, weight: kernel(x[:0], weight, None, 0.1), "rows gamma"),
    ],
    "layer_norm_gradients": [
        called("d_rows rows row_mean row_inv_std gamma"),
        (lambda kernel, *arrays: kernel(*arrays, None), "d_rows rows row_mean row_inv_std"),
        (lambda kernel, *arrays: kernel(*(a[:0] for a in arrays), None), "d_rows rows row_mean row_inv_std"),
    ],
    "matmul": [
        (lambda kernel, a, b: kernel(a, b.T), "rows d_rows"),
        (lambda kernel, a, b: kernel(a.T, b), "rows d_rows"),
        (lambda kernel, a, b: kernel(a[:2], b.T), "rows d_rows"),
        (lambda kernel, a, b: kernel(a[:1], b[:1].T), "rows d_rows"),
        (lambda kernel, a, b: kernel(a[:0], b[:4].T), "rows d_rows"),
        (lambda kernel, a, b: kernel(a, b.swapaxes(-1, -2)), "q k"),
    ],
    "max_pool": [called("x", POOL)],
    "max_pool_argmax": [called("x pool_y", POOL)],
    "max_pool_dx": [called("pool_dy argmax", POOL)],
    "avg_pool": [called("x", POOL), called("x", POOL, False)],
    "avg_pool_dx": [called("pool_dy", POOL), called("pool_dy", POOL, False)],
    "attention": [
        called("q k v", 0.4),
        called("1q 1k 1v", -0.4),
        (lambda kernel, q, k, v, mask, keep: kernel(q, k, v, 0.4, mask, keep), "q k v mask keep"),
        (lambda kernel, q, k, v, mask, keep: kernel(q[:1], k[:1], v[:1], 0.4, mask[:1], keep[:1]), "q k v mask keep"),
    ],
    "attention_dq_dk_dv": [
        called("do q k v e r", 0.4),
        called("1do 1q 1k 1v 1e 1r", 0.4),
        (lambda kernel, *arrays: kernel(*arrays[:-1], 0.4, arrays[-1]), "do q k v e r keep"),
        (lambda kernel, *arrays: kernel(*(a[:1] for a in arrays[:-1]), 0.4, arrays[-1][:1]), "do q k v e r keep"),
    ],
    "first_outside": [
        (lambda kernel, t: np.array([-1 if kernel(t, K, -100) is None else kernel(t, K, -100) for K in (5, 4, 2)]), "t")
    ],
    "cross_entropy": [
        called("logits t w", 0.1, -100),
        (lambda kernel, x, t: kernel(x, t, None, 0.0, -100), "logits t"),
    ],
    "cross_entropy_dx": [
        (lambda kernel, log_p, t, w, scale: kernel(log_p, t, w, 0.1, -100, scale), "log_p t w scale"),
        (lambda kernel, log_p, t, scale: kernel(log_p, t, None, 0.0, -100, scale[:1]), "log_p t scale"),
    ],
    "sgd": [sgd(), sgd(first=True), sgd(nesterov=True, dampening=0), sgd(momentum=0, weight_decay=0)],
    "adam": [adam(), adam(decoupled=False), adam(weight_decay=0, t=1)],
}
# Groups, which a GPU computes by the readable version
OF_GROUPS = {
    "conv": [called("x grouped_kernel", GROUPED), called("x depthwise_kernel", DEPTHWISE)],
    "conv_dx": [called("grouped_dy grouped_kernel", GROUPED), called("depthwise_dy depthwise_kernel", DEPTHWISE)],
    "conv_dw": [called("grouped_dy x", GROUPED), called("depthwise_dy x", DEPTHWISE)],
    "conv_dx_dw": [
        called("grouped_dy x grouped_kernel", GROUPED),
        called("depthwise_dy x depthwise_kernel", DEPTHWISE),
    ],
}
FAST = [(place, name) for place in BACKENDS for name in CASES if (str(place), name) != ("cupy", "first_outside")]


def test_every_readable_kernel_is_compared():
    assert set(CASES) == set(readable.__all__) == set(cpu.__all__) <= set(kernels.__all__)


@pytest.mark.parametrize("laid_out", [np.ascontiguousarray, channels_last])
@pytest.mark.parametrize(("dtype", "unit"), [(np.float64, 1e-13), (np.float32, 2e-5)])
@pytest.mark.parametrize(("place", "name"), FAST, ids=str)
def test_a_fast_kernel_gives_what_its_readable_version_gives(place, name, dtype, unit, laid_out):
    """unit: the rounding of sums of a few hundred products. Winograd's is ten times that of im2col."""
    if str(place) == "cupy":
        from minires.kernels import device as package

        if not hasattr(package, name):
            pytest.skip("a GPU computes this one by the readable version")
    else:
        package = cpu
    for call, arguments in CASES[name] + (OF_GROUPS.get(name, []) if package is cpu else []):
        arrays = drawn(dtype)
        arrays = [laid_out(a) if a.ndim == 4 else a for a in map(arrays.get, arguments.split())]
        expected = flat(call(getattr(readable, name), *(a.copy() for a in arrays)))
        found = flat(call(getattr(package, name), *(place.array(a.copy()) for a in arrays)))
        assert len(found) == len(expected)
        for ours, exact in zip(found, expected, strict=True):
            ours = host(ours)
            assert ours.shape == exact.shape
            assert ours.dtype.kind == exact.dtype.kind or name == "max_pool_argmax"
            np.testing.assert_allclose(ours, exact, rtol=unit, atol=unit * max(1, np.abs(exact).max(initial=0)))


def flat(found):
    return list(found) if isinstance(found, (tuple, list)) else [found]


@pytest.mark.parametrize("name", [name for name in CASES if hasattr(loops, name)])
def test_a_readable_kernel_gives_what_the_definition_gives(name):
    for call, arguments in CASES[name]:
        arrays = drawn(float)
        expected = flat(call(getattr(loops, name), *(arrays[a].copy() for a in arguments.split())))
        for found, definition in zip(
            flat(call(getattr(readable, name), *(arrays[a].copy() for a in arguments.split()))), expected, strict=True
        ):
            np.testing.assert_allclose(found, definition, rtol=1e-13, atol=1e-13)


@pytest.fixture
def fast_calls(monkeypatch):
    """The names of the fast kernels that are called."""
    calls = []

    def counted(function):
        def call(*arguments, **settings):
            calls.append(function.__name__)
            return function(*arguments, **settings)

        return call

    slow = set(map(id, vars(readable).values()))
    for name, function in list(vars(cpu).items()):
        if inspect.isfunction(function) and id(function) not in slow:
            monkeypatch.setattr(cpu, name, counted(function))
    assert not any(isinstance(value, ModuleType) and value is cpu for value in vars(readable).values())
    return calls


@pytest.mark.parametrize("choice", ["readable", "naive"])
def test_the_gradient_check_passes_with_the_readable_kernels_alone(choice, fast_calls):
    names = sorted(registry) if choice == "readable" else ["conv2d", "max_pool2d", "avg_pool2d", "batch_norm"]
    with kernels.use(choice):
        for name in names:
            for report in check_op(name):
                assert report.passed, report
    assert fast_calls == []


@pytest.mark.parametrize("choice", ["readable", "direct"])
def test_a_training_step_is_the_same_with_every_choice(choice, fast_calls):
    rng = np.random.default_rng(0)
    images = rng.standard_normal((4, 3, 16, 16))
    labels = rng.integers(0, 10, 4)
    found = []
    for name in (choice, "fastest"):
        model = models.resnet8(rng=0).to(float)
        with kernels.use(name):
            train_step(model, optim.SGD(model.parameters(), 0.1, momentum=0.9), images, labels)
        if name == "readable":
            assert fast_calls == []
        found.append(model.state_dict())
    assert fast_calls
    for name, array in found[0].items():
        np.testing.assert_allclose(array, found[1][name], rtol=1e-9, atol=1e-11, err_msg=name)


@pytest.mark.parametrize("place", BACKENDS[1:], ids=str)
def test_the_readable_kernels_run_on_a_gpu(place):
    with kernels.use("readable"):
        for name in ("conv2d", "batch_norm", "max_pool2d", "cross_entropy", "conv_norm", "residual_add_relu"):
            for report in check_op(name, device=place.device):
                assert report.passed, report


@pytest.mark.parametrize("groups", [1, 2])
def test_the_readable_convolution_of_many_images_adds_up_the_gradients_of_all_its_parts(monkeypatch, groups):
    """Its columns are made for a few images at a time; here for one, as with images that fill the cache."""
    monkeypatch.setattr(convolution, "COLUMN_BYTES", 1)
    win = Window.of((3, 4, 6, 5), (6, 4 // groups, 3, 2), (2, 1), (1, 0), groups=groups)
    assert len(convolution.parts(win, 8)) == 3
    rng = np.random.default_rng(0)
    x, w, dy = (rng.standard_normal(shape) for shape in (win.x_shape, (6, 4 // groups, 3, 2), win.y_shape))
    np.testing.assert_allclose(readable.conv(x, w, win), loops.conv(x, w, win), rtol=0, atol=1e-13)
    np.testing.assert_allclose(readable.conv_dx(dy, w, win), loops.conv_dx(dy, w, win), rtol=0, atol=1e-13)
    np.testing.assert_allclose(readable.conv_dw(dy, x, win), loops.conv_dw(dy, x, win), rtol=0, atol=1e-13)


def test_the_readable_sums_of_float32_are_added_up_in_double_precision():
    rng = np.random.default_rng(0)
    x = (100 + rng.standard_normal((4, 3, 16, 16))).astype(np.float32)
    w, dw = (rng.standard_normal((2, 64, 5, 5)).astype(np.float32) for _ in range(2))
    exact = x.astype(float)
    pixels = exact.transpose(0, 2, 3, 1).reshape(-1, 3)
    centered = pixels - pixels.mean(axis=0)
    sums, products = readable.product_sums(x, w, dw)
    mean, scatter = readable.scatter_matrix(x)
    for found, expected in (
        (readable.channel_sums(x), exact.sum(axis=(0, 2, 3))),
        (sums, exact.sum(axis=(0, 2, 3))),
        (products, (w.astype(float) * dw.astype(float)).sum(axis=(1, 2, 3))),
        (mean, pixels.mean(axis=0)),
        (scatter, centered.T @ centered),
    ):
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("choice", list(CHOICES))
def test_a_nan_stays_a_nan_through_a_convolution_with_a_relu(choice):
    x = np.ones((1, 2, 3, 3))
    x[0, 0, 1, 1] = np.nan
    w = np.ones((2, 2, 1, 1))
    with kernels.use(choice):
        y = kernels.conv_affine(x, w, Window.of(x.shape, w.shape), np.ones(2), np.zeros(2), True)
    assert np.isnan(y[0, :, 1, 1]).all()
    assert np.isnan(y).sum() == 2
