"""How Winograd's tiles of an image lie in memory: tiles of one kind are neighbours.

If the size of an axis is no multiple of 4, its last window has fewer outputs, and so fewer positions (transforms.py).
There are four kinds of tiles, whole or not along each axis. In the order (rows, columns)

    whole, rest     whole, whole     rest, whole     rest, rest

the tiles that have a given position are neighbours: all, the first two, the second and third, or the second.
"""

from functools import cache
from itertools import pairwise
from typing import NamedTuple

from minires.kernels.cpu.winograd.transforms import STEP, windows


class Tiling(NamedTuple):
    kinds: list  # (rows, columns, slice of the tiles) of each kind
    shared: list  # (row positions, column positions, slice of the tiles that have all these positions)


def tiling(win, chunk):
    """The Tiling of a chunk: images, first row of tiles, last."""
    images, first, last = chunk
    return _tiling(images.stop - images.start, min(STEP * last, win.OH) - STEP * first, win.OW)


@cache
def _tiling(n, height, width):
    rows = windows(height)
    columns = windows(width)
    kinds, end = [], 0
    for a, b in dict.fromkeys(
        [(rows[0], columns[-1]), (rows[0], columns[0]), (rows[-1], columns[0]), (rows[-1], columns[-1])]
    ):
        begin, end = end, end + n * a.number * b.number
        kinds.append((a, b, slice(begin, end)))
    shared = []
    for a in _between(rows):
        for b in _between(columns):
            places = [
                place
                for down, across, place in kinds
                if a.stop <= down.positions.stop and b.stop <= across.positions.stop
            ]
            shared.append((a, b, slice(places[0].start, places[-1].stop)))
    return Tiling(kinds, shared)


def _between(kinds):
    """The positions that all of these windows have, and those that only whole ones have."""
    return [slice(*pair) for pair in pairwise(sorted({0, *(kind.positions.stop for kind in kinds)}))]
