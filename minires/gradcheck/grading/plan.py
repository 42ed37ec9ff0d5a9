"""A plan: how to call a submission on a case, and how to read its answer. Which plans there are, styles.py says."""

import math
from dataclasses import dataclass, field, replace

import numpy as np

from minires.gradcheck.cases import Case
from minires.gradcheck.grading import names
from minires.gradcheck.grading.answers import number, read_gradients
from minires.gradcheck.grading.binding import size_of_layer
from minires.gradcheck.grading.errors import NotDoneError, PassOverError, WrongError
from minires.gradcheck.grading.flags import NEUTRAL, OF_FLAGS, switched_off
from minires.gradcheck.grading.layouts import Layout
from minires.gradcheck.grading.standard import REQUIRED, argument_names

# What decides nothing in training; and that a function without `training` is meant for training.
OF_EVALUATION = ("running_mean", "running_var", "momentum")
OWN = Layout()
# What a submission may have fixed inside where a case leaves it open: tried in this order, the op's default first.
CONSTANTS = {
    "eps": (1e-5, 1e-8, 1e-6, 1e-7, 1e-3, 1e-4, 1e-9, 1e-10, 1e-12, 1e-16),
    "approximate": ("none", "tanh"),
    "negative_slope": (0.01, 0.1, 0.2, 0.3, 0.05),
}
RUNNING = {"running_mean", "running_var"}
VALID = "valid"  # Keras's padding of 0; its other word is "same"
OF_BEYOND = ("ceil_mode", "count_include_pad", "dilation")  # settings that few homeworks have
RATE = 0.5  # of the step of training that a layer takes: a power of two, by which nothing is rounded
MOST = 2**24  # elements of a y of which nothing is known
MORE_AXES = 4  # than its array has: what a gradient may have before it is summed
RETURNED = "y, which its forward has returned"


class Upstream(str):
    """What a submission calls its dy."""


@dataclass
class Attempt:
    """One forward: y as the op has it (None if there is no forward), what it changed, and the way back."""

    y: object
    backward: object  # dy -> (answer of the submission, [what it changed in place])
    changed: list = field(default_factory=list)
    running: dict = field(default_factory=dict)  # {"running_mean": (before, after)}, of what the submission takes
    more: list = field(default_factory=list)  # arrays that the forward returns beside y and a cache
    calls: object = None  # the Calls that it consists of
    layer: object = None  # whose forward it is


@dataclass
class Plan:
    """A way to call a submission. start(child, case) gives an Attempt."""

    standard: object
    keys: dict
    layout: Layout = OWN
    pairs: bool = False  # whether settings for both axes are given as pairs
    words: str = ""
    unit: bool = False  # whether there is no dy: the gradient is that of a dy of 1
    again: bool = True  # whether one forward's backward may be called more than once
    interleaved: bool = True  # whether another forward may come between a forward and its backward
    has_forward: bool = True
    form: str = ""  # that its answer is seen to have

    def bindings(self):
        """All functions that are handed something of a case."""
        return []

    def family(self):
        """What plans share that differ in the layout only."""
        return type(self), self.pairs, tuple(tuple(b.slots) for b in self.all_bindings())

    def all_bindings(self):
        return [b for b in map(vars(self).get, ("made", "forward", "backward")) if b]

    def own_names(self):
        """{argument: what the submission calls it}."""
        slots = [slot for binding in self.all_bindings() for slot in binding.slots]
        return {slot.what: slot.parameter.name for slot in slots if slot.role == "array"}

    def said(self):
        """What was recognized, in words."""
        said = [w for w in (self.words, self.layout.words, self.form) if w]
        return ", ".join(said)

    # ---- which cases

    def knows(self, setting):
        return any(b.knows(setting, self.keys) for b in self.bindings())

    def optional(self):
        """The arguments whose parameters have a default, so that the submission says it can do without them."""
        slots = [slot for binding in self.all_bindings() for slot in binding.slots]
        return self.flagged() | {s.what for s in slots if s.role == "array" and not s.parameter.required}

    def flagged(self):
        """The arguments that a flag switches off, as bias=False does."""
        slots = [slot for binding in self.all_bindings() for slot in binding.slots]
        return {argument for slot in slots if slot.role == "flag" for argument in slot.what}

    def off(self, case):
        """Those of them that a case does without: they are not there, or γ = 1 and β = 0."""
        slots = [slot for binding in self.all_bindings() for slot in binding.slots]
        flags = [set(slot.what) for slot in slots if slot.role == "flag"]
        arrays = dict(zip(self.standard.arguments, case.arrays))
        makers = OF_FLAGS.get(self.standard.name, {})
        off = {n for n in set().union(*flags) if n not in arrays}
        off |= {n for n, make in makers.items() if n in arrays and np.array_equal(arrays[n], make(arrays[n]))}
        return {n for flag in flags if flag <= off for n in flag} | (off - arrays.keys())

    def has_own(self, setting):
        """Whether the parameter of a setting has a default of its own, as seed=7."""
        slots = [slot for binding in self.all_bindings() for slot in binding.slots]
        of_setting = [s.parameter for s in slots if s.role == "setting" and s.what == setting]
        return any(not p.required and p.default is not None for p in of_setting)

    def name_of(self, setting):
        """What the submission calls a setting: its parameter, or the key of a dict."""
        slots = [slot for binding in self.all_bindings() for slot in binding.slots]
        own = next((s.parameter.name for s in slots if s.role == "setting" and s.what == setting), "")
        in_dict = any(slot.role == "dict" for slot in slots) and setting in self.keys
        return own or (self.keys[setting][0] if in_dict else "")

    def declared(self):
        """The settings that are parameters of their own, not entries of a dict."""
        slots = [slot for binding in self.all_bindings() for slot in binding.slots]
        halves = {slot.what[0] for slot in slots if slot.role == "half"}
        return halves | {slot.what for slot in slots if slot.role == "setting"}

    def valid(self):
        """Keras's word for a padding of 0, as the submission has it for its default; "" if it takes numbers."""
        slots = [slot for binding in self.all_bindings() for slot in binding.slots]
        default = next((s.parameter.default for s in slots if s.role == "setting" and s.what == "padding"), None)
        words = isinstance(default, str) and default.lower() in (VALID, "same")
        return (VALID.upper() if default.isupper() else VALID) if words else ""

    def asks_for(self, case):
        """Whether a case beyond homework is one for it: it has a parameter for each setting that makes it so."""
        made_so = [s for s in OF_BEYOND if s in case.static and s in self.standard.settings]
        made_so += ["padding"] if self.valid() and isinstance(case.static.get("padding"), str) else []
        named = not any(b.has("all") for b in self.bindings())
        return bool(made_so) and named and all(map(self.knows, made_so))

    def takes(self):
        """The arguments that are handed over; None for all."""
        if any(b.has("rest") for b in self.bindings()):
            return None
        return [a for b in self.bindings() for a in b.arrays]

    def fitted(self, case, plain):
        """The case as the submission can be given it. Raises PassOverError with the reason where it cannot."""
        case = self.layout.narrow(case)
        if case is None:
            raise PassOverError(f"takes {self.layout.words}")
        case = self._without_affine(case)
        self._check_arrays(case)
        case = self._with_own_constants(case, plain)
        full = self.standard.full_settings(case)
        default = self.standard.full_settings(plain)
        pool = {"kernel_size", "stride"} <= full.keys() and self.knows("kernel_size")
        if pool and plain.static.get("stride") is None:  # then the stride is the kernel's size
            default["stride"] = full["kernel_size"]
        training = case.static.get("training")
        if training is False and "training" in self.standard.settings and not self.knows("training"):
            raise PassOverError("takes no training=False")
        unknown = [
            key
            for key in self.standard.settings
            if (key in case.static or key in plain.static)
            and not self.knows(key)
            and not (key in OF_EVALUATION and training)
            and key != "training"
            and not _equal(full[key], default[key])
        ]
        padding = full.get("padding")
        if self.valid() and not (isinstance(padding, str) or _equal(padding, 0)):
            raise PassOverError("takes no padding but 'valid' and 'same'")
        if unknown:
            own = {key: f" but {plain.static[key]}" for key in unknown if isinstance(plain.static.get(key), int)}
            raise PassOverError(f"takes no {', '.join(key + own.get(key, '') for key in unknown)}")
        return case

    def _with_own_constants(self, case, plain):
        """The case with the constants that the submission has fixed inside, so that all else of it is checked."""
        full = self.standard.full_settings(plain)
        fixed = {s: full[s] for s in CONSTANTS if s in full and not self.knows(s)}
        fixed = {s: v for s, v in fixed.items() if s != "approximate" or s not in case.static}  # its cases are alike
        others = [s for s in fixed if s in case.static and not _equal(case.static[s], fixed[s])]
        label = "".join([case.label, *(f", its own {s}" for s in others)])
        return replace(case, label=label, static=case.static | fixed) if fixed else case

    def _check_arrays(self, case):
        takes = self.takes()
        if takes is None or self.standard.variadic:
            return
        given = self.standard.arguments[: len(case.arrays)]
        for argument in given:
            if argument in self.left_out() and argument not in self.held_constant():
                raise PassOverError(f"takes no {argument}")
        for binding in self.bindings():
            for slot in binding.slots:
                if slot.role != "array" or slot.what in given or slot.what in self.flagged():
                    continue
                if slot.parameter.required:
                    own = slot.parameter.name
                    raise PassOverError(
                        f"needs {own}, also where there is no {slot.what}: write {own}=None to take these"
                    )

    def supplies(self, argument):
        """Whether an argument reaches the submission in another way than by a parameter."""
        return False

    def left_out(self):
        """The arguments that the submission takes nowhere."""
        takes = self.takes()
        if takes is None or self.standard.variadic:
            return []
        return [a for a in self.standard.arguments if a not in takes and not self.supplies(a)]

    def held_constant(self):
        """γ and β of a norm that has none: they are 1 and 0, and have no gradient."""
        left_out = self.left_out()
        return left_out if self.standard.is_op and set(left_out) <= self._neutral().keys() else []

    def _neutral(self):
        return NEUTRAL.get(self.standard.name, {})

    def _without_affine(self, case):
        """With γ = 1 and β = 0 where the submission takes neither, and without a bias where it takes none."""
        given = self.standard.arguments[: len(case.arrays)]
        missing = [a for a in self.left_out() if a in given]
        if not missing:
            return case
        if self.held_constant():
            arrays = [self._neutral()[n](a) if n in missing else a for n, a in zip(given, case.arrays)]
            return Case(f"{case.label}, γ = 1, β = 0", tuple(arrays), case.static, case.convention)
        if set(missing) <= self.standard.optional and given[-len(missing) :] == missing:
            kept = case.arrays[: len(given) - len(missing)]
            label = case.label.removesuffix(f", {missing[-1]}")
            return Case(f"{label}, without {' and '.join(missing)}", kept, case.static, case.convention)
        return case

    # ---- what is given

    def values(self, case, *, dy=None, cache=None, y=None):
        """slot -> what goes there."""
        full = self.standard.full_settings(case)
        arrays = {name: self.layout.given(name, a, case) for name, a in zip(self.standard.arguments, case.arrays)}

        off = self.off(case)

        def of(setting, name=""):
            value = full[setting]
            if setting == "p" and names.is_kept(name):
                return 1 - value
            if isinstance(value, np.ndarray):
                return self.layout.given(setting, value, case)
            if setting == "padding" and (valid := self.valid()):
                return valid if value != "same" else value.upper() if valid.isupper() else value
            if self.pairs and type(value) is int and setting in ("stride", "padding", "dilation", "kernel_size"):
                return value, value
            return value

        def value(slot):
            if slot.role == "flag":
                return not off.issuperset(slot.what)
            if slot.role == "array" and slot.what in off:
                return self.layout.given(slot.what, switched_off(self.standard, slot.what, case), case)
            if slot.role == "array":
                return arrays.get(slot.what, REQUIRED if not slot.parameter.required else None)
            if slot.role == "setting":
                return of(slot.what, slot.parameter.name)
            if slot.role == "default":
                return REQUIRED
            if slot.role == "half":
                return _both(full[slot.what[0]])[slot.what[1]]
            if slot.role == "mode":
                return "train" if full["training"] else "test"
            if slot.role == "dict":
                return {
                    key: _entry(self.standard, key, setting, of(setting, key), full)
                    for setting, keys in self.keys.items()
                    for key in keys
                    if of(setting) is not REQUIRED
                }
            if slot.role == "rest":
                return [
                    a for name, a in zip(argument_names(self.standard, case), case.arrays) if name not in self._named()
                ]
            if slot.role == "all":
                named = {s.what for b in self.bindings() for s in b.slots if s.role == "setting"}
                return {key: v for key, v in case.static.items() if key not in named}
            if slot.role == "size":
                return size_of_layer(slot, case)
            return {"upstream": dy, "cache": cache, "output": y, "rate": RATE}[slot.role]

        return value

    def _named(self):
        return {s.what for b in self.bindings() for s in b.slots if s.role == "array"}

    def dy(self, dy):
        """dy as the submission has it."""
        return np.array(self.layout.output.there(dy), order="C")

    def y(self, value, case, right):
        """The y of an answer, as the op has it; a loss may have axes of length 1. Raises NotDoneError or WrongError."""
        y = number(value, "y")
        if right is None and y.size > MOST:
            raise WrongError(f"y has shape {y.shape}: it has more than {MOST} elements")
        if right is not None and too_large(y, right):
            raise WrongError(f"y has shape {y.shape}, that of {self.standard.name} is {right.shape}")
        if isinstance(value, list) and y.size == 0 == np.size(right):  # a list of nothing has no other axes
            return np.zeros(right.shape)
        if right is not None and not right.ndim and y.ndim and y.size == 1:
            self.form = f"its number as an array of shape {y.shape}"
            return y.reshape(())
        return self.layout.output.back(y, right) if y.ndim or np.ndim(right) else y

    def gradients(self, answer, case, order):
        """{argument: array or None} of what a backward gave. Raises NotDoneError where it gave none at all."""
        arrays = dict(zip(argument_names(self.standard, case), case.arrays))
        shapes = self.gradient_shapes(case)
        given = read_gradients(self.standard, answer, list(order or shapes), shapes, self.own_names())
        if shapes and all(g is None for g in given.values()):
            raise NotDoneError("the backward gives no gradient")
        for name, g in given.items():
            if isinstance(g, np.ndarray) and too_large(g, arrays[name]):
                own = self.own_names().get(name, name)
                raise WrongError(f"the backward gives a gradient of shape {g.shape} for {own} of shape {shapes[name]}")
        return {
            name: self.layout.returned(name, g, arrays[name]) if isinstance(g, np.ndarray) else g
            for name, g in given.items()
        }

    def gradient_shapes(self, case):
        """{argument: shape of its gradient, as the submission has it}"""
        return {
            name: np.shape(self.layout.given(name, a, case))
            for name, a in zip(argument_names(self.standard, case), case.arrays)
            if a.dtype.kind == "f" and name not in self.held_constant() and name not in self.standard.unasked
        }

    def order(self):
        """The arguments in the order in which the submission takes them."""
        return None

    def report(self, changed, binding):
        """The names of given arrays that a call changed in place, as the submission calls them."""
        named = []
        positional = [s for s in binding.slots if s.parameter.kind == "positional"]
        for place in changed:
            slot = positional[place] if isinstance(place, int) and 0 <= place < len(positional) else None
            if isinstance(place, str):
                slot = next((s for s in binding.slots if s.parameter.name == place), None)
            if slot is None:
                named.append(f"argument {place}" if isinstance(place, int) else place)
            elif slot.role in ("array", "upstream", "output"):
                own = slot.parameter.name
                named.append(Upstream(own) if slot.role == "upstream" else own)
        return named


def too_large(g, right):
    """Whether an array has far more elements or axes than it should, so that nothing may be computed of it.

    An axis of length 0 counts as one of length 1, because a sum over it leaves all others.
    """
    return math.prod(n or 1 for n in g.shape) > 1000 + 16 * np.size(right) or g.ndim > np.ndim(right) + MORE_AXES


def _equal(a, b):
    """Whether two settings say the same: 2 and (2, 2), None and None, equal arrays."""
    try:
        return bool(np.all(np.equal(a, b)))
    except (TypeError, ValueError):  # of what is no number, or has another shape
        return a is b or (not isinstance(a, np.ndarray) and not isinstance(b, np.ndarray) and a == b)


def _both(value):
    return value if isinstance(value, (tuple, list)) else (value, value)


def _entry(standard, key, setting, value, full):
    """What stands under a key of a dict of settings."""
    half = names.HALVES.get(names.plain(key))
    if names.plain(key) == names.MODE:
        return "train" if full["training"] else "test"
    return _both(value)[half[1]] if half and half[0] == setting else value
