"""Holding the gradients of a layer or a whole network against measured derivatives, for each parameter by name."""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from minires.arrays import to_device
from minires.errors import DTypeError, OptionError, describe
from minires.gradcheck.checks.checker import AGAIN, not_finite
from minires.gradcheck.checks.comparison import compare, floors_of, judge
from minires.gradcheck.checks.contract import same
from minires.gradcheck.checks.jumps import jumps_of, upwards
from minires.gradcheck.checks.kinks import Axis, Subgradients, kinks_of
from minires.gradcheck.checks.measurement import first_that_works
from minires.gradcheck.checks.numeric import COMPLEX_STEP, FOUR_POINT, is_analytic
from minires.gradcheck.checks.point import Point, max_abs
from minires.gradcheck.checks.report import Kink, Report
from minires.gradcheck.checks.tested_function import DRAWS, MOVED, CannotCheckError, kind_of, nothing_to_differentiate
from minires.mode import complex_step as complex_mode
from minires.mode import no_grad
from minires.nn import Module
from minires.tensor import Tensor


class TestedModule:
    """A module as a function of its inputs and parameters, in float64, in its own mode, and always from the same state.

    tensors: those that are differentiated, by name; constants: the frozen parameters, which do not move.
    point: the same tensors as a Point; number: {name: index in the point}. gradients: those of ⟨upstream, y⟩, by name.
    All results are on the host, wherever the module computes.
    """

    def __init__(self, module, arrays, seed, device):
        self.device = device
        if not isinstance(module, Module):
            raise OptionError(_no_module(module))
        self.module = copy.deepcopy(module).to(np.float64).to(device)
        arrays = [np.asarray(a) for a in arrays]
        self.inputs = [
            Tensor(a.astype(float), requires_grad=True, device=device) if a.dtype.kind == "f" else to_device(a, device)
            for a in arrays
        ]
        every = {f"input {k}": t for k, t in enumerate(self.inputs) if isinstance(t, Tensor)}
        every |= dict(self.module.named_parameters())
        self.tensors = {name: t for name, t in every.items() if t.requires_grad}
        self.constants = [t for t in every.values() if not t.requires_grad]
        for t in every.values():
            t.grad = None  # the module may come with gradients
        self.number = {name: i for i, name in enumerate(self.tensors)}
        self._moved = [*self.tensors.values(), *self.constants]
        self._own = [to_device(t.data, "cpu") for t in self._moved]
        self.point = Point(self._evaluate, self._own, range(len(self.tensors)), one_unit=True)
        self._state = {name: buffer.copy() for name, buffer in self.module.named_buffers()}
        if not every:
            raise CannotCheckError(nothing_to_differentiate([f"input {k}" for k in range(len(arrays))], arrays))
        y = self._run("the forward raises {}", lambda: self.module(*self.inputs))
        if not isinstance(y, Tensor):
            raise CannotCheckError(
                f"the forward must return one Tensor, it returns {kind_of(y)}; check a module that "
                "returns one of its Tensors, or their sum"
            )
        self.y = to_device(y.data, "cpu")
        self.upstream = np.asarray(np.random.default_rng([seed, 1]).standard_normal(y.shape))
        if self.tensors:
            self._run("the backward raises {}", lambda: y.backward(to_device(self.upstream, device)))
        self.gradients = {
            name: np.zeros(t.shape) if t.grad is None else to_device(t.grad, "cpu") for name, t in self.tensors.items()
        }

        if not same(self.y, self.line({})(0.0), AGAIN):
            raise CannotCheckError(DRAWS)

    @staticmethod
    def _run(sentence, call):
        try:
            return call()
        except DTypeError as error:
            raise CannotCheckError(
                f"{sentence.format(describe(error))}; modules are checked in float64: where the "
                "forward makes a Tensor of its own, use .to(x.dtype), not .float()"
            ) from error
        except Exception as error:
            raise CannotCheckError(sentence.format(describe(error))) from error

    def line(self, directions):
        """t -> y with each named tensor moved by t·direction·unit."""
        return self.point.line({self.number[name]: direction for name, direction in directions.items()})

    def _evaluate(self, arrays):
        """y of these arrays in place of the tensors' own. Running statistics start from the same values each time."""
        for name, buffer in self.module.named_buffers():
            buffer[...] = self._state[name]
        real = [tensor.data for tensor in self._moved]
        try:
            for tensor, array, own in zip(self._moved, arrays, self._own):
                if array is not own:  # an array that did not move stays on its device
                    tensor.data = to_device(array, self.device)
            with complex_mode() if arrays[0].dtype.kind == "c" else no_grad():
                return self._run(MOVED, lambda: self.module(*self.inputs)).detach().numpy()
        finally:
            for tensor, data in zip(self._moved, real):
                tensor.data = data


def _no_module(given):
    """The sentence about an argument that is no module."""
    if isinstance(given, type):
        return f"the check needs a module, got the class {given.__name__}: make one of it, {given.__name__}(...)"
    if callable(given):
        return (
            f"the check needs a module, got the function {getattr(given, '__name__', given)}: call it in the "
            "forward of an nn.Module; a function of arrays that returns (y, backward) goes to check"
        )
    return f"the check needs a module, got {kind_of(given)}"


def check_module(
    module: Module, *arrays: Any, seed: int = 0, samples: int = 4, name: str | None = None, device: str = "cpu"
) -> Report:
    """Hold the gradients of a module's inputs and parameters, by name, against measured derivatives.

    The module is copied to float64 and run in its own mode. Each tensor is tested along one random direction v: there
    the derivative must equal ⟨∂L/∂x, v⟩. It is also tested at `samples` random elements, or at all if it has no more.
    Then all tensors are moved at once, along one direction ("everything"). Frozen parameters are not checked, and a
    note says how many there are. An error that the module raises is a problem of the report. -> Report
    """
    report = Report(name or type(module).__name__, counted="directions")
    try:
        _check_module(TestedModule(module, arrays, seed, device), report, seed, samples)
    except CannotCheckError as error:
        report.problems.append(str(error))
    return report.say_if_empty()


def _check_module(tested, report, seed, samples):
    rng = np.random.default_rng([seed, 2])
    everything = {key: np.asarray(rng.standard_normal(gradient.shape)) for key, gradient in tested.gradients.items()}
    if tested.constants:
        count = len(tested.constants)
        report.notes.append(f"{count} frozen parameter{'s' * (count > 1)} not checked")
    nothing = (
        not_finite(tested.y, tested.gradients)
        if tested.y.size
        else (f"nothing was compared, because y of shape {tested.y.shape} is empty: give inputs with elements")
    )
    if nothing:
        report.unsure.append(nothing)
    if nothing or not everything:
        return
    along, places = {}, {}
    for key, gradient in tested.gradients.items():
        along[key, 0], places[key, 0] = {tested.number[key]: everything[key]}, ()
        for k, j in enumerate(rng.permutation(gradient.size)[:samples], 1):
            places[key, k] = tuple(int(n) for n in np.unravel_index(j, gradient.shape))
            along[key, k] = tested.point.axis(tested.number[key], places[key, k])
    along["everything", 0] = {i: v for key in everything for i, v in along[key, 0].items()}
    places["everything", 0] = ()
    methods = [COMPLEX_STEP, FOUR_POINT] if is_analytic(tested.line(everything)) else [FOUR_POINT]
    first_that_works(methods, report, lambda: _measure(tested, report, along, places, seed))


def _measure(tested, report, along, places, seed):
    """Fill the report, measuring by report.by along {(name, number): direction}. places: what element each moves."""
    whole = along["everything", 0]
    report.jumps, jumping = jumps_of(
        tested.point,
        report.by,
        [whole, upwards(whole)],
        along,
        {(key, k): (key, place) for (key, k), place in places.items()},
    )
    measured = {}
    for key in dict.fromkeys(name for name, _ in along):
        measured[key] = _Along(
            tested, report.by, {k: v for (of, k), v in along.items() if of == key and (of, k) not in jumping}
        )
    kinks = _subgradients(tested, report.by, measured, seed)
    for key, found in measured.items():
        report.arguments.append(_worst(tested, report, key, found, kinks, places))


class _Along:
    """What was measured along the directions of one tensor, or of everything, in the units of the Point."""

    def __init__(self, tested, method, directions):
        self.directions = directions
        point = tested.point
        size = np.abs(tested.y)
        gradients = [tested.gradients[name] * point.units[i] for name, i in tested.number.items()]
        self.largest_unit = max((point.largest_unit[i] for v in directions.values() for i in v), default=1.0)
        self.analytic, self.measured, self.unsure = [], [], []  # one value a direction
        self.slopes = {}
        self.scale = self.steepest = depends = 0.0
        for k, v in directions.items():
            self.analytic.append(float(sum(np.sum(gradients[i] * direction) for i, direction in v.items())))
            slope, error = method.derivative(point.line(v), max(1.0, 1.0 / self.largest_unit))
            self.slopes[k] = slope
            self.measured.append(float(np.sum(tested.upstream * slope)))
            self.unsure.append(float(np.sum(np.abs(tested.upstream) * error)))
            self.steepest = max(self.steepest, max_abs(slope))
            depends = max(depends, max_abs(np.where(slope, size, 0.0)))
            for i, direction in v.items():  # the size of ⟨∂L/∂x, v⟩ for a v of that length
                length = np.linalg.norm(direction) / max(direction.size, 1) ** 0.5
                self.scale = max(self.scale, float(np.abs(gradients[i]).max(initial=0)) * length)
        self.size = depends or max_abs(size)


def _subgradients(tested, method, measured, seed):
    """{(name, number of the direction): Subgradients} where there is no derivative. "everything" shows the kinks."""
    whole = measured["everything"]
    tensors = {key: found for key, found in measured.items() if found is not whole}
    axes = {
        (key, k): Axis(v, found.analytic[n], found.measured[n], found.steepest)
        for key, found in tensors.items()
        for n, (k, v) in enumerate(found.directions.items())
    }
    steepest = max(found.steepest for found in measured.values())
    lines = []
    if all(0 in found.slopes for found in measured.values()):  # not where y jumps
        lines = [(whole.directions[0], sum(found.slopes[0] for found in tensors.values()), steepest)]
    kinks = kinks_of(tested.point, method, tested.upstream, axes, lines, seed)
    if lines and any((key, 0) in kinks for key in tensors):  # then "everything" has the sum of what each tensor has
        each = [kinks.get((key, 0), Subgradients(*[found.measured[0]] * 3)) for key, found in tensors.items()]
        kinks["everything", 0] = Subgradients(
            *(sum(getattr(k, end) for k in each) for end in ("low", "high", "nearest"))
        )
    return kinks


def _worst(tested, report, key, found, subgradients, places):
    """The ArgumentResult over the directions. Errors are relative to the size of ⟨∂L/∂x, v⟩ for a v of that length."""
    method, upstream = report.by, tested.upstream
    natural, floor = floors_of(upstream, found.size, 1.0, found.steepest, found.largest_unit)
    kinks = []
    for n, k in enumerate(found.directions):
        if (key, k) in subgradients:
            at_kink = subgradients[key, k]
            kinks.append(Kink((n,), at_kink.low, at_kink.high, found.analytic[n], at_kink.nearest))
    analytic, measured, unsure = map(np.array, (found.analytic, found.measured, found.unsure))

    def compared(allowed):
        return compare(key, method, analytic, measured, unsure, max(floor, found.scale), kinks, allowed)

    def noise():
        return np.array(
            [16 * np.sum(np.abs(upstream) * method.noise(tested.point.line(v))) for v in found.directions.values()]
        )

    worst = judge(report, compared, unsure, natural if floor < natural else 0.0, floor, noise)
    numbers = list(found.directions)
    for result in (worst, *worst.kinks):
        result.index = places[key, numbers[result.index[0]]] if result.index else ()
    return worst


@dataclass(repr=False)
class Taylor:
    """The remainders |L(εv) − L(0) − ε⟨∂L/∂θ, v⟩| of a Taylor test, and the power of ε with which they fall."""

    name: str
    steps: np.ndarray
    remainders: np.ndarray  # one row a direction
    rate: float

    @property
    def passed(self):
        return self.rate >= 1.95

    def __str__(self):
        return (
            f"{'ok    ' if self.passed else 'FAILED'} {self.name}  Taylor test: the remainder falls as "
            f"ε^{self.rate:.2f} (2 where the gradient is right, 1 where it is not)"
        )

    __repr__ = __str__


def taylor_test(
    module: Module, *arrays: Any, seed: int = 0, directions: int = 5, name: str | None = None, device: str = "cpu"
) -> Taylor:
    """How fast the error of the first-order prediction falls when inputs and parameters all move by ε, at random.

    A right gradient leaves a remainder of order ε², a wrong one of order ε. ε is halved from 1e-4 on. The rate is the
    median of the last three halvings before rounding is larger than the remainder, and the median over the directions.
    The last ones are the sharpest, because only there has a deep network no kink left between 0 and ε. No complex
    numbers are used: the network runs as in training. Raises OptionError if it cannot be run, or draws random numbers.
    -> Taylor
    """
    try:
        return _taylor(TestedModule(module, arrays, seed, device), seed, directions, name or type(module).__name__)
    except CannotCheckError as error:
        raise OptionError(f"taylor_test: {error}") from error


def _taylor(tested, seed, directions, name):
    rng = np.random.default_rng([seed, 3])
    steps = 1e-4 * 0.5 ** np.arange(16)
    y = tested.line({})(0.0)
    rounding = 1e2 * 2.0**-53 * float(np.abs(tested.upstream * y).sum())
    remainders, rates = [], []
    for _ in range(directions):
        # a direction has the size of its tensor, so that ε is a relative change
        v = {
            key: rng.standard_normal(g.shape) * float((tested.tensors[key].data ** 2).mean()) ** 0.5
            for key, g in tested.gradients.items()
        }
        line = tested.line({key: direction / tested.point.units[tested.number[key]] for key, direction in v.items()})
        slope = sum(np.sum(tested.gradients[key] * direction) for key, direction in v.items())
        rest = np.array([abs(np.sum(tested.upstream * (line(h) - y)) - h * slope) for h in steps])
        remainders.append(rest)
        above = np.flatnonzero(rest > rounding)
        if len(above):  # else L is linear along v, and predicted to rounding
            last = max(above[-1], 3)
            rates.append(np.median(np.log2(rest[last - 3 : last] / rest[last - 2 : last + 1])))
    return Taylor(name, steps, np.array(remainders), float(np.median(rates or [np.inf])))
