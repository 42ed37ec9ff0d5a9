"""Batch normalization  [Ioffe & Szegedy 2015, Alg. 1].

Forward, for one channel of x (N,C,H,W); the channels do not mix. x, the centered c = x − μ, x̂ and y have m = N·H·W
values each; s, γ and β have one. ⟨·⟩ is the mean over the m values, Σ is their sum.

    c = x − μ                                with the mean μ = ⟨x⟩
    s = (σ² + ε)^(−1/2)                      with the variance σ² = ⟨c²⟩, and a small ε against division by 0
    x̂ = c·s
    y = γ·x̂ + β

Backward. dy is short for ∂L/∂y, dx for ∂L/∂x, and so on. Change each value of x by a small δx of its own, γ by δγ and
β by δβ, and call what follows δc, δs, δx̂, δy. Products of two changes are too small to count. Then L changes by
δL = Σ dy·δy. If the part of δL that comes from x is Σ (…)·δx, whatever the δx are, then (…) is dx. First the way from
y back to c:

    δσ² = 2·⟨c·δc⟩                           because σ² = ⟨c²⟩
    δs = −1/2·s³·δσ² = −s²·⟨x̂·δc⟩            the derivative of (σ² + ε)^(−1/2), and c·s = x̂
    δx̂ = s·δc + c·δs                         the product rule
       = s·(δc − x̂·⟨x̂·δc⟩)                   because c·s = x̂ again
    δy = γ·δx̂ + x̂·δγ + δβ                    so dγ = Σ dy·x̂ and dβ = Σ dy

What stands before δc? Σ a·⟨b⟩ = Σ ⟨a⟩·b, because both are m·⟨a⟩·⟨b⟩. With a = dy·x̂ and b = x̂·δc it gives

    Σ dy·x̂·⟨x̂·δc⟩ = Σ ⟨dy·x̂⟩·x̂·δc
    Σ dy·γ·δx̂ = γ·s·Σ (dy − x̂·⟨dy·x̂⟩)·δc     so dc = γ·s·(dy − x̂·⟨dy·x̂⟩)

Then the way from c back to x, where the same rule is used with a = dc and b = δx:

    δc = δx − ⟨δx⟩                           so Σ dc·δc = Σ (dc − ⟨dc⟩)·δx
    dx = dc − ⟨dc⟩
       = γ·s·(dy − ⟨dy⟩ − x̂·⟨dy·x̂⟩)          because ⟨x̂⟩ = 0; it is normalize_dx below

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
