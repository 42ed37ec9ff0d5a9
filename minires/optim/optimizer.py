"""What all optimisers share: parameters in groups, their state by position, and its way into a checkpoint."""

import math
import numbers

import numpy as np

from minires.arrays import array_module, device_of, to_device
from minires.errors import CheckpointError, DTypeError, OptionError, ShapeError
from minires.tensor import Tensor


def in_range(name, value, low, high=math.inf, *, open_above=False):
    """value as a Python float, if it lies within [low, high] (or [low, high)); else an OptionError that names it."""
    if not isinstance(value, numbers.Real) or not low <= value <= high or (open_above and value == high):
        upper = "" if high == math.inf else f" and {'below' if open_above else 'at most'} {high}"
        raise OptionError(f"{name} must be a number of at least {low}{upper}, got {value!r}")
    return float(value)


class Optimizer:
    """Base: subclasses say which arrays they keep for each parameter (slots()) and how one is updated (update()).

    params: Tensors, or groups {"params": Tensors, setting: value, …} whose settings override the defaults, as in torch.
    """

    def __init__(self, params, **defaults):
        params = list(params)
        groups = params if params and all(isinstance(p, dict) for p in params) else [{"params": params}]
        for group in groups:
            unknown = set(group) - set(defaults) - {"params"}
            if unknown or "params" not in group:
                fault = f"has the unknown setting {unknown.pop()!r}" if unknown else "lacks its 'params'"
                raise OptionError(f"{type(self).__name__}: a parameter group {fault}")
        self.groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        for group in self.groups:
            self.check(group)
        self._lr = in_range("lr", defaults["lr"], 0)
        self.ratios = [self._ratio(group["lr"]) if "lr" in own else 1.0 for group, own in zip(self.groups, groups)]
        every = [p for group in self.groups for p in group["params"]]
        if not every:
            raise OptionError(f"{type(self).__name__}: there are no parameters to optimise")
        if len({id(p) for p in every}) < len(every):
            raise OptionError(f"{type(self).__name__}: a parameter is given twice")
        for p in every:
            if not isinstance(p, Tensor) or not p.requires_grad or not p.is_leaf:
                raise OptionError(f"{type(self).__name__}: every parameter must be a Tensor that requires a gradient "
                                  "and is a leaf (no slice or other result of an op)")
        self.params = every
        self.group_of = [group for group in self.groups for _ in group["params"]]
        self.state = [{} for _ in every]
        self.steps = [0] * len(every)  # of each parameter, for one without a gradient is not stepped

    def check(self, group):
        """Make a group's settings Python floats. Raises OptionError for those outside their range."""
        for name in ("lr", "weight_decay"):
            group[name] = in_range(name, group[name], 0)

    def slots(self, group):
        """The names of the arrays kept for each parameter of a group."""
        return ()

    def _ratio(self, lr):
        if self._lr == 0:
            raise OptionError(f"{type(self).__name__}: lr must be above 0 where a group has its own ({lr})")
        return lr / self._lr

    @property
    def lr(self):
        """The learning rate; a group with its own keeps the ratio to it that both had when they were given."""
        return self._lr

    @lr.setter
    def lr(self, value):
        self._lr = in_range("lr", value, 0)
        for group, ratio in zip(self.groups, self.ratios):
            group["lr"] = self._lr * ratio

    def zero_grad(self):
        """Forget all gradients."""
        for p in self.params:
            p.grad = None

    def step(self):
        """Update every parameter that has a gradient, in place."""
        jobs = [(i, p) for i, p in enumerate(self.params) if p.grad is not None]
        for i, p in jobs:
            if p.grad.shape != p.shape:
                raise ShapeError(f"step: a parameter {p.shape} has a gradient {p.grad.shape}")
            if p.grad.dtype != p.dtype:
                raise DTypeError(f"step: a {p.dtype} parameter has a {p.grad.dtype} gradient")
            self.steps[i] += 1
            p.mark_changed()
            if any(device_of(a) != p.device for a in self.state[i].values()):  # it has been moved since
                self.state[i] = {slot: to_device(a, p.device) for slot, a in self.state[i].items()}

        alike = {}  # parameters of one group, on one device, that have been updated as often
        for i, p in jobs:
            alike.setdefault((id(self.group_of[i]), p.device, self.steps[i], not self.state[i]), []).append(i)
        for (_, _, t, first), some in alike.items():
            self.update([self.params[i].data for i in some], [self.params[i].grad for i in some],
                        [self.state[i] for i in some], self.group_of[some[0]], t, first)

    def update(self, xs, dxs, states, group, t, first):
        """Change the arrays xs, whose gradients are dxs, in place, for the t-th time (from 1).

        first: nothing is kept for them yet, their states (dictionaries) are empty.
        """
        raise NotImplementedError

    def state_dict(self):
        """{name: array}: "steps" of each parameter, and each kept array as "slot.position": the living ones."""
        arrays = {f"{slot}.{i}": array for i, state in enumerate(self.state) for slot, array in state.items()}
        return {"steps": np.array(self.steps, np.int64), **arrays}

    def load_state_dict(self, arrays):
        """Copy what state_dict() gave for the same parameters. Raises CheckpointError if it does not fit."""
        fits = {f"{slot}.{i}": (i, slot) for i, group in enumerate(self.group_of) for slot in self.slots(group)}
        shapes = {"steps": (len(self.params),), **{name: self.params[i].shape for name, (i, _) in fits.items()}}
        differs = [name for name in arrays if name in shapes and arrays[name].shape != shapes[name]]
        steps = [0] * len(self.params) if "steps" in differs else [int(t) for t in arrays.get("steps", self.steps)]
        missing = [name for name, (i, _) in fits.items() if steps[i] and name not in arrays]
        if "steps" not in arrays:
            missing.append("steps")
        unexpected = [name for name in arrays if name not in shapes]
        if missing or unexpected or differs:
            raise CheckpointError(f"{type(self).__name__} cannot load this state; missing: {missing[:4]}, unexpected: "
                                  f"{unexpected[:4]}, shape differs: {differs[:4]}")
        self.steps, self.state = steps, [{} for _ in self.params]
        for name, (i, slot) in fits.items():
            if name in arrays:
                p = self.params[i]
                self.state[i][slot] = array_module(p.data).empty_like(p.data)  # in memory as the parameter lies
                self.state[i][slot][...] = to_device(arrays[name], p.device)
