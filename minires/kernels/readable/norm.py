"""Batch normalization  [Ioffe & Szegedy 2015, Alg. 1].

Forward. Each channel of x (N,C,H,W) has m = N·H·W values. ⟨·⟩ is the mean over them, Σ is their sum:

    μ = ⟨x⟩
    σ² = ⟨(x − μ)²⟩
    s = (σ² + ε)^(−1/2)
    x̂ = (x − μ)·s
    y = γ·x̂ + β

Backward. Change each value of x a little, by its own δx, and follow the change through these lines:

    δμ = ⟨δx⟩
    δσ² = 2·⟨(x − μ)·(δx − δμ)⟩
        = 2·⟨(x − μ)·δx⟩                        because ⟨x − μ⟩ = 0
    δs = −1/2·(σ² + ε)^(−3/2)·δσ²
       = −s³·⟨(x − μ)·δx⟩                       because (σ² + ε)^(−3/2) = s³
       = −s²·⟨x̂·δx⟩                             because (x − μ)·s = x̂
    δx̂ = (δx − δμ)·s + (x − μ)·δs               the product rule
       = s·(δx − ⟨δx⟩ − x̂·⟨x̂·δx⟩)

dy is short for ∂L/∂y, dx for ∂L/∂x, and so on. So a change δy of y changes the loss by δL = Σ dy·δy. With y = γ·x̂ + β

    δL = Σ dy·x̂·δγ + Σ dy·δβ + Σ dy·γ·δx̂

What stands before δγ and δβ is dγ = Σ dy·x̂ and dβ = Σ dy. In the last sum, put in δx̂:

    Σ dy·γ·δx̂ = γ·s·(Σ dy·δx − Σ dy·⟨δx⟩ − Σ dy·x̂·⟨x̂·δx⟩)
              = γ·s·Σ (dy − ⟨dy⟩ − x̂·⟨dy·x̂⟩)·δx  because Σ a·⟨b⟩ = m·⟨a⟩·⟨b⟩ = Σ ⟨a⟩·b

What stands before δx is the gradient of x:

    dx = γ·s·(dy − ⟨dy⟩ − x̂·⟨dy·x̂⟩)             which is normalize_dx below

To check it: Σ dx = 0, because a constant added to all x changes no y. Without ε also Σ dx·x̂ = 0, because x − μ times a
positive number changes no y. The two subtracted terms take these parts away.
In the code γ is weight, β is bias and s is inv_std. dγ is dw and dβ is db, so ⟨dy⟩ is db/m and ⟨dy·x̂⟩ is dw/m.
"""

from minires.arrays import array_module

CHANNEL = (0, 2, 3)  # the axes that a channel's sums run over


def each(v):
    """v (C,) -> (1,C,1,1), which broadcasts over x (N,C,H,W)."""
    return v.reshape(1, -1, 1, 1)


def mean_var(x):
    """μ and σ² of each channel of x (N,C,H,W) -> (C,) and (C,)."""
    mean = x.mean(axis=CHANNEL, dtype=array_module(x).result_type(x.dtype, float))
    var = ((x - each(mean)) ** 2).mean(axis=CHANNEL)
    return mean, var


def inv_std(var, eps):
    """s = 1/√(σ² + ε)"""
    return 1 / (var + eps) ** 0.5


def x_hat_of(x, mean, inv_std):
    """x̂ = (x − μ)·s"""
    return (x - each(mean)) * each(inv_std)


def normalize(x, mean, inv_std, weight, bias, relu=False):
    """y = γ·x̂ + β, or with relu max(γ·x̂ + β, 0): x (N,C,H,W), μ, s, γ and β (C,) -> (N,C,H,W)."""
    y = each(weight) * x_hat_of(x, mean, inv_std) + each(bias)
    y = y.astype(x.dtype, copy=False)
    return array_module(x).maximum(y, 0) if relu else y


def normalize_sums(dy, x, mean, inv_std):
    """dγ = Σ dy·x̂ and dβ = Σ dy of each channel -> (C,) and (C,)."""
    x_hat = x_hat_of(x, mean, inv_std)
    return (dy * x_hat).sum(axis=CHANNEL), dy.sum(axis=CHANNEL, dtype=x_hat.dtype)


def normalize_dx(dy, x, mean, inv_std, weight, dw, db, out=None):
    """dx = γ·s·(dy − ⟨dy⟩ − x̂·⟨dy·x̂⟩): dy and x (N,C,H,W), the others (C,); the result goes into out, if given."""
    m = dy.size // dy.shape[1]
    x_hat = x_hat_of(x, mean, inv_std)
    dx = each(weight * inv_std) * (dy - each(db / m) - x_hat * each(dw / m))
    if out is None:
        return dx.astype(dy.dtype, copy=False)
    out[...] = dx
    return out


def update_running_stats(running_mean, running_var, mean, var, momentum, count):
    """running = (1 − momentum)·running + momentum·batch in place, with the unbiased variance, σ²·m/(m − 1): all (C,).

    Only the real part counts: the gradient check's complex step differentiates y, not the running statistics.
    """
    for running, batch in ((running_mean, mean), (running_var, var * (count / (count - 1)))):
        running *= 1 - momentum
        running += (momentum * batch.real).astype(running.dtype)
