"""Batch normalisation  [Ioffe & Szegedy 2015, Alg. 1].

A channel of x (N,C,H,W) has m = N·H·W values. ⟨·⟩ is the mean over them, ∂y is short for ∂L/∂y. With

    μ = ⟨x⟩        σ² = ⟨(x − μ)²⟩        s = 1/√(σ² + ε)        x̂ = (x − μ)·s        y = γ·x̂ + β

the chain rule gives ∂β = Σ ∂y and ∂γ = Σ ∂y·x̂. For ∂x let g = γ·∂y, which is ∂x̂. x reaches x̂ in three ways:
    through x itself      s·g
    through μ             −s·⟨g⟩             because ∂μ/∂x = 1/m, and every x̂ falls by s where μ grows by 1
    through σ²            −s·x̂·⟨g·x̂⟩         because ∂σ²/∂x = 2(x − μ)/m and ∂s/∂σ² = −s³/2, so ∂s/∂x = −s²·x̂/m
(σ² does not change with μ: its derivative is −2⟨x − μ⟩ = 0). Their sum is

    ∂x = γ·s·(∂y − ⟨∂y⟩ − x̂·⟨∂y·x̂⟩),        where ⟨∂y⟩ = ∂β/m and ⟨∂y·x̂⟩ = ∂γ/m are known already.

In the code dy is ∂y, dw is ∂γ and db is ∂β. Values of a channel, of shape (C,), are computed in float64.
"""

from minires.arrays import array_module

CHANNEL = (0, 2, 3)  # the axes of a channel's values


def each(v):
    """v (C,) beside a map: (1,C,1,1)."""
    return v.reshape(1, -1, 1, 1)


def mean_var(x):
    """μ and σ² of each channel of x (N,C,H,W) -> (C,) and (C,)."""
    mean = x.mean(axis=CHANNEL, dtype=array_module(x).result_type(x.dtype, float))
    var = ((x - each(mean)) ** 2).mean(axis=CHANNEL)
    return mean, var


def inv_std(var, eps):
    """s = 1/√(σ² + ε)"""
    return 1 / (var + eps) ** 0.5


def update_running_stats(running_mean, running_var, mean, var, momentum, count):
    """running = (1 − momentum)·running + momentum·batch in place, with the unbiased variance, σ²·m/(m − 1): all (C,).

    Of the real part, because a complex step differentiates what batch norm gives, and not what it remembers.
    """
    for running, batch in ((running_mean, mean), (running_var, var * (count / (count - 1)))):
        running *= 1 - momentum
        running += (momentum * batch.real).astype(running.dtype)


def x_hat_of(x, mean, inv_std):
    """x̂ = (x − μ)·s"""
    return (x - each(mean)) * each(inv_std)


def normalize(x, mean, inv_std, weight, bias, relu=False):
    """y = γ·x̂ + β, or with relu max(γ·x̂ + β, 0): x (N,C,H,W), μ, s, γ and β (C,) -> (N,C,H,W)."""
    y = each(weight) * x_hat_of(x, mean, inv_std) + each(bias)
    y = y.astype(x.dtype, copy=False)
    return array_module(x).maximum(y, 0) if relu else y


def normalize_sums(dy, x, mean, inv_std):
    """∂β = Σ ∂y and ∂γ = Σ ∂y·x̂ over the values of a channel -> (C,) and (C,)."""
    x_hat = x_hat_of(x, mean, inv_std)
    return dy.sum(axis=CHANNEL, dtype=x_hat.dtype), (dy * x_hat).sum(axis=CHANNEL)


def normalize_dx(dy, x, mean, inv_std, weight, db, dw, out=None):
    """∂x = γ·s·(∂y − ⟨∂y⟩ − x̂·⟨∂y·x̂⟩): dy and x (N,C,H,W), the others (C,); the result goes into out, if given."""
    m = dy.size // dy.shape[1]
    x_hat = x_hat_of(x, mean, inv_std)
    dx = each(weight * inv_std) * (dy - each(db / m) - x_hat * each(dw / m))
    if out is None:
        return dx.astype(dy.dtype, copy=False)
    out[...] = dx
    return out
