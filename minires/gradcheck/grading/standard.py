"""What a submission is held to: an op of the registry, or a teacher's own function; and the cases for it."""

import copy
import inspect
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from minires.errors import MiniresError, OptionError
from minires.gradcheck.cases import Case, Draw, cases_of
from minires.gradcheck.checks.checker import check, known_op
from minires.gradcheck.grading.homework_cases import EXTRA, PLAIN
from minires.tensor import registry

OTHER_BATCH = "another batch size"  # the case that has one sample more
REQUIRED = inspect.Parameter.empty
COMPUTING = threading.Lock()  # the ops' own computations, of several submissions at a time


class Labels(tuple):
    """The shape of an array of classes 0 … classes − 1."""

    def __new__(cls, shape, classes):
        labels = super().__new__(cls, shape)
        labels.classes = classes
        return labels


def shape_of(text):
    """The shape that a text says: 2,3,8,8, or () for a number; 8:10 is eight labels of ten classes. Else ValueError."""
    sizes, colon, classes = text.partition(":")
    shape = tuple(int(n) for n in sizes.strip("()").split(",") if n.strip())
    if min(shape, default=0) < 0 or (colon and int(classes) < 1):
        raise ValueError(f"a shape of {text}")
    return Labels(shape, int(classes)) if colon else shape


def drawn(shapes, rng):
    """An array of each shape."""
    return tuple(
        rng.integers(shape.classes, size=tuple(shape))
        if isinstance(shape, Labels)
        else np.asarray(rng.standard_normal(shape))
        for shape in shapes
    )


@dataclass
class Standard:
    """raw(*arrays, **settings) -> (y, backward), its arguments and settings, and where its cases come from."""

    name: str
    raw: Callable
    arguments: list[str]
    optional: set[str] = field(default_factory=set)
    settings: dict = field(default_factory=dict)  # {name: default}, REQUIRED where there is none
    variadic: bool = False
    shapes: list = field(default_factory=list)  # of the arrays, where no op has cases
    other_shapes: list = field(default_factory=list)  # the same with another batch size, if there is one
    is_op: bool = True
    unasked: tuple = ()  # arguments of which a teacher's function gives no gradient, so that none is asked for
    written: list = field(default_factory=list)  # a teacher's functions as they were written: one, or a pair
    remake: Callable | None = None  # functions like `written` -> raw

    @property
    def may_be_loss(self):
        """Whether y may be the loss, where all begins: then a function may give its gradient for a dy of 1.

        The sum of an array is a number, too, but it stands inside a net, and over an axis it is none.
        """
        return not self.is_op or "reduction" in self.settings

    def is_target(self, argument, y):
        """Whether an argument is what a loss compares with, whose gradient is seldom asked for. y: what is right."""
        return argument == "target" and ("reduction" in self.settings if self.is_op else y.ndim == 0)

    def cases(self, seed, samples):
        """The cases, drawn anew for each sample."""
        if self.is_op:
            more = EXTRA.get(self.name, lambda draw: [])(Draw(np.random.default_rng([seed, (1 << 20) + 1])))
            return [*more, *cases_of(self.name, seed, samples)]
        shapes = [(f"shapes as given, sample {k + 1}", self.shapes) for k in range(max(samples, 3))]
        shapes += [(OTHER_BATCH, self.other_shapes)] if self.other_shapes else []
        return [Case(label, drawn(given, np.random.default_rng([seed, k]))) for k, (label, given) in enumerate(shapes)]

    def plain(self, seed):
        """A small case of all arguments, with settings that change as little as may be."""
        if not self.is_op:
            return Case("plain", drawn(self.shapes, np.random.default_rng([seed, 1 << 20])))
        draw = Draw(np.random.default_rng([seed, 1 << 20]))
        return PLAIN[self.name](draw) if self.name in PLAIN else replace(cases_of(self.name, seed)[0], label="plain")

    def form(self):
        """How the op itself is called."""
        arrays = [f"{a}=None" if a in self.optional else a for a in self.arguments]
        settings = [k if v is REQUIRED else f"{k}={v!r}" for k, v in self.settings.items()]
        return f"{self.name}({', '.join([*arrays, *(['*', *settings] if settings else [])])})"

    def full_settings(self, case):
        """All settings of a case, with what a default stands for in its place: a pool's stride, running statistics."""
        settings = {key: case.static.get(key, default) for key, default in self.settings.items()}
        if settings.get("kernel_size", REQUIRED) is not REQUIRED and settings.get("stride", 0) is None:
            settings["stride"] = settings["kernel_size"]
        if "running_mean" in settings and settings["running_mean"] is None:
            C = case.arrays[0].shape[1] if self.name != "conv_norm" else case.arrays[1].shape[0]
            settings |= {"running_mean": np.zeros(C), "running_var": np.ones(C)}
        if self.name == "layer_norm" and settings["normalized_shape"] is None:
            settings["normalized_shape"] = case.arrays[1].shape if len(case.arrays) > 1 else case.arrays[0].shape[-1:]
        return settings

    def right(self, case):
        """(y, backward) of a case. backward(dy) -> a tuple with a gradient, or None, for each array."""
        y, backward = self.raw(*case.arrays, **copy.deepcopy(case.static))

        def gradients(dy):
            dxs = backward(dy)
            return dxs if isinstance(dxs, (tuple, list)) else (dxs,)

        return np.asarray(y), gradients

    def can(self, case):
        """Whether the op itself can do the case."""
        try:
            self.right(case)
        except MiniresError:
            return False
        return True


def argument_names(standard, case):
    """What the arrays of a case are called; of a function that takes any number of them, xs[0], xs[1], …"""
    if standard.variadic:
        return [f"{standard.arguments[0]}[{k}]" for k in range(len(case.arrays))]
    return standard.arguments


def of_op(name):
    """The Standard of an op. Raises OptionError with the nearest names if there is none."""
    raw = registry[known_op(name)].raw
    parameters = inspect.signature(raw).parameters.values()
    arrays = [p for p in parameters if p.kind is not p.KEYWORD_ONLY]
    return Standard(
        name,
        _flattening(raw) if name == "linear" else raw,
        [p.name for p in arrays],
        {p.name for p in arrays if p.default is not p.empty},
        {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY},
        any(p.kind is p.VAR_POSITIONAL for p in arrays),
    )


def _flattening(linear):
    """The op, and for images of as many pixels as the weights have columns the same of the flattened images."""

    def raw(x, weight, bias=None, **settings):
        if x.ndim <= 2 or weight.shape[1] == x.shape[-1] or weight.shape[1] != x[:1].size:
            return linear(x, weight, bias, **settings)
        y, back = linear(x.reshape(len(x), -1), weight, bias, **settings)

        def backward(dy):
            dx, *rest = back(dy)
            return dx.reshape(x.shape), *rest

        return y, backward

    return raw


def of_function(function, shapes, name=None):
    """The Standard of a function(*arrays) -> (y, backward) on arrays of these shapes."""
    parameters = [
        p
        for p in inspect.signature(function).parameters.values()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL)
    ]
    names = [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL]
    needed = sum(p.default is p.empty and p.kind is not p.VAR_POSITIONAL for p in parameters)
    variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    if not needed <= len(shapes) or (len(names) < len(shapes) and not variadic):
        raise OptionError(
            f"{name or function.__name__} takes the arrays {', '.join(names)}, and --shapes gives {len(shapes)}"
        )
    names += [f"x{k}" for k in range(len(names), len(shapes))]
    return Standard(name or function.__name__, function, names[: len(shapes)], shapes=list(shapes), is_op=False)


def proved(standard, seed=0):
    """(the report on a function measured by differences, the Standard that asks for the gradients that it gives)"""
    case = standard.plain(seed)
    unasked = _not_given(standard, case)
    if not unasked:
        return check(standard.raw, *case.arrays, seed=seed, label=standard.name), standard
    given = dict(zip(standard.arguments, case.arrays))
    asked = [name for name in standard.arguments if name not in unasked]

    def of_the_rest(*arrays):
        y, gradients = standard.right(replace(case, arrays=tuple((given | dict(zip(asked, arrays))).values())))
        return y, lambda dy: tuple(g for name, g in zip(standard.arguments, gradients(dy)) if name in asked)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    of_the_rest.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in asked])
    report = check(of_the_rest, *(given[name] for name in asked), seed=seed, label=standard.name)
    return report, replace(standard, unasked=unasked)


def unasked_of(standard):
    """The gradients that are not asked for, in words."""
    return " and ".join(f"d{argument}" for argument in standard.unasked)


def _not_given(standard, case):
    """The arguments, if not all, whose gradient is None; what the function raises, the check says."""
    try:
        y, backward = standard.right(case)
        gradients = backward(np.ones(y.shape))
    except Exception:  # of a teacher's function
        return ()
    named = zip(standard.arguments, case.arrays, gradients)
    given = {name: g is not None for name, a, g in named if a.dtype.kind == "f"}
    return tuple(name for name, there in given.items() if not there) if any(given.values()) else ()


def with_another_batch(standard):
    """The Standard of a function with a case of one sample more, if it takes one: of x, and of arrays as long as x."""
    first = standard.shapes[0]

    def longer(shape):
        more = (shape[0] + 1, *shape[1:])
        return Labels(more, shape.classes) if isinstance(shape, Labels) else more

    along = [shape[:1] == first[:1] != () for shape in standard.shapes]
    for takes_part in (
        [a and len(shape) == len(first) for a, shape in zip(along, standard.shapes)],
        along,
        [a and k == 0 for k, a in enumerate(along)],
    ):
        shapes = [longer(shape) if part else shape for part, shape in zip(takes_part, standard.shapes)]
        arrays = drawn(shapes, np.random.default_rng(0))
        try:
            y, backward = standard.right(Case("", arrays))
            gradients = backward(np.ones(y.shape))
        except Exception:  # of the teacher's function, which is not written for these shapes
            continue
        if any(takes_part) and all(g is None or np.shape(g) == a.shape for g, a in zip(gradients, arrays)):
            return replace(standard, other_shapes=shapes)
    return standard


def of_shapes(names, shapes):
    """The Standard of a function that has no reference: its arguments and shapes only."""
    return Standard("", None, list(names), shapes=list(shapes), is_op=False)
