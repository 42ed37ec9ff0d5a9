"""How tiles lie in memory: each once, each kind together, and the tiles of every position as neighbours."""

from itertools import product

import pytest

from minires.kernels.cpu.winograd import tiles as winograd_tiles
from minires.kernels.window import Window

SIZES = [*range(1, 14), 28]


@pytest.mark.parametrize(("height", "width"), list(product(SIZES, repeat=2)))
def test_the_tiles_that_have_a_position_are_neighbours(height, width):
    n = 3
    win = Window.of((3, 2, height, width), (2, 2, 3, 3), 1, 1)
    kinds, shared = winograd_tiles.tiling(win, (slice(0, n), 0, -(-height // 4)))
    having = {}  # position: tiles
    place = 0
    for rows, columns, here in kinds:
        assert here == slice(place, place + n * rows.number * columns.number)
        place = here.stop
        for position in product(range(rows.positions.stop), range(columns.positions.stop)):
            having.setdefault(position, []).extend(range(here.start, here.stop))
    assert place == n * -(-height // 4) * -(-width // 4)
    found = {
        (i, j): list(range(here.start, here.stop))
        for a, b, here in shared
        for i, j in product(range(a.start, a.stop), range(b.start, b.stop))
    }
    assert found == having
    assert len(found) == 36


@pytest.mark.parametrize(("size", "products"), [(56, 14 * 14 * 36), (28, 7 * 7 * 36), (14, 484), (7, 121)])
def test_resnets_maps_have_so_many_products(size, products):
    win = Window.of((1, 2, size, size), (2, 2, 3, 3), 1, 1)
    _, shared = winograd_tiles.tiling(win, (slice(0, 1), 0, -(-size // 4)))
    assert sum((a.stop - a.start) * (b.stop - b.start) * (here.stop - here.start) for a, b, here in shared) == products


def test_rows_that_are_a_chunk_of_a_map_are_tiled_by_themselves():
    win = Window.of((2, 2, 14, 14), (2, 2, 3, 3), 1, 1)
    whole, both, rest = (winograd_tiles.tiling(win, (slice(0, 1), *rows)).kinds for rows in ((0, 3), (2, 4), (3, 4)))
    assert {(rows.number, rows.each, rows.full) for rows, _, _ in whole} == {(3, 4, 4)}
    assert {(rows.first, rows.number, rows.each, rows.full) for rows, _, _ in both} == {(0, 1, 4, 4), (1, 1, 2, 2)}
    assert {(rows.number, rows.each, rows.full) for rows, _, _ in rest} == {(1, 2, 4)}
