"""Moving pixels (n,H,W,C): zeros put around them, and the C numbers of one copied as a single item.

NumPy copies an item of any size in one piece, where for the C numbers of a pixel it starts a loop: windows of narrow
maps are laid out up to twice as fast.
"""

import numpy as np

from minires.kernels.workers import scratch


def with_zeros(pixels, height, width, top, left, rows):
    """Pixels (n,H,W,C) as (n,height,width,C), the first of them at (top, left), with zeros around.

    It is a buffer that the worker keeps for this geometry: what is not a pixel stays zero, and of the padded map only
    `rows`, (first, stop), are brought up to date.
    """
    n, H, W, C = pixels.shape
    padded = scratch(("with_zeros", H, W, top, left), (n, height, width, C), pixels.dtype)
    first, stop = max(rows[0] - top, 0), max(min(rows[1] - top, H), 0)
    padded[:, first + top:stop + top, left:left + W] = pixels[:, first:stop]
    return padded


def as_items(array):
    """array (…,C), whose C numbers lie side by side, as items of C numbers -> (…), in the same memory."""
    return array.view(np.dtype((np.void, array.shape[-1] * array.itemsize)))[..., 0]
