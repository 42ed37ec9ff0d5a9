"""Base of all optimizers: parameters in groups, their state by position, and state_dict() for checkpoints."""

import math
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

from minires import observe
from minires.annotations import Array, Params
from minires.arrays import array_module, device_of, is_array, to_device
from minires.errors import CheckpointError, GraphError, OptionError, ShapeError
from minires.optim.parameters import check_gradient, check_parameter, listed
from minires.settings import in_range, shortened
from minires.states import check_state, fits_dtype
from minires.tensor import Tensor


class Optimizer:
    """Base: a subclass says which arrays it keeps for each parameter (slots()) and how to update it (update()).

    params: Tensors, or groups {"params": Tensors, setting: value, …} whose settings override the defaults, as in torch.
    A frozen parameter may be among them. It has no gradient, so it does not change.

    param_groups: the groups as dictionaries with all settings. A change of a setting takes effect with the next step:
    `optimizer.param_groups[0]["lr"] = 0.01`.
    """

    def __init__(self, params: Params, *, maximize: bool = False, **defaults: Any) -> None:
        if maximize:
            raise OptionError(
                f"{type(self).__name__}: maximize is not implemented; minimize the negative, with (-value).backward()"
            )
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self._ratios: list[float] = []
        self.state: list[dict[str, Array]] = []  # of each parameter, in the order of the groups: {slot: array}
        self.steps: list[int] = []  # of each parameter, because one without a gradient is not updated
        given = listed(type(self).__name__, params)
        are_groups = all(isinstance(p, dict) for p in given)
        for group in given if are_groups else [{"params": given}]:
            self.add_param_group(group)

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add a group {"params": Tensors, setting: value, …}, as in torch."""
        name = type(self).__name__
        if not isinstance(group, Mapping):
            raise OptionError(
                f"{name}: a parameter group is a dictionary {{'params': …, setting: value}}, got a "
                f"{type(group).__name__}"
            )
        unknown = set(group) - set(self.defaults) - {"params"}
        if unknown or "params" not in group:
            fault = f"has the unknown setting {unknown.pop()!r}" if unknown else "lacks its 'params'"
            raise OptionError(f"{name}: a parameter group {fault}")
        params = group["params"]
        params = (params,) if isinstance(params, Tensor) else tuple(listed(name, params))
        for p in params:
            check_parameter(name, p)
        every = [*self.params, *params]
        if len({id(p) for p in every}) < len(every):
            raise OptionError(f"{name}: a parameter is given twice")
        default = in_range("lr", self.defaults["lr"], 0)
        full = {**self.defaults, **group, "params": params}
        self.check(full)
        if "lr" in group and default == 0:
            raise OptionError(f"{name}: lr must be above 0 where a group has its own ({group['lr']})")
        self._ratios.append(full["lr"] / default if "lr" in group else 1.0)
        self.param_groups.append(full)
        self.state += [{} for _ in params]
        self.steps += [0] * len(params)

    def check(self, group):
        """Convert a group's settings to Python floats. Raises OptionError if one is outside its range."""
        missing = [name for name in self.defaults if name not in group]
        if missing:
            raise OptionError(f"{type(self).__name__}: a parameter group lacks its {missing[0]!r}")
        for name in ("lr", "weight_decay"):
            if name in group:
                group[name] = in_range(name, group[name], 0)

    def slots(self, group):
        """The names of the arrays that are kept for each parameter of a group."""
        return ()

    @property
    def params(self) -> list[Tensor]:
        """All parameters, in the order of the groups."""
        return [p for group in self.param_groups for p in group["params"]]

    @property
    def lr(self) -> float:
        """The learning rate. Setting it changes that of all groups.

        A group that was created with its own rate keeps its ratio to this one.
        """
        self._check_groups()
        ratio, group = max(zip(self._ratios, self.param_groups), key=lambda pair: (pair[0] == 1, pair[0] > 0))
        return group["lr"] / ratio if ratio else 0.0

    @lr.setter
    def lr(self, value: float) -> None:
        self._check_membership()
        value = in_range("lr", value, 0)
        for group, ratio in zip(self.param_groups, self._ratios):
            group["lr"] = value * ratio

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set all gradients to None, or fill them with zeros."""
        for p in self.params:
            p.grad = None if set_to_none or p.grad is None else array_module(p.data).zeros_like(p.data)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient, in place.

        closure: a function that computes loss and gradients. It is called first; its result is returned, as in torch.
        """
        if closure is not None and not callable(closure):
            raise OptionError(f"step: closure must be a function that computes the loss, got {closure!r}")
        loss = None if closure is None else closure()
        self._check_groups()
        observe.timed("optimizer", "update", self._step)
        return loss

    def _step(self):
        params = self.params
        group_of = [group for group in self.param_groups for _ in group["params"]]
        jobs = [(i, p) for i, p in enumerate(params) if p.grad is not None]
        for i, p in jobs:
            self._check_gradient(p, self.state[i])
        for i, p in jobs:
            self.steps[i] += 1
            p.mark_changed()
            if any(device_of(a) != p.device or a.dtype != p.dtype for a in self.state[i].values()):  # it was moved
                self.state[i] = {
                    slot: to_device(a, p.device).astype(p.dtype, copy=False) for slot, a in self.state[i].items()
                }

        together = {}  # indices of parameters of one group, on one device, with the same number of updates
        for i, p in jobs:
            together.setdefault((id(group_of[i]), p.device, self.steps[i], not self.state[i]), []).append(i)
        for (_, _, t, first), indices in together.items():
            xs = [params[i].data for i in indices]
            dxs = [params[i].grad for i in indices]
            self.update(xs, dxs, [self.state[i] for i in indices], group_of[indices[0]], t, first)

    def _check_groups(self):
        """Raise OptionError if param_groups was changed to something that step() cannot use."""
        self._check_membership()
        for group in self.param_groups:
            self.check(group)

    def _check_membership(self):
        """Raise OptionError if groups or parameters were added or removed other than by add_param_group()."""
        counts = [
            len(group["params"]) if isinstance(group.get("params"), (list, tuple)) else None
            for group in self.param_groups
        ]
        if len(counts) != len(self._ratios) or None in counts or sum(counts) != len(self.steps):
            raise OptionError(
                f"{type(self).__name__}: param_groups has other groups or parameters than were given; "
                "add some with add_param_group(), or make a new optimizer"
            )

    @staticmethod
    def _check_gradient(p, state):
        check_gradient("step", p)
        if not getattr(p.data.flags, "writeable", True):
            raise GraphError(f"step: a parameter {p.shape} is read-only, so it cannot be updated; set p.data to a copy")
        for slot, array in state.items():
            if array.shape != p.shape:
                raise ShapeError(
                    f"step: a parameter is now {p.shape}, its {slot} is {array.shape}; "
                    "make a new optimizer for the changed parameters"
                )

    def update(self, xs, dxs, states, group, t, first):
        """Change the arrays xs, whose gradients are dxs, in place, for the t-th time (from 1).

        first: their states (dictionaries) are still empty.
        """
        raise NotImplementedError

    def state_dict(self) -> dict[str, Array]:
        """{name: array}. The arrays are the optimizer's own, not copies.

        "steps" holds the number of updates of each parameter, "slot.position" an array that is kept for it.
        "group.number.setting" holds a setting, if it is one number or several.
        Raises OptionError if a setting was a number when the optimizer was made, and is none now.
        """
        self._check_groups()
        groups = self.param_groups
        kept = {name: self.state[i][slot] for name, (i, slot) in self._slots(groups).items() if slot in self.state[i]}
        settings = {name: _numbers(groups[g][key]) for name, (g, key) in self._settings().items()}
        for name, array in settings.items():
            if array is None:
                g, key = self._settings()[name]
                raise OptionError(
                    f"{type(self).__name__}: the setting {name} must be one number or several, as its "
                    f"default {self.defaults[key]!r}, got {shortened(groups[g][key])}"
                )
        return {"steps": np.array(self.steps, np.int64), **settings, **kept}

    def _slots(self, groups):
        """{name of an array in the state: (position, slot)}"""
        group_of = [group for group in groups for _ in group["params"]]
        return {f"{slot}.{i}": (i, slot) for i, group in enumerate(group_of) for slot in self.slots(group)}

    def _settings(self):
        """{name of a setting in the state: (number of the group, setting)} for settings that are, or were, numbers."""
        return {
            f"group.{g}.{key}": (g, key)
            for g, group in enumerate(self.param_groups)
            for key in group
            if key in self.defaults and self._model_of(group, key) is not None
        }

    def _model_of(self, group, key):
        """A setting's value, or its default if the value has another form; None if both are no numbers."""
        value, default = group[key], self.defaults[key]
        fits = _numbers(value) is not None and (_numbers(default) is None or np.shape(value) == np.shape(default))
        return value if fits else default if _numbers(default) is not None else None

    def load_state_dict(self, arrays: Mapping[str, Array]) -> None:
        """Copy the arrays and settings of a state_dict() of the same parameters. A missing setting does not change.

        Raises CheckpointError if the state does not fit, and then changes nothing.
        """
        check_state(self, arrays)
        self._check_membership()
        params = self.params
        groups = self._groups_with(arrays)
        slots = self._slots(groups)
        shapes = {name: np.shape(self._model_of(groups[g], key)) for name, (g, key) in self._settings().items()}
        shapes.update((name, params[i].shape) for name, (i, _) in slots.items())
        forms = {"steps": ((len(params),), "iu"), **{name: (shape, "f") for name, shape in shapes.items()}}
        differs = [name for name in arrays if name in forms and not _has_form(arrays[name], *forms[name])]
        steps = arrays["steps"].tolist() if "steps" in arrays and "steps" not in differs else self.steps
        missing = [name for name, (i, _) in slots.items() if steps[i] and name not in arrays]
        missing += [] if "steps" in arrays else ["steps"]
        unexpected = [name for name in arrays if name not in forms]
        large = [
            name
            for name, (i, _) in slots.items()
            if name in arrays and name not in differs and not fits_dtype(arrays[name], params[i].dtype)
        ]
        if max(steps) >= 1 << 53:
            raise CheckpointError(
                f"{type(self).__name__} cannot load this state; {max(steps)} steps are too many to count"
            )
        if missing or unexpected or differs or large or min(steps) < 0:
            raise CheckpointError(
                f"{type(self).__name__} cannot load this state; missing: {missing[:4]}, unexpected: "
                f"{unexpected[:4]}, shape or type differs: {differs[:4]}"
                + f", too large for its parameter's type: {large[:4]}" * bool(large)
                + f", steps below 0: {min(steps)}" * (min(steps) < 0)
            )
        for group, loaded in zip(self.param_groups, groups):
            group.update(loaded)
        self.steps = list(steps)
        self.state = [{} for _ in params]
        for name, (i, slot) in slots.items():
            if name in arrays:
                p = params[i]
                self.state[i][slot] = array_module(p.data).empty_like(p.data)  # the parameter's memory format
                self.state[i][slot][...] = to_device(arrays[name], p.device)

    def _groups_with(self, arrays):
        """The groups with the settings from the arrays. Raises CheckpointError for a setting outside its range."""
        groups = [dict(group) for group in self.param_groups]
        for name, (g, key) in self._settings().items():
            was = self._model_of(groups[g], key)
            if name in arrays and _has_form(arrays[name], np.shape(was), "f"):
                value = arrays[name].tolist()
                if isinstance(was, Integral) and (not math.isfinite(value) or type(was)(value) != value):
                    what = "True or False (1 or 0)" if isinstance(was, bool) else "a whole number"
                    raise CheckpointError(
                        f"{type(self).__name__} cannot load this state; {name} must be {what}, got {value}"
                    )
                # a bool, a number, or an array, a list or a tuple of floats
                groups[g][key] = np.array(value) if isinstance(was, np.ndarray) else type(was)(value)
        try:
            for group in groups:
                self.check(group)
        except OptionError as error:
            raise CheckpointError(f"{type(self).__name__} cannot load this state; {error}") from error
        return groups

    def __repr__(self):
        lines = []
        for number, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {number}")
            lines += [f"    {key}: {value}" for key, value in sorted(group.items()) if key != "params"]
        return "\n".join([f"{type(self).__name__} (", *lines, ")"])


def _numbers(value):
    """One number or several as a float64 array; None if value is something else."""
    try:
        array = np.asarray(value if isinstance(value, (Real, list, tuple, np.ndarray)) else None)
    except ValueError:  # lists of different lengths
        return None
    return array.astype(np.float64) if array.dtype.kind in "biuf" else None


def _has_form(array, shape, kinds):
    """Whether this is an array of that shape, whose dtype is of one of these kinds."""
    return is_array(array) and array.shape == shape and array.dtype.kind in kinds
