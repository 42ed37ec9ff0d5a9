"""Every op against PyTorch's, with the same numbers: forward and backward to 1e-10 of the largest value in float64."""

import itertools

import numpy as np
import pytest

from minires import Tensor, kernels, ops
from minires.arrays import channels_last

torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what these tests compare with")
F = torch.nn.functional
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")  # torch says that it copies
rng = np.random.default_rng(0)


def n(*shape):
    return rng.standard_normal(shape)


def p(*shape):
    return rng.uniform(0.5, 2, shape)


X = n(2, 4, 7, 6)
V = n(3, 5)
TARGET = np.array([0, 2, 1, 4, 2, 0])
RUNNING = {"running_mean": n(4), "running_var": p(4)}

# name, ours, torch's, differentiable inputs
TABLE = [
    ("add", ops.add, torch.add, (n(2, 1, 3), n(4, 1))),
    ("sub", ops.sub, torch.sub, (n(2, 1, 3), n(4, 1))),
    ("mul", ops.mul, torch.mul, (n(2, 1, 3), n(4, 1))),
    ("mul by 0-d", ops.mul, torch.mul, (n(2, 3), n())),
    ("add of two 0-d", ops.add, torch.add, (n(), n())),
    ("from a number", lambda x: 3 - x, lambda x: 3 - x, (n(2, 3),)),
    ("a number over x", lambda x: 2 / x, lambda x: 2 / x, (p(2, 3),)),
    ("div", ops.div, torch.div, (n(2, 1, 3), p(4, 1))),
    ("pow", ops.pow, torch.pow, (p(2, 3), n(3))),
    ("pow of negatives", lambda x: x**3, lambda x: x**3, (n(2, 3),)),
    ("pow to the 0", lambda x: x**0, lambda x: x**0, (n(2, 3),)),
    ("pow of zeros", lambda x: x**2, lambda x: x**2, (np.zeros(3),)),
    (
        "pow of 0 and 1 to arrays",
        lambda x: ops.pow(x, np.array([3, 1, 2, 0], x.dtype)),
        lambda x: torch.pow(x, torch.tensor([3, 1, 2, 0], dtype=x.dtype)),
        (np.array([0.0, 0, 1, 0]),),
    ),
    ("2 to a power", lambda x: 2**x, lambda x: 2**x, (n(2, 3),)),
    ("neg", ops.neg, torch.neg, (V,)),
    ("abs", ops.abs, torch.abs, (np.append(V, 0.0),)),
    ("exp", ops.exp, torch.exp, (V,)),
    ("log", ops.log, torch.log, (p(3, 4),)),
    ("sqrt", ops.sqrt, torch.sqrt, (p(3, 4),)),
    ("maximum with ties", ops.maximum, torch.maximum, (np.array([1.0, 2, 3]), np.array([1.0, 3, 2]))),
    ("minimum with ties", ops.minimum, torch.minimum, (np.array([1.0, 2, 3]), np.array([1.0, 3, 2]))),
    ("max of two", lambda a, b: a.max(b) + a.min(b), lambda a, b: a.max(b) + a.min(b), (n(2, 3), n(3))),
    (
        "sum over no axes named",
        lambda x: x.sum(()) + x.mean([]) + x.norm(dim=()),
        lambda x: x.sum(()) + x.mean([]) + x.norm(dim=()),
        (X,),
    ),
    ("maximum, broadcast", ops.maximum, torch.maximum, (n(2, 1, 3), n(4, 1))),
    ("clip", lambda x: ops.clip(x, -0.5, 0.5), lambda x: torch.clip(x, -0.5, 0.5), (np.append(V, [0.5, -0.5]),)),
    ("clip below", lambda x: ops.clip(x, min=0.1), lambda x: torch.clip(x, min=0.1), (V,)),
    ("relu", ops.relu, torch.relu, (np.append(V, 0.0),)),
    ("relu6", ops.relu6, F.relu6, (np.append(V * 5, [0.0, 6.0]),)),
    ("leaky_relu", lambda x: ops.leaky_relu(x, negative_slope=0.2), lambda x: F.leaky_relu(x, 0.2), (V,)),
    ("tanh", ops.tanh, torch.tanh, (V,)),
    ("sigmoid", ops.sigmoid, torch.sigmoid, (V * 10,)),
    ("silu", ops.silu, F.silu, (V * 10,)),
    ("gelu", ops.gelu, F.gelu, (V * 4,)),
    ("gelu tanh", lambda x: ops.gelu(x, approximate="tanh"), lambda x: F.gelu(x, approximate="tanh"), (V * 4,)),
    ("softmax", lambda x: ops.softmax(x, dim=1), lambda x: torch.softmax(x, 1), (X * 5,)),
    ("log_softmax", lambda x: ops.log_softmax(x, dim=-1), lambda x: torch.log_softmax(x, -1), (X * 5,)),
    ("logsumexp", lambda x: ops.logsumexp(x, dim=1, keepdim=True), lambda x: torch.logsumexp(x, 1, True), (X * 5,)),
    ("logsumexp, axis gone", lambda x: ops.logsumexp(x, dim=0), lambda x: torch.logsumexp(x, 0), (V,)),
    ("matmul", ops.matmul, torch.matmul, (n(2, 1, 3, 4), n(5, 4, 2))),
    ("matmul, vector first", ops.matmul, torch.matmul, (n(4), n(5, 4, 2))),
    ("matmul, vector last", ops.matmul, torch.matmul, (n(5, 3, 4), n(4))),
    ("matmul, two vectors", ops.matmul, torch.matmul, (n(4), n(4))),
    ("linear", ops.linear, F.linear, (n(2, 3, 4), n(5, 4), n(5))),
    ("linear of a vector", ops.linear, F.linear, (n(4), n(5, 4), n(5))),
    ("linear of nobody", ops.linear, F.linear, (n(0, 4), n(5, 4), n(5))),
    ("linear to nothing", ops.linear, F.linear, (n(2, 4), n(0, 4), n(0))),
    ("linear of nothing", ops.linear, F.linear, (n(2, 0), n(5, 0), n(5))),
    ("linear without bias", ops.linear, F.linear, (n(3, 4), n(5, 4))),
    ("sum", ops.sum, torch.sum, (X,)),
    ("sum over axes", lambda x: ops.sum(x, (0, -1), True), lambda x: torch.sum(x, (0, -1), True), (X,)),
    ("sum of a 0-d", ops.sum, torch.sum, (n(),)),
    ("sum of nothing", lambda x: ops.sum(x, 0), lambda x: torch.sum(x, 0), (n(0, 3),)),
    ("mean of all", ops.mean, torch.mean, (X,)),
    ("mean", lambda x: ops.mean(x, 2), lambda x: torch.mean(x, 2), (X,)),
    ("amax with ties", lambda x: ops.amax(x, 1), lambda x: torch.amax(x, 1), (rng.integers(0, 3, (4, 6)) * 1.0,)),
    ("amin with ties", lambda x: ops.amin(x, 1), lambda x: torch.amin(x, 1), (rng.integers(0, 3, (4, 6)) * 1.0,)),
    ("amax over axes", lambda x: ops.amax(x, (0, -1), True), lambda x: torch.amax(x, (0, -1), True), (X,)),
    ("max of all", ops.max, torch.max, (V,)),
    ("min of all", ops.min, torch.min, (V,)),
    (
        "max along an axis, the first of ties",
        lambda x: ops.max(x, 1)[0],
        lambda x: torch.max(x, 1)[0],
        (np.array([[1.0, 5, 5], [2, 2, 2]]),),
    ),
    ("min along an axis, kept", lambda x: ops.min(x, 2, True).values, lambda x: torch.min(x, 2, True).values, (X,)),
    ("max of a 0-d", lambda x: ops.max(x, 0)[0], lambda x: torch.max(x, 0)[0], (n(),)),
    (
        "take_along_dim",
        lambda x: ops.take_along_dim(x, np.array([[1, 1, 0], [0, 2, 2]]), dim=1),
        lambda x: torch.take_along_dim(x, torch.tensor([[1, 1, 0], [0, 2, 2]]), 1),
        (n(2, 4),),
    ),
    ("std", lambda x: ops.std(x, (1, 2)), lambda x: torch.std(x, (1, 2)), (X,)),
    ("std of all, biased", lambda x: ops.std(x, correction=0), lambda x: torch.std(x, correction=0), (X,)),
    ("std of equal numbers", lambda x: ops.std(x, 1), lambda x: torch.std(x, 1), (np.ones((2, 3)),)),
    ("norm", ops.norm, torch.linalg.vector_norm, (X,)),
    (
        "norm along axes",
        lambda x: ops.norm(x, dim=(1, 3), keepdim=True),
        lambda x: torch.linalg.vector_norm(x, dim=(1, 3), keepdim=True),
        (X,),
    ),
    ("norm of zeros", lambda x: ops.norm(x, dim=1), lambda x: torch.linalg.vector_norm(x, dim=1), (np.zeros((2, 3)),)),
    ("norm of large numbers", ops.norm, lambda x: torch.linalg.vector_norm(x / 1e30) * 1e30, (np.array([3e30, 4e30]),)),
    (
        "1-norm",
        lambda x: ops.norm(x, p=1, dim=0),
        lambda x: torch.linalg.vector_norm(x, ord=1, dim=0),
        (np.append(V, 0.0),),
    ),
    (
        "where",
        lambda a, b: ops.where(V > 0, a, b),
        lambda a, b: torch.where(torch.tensor(V > 0), a, b),
        (n(3, 5), n(5)),
    ),
    (
        "where, of a number",
        lambda a: ops.where(V > 0, a, 2),
        lambda a: torch.where(torch.tensor(V > 0), a, 2),
        (n(1, 5),),
    ),
    (
        "einsum, matrices",
        lambda a, b: ops.einsum("ij,jk->ik", a, b),
        lambda a, b: torch.einsum("ij,jk->ik", a, b),
        (n(2, 3), n(3, 4)),
    ),
    (
        "einsum, attention",
        lambda a, b: ops.einsum("bhqd,bhkd->bhqk", a, b),
        lambda a, b: torch.einsum("bhqd,bhkd->bhqk", a, b),
        (n(2, 2, 3, 4), n(2, 2, 5, 4)),
    ),
    (
        "einsum, a letter summed alone",
        lambda a, b: ops.einsum("ij,j->j", a, b),
        lambda a, b: torch.einsum("ij,j->j", a, b),
        (n(2, 3), n(3)),
    ),
    (
        "einsum, three, no arrow",
        lambda a, b, c: ops.einsum("ij,jk,kl", a, b, c),
        lambda a, b, c: torch.einsum("ij,jk,kl", a, b, c),
        (n(2, 3), n(3, 4), n(4, 2)),
    ),
    ("einsum, one", lambda a: ops.einsum("ijk->kj", a), lambda a: torch.einsum("ijk->kj", a), (n(2, 3, 4),)),
    ("squeeze", lambda x: ops.squeeze(x), lambda x: torch.squeeze(x), (n(1, 3, 1),)),
    ("squeeze of one axis", lambda x: ops.squeeze(x, -1), lambda x: torch.squeeze(x, -1), (n(1, 3, 1),)),
    ("squeeze of a longer axis", lambda x: ops.squeeze(x, (0, 1)), lambda x: torch.squeeze(x, (0, 1)), (n(1, 3, 1),)),
    ("unsqueeze", lambda x: ops.unsqueeze(x, -1), lambda x: torch.unsqueeze(x, -1), (V,)),
    ("expand", lambda x: ops.expand(x, sizes=(2, -1, 4)), lambda x: x.expand(2, -1, 4), (n(3, 1),)),
    ("clone", ops.clone, torch.clone, (X,)),
    (
        "to another dtype and back",
        lambda x: (x.double() * 2.0).to(x.dtype),
        lambda x: (x.double() * 2.0).to(x.dtype),
        (V,),
    ),
    ("clip with min above max", lambda x: ops.clip(x, 3, 1), lambda x: torch.clip(x, 3, 1), (np.array([0.0, 2, 5]),)),
    ("logsumexp over two axes", lambda x: ops.logsumexp(x, (0, -1)), lambda x: torch.logsumexp(x, (0, -1)), (X * 5,)),
    (
        "of integers and floats",
        lambda x: x * np.arange(5) + Tensor([1, 2, 3, 4, 5]) / x,
        lambda x: x * torch.arange(5) + torch.tensor([1, 2, 3, 4, 5]) / x,
        (p(3, 5),),
    ),
    ("var", lambda x: ops.var(x, (1, 2)), lambda x: torch.var(x, (1, 2)), (X,)),
    (
        "var, biased, kept",
        lambda x: ops.var(x, 1, 0, True),
        lambda x: torch.var(x, 1, correction=0, keepdim=True),
        (X,),
    ),
    ("reshape", lambda x: ops.reshape(x, (4, -1)), lambda x: torch.reshape(x, (4, -1)), (X,)),
    ("permute", lambda x: ops.permute(x, (3, 0, -2, 1)), lambda x: torch.permute(x, (3, 0, -2, 1)), (X,)),
    ("transpose", lambda x: ops.transpose(x, 1, -1), lambda x: torch.transpose(x, 1, -1), (X,)),
    ("flatten of a 0-d", ops.flatten, torch.flatten, (n(),)),
    ("transpose of a 0-d", lambda x: ops.transpose(x, 0, -1), lambda x: torch.transpose(x, 0, -1), (n(),)),
    ("flatten", lambda x: ops.flatten(x, 1, 2), lambda x: torch.flatten(x, 1, 2), (X,)),
    ("cat", lambda a, b: ops.cat([a, b, a], -1), lambda a, b: torch.cat([a, b, a], -1), (n(2, 3), n(2, 4))),
    ("stack", lambda a, b: ops.stack([a, b], 1), lambda a, b: torch.stack([a, b], 1), (n(2, 3), n(2, 3))),
    ("slices", lambda x: x[1:, ..., ::2, None, -1], lambda x: x[1:, ..., ::2, None, -1], (X,)),
    (
        "index arrays",
        lambda x: x[np.array([0, 0, 1]), :, np.array([1, 1, 2])],
        lambda x: x[torch.tensor([0, 0, 1]), :, torch.tensor([1, 1, 2])],
        (X,),
    ),
    ("mask", lambda x: x[np.abs(V) > 0.5], lambda x: x[torch.tensor(np.abs(V) > 0.5)], (V,)),
    ("pad", lambda x: ops.pad(x, (1, 2, 0, 3, 1, 0), 0.7), lambda x: F.pad(x, (1, 2, 0, 3, 1, 0), value=0.7), (X,)),
    ("broadcast_to", lambda x: ops.broadcast_to(x, (2, 3, 4)), lambda x: torch.broadcast_to(x, (2, 3, 4)), (n(3, 1),)),
    (
        "layer_norm",
        lambda x, w, b: ops.layer_norm(x, w, b, eps=0.1),
        lambda x, w, b: F.layer_norm(x, (7, 6), w, b, 0.1),
        (X, n(7, 6), n(7, 6)),
    ),
    (
        "layer_norm with weight only",
        lambda x, w: ops.layer_norm(x, w),
        lambda x, w: F.layer_norm(x, (6,), w),
        (X, n(6)),
    ),
    (
        "layer_norm with bias only",
        lambda x, b: ops.layer_norm(x, None, b),
        lambda x, b: F.layer_norm(x, (6,), None, b),
        (X, n(6)),
    ),
    ("layer_norm without affine part", ops.layer_norm, lambda x: F.layer_norm(x, (6,)), (X,)),
    (
        "group_norm",
        lambda x, w, b: ops.group_norm(x, w, b, num_groups=2, eps=0.1),
        lambda x, w, b: F.group_norm(x, 2, w, b, 0.1),
        (X, n(4), n(4)),
    ),
    (
        "group_norm with weight only",
        lambda x, w: ops.group_norm(x, w, num_groups=4),
        lambda x, w: F.group_norm(x, 4, w),
        (X, n(4)),
    ),
    ("group_norm of rows", lambda x: ops.group_norm(x, num_groups=1), lambda x: F.group_norm(x, 1), (n(3, 6),)),
    (
        "group_norm with bias only",
        lambda x, b: ops.group_norm(x, None, b, num_groups=3),
        lambda x, b: F.group_norm(x, 3) + b[:, None],
        (n(3, 6, 5), n(6)),
    ),  # torch's own fails here on the way back
    (
        "group_norm of nobody",
        lambda x, w: ops.group_norm(x, w, num_groups=2),
        lambda x, w: F.group_norm(x, 2, w),
        (n(0, 4, 3), n(4)),
    ),
    ("residual_add", ops.residual_add, torch.add, (X, n(*X.shape))),
    ("max_pool2d", lambda x: ops.max_pool2d(x, (3, 2), (2, 1), 1), lambda x: F.max_pool2d(x, (3, 2), (2, 1), 1), (X,)),
    (
        "max_pool2d with ties",
        lambda x: ops.max_pool2d(x, 3, 1, 1),
        lambda x: F.max_pool2d(x, 3, 1, 1),
        (rng.integers(0, 2, X.shape) * 1.0,),
    ),
    ("avg_pool2d", lambda x: ops.avg_pool2d(x, (3, 2), (2, 1), 1), lambda x: F.avg_pool2d(x, (3, 2), (2, 1), 1), (X,)),
    (
        "adaptive_avg_pool2d",
        lambda x: ops.adaptive_avg_pool2d(x, output_size=(3, 9)),
        lambda x: F.adaptive_avg_pool2d(x, (3, 9)),
        (X,),
    ),
    (
        "adaptive_avg_pool2d that keeps the columns",
        lambda x: ops.adaptive_avg_pool2d(x, output_size=(3, None)),
        lambda x: F.adaptive_avg_pool2d(x, (3, None)),
        (X,),
    ),
    ("global pool", lambda x: ops.adaptive_avg_pool2d(x), lambda x: F.adaptive_avg_pool2d(x, 1), (X,)),
    (
        "batch_norm in training",
        lambda x, w, b: ops.batch_norm(x, w, b, training=True, eps=0.1),
        lambda x, w, b: F.batch_norm(x, None, None, w, b, True, 0.1, 0.1),
        (X, p(4), n(4)),
    ),
    (
        "batch_norm in evaluation",
        lambda x, w, b: ops.batch_norm(x, w, b, **RUNNING),
        lambda x, w, b: F.batch_norm(x, *(torch.tensor(v, dtype=x.dtype) for v in RUNNING.values()), w, b),
        (X, p(4), n(4)),
    ),
    (
        "batch_norm_relu of (N,C) in training",
        lambda x, w, b: ops.batch_norm_relu(x, w, b, training=True, eps=0.1),
        lambda x, w, b: F.relu(F.batch_norm(x, None, None, w, b, True, 0.1, 0.1)),
        (n(5, 4), p(4), n(4)),
    ),
    (
        "batch_norm of (N,C,L) in training",
        lambda x, w, b: ops.batch_norm(x, w, b, training=True, eps=0.1),
        lambda x, w, b: F.batch_norm(x, None, None, w, b, True, 0.1, 0.1),
        (n(3, 4, 5), p(4), n(4)),
    ),
    (
        "batch_norm of (N,C,L) in evaluation",
        lambda x, w, b: ops.batch_norm(x, w, b, **RUNNING),
        lambda x, w, b: F.batch_norm(x, *(torch.tensor(v, dtype=x.dtype) for v in RUNNING.values()), w, b),
        (n(3, 4, 5).transpose(2, 1, 0).copy().transpose(2, 1, 0), p(4), n(4)),
    ),
    (
        "conv_norm in training",
        lambda x, k, w, b: ops.conv_norm(x, k, w, b, training=True, eps=0.1),
        lambda x, k, w, b: F.batch_norm(F.conv2d(x, k), None, None, w, b, True, 0.1, 0.1),
        (X, n(9, 4, 1, 1), p(9), n(9)),
    ),
    (
        "conv_norm in evaluation",
        lambda x, k, w, b: ops.conv_norm(x, k, w, b, relu=True, stride=2, padding=1, **RUNNING),
        lambda x, k, w, b: F.relu(
            F.batch_norm(
                F.conv2d(x, k, stride=2, padding=1), *(torch.tensor(v, dtype=x.dtype) for v in RUNNING.values()), w, b
            )
        ),
        (X, n(4, 4, 3, 2), p(4), n(4)),
    ),
]
for settings in (
    {"padding": "same"},
    {"padding": "valid", "stride": 2},
    {},
    {"stride": 2, "padding": 1},
    {"stride": (1, 2), "padding": (2, 0), "dilation": (2, 1)},
):
    for groups, channels, bias in ((1, 4, True), (2, 2, True), (4, 1, False)):
        both = {**settings, "groups": groups}
        inputs = (X, n(8, channels, 3, 2), n(8)) if bias else (X, n(8, channels, 3, 2))
        TABLE.append(
            (
                f"conv2d {both}",
                lambda *a, both=both: ops.conv2d(*a, **both),
                lambda *a, both=both: F.conv2d(*a, **both),
                inputs,
            )
        )
for reduction, smoothing, weighted, ignored in itertools.product(
    ("mean", "sum", "none"), (0.0, 0.3), (False, True), (-100, 2)
):
    settings = {"reduction": reduction, "label_smoothing": smoothing, "ignore_index": ignored}
    weight = p(5) if weighted else None
    TABLE.append(
        (
            f"cross_entropy {settings} weighted={weighted}",
            lambda x, s=settings, w=weight: ops.cross_entropy(x, TARGET, weight=w, **s),
            lambda x, s=settings, w=weight: F.cross_entropy(
                x, torch.tensor(TARGET), None if w is None else torch.tensor(w, dtype=x.dtype), **s
            ),
            (n(6, 5),),
        )
    )
MAP = rng.integers(0, 4, (2, 7, 6))
TABLE.append(
    (
        "cross_entropy of a map",
        lambda x: ops.cross_entropy(x, MAP),
        lambda x: F.cross_entropy(x, torch.tensor(MAP)),
        (X,),
    )
)
TABLE.append(
    (
        "cross_entropy with a list",
        lambda x: ops.cross_entropy(x, [4, 0, 1]),
        lambda x: F.cross_entropy(x, torch.tensor([4, 0, 1])),
        (V,),
    )
)


def with_settings(ours, theirs, **settings):
    """Both with the same settings, arrays among them in the dtype of the first argument."""
    return (
        lambda x, *more: ours(
            x, *more, **{k: v.astype(x.dtype) if isinstance(v, np.ndarray) else v for k, v in settings.items()}
        ),
        lambda x, *more: theirs(
            x,
            *more,
            **{k: torch.tensor(v, dtype=x.dtype) if isinstance(v, np.ndarray) else v for k, v in settings.items()},
        ),
    )


for reduction in ("mean", "sum", "none"):
    for name in ("mse_loss", "l1_loss", "smooth_l1_loss"):
        TABLE.append(
            (
                f"{name} {reduction}",
                *with_settings(getattr(ops, name), getattr(F, name), reduction=reduction),
                (V, n(3, 5)),
            )
        )
    for beta in (0, 0.3, 2.5):
        TABLE.append(
            (
                f"smooth_l1_loss {reduction} {beta}",
                *with_settings(ops.smooth_l1_loss, F.smooth_l1_loss, reduction=reduction, beta=beta),
                (np.append(V, [1, 2.5]), np.append(n(15), [1, 0])),
            )
        )
    for weights in ({}, {"weight": p(3, 1)}, {"pos_weight": p(5)}, {"weight": p(3, 5), "pos_weight": p(3, 1)}):
        TABLE.append(
            (
                f"binary_cross_entropy_with_logits {reduction} {list(weights)}",
                *with_settings(
                    ops.binary_cross_entropy_with_logits,
                    F.binary_cross_entropy_with_logits,
                    reduction=reduction,
                    **weights,
                ),
                (5 * V, rng.uniform(0, 1, V.shape)),
            )
        )
    for smoothing, weights in itertools.product((0.0, 0.3, 1.0), ({}, {"weight": p(4)})):
        settings = {"reduction": reduction, "label_smoothing": smoothing, **weights}
        TABLE.append(
            (
                f"cross_entropy of probabilities {reduction} {smoothing} {list(weights)}",
                *with_settings(ops.cross_entropy, F.cross_entropy, **settings),
                (X, p(*X.shape)),
            )
        )
    for ignored, weights in itertools.product((-100, 2), ({}, {"weight": p(5)})):
        ours, theirs = with_settings(
            lambda x, **s: ops.nll_loss(x, TARGET, **s),
            lambda x, **s: F.nll_loss(x, torch.tensor(TARGET), **s),
            reduction=reduction,
            ignore_index=ignored,
            **weights,
        )
        TABLE.append((f"nll_loss {reduction} {ignored} {list(weights)}", ours, theirs, (n(6, 5),)))
TABLE.append(("nll_loss of a map", lambda x: ops.nll_loss(x, MAP), lambda x: F.nll_loss(x, torch.tensor(MAP)), (X,)))


def both_sides(ours, theirs, inputs, dtype, laid_out=lambda a: a):
    """[y, gradients…] of ours and of torch's under the same random upstream."""
    xs = [Tensor(laid_out(a.astype(dtype)), requires_grad=True) for a in inputs]
    ts = [torch.tensor(a.astype(dtype), requires_grad=True) for a in inputs]
    y = ours(*xs)
    t = theirs(*ts)
    assert y.shape == tuple(t.shape)
    upstream = np.random.default_rng(1).standard_normal(y.shape).astype(dtype)
    y.backward(upstream)
    t.backward(torch.tensor(upstream))
    return [y.data, *(x.grad for x in xs)], [t.detach().numpy(), *(t.grad.numpy() for t in ts)]


@pytest.mark.parametrize(("ours", "theirs", "inputs"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_values_and_gradients_are_torchs(ours, theirs, inputs):
    for a, b in zip(*both_sides(ours, theirs, inputs, np.float64), strict=True):
        assert np.abs(a - b).max(initial=0) <= 1e-10 * max(1, np.abs(b).max(initial=0))


@pytest.mark.parametrize(("ours", "theirs", "inputs"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_float32_values_and_gradients_are_torchs_to_its_precision(ours, theirs, inputs):
    """Both sides round: 2·100 rounding units of the largest value, the longest sums having some hundred terms."""
    for a, b in zip(*both_sides(ours, theirs, inputs, np.float32), strict=True):
        assert a.dtype == np.float32
        assert np.abs(a - b).max(initial=0) <= 200 * 2.0**-24 * max(1, np.abs(b).max(initial=0))


@pytest.mark.parametrize(
    ("ours", "theirs", "inputs"),
    [row[1:] for row in TABLE if row[3][0].ndim == 4],
    ids=[row[0] for row in TABLE if row[3][0].ndim == 4],
)
def test_channels_last_memory_gives_the_same(ours, theirs, inputs):
    def laid_out(a):
        return channels_last(a) if a.ndim == 4 else a

    for a, b in zip(*both_sides(ours, theirs, inputs, np.float64, laid_out), strict=True):
        assert np.abs(a - b).max(initial=0) <= 1e-10 * max(1, np.abs(b).max(initial=0))


def windows(rng):
    """(H, W) and the settings of a pooling, each of them anything that torch might take."""
    K, S, P = ([int(v) for v in rng.integers(low, high, 2)] for low, high in ((1, 5), (1, 5), (0, 3)))
    return tuple(rng.integers(1, 9, 2)), {
        "kernel_size": tuple(K),
        "stride": tuple(S),
        "padding": tuple(P),
        "ceil_mode": bool(rng.integers(2)),
    }


@pytest.mark.parametrize("seed", range(400))
def test_any_pooling_is_torchs_or_refused_by_both(seed):
    rng = np.random.default_rng(seed)
    (H, W), settings = windows(rng)
    x = rng.permutation(2 * H * W).reshape(1, 2, H, W).astype(float)
    for name, more in (
        ("max_pool2d", {"dilation": tuple(int(d) for d in rng.integers(1, 3, 2))}),
        ("avg_pool2d", {"count_include_pad": bool(rng.integers(2))}),
    ):
        try:
            getattr(F, name)(torch.tensor(x), **settings, **more)
        except RuntimeError:
            with pytest.raises(ValueError, match=name):
                getattr(ops, name)(Tensor(x), **settings, **more)
            continue
        ours, theirs = with_settings(getattr(ops, name), getattr(F, name), **settings, **more)
        if not torch.isfinite(theirs(torch.tensor(x))).all():
            continue  # a window of dilation in which torch finds nothing sends its gradient to any place
        for a, b in zip(*both_sides(ours, theirs, (x,), np.float64), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("kernel", ["readable", "direct", "fastest"])
@pytest.mark.parametrize("seed", range(30))
def test_same_padding_is_torchs_for_any_kernel_and_dilation(seed, kernel):
    rng = np.random.default_rng(seed)
    K = rng.integers(1, 6, 2)
    D = tuple(int(d) for d in rng.integers(1, 4, 2))
    (H, W) = rng.integers(1, 9, 2)
    groups = int(rng.integers(1, 3))
    inputs = rng.standard_normal((2, 4, H, W)), rng.standard_normal((6, 4 // groups, *K)), rng.standard_normal(6)
    ours, theirs = with_settings(ops.conv2d, F.conv2d, padding="same", dilation=D, groups=groups)
    with kernels.use(kernel):
        for a, b in zip(*both_sides(ours, theirs, inputs, np.float64), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-11)


@pytest.mark.parametrize("momentum", [0.1, 0.7])
def test_running_statistics_are_torchs(momentum):
    ours = {k: v.copy() for k, v in RUNNING.items()}
    theirs = {k: torch.tensor(v) for k, v in RUNNING.items()}
    for _ in range(3):
        ops.batch_norm(Tensor(X), np.ones(4), np.zeros(4), training=True, momentum=momentum, **ours)
        F.batch_norm(torch.tensor(X), **theirs, training=True, momentum=momentum)
    for key in RUNNING:
        np.testing.assert_allclose(ours[key], theirs[key].numpy(), rtol=1e-13)


ROWS = np.array([[1.0, 2, 3], [4, 5, 1], [0, -1, 2]])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weight", [None, [1.0, 2.0, 0.5], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]], ids=str)
@pytest.mark.parametrize("target", [[0, 1, -100], [-100, 1, -100], [-100, -100, -100]], ids=str)
def test_a_loss_of_few_samples_none_or_no_weight_is_torchs(target, weight, smoothing, reduction):
    """A mean over nothing is NaN, its gradient 0 for ignored samples and NaN for those without weight; no warning."""

    def ours(x):
        return ops.cross_entropy(
            x,
            np.array(target),
            weight=None if weight is None else np.array(weight),
            label_smoothing=smoothing,
            reduction=reduction,
        )

    def theirs(x):
        return F.cross_entropy(
            x,
            torch.tensor(target),
            None if weight is None else torch.tensor(weight, dtype=x.dtype),
            label_smoothing=smoothing,
            reduction=reduction,
        )

    for a, b in zip(*both_sides(ours, theirs, (ROWS,), np.float64), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    ("ours", "theirs", "inputs"),
    [
        (
            lambda x, **s: ops.cross_entropy(x, np.zeros(0, int), **s),
            lambda x, **s: F.cross_entropy(x, torch.zeros(0, dtype=torch.long), **s),
            (np.zeros((0, 3)),),
        ),
        (
            lambda x, **s: ops.nll_loss(x, np.zeros((2, 0), int), **s),
            lambda x, **s: F.nll_loss(x, torch.zeros(2, 0, dtype=torch.long), **s),
            (np.zeros((2, 3, 0)),),
        ),
        (ops.cross_entropy, F.cross_entropy, (np.zeros((0, 3)), np.zeros((0, 3)))),
        (ops.mse_loss, F.mse_loss, (np.zeros((0, 3)), np.zeros((0, 3)))),
        (ops.l1_loss, F.l1_loss, (np.zeros(0), np.zeros(0))),
        (ops.smooth_l1_loss, F.smooth_l1_loss, (np.zeros(0), np.zeros(0))),
        (
            ops.binary_cross_entropy_with_logits,
            F.binary_cross_entropy_with_logits,
            (np.zeros((2, 0)), np.zeros((2, 0))),
        ),
    ],
    ids=["cross_entropy", "nll_loss", "probabilities", "mse_loss", "l1_loss", "smooth_l1_loss", "binary"],
)
def test_a_loss_of_no_samples_is_torchs(ours, theirs, inputs, reduction):
    ours, theirs = with_settings(ours, theirs, reduction=reduction)
    for a, b in zip(*both_sides(ours, theirs, inputs, np.float32), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("training", [True, False])
def test_dropout_drops_a_share_of_p_and_scales_the_rest(training):
    x = Tensor(np.ones((200, 200)), requires_grad=True)
    y = ops.dropout(x, p=0.3, training=training, rng=np.random.default_rng(0))
    y.backward(np.ones(y.shape))
    if not training:
        np.testing.assert_array_equal(y.data, x.data)
        return
    assert set(np.unique(y.data)) == {0.0, 1 / 0.7}
    assert abs((y.data == 0).mean() - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 40_000)
    np.testing.assert_array_equal(x.grad, y.data)
