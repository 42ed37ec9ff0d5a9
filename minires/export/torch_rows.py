"""The table op → PyTorch: a function an op, with the op's own arguments, which gives the expression as text.

t(x) is the text of a Value, a number or a setting; t("F.relu", x) that of a call, without the settings that have
PyTorch's defaults.
"""

from collections.abc import Callable

from minires.errors import OptionError
from minires.settings import axis

ROWS: dict[str, Callable[..., str]] = {}  # {name of an op: (t, *inputs, **settings) -> text}


def row(name):
    def enter(function):
        ROWS[name] = function
        return function

    return enter


# Functions with the op's own name for each argument

for _name, _function in {
    "abs": "torch.abs",
    "amax": "torch.amax",
    "amin": "torch.amin",
    "avg_pool2d": "F.avg_pool2d",
    "clip": "torch.clip",
    "conv2d": "F.conv2d",
    "exp": "torch.exp",
    "flatten": "torch.flatten",
    "gelu": "F.gelu",
    "leaky_relu": "F.leaky_relu",
    "linear": "F.linear",
    "log": "torch.log",
    "log_softmax": "F.log_softmax",
    "logsumexp": "torch.logsumexp",
    "max_pool2d": "F.max_pool2d",
    "mean": "torch.mean",
    "permute": "torch.permute",
    "relu": "F.relu",
    "relu6": "F.relu6",
    "scaled_dot_product_attention": "F.scaled_dot_product_attention",
    "sigmoid": "torch.sigmoid",
    "silu": "F.silu",
    "softmax": "F.softmax",
    "sqrt": "torch.sqrt",
    "squeeze": "torch.squeeze",
    "sum": "torch.sum",
    "tanh": "torch.tanh",
    "transpose": "torch.transpose",
    "unsqueeze": "torch.unsqueeze",
    "where": "torch.where",
}.items():
    ROWS[_name] = lambda t, *inputs, function=_function, **settings: t(function, *inputs, **settings)

# Operators

for _name, _sign in {
    "add": "+",
    "div": "/",
    "matmul": "@",
    "mul": "*",
    "pow": "**",
    "residual_add": "+",
    "sub": "-",
}.items():
    ROWS[_name] = lambda t, a, b, sign=_sign: f"{t(a)} {sign} {t(b)}"

ROWS["neg"] = lambda t, x: f"-{t(x)}"
ROWS["maximum"] = lambda t, a, b: _extreme(t, "maximum", "min", a, b)
ROWS["minimum"] = lambda t, a, b: _extreme(t, "minimum", "max", a, b)


def _extreme(t, function, bound, a, b):
    """torch.maximum takes no numbers; a number is the bound of torch.clip."""
    number, tensor = (a, b) if isinstance(a, (int, float)) else (b, a)
    if isinstance(number, (int, float)):
        return t("torch.clip", tensor, **{bound: number})
    return t(f"torch.{function}", a, b)


# Norms, whose arguments PyTorch has in another order


@row("batch_norm")
def _batch_norm(t, x, weight, bias, *, running_mean=None, running_var=None, training=False, momentum=0.1, eps=1e-5):
    if training or running_mean is None:
        raise OptionError("export: a batch_norm without running statistics sees the batch, which has no row")
    part = weight.name.rpartition(".")[0]
    arrays = {"weight": weight, "bias": bias, "running_mean": running_mean, "running_var": running_var}
    if part and all(array.name == f"{part}.{name}" for name, array in arrays.items()):
        return f"batch_norm({t(x)}, {t.part(part)}" + f", eps={eps}" * (eps != 1e-5) + ")"
    return t("F.batch_norm", x, running_mean, running_var, weight, bias, eps=eps)


@row("layer_norm")
def _layer_norm(t, x, weight=None, bias=None, *, normalized_shape=None, eps=1e-5):
    given = weight.shape if normalized_shape is None and weight is not None else normalized_shape or x.shape[-1:]
    features = given if isinstance(given, tuple) else (given,)
    return t("F.layer_norm", x, features, *(part for part in (weight, bias) if part is not None), eps=eps)


@row("group_norm")
def _group_norm(t, x, weight=None, bias=None, *, num_groups, eps=1e-5):
    return t("F.group_norm", x, num_groups, *(part for part in (weight, bias) if part is not None), eps=eps)


# Shapes


@row("adaptive_avg_pool2d")
def _adaptive_avg_pool2d(t, x, *, output_size=1):
    return t("F.adaptive_avg_pool2d", x, output_size)


@row("cat")
def _cat(t, *xs, dim=0):
    return f"torch.cat([{', '.join(map(t, xs))}], dim={dim})"


@row("stack")
def _stack(t, *xs, dim=0):
    return f"torch.stack([{', '.join(map(t, xs))}], dim={axis('stack', dim, len(xs[0].shape) + 1)})"


@row("einsum")
def _einsum(t, *xs, equation):
    return f"torch.einsum({equation!r}, {', '.join(map(t, xs))})"


@row("pad")
def _pad(t, x, *, pad, value=0.0):
    return t("F.pad", x, pad, value=value)


@row("getitem")
def _getitem(t, x, *, index):
    parts = index if isinstance(index, tuple) else (index,)
    return f"{t(x)}[{', '.join(map(_part, map(t, parts), parts))}]"


def _part(text, part):
    """A slice as it stands between brackets."""
    if not isinstance(part, slice):
        return "..." if part is ... else text
    start, stop, step = ("" if bound is None else str(bound) for bound in (part.start, part.stop, part.step))
    return f"{start}:{stop}" + f":{step}" * bool(step)


def _method(name, setting):
    def text(t, x, **settings):
        return f"{t(x)}.{name}({t(settings[setting])})"

    return text


ROWS["reshape"] = _method("reshape", "shape")
ROWS["expand"] = _method("expand", "sizes")
ROWS["broadcast_to"] = _method("expand", "shape")


@row("clone")
def _clone(t, x, *, order="K"):
    return f"{t(x)}.clone()"


@row("to")
def _to(t, x, *, device=None, dtype=None):
    return f"{t(x)}.to({t.dtype})"
