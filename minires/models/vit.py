"""Vision Transformers: ViT-B/16, B/32 and L/16, and tiny ones for small images  [Dosovitskiy et al. 2021, Table 1].

An image is cut into patches of p×p pixels, 16 in ViT-B/16. Each patch becomes one vector, a token, and from then on
tokens look at each other: no layer knows which patches are neighbours, except by the positions that are learned.

    image ─ patches ─ linear ─┬─ + positions ─ encoder block × L ─ norm ─ token 0 ─ head ─ logits
               class token 0 ─┘

    encoder block  (Fig. 1, right)        the residual add of a ResNet, around two other branches

         ┌───────────────────────┐     ┌──────────────────────────────┐
    x ───┤                       + ────┤                              + ───
         └─ norm ─ attention ────┘     └─ norm ─ linear GELU linear ──┘

Parameters have torchvision's names, numbers and first weights.
"""

import math
from typing import TYPE_CHECKING

import numpy as np

from minires.annotations import Rng, TensorLike
from minires.errors import ShapeError
from minires.models.registry import define, register
from minires.nn import (
    GELU,
    Conv2d,
    Dropout,
    LayerNorm,
    Linear,
    Module,
    MultiheadAttention,
    Parameter,
    Sequential,
    Tanh,
    chain,
    init,
)
from minires.nn.checks import whole
from minires.nn.layers import zeros
from minires.ops import cat, residual_add
from minires.random import generator
from minires.settings import in_range
from minires.tensor import Tensor

EPS = 1e-6  # of the norms; torch's default is 1e-5


class EncoderBlock(Module):
    """x + attention(norm(x)), and then x + mlp(norm(x)): tokens x (N,T,D) -> (N,T,D)  [Fig. 1, eq. 2 and 3].

    As in a pre-activation ResNet, nothing stands between the adds of two blocks. dropout: at the end of each branch and
    inside the MLP. attention_dropout: of the weights with which tokens look at each other.
    """

    def __init__(
        self,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        *,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        rng: Rng = None,
    ) -> None:
        rng = generator(rng)
        self.ln_1 = LayerNorm(hidden_dim, eps=EPS)
        self.self_attention = MultiheadAttention(
            hidden_dim, num_heads, dropout=attention_dropout, batch_first=True, rng=rng
        )
        self.dropout = Dropout(dropout, rng=rng)
        self.ln_2 = LayerNorm(hidden_dim, eps=EPS)
        self.mlp = Sequential(
            Linear(hidden_dim, mlp_dim, rng=rng),
            GELU(),
            Dropout(dropout, rng=rng),
            Linear(mlp_dim, hidden_dim, rng=rng),
            Dropout(dropout, rng=rng),
        )
        for linear in (self.mlp[0], self.mlp[3]):
            init.xavier_uniform_(linear.weight, rng=rng)
            init.normal_(linear.bias, std=1e-6, rng=rng)

    def forward(self, x: TensorLike) -> Tensor:
        normed = self.ln_1(x)
        seen, _ = self.self_attention(normed, normed, normed, need_weights=False)
        x = residual_add(x, self.dropout(seen))
        return residual_add(x, chain(x, self.ln_2, self.mlp))


class Encoder(Module):
    """Tokens (N,T,D) -> (N,T,D): the positions are added, then blocks follow, and one norm at the end."""

    pos_embedding: Parameter

    def __init__(
        self,
        tokens: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        *,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        rng: Rng = None,
    ) -> None:
        rng = generator(rng)
        self.pos_embedding = zeros(1, tokens, hidden_dim)
        init.normal_(self.pos_embedding, std=0.02, rng=rng)
        self.dropout = Dropout(dropout, rng=rng)
        self.layers = Sequential()
        for i in range(num_layers):
            block = EncoderBlock(
                num_heads, hidden_dim, mlp_dim, dropout=dropout, attention_dropout=attention_dropout, rng=rng
            )
            self.layers.add_module(f"encoder_layer_{i}", block)
        self.ln = LayerNorm(hidden_dim, eps=EPS)

    def forward(self, x: TensorLike) -> Tensor:
        return chain(x + self.pos_embedding, self.dropout, self.layers, self.ln)


class VisionTransformer(Module):
    """x (N,in_channels,image_size,image_size) -> logits (N,num_classes)  [Dosovitskiy et al. 2021, §3.1].

    patch_size p, which must divide image_size; num_layers L; hidden_dim D, the features of a token.
    num_heads: D/64 unless given. mlp_dim: the width of the MLPs, 4·D unless given.
    representation_size: the width of one more layer with a tanh before the head, as in the paper's pre-training.
    """

    class_token: Parameter
    image_size = 224  # height and width of the images in the paper

    def __init__(
        self,
        patch_size: int,
        num_layers: int,
        hidden_dim: int,
        *,
        num_classes: int = 1000,
        in_channels: int = 3,
        image_size: int = 224,
        num_heads: int | None = None,
        mlp_dim: int | None = None,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        representation_size: int | None = None,
        rng: Rng = None,
    ) -> None:
        name = type(self).__name__
        p = self.patch_size = whole(patch_size, "patch_size", name)
        self.image_size = whole(image_size, "image_size", name)
        if image_size % p:
            raise ShapeError(f"{name}: patch_size={p} must divide image_size={image_size}")
        D = whole(hidden_dim, "hidden_dim", name)
        heads = max(D // 64, 1) if num_heads is None else whole(num_heads, "num_heads", name)
        width = 4 * D if mlp_dim is None else whole(mlp_dim, "mlp_dim", name)
        options = {
            "dropout": in_range(f"{name}: dropout", dropout, 0, 1),
            "attention_dropout": in_range(f"{name}: attention_dropout", attention_dropout, 0, 1),
        }
        num_classes = whole(num_classes, "num_classes", name)
        rng = generator(rng)
        self.class_token = zeros(1, 1, D)
        self.conv_proj = Conv2d(whole(in_channels, "in_channels", name), D, p, stride=p, rng=rng)
        _fill(self.conv_proj, rng)
        tokens = 1 + (image_size // p) ** 2
        layers = whole(num_layers, "num_layers", name)
        self.encoder = Encoder(tokens, layers, heads, D, width, **options, rng=rng)
        self.heads = Sequential()
        if representation_size is not None:
            before = Linear(D, whole(representation_size, "representation_size", name), rng=rng)
            _fill(before, rng)
            self.heads.add_module("pre_logits", before)
            self.heads.add_module("act", Tanh())
            D = representation_size
        head = Linear(D, num_classes, rng=rng)
        init.zeros_(head.weight)
        init.zeros_(head.bias)
        self.heads.add_module("head", head)

    def forward(self, x: TensorLike) -> Tensor:
        n = self.image_size
        if len(x.shape) == 4 and x.shape[2:] != (n, n):
            raise ShapeError(
                f"{type(self).__name__}: images must have {n}×{n} pixels, because each patch has a position of its "
                f"own, got {x.shape[2]}×{x.shape[3]}; image_size={x.shape[2]} makes a network for them"
            )
        x = self.conv_proj(x)  # (N,C,n,n) -> (N,D,n/p,n/p)
        N, D, rows, columns = x.shape
        x = x.permute(0, 2, 3, 1).reshape(N, rows * columns, D)  # the tokens of the patches, row by row
        x = cat([self.class_token.expand(N, -1, -1), x], dim=1)
        return chain(self.encoder(x)[:, 0], self.heads)

    def adapt_state(self, state):
        """mlp.linear_1 and linear_2 of torchvision's first files are mlp.0 and mlp.3.

        Positions for images of another size are interpolated, as torchvision does: the grid of patches becomes finer or
        coarser, and the class token keeps its own.
        """
        old = {"mlp.linear_1.": "mlp.0.", "mlp.linear_2.": "mlp.3."}
        for before, now in old.items():
            state = {name.replace(before, now): array for name, array in state.items()}
        name = "encoder.pos_embedding"
        given = state.get(name)
        side = self.image_size // self.patch_size
        squares = None if given is None or given.ndim != 3 else math.isqrt(given.shape[1] - 1)
        if squares and squares != side and squares**2 == given.shape[1] - 1:
            state[name] = np.concatenate([given[:, :1], _resized(given[:, 1:], squares, side)], axis=1)
        return state


def _resized(positions, n, m):
    """(1,n²,D) -> (1,m²,D): the vectors of an n×n grid for an m×m grid of the same corners, bicubic along each axis."""
    grid = positions.reshape(n, n, -1)
    weights = _cubic(n, m).astype(grid.dtype)
    return np.einsum("ai,bj,ijd->abd", weights, weights, grid).reshape(1, m * m, -1)


def _cubic(n, m):
    """(m,n): what each of n points weighs in the m points between the first and the last  [Keys 1981, a = −0.75]."""
    weights = np.zeros((m, n))
    for row, place in enumerate(np.linspace(0, n - 1, m)):
        left = math.floor(place)
        for point in range(left - 1, left + 3):
            t = abs(place - point)
            near = 1.25 * t**3 - 2.25 * t**2 + 1
            far = -0.75 * (t**3 - 5 * t**2 + 8 * t - 4)
            weights[row, min(max(point, 0), n - 1)] += near if t <= 1 else far if t < 2 else 0
    return weights


def _fill(layer, rng):
    """N(0, 1/fan_in), cut off at 2, for the weights, and 0 for the bias."""
    init.trunc_normal_(layer.weight, std=math.sqrt(1 / init.fans(layer.weight)[0]), rng=rng)
    init.zeros_(layer.bias)


class SmallVisionTransformer(VisionTransformer):
    """VisionTransformer with other defaults, for small images of ten classes; a head has 16 features.

    Heads of 64 features, as in the paper, would leave one head to a token that has 64 or fewer.
    """

    image_size = 32

    if not TYPE_CHECKING:  # a checker uses VisionTransformer's __init__, because **options would accept every name

        def __init__(
            self, patch_size, num_layers, *, hidden_dim=64, num_classes=10, image_size=32, num_heads=None, **more
        ):
            whole(hidden_dim, "hidden_dim", "SmallVisionTransformer")
            heads = max(hidden_dim // 16, 1) if num_heads is None else num_heads
            sizes = {"num_classes": num_classes, "image_size": image_size, "num_heads": heads}
            super().__init__(patch_size, num_layers, hidden_dim, **sizes, **more)


# define(class, its arguments) makes a function of the options that are left: vit_b_16(num_classes=10) -> network.
vit_b_16 = define(VisionTransformer, 16, 12, 768)
vit_b_32 = define(VisionTransformer, 32, 12, 768)
vit_l_16 = define(VisionTransformer, 16, 24, 1024)
# 64 patches of 4×4 pixels and as many parameters as ResNet-20, within 5 %; its multiply-adds are half of that network's
vit_tiny_cifar = define(SmallVisionTransformer, 4, 5)
# 16 patches of 2×2 pixels, and the parameters of ResNet-20, within 7 %
vit_tiny_digits = define(SmallVisionTransformer, 2, 5, image_size=8)

register(globals())  # finds these functions: create("vit_b_16") takes the name of the variable
