"""What Winograd's kernels share: the matrices of an axis, and how they multiply the rows of a feature map."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minires.arrays import channels_last
from minires.kernels.cpu.winograd import transforms as axis


@pytest.mark.parametrize(
    ("outputs", "kernel", "points"),
    [
        (4, 3, [0, 1, -1, 2, -2]),
        (2, 3, [0, 1, -1]),
        (4, 2, [0, 1, -1, 2]),
        (2, 2, [0, 3]),
        (3, 5, [0, 1, -1, 2, -2, 0.5]),
    ],
)
def test_toom_cook_makes_a_correlation(outputs, kernel, points):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(outputs + kernel - 1)
    w = rng.standard_normal(kernel)
    BT, G, AT = axis.toom_cook(outputs, kernel, points)
    np.testing.assert_allclose(AT @ ((G @ w) * (BT @ x)), np.correlate(x, w, "valid"), atol=1e-12)


def test_the_matrices_are_those_of_lavin_and_gray():
    """F(4×4,3×3) of arXiv:1509.09308. Its points come in this order, except that infinity comes last there."""
    BT, A, G, AT = axis.matrices(np.dtype(np.float64))
    np.testing.assert_array_equal(A, AT.T)
    BT = np.roll(BT, -1, axis=0)
    G = np.roll(G, -1, axis=0)
    AT = np.roll(AT, -1, axis=1)
    np.testing.assert_array_equal(
        BT,
        [
            [4, 0, -5, 0, 1, 0],
            [0, -4, -4, 1, 1, 0],
            [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0],
            [0, 2, -1, -2, 1, 0],
            [0, 4, 0, -5, 0, 1],
        ],
    )
    np.testing.assert_allclose(
        24 * G, [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]], rtol=2**-52
    )
    np.testing.assert_array_equal(
        AT, [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
    )


@pytest.mark.parametrize("outputs", [1, 2, 3])
def test_windows_of_fewer_outputs_take_the_first_positions_of_whole_ones(outputs):
    BT, A, G, AT = axis.matrices(np.dtype(np.float64), outputs)
    whole = axis.matrices(np.dtype(np.float64))
    np.testing.assert_array_equal(G, whole[2][: outputs + 2])
    np.testing.assert_array_equal(
        AT,
        whole[3][:outputs, : outputs + 2] * (np.arange(outputs + 2) > 0)
        + np.eye(outputs)[:, -1:] * (np.arange(outputs + 2) == 0),
    )  # ∞: the last output
    np.testing.assert_array_equal(A, AT.T)
    rng = np.random.default_rng(0)
    x = rng.standard_normal(outputs + 2)
    w = rng.standard_normal(3)
    np.testing.assert_allclose(AT @ ((G @ w) * (BT @ x)), np.correlate(x, w, "valid"), rtol=0, atol=1e-14)


@given(st.integers(0, 3), st.integers(1, 14), st.integers(0, 2), st.sampled_from([4, 6]), st.data())
def test_windows_over_the_edge_of_a_map_meet_zeros(n, H, top, k, data):
    """The windows of a chunk, from rows_of() by transform(), against those of a padded feature map."""
    count = -(-(H + 2 * top - k + 4) // 4) if k == 6 else -(-H // 4)
    if k == 4:
        top = 0
    if count < 1:
        return
    first = data.draw(st.integers(0, count - 1))
    last = data.draw(st.integers(first + 1, count)) if n == 1 else count  # rows of one image, or whole images
    first = first if n == 1 else 0
    rng = np.random.default_rng(0)
    x = channels_last(rng.standard_normal((n, 2, H, 3)))
    matrix = rng.standard_normal((5, k))
    rows, start = axis.rows_of(x, (slice(0, n), first, last), top, k)
    out = np.full((n, last - first, 5, 6), np.nan)
    axis.transform(matrix, rows, start, out)

    padded = np.pad(x.transpose(0, 2, 3, 1).reshape(n, H, 6), ((0, 0), (top, 4 * count + k), (0, 0)))
    windows = [padded[:, 4 * q : 4 * q + k] for q in range(first, last)]
    np.testing.assert_allclose(out, np.stack([matrix @ window for window in windows], axis=1), atol=1e-13)


def test_rows_of_a_channels_last_map_are_no_copy():
    x = channels_last(np.ones((3, 2, 8, 5)))
    assert np.shares_memory(axis.rows_of(x, (slice(1, 3), 0, 2), 1, 6)[0], x)
    assert np.shares_memory(axis.rows_of(x, (slice(1, 2), 1, 2), 0, 4)[0], x)
    assert not np.shares_memory(axis.rows_of(np.ascontiguousarray(x), (slice(1, 3), 0, 2), 1, 6)[0], x)


@pytest.mark.parametrize("size", [*range(1, 14), 28])
def test_every_output_of_an_axis_belongs_to_one_window(size):
    windows = axis.windows(size)
    assert [o for kind in windows for o in range(kind.outputs.start, kind.outputs.stop)] == list(range(size))
    assert [w for kind in windows for w in range(kind.which.start, kind.which.stop)] == list(range(-(-size // 4)))
    assert all(kind.number * kind.each == kind.outputs.stop - kind.outputs.start for kind in windows)
    assert all(kind.full == kind.each for kind in windows) or len(windows) == 1
    assert windows[0].positions == slice(0, 6)
