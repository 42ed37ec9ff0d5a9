"""What a submission is held to: an op of the registry, or a teacher's own function; and the cases for it."""

import copy
import inspect
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from minires.errors import MiniresError, OptionError
from minires.gradcheck.cases import Case, Draw, cases_of
from minires.gradcheck.checks.checker import known_op
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
    written: list = field(default_factory=list)  # a teacher's functions as they were written: one, or a pair
    remake: Callable | None = None  # functions like `written` -> raw

    @property
    def may_be_loss(self):
        """Whether y may be the loss, where all begins: then a function may give its gradient for a dy of 1.

        The sum of an array is a number, too, but it stands inside a net, and over an axis it is none.
        """
        return not self.is_op or "reduction" in self.settings

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
            return self.cases(seed, 1)[0]
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


def _batch_norm(draw):
    C = 4
    return Case(
        "plain", (draw.normal(3, C, 5, 2, scale=2, mean=1), draw.positive(C), draw.normal(C)), {"training": True}
    )


def _attention(draw):
    return Case("plain", (draw.normal(5, 4), draw.normal(3, 4), draw.normal(3, 6)))


def _classes(draw):
    return Case("plain", (draw.normal(5, 4, scale=2), draw.rng.permutation(5) % 4))


def _pools(draw):
    for H, label, settings in ((6, "3×3", {"kernel_size": 3}), (4, "2×2, padding 1", {"kernel_size": 2, "padding": 1})):
        yield Case(label, (draw.steps(2, 2, H, 6),), settings)  # the stride is the kernel's size
    for label, settings in (
        ("3×3, stride 2", {"kernel_size": 3, "stride": 2}),
        ("3×3, stride 1", {"kernel_size": 3, "stride": 1}),
        ("2×2, stride 3, rows left over", {"kernel_size": 2, "stride": 3}),
        ("2×3, stride 2", {"kernel_size": (2, 3), "stride": 2}),  # for those who take height and width, and one stride
    ):
        yield Case(label, (draw.steps(2, 2, 7, 9),), settings)
    for label, H, kernel in (("3×3, stride 2", 8, 3), ("2×2", 7, 2)):
        rounded_up = {"kernel_size": kernel, "stride": 2, "ceil_mode": True}
        yield Case(f"{label}, ceil_mode", (draw.steps(2, 2, H, 6),), rounded_up, beyond=True)


def _max_pools(draw):
    yield from _pools(draw)
    # where a window's maximum is negative, zeros are no neutral padding, and 0 is no maximum to begin with
    negative = draw.steps(2, 2, 6, 5) - 20
    yield Case("2×2, all negative", (negative,), {"kernel_size": 2})
    yield Case("3×3, padding 1, all negative", (negative,), {"kernel_size": 3, "stride": 2, "padding": 1})
    dilated = {"kernel_size": 2, "stride": 1, "dilation": 2}
    yield Case("2×2, stride 1, dilation", (draw.steps(2, 2, 5, 6),), dilated, beyond=True)


def _avg_pools(draw):
    yield from _pools(draw)
    inside = {"kernel_size": 3, "padding": 1, "count_include_pad": False}
    yield Case("3×3, padding not counted", (draw.steps(2, 2, 7, 6),), inside, beyond=True)


def _convolutions(draw):
    for label, K, settings in (
        ("3×3, padding 1, bias", 3, {"padding": 1}),
        ("2×2, stride 2, rows left over, bias", 2, {"stride": 2}),
        ("3×3, stride 3, padding 2, bias", 3, {"stride": 3, "padding": 2}),
    ):
        yield Case(label, (draw.normal(2, 3, 7, 5), draw.normal(4, 3, K, K), draw.normal(4)), settings)
    arrays = draw.normal(2, 3, 7, 6), draw.normal(4, 3, 3, 3), draw.normal(4)
    yield Case("3×3, dilation 2, bias", arrays, {"dilation": 2})
    arrays = draw.normal(2, 4, 6, 5), draw.normal(6, 2, 3, 3), draw.normal(6)
    yield Case("3×3, 2 groups, bias", arrays, {"groups": 2})


def _conv_norms(draw):
    running = {"running_mean": draw.normal(3), "running_var": draw.positive(3), "eps": 0.3}
    for settings in ({"stride": 2}, {"padding": 1}, {"dilation": 2}):
        ((name, value),) = settings.items()
        arrays = draw.normal(2, 4, 7, 5), draw.normal(3, 4, 3, 3), draw.positive(3), draw.normal(3)
        yield Case(f"evaluation, 3×3, {name} {value}", arrays, {**running, **settings})


def _reductions(draw):
    x = draw.apart(3, 4, 2)
    yield Case("middle axis, kept", (x,), {"dim": 1, "keepdim": True})


def _norms(draw):
    yield from _reductions(draw)
    yield Case("middle axis, p = 1", (draw.apart(3, 4, 2),), {"dim": 1, "p": 1})


def _cats(draw):
    yield Case("first axis", tuple(draw.normal(k, 3, 4) for k in (2, 1, 3)), {"dim": 0})


def _stacks(draw):
    yield Case("middle axis", (draw.normal(2, 3), draw.normal(2, 3)), {"dim": 1})


def _flattens(draw):
    yield Case("last axes", (draw.normal(2, 3, 4, 5),), {"start_dim": 2})


def _transposes(draw):
    yield Case("last axes", (draw.normal(3, 2, 4),), {"dim0": 1, "dim1": 2})
    yield Case("first axes", (draw.normal(3, 2, 4),), {"dim0": 0, "dim1": 1})


def _reshapes(draw):
    yield Case("first axes joined", (draw.normal(2, 3, 4),), {"shape": (6, 4)})


def _pads(draw):
    yield Case("another value", (draw.normal(2, 3, 4),), {"pad": (1, 2, 0, 1), "value": -1.5})


def _linears(draw):
    arrays = draw.normal(3, 2, 2, 3), draw.normal(4, 12), draw.normal(4)
    yield Case("images, flattened", arrays)  # as CS231n has them; who takes matrices only may raise


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


def _attentions(draw):
    arrays = draw.normal(5, 4), draw.normal(3, 4), draw.normal(3, 6)
    for label, settings in (
        ("causal", {"is_causal": True}),
        ("a mask", {"attn_mask": np.arange(3) != draw.rng.integers(3, size=(5, 1))}),
        ("another scale", {"scale": 0.3}),
        ("dropout", {"dropout_p": 0.4, "rng": 3}),
    ):
        yield Case(f"one head, {label}", arrays, settings)


def _dropouts(draw):
    x = draw.normal(12, 10)
    for p in (0.2, 0.7):
        yield Case(f"p = {p}", (x,), {"p": p})
    for seed in (3, 4):  # of the same x, because their masks are compared
        yield Case(f"seed {seed}", (x,), {"p": 0.4, "rng": seed})


def _layer_norms(draw):
    yield Case("rows", (draw.normal(4, 5), draw.positive(5), draw.normal(5)), {"eps": 0.3})  # rows are what most take


def _large_scores(draw):
    yield Case("large numbers", (draw.normal(4, 5, scale=2, mean=1000),), {"dim": -1})


def _large_sums(draw):
    yield from _large_scores(draw)
    yield Case("last axis, kept", (draw.normal(4, 5),), {"dim": -1, "keepdim": True})


def _large_logits(draw):
    yield Case("large logits", (draw.normal(5, 4, scale=2, mean=1000), draw.rng.permutation(5) % 4))


# Beside the op's own cases, for those who take one number for both axes, no padding, or always a bias: each setting is
# another in some case that is plain in all else, so that none that is declared is left out. And for what overflows, or
# takes 0 for the least number.
EXTRA = {
    "linear": _linears,
    "dropout": _dropouts,
    "scaled_dot_product_attention": _attentions,
    "conv2d": _convolutions,
    "conv_norm": _conv_norms,
    "max_pool2d": _max_pools,
    "avg_pool2d": _avg_pools,
    "cross_entropy": _large_logits,
    "layer_norm": _layer_norms,
    **dict.fromkeys(("softmax", "log_softmax"), _large_scores),
    "logsumexp": _large_sums,
    **dict.fromkeys(("sum", "mean", "amax", "amin", "var", "std"), _reductions),
    "norm": _norms,
    "cat": _cats,
    "stack": _stacks,
    "flatten": _flattens,
    "transpose": _transposes,
    "reshape": _reshapes,
    "pad": _pads,
}
PLAIN = {
    "conv2d": lambda draw: Case("plain", (draw.normal(2, 3, 6, 5), draw.normal(4, 3, 3, 3), draw.normal(4))),
    "linear": lambda draw: Case("plain", (draw.normal(5, 3), draw.normal(4, 3), draw.normal(4))),
    "batch_norm": _batch_norm,
    "batch_norm_relu": _batch_norm,
    "layer_norm": lambda draw: Case("plain", (draw.normal(4, 6, scale=2), draw.positive(6), draw.normal(6))),
    "group_norm": lambda draw: Case(
        "plain", (draw.normal(2, 6, 3, 2, scale=2), draw.positive(6), draw.normal(6)), {"num_groups": 3}
    ),
    "max_pool2d": lambda draw: Case("plain", (draw.steps(2, 3, 6, 4),), {"kernel_size": 2}),
    "avg_pool2d": lambda draw: Case("plain", (draw.normal(2, 3, 6, 4),), {"kernel_size": 2}),
    "adaptive_avg_pool2d": lambda draw: Case("plain", (draw.normal(2, 3, 5, 4),), {"output_size": 1}),
    "scaled_dot_product_attention": _attention,
    "cross_entropy": _classes,
    "nll_loss": _classes,
    "softmax": lambda draw: Case("plain", (draw.normal(4, 5, scale=2),), {"dim": -1}),
    "log_softmax": lambda draw: Case("plain", (draw.normal(4, 5, scale=2),), {"dim": -1}),
    "logsumexp": lambda draw: Case("plain", (draw.normal(4, 5, scale=2),), {"dim": -1}),
    "dropout": lambda draw: Case("plain", (draw.normal(20, 30),), {"p": 0.4}),
    "leaky_relu": lambda draw: Case("plain", (draw.normal(4, 5, scale=2),)),
    "flatten": lambda draw: Case("plain", (draw.normal(2, 3, 4, 5),), {"start_dim": 1}),
}
