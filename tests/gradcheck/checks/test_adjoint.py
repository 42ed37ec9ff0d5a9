"""Linear maps on integers: exactly adjoint, in thousands of geometries."""

import numpy as np
import pytest

from minires import ops
from minires.gradcheck.checks.adjoint import RANGE, AdjointCheck, adjoint_identities, integers, random_window
from minires.kernels import Window


def test_every_linear_map_is_exactly_adjoint():
    found = adjoint_identities(seed=3, configurations=400)
    assert all(check.passed for check in found), [i for i in found if not i.passed]
    assert {i.name for i in found} >= {"conv2d", "im2col, col2im", "max_pool2d, fixed argmax", "linear", "residual_add"}
    assert sum(i.configurations for i in found) > 3000


def wrong(spoil):
    def conv2d(x, w, b, **settings):
        y, backward = ops.conv2d.raw(x, w, b, **settings)
        return y, lambda dy: spoil(*backward(dy))

    return conv2d


@pytest.mark.parametrize(
    ("spoil", "argument"),
    [
        (lambda dx, dw, db: (dx * (1 + 1e-15), dw, db), "x"),  # the last bit
        (lambda dx, dw, db: (dx[..., ::-1], dw, db), "x"),
        (lambda dx, dw, db: (dx, dw.transpose(0, 1, 3, 2).reshape(dw.shape), db), "weight"),
        (lambda dx, dw, db: (dx, dw, db * np.nan), "bias"),
    ],
)
def test_the_smallest_error_shows(spoil, argument):
    found = {i.argument: i for i in adjoint_identities(configurations=200, conv2d=wrong(spoil)) if i.name == "conv2d"}
    assert [name for name, check in found.items() if not check.passed] == [argument]
    assert found[argument].where.startswith("x (")


def test_the_geometries_are_of_every_kind():
    rng = np.random.default_rng(0)
    windows = [Window.of(x, w, **settings) for x, w, settings in (random_window(rng) for _ in range(500))]
    for kind in (
        lambda v: v.SH != v.SW,
        lambda v: v.DH != v.DW,
        lambda v: v.PH != v.PW,
        lambda v: v.KH != v.KW,
        lambda v: v.H != v.W,
        lambda v: v.groups > 1,
        lambda v: v.groups == v.C > 1,
        lambda v: v.N == 1,
        lambda v: v.PH > v.KH,
        lambda v: (v.H + 2 * v.PH - v.DH * (v.KH - 1) - 1) % v.SH,
        lambda v: v.KH == v.KW == 1,
        lambda v: v.OH == v.OW == 1,
    ):
        assert sum(bool(kind(v)) for v in windows) > 5


def test_integers_are_floats_within_the_range():
    values = integers(np.random.default_rng(0), 1000)
    assert values.dtype == np.float64
    assert set(values) == set(range(-RANGE, RANGE + 1))


def test_a_nan_is_a_difference():
    check = AdjointCheck("f", "x")
    check.add(np.nan, 0, "here")
    check.add(1, 2, "there")
    assert (check.passed, check.difference, check.where) == (False, np.inf, "here")
