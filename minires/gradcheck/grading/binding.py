"""Which parameter of a submission's function is to be given what: arrays, settings, dicts of settings, dy, a cache."""

import ast
import re
from dataclasses import dataclass

from minires.gradcheck.grading import names
from minires.gradcheck.grading.errors import FormError, PassOverError
from minires.gradcheck.grading.source import nodes_of
from minires.gradcheck.grading.standard import REQUIRED

# What a dict of settings holds beside the keys that are seen in the source, as in f(x, **params)
USUAL_KEYS = {
    "conv2d": ("stride", "pad"),
    "max_pool2d": ("pool_height", "pool_width", "stride"),
    "avg_pool2d": ("pool_height", "pool_width", "stride"),
    "batch_norm": ("mode", "eps", "momentum", "running_mean", "running_var"),
    "dropout": ("mode", "p"),
    "layer_norm": ("eps",),
    "group_norm": ("eps",),
}

COMMENT = re.compile("#.*")
WORD = re.compile(r"[A-Za-z_]\w{2,}")  # shorter names may stand for anything, as d and g
CONSTANT = ("eps", "momentum")  # what a submission may have fixed inside
UNKNOWN = "nothing of {op} is known by the name of its parameter {name!r}"
# What a method has and a function cannot be handed.
OF_CLASSES = {
    "self": "its first parameter is self, and it is no method: leave self out, or name its class, FILE:CLASS",
    "ctx": "its parameter ctx is that of torch.autograd.Function: leave it out, and return (y, backward), or "
    "(y, cache) with a backward (dout, cache)",
}


@dataclass(frozen=True)
class Slot:
    """A parameter, and what goes there: an array, a setting, half of one, mode, flag, dict, upstream, cache, rate, …"""

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
            if slot.role == "all" and (not keys.spelled or setting in keys.spelled):
                return True
            if slot.role == "setting" and slot.what == setting:
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

    def place(self, slot, args, kwargs):
        """The position or name of what a call was given for a slot; None where the default stayed."""
        if slot.parameter.name in kwargs:
            return slot.parameter.name
        position = self.slots.index(slot)
        return position if position < len(args) else None

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

    roles: which of "cache", "output", "rate" may occur, and whether an "unnamed" parameter is a cache. upstream: the
    position of dy, if one is given. taken: arguments that another function has already. sizes: whether they may be the
    sizes of a layer.
    """
    first = parameters[0].name if parameters else ""
    if first in OF_CLASSES and first not in standard.arguments and "cache" not in roles:
        raise FormError(OF_CLASSES[first])
    free = [a for a in standard.arguments if a not in taken]
    if sizes and any(names.size_of(p.name) and p.name not in standard.arguments for p in parameters):
        free = []  # a layer that is told sizes makes its arrays itself
    slots = []
    for k, p in enumerate(parameters):
        short = names.plain(p.name)
        slot = None
        flag = names.flag_of(standard, p)
        if flag:
            slot = Slot(p, "flag", flag)
        elif p.kind in ("*", "**"):
            slot = Slot(p, "rest" if p.kind == "*" else "all")
        elif k == upstream:
            slot = Slot(p, "upstream")
        elif "cache" in roles and names.is_cache(standard, p.name):
            slot = Slot(p, "cache")
        elif "output" in roles and short in names.CLEARLY_OUTPUT:
            slot = Slot(p, "output")
        elif (
            p.kind in ("positional", "keyword")
            and (a := _argument(standard, p, parameters)) in free
            and not _setting_first(standard, p, a)
        ):
            slot = Slot(p, "array", a)
        elif isinstance(p.default, bool) and names.is_no_flag(standard, p.name):
            slot = Slot(p, "default")
        elif (setting := names.setting_of(standard, p.name)) is not None and not (
            sizes and names.size_of(p.name) and isinstance(setting, str) and setting not in (p.name, "kernel_size")
        ):
            slot = Slot(p, "half" if isinstance(setting, tuple) else "setting", setting)
        elif short == names.MODE and "training" in standard.settings:
            slot = Slot(p, "mode")
        elif short in names.RATES and ("rate" in roles or sizes):
            slot = Slot(p, "rate")
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


def _argument(standard, parameter, parameters):
    """Which argument of the op a parameter is called after; y beside a target t is what was computed for it."""
    found = names.array_of(standard, parameter.name)
    if found == "target" and names.plain(parameter.name) == "y":
        others = [p for p in parameters if p is not parameter and names.array_of(standard, p.name) == "target"]
        return standard.arguments[0] if others else found
    return found


def _setting_first(standard, parameter, argument):
    """Whether a name that may be an array's or a setting's is the setting's: `size=2`, `k=2`."""
    setting = names.setting_of(standard, parameter.name)
    exact = parameter.name == argument
    return setting is not None and not exact and not parameter.required and parameter.default is not None


def _by_position(standard, slots, free, roles, sizes):
    """Give unknown parameters the arguments that are left, in their order; those that have a default keep it."""
    found = []
    for slot in slots:
        p = slot.parameter
        if slot.role == "unknown":
            may_be_array = p.kind == "positional" and (p.required or p.default is None)
            if "unnamed" in roles and p.required:
                slot = Slot(p, "cache")
            elif may_be_array and free and not sizes:
                slot = Slot(p, "array", free.pop(0))
            elif "cache" in roles and p.required:
                slot = Slot(p, "cache")
            elif p.required:
                raise FormError(UNKNOWN.format(op=standard.name, name=p.name))
            else:
                slot = Slot(p, "default")
        found.append(slot)
    return found


class Keys(dict):
    """{setting: [keys]} of dicts. spelled: the settings whose names stand in the source, which **kwargs may hold."""

    spelled: frozenset = frozenset()


def keys_of(standard, source):
    """{setting: [keys]} that the source takes out of dicts: d["stride"], d.get("pad"), "mode" in d.

    The usual keys are there, too, because a setting that is never read is a mistake; a constant may be fixed inside.
    """
    said = set()
    for node in nodes_of(source, ast.Subscript, ast.Call, ast.Compare):
        candidates = []
        if isinstance(node, ast.Subscript):
            candidates = [node.slice]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("get", "pop", "setdefault"):
            candidates = node.args[:1]
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.In, ast.NotIn)):
            candidates = [node.left]
        said |= {c.value for c in candidates if isinstance(c, ast.Constant) and isinstance(c.value, str)}
    found = _by_setting(standard, sorted(said))
    usual = _by_setting(standard, USUAL_KEYS.get(standard.name, standard.settings))
    keys = Keys({s: keys for s, keys in usual.items() if not found or s not in CONSTANT} | found)
    if "**" in source:
        keys.spelled = frozenset(_by_setting(standard, sorted(set(WORD.findall(COMMENT.sub("", source))))))
    return keys


def _by_setting(standard, keys):
    found = {}
    for key in keys:
        setting = names.setting_of(standard, key)
        if names.plain(key) == names.MODE and "training" in standard.settings:
            found.setdefault("training", []).append(key)
        elif setting is not None:
            found.setdefault(setting if isinstance(setting, str) else setting[0], []).append(key)
    return found


def size_of_layer(slot, case):
    """A size of a layer, by the shapes of its arrays."""
    x, *rest = case.arrays
    w = rest[0] if rest else None
    if slot.what == "kernel_size" and w is not None and w.ndim == 4:  # of a norm, "size" is that of its features
        return w.shape[2] if w.shape[2] == w.shape[3] else w.shape[2:]
    if slot.what == "out":
        return w.shape[0] if w is not None else x.shape[1]
    if w is not None and w.ndim >= 2:
        return w.shape[1]
    return w.shape[0] if w is not None else x.shape[1]
