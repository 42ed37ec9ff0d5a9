"""Cross-entropy of rows of logits: ℓ = −Σ_k q_k·log p_k, q_k = w_k·((1 − ε)·[k = target] + ε/K)."""

from minires.arrays import array_module


def first_outside(t, K, ignore_index):
    """The first target of t (M,) that is neither one of 0 … K − 1 nor to be ignored; None if there is none."""
    wrong = (t != ignore_index) & ((t < 0) | (t >= K))
    return int(t[wrong][0]) if bool(wrong.any()) else None


def cross_entropy(x, t, w, smoothing, ignore_index):
    """(ℓ, w_t, log p) of x (M,K), t (M,) and weights w (K,) or None -> (M,), (M,), (M,K).

    Where t is ignored ℓ and w_t are 0, and log p is that of a row of zeros: what lies there may be infinite or NaN.
    """
    xp = array_module(x)
    K = x.shape[1]
    real = x.real.dtype
    counts = t != ignore_index
    x = xp.where(counts[:, None], x, 0)
    z = x - x.real.max(axis=1, keepdims=True)
    log_p = z - xp.log(xp.exp(z).sum(axis=1, keepdims=True))
    w = xp.ones(K, real) if w is None else w
    at = xp.arange(len(t)), xp.where(counts, t, 0)
    w_t = w[at[1]] * counts
    losses = log_p[at] * (w_t * -(1 - smoothing))
    if smoothing:
        losses -= (log_p * w).sum(axis=1) * (counts * (smoothing / K)).astype(real)
    return losses, w_t, log_p


def cross_entropy_dx(log_p, t, w, smoothing, ignore_index, scale):
    """∂/∂x = scale·(p·Σ_k q_k − q): log p (M,K), t (M,), scale (M,) or (1,) -> (M,K)"""
    xp = array_module(log_p)
    K = log_p.shape[1]
    counts = t != ignore_index
    w = xp.ones(K, log_p.real.dtype) if w is None else w
    at = xp.arange(len(t)), xp.where(counts, t, 0)
    q = (w * (smoothing / K)) * counts[:, None]
    q[at] += w[at[1]] * counts * (1 - smoothing)
    dx = xp.exp(log_p) * q.sum(axis=1, keepdims=True) - q
    dx *= xp.where(counts, scale, 0)[:, None]  # 0 times the NaN of a mean over nothing would be NaN
    return dx
