"""How a window slides: kernel, stride, padding, dilation and groups, checked once, with the messages a person gets."""

from functools import lru_cache
from typing import NamedTuple

from minires.errors import DTypeError, ShapeError
from minires.settings import integer

LARGEST = 2**31 - 1  # so that sums and products of a few stay numbers that strides in memory can be
MOST_POSITIONS = 2**30  # of a pooling's kernel: their numbers are int32, beside one bit more


def pair(value, name, op, least):
    """value as (rows, columns), each an integer >= least."""
    values = value if isinstance(value, (tuple, list)) else (value, value)
    try:
        values = tuple([integer(name, v) for v in values])
    except DTypeError:
        raise DTypeError(f"{op}: {name} must be an integer or two, got {value!r}") from None
    if len(values) != 2:
        raise ShapeError(f"{op}: {name} must be an integer or two, got {value!r}")
    if min(values) < least:
        raise ShapeError(f"{op}: {name} must be at least {least}, got {value!r}")
    if max(values) > LARGEST:
        raise ShapeError(f"{op}: {name} must be at most {LARGEST}, got {value!r}")
    return values


def without_batch(shape, axes):
    """What to say of an x that lacks the first of its axes, as a single image does."""
    return "; add a batch axis: x[None]" if len(shape) == axes - 1 else ""


class Window(NamedTuple):
    """The geometry of one convolution or pooling, in the letters of the shape alphabet.

    x (N,C,H,W), w (O,C/groups,KH,KW), y (N,O,OH,OW); output row oh meets input row oh·SH + kh·DH − PH.
    PH and PW are the padding before the picture; how far the windows reach beyond its end follows from OH and OW.
    """

    N: int
    C: int
    H: int
    W: int
    O: int
    KH: int
    KW: int
    SH: int
    SW: int
    PH: int
    PW: int
    DH: int
    DW: int
    groups: int
    OH: int
    OW: int

    @classmethod
    def of(cls, x_shape, w_shape, stride=1, padding=0, dilation=1, groups=1, op="conv2d"):
        """The window of a convolution. Raises ShapeError or DTypeError when something does not fit."""
        if len(x_shape) != 4 or len(w_shape) != 4:
            raise ShapeError(
                f"{op}: x must be (N,C,H,W) and weight (O,C/groups,KH,KW), got {x_shape} and {w_shape}"
                f"{without_batch(x_shape, 4)}"
            )
        (N, C, H, W), (O, C_group, KH, KW) = x_shape, w_shape
        groups = integer(f"{op}: groups", groups)
        if groups < 1 or C % groups or O % groups:
            raise ShapeError(f"{op}: groups={groups} must divide the {C} input and the {O} output channels")
        if C_group * groups != C:
            raise ShapeError(f"{op}: x has {C} channels, weight expects {C_group * groups} (weight.shape[1]·groups)")
        return cls._slide(op, (N, C, H, W), O, (KH, KW), stride, padding, dilation, groups)

    @classmethod
    def pool(cls, x_shape, kernel_size, stride=None, padding=0, op="max_pool2d", *, dilation=1, ceil_mode=False):
        """The window of a pooling: every channel for itself; the stride is the kernel size unless given."""
        if len(x_shape) != 4:
            raise ShapeError(f"{op}: x must be (N,C,H,W), got {x_shape}{without_batch(x_shape, 4)}")
        kernel = pair(kernel_size, "kernel_size", op, 1)
        pad = pair(padding, "padding", op, 0)
        if any(2 * p > k for p, k in zip(pad, kernel)):
            raise ShapeError(
                f"{op}: padding {padding} is more than half of kernel_size {kernel_size}, "
                "so a window could hold nothing but padding"
            )
        if kernel[0] * kernel[1] > MOST_POSITIONS:
            raise ShapeError(
                f"{op}: kernel_size {kernel_size} has {kernel[0] * kernel[1]} positions, at most "
                f"{MOST_POSITIONS} are possible; a mean or maximum of a whole map is x.mean((2, 3)) or "
                "x.amax((2, 3))"
            )
        stride = kernel if stride is None else stride
        return cls._slide(op, x_shape, x_shape[1], kernel, stride, pad, dilation, x_shape[1], ceil_mode)

    @classmethod
    def _slide(cls, op, x_shape, O, kernel, stride, padding, dilation, groups, ceil_mode=False):
        (N, C, H, W), (KH, KW) = x_shape, kernel
        SH, SW = pair(stride, "stride", op, 1)
        DH, DW = pair(dilation, "dilation", op, 1)
        if min(C, O, H, W, KH, KW) < 1:
            raise ShapeError(
                f"{op}: channels, map and kernel must not be empty, got x {x_shape}, {O} output "
                f"channels, kernel {KH}×{KW}"
            )
        reach_h, reach_w = DH * (KH - 1) + 1, DW * (KW - 1) + 1
        (top, left), (bottom, right) = paddings(padding, (reach_h, reach_w), (SH, SW), op)
        OH = _outputs(H, top, bottom, reach_h, SH, ceil_mode)
        OW = _outputs(W, left, right, reach_w, SW, ceil_mode)
        if OH < 1 or OW < 1:
            raise ShapeError(
                f"{op}: the kernel reaches over {reach_h}×{reach_w}, the padded input has only "
                f"{H + top + bottom}×{W + left + right}; use a larger picture or more padding"
            )
        return cls(N, C, H, W, O, KH, KW, SH, SW, top, left, DH, DW, groups, OH, OW)

    @property
    def x_shape(self):
        return self.N, self.C, self.H, self.W

    @property
    def y_shape(self):
        return self.N, self.O, self.OH, self.OW

    @property
    def products(self):
        """How many multiplications im2col's product has."""
        return self.N * self.OH * self.OW * self.O * self.C // self.groups * self.KH * self.KW

    @property
    def is_pointwise(self):
        """Whether every output meets the one input at its own place: a 1×1 kernel without stride and padding."""
        return (self.KH, self.KW, self.SH, self.SW, self.OH, self.OW) == (1, 1, 1, 1, self.H, self.W)

    def transposed(self):
        """The window of dX as the convolution of dY with the flip_kernel() weights, or None where there is a stride."""
        PH, PW = self.DH * (self.KH - 1) - self.PH, self.DW * (self.KW - 1) - self.PW
        if self.SH != 1 or self.SW != 1 or PH < 0 or PW < 0:
            return None
        return self._replace(C=self.O, H=self.OH, W=self.OW, O=self.C, OH=self.H, OW=self.W, PH=PH, PW=PW)

    def counts(self, count_include_pad=True):
        """How many values a pooling's windows have: (rows of each output row, columns of each output column).

        The padding counts or does not; what a window has beyond it, in ceil_mode, never does.
        """
        axes = (self.H, self.OH, self.KH, self.SH, self.PH), (self.W, self.OW, self.KW, self.SW, self.PW)
        return tuple(_counts(*axis, count_include_pad) for axis in axes)

    def positions(self, first=0, last=None):
        """Each kernel position (kh, kw), with the outputs that it serves and the inputs that it reads there.

        Gives tuples kh, kw, out, src: out = (rows, columns) slices of an output map, src of an input map, of equal
        length; outputs for which the tap lies in the padding are left out, so that no padded copy is needed.
        A position that serves no output is left out.
        Only output rows first … last − 1 are served, and out counts them from first.
        """
        return _positions(self, first, self.OH if last is None else last)


def paddings(padding, reach, stride, op):
    """((rows, columns) of padding before a picture, (rows, columns) behind it) for an integer, two, "same" or "valid".

    "same" gives as many outputs as inputs, so it needs stride 1; of an odd number the larger half comes behind.
    """
    if not isinstance(padding, str):
        before = pair(padding, "padding", op, 0)
        return before, before
    if padding not in ("same", "valid"):
        raise DTypeError(f"{op}: padding must be an integer or two, 'same' or 'valid', got {padding!r}")
    if padding == "valid":
        return (0, 0), (0, 0)
    if stride != (1, 1):
        raise ShapeError(f"{op}: padding='same' needs stride 1, got {stride}; give the padding in numbers")
    before = tuple((r - 1) // 2 for r in reach)
    return before, tuple(r - 1 - p for r, p in zip(reach, before))


def _outputs(size, before, behind, reach, stride, ceil_mode):
    """How many windows there are along an axis; in ceil_mode one more reaches over the end, if it begins before it.

    The end is that of the picture, for a window of padding alone would hold nothing.
    """
    outputs = (before + size + behind - reach + (stride - 1 if ceil_mode else 0)) // stride + 1
    if ceil_mode and (outputs - 1) * stride >= size + before:
        outputs -= 1
    return outputs


def _counts(size, outputs, kernel, stride, padding, count_include_pad):
    first, end = (-padding, size + padding) if count_include_pad else (0, size)
    starts = [i * stride - padding for i in range(outputs)]
    return [min(start + kernel, end) - max(start, first) for start in starts]


def flip_kernel(w):
    """w (O,C,KH,KW) turned by 180° -> (KH,KW,O,C)"""
    return w[:, :, ::-1, ::-1].transpose(2, 3, 0, 1)


@lru_cache(maxsize=4096)
def _positions(win, first, last):
    rows = _taps(win.KH, win.DH, win.PH, win.SH, win.H, first, last)
    columns = _taps(win.KW, win.DW, win.PW, win.SW, win.W, 0, win.OW)
    return tuple((kh, kw, (oh, ow), (h, w)) for kh, oh, h in rows for kw, ow, w in columns)


def _taps(kernel, dilation, padding, stride, size, first, last):
    """(k, outputs, inputs) of an axis, for each k of the kernel at which some output meets an input.

    The others are not even looked at: a kernel may be far larger than the map, where the padding is.
    """
    lowest = max(0, -(((last - 1) * stride - padding) // dilation))
    highest = min(kernel - 1, (size - 1 + padding - first * stride) // dilation)
    taps = [(k, *_meet(k * dilation - padding, stride, size, first, last)) for k in range(lowest, highest + 1)]
    return [tap for tap in taps if tap[1].stop]


def _meet(offset, stride, size, first, last):
    """The outputs first <= o < last with 0 <= o·stride + offset < size, counted from first, and their inputs."""
    start = max(first, -(offset // stride))
    stop = min(last, (size - 1 - offset) // stride + 1)
    if stop <= start:
        return slice(0, 0), slice(0, 0)
    source = start * stride + offset
    return slice(start - first, stop - first), slice(source, source + (stop - 1 - start) * stride + 1, stride)
