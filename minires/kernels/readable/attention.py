"""Scaled dot-product attention of one head  [Vaswani et al. 2017, eq. 1].

Forward. There are L queries, the rows of Q (L,d), and T keys, the rows of K (T,d). Each key has a value, a row of
V (T,e). M (L,T) is 0 where a query sees a key, and −∞ where it does not. c is 1/√d. Row by row:

    S = c·Q·Kᵀ + M                how well each key fits each query
    E_ij = exp(S_ij − max_j S_ij)   1 for the best key; no exponential overflows
    r_i = 1/Σ_j E_ij
    P_ij = E_ij·r_i                 softmax(S): the weights of query i, which add up to 1
    O = P·V                         each query's mean of the values

Backward. dO is short for ∂L/∂O, and so on. Begin at the end. O_ia = Σ_j P_ij·V_ja, so

    dV_ja = Σ_i P_ij·dO_ia          because V_ja is in O_ia of every query i, times P_ij
    dP_ij = Σ_a dO_ia·V_ja          because P_ij is in row i of O only, times V_ja

and these sums are matrix products:

    dV = Pᵀ·dO        dP = dO·Vᵀ

S_ik changes every weight of its row, because they share r_i. [j = k] is 1 if j = k and else 0:

    ∂P_ij/∂S_ik = P_ij·([j = k] − P_ik)         the derivative of a softmax (ops/activation.py)

S_ik reaches L through every P_ij of the row, so add up over j. Σ_j dP_ij·P_ij·[j = k] is dP_ik·P_ik, and
⟨dP, P⟩_i is short for Σ_j dP_ij·P_ij:

    dS_ik = Σ_j dP_ij·P_ij·([j = k] − P_ik)
          = P_ik·(dP_ik − ⟨dP, P⟩_i)            because P_ik is in both terms

S_ij = c·Σ_b Q_ib·K_jb + M_ij, and M is constant, so

    dQ_ib = c·Σ_j dS_ij·K_jb        because Q_ib is in S_ij of every key j, times c·K_jb
    dK_jb = c·Σ_i dS_ij·Q_ib        because K_jb is in S_ij of every query i, times c·Q_ib

    dQ = c·dS·K       dK = c·dSᵀ·Q

To check it: each row of dS adds up to 0, because a constant added to a row of S changes no P.
Where P_ij = 0, because M_ij = −∞, dS_ij is 0, too: no gradient reaches a key through a query that does not see it.

Dropout multiplies P by D, which is 0 or 1/(1 − p), before V: O = (P∘D)·V. Then dV = (P∘D)ᵀ·dO and
dP = (dO·Vᵀ)∘D, and the rest stays.
A query that sees no key has E = 0 in its whole row, so its O and its gradients are 0.
In the code c is scale, M is mask and D is keep. All arrays may have more axes in front, for images and heads.
"""

import math

from minires.arrays import array_module
from minires.kernels.readable.sums import sums


def attention(q, k, v, scale, mask=None, keep=None):
    """O (…,L,e), and what P is made of, E (…,L,T) and r (…,L,1), from q (…,L,d), k (…,T,d), v (…,T,e).

    mask and keep (…,L,T), or None.
    """
    xp = array_module(q)
    s = scale * (q @ transposed(k))
    if mask is not None:
        s = s + mask
    highest = s.real.max(axis=-1, keepdims=True)
    highest = xp.where(highest == -math.inf, 0, highest).astype(highest.dtype)  # −∞ − (−∞) is NaN
    e = xp.exp(s - highest)
    total = sums(e, (-1,), keepdims=True)
    r = 1 / xp.where(total == 0, 1, total).astype(total.dtype)
    p = e * r
    return (p if keep is None else p * keep) @ v, e, r


def attention_dq_dk_dv(do, q, k, v, e, r, scale, keep=None):
    """(dQ, dK, dV) from dO (…,L,e) and what attention() was given and has returned."""
    p = e * r
    dv = transposed(p if keep is None else p * keep) @ do
    dp = do @ transposed(v)
    if keep is not None:
        dp = dp * keep
    ds = p * (dp - sums(dp * p, (-1,), keepdims=True))
    dq = scale * (ds @ k)
    dk = scale * (transposed(ds) @ q)
    return dq, dk, dv


def transposed(a):
    """Aᵀ, with the axes in front as they are."""
    return a.swapaxes(-1, -2)
