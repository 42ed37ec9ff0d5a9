"""In what the form of a case is unusual, so that a submission that raises there is not wrong; and a gentler case.

A form is compared with that of the plain case, as the submission is given it. Whatever raises because a name is
missing is wrong in every form.
"""

import ast

import numpy as np

from minires.gradcheck.cases import Case
from minires.gradcheck.grading.errors import RaisedError
from minires.gradcheck.grading.source import nodes_of

PAIRS = "takes no pairs"
LEFT_OVER = "takes no sizes that the stride does not divide"
SQUARE = "takes square images only"
EMPTY = "takes no empty batch"
OVERLAPPING = "takes no stride that is not the kernel's size"
ONE_STRIDE = ", one stride for both axes"
IN_BACKWARD = " in its backward: only its forward does"
TELLING = 4  # letters of a message, which stand in no other by chance
WINDOWS = ("conv2d", "max_pool2d", "avg_pool2d")


def unusual(standard, case, plain, optional=()):
    """In what a case's form differs from the plain one's, as a reason; or "". optional: arguments with a default."""
    tuples = ((key, v) for key, v in case.static.items() if isinstance(v, tuple))
    pairs = (key for key, v in tuples if any(type(n) is int and n != v[0] for n in v))
    if not all(isinstance(plain.static.get(key), tuple) for key in pairs):
        return PAIRS
    if other := deeper(standard, case, plain):
        return other
    without = standard.arguments[len(case.arrays) : len(plain.arrays)]
    if not set(without) <= set(optional):
        return f"takes no case without {', '.join(without)}"
    if standard.variadic and len(case.arrays) != len(plain.arrays):
        return "takes no so many arrays"
    if any(not a.size for a in case.arrays):
        return EMPTY
    if standard.name == "conv2d" and case.arrays[1].shape[2] != case.arrays[1].shape[3]:
        return "takes square kernels only"
    return ""


def deeper(standard, case, plain):
    """Which array has another number of axes than in the plain case, as a reason; or ""."""
    for name, a, b in zip(standard.arguments, case.arrays, plain.arrays):
        if a.ndim != b.ndim:
            return f"takes no {name} of {a.ndim} axes" if a.ndim else f"takes no {name} without axes"
    return ""


def refused(standard, case, declared=(), plain=None):
    """In what windows are unusual, as a reason for a submission that says itself that it does not take them; or "".

    declared: settings that are parameters of it. A stride that it asks for is more than the kernel's size, and to round
    up means that something is left over.
    """
    if standard.name not in WINDOWS:
        return ""
    if plain is not None and _is_square(plain) and not _is_square(case):
        return SQUARE
    full = standard.full_settings(case)
    if full.get("ceil_mode") and "ceil_mode" in declared:
        return ""
    if standard.name != "conv2d" and not np.array_equal(_both(full["stride"]), _both(full["kernel_size"])):
        return "" if "stride" in declared else OVERLAPPING
    return LEFT_OVER if any(left_over(standard, case)) else ""


def is_slip(error):
    """Whether what was raised comes of a name that is missing, which no form can be the reason of."""
    if not isinstance(error, RaisedError):
        return False
    missing = error.type in ("NameError", "ImportError", "ModuleNotFoundError")
    return missing or (error.type == "AttributeError" and error.message.startswith(("module ", "'numpy.ndarray'")))


def is_stated(error, source):
    """Whether an error is raised by the submission itself: by an assert, or a `raise` with these words."""
    if error.type == "AssertionError":
        return True
    raises = nodes_of(source, ast.Raise)
    said = [node.value for one in raises for node in ast.walk(one) if isinstance(node, ast.Constant)]
    words = [text.strip() for text in said if isinstance(text, str) and text.strip()]
    if not error.message:
        return bool(raises)
    return any(text == error.message or (len(text) >= TELLING and text in error.message) for text in words)


def refused_word(standard, case, plain, error):
    """A setting whose word is all that an error says, as a dict says it or a raise ValueError(reduction); or ""."""
    said = error.message.strip("'\"")
    for key, value in case.static.items():
        if isinstance(value, str) and said == value and value != standard.full_settings(plain).get(key):
            return f"takes no {key}={value!r}"
    return ""


def cannot_divide(standard, case, error):
    """Whether a pooling cuts an image into windows by reshape, which raises where something is left over."""
    pools = standard.name in WINDOWS and standard.name != "conv2d"
    return pools and error.message.startswith("cannot reshape array") and any(left_over(standard, case))


def left_over(standard, case):
    """How many rows and columns at the end of x no window reaches."""
    full = standard.full_settings(case)
    kernel = case.arrays[1].shape[2:] if standard.name == "conv2d" else _both(full["kernel_size"])
    both = zip(
        case.arrays[0].shape[2:],
        kernel,
        *(_both(full[s]) if s in full else (1, 1) for s in ("stride", "padding", "dilation")),
    )
    return [(n + 2 * p - d * (k - 1) - 1) % s for n, k, s, p, d in both]


def gentler(standard, case, reason):
    """The same case in a form that is nearer to the plain one, or None where there is none."""
    if reason == PAIRS:
        return evened(case)
    if reason == SQUARE:
        return _squared(standard, case)
    if reason == LEFT_OVER:
        x, *rest = case.arrays
        H, W = (n - left for n, left in zip(x.shape[2:], left_over(standard, case)))
        return Case(f"{case.label}, no rows left over", (x[:, :, :H, :W], *rest), case.static)
    return None


def others(standard, plain, stated):
    """Plain cases of other forms, for a submission that raises at the usual one. stated: whether it says so itself.

    Of what raises by chance beside images that are not square, nothing is known but that it is wrong.
    """
    x, *rest = plain.arrays
    if standard.name == "layer_norm":
        deeper = np.stack([x, x[::-1] * 1.5, x[:, ::-1] + 0.5])
        yield Case("plain, 3 axes", (deeper, *rest), plain.static)
        images = np.stack([deeper, deeper[::-1] - 0.3])
        affine = (deeper[::-1, ::-1] + 2, deeper[:, ::-1] * 0.5)[: len(rest)]
        yield Case("plain, images", (images, *affine), plain.static)
    if standard.name in WINDOWS and stated and not _is_square(plain):
        yield _squared(standard, plain)


def _is_square(case):
    return case.arrays[0].ndim == 4 and case.arrays[0].shape[2] == case.arrays[0].shape[3]


def _squared(standard, case):
    """The case with square images, and no rows left over; None where nothing of them is left."""
    x, *rest = case.arrays
    n = min(x.shape[2:])
    square = Case(f"{case.label}, square", (x[:, :, :n, :n], *rest), case.static)
    n -= max(left_over(standard, square))
    square = Case(square.label, (x[:, :, :n, :n], *rest), case.static)
    return square if n > 0 and standard.can(square) else None


def is_of_tensors(said):
    """Whether a case fails because a submission takes or gives tensors of torch."""
    words = ("must be Tensor, not numpy.ndarray", "is a Tensor, no array", "expected Tensor as", "'torch.Tensor'")
    return any(word in problem for problem in said.problems for word in words)


def evened(case):
    """The case with one number in place of pairs of settings, or None where there is no pair.

    A kernel keeps its pair as long as another setting has one: many take pool_height and pool_width, and one stride.
    """
    choose = {"stride": max, "padding": min, "dilation": min, "kernel_size": min, "output_size": min}
    pairs = {key: v for key, v in case.static.items() if key in choose and isinstance(v, tuple) and None not in v}
    others = pairs.keys() - {"kernel_size"}
    single = {key: choose[key](v) for key, v in pairs.items() if key in others or not others or len(set(v)) == 1}
    if not single:
        return None
    label = f"{case.label.removesuffix(ONE_STRIDE)}, one number for both axes"
    if single.keys() != pairs.keys():
        label = case.label + ONE_STRIDE
    return Case(label, case.arrays, case.static | single)


def _both(value):
    return value if isinstance(value, (tuple, list)) else (value, value)
