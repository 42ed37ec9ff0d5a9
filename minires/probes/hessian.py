"""The Hessian of the loss times a vector, and its extreme eigenvalues, without the n² entries of the matrix.

H = ∂²L/∂w² (n,n) for n weights w. A backward pass gives ∇L exactly, and H·v is its derivative along v. It could be
computed in three ways:

- as a graph of the backward pass. Our engine records none.
- by a complex step, Im ∇L(w + ih·v)/h. It has no error, but the whole backward pass would need complex kernels.
- as a central difference of two gradients, with the fast kernels that exist. This is what hessian_product does.

Its error. Let h be the step's length relative to that of w, and u = 2⁻⁵³ the precision of float64. With constants of
the order of 1,

    (∇L(w + h·v) − ∇L(w − h·v))/2h = H·v + O(h²) + O(u/h)      truncation, rounding

The sum is least, about u^⅔ ≈ 2e-11, at h = u^⅓ ≈ 5e-6. That is the step to take where ∇L is smooth.

ReLUs have kinks, where ∇L jumps. H is defined without them, because almost no w lies on a kink. Of M inputs of ReLUs
about M·h change their sign within the step, and each of these jumps is divided by 2h. So one kink hides all of H·v.
With h = √u it happened to four of ten networks of 20 layers, and a few of their eigenvalues were ten times too large.
Therefore h = 2⁻³⁶ ≈ 1e-11 here. A kink within the step is rare up to M = 10⁹, and the rounding costs u/h ≈ 1e-5.
"""

import math

import numpy as np

STEP = 2.0**-36  # relative to the length of w; see above


def hessian_product(gradient, w, v):
    """H·v = (∇L(w + h·v) − ∇L(w − h·v))/2h at w (n,) -> (n,), with h·v 2⁻³⁶ times as long as w.

    gradient(w) gives ∇L (n,) in float64. See the top of this file about the error.
    """
    length = _length(v)
    if length == 0:
        return np.zeros_like(w)
    h = STEP * (_length(w) or 1.0) / length
    return (gradient(w + h * v) - gradient(w - h * v)) / (2 * h)


def power_iteration(product, n, *, steps=20, rng=None):
    """The eigenvalue of a symmetric matrix A (n,n) that is largest in magnitude, from v ← A·v/‖A·v‖.

    product(v) gives A·v. The result vᵀ·A·v has an error that shrinks like (λ₂/λ₁)^(2·steps).
    """
    v = _random_unit(n, rng)
    eigenvalue = 0.0
    for _ in range(steps):
        z = product(v)
        eigenvalue = float(v @ z)
        if _length(z) == 0:
            break
        v = z / _length(z)
    return eigenvalue


def extreme_eigenvalues(product, n, *, steps=10, rng=None):
    """(lowest, highest) eigenvalue of a symmetric matrix A (n,n) by Lanczos' method  [Lanczos 1950].

    It is power iteration that forgets nothing. In the basis Q of v, A·v, A²·v, … the matrix Qᵀ·A·Q is tridiagonal, and
    its eigenvalues lie between those of A: both ends are approached from inside. product(v) gives A·v.
    """
    basis = [_random_unit(n, rng)]
    diagonal, beside = [], []
    for _ in range(min(steps, n)):
        z = product(basis[-1])
        diagonal.append(float(basis[-1] @ z))
        for _ in range(2):  # once leaves rounding errors that grow
            for q in basis:
                z = z - (q @ z) * q
        length = _length(z)
        if length <= 1e-10 * max(map(abs, diagonal)):  # the basis holds all that A makes of v
            break
        beside.append(length)
        basis.append(z / length)
    beside = beside[: len(diagonal) - 1]
    eigenvalues = np.linalg.eigvalsh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
    return float(eigenvalues[0]), float(eigenvalues[-1])


def _length(v):
    return math.sqrt(float(v @ v))


def _random_unit(n, rng):
    v = np.random.default_rng(rng).standard_normal(n)
    return v / _length(v)
