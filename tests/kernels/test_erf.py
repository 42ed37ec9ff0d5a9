"""erfc against the C library's."""

import math

import numpy as np

from minires.kernels.erf import erfc


def test_erfc_is_accurate_to_a_few_units_of_the_last_place():
    x = np.linspace(-7, 26, 4001)
    exact = np.array([math.erfc(v) for v in x])
    assert np.all(np.abs(erfc(x) - exact) <= (8 + 4 * x * x) * 2.0**-53 * exact + 1e-320)


def test_erfc_in_float32_stays_there():
    x = np.linspace(-4, 8, 1001, dtype=np.float32)
    found = erfc(x)
    assert found.dtype == np.float32
    exact = np.array([math.erfc(v) for v in x.astype(float)])
    assert np.all(np.abs(found - exact) <= (8 + 4 * x * x) * 2.0**-24 * exact)


def test_the_complex_step_of_erfc_is_its_derivative():
    x = np.linspace(-5, 5, 200)
    slope = erfc(x + 1e-20j).imag / 1e-20
    np.testing.assert_allclose(slope, -2 / math.sqrt(math.pi) * np.exp(-x * x), rtol=1e-13)
