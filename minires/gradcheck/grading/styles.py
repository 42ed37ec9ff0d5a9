"""The ways in which people write a forward and a backward, each as a plan: how to call it, and how to read its answer.

    closure     f(x, w, b, stride=1) -> (y, backward)                    as an op
    alone       f_backward(dy, x, w, b, stride=1) -> (dx, dw, db)        dy may be called dout, or come last
    pair        f_forward(x, w, b, conv_param) -> (y, cache), f_backward(dout, cache)
    loss        f(x, target) -> (loss, dx)                               for a dy of 1
    layer       a class with forward and backward, its arrays given to it or set, its gradients returned or kept

A plan is found by the names of the parameters (names.py) and tried on a plain case (judge.py). It gives each submission
what it asks for and nothing else; a case with a setting that the submission does not know is passed over.
"""

import ast
import itertools
from dataclasses import dataclass, field

import numpy as np

from minires.gradcheck.cases import Case
from minires.gradcheck.grading import names
from minires.gradcheck.grading.face import Handle
from minires.gradcheck.grading.layouts import Layout, layouts_of
from minires.gradcheck.grading.standard import REQUIRED

# What decides nothing in training; and that a function without `training` is meant for training.
OF_EVALUATION = ("running_mean", "running_var", "momentum")
NEUTRAL = {"weight": np.ones_like, "gamma": np.ones_like, "bias": np.zeros_like, "beta": np.zeros_like}
# What a dict of settings holds, where its keys are not seen in the source, as in f(x, **params)
USUAL_KEYS = {
    "conv2d": ("stride", "pad"),
    "max_pool2d": ("pool_height", "pool_width", "stride"),
    "avg_pool2d": ("pool_height", "pool_width", "stride"),
    "batch_norm": ("mode", "eps", "momentum", "running_mean", "running_var"),
    "dropout": ("mode", "p"),
    "layer_norm": ("eps",),
    "group_norm": ("eps",),
}


class FormError(Exception):
    """A matter of form: the submission could not be called, or its answer not be read."""


class NotDoneError(Exception):
    """A blank: nothing is computed yet."""


class WrongError(Exception):
    """An answer that is wrong as it is, before any number is compared."""


class PassOverError(Exception):
    """A case that this submission cannot take."""


# ---- which parameter is what


@dataclass(frozen=True)
class Slot:
    """A parameter and what goes there: an array, setting, half of one, mode, dict, upstream, cache, output, size, …"""

    parameter: object
    role: str
    what: object = None


@dataclass(frozen=True)
class Binding:
    """The slots of one function."""

    slots: list

    @property
    def arrays(self):
        """The arguments in the submission's own order."""
        return [slot.what for slot in self.slots if slot.role == "array"]

    def has(self, role):
        return any(slot.role == role for slot in self.slots)

    def knows(self, setting, keys):
        """Whether a setting is handed over."""
        for slot in self.slots:
            if slot.role == "all" or (slot.role == "setting" and slot.what == setting):
                return True
            if slot.role == "half" and slot.what[0] == setting:
                return True
            if slot.role == "mode" and setting == "training":
                return True
            if slot.role == "dict" and setting in keys:
                return True
            if slot.role == "size" and slot.what == "kernel_size" and setting == "kernel_size":
                return True
        return False

    def arguments(self, value):
        """(args, kwargs); value(slot) is what goes there, or REQUIRED where the default is to stay."""
        args, kwargs = [], {}
        skipped = False
        for slot in self.slots:
            given = value(slot)
            if slot.role == "rest":
                args += given
            elif slot.role == "all":
                kwargs |= given
            elif given is REQUIRED:
                if slot.parameter.required:
                    raise PassOverError(f"wants {slot.parameter.name}")
                skipped = True
            elif slot.parameter.kind == "positional" and not skipped:
                args.append(given)
            else:
                kwargs[slot.parameter.name] = given
        return args, kwargs


def bind(standard, parameters, *, roles=(), upstream=None, taken=(), sizes=False):
    """The Binding of a function's parameters. Raises FormError for one that is needed and that nothing is known of.

    roles: which of "cache", "output" may occur; upstream: the position of dy, if one is given; taken: arguments that
    another function has already; sizes: whether they may be the sizes of a layer.
    """
    free = [a for a in standard.arguments if a not in taken]
    slots = []
    for k, p in enumerate(parameters):
        short = names.plain(p.name)
        slot = None
        if p.kind in ("*", "**"):
            slot = Slot(p, "rest" if p.kind == "*" else "all")
        elif k == upstream:
            slot = Slot(p, "upstream")
        elif "cache" in roles and short in names.CACHE:
            slot = Slot(p, "cache")
        elif (
            p.kind == "positional"
            and (a := names.array_of(standard, p.name)) in free
            and not _setting_first(standard, p, a)
        ):
            slot = Slot(p, "array", a)
        elif (setting := names.setting_of(standard, p.name)) is not None and not (
            sizes and names.size_of(p.name) and isinstance(setting, str) and setting not in (p.name, "kernel_size")
        ):
            slot = Slot(p, "half" if isinstance(setting, tuple) else "setting", setting)
        elif short == names.MODE and "training" in standard.settings:
            slot = Slot(p, "mode")
        elif names.is_dict_of_settings(p.name):
            slot = Slot(p, "dict")
        elif sizes and short in names.SETTINGS["kernel_size"].split() and "kernel_size" not in standard.settings:
            slot = Slot(p, "size", "kernel_size")
        elif sizes and names.size_of(p.name):
            slot = Slot(p, "size", names.size_of(p.name))
        elif "output" in roles and short in names.OUTPUT:
            slot = Slot(p, "output")
        if slot and slot.role == "array":
            free.remove(slot.what)
        slots.append(slot or Slot(p, "unknown"))
    return Binding(_by_position(standard, slots, free, roles, sizes))


def _setting_first(standard, parameter, argument):
    """Whether a name that may be an array's or a setting's is the setting's: `size=2`, `k=2`."""
    setting = names.setting_of(standard, parameter.name)
    exact = parameter.name == argument
    return setting is not None and not exact and not parameter.required and parameter.default is not None


def _by_position(standard, slots, free, roles, sizes):
    """Give unknown parameters the arguments that are left, in their order; leave out those that have a default."""
    found = []
    for slot in slots:
        p = slot.parameter
        if slot.role == "unknown":
            may_be_array = p.kind == "positional" and (p.required or p.default is None)
            if may_be_array and free and not sizes:
                slot = Slot(p, "array", free.pop(0))
            elif "cache" in roles and p.required:
                slot = Slot(p, "cache")
            elif p.required:
                raise FormError(f"nothing is known to give to its parameter {p.name!r}")
            else:
                continue
        found.append(slot)
    return found


def keys_of(standard, source):
    """{setting: [keys]} that the source takes out of dicts: d["stride"], d.get("pad"), "mode" in d."""
    said = set()
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        tree = ast.Module([], [])
    for node in ast.walk(tree):
        candidates = []
        if isinstance(node, ast.Subscript):
            candidates = [node.slice]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("get", "pop", "setdefault"):
            candidates = node.args[:1]
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.In, ast.NotIn)):
            candidates = [node.left]
        said |= {c.value for c in candidates if isinstance(c, ast.Constant) and isinstance(c.value, str)}
    found = _by_setting(standard, sorted(said))
    return found or _by_setting(standard, USUAL_KEYS.get(standard.name, standard.settings))


def _by_setting(standard, keys):
    found = {}
    for key in keys:
        setting = names.setting_of(standard, key)
        if names.plain(key) == names.MODE and "training" in standard.settings:
            found.setdefault("training", []).append(key)
        elif setting is not None:
            found.setdefault(setting if isinstance(setting, str) else setting[0], []).append(key)
    return found


# ---- plans

OWN = Layout()


@dataclass
class Attempt:
    """One forward: y as the op has it (None if there is no forward), what it changed, and the way back."""

    y: object
    backward: object  # dy -> (answer of the submission, [what it changed in place])
    changed: list = field(default_factory=list)


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

    def bindings(self):
        """All functions that are handed something of a case."""
        return []

    def said(self):
        """What was recognised, in words."""
        said = [w for w in (self.words, self.layout.words) if w]
        return ", ".join(said)

    # ---- which cases

    def knows(self, setting):
        return any(b.knows(setting, self.keys) for b in self.bindings())

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
        default = self.standard.full_settings(plain)
        full = self.standard.full_settings(case)
        training = case.static.get("training")
        if training is False and "training" in self.standard.settings and not self.knows("training"):
            raise PassOverError("takes no training=False")
        unknown = [
            key
            for key in case.static
            if not self.knows(key)
            and not _equal(full[key], default[key] if plain.static else self.standard.settings[key])
            and not (key in OF_EVALUATION and training)
            and key != "training"
        ]
        if unknown:
            raise PassOverError(f"takes no {', '.join(unknown)}")
        return case

    def _check_arrays(self, case):
        takes = self.takes()
        if takes is None or self.standard.variadic:
            return
        given = self.standard.arguments[: len(case.arrays)]
        for argument in given:
            if argument not in takes and not self.supplies(argument):
                raise PassOverError(f"takes no {argument}")
        for binding in self.bindings():
            for slot in binding.slots:
                if slot.role == "array" and slot.what not in given and slot.parameter.required:
                    raise PassOverError(f"wants {slot.parameter.name}, a {slot.what}")

    def supplies(self, argument):
        """Whether an argument reaches the submission in another way than by a parameter."""
        return False

    def _without_affine(self, case):
        """With γ = 1 and β = 0 where the submission takes neither, and without a bias where it takes none."""
        takes = self.takes()
        if takes is None or self.standard.variadic:
            return case
        given = self.standard.arguments[: len(case.arrays)]
        left_out = [a for a in given if a not in takes and not self.supplies(a)]
        if not left_out:
            return case
        arrays = dict(zip(given, case.arrays))
        if set(left_out) <= self.standard.optional and given[-len(left_out) :] == left_out:
            words = f"without {' and '.join(left_out)}" if case.label == "plain" else ""
            if words or len(left_out) > 1:
                kept = case.arrays[: len(given) - len(left_out)]
                return Case(f"{case.label}, without {' and '.join(left_out)}", kept, case.static, case.convention)
            return case
        if set(left_out) <= NEUTRAL.keys() and "norm" in self.standard.name:
            for name in left_out:
                arrays[name] = NEUTRAL[name](arrays[name])
            return Case(f"{case.label}, γ = 1, β = 0", tuple(arrays.values()), case.static, case.convention)
        return case

    # ---- what is given

    def values(self, case, *, dy=None, cache=None, y=None):
        """slot -> what goes there."""
        full = self.standard.full_settings(case)
        arrays = {name: self.layout.given(name, a, case) for name, a in zip(self.standard.arguments, case.arrays)}

        def of(setting):
            value = full[setting]
            if self.pairs and type(value) is int and setting in ("stride", "padding", "dilation", "kernel_size"):
                return value, value
            return value

        def value(slot):
            if slot.role == "array":
                return arrays.get(slot.what, REQUIRED if not slot.parameter.required else None)
            if slot.role == "setting":
                return of(slot.what)
            if slot.role == "half":
                return _both(full[slot.what[0]])[slot.what[1]]
            if slot.role == "mode":
                return "train" if full["training"] else "test"
            if slot.role == "dict":
                return {
                    key: _entry(self.standard, key, setting, of(setting), full)
                    for setting, keys in self.keys.items()
                    for key in keys
                    if of(setting) is not REQUIRED
                }
            if slot.role == "rest":
                return [a for name, a in zip(_all_names(self.standard, case), case.arrays) if name not in self._named()]
            if slot.role == "all":
                named = {s.what for b in self.bindings() for s in b.slots if s.role == "setting"}
                return {key: v for key, v in case.static.items() if key not in named}
            if slot.role == "size":
                return _size(slot, case)
            return {"upstream": dy, "cache": cache, "output": y}[slot.role]

        return value

    def _named(self):
        return {s.what for b in self.bindings() for s in b.slots if s.role == "array"}

    def dy(self, dy):
        """dy as the submission has it."""
        return np.ascontiguousarray(self.layout.output.there(dy)).reshape(np.shape(self.layout.output.there(dy)))

    def y(self, value, case, right):
        """The y of an answer, as the op has it. Raises NotDoneError or WrongError."""
        y = number(value, "y")
        return self.layout.output.back(y, right) if y.ndim or right.ndim else y

    def gradients(self, answer, case, order):
        """{argument: array or None} of what a backward gave."""
        wanted = [name for name, a in zip(_all_names(self.standard, case), case.arrays) if a.dtype.kind == "f"]
        given = read_gradients(self.standard, answer, list(order or wanted), wanted)
        arrays = dict(zip(_all_names(self.standard, case), case.arrays))
        return {
            name: self.layout.returned(name, g, arrays[name]) if isinstance(g, np.ndarray) else g
            for name, g in given.items()
        }

    def order(self):
        """The arguments in the order in which the submission takes them."""
        return None

    def report(self, changed, binding, skipped=()):
        """The names of given arrays that a call changed in place, as the submission calls them."""
        named = []
        positional = [s for s in binding.slots if s.parameter.kind == "positional"]
        for place in changed:
            slot = positional[place] if isinstance(place, int) and place < len(positional) else None
            if isinstance(place, str):
                slot = next((s for s in binding.slots if s.parameter.name == place), None)
            if slot is None:
                named.append(f"argument {place}" if isinstance(place, int) else place)
            elif slot.role in ("array", "upstream", "output") and slot.what not in skipped:
                named.append(slot.parameter.name)
        return named


@dataclass
class ClosurePlan(Plan):
    """f(arrays, settings) -> (y, backward); or (loss, dx), for a dy of 1."""

    name: str = ""
    forward: Binding = None
    backward_name: str = ""

    def bindings(self):
        return [self.forward]

    def order(self):
        return self.forward.arrays or None

    def start(self, child, case, right):
        args, kwargs = self.forward.arguments(self.values(case))
        returned = child.call(self.name, args, kwargs)
        value = returned.value
        changed = self.report(returned.changed, self.forward)
        blank(value, self.name)
        if isinstance(value, (tuple, list)) and len(value) == 2 and isinstance(value[1], Handle) and value[1].callable:
            self.words, self.unit = "(y, backward)", False
            y = self.y(value[0], case, right)

            def backward(dy):
                again = child.call(value[1], [self.dy(dy)])
                return again.value, ["dy"] if again.changed else []

            return Attempt(y, backward, changed)
        if isinstance(value, (tuple, list)) and len(value) >= 2 and not right.ndim and _is_number(value[0]):
            self.words, self.unit, self.again = "(loss, gradients)", True, False
            rest = value[1] if len(value) == 2 else tuple(value[1:])
            return Attempt(self.y(value[0], case, right), lambda dy: (rest, []), changed)
        if isinstance(value, (tuple, list)) and len(value) == 2 and value[1] is None:
            blank(value[1], "the backward")
        raise FormError(_unread(value, self.name))


def blank(value, what):
    """Raise NotDoneError for what a blank gives."""
    if value is None or value is Ellipsis or value is NotImplemented:
        raise NotDoneError(f"{what} gives {'None' if value is None else value!r}")
    inside = list(value.values()) if isinstance(value, dict) else value
    if isinstance(inside, (tuple, list)) and inside and all(v is None or v is Ellipsis for v in inside):
        raise NotDoneError(f"{what} gives {', '.join('None' if v is None else '...' for v in inside)}")


def number(value, what):
    """An array of numbers."""
    blank(value, what)
    if isinstance(value, (bool, int, float, complex)):
        value = np.asarray(float(value) if not isinstance(value, complex) else value)
    if isinstance(value, (list, tuple)):
        try:
            value = np.asarray(value)
        except ValueError:
            value = None
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "biufc":
        raise WrongError(f"{what} is {kind_of(value)}, no array")
    return value


def kind_of(value):
    """A value in words."""
    if isinstance(value, Handle):
        return f"a {value.type}"
    if isinstance(value, (tuple, list)):
        return f"({', '.join(kind_of(v).removeprefix('an ').removeprefix('a ') for v in value)})"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    return "None" if value is None else f"a {type(value).__name__}"


def _unread(value, name):
    if isinstance(value, (np.ndarray, int, float)):
        return (
            f"{name} gives one array and no way back: return (y, backward), or name both functions, "
            f"FILE:{name},{name}_backward"
        )
    return (
        f"{name} gives {kind_of(value)}; return (y, backward), backward a function of dy, or name both functions, "
        f"FILE:FORWARD,BACKWARD"
    )


def read_gradients(standard, answer, order, wanted):
    """{argument: array or None}. Raises NotDoneError where nothing is given, WrongError for what is no gradient."""
    blank(answer, "the backward")
    if isinstance(answer, dict):
        found = {}
        for key, value in answer.items():
            argument = names.gradient_of(standard, key)
            if argument is not None:
                found[argument] = value
        if not found:
            raise FormError(f"its gradients are called {', '.join(answer)}; call them dx, dw, db, or return a tuple")
        return {name: _gradient(found.get(name), name) for name in wanted}
    values = list(answer) if isinstance(answer, (tuple, list)) else [answer]
    if len(values) > 1 and isinstance(values[-1], dict):
        merged = read_gradients(standard, values.pop(), order, wanted)
        first = dict(zip([a for a in order if a in wanted], values))
        return merged | {name: _gradient(g, name) for name, g in first.items()}
    if isinstance(answer, list) and values and all(isinstance(v, (int, float)) for v in values):
        values = [np.asarray(answer)]
    known = [a for a in order if a in wanted] + [a for a in wanted if a not in order]
    if len(values) > len(known):
        full = list(order) + [a for a in standard.arguments if a not in order]
        known = full if len(values) <= len(full) else known
    if any(v is not None for v in values[len(known) :]):
        raise WrongError(
            f"the backward returns {len(values)} gradients for {len(known)} arguments ({', '.join(known)})"
        )
    found = dict(zip(known, values))
    return {name: _gradient(found.get(name), name) for name in wanted}


def _gradient(value, name):
    return None if value is None else number(value, f"the gradient for {name}")


def _all_names(standard, case):
    return (
        [f"{standard.arguments[0]}[{k}]" for k in range(len(case.arrays))] if standard.variadic else standard.arguments
    )


def _equal(a, b):
    try:
        return bool(np.array_equal(np.broadcast_arrays(a, b)[0], np.broadcast_arrays(a, b)[1]))
    except (TypeError, ValueError):
        return a is b or a == b


def _both(value):
    return value if isinstance(value, (tuple, list)) else (value, value)


def _entry(standard, key, setting, value, full):
    """What stands under a key of a dict of settings."""
    half = names.HALVES.get(names.plain(key))
    if names.plain(key) == names.MODE:
        return "train" if full["training"] else "test"
    return _both(value)[half[1]] if half and half[0] == setting else value


def _size(slot, case):
    """A size of a layer, by the shapes of its arrays."""
    x, *rest = case.arrays
    w = rest[0] if rest else None
    if slot.what == "kernel_size":
        return w.shape[2] if w.shape[2] == w.shape[3] else w.shape[2:]
    if slot.what == "out":
        return w.shape[0] if w is not None else x.shape[1]
    if w is not None and w.ndim >= 2:
        return w.shape[1]
    return w.shape[0] if w is not None else x.shape[1]


def _is_number(value):
    return isinstance(value, (int, float)) or (isinstance(value, np.ndarray) and value.ndim == 0)


@dataclass
class AlonePlan(Plan):
    """A backward that is given the arrays of its forward, and dy."""

    name: str = ""
    backward: Binding = None
    has_forward: bool = False
    words: str = "a backward alone"

    def bindings(self):
        return [self.backward]

    def supplies(self, argument):
        return self.backward.has("output")  # y says all that is needed of x

    def order(self):
        return self.backward.arrays or None

    def start(self, child, case, right):
        y = self.layout.output.there(right)

        def backward(dy):
            args, kwargs = self.backward.arguments(self.values(case, dy=self.dy(dy), y=y))
            returned = child.call(self.name, args, kwargs)
            return returned.value, self.report(returned.changed, self.backward)

        return Attempt(None, backward)


@dataclass
class PairPlan(Plan):
    """A forward that gives (y, cache), or y alone, and a backward that is given dy and the cache, or the arrays."""

    name: str = ""
    forward: Binding = None
    backward_name: str = ""
    backward: Binding = None
    again: bool = False

    def bindings(self):
        return [self.forward] if self.backward.has("cache") else [self.forward, self.backward]

    def takes(self):
        return None if self.forward.has("rest") else list(self.forward.arrays)

    def order(self):
        return self.backward.arrays or self.forward.arrays or None

    def start(self, child, case, right):
        args, kwargs = self.forward.arguments(self.values(case))
        returned = child.call(self.name, args, kwargs)
        changed = self.report(returned.changed, self.forward)
        value = returned.value
        blank(value, self.name)
        cache = None
        if isinstance(value, (tuple, list)) and len(value) >= 2:
            cache = value[1] if len(value) == 2 else type(value)(value[1:])
            value = value[0]
        elif self.backward.has("cache"):
            raise FormError(f"{self.name} gives {kind_of(value)}: return (y, cache), for {self.backward_name} takes it")
        y = self.y(value, case, right)
        self.words = "(y, cache)" if self.backward.has("cache") else "a forward and a backward"
        theirs = self.layout.output.there(y)

        def backward(dy):
            args, kwargs = self.backward.arguments(
                self.values(case, dy=None if self.unit else self.dy(dy), cache=cache, y=theirs)
            )
            returned = child.call(self.backward_name, args, kwargs)
            return returned.value, self.report(returned.changed, self.backward)

        return Attempt(y, backward, changed)


@dataclass
class LayerPlan(Plan):
    """A class with forward and backward, or one object of it: arrays given or set, gradients returned or kept."""

    name: str = ""
    made: Binding = None  # of __init__; None for an object that is there
    forward: Binding = None
    backward: Binding = None
    calls: tuple = ("forward", "backward")
    methods: frozenset = frozenset()
    again: bool = False
    words: str = "a class with forward and backward"
    layer: object = None

    def bindings(self):
        return [b for b in (self.made, self.forward) if b]

    def supplies(self, argument):
        return True  # by an attribute, of which start() knows more

    def knows(self, setting):
        return super().knows(setting) or (setting == "training" and bool(self.methods & {"train", "eval"}))

    def order(self):
        return self.forward.arrays if len(self.forward.arrays) > 1 else None

    def takes(self):
        return None

    def start(self, child, case, right):
        value = self.values(case)
        if self.made is None:
            child.describe(self.name)
            obj = self.name
        else:
            args, kwargs = self.made.arguments(value)
            obj = child.call(self.name, args, kwargs).value
            if not isinstance(obj, Handle):
                raise FormError(f"{self.name}() gives {kind_of(obj)}, no layer")
        self._set(child, obj, case)
        args, kwargs = self.forward.arguments(value)
        returned = child.call(obj, args, kwargs, method=self.calls[0])
        changed = self.report(returned.changed, self.forward)
        y = returned.value
        if isinstance(y, (tuple, list)) and y and isinstance(y[0], np.ndarray):
            y = y[0]
        y = self.y(y, case, right)

        def backward(dy):
            args, kwargs = self.backward.arguments(self.values(case, dy=None if self.unit else self.dy(dy), y=y))
            returned = child.call(obj, args, kwargs, method=self.calls[1])
            return self._kept(child, obj, returned.value, case), ["dy"] if returned.changed else []

        return Attempt(y, backward, changed)

    def _set(self, child, obj, case):
        """Give the layer what neither its constructor nor its forward takes."""
        given = {n: self.layout.given(n, a, case) for n, a in zip(self.standard.arguments, case.arrays)}
        missing = [n for n in given if all(n not in b.arrays for b in self.bindings()) and not self.forward.has("rest")]
        if len(missing) == len(given) - 0 and not missing:
            return
        full = self.standard.full_settings(case)
        attributes = child.attributes(obj) if isinstance(obj, Handle) else []
        wanted = {n: given[n] for n in missing}
        for attribute in attributes:
            argument = names.array_of(self.standard, attribute)
            setting = names.setting_of(self.standard, attribute)
            if argument in wanted:
                here = child.get(obj, attribute)
                if isinstance(here, Handle):
                    inside = next((n for n in child.attributes(here) if names.plain(n) in ("data", "value")), None)
                    if inside is None:
                        continue
                    child.set(here, inside, wanted.pop(argument))
                elif here is None or isinstance(here, np.ndarray):
                    like = wanted.pop(argument)
                    child.set(obj, attribute, like)
            elif isinstance(setting, str) and not any(b.knows(setting, self.keys) for b in self.bindings()):
                if full[setting] is not REQUIRED and (setting in case.static or setting == "training"):
                    child.set(obj, attribute, full[setting])
            elif names.plain(attribute) in ("params", "parameters", "weights"):
                here = child.get(obj, attribute)
                if isinstance(here, dict):
                    for key in here:
                        if names.array_of(self.standard, key) in wanted:
                            here[key] = wanted.pop(names.array_of(self.standard, key))
                    child.set(obj, attribute, here)
        if self.methods & {"train", "eval"} and "training" in full and not _knows_training(self):
            method = "train" if full["training"] else "eval"
            if method in self.methods:
                child.call(obj, method=method)
        for argument in wanted:
            if argument in self.standard.optional and argument != self.standard.arguments[0] and case.label != "plain":
                raise PassOverError(f"has no place for {argument}")
            raise FormError(
                f"{self.name} takes no {argument}, and has no attribute of such a name to set: its attributes are "
                f"{', '.join(attributes) or 'none'}"
            )

    def _kept(self, child, obj, answer, case):
        """The gradients that are returned, and those that the layer keeps as dw, db, grads["W"] or W.grad."""
        wanted = [n for n, a in zip(_all_names(self.standard, case), case.arrays) if a.dtype.kind == "f"]
        blank_answer = answer is None or (isinstance(answer, (tuple, list)) and all(v is None for v in answer))
        try:
            found = {} if answer is None else read_gradients(self.standard, answer, self.order() or wanted, wanted)
        except NotDoneError:
            found = {}
        missing = [n for n in wanted if found.get(n) is None]
        if missing and isinstance(obj, Handle):
            found |= self._in_attributes(child, obj, missing)
        if blank_answer and not any(v is not None for v in found.values()):
            raise NotDoneError(f"{self.calls[1]} gives None, and keeps no gradient")
        return {n: found.get(n) for n in wanted}

    def _in_attributes(self, child, obj, missing):
        found = {}
        for attribute in child.attributes(obj):
            argument = names.gradient_of(self.standard, attribute, marked=True)
            if names.plain(attribute) in ("grads", "grad", "gradients"):
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


def _knows_training(plan):
    return any(b.knows("training", plan.keys) for b in plan.bindings())


# ---- all plans of a submission

BACKWARDS = ("backward", "bwd", "backprop", "grad", "vjp", "bprop", "derivative", "back")
FORWARDS = ("forward", "fwd", "fprop")


def partner_of(name, defined):
    """The backward that belongs to a forward of this name, or the forward to a backward; "" if there is none."""
    swaps = [("forward", "backward"), ("fwd", "bwd"), ("fprop", "bprop"), ("Forward", "Backward")]
    for a, b in swaps + [(b, a) for a, b in swaps]:
        if a in name and name.replace(a, b) in defined:
            return name.replace(a, b)
    return next((name + end for end in ("_backward", "_bwd", "_grad") if name + end in defined), "")


def looks_backward(name):
    return any(word in name.lower() for word in BACKWARDS)


def plans(standard, targets, described, defined, source):
    """All Plans of the functions or the class that are named, likely ones first; and why others cannot be.

    targets: the names; described: {name: Described}; defined: names in the file; source: its text.
    """
    keys = keys_of(standard, source)
    found, reasons = [], []

    def attempt(make):
        try:
            found.extend(make())
        except FormError as error:
            reasons.append(str(error))

    first = described[targets[0]]
    if len(targets) == 2:
        attempt(lambda: _pairs(standard, keys, targets, described))
    elif first.kind == "class" or (first.kind == "object" and _methods_of(first)):
        attempt(lambda: _layers(standard, keys, targets[0], first))
    else:
        name = targets[0]
        partner = partner_of(name, defined)
        ways = [lambda: _closures(standard, keys, name, first)]
        if looks_backward(name) or any(names.plain(p.name) in names.UPSTREAM for p in first.parameters):
            ways.append(lambda: _alone(standard, keys, name, first))
        if looks_backward(name) or _names_dy(first.parameters):
            ways.reverse()
        if partner and partner in described and described[partner].kind == "function":
            pair = (partner, name) if looks_backward(name) else (name, partner)
            ways.insert(
                1 if looks_backward(name) and not _has_cache(first.parameters) else 0,
                lambda: _pairs(standard, keys, pair, described),
            )
        for way in ways:
            attempt(way)
    return found, list(dict.fromkeys(reasons))


def _names_dy(parameters):
    ends = [parameters[0], parameters[-1]] if parameters else []
    clear = set(names.UPSTREAM) - set(names.UNCLEAR)
    return any(names.plain(p.name) in clear for p in ends)


def _has_cache(parameters):
    return any(names.plain(p.name) in names.CACHE for p in parameters)


def _methods_of(described):
    """(forward's name, backward's name) of a layer, or ()."""
    forward = next((m for m in ("forward", "fprop", "__call__", "call") if m in described.methods), "")
    backward = next((m for m in ("backward", "bprop", "back", "backprop") if m in described.methods), "")
    return (forward, backward) if forward and backward else ()


def _upstreams(parameters):
    """The positions at which dy may be: that with its name, else the first or the last."""
    named = [k for k, p in enumerate(parameters) if names.plain(p.name) in names.UPSTREAM and p.kind != "**"]
    clear = [k for k in named if names.plain(parameters[k].name) not in names.UNCLEAR]
    positional = [k for k, p in enumerate(parameters) if p.kind == "positional" and p.required]
    ends = [k for k in (positional[:1] + positional[-1:]) if k not in named]
    return list(dict.fromkeys((clear or named) + ([] if clear else ends)))


def _laid_out(standard, make):
    """The plan in each layout, its own first, and with pairs."""
    return [
        make(layout=layout, pairs=pairs)
        for pairs, layout in itertools.product((False, True), layouts_of(standard))
        if not pairs or (not layout.words and {"stride", "kernel_size", "padding"} & standard.settings.keys())
    ]


def _closures(standard, keys, name, described):
    binding = bind(standard, described.parameters)
    return _laid_out(standard, lambda **how: ClosurePlan(standard, keys, name=name, forward=binding, **how))


def _backward_bindings(standard, parameters, roles):
    """Bindings of a backward: dy where it may be."""
    found, reasons = [], []
    unit = [None] if standard.is_op and "reduction" in standard.settings else []
    for upstream in _upstreams(parameters) + unit:
        for more in roles:
            try:
                found.append((upstream, bind(standard, parameters, roles=more, upstream=upstream)))
            except FormError as error:
                reasons.append(error)
    if not found:
        raise reasons[0] if reasons else FormError("no parameter of it takes dy, the gradient with respect to y")
    return found


def _alone(standard, keys, name, described):
    made = []
    for upstream, binding in _backward_bindings(standard, described.parameters, [(), ("output",)]):
        if not binding.arrays and not binding.has("output") and not binding.has("rest"):
            continue
        unit = upstream is None
        words = "gradients alone" if unit else "a backward alone"
        made += _laid_out(
            standard,
            lambda binding=binding, unit=unit, words=words, **how: AlonePlan(
                standard, keys, name=name, backward=binding, unit=unit, words=words, **how
            ),
        )
    if not made:
        raise FormError("it takes no arrays beside dy")
    return made


def _pairs(standard, keys, targets, described):
    forward, backward = targets
    if looks_backward(forward) and not looks_backward(backward):
        forward, backward = backward, forward
    for name in (forward, backward):
        if described[name].kind == "class":
            raise FormError(f"{name} is a class: name it alone, or two functions")
    first = bind(standard, described[forward].parameters)
    made = []
    for upstream, second in _backward_bindings(standard, described[backward].parameters, [("cache",), (), ("output",)]):
        unit = upstream is None
        made += _laid_out(
            standard,
            lambda second=second, unit=unit, **how: PairPlan(
                standard, keys, name=forward, forward=first, backward_name=backward, backward=second, unit=unit, **how
            ),
        )
    return made


def _layers(standard, keys, name, described):
    calls = _methods_of(described)
    if not calls:
        raise FormError(
            f"the class {name} has no methods forward and backward, but {', '.join(described.methods) or 'none'}"
        )
    is_class = described.kind == "class"
    layer = bind(standard, described.parameters, sizes=True) if is_class else None
    taken = layer.arrays if layer else []
    parameters = described.methods[calls[0]]
    forward = bind(standard, parameters, taken=taken)
    back = described.methods[calls[1]]
    made = []
    ways = _backward_bindings(standard, back, [("output",)]) if back else [(None, Binding([]))]
    for upstream, backward in ways:
        made += _laid_out(
            standard,
            lambda backward=backward, upstream=upstream, **how: LayerPlan(
                standard,
                keys,
                name=name,
                made=layer,
                forward=forward,
                backward=backward,
                calls=calls,
                methods=frozenset(described.methods),
                unit=upstream is None,
                interleaved=is_class,
                words="a class with forward and backward" if is_class else "an object with forward and backward",
                **how,
            ),
        )
    return made
