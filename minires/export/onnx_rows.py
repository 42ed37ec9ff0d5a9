"""The table op → ONNX operators: a function an op, with the op's own arguments. g("Conv", …) adds a node to the graph.

What ONNX says of its operators: https://onnx.ai/onnx/operators
"""

import math
from collections.abc import Callable

import numpy as np

from minires.errors import OptionError
from minires.export.values import Value
from minires.kernels.window import Window, paddings, pair
from minires.ops.pool import averaging_matrix
from minires.settings import axes, axis

ROWS: dict[str, Callable[..., str]] = {}  # {name of an op: (g, *inputs, **settings) -> the name of the output}


def row(name):
    def enter(function):
        ROWS[name] = function
        return function

    return enter


# Operators of the same meaning, by name

for _name, _operator in {
    "abs": "Abs",
    "exp": "Exp",
    "log": "Log",
    "neg": "Neg",
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "sqrt": "Sqrt",
    "tanh": "Tanh",
}.items():
    ROWS[_name] = lambda g, x, operator=_operator: g(operator, x)

for _name, _operator in {
    "add": "Add",
    "div": "Div",
    "maximum": "Max",
    "minimum": "Min",
    "mul": "Mul",
    "pow": "Pow",
    "residual_add": "Add",
    "sub": "Sub",
}.items():
    ROWS[_name] = lambda g, a, b, operator=_operator: g(operator, g.operand(a), g.operand(b))


# Activations


@row("relu6")
def _relu6(g, x):
    return g("Clip", x, g.number(0), g.number(6))


@row("clip")
def _clip(g, x, *, min=None, max=None):
    bounds = [None if bound is None else g.operand(bound) for bound in (min, max)]
    y = x if bounds[0] is None else g("Max", x, bounds[0])  # Clip takes no arrays
    return y if bounds[1] is None else g("Min", y, bounds[1])


@row("leaky_relu")
def _leaky_relu(g, x, *, negative_slope=0.01):
    return g("LeakyRelu", x, alpha=float(negative_slope))


@row("silu")
def _silu(g, x):
    return g("Mul", x, g("Sigmoid", x))


@row("gelu")
def _gelu(g, x, *, approximate="none"):
    if g.opset >= 20:
        return g("Gelu", x, approximate=approximate)
    if approximate == "none":
        part = g("Erf", g("Mul", x, g.number(math.sqrt(0.5))))
    else:
        cube = g("Mul", g("Pow", x, g.number(3)), g.number(0.044715))
        part = g("Tanh", g("Mul", g("Add", x, cube), g.number(math.sqrt(2 / math.pi))))
    return g("Mul", g("Mul", x, g.number(0.5)), g("Add", part, g.number(1)))


@row("softmax")
def _softmax(g, x, *, dim):
    return g("Softmax", x, axis=dim)


@row("log_softmax")
def _log_softmax(g, x, *, dim):
    return g("LogSoftmax", x, axis=dim)


@row("where")
def _where(g, condition, a, b):
    return g("Where", condition, g.operand(a), g.operand(b))


# Products


@row("conv2d")
def _conv2d(g, x, weight, bias=None, *, stride=1, padding=0, dilation=1, groups=1):
    kernel = weight.shape[2:]
    step = pair(stride, "stride", "conv2d", 1)
    apart = pair(dilation, "dilation", "conv2d", 1)
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, apart)]
    before, after = paddings(padding, reach, step, "conv2d")
    layout = {"kernel_shape": kernel, "strides": step, "pads": before + after, "dilations": apart, "group": groups}
    return g("Conv", x, weight, *([] if bias is None else [bias]), **layout)


@row("linear")
def _linear(g, x, weight, bias=None):
    if len(x.shape) == 2:
        return g("Gemm", x, weight, *([] if bias is None else [bias]), transB=1)
    y = g("MatMul", x, g("Transpose", weight, perm=(1, 0)))
    return y if bias is None else g("Add", y, bias)


@row("matmul")
def _matmul(g, a, b):
    return g("MatMul", a, b)


@row("einsum")
def _einsum(g, *xs, equation):
    return g("Einsum", *xs, equation=equation)


@row("scaled_dot_product_attention")
def _attention(g, query, key, value, *, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None):
    if dropout_p:
        raise OptionError("export: scaled_dot_product_attention with dropout draws random numbers, which ONNX cannot")
    E, L, S = query.shape[-1], query.shape[-2], key.shape[-2]
    order = [*range(len(key.shape) - 2), len(key.shape) - 1, len(key.shape) - 2]
    scaled = g("Mul", query, g.number(1 / math.sqrt(E) if scale is None else scale))
    scores = g("MatMul", scaled, g("Transpose", key, perm=order))
    mask = np.tri(L, S, dtype=bool) if is_causal else g.array(attn_mask) if isinstance(attn_mask, Value) else None
    if attn_mask is not None and mask is None:
        raise OptionError("export: an attn_mask that is computed from the images has no row in the table")
    if mask is not None:
        added = np.where(mask, 0, -math.inf) if mask.dtype.kind == "b" else mask
        if not np.isfinite(added).any(axis=-1).all():
            raise OptionError("export: a query that sees no key gets zeros here, and not a number in ONNX")
        scores = g("Add", scores, added.astype(query.dtype))
    return g("MatMul", g("Softmax", scores, axis=-1), value)


# Norms


@row("batch_norm")
def _batch_norm(g, x, weight, bias, *, running_mean=None, running_var=None, training=False, momentum=0.1, eps=1e-5):
    if training or running_mean is None:
        raise OptionError("export: a batch_norm without running statistics sees the batch, which has no row")
    return g("BatchNormalization", x, weight, bias, running_mean, running_var, epsilon=float(eps))


@row("layer_norm")
def _layer_norm(g, x, weight=None, bias=None, *, normalized_shape=None, eps=1e-5):
    given = weight.shape if normalized_shape is None and weight is not None else normalized_shape or x.shape[-1:]
    features = given if isinstance(given, tuple) else (given,)
    weight = np.ones(features, x.dtype) if weight is None else weight
    inputs = [x, weight, *([] if bias is None else [bias])]
    return g("LayerNormalization", *inputs, axis=-len(features), epsilon=float(eps))


@row("group_norm")
def _group_norm(g, x, weight=None, bias=None, *, num_groups, eps=1e-5):
    one = np.ones(num_groups, x.dtype)
    zero = np.zeros(num_groups, x.dtype)
    groups = g("Reshape", x, g.integers(0, num_groups, -1))  # (N,C,…) -> (N,G,…)
    y = g.reshaped(g("InstanceNormalization", groups, one, zero, epsilon=float(eps)), x.shape)
    beside = g.integers(-1, *[1] * (len(x.shape) - 2))  # (C,) -> (C,1,…)
    y = y if weight is None else g("Mul", y, g("Reshape", weight, beside))
    return y if bias is None else g("Add", y, g("Reshape", bias, beside))


# Pooling


def _pooling(x, kernel_size, stride, padding, dilation=1, ceil_mode=False):
    """(attributes of a pooling, the padding before, that after it), so that ⌊…⌋ gives the outputs of ceil_mode, too."""
    shape = (1, *x.shape[1:])
    win = Window.pool(shape, kernel_size, stride, padding, dilation=dilation, ceil_mode=ceil_mode)
    before = (win.PH, win.PW)
    axes = ((win.OH, win.SH, win.DH, win.KH, win.H, win.PH), (win.OW, win.SW, win.DW, win.KW, win.W, win.PW))
    after = tuple(max((out - 1) * s + d * (k - 1) + 1 - size - p, p) for out, s, d, k, size, p in axes)
    return {"kernel_shape": (win.KH, win.KW), "strides": (win.SH, win.SW)}, before, after, (win.DH, win.DW)


@row("max_pool2d")
def _max_pool2d(g, x, *, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    layout, before, after, apart = _pooling(x, kernel_size, stride, padding, dilation, ceil_mode)
    return g("MaxPool", x, **layout, pads=before + after, dilations=apart)


@row("avg_pool2d")
def _avg_pool2d(g, x, *, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    layout, before, after, _ = _pooling(x, kernel_size, stride, padding, ceil_mode=ceil_mode)
    if not count_include_pad:
        return g("AveragePool", x, **layout, pads=before + after)
    if any(before):  # what ceil_mode adds beyond the padding never counts
        x = g("Pad", x, g.integers(0, 0, *before, 0, 0, *before), g.number(0))
    return g("AveragePool", x, **layout, pads=(0, 0, *(a - b for a, b in zip(after, before))))


@row("adaptive_avg_pool2d")
def _adaptive_avg_pool2d(g, x, *, output_size=1):
    H, W = x.shape[2:]
    wanted = output_size if isinstance(output_size, (tuple, list)) else (output_size, output_size)
    OH, OW = (size if out is None else out for out, size in zip(wanted, (H, W)))
    if (OH, OW) == (1, 1):
        return g("GlobalAveragePool", x)
    if H % OH == 0 and W % OW == 0:
        kernel = (H // OH, W // OW)
        return g("AveragePool", x, kernel_shape=kernel, strides=kernel)
    like = np.empty(0, x.dtype)
    rows = g("MatMul", averaging_matrix(OH, H, like), x)
    return g("MatMul", rows, np.ascontiguousarray(averaging_matrix(OW, W, like).T))


# Sums


def _reduced(g, operator, x, dim, keepdim):
    dims = axes(operator, dim, len(x.shape))
    return g(operator, x, g.integers(*dims), keepdims=int(keepdim)) if dims else x


for _name, _operator in {"amax": "ReduceMax", "amin": "ReduceMin", "mean": "ReduceMean", "sum": "ReduceSum"}.items():
    ROWS[_name] = lambda g, x, operator=_operator, *, dim=None, keepdim=False: _reduced(g, operator, x, dim, keepdim)


@row("logsumexp")
def _logsumexp(g, x, *, dim, keepdim=False):
    return _reduced(g, "ReduceLogSumExp", x, dim, keepdim)


# Shapes


def _as_output(g, x, **settings):
    return g.reshaped(x, g.call.output.shape)


for _name in ("reshape", "squeeze", "unsqueeze"):
    ROWS[_name] = _as_output


@row("flatten")
def _flatten(g, x, *, start_dim=0, end_dim=-1):
    return g("Flatten", x, axis=1) if len(g.call.output.shape) == 2 and start_dim == 1 else _as_output(g, x)


@row("permute")
def _permute(g, x, *, dims):
    return g("Transpose", x, perm=[axis("permute", d, len(x.shape)) for d in dims])


@row("transpose")
def _transpose(g, x, *, dim0, dim1):
    order = list(range(len(x.shape)))
    i = axis("transpose", dim0, len(order))
    j = axis("transpose", dim1, len(order))
    order[i], order[j] = j, i
    return g("Transpose", x, perm=order)


@row("cat")
def _cat(g, *xs, dim=0):
    return g("Concat", *xs, axis=dim)


@row("stack")
def _stack(g, *xs, dim=0):
    i = axis("stack", dim, len(xs[0].shape) + 1)
    return g("Concat", *(g("Unsqueeze", x, g.integers(i)) for x in xs), axis=i)


def _repeated(g, x, **settings):
    return g("Expand", x, g.sizes(g.call.output.shape))


ROWS["expand"] = ROWS["broadcast_to"] = _repeated


@row("pad")
def _pad(g, x, *, pad, value=0.0):
    free = [0] * (len(x.shape) - len(pad) // 2)
    return g("Pad", x, g.integers(*free, *pad[-2::-2], *free, *pad[-1::-2]), g.number(value))


@row("getitem")
def _getitem(g, x, *, index):
    parts = index if isinstance(index, tuple) else (index,)
    if any(not isinstance(part, (int, slice, type(None), type(...))) or isinstance(part, bool) for part in parts):
        raise OptionError("export: getitem with an array as an index has no row in the table; slices and integers have")
    named = sum(isinstance(part, (int, slice)) for part in parts)
    rest = [slice(None)] * (len(x.shape) - named)
    at = parts.index(...) if ... in parts else len(parts)
    cuts = []  # (axis, start, stop, step)
    for i, part in enumerate(p for p in (*parts[:at], *rest, *parts[at + 1 :]) if p is not None):
        if isinstance(part, int):
            n = x.shape[i]
            start = part + n if part < 0 and isinstance(n, int) else part
            cuts.append((i, start, start + 1 or np.iinfo(np.int64).max, 1))
        elif part != slice(None):
            stop = np.iinfo(np.int64).max if part.stop is None else part.stop
            cuts.append((i, part.start or 0, stop, part.step or 1))
    if any(type(number) is tuple or not isinstance(number, (int, np.integer)) for cut in cuts for number in cut):
        raise OptionError("export: getitem with an index that depends on the number of images has no row")
    if cuts:
        i, start, stop, step = (g.integers(*numbers) for numbers in zip(*cuts))
        x = g("Slice", x, start, stop, i, step)
    has_shape_of_parts = all(isinstance(part, (slice, type(...))) for part in parts)
    return x if has_shape_of_parts else g.reshaped(x, g.call.output.shape)


@row("clone")
def _clone(g, x, *, order="K"):
    return g.name(x)


@row("to")
def _to(g, x, *, device=None, dtype=None):
    return g("Cast", x, to=g.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(g.call.output.dtype)))
