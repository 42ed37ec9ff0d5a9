"""Bugs of attention. In their names and here P are the weights, S the scores."""

import math

import numpy as np

from minires.gradcheck.bugs.arithmetic import first, reduce_to
from minires.gradcheck.bugs.bug import bug
from minires.ops.dropout import dropout

ATTENTION = "scaled_dot_product_attention"


def scale_of(call):
    scale = call.setting("scale")
    return 1 / math.sqrt(call.x.shape[-1]) if scale is None else scale


def mask_of(call):
    """The floats that are added to the scores."""
    mask = call.setting("attn_mask")
    if call.setting("is_causal"):
        mask = np.tri(call.x.shape[-2], call.arrays[1].shape[-2], dtype=bool)
    if mask is None:
        return 0.0
    return np.where(mask, 0, -np.inf) if mask.dtype == bool else mask


def weights(call, mask=None):
    """P, with another mask if one is given; NaN for a query that sees no key."""
    q, k, _ = call.arrays
    s = scale_of(call) * (q @ T(k)) + (mask_of(call) if mask is None else mask)
    with np.errstate(invalid="ignore"):
        e = np.exp(s - s.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)


def kept(call, shape):
    """What dropout multiplies P by."""
    p = call.setting("dropout_p")
    return dropout.raw(np.ones(shape), p=p, rng=call.setting("rng"))[0] if p else 1.0


def T(a):
    return a.swapaxes(-1, -2)


def chained(call, P=None, D=None, dP=None, dS=None, reduce=np.sum):
    """The gradients, with another P or D, or other functions (P, dP) -> dS and (D, dO·Vᵀ) -> dP."""
    q, k, v = call.arrays
    P = np.nan_to_num(weights(call)) if P is None else P
    D = kept(call, P.shape) if D is None else D
    dp = call.dy @ T(v)
    dp = dp * D if dP is None else dP(D, dp)
    ds = (P * (dp - total(dp * P)) if dS is None else dS(P, dp)) * scale_of(call)
    found = ds @ k, T(ds) @ q, T(P * D) @ call.dy
    return tuple(reduce_to(a.shape, dx, reduce) for a, dx in zip(call.arrays, found))


def total(a):
    """The sums of the rows."""
    return a.sum(axis=-1, keepdims=True)


def dropped(call):
    return call.setting("dropout_p") > 0


def masked(call):
    return call.setting("attn_mask") is not None


def as_many_keys(call):
    return call.x.shape[-2] == call.arrays[1].shape[-2]


@bug(ATTENTION, "scale forgotten in dQ")
def _(call):
    """your dquery misses the factor 1/√E of the scores: dQ = dS·K/√E"""
    return call.but(query=call.right[0] / scale_of(call))


@bug(ATTENTION, "scale forgotten in dK")
def _(call):
    """your dkey misses the factor 1/√E of the scores: dK = dSᵀ·Q/√E"""
    return call.but(key=call.right[1] / scale_of(call))


@bug(ATTENTION, "divided by E", when=lambda call: call.setting("scale") is None and call.x.shape[-1] > 1)
def _(call):
    """your dquery and dkey have the factor 1/E: the scores have 1/√E, so it is 1/√E here, too"""
    return call.but(query=call.right[0] * scale_of(call), key=call.right[1] * scale_of(call))


@bug(ATTENTION, "always 1/√E", when=lambda call: call.setting("scale") is not None)
def _(call):
    """your dquery and dkey have the factor 1/√E: use `scale` where it is given"""
    factor = 1 / math.sqrt(call.x.shape[-1]) / scale_of(call)
    return call.but(query=call.right[0] * factor, key=call.right[1] * factor)


@bug(ATTENTION, "dS not transposed in dK", when=as_many_keys)
def _(call):
    """your dkey is dS·Q/√E: transpose dS, dK = dSᵀ·Q/√E"""
    return chained_transposed(call, key=True)


@bug(ATTENTION, "P not transposed in dV", when=as_many_keys)
def _(call):
    """your dvalue is P·dO: transpose P, dV = Pᵀ·dO"""
    return chained_transposed(call, key=False)


def chained_transposed(call, key):
    """dK or dV from dS or P as it is."""
    q, k, v = call.arrays
    P = np.nan_to_num(weights(call))
    D = kept(call, P.shape)
    dp = call.dy @ T(v) * D
    if key:
        return call.but(key=reduce_to(k.shape, scale_of(call) * (P * (dp - total(dp * P))) @ q))
    return call.but(value=reduce_to(v.shape, (P * D) @ call.dy))


@bug(ATTENTION, "softmax by element")
def _(call):
    """your scores' gradient is dP∘P∘(1 − P): each weight has all scores of its row, dS = P∘(dP − Σ dP·P)"""
    return chained(call, dS=lambda P, dP: dP * P * (1 - P))


@bug(ATTENTION, "Σ dP·P forgotten")
def _(call):
    """your scores' gradient is P∘dP: subtract the sum of each row, dS = P∘(dP − Σ dP·P)"""
    return chained(call, dS=lambda P, dP: P * dP)


@bug(ATTENTION, "Σ dP for Σ dP·P")
def _(call):
    """your scores' gradient subtracts Σ dP: subtract Σ dP·P"""
    return chained(call, dS=lambda P, dP: P * (dP - total(dP)))


@bug(ATTENTION, "Σ dP·P over the queries")
def _(call):
    """your Σ dP·P is over the queries: sum over the keys, the last axis, because there P adds up to 1"""
    return chained(call, dS=lambda P, dP: P * (dP - (dP * P).sum(axis=-2, keepdims=True)))


@bug(ATTENTION, "scores for weights in dV")
def _(call):
    """your dvalue is Sᵀ·dO: multiply by the weights P = softmax(S), dV = Pᵀ·dO"""
    q, k, v = call.arrays
    return call.but(value=reduce_to(v.shape, T(scale_of(call) * (q @ T(k))) @ call.dy))


@bug(ATTENTION, "dV averaged over the queries", when=lambda call: call.x.shape[-2] > 1)
def _(call):
    """your dvalue is the mean over the queries: sum over them, dV = Pᵀ·dO"""
    return call.but(value=call.right[2] / call.x.shape[-2])


@bug(ATTENTION, "dQ and dK exchanged")
def _(call):
    """your dquery and dkey are returned in the wrong order: return dQ, dK, dV"""
    dq, dk, dv = call.right
    return dk, dq, dv


@bug(ATTENTION, "mask forgotten", when=masked)
def _(call):
    """your backward computes P without the mask: add the mask to the scores there, too, or keep P"""
    return chained(call, P=weights(call, mask=0.0))


@bug(ATTENTION, "mask turned round", when=lambda call: masked(call) and call.setting("attn_mask").dtype == bool)
def _(call):
    """your backward leaves out the keys where attn_mask is True: True means that the key takes part"""
    return chained(call, P=np.nan_to_num(weights(call, np.where(call.setting("attn_mask"), -np.inf, 0))))


@bug(ATTENTION, "NaN for a query without keys", when=masked)
def _(call):
    """your gradients are NaN for a query that sees no key: its row of P is 0/0, take 0"""
    return chained(call, P=weights(call))


@bug(ATTENTION, "later keys seen", when=lambda call: call.setting("is_causal"))
def _(call):
    """your backward computes P without the causal mask: leave out the keys behind each query there, too"""
    return chained(call, P=weights(call, mask=0.0))


@bug(ATTENTION, "causal from the last key", when=lambda call: call.setting("is_causal") and not as_many_keys(call))
def _(call):
    """your causal mask lets the last query see the last key: query i sees the keys 0 … i, whatever their number"""
    L, S = call.x.shape[-2], call.arrays[1].shape[-2]
    return chained(call, P=np.nan_to_num(weights(call, np.where(np.tri(L, S, S - L, dtype=bool), 0, -np.inf))))


@bug(ATTENTION, "dropout forgotten", when=dropped)
def _(call):
    """your backward has no dropout: multiply P in dV and dO·Vᵀ in dP by the mask of the forward, divided by 1 − p"""
    return chained(call, D=1.0)


@bug(ATTENTION, "dropout forgotten in dP", when=dropped)
def _(call):
    """your gradient of the weights is dO·Vᵀ: multiply it by the dropout mask, because O = (P∘D)·V"""
    return chained(call, dP=lambda D, dp: dp)


@bug(ATTENTION, "1/(1 − p) forgotten", when=dropped)
def _(call):
    """your backward's dropout misses the factor 1/(1 − p): multiply by it, as the forward does"""
    return chained(call, D=kept(call, weights(call).shape) * (1 - call.setting("dropout_p")))


@bug(ATTENTION, "dropped weights in the softmax", when=dropped)
def _(call):
    """your scores' gradient has P after dropout: dropout comes after the softmax, so take P before it"""
    D = kept(call, weights(call).shape)
    return chained(call, dS=lambda P, dP: P * D * (dP - total(dP * P * D)))


@bug(ATTENTION, "first slice of leading axes")
def _(call):
    """your dkey and dvalue are those of the first head: sum over all heads that share the keys and values"""
    return chained(call, reduce=first)
