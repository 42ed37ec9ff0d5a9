"""Moving pixels (n,H,W,C): zeros put around them, and the C numbers of one copied as a single item.

NumPy copies an item of any size in one piece, where for the C numbers of a pixel it starts a loop: windows of narrow
maps are laid out up to twice as fast.
"""

import numpy as np

from minires.kernels.cpu.threads import buffer


def with_zeros(pixels, height, width, top, left, rows):
    """Pixels (n,H,W,C) as (n,height,width,C), the first of them at (top, left), with zeros around.

    In a buffer, unless there is nothing to add; of the padded map only `rows`, (first, stop), are written.
    """
    n, H, W, C = pixels.shape
    if (height, width) == (H, W) and pixels.flags.c_contiguous:
        return pixels
    padded = buffer("with_zeros", (n, height, width, C), pixels.dtype)
    first = max(rows[0] - top, 0)
    stop = max(min(rows[1] - top, H), 0)
    padded[:, rows[0] : first + top] = 0
    padded[:, stop + top : rows[1]] = 0
    inner = padded[:, first + top : stop + top]
    inner[:, :, :left] = 0
    inner[:, :, left : left + W] = pixels[:, first:stop]
    inner[:, :, left + W :] = 0
    return padded


def as_items(array):
    """array (…,C), whose C numbers lie side by side, as items of C numbers -> (…), in the same memory."""
    return array.view(np.dtype((np.void, array.shape[-1] * array.itemsize)))[..., 0]


def columns(pixels, win, first, last):
    """im2col of some pictures (n,H,W,C) for the output rows first … last − 1 -> (n·rows·OW, K)."""
    if win.is_pointwise:
        return pixels[:, first:last].reshape(-1, win.C)
    if not len(pixels):  # no pictures
        return np.empty((0, win.KH * win.KW * win.C), pixels.dtype)
    # as large as it is padded, or as far as windows reach
    n = len(pixels)
    H = max(win.H + 2 * win.PH, (win.OH - 1) * win.SH + win.DH * (win.KH - 1) + 1)
    W = max(win.W + 2 * win.PW, (win.OW - 1) * win.SW + win.DW * (win.KW - 1) + 1)
    top = first * win.SH  # the rows under these windows, counted in the padded picture
    bottom = (last - 1) * win.SH + win.DH * (win.KH - 1) + 1
    # With its zeros around it the picture is one piece of memory, in which all windows are views.
    pixels = with_zeros(pixels, H, W, win.PH, win.PW, (top, bottom))
    # One call copies all of im2col: what lies under a kernel row is one item.
    side_by_side = win.KW if win.DW == 1 else 1
    item = np.dtype((np.void, side_by_side * win.C * pixels.itemsize))
    pixel = win.C * pixels.itemsize
    windows = np.ndarray(
        (n, last - first, win.OW, win.KH, win.KW // side_by_side),
        item,
        pixels,
        top * W * pixel,
        (H * W * pixel, win.SH * W * pixel, win.SW * pixel, win.DH * W * pixel, win.DW * pixel),
    )
    cols = buffer("columns", (n * (last - first) * win.OW, win.KH * win.KW * win.C), pixels.dtype)
    np.ndarray(windows.shape, item, cols)[...] = windows
    return cols
