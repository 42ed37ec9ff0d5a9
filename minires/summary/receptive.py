"""Receptive fields: which pixels of the image one number in a map can depend on  [Araujo et al. 2019, distill.pub].

A window of k pixels, stride s and padding p takes the pixels first … last of the layer before it. If neighbours there
lie `step` pixels of the image apart, then with each layer

    first ← first − p·step        last ← last + (k − 1 − p)·step        step ← s·step

and the field has last − first + 1 pixels (their eq. 2 and 4, from the image up). Where ways meet, as in a residual add,
the field reaches from the smallest first to the largest last.

A window is not the only way to see. An average of the whole map, as in squeeze and excitation, and attention see
everything. So a Field has two parts: the windows, and whether there is a way beside them that sees the whole image.
"""

from collections.abc import Callable
from itertools import zip_longest
from typing import Any, NamedTuple
from weakref import ref

from minires.arrays import is_array
from minires.kernels import Window
from minires.kernels.window import pair
from minires.settings import axes as axes_of
from minires.settings import axis
from minires.tensor import unwrap

NO_AXES: frozenset[int] = frozenset()
ROWS = frozenset({0})
COLUMNS = frozenset({1})
MAP = (NO_AXES, NO_AXES, ROWS, COLUMNS)  # of x (N,C,H,W)


class Span(NamedTuple):
    """Along one axis of the image: the first and the last pixel of the first field, and the pixels to the next."""

    first: int
    last: int
    step: int


class Field(NamedTuple):
    """What the elements of an array see of the image.

    windows: the Spans of rows and columns; None if no way leads through windows alone.
    is_global: whether some way sees the whole image. axes: for each axis of the array, the axes of the image in it.
    """

    windows: tuple[Span, Span] | None
    is_global: bool
    axes: tuple[frozenset[int], ...]

    @property
    def size(self) -> tuple[int, int] | None:
        """Rows and columns of the image that the windows reach over."""
        return self.windows and (_length(self.windows[0]), _length(self.windows[1]))

    @property
    def stride(self) -> tuple[int, int] | None:
        """Pixels of the image from one field to the next."""
        return self.windows and (self.windows[0].step, self.windows[1].step)

    @property
    def start(self) -> tuple[int, int] | None:
        """Row and column of the first field's first pixel; below 0 in the padding."""
        return self.windows and (self.windows[0].first, self.windows[1].first)


def _length(span):
    return span.last - span.first + 1


class Fields:
    """The Field of each array that a network computes, told op by op: on_call is for observe.listen()."""

    def __init__(self, inputs: Any) -> None:
        self._known: dict[int, Any] = {}  # {id: (the array, weakly, and its Field)}
        for x in map(unwrap, inputs):
            if is_array(x) and x.ndim == 4:
                self._keep(x, Field((Span(0, 0, 1), Span(0, 0, 1)), False, MAP))

    def of(self, array: Any) -> Field | None:
        """The Field of an array or Tensor; None if it does not depend on the image, or if that is unknown."""
        found = self._found(unwrap(array))
        return found if isinstance(found, Field) else None

    def on_call(self, name: str, inputs: Any, settings: Any, y: Any) -> None:
        arrays = [unwrap(x) for x in inputs]
        fields = [self._found(array) for array in arrays]
        if all(field is None for field in fields):
            return  # weights alone
        rule = RULES.get(name)
        seen = rule(arrays, fields, settings, y) if rule and "unknown" not in fields else None
        self._keep(y, seen or "unknown")

    def _keep(self, array, field):
        self._known[id(array)] = ref(array), field

    def _found(self, array):
        array_there, field = self._known.get(id(array), (lambda: None, None))
        return field if array is not None and array_there() is array else None


# The rules: (arrays, their Fields or None, settings, y) -> the Field of y, or None if it is unknown


def _seen_together(fields, ndim):
    """The Field of an element that is computed from one element of each: the axes are aligned as in broadcasting."""
    fields = [field for field in fields if field]
    windows = [field.windows for field in fields if field.windows]
    spans = []
    for column in zip(*windows):
        if len({span.step for span in column}) > 1:
            return None
        spans.append(Span(min(s.first for s in column), max(s.last for s in column), column[0].step))
    aligned = zip_longest(*(reversed(field.axes) for field in fields), fillvalue=NO_AXES)
    axes = [frozenset().union(*column) for column in aligned][::-1]
    axes = [NO_AXES] * (ndim - len(axes)) + axes
    return Field(tuple(spans) if spans else None, any(field.is_global for field in fields), tuple(axes))


def _element_by_element(arrays, fields, settings, y):
    return _seen_together(fields, y.ndim)


def _window(arrays, fields, settings, y, name):
    x, field = arrays[0], fields[0]
    if any(fields[1:]) or (field.windows and field.axes != MAP):
        return None
    if name == "pool":
        taken = {"dilation": 1, "ceil_mode": False} | settings
        win = Window.pool(
            x.shape, taken["kernel_size"], taken.get("stride"), taken.get("padding", 0),
            dilation=taken["dilation"], ceil_mode=taken["ceil_mode"],
        )  # fmt: skip
    else:
        shape = {key: settings[key] for key in ("stride", "padding", "dilation", "groups") if key in settings}
        win = Window.of(x.shape, arrays[1].shape, **shape)
    return _through(field, win)


def _through(field, win):
    if not field.windows:
        return field
    rows = _slid(field.windows[0], win.KH, win.SH, win.PH, win.DH)
    columns = _slid(field.windows[1], win.KW, win.SW, win.PW, win.DW)
    return field._replace(windows=(rows, columns))


def _slid(span, kernel, stride, padding, dilation):
    """The recursion."""
    reach = (kernel - 1) * dilation
    return Span(span.first - padding * span.step, span.last + (reach - padding) * span.step, stride * span.step)


def _convolution(arrays, fields, settings, y):
    return _window(arrays, fields, settings, y, "convolution")


def _pool(arrays, fields, settings, y):
    return _window(arrays, fields, settings, y, "pool")


def _adaptive_pool(arrays, fields, settings, y):
    x, field = arrays[0], fields[0]
    if y.shape[2:] == (1, 1) and x.shape[2:] != (1, 1):
        return _mixed(field, (2, 3))
    if field.axes != MAP or x.shape[2] % y.shape[2] or x.shape[3] % y.shape[3]:
        return None if field.windows else field
    size = pair((x.shape[2] // y.shape[2], x.shape[3] // y.shape[3]), "size", "pool", 1)
    return _through(field, Window.pool(x.shape, size))


def _mixed(field, dims, kept=None):
    """The Field behind a sum over the axes `dims` of an array, whose axes then are `kept`, those of before if None."""
    axes = field.axes if kept is None else tuple(kept)
    seen = frozenset().union(*(field.axes[i] for i in dims))
    if not seen or (not field.windows):
        return field._replace(axes=axes)
    if seen != {0, 1}:
        return None  # whole rows, or whole columns
    return Field(None, True, tuple([NO_AXES] * len(axes)))


def _reduction(arrays, fields, settings, y):
    dims = axes_of("sum", settings.get("dim"), arrays[0].ndim)
    kept = [NO_AXES if i in dims else axes for i, axes in enumerate(fields[0].axes)]
    if not settings.get("keepdim", False):
        kept = [axes for i, axes in enumerate(kept) if i not in dims]
    return _mixed(fields[0], dims, kept)


def _softmax(arrays, fields, settings, y):
    return _mixed(fields[0], [axis("softmax", settings["dim"], arrays[0].ndim)])


def _layer_norm(arrays, fields, settings, y):
    features = arrays[1].ndim if len(arrays) > 1 and is_array(arrays[1]) else 1
    return _mixed(fields[0], range(y.ndim - features, y.ndim))


def _linear(arrays, fields, settings, y):
    if not fields[0] or any(fields[1:]):
        return None
    return _mixed(fields[0], [y.ndim - 1], (*fields[0].axes[:-1], NO_AXES))


def _attention(arrays, fields, settings, y):
    """Each query sees all keys and values; what it saw itself, it still sees."""
    if not all(fields[:3]):
        return None
    query, key, value = fields[:3]
    seen = [_mixed(field, [-2], (*field.axes[:-2], NO_AXES, NO_AXES)) for field in (key, value)]
    if query.axes[-1] or not all(seen):
        return None
    return _seen_together([query, *seen], y.ndim)


def _permute(arrays, fields, settings, y):
    return fields[0]._replace(axes=tuple(fields[0].axes[d] for d in settings["dims"]))


def _transpose(arrays, fields, settings, y):
    axes = list(fields[0].axes)
    i = settings["dim0"]
    j = settings["dim1"]
    axes[i], axes[j] = axes[j], axes[i]
    return fields[0]._replace(axes=tuple(axes))


def _reshape(arrays, fields, settings, y):
    """Axes with as many elements together correspond: those of (8,6) are both in (48,), and (2,3) are the 6."""
    before = list(zip(arrays[0].shape, fields[0].axes))
    after = list(y.shape)
    axes = []
    while after:
        product = after.pop(0)
        count = 1
        size, seen = before.pop(0) if before else (1, NO_AXES)
        while size != product:
            if size < product and before:
                more, also = before.pop(0)
                size *= more
                seen |= also
            elif after:
                product *= after.pop(0)
                count += 1
            else:
                return None
        axes += [seen] * count
    if any(seen for _, seen in before):
        axes[-1] |= frozenset().union(*(seen for _, seen in before))
    return fields[0]._replace(axes=tuple(axes))


def _expand(arrays, fields, settings, y):
    return fields[0]._replace(axes=(NO_AXES,) * (y.ndim - len(fields[0].axes)) + fields[0].axes)


def _cat(arrays, fields, settings, y):
    i = axis("cat", settings.get("dim", 0), y.ndim)
    several = [field for field in fields if field and field.axes[i]]
    return None if len(several) > 1 else _seen_together(fields, y.ndim)


def _pad(arrays, fields, settings, y):
    before = dict(enumerate(settings["pad"][::2], 1))  # {axis from the end: width}
    return _moved(fields[0], {y.ndim - i: (-width, 1) for i, width in before.items()})


def _moved(field, changes):
    """changes: {axis of the array: (the element that is now the first, how many elements lie from one to the next)}"""
    for i, (first, stride) in changes.items():
        if (first, stride) == (0, 1) or not field.windows or not field.axes[i]:
            continue
        if field.axes[i] not in (ROWS, COLUMNS):
            return None
        windows = list(field.windows)
        (k,) = field.axes[i]
        windows[k] = _slid(windows[k], 1, stride, -first, 1)
        field = field._replace(windows=tuple(windows))
    return field


def _getitem(arrays, fields, settings, y):
    field = fields[0]
    index = settings["index"] if isinstance(settings["index"], tuple) else (settings["index"],)
    if any(not isinstance(i, (int, slice)) for i in index):
        return None
    places = {i: range(n)[part] for i, (part, n) in enumerate(zip(index, arrays[0].shape)) if isinstance(part, slice)}
    kept = [field.axes[i] for i in range(arrays[0].ndim) if i >= len(index) or i in places]
    chosen = [i for i in range(len(index)) if i not in places]
    if any(field.axes[i] for i in chosen):  # one token, such as the class token
        return Field(None, True, tuple([NO_AXES] * len(kept))) if field.is_global else None
    moved = _moved(field, {i: (place.start, place.step) for i, place in places.items()})
    return moved and moved._replace(axes=tuple(kept))


Rule = Callable[[list[Any], list[Any], dict[str, Any], Any], Field | None]
RULES: dict[str, Rule] = {
    name: rule
    for rule, names in {
        _convolution: "conv2d conv_norm",
        _pool: "max_pool2d avg_pool2d",
        _adaptive_pool: "adaptive_avg_pool2d",
        _element_by_element: "add sub mul div pow maximum minimum where neg abs exp log sqrt clip clone "
        "relu relu6 leaky_relu tanh sigmoid silu gelu dropout residual_add residual_add_relu "
        "batch_norm batch_norm_relu",
        _reduction: "sum mean amax amin",
        _softmax: "softmax log_softmax",
        _layer_norm: "layer_norm",
        _linear: "linear",
        _attention: "scaled_dot_product_attention",
        _permute: "permute",
        _transpose: "transpose",
        _reshape: "reshape flatten squeeze unsqueeze",
        _expand: "expand broadcast_to",
        _cat: "cat",
        _pad: "pad",
        _getitem: "getitem",
    }.items()
    for name in names.split()
}
