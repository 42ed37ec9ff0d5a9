"""Layer normalization  [Ba et al. 2016, eq. 3]: batch normalization (norm.py) with the roles of the axes exchanged.

A row of x (M,C) is a sample. μ and σ² are those of its C features, and ⟨·⟩ is the mean over them. γ and β belong to a
feature, as in batch norm, but there the mean runs over the samples:

    x̂ = (x − μ)·s        s = 1/√(σ² + ε)        y = γ·x̂ + β

γ differs from element to element of the mean, so dx̂ = g = γ·dy stays inside. norm.py derives the rest: ∂x̂_j/∂x_i is
the same within a row, and

    dx = s·(g − ⟨g⟩ − x̂·⟨g·x̂⟩)        dγ = Σ dy·x̂        dβ = Σ dy        sums over the samples
"""

from minires.kernels.readable.sums import sums


def layer_norm(x, weight, bias, eps):
    """y, μ and s: x (M,C), γ and β (C,) or None -> (M,C), (M,1), (M,1)."""
    mean = sums(x, (1,), keepdims=True) / x.shape[1]
    var = sums((x - mean) ** 2, (1,), keepdims=True) / x.shape[1]
    inv_std = (1 / (var + eps) ** 0.5).astype(x.dtype, copy=False)
    y = (x - mean) * inv_std
    y = y if weight is None else y * weight
    return (y if bias is None else y + bias), mean, inv_std


def layer_norm_gradients(dy, x, mean, inv_std, weight):
    """(dx, dγ, dβ): dy and x (M,C), μ and s (M,1), γ (C,) or None for 1 -> (M,C), (C,), (C,)."""
    C = x.shape[1]
    x_hat = (x - mean) * inv_std
    g = dy if weight is None else dy * weight
    dx = (g - sums(g, (1,), keepdims=True) / C - x_hat * (sums(g * x_hat, (1,), keepdims=True) / C)) * inv_std
    return dx, sums(dy * x_hat, (0,)), sums(dy, (0,))
