"""In which form a submission may want its arrays: channels last, one-hot targets, (N,C) only, a bias (1,O).

A layout turns the op's arrays into the submission's, and gradients back. Some narrow the case first: one image instead
of a batch. Whatever a case is narrowed to is also what the op itself is given.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from minires.gradcheck.cases import Case


@dataclass(frozen=True)
class Change:
    """there(a): the array as the submission has it; back(g, a): a gradient of it, or y itself, as the op has it."""

    there: Callable = lambda a: a
    back: Callable = lambda g, a: g
    order: tuple = ()  # of the axes, where they are moved only


SAME = Change()


@dataclass(frozen=True)
class Layout:
    """words: what is said about it, "" of the op's own; arguments without a Change stay as they are."""

    words: str = ""
    changes: dict = field(default_factory=dict)
    output: Change = SAME
    narrow: Callable = lambda case: case
    hot: bool = False  # whether classes become rows of zeros with a one

    def given(self, argument, a, case):
        """An argument as the submission has it."""
        if self.hot and argument == "target":
            a = np.moveaxis(np.eye(case.arrays[0].shape[1])[a], -1, 1)
        return np.array(self.changes[argument].there(a), order="C") if argument in self.changes else a

    def returned(self, argument, g, a):
        """A gradient as the op has it."""
        return self.changes[argument].back(g, a) if argument in self.changes else g

    def exchanged(self, g, mine, other, arrays):
        """What was read as the gradient of one argument, as that of another. arrays: {argument: array}"""
        change = self.changes.get(mine, SAME)
        theirs = change.there(g) if change.order or g.shape == arrays[mine].shape else g
        return self.returned(other, theirs, arrays[other])


def moved(*order):
    """Axes in another order; what has another number of axes stays."""
    inverse = tuple(np.argsort(order))
    return Change(
        lambda a: a.transpose(order) if a.ndim == len(order) else a,
        lambda g, a: g.transpose(inverse) if g.ndim == len(order) else g,
        order,
    )


def shaped(shape_of):
    """The same numbers in another shape, shape_of(shape)."""

    def back(g, a):
        return g.reshape(a.shape) if g.shape == tuple(np.empty(a.shape).reshape(shape_of(a.shape)).shape) else g

    return Change(lambda a: a.reshape(shape_of(a.shape)), back)


FIRST = Change(lambda a: a[0], lambda g, a: g[None])
INNERMOST = Change(lambda a: a[0, 0], lambda g, a: g[None, None])
ROW = shaped(lambda s: (1, *s))
COLUMN = shaped(lambda s: (*s, 1))
OF_MAP = shaped(lambda s: (1, *s, 1, 1))
OF_MAP_LAST = shaped(lambda s: (1, 1, 1, *s))
NHWC = moved(0, 2, 3, 1)
# The weights of a convolution whose images have their channels last.
WEIGHTS_LAST = (("(KH,KW,C,O)", moved(2, 3, 1, 0)), ("(O,KH,KW,C)", moved(0, 2, 3, 1)), ("(O,C,KH,KW)", SAME))


def one_of(axes):
    """Narrow a case to its first image, and with axes=2 to its first channel."""

    def narrow(case):
        if case.static.get("groups", 1) != 1 or not case.arrays[0].size:
            return None
        x, *rest = case.arrays
        if axes == 2:
            rest = [a[:1, :1] if a.ndim == 4 else a[:1] for a in rest]
            x = x[:, :1]
        words = "one image of one channel" if axes == 2 else "one image"
        return Case(f"{case.label}, {words}", (x[:1], *rest), case.static, beyond=case.beyond)

    return narrow


def rows(case):
    """The pixels of a map as rows (N·H·W,C)."""
    x, *rest = case.arrays
    if x.ndim != 4:
        return case if x.ndim == 2 else None
    x = x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])
    return Case(f"{case.label}, (N·H·W,C)", (x, *rest), case.static)


def sample(case):
    """The first row of a matrix."""
    x, *rest = case.arrays
    if x.ndim != 2 or not len(x) or case.static.get("dim", -1) not in (-1, 1):
        return None
    return Case(f"{case.label}, one sample", (x[:1], *rest), case.static)


def sample_of_classes(case):
    """The first row of scores, and its class."""
    x, target, *rest = case.arrays
    if x.ndim != 2 or target.ndim != 1:
        return None
    return Case(f"{case.label}, one sample", (x[:1], target[:1], *rest), case.static)


def of_classes(case):
    """A case whose targets all are classes."""
    target = case.arrays[1]
    return case if target.dtype.kind in "iu" and case.static.get("ignore_index", -100) < 0 else None


def rows_of_classes(case):
    """A matrix of scores and a class for each row."""
    return of_classes(case) if case.arrays[0].ndim == 2 and case.arrays[1].ndim == 1 else None


def convolution():
    yield Layout()
    yield Layout("a bias (1,O,1,1)", {"bias": OF_MAP})
    yield Layout("a bias (O,1)", {"bias": COLUMN})
    yield Layout("a bias (1,O)", {"bias": ROW})
    for words, weight in WEIGHTS_LAST:
        for said, bias in (("", SAME), (" and a bias (1,1,1,O)", OF_MAP_LAST)):
            yield Layout(
                f"channels last, (N,H,W,C), with weights {words}{said}",
                {"x": NHWC, "weight": weight, "bias": bias},
                NHWC,
            )
    yield Layout("one image (C,H,W) at a time", {"x": FIRST}, FIRST, one_of(3))
    for said, bias in (("", SAME), (" and a number as bias", FIRST)):
        yield Layout(
            "one image (H,W) of one channel" + said,
            {"x": INNERMOST, "weight": INNERMOST, "bias": bias},
            INNERMOST,
            one_of(2),
        )


def pooling():
    yield Layout()
    yield Layout("channels last, (N,H,W,C)", {"x": NHWC}, NHWC)
    yield Layout("one image (C,H,W) at a time", {"x": FIRST}, FIRST, one_of(3))
    yield Layout("one image (H,W) of one channel", {"x": INNERMOST}, INNERMOST, one_of(2))


SHAPES_OF_A_CHANNEL = (("(1,C,1,1)", OF_MAP), ("(C,1,1)", shaped(lambda s: (*s, 1, 1))), ("(1,C)", ROW))


def normalization():
    yield Layout()
    for words, change in SHAPES_OF_A_CHANNEL:
        yield Layout(f"γ and β of shape {words}", {"weight": change, "bias": change})
    yield Layout("channels last, (N,H,W,C)", {"x": NHWC}, NHWC)
    last = {"x": NHWC, "weight": OF_MAP_LAST, "bias": OF_MAP_LAST}
    yield Layout("channels last, (N,H,W,C), γ and β (1,1,1,C)", last, NHWC)


OF_A_CHANNEL = ("weight", "bias", "running_mean", "running_var")


def batch_normalization():
    yield from normalization()
    for words, change in SHAPES_OF_A_CHANNEL:
        yield Layout(f"γ, β and running statistics of shape {words}", dict.fromkeys(OF_A_CHANNEL, change))
    yield Layout("(N,C) only", narrow=rows)
    yield Layout("(N,C) only, γ and β (1,C)", {"weight": ROW, "bias": ROW}, narrow=rows)
    yield Layout("(N,C) only, γ, β and running statistics (1,C)", dict.fromkeys(OF_A_CHANNEL, ROW), narrow=rows)
    columns = {"x": moved(1, 0), **dict.fromkeys(OF_A_CHANNEL, COLUMN)}
    yield Layout("(C,N): a column a sample", columns, moved(1, 0), rows)


def layer_normalization():
    yield Layout()
    yield Layout("γ and β of shape (1,D)", {"weight": ROW, "bias": ROW})
    yield Layout("one sample (D,) at a time", {"x": FIRST}, FIRST, sample)


def linear():
    flip = moved(1, 0)
    yield Layout()
    yield Layout("a bias (1,O)", {"bias": ROW})
    yield Layout("weights (I,O)", {"weight": flip})
    yield Layout("weights (I,O) and a bias (1,O)", {"weight": flip, "bias": ROW})
    yield Layout("a column a sample, x (I,N)", {"x": flip, "bias": COLUMN}, flip)
    yield Layout("a column a sample, x (I,N), weights (I,O)", {"x": flip, "weight": flip, "bias": COLUMN}, flip)
    yield Layout("one sample (I,) at a time", {"x": FIRST}, FIRST, sample)
    yield Layout("one sample (I,) at a time, weights (I,O)", {"x": FIRST, "weight": flip}, FIRST, sample)


def classification():
    yield Layout()
    yield Layout("one-hot targets", narrow=of_classes, hot=True)
    yield Layout("targets (N,1)", {"target": COLUMN})  # later, because with these one-hot work runs, too
    firsts = {"logits": FIRST, "log_p": FIRST, "target": FIRST}
    yield Layout("one sample at a time", firsts, narrow=sample_of_classes)
    yield Layout("one sample at a time, its target one-hot", firsts, narrow=sample_of_classes, hot=True)
    columns = {"logits": moved(1, 0), "log_p": moved(1, 0)}
    for words, target, hot in (
        ("one-hot targets (K,N)", moved(1, 0), True),
        ("targets (N,)", SAME, False),
        ("targets (1,N)", ROW, False),
    ):
        how = {"changes": columns | {"target": target}, "narrow": rows_of_classes, "hot": hot}
        yield Layout(f"a column a sample, (K,N), {words}", **how)


def vectors():
    yield Layout()
    yield Layout("one sample (K,) at a time", {"x": FIRST}, FIRST, sample)
    yield Layout("a column a sample, (K,N)", {"x": moved(1, 0)}, moved(1, 0), columns_of_last)


def columns_of_last(case):
    """A matrix whose rows are the samples."""
    return case if case.arrays[0].ndim == 2 and case.static.get("dim", -1) in (-1, 1) else None


def of_teacher(shapes):
    """Layouts of a function of images. shapes: {argument: shape}, as the teacher has them."""
    yield Layout()
    first, *rest = shapes
    if len(shapes[first]) != 4:
        return
    maps = {name: NHWC for name in shapes if shapes[name] == shapes[first]}
    weights = [name for name in rest if len(shapes[name]) == 4 and name not in maps]
    for words, change in WEIGHTS_LAST if weights else WEIGHTS_LAST[:1]:
        said = f", with weights {words}" * bool(weights)
        yield Layout(f"channels last, (N,H,W,C){said}", maps | dict.fromkeys(weights, change), NHWC)


LAYOUTS = {
    "conv2d": convolution,
    "max_pool2d": pooling,
    "avg_pool2d": pooling,
    "adaptive_avg_pool2d": pooling,
    "batch_norm": batch_normalization,
    "batch_norm_relu": batch_normalization,
    "group_norm": normalization,
    "layer_norm": layer_normalization,
    "linear": linear,
    "cross_entropy": classification,
    "nll_loss": classification,
    "softmax": vectors,
    "log_softmax": vectors,
}


def layouts_of(standard):
    """The layouts of an op or of a teacher's function, its own first."""
    if standard.is_op:
        return list(LAYOUTS.get(standard.name, lambda: [Layout()])())
    if standard.raw is None:  # a submission that is held to nothing is given what --shapes says
        return [Layout()]
    return list(of_teacher(dict(zip(standard.arguments, standard.shapes))))
