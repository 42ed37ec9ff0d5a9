"""What may have gone wrong in a submission whose numbers are not right, in a sentence for its author.

The catalogue of planted bugs is asked first: a bug that gives the same gradient. Then one factor everywhere, and the
classics that show in y or in the order of its elements.
"""

import copy
from dataclasses import replace

import numpy as np

from minires.errors import MiniresError
from minires.gradcheck.bugs import Call, catalogue
from minires.gradcheck.grading import windows
from minires.gradcheck.grading.standard import argument_names

SAME = 1e-6  # of the largest element
NO_FACTOR = 1e-3  # a factor so close to 1 is no mistake of its own
WINDOWED = ("conv2d", "max_pool2d", "avg_pool2d")
EXPONENTIALS = ("softmax", "log_softmax", "logsumexp", "cross_entropy")


def same(a, b):
    """Whether two arrays are equal, but for what float32 inside may change."""
    if a is None or b is None or np.shape(a) != np.shape(b):
        return False
    a = np.asarray(a)
    b = np.asarray(b)
    largest = float(np.abs(b).max(initial=0, where=np.isfinite(b)))
    with np.errstate(all="ignore"):
        return bool(np.allclose(a, b, rtol=0, atol=SAME * max(largest, 1e-300)))


def of_gradient(standard, case, dy, name, dx):
    """Hints for a gradient that is wrong, [] if nothing is known that gives it."""
    if not standard.is_op:
        return _of_shortcut(standard, case, dy, name, dx) or _of_factor(standard, case, dy, name, dx)
    with np.errstate(all="ignore"):
        return (
            _of_catalogue(standard, case, dy, name, dx)
            or _classics(standard, case, dy, name, dx)
            or _of_factor(standard, case, dy, name, dx)
        )


def _of_shortcut(standard, case, dy, name, dx):
    """What is missing in the dx of a residual block, y = x + F(x) or the ReLU of that, held to a teacher's."""
    y, backward = standard.right(case)
    if name != standard.arguments[0] or dy.shape != case.arrays[0].shape or dx.shape != dy.shape:
        return []
    right = np.asarray(backward(dy)[0])
    for passed in (dy, dy * (y > 0)):  # what the shortcut passes on
        if same(right, passed):
            return []
        if same(dx, right - passed):
            return [f"your d{name} is that of the branch alone: add what the shortcut passes on, the 1 in 1 + F′"]
        if same(dx, passed):
            return [
                f"your d{name} is what the shortcut passes on alone: add the gradient through the branch, F′ in 1 + F′"
            ]
    return []


def _right(standard, case, dy):
    return dict(zip(argument_names(standard, case), standard.right(case)[1](dy)))


def _as_images(case, dy, dx):
    """A case of (N,C) or (N,C,L) as one of (N,C,L,1), and gradients of its x."""
    x, *rest = case.arrays

    def image(a):
        return a.reshape(*a.shape, *[1] * (4 - a.ndim))

    return replace(case, arrays=(image(x), *rest)), image(dy), image(dx) if dx.shape == x.shape else dx


def _of_catalogue(standard, case, dy, name, dx):
    if standard.name.startswith("batch_norm") and case.arrays[0].ndim in (2, 3):
        case, dy, dx = _as_images(case, dy, dx)
    right = _right(standard, case, dy)[name]
    for bug in catalogue:
        if bug.op != standard.name:
            continue
        try:
            given = bug.gradients(Call(bug.op, [a.copy() for a in case.arrays], copy.deepcopy(case.static), dy.copy()))
        except Exception:  # a bug that does not apply here explains nothing
            continue
        given = dict(zip(argument_names(standard, case), given if isinstance(given, tuple) else (given,)))
        if same(given.get(name), dx) and not same(given.get(name), right):
            return [bug.hint]
    return []


def _of_factor(standard, case, dy, name, dx):
    right = np.asarray(_right(standard, case, dy)[name])
    if right.shape != dx.shape or not np.any(right) or np.iscomplexobj(dx) or not np.isfinite(dx).all():
        return []
    factor = float(np.sum(dx * right) / np.sum(right * right))
    if not same(dx, factor * right):
        return [f"your d{name} is zero"] if not dx.any() else []
    if abs(factor) < 1e-9:
        return [f"your d{name} is zero"]
    if abs(factor + 1) < 1e-6:
        return [f"your d{name} has the wrong sign"]
    adds_up = "reduction" in standard.settings or name != standard.arguments[0]
    count = _counted(factor, case) if adds_up else ""
    if count:
        return [f"your d{name} is {count}"]
    said = f"{factor:.6g}"
    return (
        []
        if abs(factor - 1) < NO_FACTOR or right.size < 2
        else [f"your d{name} is right but for a factor ({said} in this case)"]
    )


def _counted(factor, case):
    """A factor that is a number of elements, in words, or ""."""
    x = case.arrays[0]
    counts = {"the number of samples": len(x) if x.ndim else 1, "the number of elements": x.size}
    for what, count in counts.items():
        if count > 1 and abs(factor * count - 1) < 1e-6:
            return f"divided by {what}, {count}: where a sum is wanted it is a mean"
        if count > 1 and abs(factor / count - 1) < 1e-6:
            return f"not divided by {what}, {count}: where a mean is wanted it is a sum"
    return ""


def _classics(standard, case, dy, name, dx):
    """The classics that are no bug of the catalogue."""
    right = np.asarray(_right(standard, case, dy)[name])
    if standard.name in ("batch_norm", "batch_norm_relu", "layer_norm", "group_norm"):
        unbiased = _unbiased(standard, case, dy)
        if unbiased and same(dx, unbiased.get(name)) and not same(dx, right):
            return [UNBIASED]
    if standard.name in ("max_pool2d", "avg_pool2d") and name == "x":
        for pooled in windows.assigned_by_pool(standard, case, dy):
            if same(dx, pooled) and not same(dx, right):
                return ["your dx keeps the last window's share where windows overlap: add (+=), do not assign (=)"]
    if name == standard.arguments[0]:
        for wrong, hint in _wrong_dx(standard, case, dy):
            if same(dx, wrong) and not same(dx, right):
                return [hint]
    lasts = windows.assigned_by_convolution(standard, case, dy, name) if standard.name == "conv2d" and dy.size else ()
    if not same(dx, right) and any(same(dx, last) for last in lasts):
        return [f"your d{name} keeps the last turn of a loop only: add (+=), do not assign (=)"]
    return _order(dx, right, f"d{name}")


def _wrong_dx(standard, case, dy):
    """(dx, its hint) of usual mistakes with the right class, and with the number of a batch norm's elements."""
    x = case.arrays[0]
    if standard.name == "cross_entropy" and x.ndim == 2 and dy.ndim == 0 and not case.static.keys() - {"reduction"}:
        count = len(x) if case.static.get("reduction", "mean") == "mean" else 1
        right = np.asarray(standard.right(case)[1](dy)[0])
        hot = np.eye(x.shape[1])[case.arrays[1]] * dy / count
        yield right + 2 * hot, "your dx adds 1 at the right class: subtract it, p − 1"
        yield right + hot, "your dx is p: subtract 1 at the right class"
    if standard.name == "batch_norm" and x.ndim == 4 and case.static.get("training") and len(case.arrays) == 3:
        _, C, H, W = x.shape
        axes = (0, 2, 3)
        g = dy * case.arrays[1].reshape(1, C, 1, 1)
        eps = case.static.get("eps", standard.settings["eps"])
        inv_std = 1 / np.sqrt(x.var(axes, keepdims=True) + eps)
        h = (x - x.mean(axes, keepdims=True)) * inv_std
        means = g.mean(axes, keepdims=True) + h * (g * h).mean(axes, keepdims=True)
        yield inv_std * (g - H * W * means), "your sums are divided by N: a channel has N·H·W elements"
        yield H * W * inv_std * (g / (H * W) - means), "your dx is divided by N: a channel has N·H·W elements"


def of_y(standard, case, y, right):
    """Hints for a y that is wrong."""
    if y.shape != right.shape or np.iscomplexobj(y):
        return []
    with np.errstate(all="ignore"):
        if standard.name in ("batch_norm", "batch_norm_relu", "layer_norm", "group_norm"):
            unbiased = _unbiased(standard, case, np.zeros(right.shape))
            if unbiased and same(y, unbiased["y"]):
                return [UNBIASED]
        if "reduction" in standard.settings:
            found = _of_reduction(standard, case, y)
            if found:
                return found
        found = _of_forward(standard, case, y) or _of_ignored(standard, case, y)
        if found:
            return found
        if standard.name in ("conv2d",) and same(y, _flipped(standard, case)):
            return ["your y is a true convolution, with the kernel turned by 180°: conv2d is a cross-correlation"]
        return _order(y, right, "y") or _y_factor(y, right)


def _of_forward(standard, case, y):
    """Mistakes of a forward, each by the y that it gives."""
    x, *rest = case.arrays
    if standard.name in ("softmax", "log_softmax") and x.ndim > 1 and x.size:
        e = np.exp(x - x.max())
        whole = e / e.sum()
        if same(y, whole if standard.name == "softmax" else np.log(whole)):
            return ["your y is that of the whole array: each row has a sum of its own, write axis=-1, keepdims=True"]
    if standard.name in EXPONENTIALS and x.ndim == 2 and (hint := _of_scores(standard, case, y)):
        return [hint]
    if standard.name in EXPONENTIALS and not np.isfinite(y).all():
        return ["exp overflows: subtract each row's maximum before, exp(x − max), which leaves the result as it is"]
    if standard.name == "max_pool2d" and same(y, _padded_with_zeros(standard, case)):
        return ["your padding is 0, and a maximum may be negative: pad with −inf"]
    if standard.name == "layer_norm" and x.ndim == 2 and len(x) > 1:
        eps = case.static.get("eps", standard.settings["eps"])
        x_hat = (x - x.mean(0)) / np.sqrt(x.var(0) + eps)
        gamma, beta = (rest + [1.0, 0.0])[:2] if rest else (1.0, 0.0)
        if same(y, x_hat * gamma + beta):
            return ["your y is normalized over axis 0, as in batch norm: each sample has its own mean, write axis=-1"]
    if standard.name == "batch_norm" and case.static.get("training") and x.size:
        eps = case.static.get("eps", standard.settings["eps"])
        axes = (0, *range(2, x.ndim))
        shape = [1, -1, *[1] * (x.ndim - 2)]
        centered = x - x.mean(axes, keepdims=True)
        gamma, beta = (v.reshape(shape) for v in rest) if len(rest) == 2 else (1.0, 0.0)
        for scale, hint in (
            (
                x.std(axes, keepdims=True) + eps,
                "your ε stands outside the root, σ + ε: it belongs under the root, √(σ² + ε)",
            ),
            (x.std(axes, keepdims=True), "your forward has no ε: divide by √(σ² + ε)"),
            (x.var(axes, keepdims=True) + eps, "you divide by the variance: divide by its root, √(σ² + ε)"),
        ):
            found = centered / scale * gamma + beta
            if np.allclose(y, found, rtol=0, atol=1e-12 * max(1.0, float(np.abs(found).max()))):
                return [hint]
    biased = standard.name in ("conv2d", "linear") and len(rest) > 1 and np.any(rest[1])
    if biased and same(y, standard.raw(x, rest[0], **copy.deepcopy(case.static))[0]):
        return ["your y has no bias: add it"]
    return []


def _of_scores(standard, case, y):
    """Mistakes of softmax, and of a loss made of it; or ""."""
    x, *rest = case.arrays
    if standard.name != "cross_entropy":
        dim = case.static.get("dim", -1)
        other = {**case.static, "dim": 0 if dim in (1, -1) else 1}
        along = {0: "column", 1: "row", -1: "row"}.get(dim)
        return f"your y is taken along the other axis: each {along} has a sum of its own" * (
            along is not None and same(y, standard.raw(x, **other)[0])
        )
    right = standard.right(case)[0]
    if same(y, -right):
        return "your loss has the wrong sign: it is −log p"
    for base, factor in (("log2", np.log(2)), ("log10", np.log(10))):
        if same(y * factor, right):
            return f"your logarithm is {base}: the natural one is meant, np.log"
    if same(y, standard.raw(x, (rest[0] - 1) % x.shape[1], **copy.deepcopy(case.static))[0]):
        return "your classes are counted from 1: they are 0 … K − 1"
    return ""


def _padded_with_zeros(standard, case):
    """The y of a pooling whose padding is zeros, or None where there is no padding."""
    PH, PW = np.broadcast_to(case.static.get("padding", 0), 2)
    if not PH and not PW:
        return None
    x = np.pad(case.arrays[0], ((0, 0), (0, 0), (PH, PH), (PW, PW)))
    return standard.raw(x, **case.static | {"padding": 0})[0]


def _of_ignored(standard, case, y):
    """A stride, padding or dilation that the forward of a convolution or pooling does not look at."""
    setting = windows.ignored(standard, case, y) if standard.name in WINDOWED else ""
    if not setting:
        return []
    how = {
        "stride": "window (oh,ow) begins at row oh·stride and column ow·stride",
        "padding": "pad x before the windows slide over it",
        "dilation": "kernel element (kh,kw) reads x kh·dilation rows and kw·dilation columns further on",
    }
    return [f"your y ignores the {setting}: {how[setting]}"]


UNBIASED = (
    "you divide the variance by m − 1 (ddof=1, torch.var's default): within the batch it is the biased one, over m"
)


def _y_factor(y, right):
    if not np.any(right) or not np.isfinite(y).all():
        return []
    factor = float(np.sum(y * right) / np.sum(right * right))
    said = f"{factor:.6g}"
    if abs(factor - 1) < NO_FACTOR or said == "0" or right.size < 2 or not same(y, factor * right):
        return []
    return [f"your y is right but for a factor ({said} in this case)"]


def _of_reduction(standard, case, y):
    """mean against sum."""
    mine = case.static.get("reduction", "mean")
    words = {"mean": "the mean", "sum": "the sum"}
    for other in words.keys() - {mine}:
        static = {**case.static, "reduction": other}
        if mine in words and same(y, standard.raw(*case.arrays, **copy.deepcopy(static))[0]):
            return [f"your loss is {words[other]} over the samples, where {words[mine]} is wanted"]
    x = case.arrays[0]
    right = standard.right(case)[0]
    if right.ndim == 0 and np.any(right):
        ratio = float(y / right)
        if x.ndim and x.size and abs(ratio * x.size / max(len(x), 1) - 1) < 1e-6 and x.size > len(x):
            return ["your loss is a mean over samples and classes: it is one over the samples"]
    return []


def _flipped(standard, case):
    x, w, *b = case.arrays
    return standard.raw(x, w[:, :, ::-1, ::-1], *b, **case.static)[0]


def of_shape(standard, case, y, right):
    """Hints for a y of a wrong shape."""
    if y.ndim == right.ndim == 4 and sorted(y.shape) == sorted(right.shape):
        return ["your y has its axes in another order: (N,C,H,W) is wanted"]
    if right.ndim == 0 and y.size > 1:
        return ["your loss is one for each sample: their mean is wanted"]
    if y.size == right.size and y.ndim != right.ndim:
        return ["your y has other axes of length 1, or flattened ones: keepdims, reshape"]
    if y.ndim == right.ndim == 4 and (found := _of_ignored(standard, case, y)):
        return found
    less = tuple(b - a for a, b in zip(y.shape, right.shape))
    if y.ndim == right.ndim == 4 and "stride" in standard.settings and less == (0, 0, 1, 1):
        return ["mind the + 1: OH = (H + 2·padding − KH)//stride + 1"]
    return []


def _order(given, right, what):
    """Numbers that all are there, in another order."""
    if right.ndim != 4 or given.shape != right.shape:
        return []
    if same(given, right.transpose(0, 2, 3, 1).reshape(right.shape)):
        return [
            f"your {what} has its numbers in the order (N,H,W,C), flattened row by row: transpose it to (N,C,H,W), do "
            "not reshape"
        ]
    N, C, H, W = right.shape
    if same(given, right.reshape(N, H, W, C).transpose(0, 3, 1, 2)):
        return [f"your {what} is taken for (N,H,W,C) by reshape: its numbers lie in the order (N,C,H,W)"]
    if H == W and same(given, right.swapaxes(2, 3)):
        return [f"your {what} has rows and columns exchanged"]
    return []


def _unbiased(standard, case, dy):
    """{"y" and each argument}: a norm all of which uses the variance over m − 1, its gradients as for the biased one.

    Of x only the two usual mistakes: the formula of the biased variance with the other numbers, and the exact gradient.
    """
    try:
        x, *affine = case.arrays
        axes, count = _normalized(standard, case)
    except (ValueError, MiniresError):
        return {}
    if count < 2 or case.static.get("training") is False:
        return {}
    eps = case.static.get("eps", standard.settings["eps"])
    grouped = x.reshape(_grouped(standard, case))
    mean = grouped.mean(axes, keepdims=True)
    scale = 1 / np.sqrt(grouped.var(axes, keepdims=True, ddof=1) + eps)
    x_hat = ((grouped - mean) * scale).reshape(x.shape)
    shape = [1, -1, *[1] * (x.ndim - 2)] if standard.name != "layer_norm" else None
    gamma, beta = ([v.reshape(shape) if shape else v for v in affine] + [1.0, 0.0])[:2] if affine else (1.0, 0.0)
    y = x_hat * gamma + beta
    if standard.name.endswith("_relu"):
        dy = dy * (y > 0)
        y = np.maximum(y, 0)
    g = (dy * gamma).reshape(grouped.shape)
    h = x_hat.reshape(grouped.shape)
    dx = scale * (g - g.mean(axes, keepdims=True) - h * (g * h).mean(axes, keepdims=True))
    found = {"y": y, "x": dx.reshape(x.shape)}
    if affine:
        rest = tuple(k for k in range(x.ndim) if k != 1) if shape else tuple(range(x.ndim - affine[0].ndim))
        found |= {"weight": (dy * x_hat).sum(rest), "bias": dy.sum(rest)}
    return found


def _grouped(standard, case):
    x = case.arrays[0]
    if standard.name != "group_norm":
        return x.shape
    G = case.static["num_groups"]
    return (x.shape[0], G, x.shape[1] // G, *x.shape[2:])


def _normalized(standard, case):
    """(axes of the means, how many elements each has)"""
    x = case.arrays[0]
    if standard.name == "layer_norm":
        inner = len(case.arrays[1].shape) if len(case.arrays) > 1 else 1
        axes = tuple(range(x.ndim - inner, x.ndim))
    elif standard.name == "group_norm":
        axes = tuple(range(2, x.ndim + 1))
    else:
        axes = (0, *range(2, x.ndim))
    shape = _grouped(standard, case)
    return axes, int(np.prod([shape[a] for a in axes]))
