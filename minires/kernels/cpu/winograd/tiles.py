"""How Winograd's tiles of a map lie in memory: those that are alike side by side.

The last window of an axis has fewer outputs than others where the size is no multiple of 4, and fewer positions for it
(transforms.py). So there are four kinds of tiles, whole or not along each axis. In the order (rows, columns)

    whole, rest     whole, whole     rest, whole     rest, rest

those that have a position, whichever it is, are neighbours: all, the first two, the second and third, or the second.
"""

from functools import cache
from itertools import pairwise
from typing import NamedTuple

from minires.kernels.cpu.winograd.transforms import STEP, windows


class Tiling(NamedTuple):
    kinds: list  # (rows, columns, place among the tiles): those that are alike
    shared: list  # (positions along the rows' axis, along the columns', place): those that have all these positions


def tiling(win, chunk):
    """The Tiling of a chunk: pictures, first row of tiles, last."""
    pictures, first, last = chunk
    return _tiling(pictures.stop - pictures.start, min(STEP * last, win.OH) - STEP * first, win.OW)


@cache
def _tiling(n, height, width):
    rows = windows(height)
    columns = windows(width)
    kinds, end = [], 0
    for some, others in dict.fromkeys(
        [(rows[0], columns[-1]), (rows[0], columns[0]), (rows[-1], columns[0]), (rows[-1], columns[-1])]
    ):
        begin, end = end, end + n * some.number * others.number
        kinds.append((some, others, slice(begin, end)))
    shared = []
    for a in _between(rows):
        for b in _between(columns):
            places = [
                place
                for some, others, place in kinds
                if a.stop <= some.positions.stop and b.stop <= others.positions.stop
            ]
            shared.append((a, b, slice(places[0].start, places[-1].stop)))
    return Tiling(kinds, shared)


def _between(kinds):
    """The positions that all of these have, and those that only whole ones have."""
    return [slice(*pair) for pair in pairwise(sorted({0, *(some.positions.stop for some in kinds)}))]
