"""Cross-entropy of rows of logits: ℓ = −Σ_k q_k·log p_k, q_k = w_k·((1 − ε)·[k = target] + ε/K)."""

from minires.arrays import array_module


def first_outside(t, K, ignore_index):
    """The first target of t (M,) that is neither a class 0 … K − 1 nor ignore_index; None if there is none."""
    wrong = (t != ignore_index) & ((t < 0) | (t >= K))
    return int(t[wrong][0]) if bool(wrong.any()) else None


def cross_entropy(x, t, w, smoothing, ignore_index):
    """(ℓ, w_t, log p) of x (M,K), t (M,) and weights w (K,) or None -> (M,), (M,), (M,K).

    An ignored row has ℓ = w_t = 0. It may hold infinities or NaN, so it counts as a row of zeros.
    """
    xp = array_module(x)
    K = x.shape[1]
    real = x.real.dtype
    is_counted = t != ignore_index
    x = xp.where(is_counted[:, None], x, 0)
    z = x - x.real.max(axis=1, keepdims=True)
    log_p = z - xp.log(xp.exp(z).sum(axis=1, keepdims=True))
    w = xp.ones(K, real) if w is None else w
    target = xp.where(is_counted, t, 0)
    at = xp.arange(len(t)), target
    w_t = w[target] * is_counted
    losses = log_p[at] * (w_t * -(1 - smoothing))
    if smoothing:
        losses -= (log_p * w).sum(axis=1) * (is_counted * (smoothing / K)).astype(real)
    return losses, w_t, log_p


def cross_entropy_dx(log_p, t, w, smoothing, ignore_index, scale):
    """∂ℓ/∂x = scale·(p·Σ_k q_k − q): log p (M,K), t (M,), scale (M,) or (1,) -> (M,K)"""
    xp = array_module(log_p)
    K = log_p.shape[1]
    is_counted = t != ignore_index
    w = xp.ones(K, log_p.real.dtype) if w is None else w
    target = xp.where(is_counted, t, 0)
    at = xp.arange(len(t)), target
    q = (w * (smoothing / K)) * is_counted[:, None]
    q[at] += w[target] * is_counted * (1 - smoothing)
    dx = xp.exp(log_p) * q.sum(axis=1, keepdims=True) - q
    dx *= xp.where(is_counted, scale, 0)[:, None]  # if all rows are ignored, scale is the NaN of a mean over nothing
    return dx
