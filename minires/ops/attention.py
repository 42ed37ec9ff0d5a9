"""Attention: every query takes a mean of the values, in which a value counts more the better its key fits the query."""

import math

import numpy as np

from minires import kernels
from minires.arrays import array_module, device_of, is_array, to_device
from minires.errors import DTypeError, OptionError, ShapeError
from minires.op import op
from minires.ops.arithmetic import unbroadcast
from minires.ops.dropout import dropout
from minires.settings import in_range


@op
def scaled_dot_product_attention(
    query, key, value, *, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, rng=None
):
    """O = P·V with P = softmax(Q·Kᵀ/√E + M) along each row  [Vaswani et al. 2017, eq. 1].

        dV = Pᵀ·dO
        dS = P∘(dP − Σ dP·P)      with dP = dO·Vᵀ
        dQ = dS·K/√E
        dK = dSᵀ·Q/√E             kernels/readable/attention.py derives this

    query Q (…,L,E), key K (…,S,E), value V (…,S,Ev) -> O (…,L,Ev). The axes in front, images and heads, broadcast.
    attn_mask: booleans, True where a query sees a key, or floats M; it broadcasts to (…,L,S). is_causal: query i sees
    the keys 0 … i only. A query that sees no key gets zeros, as in PyTorch. scale: a factor in place of 1/√E.
    dropout_p: a weight in P becomes 0 with this probability, drawn from rng as in dropout.
    """
    name = "scaled_dot_product_attention"
    shapes = query.shape, key.shape, value.shape
    stack = _stack(name, *shapes)
    L, S, E = shapes[0][-2], shapes[1][-2], shapes[0][-1]
    scale = 1 / math.sqrt(E) if scale is None else in_range(f"{name}: scale", scale, -math.inf)
    mask = _added(name, attn_mask, is_causal, (*stack, L, S), query)
    xp = array_module(query)
    q, k, v = (a if a.shape[:-2] == stack else xp.broadcast_to(a, stack + a.shape[-2:]) for a in (query, key, value))
    dropout_p = in_range(f"{name}: dropout_p", dropout_p, 0, 1)
    keep = None
    if dropout_p:
        keep, _ = dropout.raw(xp.ones((*stack, L, S), query.real.dtype), p=dropout_p, rng=rng)
    o, e, r = kernels.attention(q, k, v, scale, mask, keep)

    def backward(do):
        dxs = kernels.attention_dq_dk_dv(do, q, k, v, e, r, scale, keep)
        return tuple(unbroadcast(dx, shape) for dx, shape in zip(dxs, shapes))

    return o, backward


def _stack(name, *shapes):
    """The axes in front of the matrices, broadcast. Raises ShapeError unless the shapes fit."""
    if min(map(len, shapes)) < 2:
        raise ShapeError(f"{name}: query, key and value must be (…,L,E), (…,S,E) and (…,S,Ev), got {_listed(shapes)}")
    (_, of_query), (keys, of_key), (values, _) = (shape[-2:] for shape in shapes)
    if of_query != of_key or not of_key:
        raise ShapeError(
            f"{name}: query has {of_query} features and key has {of_key}; both need the same number, at least 1"
        )
    if keys != values or not keys:
        raise ShapeError(f"{name}: there are {keys} keys and {values} values; each key has one value, and one must be")
    try:
        return np.broadcast_shapes(*(shape[:-2] for shape in shapes))
    except ValueError:
        raise ShapeError(
            f"{name}: the axes in front of query, key and value do not broadcast: {_listed(shapes)}"
        ) from None


def _listed(shapes):
    return ", ".join(map(str, shapes))


def _added(name, mask, is_causal, shape, query):
    """M, floats that are added to the scores and broadcast to their shape, or None. Raises what its messages say."""
    xp = array_module(query)
    if is_causal:
        if mask is not None:
            raise OptionError(
                f"{name}: attn_mask and is_causal=True exclude each other; make one mask: "
                "attn_mask & np.tri(L, S, dtype=bool)"
            )
        mask = xp.tri(*shape[-2:], dtype=bool)
    if mask is None:
        return None
    if not is_array(mask) or mask.dtype.kind not in "bf":
        got = mask.dtype if is_array(mask) else type(mask).__name__
        raise DTypeError(
            f"{name}: attn_mask must be an array of booleans, True where a query sees a key, or of floats, got {got}"
        )
    if mask.dtype.kind == "b":
        mask = xp.where(to_device(mask, device_of(query)), 0, -math.inf)
    try:
        return xp.broadcast_to(mask.astype(query.real.dtype), shape)
    except ValueError:
        raise ShapeError(
            f"{name}: attn_mask {mask.shape} does not broadcast to the scores {shape}, queries by keys"
        ) from None
