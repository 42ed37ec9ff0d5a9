"""What holds of every op, over all the cases of the gradient check."""

from itertools import product

import numpy as np
import pytest
from backends import BACKENDS, GPUS, host

import minires
from minires import Tensor, gradcheck, ops
from minires.arrays import array_module, channels_last, is_channels_last, to_device
from minires.errors import DTypeError, GraphError
from minires.gradcheck import cases_of
from minires.gradcheck.cases import names
from minires.op import registry

VARIADIC = {"cat", "einsum", "stack"}
MADE_OF_OPS = {"argmax", "argmin", "max", "min"}
BINARY = {"add", "sub", "mul", "div", "pow", "maximum", "minimum"}  # these take Python numbers
NUMBERS = {name: {0, 1} for name in BINARY} | {"where": {1, 2}}  # the places of Python numbers
OPTIONAL = {"conv2d": {2}, "linear": {2}, "layer_norm": {1, 2}, "group_norm": {1, 2}}  # arguments that may be None
EVERY = [pytest.param(name, case, id=f"{name}-{case.label}") for name in sorted(registry) for case in cases_of(name)]


def arrays_in(case, dtype):
    return [a.astype(dtype) if a.dtype.kind == "f" else a for a in case.arrays]


def static_in(case, dtype):
    return {k: v.astype(dtype) if getattr(v, "dtype", np.dtype(int)).kind == "f" else v for k, v in case.static.items()}


def call(name, tensors, static):
    return registry[name](list(tensors), **static) if name in VARIADIC else registry[name](*tensors, **static)


def on(backend, static):
    """The settings of a case, there; masks stay where they are."""
    return {k: v if isinstance(v, np.ndarray) and v.dtype.kind == "b" else backend.array(v) for k, v in static.items()}


def leaves(arrays):
    return [Tensor(a.copy("K"), requires_grad=a.dtype.kind == "f") for a in arrays]


def test_every_op_has_cases_and_every_case_an_op():
    assert set(names()) == set(registry)
    assert set(ops.__all__) - {"registry"} - MADE_OF_OPS == set(registry)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", sorted(registry))
def test_every_gradient_is_exact_to_1e_12(name, seed):
    for report in gradcheck.check_op(name, seed=seed):
        assert report.method == "complex step", report
        assert report.passed, report


@pytest.mark.parametrize("place", GPUS)
@pytest.mark.parametrize("name", sorted(registry))
def test_every_gradient_is_right_on_the_gpu_too(name, place):
    """By differences where its BLAS takes no complex numbers; each case once, because a launch takes its time."""
    for report in gradcheck.check_op(name, samples=1, device=place.device):
        assert report.passed, report


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "case"), EVERY)
def test_the_type_and_the_place_stay_what_they_were_forward_and_backward(backend, name, case, dtype):
    tensors = leaves(map(backend.array, arrays_in(case, dtype)))
    static = on(backend, static_in(case, dtype))
    y = call(name, tensors, static)
    assert y.dtype == dtype
    assert name == "to" or array_module(y.data) is array_module(*(t.data for t in tensors))
    raw_y, backward = registry[name].raw(*(t.data for t in tensors), **static)
    dxs = backward(to_device(np.ones(raw_y.shape, dtype), y.device))
    for dx, t in zip(dxs if isinstance(dxs, tuple) else (dxs,), tensors, strict=False):
        assert dx is None or (dx.dtype, dx.shape, array_module(dx)) == (dtype, t.shape, array_module(t.data))
    y.backward(to_device(np.ones(y.shape, dtype), y.device))
    assert {t.grad.dtype for t in tensors if t.requires_grad} <= {np.dtype(dtype)}


@pytest.mark.parametrize(("name", "case"), EVERY)
def test_float32_gradients_are_float64s_to_float32s_precision(backend, name, case):
    """The same float32 inputs in both: 2e-5 of the largest gradient is 170 times the rounding unit, and the longest
    sum in the cases has 180 terms. float64 is NumPy's, whose gradients are proved."""
    rounded = arrays_in(case, np.float32)
    grads = []
    for dtype in (np.float32, np.float64):
        arrays = [a.astype(dtype) if a.dtype.kind == "f" else a for a in rounded]
        static = {
            k: v.astype(dtype) if getattr(v, "dtype", None) == np.float32 else v
            for k, v in static_in(case, np.float32).items()
        }
        place = backend if dtype == np.float32 else BACKENDS[0]
        y, backward = registry[name].raw(*map(place.array, arrays), **on(place, static))
        upstream = np.random.default_rng(3).standard_normal(np.shape(y)).astype(np.float32).astype(dtype)
        y = host(y)
        dxs = place.on(backward)(upstream)
        grads.append([np.asarray(y), *(dx for dx in (dxs if isinstance(dxs, tuple) else (dxs,)) if dx is not None)])
    for found, exact in zip(*grads, strict=True):
        assert np.all(np.abs(found - exact) <= 2e-5 * np.abs(exact).max(initial=1e-30))


@pytest.mark.parametrize(("name", "case"), EVERY)
def test_the_same_inputs_give_the_same_bits(name, case):
    def everything():
        y, backward = registry[name].raw(*arrays_in(case, np.float32), **static_in(case, np.float32))
        dxs = backward(np.ones(np.shape(y), np.float32))
        return [np.asarray(a).tobytes() for a in (y, *(dxs if isinstance(dxs, tuple) else (dxs,)))]

    assert everything() == everything()


def in_every_format(name, case, array=lambda a: a):
    """y and the gradients, for each combination of memory formats of the inputs and the upstream gradient."""
    for upstream, *inputs in product(
        (np.ascontiguousarray, channels_last), repeat=1 + sum(a.ndim == 4 for a in case.arrays)
    ):
        arrays = [array(inputs.pop(0)(a) if a.ndim == 4 else a) for a in case.arrays]
        y, backward = registry[name].raw(*arrays, **{k: array(v) for k, v in static_in(case, np.float64).items()})
        dy = np.random.default_rng(0).standard_normal(np.shape(y))
        dxs = backward(array(upstream(dy) if dy.ndim == 4 else dy))
        yield [host(a) for a in (y, *(dxs if isinstance(dxs, tuple) else (dxs,))) if a is not None]


def all_close(first, *others):
    for other in others:
        for a, b in zip(first, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


OF_FEATURE_MAPS = [p for p in EVERY if any(a.ndim == 4 for a in p.values[1].arrays)]


@pytest.mark.parametrize("kernel", ["fastest", "readable"])
@pytest.mark.parametrize(("name", "case"), OF_FEATURE_MAPS)
def test_the_memory_format_does_not_change_the_values(name, case, kernel):
    with minires.kernels.use(kernel):
        all_close(*in_every_format(name, case))


@pytest.mark.parametrize("place", GPUS)
@pytest.mark.parametrize(("name", "case"), OF_FEATURE_MAPS)
def test_the_memory_format_does_not_change_the_values_on_a_gpu(name, case, place):
    all_close(*in_every_format(name, case, place.array))


KEEP_THE_FORMAT = [
    "relu",
    "abs",
    "exp",
    "sigmoid",
    "silu",
    "gelu",
    "leaky_relu",
    "tanh",
    "add",
    "mul",
    "residual_add",
    "dropout",
    "batch_norm",
    "max_pool2d",
    "avg_pool2d",
    "adaptive_avg_pool2d",
    "conv2d",
    "pad",
    "cat",
    "getitem",
]
EXTRA = {
    "gelu": {},
    "max_pool2d": {"kernel_size": 2},
    "avg_pool2d": {"kernel_size": 2},
    "dropout": {"rng": 0},
    "adaptive_avg_pool2d": {"output_size": 3},
    "conv2d": {"padding": 1},
    "batch_norm": {"training": True},
    "pad": {"pad": (1, 1, 2, 0, 1, 1)},
    "cat": {"dim": 1},
    "getitem": {"index": (slice(1, 2), slice(None), slice(1, 5))},
}


@pytest.mark.parametrize("name", KEEP_THE_FORMAT)
def test_channels_last_in_channels_last_out_and_its_gradient_too(name):
    rng = np.random.default_rng(0)
    x = channels_last(rng.standard_normal((2, 4, 6, 8)))
    more = {
        "add": [x + 1],
        "mul": [x + 1],
        "residual_add": [x + 1],
        "cat": [x + 1],
        "batch_norm": [np.ones(4), np.ones(4)],
        "conv2d": [rng.standard_normal((4, 4, 3, 3))],
    }.get(name, [])
    tensor = Tensor(x, requires_grad=True)
    y = call(name, [tensor, *more], EXTRA.get(name, {}))
    assert is_channels_last(y.data)
    dx = registry[name].raw(x, *more, **EXTRA.get(name, {}))[1](np.ones_like(y.data))
    dx = dx[0] if isinstance(dx, tuple) else dx
    if name not in ("cat", "pad"):  # these return a part of dy
        assert is_channels_last(dx)


@pytest.mark.parametrize(("name", "case"), EVERY)
def test_a_changed_array_is_noticed_or_was_not_needed(name, case):
    """In-place changes between forward and backward, of each input and of the output."""

    def gradients(change):
        tensors = leaves(case.arrays)
        y = call(name, tensors, static_in(case, np.float64))
        upstream = np.random.default_rng(1).standard_normal(y.shape)
        if not any(t.requires_grad for t in tensors):
            return None
        with minires.no_grad():
            if change is not None and (change < len(tensors) or y.data.flags.writeable):
                target = tensors[change] if change < len(tensors) else y
                target[...] = target.data * 0 + (3 if target.dtype.kind == "f" else 1)
        y.backward(upstream)
        return [None if t.grad is None else t.grad.copy() for t in tensors]

    expected = gradients(None)
    for change in range(len(case.arrays) + 1):
        try:
            found = gradients(change)
        except GraphError:
            continue
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_array_equal(a, b)


PLACES = [
    pytest.param(name, i, id=f"{name}-{i}") for name in sorted(registry) for i in range(len(cases_of(name)[0].arrays))
]


@pytest.mark.parametrize("wrong", [2, 2.0, True, np.float64(2), [1.0, 2.0], "x", None], ids=repr)
@pytest.mark.parametrize(("name", "place"), PLACES)
def test_what_is_no_array_is_refused_by_name_or_computed_with(name, place, wrong):
    case = cases_of(name)[0]
    inputs = list(case.arrays)
    inputs[place] = wrong
    is_number = isinstance(wrong, (int, float))
    if (place in NUMBERS.get(name, ()) and is_number) or (wrong is None and place in OPTIONAL.get(name, ())):
        assert call(name, inputs, case.static).dtype == np.float64
    elif wrong is None and place == len(inputs) - 1 and name not in VARIADIC:  # not given: Python's own message
        with pytest.raises(TypeError, match=name):
            call(name, inputs, case.static)
    else:
        with pytest.raises(DTypeError, match=f"^{name}: ") as caught:
            call(name, inputs, case.static)
        assert "\n" not in str(caught.value)


ELEMENTWISE = sorted(BINARY) + [
    "abs",
    "clip",
    "exp",
    "gelu",
    "leaky_relu",
    "log",
    "neg",
    "relu",
    "residual_add",
    "sigmoid",
    "silu",
    "sqrt",
    "tanh",
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3)])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_ops_take_0_d_and_empty_arrays(backend, name, shape, dtype):
    two = name in BINARY or name == "residual_add"
    tensors = [Tensor(np.full(shape, 1.5, dtype), requires_grad=True, device=backend.device) for _ in range(1 + two)]
    y = registry[name](*tensors, **({"min": 0} if name == "clip" else {}))
    assert (y.shape, y.dtype) == (shape, dtype)
    y.backward(backend.array(np.ones(shape, dtype)))
    assert {(t.grad.shape, t.grad.dtype) for t in tensors} == {(shape, np.dtype(dtype))}
