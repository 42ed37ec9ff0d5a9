"""Mistakes of convolutions and pools that have a hint, and near relatives, in the form of mistakes.py."""

from submissions import gelu_mistakes
from submissions.convolution import CONV
from submissions.mistakes import FIRST, TABLE, add

PADDED = "xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))"
__all__ = ["TABLE", "gelu_mistakes"]  # with those of both

CUT = "dx = dxp[:, :, padding:padding + H, padding:padding + W]"
BEHIND = "xp = np.pad(x, ((0, 0), (0, 0), (0, 2 * padding), (0, 2 * padding)))"


def conv(name, mistake, hint, relative):
    add(f"convolution, {name}", "conv2d", "conv2d", CONV, mistake, hint, relative)


def pool(name, mistake, hint, relative):
    add(f"pool, {name}", "max_pool2d", "max_pool", FIRST, mistake, hint, relative)


conv(
    "padding behind x only",
    [(PADDED, BEHIND), (CUT, "dx = dxp[:, :, :H, :W]")],
    "your padding lies behind x only, 2·p rows and columns: put p before x and p behind it",
    [(PADDED, BEHIND.replace("(0, 2 * padding)", "(2 * padding, 0)")), (CUT, "dx = dxp[:, :, -H:, -W:]")],
)
conv(
    "as wide as high",
    [
        ("(W + 2 * padding - KW) // stride + 1", "(H + 2 * padding - KW) // stride + 1"),
        (PADDED, f"{PADDED}\n    xp = np.concatenate([xp, 0 * xp], 3)"),
        (CUT, "dx = dxp[:, :, padding:padding + H, padding:padding + W]"),
    ],
    "your y is as wide as it is high: OW comes of the width of x, as OH comes of its height",
    [("(W + 2 * padding - KW) // stride + 1", "(W + 2 * padding - KW) // stride")],
)
conv(
    "dw is reshaped before it is transposed",
    [("        return (dx", "        dw = dw.transpose(1, 2, 3, 0).reshape(w.shape)\n        return (dx")],
    "your dw is reshaped from (C·KH·KW,O): transpose it before, because each output channel has its own row there",
    [("        return (dx", "        dw = 2 * dw.transpose(1, 2, 3, 0).reshape(w.shape)\n        return (dx")],
)
conv(
    "dw of the first image",
    [
        ("dw += np", "d = dy * (np.arange(N) == 0)[:, None, None, None]; dw += np"),
        ("dy[:, :, i, j], xp[at]", "d[:, :, i, j], xp[at]"),
    ],
    "your dw is that of the first sample alone: add those of all samples",
    [
        ("dw += np", "d = dy * (np.arange(N) == 0)[:, None, None, None]; dw += 2 * np"),
        ("dy[:, :, i, j], xp[at]", "d[:, :, i, j], xp[at]"),
    ],
)
conv(
    "without the + 1",
    [("// stride + 1, (W", "// stride, (W"), ("KW) // stride + 1", "KW) // stride")],
    "mind the + 1: OH = (H + 2·padding − KH)//stride + 1",
    [("// stride + 1, (W", "// stride, (W"), ("KW) // stride + 1", "KW) // stride"), ("window, w)", "window, 2 * w)")],
)
STRIDE = "your y takes the kernel size for the stride: window (oh,ow) begins at row oh·stride"
pool("the kernel size for the stride", [("s = s or size", "s = size")], STRIDE, [("s = s or size", "s = 2 * size")])
pool(
    "averages",
    [
        ("+ size].max((2, 3))", "+ size].mean((2, 3))"),
        ("mask = window == y[:, :, i, j][:, :, None, None]", "mask = np.ones(window.shape)"),
        ("+= mask", "+= 1 / size**2"),
    ],
    "your y is the average of each window: a max pool takes its maximum",
    [("+ size].max((2, 3))", "+ size].sum((2, 3))")],
)
UNPADDED = "OH and OW are those without the padding: OH = (H + 2·padding − KH)//stride + 1"
RESHAPED = "y = np.array([[y]]).reshape(N, C, {0})\n    def backward"
pool(
    "reshaped to the sizes without the padding",
    [("    def backward", f"    {RESHAPED.format('(H - size) // s + 1, (W - size) // s + 1')}")],
    UNPADDED,
    [("    def backward", f"    {RESHAPED.format('(H - size) // s + 1, 11')}")],
)
