"""Cases are hard, come from a seed, and every op has cases."""

from itertools import pairwise

import numpy as np
import pytest

from minires.gradcheck.cases import Draw, cases_of, names
from minires.op import registry


def values(case):
    return [a.tolist() for a in case.arrays]


def test_every_op_has_cases():
    assert names() == sorted(registry)


@pytest.mark.parametrize("name", names())
def test_cases_come_from_the_seed_alone(name):
    first, again, other = (cases_of(name, seed) for seed in (5, 5, 6))
    assert [c.label for c in first] == [c.label for c in again] == [c.label for c in other]
    assert [values(c) for c in first] == [values(c) for c in again]
    assert [values(c) for c in first] != [values(c) for c in other]


def test_samples_are_drawn_anew_sizes_too():
    cases = cases_of("conv2d", samples=8)
    assert len(cases) == 8 * len(cases_of("conv2d"))
    uneven = [c for c in cases if c.label.startswith("everything uneven")]
    assert uneven[1].label == "everything uneven, sample 2"
    assert len({c.arrays[0].shape for c in uneven}) > 4
    assert len({str(c.static) for c in uneven}) > 4


@pytest.mark.parametrize("seed", range(20))
def test_the_uneven_convolution_is_uneven_in_everything(seed):
    case = cases_of("conv2d", seed)[0]
    x, w, _ = case.arrays
    assert x.shape[0] > 1
    assert x.shape[2] != x.shape[3]
    assert w.shape[2] != w.shape[3]
    for setting in ("stride", "dilation"):
        assert case.static[setting][0] != case.static[setting][1]


def test_the_stride_leaves_rows_over():
    left = 0
    for seed in range(10):
        x, w, _ = cases_of("conv2d", seed)[1].arrays
        s = cases_of("conv2d", seed)[1].static
        left += sum(
            (n + 2 * p - d * (k - 1) - 1) % t > 0
            for n, k, t, p, d in zip(x.shape[2:], w.shape[2:], s["stride"], s["padding"], s["dilation"])
        )
    assert left >= 10


def test_neighbouring_sizes_differ_and_steps_have_no_ties():
    draw = Draw(np.random.default_rng(0))
    for _ in range(50):
        sizes = draw.sizes(4, 2, 4)
        assert all(a != b for a, b in pairwise(sizes))
    steps = np.sort(draw.steps(3, 4).ravel())
    np.testing.assert_allclose(np.diff(steps), 0.1)
    assert 0 not in steps
