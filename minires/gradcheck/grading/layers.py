"""The plan of a layer: a class with forward and backward, whose arrays are given or set."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minires.gradcheck.grading import names
from minires.gradcheck.grading.answers import kind_of, read_gradients
from minires.gradcheck.grading.calls import Calls
from minires.gradcheck.grading.errors import FormError, NotDoneError
from minires.gradcheck.grading.face import Handle
from minires.gradcheck.grading.plan import RATE, RUNNING, Attempt, Plan, too_large
from minires.gradcheck.grading.standard import REQUIRED

OF_ARRAYS = ("params", "parameters", "weights")  # dicts of a layer
OF_GRADIENTS = ("grads", "grad", "gradients")
OF_EVALUATION = RUNNING | {"training"}
LOOKED_AT = 100  # attributes of a layer
UNKNOWN_RATE = (
    "its {call} takes a step of training, and keeps no {names}: keep each gradient, as self.dW, or take the learning "
    "rate as a parameter, {call}(self, dy, learning_rate)"
)
STEPPED = "{names} as its step of training subtracts them"


@dataclass
class LayerPlan(Plan):
    """A class with forward and backward, or one object of it: arrays given or set, gradients returned or kept."""

    name: str = ""
    made: Any = None  # of __init__; None for an object that is there
    forward: Any = None
    backward: Any = None
    calls: tuple = ("forward", "backward")
    methods: frozenset = frozenset()
    again: bool = False
    words: str = "a class with forward and backward"
    layer: object = None
    attributes: dict = field(default_factory=dict)  # {argument: the attribute that is it}
    settable: set = field(default_factory=set)  # settings of evaluation that are attributes, once a layer was made

    def bindings(self):
        return [b for b in (self.made, self.forward) if b]

    def supplies(self, argument):
        return True  # by an attribute, of which start() knows more

    def own_names(self):
        return self.attributes | super().own_names()

    def knows(self, setting):
        switched = setting == "training" and "eval" in self.methods
        return super().knows(setting) or switched or setting in self.settable

    def is_told_rate(self):
        """Whether it is handed the learning rate of a step of training that it takes itself."""
        return any(binding.has("rate") for binding in self.all_bindings())

    def order(self):
        return self.forward.arrays if len(self.forward.arrays) > 1 else None

    def takes(self):
        return None

    def start(self, child, case, right, layer=None):
        """One forward, of a new layer, or of one whose forward was called before."""
        value = self.values(case)
        calls = Calls(self, child)
        made_changed = []
        if layer is not None:
            obj = layer
        elif self.made is None:
            child.describe(self.name)
            obj = self.name
        else:
            args, kwargs = self.made.arguments(value)
            obj, made_changed = calls.first("made", self.made, self.name, args, kwargs)
            if not isinstance(obj, Handle):
                raise FormError(f"{self.name}() gives {kind_of(obj)}, no layer")
        if layer is None:
            self._set(child, obj, case)
        args, kwargs = self.forward.arguments(value)
        before = self._running(child, obj)
        y, changed = calls.first("forward", self.forward, obj, args, kwargs, self.calls[0])
        more = y[1:] if isinstance(y, (tuple, list)) else []
        if isinstance(y, (tuple, list)) and y and isinstance(y[0], np.ndarray):
            y = y[0]
        y = self.y(y, case, right)

        def backward(dy):
            args, kwargs = self.backward.arguments(self.values(case, dy=None if self.unit else self.dy(dy), y=y))
            weights = self._weights(child, obj, case) if self.is_told_rate() else None
            answer, changed = calls.backward(self.backward, obj, args, kwargs, self.calls[1])
            given, missing = self._kept(child, obj, answer, case)
            if missing and weights is not None:
                given |= self._subtracted(missing, weights, self._weights(child, obj, case))
            elif missing and isinstance(obj, Handle) and self.made is not None:
                new = self.start(child, case, right).layer
                self._check_weights(missing, self._weights(child, new, case), self._weights(child, obj, case))
            return given, changed

        running = calls.running(self.forward, case)
        running |= {setting: (before.get(setting), new) for setting, new in self._running(child, obj).items()}
        return Attempt(y, backward, made_changed + changed, running, calls.arrays_of(more, case), calls, obj)

    def _known(self, child, obj):
        """The attributes whose names say something: only these are looked at, because each may take time."""
        standard = self.standard
        return [
            name
            for name in child.attributes(obj)
            if names.plain(name) in OF_ARRAYS + OF_GRADIENTS
            or names.array_of(standard, name)
            or names.setting_of(standard, name)
            or names.gradient_of(standard, name, marked=True)
        ][:LOOKED_AT]

    def _running(self, child, obj):
        """The running statistics that a layer has as its attributes."""
        if not self.standard.settings.keys() >= RUNNING or not isinstance(obj, Handle):
            return {}
        named = {names.setting_of(self.standard, attribute): attribute for attribute in self._known(child, obj)}
        return {setting: child.get(obj, named[setting]) for setting in RUNNING & named.keys()}

    def _set(self, child, obj, case):
        """Give the layer what neither its constructor nor its forward takes."""
        off = self.off(case)
        arrays = {n: a for n, a in zip(self.standard.arguments, case.arrays) if n not in off}
        given = {n: self.layout.given(n, a, case) for n, a in arrays.items()}
        missing = [n for n in given if all(n not in b.arrays for b in self.bindings()) and not self.forward.has("rest")]
        # what this case has not, as a bias: a layer that makes one at random does without it once it changes nothing
        absent = {n for n in self.standard.arguments if n not in given}
        absent -= {n for binding in self.bindings() for n in binding.arrays}
        full = self.standard.full_settings(case)
        attributes = self._known(child, obj) if isinstance(obj, Handle) else []
        wanted = {n: given[n] for n in missing}
        for attribute in attributes:
            argument = names.array_of(self.standard, attribute)
            setting = names.setting_of(self.standard, attribute)
            if argument in wanted:
                self.attributes[argument] = attribute
                here = child.get(obj, attribute)
                if isinstance(here, Handle):
                    inside = next((n for n in child.attributes(here) if names.plain(n) in ("data", "value")), None)
                    if inside is None:
                        continue
                    child.set(here, inside, wanted.pop(argument))
                elif here is None or isinstance(here, np.ndarray):
                    child.set(obj, attribute, self._as_it_is(wanted.pop(argument), here))
            elif argument in absent:
                here = child.get(obj, attribute)
                if isinstance(here, Handle):
                    for inside in (n for n in child.attributes(here) if names.plain(n) in ("data", "value")):
                        child.set(here, inside, self._without(argument, child.get(here, inside)))
                else:
                    child.set(obj, attribute, self._without(argument, here))
            elif isinstance(setting, str) and not any(b.knows(setting, self.keys) for b in self.bindings()):
                here = child.get(obj, attribute)
                if setting in OF_EVALUATION and here is not None:
                    self.settable.add(setting)
                if full[setting] is not REQUIRED and (setting in case.static or setting == "training"):
                    kept = setting == "p" and names.is_kept(attribute)
                    child.set(obj, attribute, self._as_it_is(1 - full[setting] if kept else full[setting], here))
            elif names.plain(attribute) in OF_ARRAYS:
                here = child.get(obj, attribute)
                if isinstance(here, dict):
                    for key in here:
                        if names.array_of(self.standard, key) in wanted:
                            here[key] = wanted.pop(names.array_of(self.standard, key))
                        elif names.array_of(self.standard, key) in absent:
                            here[key] = self._without(names.array_of(self.standard, key), here[key])
                    child.set(obj, attribute, here)
        if self.methods & {"train", "eval"} and "training" in full and not _knows_training(self):
            method = "train" if full["training"] else "eval"
            if method in self.methods:
                child.call(obj, method=method)
        for argument in wanted:
            raise FormError(
                f"{self.name} takes no {argument}, and has no attribute of such a name to set: its attributes are "
                f"{', '.join(child.attributes(obj)[:LOOKED_AT] if isinstance(obj, Handle) else []) or 'none'}"
            )

    def _without(self, argument, here):
        """An array of floats that changes nothing, 1 for a weight and 0 for a bias; anything else as it is.

        What a flag switches off is left out whatever its numbers are, so these are such as would be seen.
        """
        if not isinstance(here, np.ndarray) or here.dtype.kind != "f":
            return here
        if argument in self.flagged():
            return np.linspace(1.5, 2.5, here.size, dtype=here.dtype).reshape(here.shape)
        return np.full(here.shape, float(argument == "weight"), here.dtype)

    @staticmethod
    def _as_it_is(value, here):
        """A value with the axes of length 1 that a layer has it with: running statistics (1,C,1,1), a bias (1,O)."""
        both = isinstance(here, np.ndarray) and isinstance(value, np.ndarray)
        alike = both and here.ndim != value.ndim and np.squeeze(here).shape == np.squeeze(value).shape
        return value.reshape(here.shape) if alike else value

    def _weights(self, child, obj, case):
        """{argument: the array that a layer has for it now}"""
        arrays = dict(zip(self.standard.arguments, case.arrays))
        first = self.standard.arguments[0]
        found = {}
        for attribute in self._known(child, obj):
            argument = names.array_of(self.standard, attribute)
            if argument in arrays and argument not in (first, *found):
                value = child.get(obj, attribute)
                if isinstance(value, np.ndarray) and value.size == arrays[argument].size:
                    found[argument] = value  # and not what has the same name later, as a momentum called beta
        for table in (child.get(obj, n) for n in self._known(child, obj) if names.plain(n) in OF_ARRAYS):
            inside = table.items() if isinstance(table, dict) else ()
            found = {names.array_of(self.standard, key): value for key, value in inside} | found
        kept = {a: value for a, value in found.items() if isinstance(value, np.ndarray)}
        return {a: value for a, value in kept.items() if a in arrays and not too_large(value, arrays[a])}

    def weights(self, child, obj, case):
        """The same, as the op has them."""
        if not isinstance(obj, Handle):
            return {}
        arrays = dict(zip(self.standard.arguments, case.arrays))
        found = {}
        for name, value in self._weights(child, obj, case).items():
            a = self.layout.returned(name, value, arrays[name])
            if a.size == arrays[name].size and np.squeeze(a).shape == np.squeeze(arrays[name]).shape:
                found[name] = a.reshape(arrays[name].shape).astype(float)
        return found

    def _kept(self, child, obj, answer, case):
        """(the gradients that are returned, or that the layer keeps as dw, db, grads["W"] or W.grad; those missing)"""
        shapes = self.gradient_shapes(case)
        wanted = list(shapes)
        blank_answer = answer is None or (isinstance(answer, (tuple, list)) and all(v is None for v in answer))
        try:
            order = self.order() or wanted
            found = {} if answer is None else read_gradients(self.standard, answer, order, shapes, self.own_names())
        except NotDoneError:
            found = {}
        missing = [n for n in wanted if found.get(n) is None]
        if missing and isinstance(obj, Handle):
            found |= self._in_attributes(child, obj, missing)
        if blank_answer and not any(v is not None for v in found.values()):
            raise NotDoneError(f"{self.calls[1]} gives None, and keeps no gradient")
        return {n: found.get(n) for n in wanted}, [n for n in missing if found.get(n) is None]

    def _subtracted(self, missing, before, after):
        """The gradients that a step of training has subtracted from weights, without its rate."""
        stepped = [n for n in missing if n in before and _alike(before[n], after.get(n))]
        if stepped:
            self.form = STEPPED.format(names=self._said(stepped))
        return {n: (before[n] - after[n]) / RATE for n in stepped}

    def _check_weights(self, missing, before, after):
        """Raise FormError where weights were changed by a step of training whose rate is not known."""
        alike = [n for n in missing if n in before and _alike(before[n], after.get(n))]
        stepped = [n for n in alike if not np.array_equal(before[n], after[n])]
        if stepped:
            raise FormError(UNKNOWN_RATE.format(names=self._said(stepped), call=self.calls[1]))

    def _said(self, arguments):
        return " and ".join(f"d{self.own_names().get(n, n)}" for n in arguments)

    def _in_attributes(self, child, obj, missing):
        found = {}
        for attribute in self._known(child, obj):
            argument = names.gradient_of(self.standard, attribute, marked=True)
            if names.plain(attribute) in OF_GRADIENTS:
                here = child.get(obj, attribute)
                if isinstance(here, dict):
                    for key, value in here.items():
                        if names.gradient_of(self.standard, key) in missing and isinstance(value, np.ndarray):
                            found.setdefault(names.gradient_of(self.standard, key), value)
            elif argument in missing:
                here = child.get(obj, attribute)
                if isinstance(here, (np.ndarray, int, float)) and here is not None:
                    found.setdefault(argument, np.asarray(here))
            elif (owner := names.array_of(self.standard, attribute)) in missing:
                here = child.get(obj, attribute)
                if isinstance(here, Handle) and "grad" in child.attributes(here):
                    gradient = child.get(here, "grad")
                    if isinstance(gradient, np.ndarray):
                        found.setdefault(owner, gradient)
        return found


def _alike(a, b):
    both = isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.shape == b.shape
    return both and {a.dtype.kind, b.dtype.kind} <= set("iuf")


def _knows_training(plan):
    return any(b.knows("training", plan.keys) for b in plan.bindings())
