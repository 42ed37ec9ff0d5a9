"""How a window slides: kernel, stride, padding, dilation and groups, checked once, with the messages for users."""

from functools import lru_cache
from typing import NamedTuple

from minires.errors import DTypeError, ShapeError
from minires.settings import integer

LARGEST = 2**31 - 1  # so that sums and products of a few settings still fit the int64 of memory strides
MOST_POSITIONS = 2**30  # elements of a pooling's kernel: their indices are int32, and one bit is used as a flag


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
    PH and PW are the padding before the image; how far the windows reach beyond its end follows from OH and OW.
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
        """The window of a pooling of each channel. The stride is the kernel size unless given."""
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
                f"{op}: kernel_size {kernel_size} has {kernel[0] * kernel[1]} elements, at most {MOST_POSITIONS} "
                "are possible; the mean or maximum of a whole image is x.mean((2, 3)) or x.amax((2, 3))"
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
                f"{op}: channels, image and kernel must not be empty, got x {x_shape}, {O} output "
                f"channels, kernel {KH}×{KW}"
            )
        reach_h, reach_w = DH * (KH - 1) + 1, DW * (KW - 1) + 1
        (top, left), (bottom, right) = paddings(padding, (reach_h, reach_w), (SH, SW), op)
        OH = _outputs(H, top, bottom, reach_h, SH, ceil_mode)
        OW = _outputs(W, left, right, reach_w, SW, ceil_mode)
        if OH < 1 or OW < 1:
            raise ShapeError(
                f"{op}: the kernel reaches over {reach_h}×{reach_w}, the padded input has only "
                f"{H + top + bottom}×{W + left + right}; use a larger image or more padding"
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
        """Whether each output depends on the input pixel at its own position: a 1×1 kernel, no stride or padding."""
        return (self.KH, self.KW, self.SH, self.SW, self.OH, self.OW) == (1, 1, 1, 1, self.H, self.W)

    def transposed(self):
        """The window of dX as the convolution of dY with flip_kernel(w), or None where there is a stride."""
        PH, PW = self.DH * (self.KH - 1) - self.PH, self.DW * (self.KW - 1) - self.PW
        if self.SH != 1 or self.SW != 1 or PH < 0 or PW < 0:
            return None
        return self._replace(C=self.O, H=self.OH, W=self.OW, O=self.C, OH=self.H, OW=self.W, PH=PH, PW=PW)

    def counts(self, count_include_pad=True):
        """How many elements the windows of a pooling have: (rows of each output row, columns of each output column).

        Padding counts only with count_include_pad. What ceil_mode adds beyond the padding never counts.
        """
        axes = (self.H, self.OH, self.KH, self.SH, self.PH), (self.W, self.OW, self.KW, self.SW, self.PW)
        return tuple(_counts(*axis, count_include_pad) for axis in axes)

    def positions(self, first=0, last=None):
        """For each kernel element (kh,kw): kh, kw, (oh, ow), (h, w), where the last four are slices of equal length.

        Output y[oh, ow] meets input x[h, w] under this element. Outputs that meet the padding are left out, so x needs
        no padded copy. An element that meets only padding is left out.
        With first and last, only output rows first … last − 1 are given, and oh counts from first.
        """
        return _positions(self, first, self.OH if last is None else last)


def paddings(padding, reach, stride, op):
    """((rows, columns) of padding before an image, (rows, columns) after it) for an integer, two, "same" or "valid".

    "same" gives as many outputs as inputs, so it needs stride 1. If the total is odd, the larger half comes last.
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


def _outputs(size, before, after, reach, stride, ceil_mode):
    """How many windows there are along an axis. In ceil_mode one more may reach over the end of the image.

    It must begin before that end, because a window of padding alone would hold nothing.
    """
    outputs = (before + size + after - reach + (stride - 1 if ceil_mode else 0)) // stride + 1
    if ceil_mode and (outputs - 1) * stride >= size + before:
        outputs -= 1
    return outputs


def _counts(size, outputs, kernel, stride, padding, count_include_pad):
    first, end = (-padding, size + padding) if count_include_pad else (0, size)
    starts = [i * stride - padding for i in range(outputs)]
    return [min(start + kernel, end) - max(start, first) for start in starts]


def flip_kernel(w):
    """w (O,C,KH,KW) flipped along both axes of the kernel -> (KH,KW,O,C)"""
    return w[:, :, ::-1, ::-1].transpose(2, 3, 0, 1)


@lru_cache(maxsize=4096)
def _positions(win, first, last):
    rows = _axis_positions(win.KH, win.DH, win.PH, win.SH, win.H, first, last)
    columns = _axis_positions(win.KW, win.DW, win.PW, win.SW, win.W, 0, win.OW)
    return tuple((kh, kw, (oh, ow), (h, w)) for kh, oh, h in rows for kw, ow, w in columns)


def _axis_positions(kernel, dilation, padding, stride, size, first, last):
    """(k, outputs, inputs) of an axis, for each kernel index k at which an output meets an input.

    The range of k is computed first, because a kernel may be far larger than the image if the padding is.
    """
    lowest = max(0, -(((last - 1) * stride - padding) // dilation))
    highest = min(kernel - 1, (size - 1 + padding - first * stride) // dilation)
    positions = [
        (k, *_matching_slices(k * dilation - padding, stride, size, first, last)) for k in range(lowest, highest + 1)
    ]
    return [(k, outputs, inputs) for k, outputs, inputs in positions if outputs.stop]


def _matching_slices(offset, stride, size, first, last):
    """The outputs first <= o < last with 0 <= o·stride + offset < size, counted from first, and their inputs."""
    start = max(first, -(offset // stride))
    stop = min(last, (size - 1 - offset) // stride + 1)
    if stop <= start:
        return slice(0, 0), slice(0, 0)
    source = start * stride + offset
    return slice(start - first, stop - first), slice(source, source + (stop - 1 - start) * stride + 1, stride)
