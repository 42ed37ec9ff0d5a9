"""Which numbers can be kept in which type."""

import numpy as np
import pytest

from minires.states import fits_dtype


@pytest.mark.parametrize(
    ("values", "into", "kept"),
    [
        (np.array([3]), np.int64, True),
        (np.array([1.0]), np.int64, False),
        (np.array([np.nan]), np.int64, False),
        (np.array([True]), np.int64, False),
        (np.array([1]), bool, False),
        (np.array([True]), bool, True),
        (np.array([2**63], np.uint64), np.int64, False),
        (np.array([2**63 - 1], np.uint64), np.int64, True),
        (np.array([-1]), np.uint8, False),
        (np.array([255]), np.uint8, True),
        (np.array([256]), np.uint8, False),
        (np.array([-(2**31)]), np.int32, True),
        (np.array([-(2**31) - 1]), np.int32, False),
        (np.array([1.0]), bool, False),
        (np.array([1e300]), np.float32, False),
        (np.array([0.1]), np.float32, True),
        (np.array([1e-300]), np.float32, True),
        (np.array([np.inf, -np.inf, np.nan]), np.float32, True),
        (np.array([2**63], np.uint64), np.float32, True),
        (np.zeros(0, np.uint64), np.int64, True),
        (np.zeros(0), np.int64, False),
        (np.array(5, np.uint8), np.int64, True),
    ],
)
def test_numbers_survive_where_none_is_cut_wrapped_or_made_infinite(values, into, kept):
    assert fits_dtype(values, np.dtype(into)) is kept
