"""Holding a backward against measured derivatives: of a function, an op's cases, a whole network."""

import copy
import difflib
import inspect
from dataclasses import dataclass, field

import numpy as np

from minires.errors import OptionError
from minires.gradcheck.cases import cases_of
from minires.gradcheck.numeric import STEP_COMPLEX, NotAnalytic, complex_step, four_point
from minires.graph import complex_step as complex_mode
from minires.tensor import Tensor, registry

TOLERANCE = {"complex step": 1e-12, "4-point": 1e-8}
FLOOR = 1e-3  # gradients smaller than this times the upstream are compared at this scale, where rounding rules


@dataclass
class Worst:
    """Where one argument's gradient is farthest from the measured one."""

    argument: str
    error: float
    index: tuple = ()
    analytic: float = 0.0
    numeric: float = 0.0


@dataclass
class Report:
    """The verdict on one case. `worst` is the entry of `arguments` with the greatest error."""

    name: str
    method: str = "complex step"
    arguments: list = field(default_factory=list)
    problem: str = ""  # what is wrong besides the numbers

    @property
    def worst(self):
        return max(self.arguments, key=lambda w: w.error, default=None)

    @property
    def passed(self):
        return not self.problem and all(w.error <= TOLERANCE[self.method] for w in self.arguments)

    def __str__(self):
        verdict = "ok    " if self.passed else "FAILED"
        if self.problem:
            return f"{verdict} {self.name}: {self.problem}"
        if self.worst is None:
            return f"{verdict} {self.name}: nothing to differentiate"
        w = self.worst
        where = f"d{w.argument}{list(w.index)}"
        detail = "" if self.passed else f": {where} is {w.analytic:.9g} by backward, {w.numeric:.9g} measured"
        return f"{verdict} {self.name}  {self.method}, worst error {w.error:.1e} at {where}{detail}"


def _compare(argument, analytic, numeric, scale):
    """Greatest difference relative to the greatest gradient; a NaN on either side counts as infinite."""
    if not analytic.size:
        return Worst(argument, 0.0)
    difference = np.abs(analytic - numeric)
    difference = np.where(np.isnan(difference), np.inf, difference)
    index = np.unravel_index(np.argmax(difference), difference.shape)
    scale = max(float(np.nanmax(np.abs(analytic), initial=0)), float(np.nanmax(np.abs(numeric), initial=0)), scale)
    return Worst(argument, float(difference[index] / scale), tuple(int(k) for k in index), float(analytic[index]),
                 float(numeric[index]))


def check(function, *arrays, seed=0, label=None, **static):
    """Hold function(*arrays, **static) -> (y, backward) against measured derivatives, under a random upstream.

    Float arrays are differentiated (in float64), others are passed on. By the complex step to 1e-12 where the function
    is analytic, else by 4-point differences to 1e-8. Besides, backward called twice must give the same, and neither
    may change its inputs. -> Report
    """
    raw = getattr(function, "raw", function)
    arrays = [np.asarray(a) for a in arrays]
    wanted = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]
    arrays = [a.astype(float) if i in wanted else a for i, a in enumerate(arrays)]
    report = Report(label or getattr(raw, "__name__", "function"))

    def evaluate(at):
        return raw(*at, **copy.deepcopy(static))[0]

    before = [a.copy() for a in arrays]
    y, backward = raw(*arrays, **copy.deepcopy(static))
    # a stream of its own: drawn from the inputs' seed it would equal them, and batch norm's gradient would vanish
    upstream = np.random.default_rng([seed, 1]).standard_normal(np.shape(y))
    sent = upstream.copy()
    first = _gradients(backward, sent, len(arrays))
    second = _gradients(backward, sent, len(arrays))
    names = _argument_names(raw, len(arrays))
    for i in wanted:
        if first[i] is None or first[i].shape != arrays[i].shape:
            got = "no gradient" if first[i] is None else f"a gradient of shape {first[i].shape}"
            report.problem = f"backward gives {got} for {names[i]} of shape {arrays[i].shape}"
            return report
        if not np.array_equal(first[i], second[i], equal_nan=True):
            report.problem = f"backward called twice gives two different gradients for {names[i]}"
    if not np.array_equal(sent, upstream):
        report.problem = "backward changes the gradient that it is given"
    if not all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(arrays, before)):
        report.problem = "an input array was changed"

    scale = FLOOR * float(np.abs(upstream).max(initial=1e-300))
    try:
        report.arguments = [_compare(names[i], first[i], complex_step(evaluate, arrays, i, upstream), scale)
                            for i in wanted]
        analytic = True
    except NotAnalytic:
        analytic = False
    if not analytic or not report.passed:  # conj, abs or a float cast in a right function mislead the complex step
        complex_report = copy.copy(report)
        report.method = "4-point"
        report.arguments = [_compare(names[i], first[i], four_point(evaluate, arrays, i, upstream), scale)
                            for i in wanted]
        if analytic and not report.passed:
            report = complex_report
    return report


def _gradients(backward, dy, count):
    dxs = backward(dy)
    dxs = dxs if isinstance(dxs, (tuple, list)) else (dxs,)
    return [None if dx is None else np.array(dx, dtype=float) for dx in dxs] + [None] * (count - len(dxs))


def _argument_names(raw, count):
    names = []
    for p in inspect.signature(raw).parameters.values():
        if p.kind is p.VAR_POSITIONAL:
            names += [f"{p.name}[{k}]" for k in range(count)]
        elif p.kind is not p.KEYWORD_ONLY:
            names.append(p.name)
    return names[:count]


def check_op(name, function=None, *, seed=0):
    """Run an op's cases against the registered function, or against `function` of the same form. -> list of Report"""
    if name not in registry:
        near = difflib.get_close_matches(str(name), registry, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(sorted(registry))}"
        raise OptionError(f"there is no op {name!r}; {hint}")
    function = registry[name].raw if function is None else function
    return [check(function, *case.arrays, seed=seed, label=f"{name} ({case.label})", **case.static)
            for case in cases_of(name, seed)]


def check_module(module, *arrays, seed=0, samples=4, name=None):
    """Hold the gradients of a module's inputs and parameters, by name, against complex-step derivatives.

    The module is copied to float64 and run in the mode it is in. Each tensor is tested along one random direction v,
    where Im L(x + ihv)/h must equal ⟨∂L/∂x, v⟩, and at `samples` random elements, or at all if it has no more.
    -> Report
    """
    rng = np.random.default_rng([seed, 1])
    module = copy.deepcopy(module).to(np.float64)
    inputs = [Tensor(np.asarray(a, dtype=float), requires_grad=True) if np.asarray(a).dtype.kind == "f" else a
              for a in arrays]
    state = {key: value.copy() for key, value in module.state_dict().items()}
    tensors = {f"input {k}": t for k, t in enumerate(inputs) if isinstance(t, Tensor)} | dict(module.named_parameters())

    y = module(*inputs)
    upstream = rng.standard_normal(y.shape)
    y.backward(upstream)
    report = Report(name or type(module).__name__)
    for key, tensor in tensors.items():
        gradient = np.zeros(tensor.shape) if tensor.grad is None else tensor.grad
        directions = [rng.standard_normal(tensor.shape)]
        for j in rng.permutation(tensor.size)[:samples]:
            unit = np.zeros(tensor.shape)
            unit.flat[j] = 1
            directions.append(unit)
        analytic = np.array([np.sum(gradient * v) for v in directions])
        numeric = np.array([_slope(module, inputs, tensors, key, v, upstream, state) for v in directions])
        report.arguments.append(_compare(key, analytic, numeric, FLOOR * float(np.abs(upstream).max())))
    return report


def _slope(module, inputs, tensors, key, v, upstream, state):
    """∂L/∂(tensor along v), with the running statistics put back before each forward."""
    for name, buffer in module.named_buffers():
        buffer[...] = state[name]
    real = {name: tensor.data for name, tensor in tensors.items()}
    with complex_mode():
        for name, tensor in tensors.items():
            tensor.data = real[name] + (1j * STEP_COMPLEX * v if name == key else 0j)
        y = module(*inputs).data
    for name, tensor in tensors.items():
        tensor.data = real[name]
    return np.sum(upstream * y.imag) / STEP_COMPLEX
