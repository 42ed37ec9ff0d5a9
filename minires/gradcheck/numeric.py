"""Derivatives measured by evaluating the function, sharing no code with any backward.

Both work on L = Σ upstream·y, one input element at a time. Errors, for a function of scale 1 and rounding unit
u = 1.1e-16:
    complex step, h = 1e-20:  Im L(x + ih)/h = L'(x) + O(h²): nothing is subtracted, so only rounding, ~u, is left
                              [Squire & Trapp 1998]; needs an analytic function;
    four points,  h = 1e-3:   (8(L(x+h) − L(x−h)) − (L(x+2h) − L(x−2h)))/12h = L'(x) + O(h⁴·L⁽⁵⁾/30) + O(u/h):
                              3e-14 of truncation and 1e-13 of rounding; needs four derivatives within x ± 2h.
"""

import warnings

import numpy as np

STEP_COMPLEX = 1e-20
STEP_FOUR_POINT = 1e-3


class NotAnalytic(Exception):
    """The function takes no complex numbers, or drops their imaginary part."""


def complex_step(evaluate, arrays, i, upstream):
    """∂L/∂arrays[i] by the complex step; evaluate(arrays) -> y."""
    gradient = np.zeros(arrays[i].shape)
    at = [a.astype(complex) if a.dtype.kind == "f" else a for a in arrays]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        for j in np.ndindex(arrays[i].shape):
            here = at[i][j]
            at[i][j] = here + 1j * STEP_COMPLEX
            try:
                y = np.asarray(evaluate(at))
            except Exception as error:  # it took real numbers, so whatever it says, complex ones are what it minds
                raise NotAnalytic(str(error)) from error
            if y.dtype.kind != "c":
                raise NotAnalytic("the result is real")
            gradient[j] = np.sum(upstream * y.imag) / STEP_COMPLEX
            at[i][j] = here  # only now: y may be a view of it
    return gradient


def four_point(evaluate, arrays, i, upstream, h=STEP_FOUR_POINT):
    """∂L/∂arrays[i] by four-point differences; the step is h·max(1, |x|)."""
    gradient = np.zeros(arrays[i].shape)
    at = [a if k != i else a.copy() for k, a in enumerate(arrays)]
    for j in np.ndindex(arrays[i].shape):
        here = arrays[i][j]
        step = h * max(1.0, abs(here))

        def loss(offset, j=j, here=here):
            at[i][j] = here + offset
            # differences are taken element by element before summing, so that large common terms cancel exactly
            return np.array(evaluate(at), dtype=float)
        near, far = loss(step) - loss(-step), loss(2 * step) - loss(-2 * step)
        gradient[j] = np.sum(upstream * (8 * near - far)) / (12 * step)
        at[i][j] = here
    return gradient
