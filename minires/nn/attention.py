"""Attention between projections, with torch's names for the weights."""

from typing import Any

import numpy as np

from minires import ops
from minires.annotations import Rng, TensorLike
from minires.arrays import array_module, is_array
from minires.errors import DTypeError, ShapeError
from minires.kernels.window import without_batch
from minires.nn import init
from minires.nn.checks import flag, whole
from minires.nn.layers import Linear, zeros
from minires.nn.module import Module
from minires.random import generator
from minires.settings import in_range
from minires.tensor import Tensor, unwrap


class MultiheadAttention(Module):
    """Attention in H heads beside each other, between two projections  [Vaswani et al. 2017, §3.2.2].

        query ─ W_q ─┐ (N,L,E) -> (N,H,L,E/H)
        key   ─ W_k ─┼─ ops.scaled_dot_product_attention ─ (N,L,E) ─ out_proj ─ output
        value ─ W_v ─┘

    Self-attention takes one x for all three, attention(x, x, x). In cross-attention the queries come from elsewhere.
    in_proj_weight has W_q, W_k and W_v below each other, (3E,E). If key and value have other numbers of features, kdim
    and vdim, they are q_proj_weight (E,E), k_proj_weight (E,kdim) and v_proj_weight (E,vdim).
    dropout: the probability that a weight of P becomes 0 in training. rng: for the first weights and for dropout.
    """

    out_proj: Linear
    in_proj_weight: Any  # Parameters, or None
    q_proj_weight: Any
    k_proj_weight: Any
    v_proj_weight: Any
    in_proj_bias: Any

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        *,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        rng: Rng = None,
    ) -> None:
        name = "MultiheadAttention"
        E = self.embed_dim = whole(embed_dim, "embed_dim", name)
        self.num_heads = whole(num_heads, "num_heads", name)
        if E % self.num_heads:
            raise ShapeError(f"{name}: num_heads={num_heads} must divide embed_dim={embed_dim}")
        self.dropout = in_range(f"{name}: dropout", dropout, 0, 1)
        flag(bias, "bias", name)
        self.kdim = E if kdim is None else whole(kdim, "kdim", name)
        self.vdim = E if vdim is None else whole(vdim, "vdim", name)
        self.batch_first = flag(batch_first, "batch_first", name)
        self._rng = None if rng is None else generator(rng)
        self.in_proj_weight = self.q_proj_weight = self.k_proj_weight = self.v_proj_weight = None
        if self.kdim == self.vdim == E:
            self.in_proj_weight = zeros(3 * E, E)
        else:
            self.q_proj_weight = zeros(E, E)
            self.k_proj_weight = zeros(E, self.kdim)
            self.v_proj_weight = zeros(E, self.vdim)
        self.in_proj_bias = zeros(3 * E) if bias else None
        self.out_proj = Linear(E, E, bias, rng=self.rng)
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight, rng=self.rng)
        if bias:
            init.zeros_(self.out_proj.bias)

    @property
    def rng(self):
        """The generator that the masks of dropout are drawn from."""
        return generator(self._rng)

    @property
    def draws(self) -> bool:
        """Whether random numbers are drawn in training."""
        return self.dropout > 0

    def forward(
        self,
        query: TensorLike,
        key: TensorLike,
        value: TensorLike,
        key_padding_mask: TensorLike | None = None,
        need_weights: bool = True,
        attn_mask: TensorLike | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """(output, weights): query (L,N,E), key (S,N,kdim), value (S,N,vdim) -> (L,N,E) and P (N,L,S), as in torch.

        batch_first=True: N comes first in the arguments and in the output. need_weights=False gives None for P, and
        takes less time and memory. average_attn_weights=False gives P of each head, (N,H,L,S).
        A mask of booleans is True where a query must *not* see a key, the opposite of the op's. One of floats is added.
        key_padding_mask (N,S); attn_mask (L,S), or (N·H,L,S). is_causal: query i sees the keys 0 … i only.
        """
        flag(need_weights, "need_weights", "MultiheadAttention")
        flag(average_attn_weights, "average_attn_weights", "MultiheadAttention")
        q, k, v = (self._heads(i, x) for i, x in enumerate((query, key, value)))
        N, H, L, _ = q.shape
        S = k.shape[2]
        if not N == len(k) == len(v):
            raise ShapeError(
                f"MultiheadAttention: query, key and value need one batch size, got {N}, {len(k)} and {len(v)}"
            )
        mask = self._mask(
            key_padding_mask, attn_mask, flag(is_causal, "is_causal", "MultiheadAttention"), (N, H, L, S), q
        )
        settings = {"attn_mask": mask, "dropout_p": self.dropout if self.training else 0.0, "rng": self.rng}
        if v.shape[2] != S:
            raise ShapeError(
                f"MultiheadAttention: there are {S} keys and {v.shape[2]} values; each key needs one value"
            )
        weights = None
        if need_weights:  # P·I is P
            xp = array_module(q.data)
            weights = ops.scaled_dot_product_attention(q, k, xp.eye(S, dtype=q.dtype), **settings)
            o = ops.matmul(weights, v)
            weights = ops.mean(weights, dim=1) if average_attn_weights else weights
        else:
            o = ops.scaled_dot_product_attention(q, k, v, **settings)
        o = o.permute((0, 2, 1, 3) if self.batch_first else (2, 0, 1, 3))  # (N,H,L,E/H) -> (N,L,H,E/H) or (L,N,H,E/H)
        return self.out_proj(o.reshape((*o.shape[:2], self.embed_dim))), weights

    def _weight(self, i):
        """W_q, W_k or W_v and its bias, for i = 0, 1, 2."""
        E = self.embed_dim
        own = slice(i * E, (i + 1) * E)
        weight = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)[i]
        return (
            self.in_proj_weight[own] if weight is None else weight,
            None if self.in_proj_bias is None else self.in_proj_bias[own],
        )

    def _heads(self, i, x):
        """W·x + b of query, key or value, for i = 0, 1, 2, by head: (N,L,E) or (L,N,E) -> (N,H,L,E/H)."""
        name = ("query", "key", "value")[i]
        features = (self.embed_dim, self.kdim, self.vdim)[i]
        shape = np.shape(unwrap(x))
        if len(shape) != 3 or shape[-1] != features:
            axes = f"(N,L,{features})" if self.batch_first else f"(L,N,{features})"
            remedy = without_batch(shape, 3) if self.batch_first else "; batch_first=True takes (N,L,E)"
            raise ShapeError(f"MultiheadAttention: {name} must be {axes}, got {shape}{remedy}")
        x = ops.linear(x, *self._weight(i))
        x = x.reshape((*shape[:2], self.num_heads, self.embed_dim // self.num_heads))
        return x.permute((0, 2, 1, 3) if self.batch_first else (1, 2, 0, 3))

    def _mask(self, padding, mask, is_causal, shape, q):
        """The op's mask for all these: True or 0 where a query sees a key; None for no mask."""
        N, H, L, S = shape
        parts = []
        if padding is not None:
            padding = _checked("key_padding_mask", padding, [(N, S)])
            parts.append(padding.reshape(N, 1, 1, S))
        if mask is not None:
            mask = _checked("attn_mask", mask, [(L, S), (N * H, L, S)])
            parts.append(mask.reshape(shape) if mask.ndim == 3 else mask)
        if is_causal:
            parts.append(~array_module(q.data).tri(L, S, dtype=bool))
        return _together(parts, q)


def _checked(name, mask, shapes):
    """The array of a mask, if it is one of booleans or floats and has one of the shapes."""
    mask = unwrap(mask)
    if not is_array(mask) or mask.dtype.kind not in "bf":
        got = mask.dtype if is_array(mask) else type(mask).__name__
        raise DTypeError(
            f"MultiheadAttention: {name} must be an array of booleans, True where a key is not seen, or of floats, "
            f"got {got}"
        )
    if mask.shape not in shapes:
        raise ShapeError(f"MultiheadAttention: {name} must be {' or '.join(map(str, shapes))}, got {mask.shape}")
    return mask


def _together(parts, q):
    """One mask for the op: booleans, True where a query sees a key, if all parts are booleans; else floats."""
    if all(part.dtype.kind == "b" for part in parts):
        hidden = None
        for part in parts:
            hidden = part if hidden is None else hidden | part
        return None if hidden is None else ~hidden
    xp = array_module(q.data)
    return sum(xp.where(part, -np.inf, 0) if part.dtype.kind == "b" else part for part in parts)
