"""Holding the gradients of a layer or a whole network against measured derivatives, by name of parameter."""

import copy
from dataclasses import dataclass

import numpy as np

from minires.arrays import to_device
from minires.errors import OptionError
from minires.gradcheck.checker import AGAIN, compare, floors_of, judged
from minires.gradcheck.conduct import same
from minires.gradcheck.numeric import COMPLEX_STEP, FOUR_POINT, is_analytic
from minires.gradcheck.point import greatest, power_of_two
from minires.gradcheck.report import Report
from minires.gradcheck.subject import DRAWS, MOVED, Unusable, describe, nothing_to_differentiate
from minires.graph import complex_step as complex_mode
from minires.graph import no_grad
from minires.tensor import Tensor


class Network:
    """A module as a function of its inputs and parameters, in float64, in the mode it is in, always from one state.

    tensors: those that are differentiated, by name; constants: the frozen parameters, which stay as they are.
    units: what a step of 1 moves each tensor by, the power of two at or below its greatest |x|, or 1 if all are 0.
    What comes out lies on the host, wherever the module computes.
    """

    def __init__(self, module, arrays, seed, device):
        self.device = device
        self.module = copy.deepcopy(module).to(np.float64).to(device)
        arrays = [np.asarray(a) for a in arrays]
        self.inputs = [Tensor(a.astype(float), requires_grad=True, device=device) if a.dtype.kind == "f"
                       else to_device(a, device) for a in arrays]
        every = {f"input {k}": t for k, t in enumerate(self.inputs) if isinstance(t, Tensor)}
        every |= dict(self.module.named_parameters())
        self.tensors = {name: t for name, t in every.items() if t.requires_grad}
        self.constants = [t for t in every.values() if not t.requires_grad]
        for t in every.values():
            t.grad = None  # what the module came with
        self.units = {name: float(power_of_two(greatest(to_device(t.data, "cpu")) or 1.0))
                      for name, t in self.tensors.items()}
        self._state = {name: buffer.copy() for name, buffer in self.module.named_buffers()}
        if not every:
            raise Unusable(nothing_to_differentiate([f"input {k}" for k in range(len(arrays))], arrays))
        y = self._run("the forward raises {}", lambda: self.module(*self.inputs))
        self.y = to_device(y.data, "cpu")
        self.upstream = np.asarray(np.random.default_rng([seed, 1]).standard_normal(y.shape))
        if self.tensors:
            self._run("the backward raises {}", lambda: y.backward(to_device(self.upstream, device)))
        self.gradients = {name: np.zeros(t.shape) if t.grad is None else to_device(t.grad, "cpu")
                          for name, t in self.tensors.items()}

        if not same(self.y, self.line({})(0.0), AGAIN):
            raise Unusable(DRAWS)

    @staticmethod
    def _run(sentence, call):
        try:
            return call()
        except Exception as error:
            raise Unusable(sentence.format(describe(error))) from error

    def line(self, directions):
        """t -> y with each named tensor moved by t·direction·unit; running statistics start anew each time."""
        def moved(t):
            for name, buffer in self.module.named_buffers():
                buffer[...] = self._state[name]
            every = [*self.tensors.values(), *self.constants]
            real = [tensor.data for tensor in every]
            try:
                with complex_mode() if isinstance(t, complex) else no_grad():
                    for tensor in every if isinstance(t, complex) else ():
                        tensor.data = tensor.data.astype(complex)
                    for name, direction in directions.items():
                        tensor = self.tensors[name]
                        tensor.data = tensor.data.copy()
                        tensor.data += to_device(np.asarray(t * (direction * self.units[name])), self.device)
                    return self._run(MOVED, lambda: self.module(*self.inputs)).numpy()
            finally:
                for tensor, data in zip(every, real):
                    tensor.data = data
        return moved


def check_module(module, *arrays, seed=0, samples=4, name=None, device="cpu"):
    """Hold the gradients of a module's inputs and parameters, by name, against measured derivatives.

    The module is copied to float64 and run in the mode it is in. Each tensor is tested along one random direction v,
    along which the derivative must equal ⟨∂L/∂x, v⟩, and at `samples` random elements, or at all if it has no more;
    then all of them are moved at once, along one direction ("everything"). Frozen parameters are passed over, and a
    note says how many. What the module raises is a problem of the report. -> Report
    """
    report = Report(name or type(module).__name__)
    try:
        _check_module(Network(module, arrays, seed, device), report, seed, samples)
    except Unusable as unusable:
        report.problems.append(str(unusable))
    return report


def _check_module(network, report, seed, samples):
    rng = np.random.default_rng([seed, 2])
    everything = {key: np.asarray(rng.standard_normal(gradient.shape)) for key, gradient in network.gradients.items()}
    if network.constants:
        count = len(network.constants)
        report.notes.append(f"{count} frozen parameter{'s' * (count > 1)} passed over")
    if not everything:
        return
    report.by = COMPLEX_STEP if is_analytic(network.line(everything)) else FOUR_POINT
    for key, gradient in network.gradients.items():
        directions = [everything[key]]
        for j in rng.permutation(gradient.size)[:samples]:
            directions.append(np.zeros(gradient.shape))
            directions[-1].flat[j] = 1
        report.arguments.append(_along(network, key, [{key: v} for v in directions], report))
    report.arguments.append(_along(network, "everything", [everything], report))


def _along(network, key, directions, report):
    """The Worst over some directions; errors are relative to the size that ⟨∂L/∂x, v⟩ has for a v of that length."""
    method, size = report.by, np.abs(network.y)
    analytic, measured, unsure, scales, steepest, depends = [], [], [], [], 0.0, 0.0
    one = max(network.units[name] for name in directions[0])
    for v in directions:
        gradients = {name: network.gradients[name] * network.units[name] for name in v}
        analytic.append(sum(np.sum(g * v[name]) for name, g in gradients.items()))
        slope, error = method.derivative(network.line(v), max(1.0, 1.0 / one))
        measured.append(np.sum(network.upstream * slope))
        unsure.append(np.sum(np.abs(network.upstream) * error))
        steepest, depends = max(steepest, greatest(slope)), max(depends, greatest(np.where(slope, size, 0.0)))
        scales += [float(np.abs(g).max(initial=0)) * np.linalg.norm(v[name]) / max(v[name].size, 1) ** 0.5
                   for name, g in gradients.items()]
    natural, floor = floors_of(network.upstream, depends or greatest(size), 1.0, steepest, one)

    def against(excuse):
        return compare(key, method, *map(np.array, (analytic, measured, unsure)), max(floor, *scales), excuse=excuse)
    return judged(report, against, np.array(unsure), natural if floor < natural else 0.0, lambda: np.array(
        [16 * np.sum(np.abs(network.upstream) * method.noise(network.line(v))) for v in directions]))


@dataclass(repr=False)
class Taylor:
    """The remainders |L(εv) − L(0) − ε⟨∂L/∂θ, v⟩| of a Taylor test, and the power of ε that they fall with."""

    name: str
    steps: np.ndarray
    remainders: np.ndarray  # one row a direction
    rate: float

    @property
    def passed(self):
        return self.rate >= 1.95

    def __str__(self):
        return (f"{'ok    ' if self.passed else 'FAILED'} {self.name}  Taylor test: the remainder falls as "
                f"ε^{self.rate:.2f} (2 where the gradient is right, 1 where it is not)")

    __repr__ = __str__


def taylor_test(module, *arrays, seed=0, directions=5, name=None, device="cpu"):
    """How fast the error of the first-order prediction falls when inputs and parameters all move by ε, at random.

    A right gradient leaves a remainder of order ε², a wrong one of order ε. ε is halved from 1e-4 on; the rate is the
    median of the last three halvings before rounding takes over, for only there has a deep network no kink left between
    0 and ε, and there the test is sharpest; and the median over some directions. No complex numbers: the network is run
    as in training. Raises OptionError where it cannot be run, or draws random numbers. -> Taylor
    """
    try:
        return _taylor(Network(module, arrays, seed, device), seed, directions, name or type(module).__name__)
    except Unusable as unusable:
        raise OptionError(f"taylor_test: {unusable}") from unusable


def _taylor(network, seed, directions, name):
    rng = np.random.default_rng([seed, 3])
    steps = 1e-4 * 0.5 ** np.arange(16)
    y = network.line({})(0.0)
    rounding = 1e2 * 2.0**-53 * float(np.abs(network.upstream * y).sum())
    remainders, rates = [], []
    for _ in range(directions):
        # as long as what they move, so that ε is a relative change
        v = {key: rng.standard_normal(g.shape) * float((network.tensors[key].data ** 2).mean()) ** 0.5
             for key, g in network.gradients.items()}
        line = network.line({key: direction / network.units[key] for key, direction in v.items()})
        slope = sum(np.sum(network.gradients[key] * direction) for key, direction in v.items())
        rest = np.array([abs(np.sum(network.upstream * (line(h) - y)) - h * slope) for h in steps])
        remainders.append(rest)
        above = np.flatnonzero(rest > rounding)
        if len(above):  # else L is linear along v, and predicted to rounding
            last = max(above[-1], 3)
            rates.append(np.median(np.log2(rest[last - 3:last] / rest[last - 2:last + 1])))
    return Taylor(name, steps, np.array(remainders), float(np.median(rates or [np.inf])))
