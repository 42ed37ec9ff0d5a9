"""Copying pixels (n,H,W,C): with zeros around them, and with the C elements of a pixel as a single item.

NumPy copies an item of any size in one piece, but starts a loop for C elements. For few channels im2col
becomes up to twice as fast.
"""

import numpy as np

from minires.kernels.cpu.threads import buffer


def with_zeros(pixels, height, width, top, left, rows):
    """Pixels (n,H,W,C) -> (n,height,width,C): the first pixel goes to (top, left), the rest is zeros.

    The result lies in a buffer unless nothing is added. Only its `rows`, (first, stop), are written.
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
    copy_pixels(pixels[:, first:stop], inner[:, :, left : left + W])
    inner[:, :, left + W :] = 0
    return padded


def as_items(array):
    """array (…,C), contiguous along C, as items of C elements -> (…), in the same memory."""
    return array.view(np.dtype((np.void, array.shape[-1] * array.itemsize)))[..., 0]


def copy_pixels(source, target):
    """target[...] = source, both (…,W,C), a pixel at a time if each is one piece of memory, but not next to the other.

    If they are neighbours, NumPy copies a row of W pixels in one piece by itself.
    """
    whole = all(a.strides[-1] == a.itemsize for a in (source, target))
    if whole and any(a.strides[-2] != a.shape[-1] * a.itemsize for a in (source, target)):
        source = as_items(source)
        target = as_items(target)
    target[...] = source


def columns(pixels, win, first, last):
    """im2col of images (n,H,W,C) for the output rows first … last − 1 -> (n·rows·OW, K)."""
    if win.is_pointwise:
        return pixels[:, first:last].reshape(-1, win.C)
    if not len(pixels):  # no images
        return np.empty((0, win.KH * win.KW * win.C), pixels.dtype)
    n = len(pixels)
    # the padded size, or as far as windows reach
    H = max(win.H + 2 * win.PH, (win.OH - 1) * win.SH + win.DH * (win.KH - 1) + 1)
    W = max(win.W + 2 * win.PW, (win.OW - 1) * win.SW + win.DW * (win.KW - 1) + 1)
    top = first * win.SH  # the rows under these windows, in the padded image
    bottom = (last - 1) * win.SH + win.DH * (win.KH - 1) + 1
    # The padded image is one piece of memory, in which all windows are views.
    pixels = with_zeros(pixels, H, W, win.PH, win.PW, (top, bottom))
    # One call copies all of im2col: the pixels under a row of the kernel are one item.
    neighbours = win.KW if win.DW == 1 else 1
    item = np.dtype((np.void, neighbours * win.C * pixels.itemsize))
    pixel = win.C * pixels.itemsize
    windows = np.ndarray(
        (n, last - first, win.OW, win.KH, win.KW // neighbours),
        item,
        pixels,
        top * W * pixel,
        (H * W * pixel, win.SH * W * pixel, win.SW * pixel, win.DH * W * pixel, win.DW * pixel),
    )
    cols = buffer("columns", (n * (last - first) * win.OW, win.KH * win.KW * win.C), pixels.dtype)
    np.ndarray(windows.shape, item, cols)[...] = windows
    return cols
