"""Attention, some heads of an image at a time on all workers: an image's scores stay in a cache.

P = E·r is never computed, because E is the largest array here. r goes to the short rows of O and dO instead:
O = (E·V)·r, and with d = dO·r: dV = Eᵀ·d and dS = E∘(d·Vᵀ − r·Σ (d·Vᵀ)∘E). Likewise c goes to the rows of Q and dQ.
"""

import math

import numpy as np

from minires.arrays import empty, memory_order
from minires.kernels.cpu.threads import parallel_for, workers

LARGEST = 1 << 19  # elements of E that are computed at a time, 2 MB: fewer calls of NumPy, which still stay in a cache


def attention(q, k, v, scale, mask=None, keep=None):
    """O (…,L,e), E (…,L,T) and r (…,L,1) from q (…,L,d), k (…,T,d), v (…,T,e); O has its axes in memory as q has."""
    (*stack, L, d), (T, width) = q.shape, v.shape[-2:]
    dtype = np.result_type(q, k)
    e = np.empty((*stack, L, T), dtype)
    r = np.empty((*stack, L, 1), dtype)
    o = empty((*stack, L, width), np.result_type(q, k, v), memory_order(q))

    def compute(heads):
        s = np.matmul(q[heads] * scale, k[heads].swapaxes(-1, -2), out=e[heads])
        if mask is not None:
            s += mask[heads]
        highest = s.real.max(axis=-1, keepdims=True)
        highest[highest == -math.inf] = 0  # −∞ − (−∞) is NaN
        s -= highest
        np.exp(s, out=s)
        total = s.sum(axis=-1, keepdims=True)
        total[total == 0] = 1
        np.divide(1, total, out=r[heads])
        y = np.matmul(s if keep is None else s * keep[heads], v[heads], out=o[heads])
        y *= r[heads]

    _for_all_heads(compute, stack, L * T, L * T * (d + width))
    return o, e, r


def attention_dq_dk_dv(do, q, k, v, e, r, scale, keep=None):
    """(dQ, dK, dV), which have their axes in memory as q, k and v have."""
    (*stack, L, d), (T, width) = q.shape, v.shape[-2:]
    dq, dk, dv = (empty(a.shape, do.dtype, memory_order(a)) for a in (q, k, v))

    def compute(heads):
        weights = e[heads]
        d = do[heads] * r[heads]
        ds = np.matmul(d, v[heads].swapaxes(-1, -2))
        if keep is not None:
            ds *= keep[heads]
        ds -= np.einsum("...ij,...ij->...i", ds, weights)[..., None] * r[heads]
        ds *= weights
        np.matmul((weights if keep is None else weights * keep[heads]).swapaxes(-1, -2), d, out=dv[heads])
        np.matmul(ds.swapaxes(-1, -2), q[heads] * scale, out=dk[heads])
        of_queries = np.matmul(ds, k[heads], out=dq[heads])
        of_queries *= scale

    _for_all_heads(compute, stack, L * T, 2 * L * T * (d + width))
    return dq, dk, dv


def _for_all_heads(compute, stack, scores, work):
    """compute(index) for all heads of a stack (N,H), a part of them at a time: some images, or some heads of an image.

    scores and work: the elements of E, and the multiplications, of one head.
    """
    n = workers(work * math.prod(stack))
    axis = 0  # of the stack, which is divided
    while axis + 1 < len(stack) and (
        math.prod(stack[axis + 1 :]) * scores > LARGEST or math.prod(stack[: axis + 1]) < n
    ):
        axis += 1
    if not stack:
        compute(())
        return
    share = -(-stack[axis] // max(1, n // max(1, math.prod(stack[:axis]))))  # for one worker
    step = max(1, min(share, LARGEST // max(1, math.prod(stack[axis + 1 :]) * scores)))
    jobs = [(*i, slice(k, k + step)) for i in np.ndindex(*stack[:axis]) for k in range(0, stack[axis], step)]
    parallel_for(compute, jobs, work * math.prod(stack))
