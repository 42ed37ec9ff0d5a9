"""Cases for homework: a plain one of each op, which shows a submission's form, and more beside the op's own."""

import numpy as np

from minires.gradcheck.cases import Case


def _batch_norm(draw):
    C = 4
    return Case(
        "plain", (draw.normal(3, C, 5, 2, scale=2, mean=1), draw.positive(C), draw.normal(C)), {"training": True}
    )


def _attention(draw):
    return Case("plain", (draw.normal(5, 4), draw.normal(3, 4), draw.normal(3, 6)))


def _classes(draw):
    return Case("plain", (draw.normal(5, 4, scale=2), draw.rng.permutation(5) % 4))


def _pools(draw):
    for H, label, settings in ((6, "3×3", {"kernel_size": 3}), (4, "2×2, padding 1", {"kernel_size": 2, "padding": 1})):
        yield Case(label, (draw.steps(2, 2, H, 6),), settings)  # the stride is the kernel's size
    for label, settings in (
        ("3×3, stride 2", {"kernel_size": 3, "stride": 2}),
        ("3×3, stride 1", {"kernel_size": 3, "stride": 1}),
        ("2×2, stride 3, rows left over", {"kernel_size": 2, "stride": 3}),
        ("2×3, stride 2", {"kernel_size": (2, 3), "stride": 2}),  # for those who take height and width, and one stride
    ):
        yield Case(label, (draw.steps(2, 2, 7, 9),), settings)
    for label, H, kernel in (("3×3, stride 2", 8, 3), ("2×2", 7, 2)):
        rounded_up = {"kernel_size": kernel, "stride": 2, "ceil_mode": True}
        yield Case(f"{label}, ceil_mode", (draw.steps(2, 2, H, 6),), rounded_up, beyond=True)


def _max_pools(draw):
    yield from _pools(draw)
    # where a window's maximum is negative, zeros are no neutral padding, and 0 is no maximum to begin with
    negative = draw.steps(2, 2, 6, 5) - 20
    yield Case("2×2, all negative", (negative,), {"kernel_size": 2})
    yield Case("3×3, padding 1, all negative", (negative,), {"kernel_size": 3, "stride": 2, "padding": 1})
    dilated = {"kernel_size": 2, "stride": 1, "dilation": 2}
    yield Case("2×2, stride 1, dilation", (draw.steps(2, 2, 5, 6),), dilated, beyond=True)


def _avg_pools(draw):
    yield from _pools(draw)
    inside = {"kernel_size": 3, "padding": 1, "count_include_pad": False}
    yield Case("3×3, padding not counted", (draw.steps(2, 2, 7, 6),), inside, beyond=True)


def _convolutions(draw):
    for label, K, settings in (
        ("3×3, padding 1, bias", 3, {"padding": 1}),
        ("2×2, stride 2, rows left over, bias", 2, {"stride": 2}),
        ("3×3, stride 3, padding 2, bias", 3, {"stride": 3, "padding": 2}),
    ):
        yield Case(label, (draw.normal(2, 3, 7, 5), draw.normal(4, 3, K, K), draw.normal(4)), settings)
    arrays = draw.normal(2, 3, 7, 6), draw.normal(4, 3, 3, 3), draw.normal(4)
    yield Case("3×3, dilation 2, bias", arrays, {"dilation": 2})
    arrays = draw.normal(2, 3, 7, 6), draw.normal(4, 3, 2, 2), draw.normal(4)
    yield Case("2×2, padding same, bias", arrays, {"padding": "same"}, beyond=True)
    arrays = draw.normal(2, 4, 6, 5), draw.normal(6, 2, 3, 3), draw.normal(6)
    yield Case("3×3, 2 groups, bias", arrays, {"groups": 2})


def _conv_norms(draw):
    running = {"running_mean": draw.normal(3), "running_var": draw.positive(3), "eps": 0.3}
    for settings in ({"stride": 2}, {"padding": 1}, {"dilation": 2}):
        ((name, value),) = settings.items()
        arrays = draw.normal(2, 4, 7, 5), draw.normal(3, 4, 3, 3), draw.positive(3), draw.normal(3)
        yield Case(f"evaluation, 3×3, {name} {value}", arrays, {**running, **settings})


def _reductions(draw):
    x = draw.apart(3, 4, 2)
    yield Case("middle axis, kept", (x,), {"dim": 1, "keepdim": True})


def _norms(draw):
    yield from _reductions(draw)
    yield Case("middle axis, p = 1", (draw.apart(3, 4, 2),), {"dim": 1, "p": 1})


def _cats(draw):
    yield Case("first axis", tuple(draw.normal(k, 3, 4) for k in (2, 1, 3)), {"dim": 0})


def _stacks(draw):
    yield Case("middle axis", (draw.normal(2, 3), draw.normal(2, 3)), {"dim": 1})


def _flattens(draw):
    yield Case("last axes", (draw.normal(2, 3, 4, 5),), {"start_dim": 2})


def _transposes(draw):
    yield Case("last axes", (draw.normal(3, 2, 4),), {"dim0": 1, "dim1": 2})
    yield Case("first axes", (draw.normal(3, 2, 4),), {"dim0": 0, "dim1": 1})


def _reshapes(draw):
    yield Case("first axes joined", (draw.normal(2, 3, 4),), {"shape": (6, 4)})


def _pads(draw):
    yield Case("another value", (draw.normal(2, 3, 4),), {"pad": (1, 2, 0, 1), "value": -1.5})


def _linears(draw):
    arrays = draw.normal(3, 2, 2, 3), draw.normal(4, 12), draw.normal(4)
    yield Case("images, flattened", arrays)  # as CS231n has them; who takes matrices only may raise


def _dropouts(draw):
    x = draw.normal(12, 10)
    for p in (0.2, 0.7):
        yield Case(f"p = {p}", (x,), {"p": p})
    for seed in (3, 4):  # of the same x, because their masks are compared
        yield Case(f"seed {seed}", (x,), {"p": 0.4, "rng": seed})


def _layer_norms(draw):
    yield Case("rows", (draw.normal(4, 5), draw.positive(5), draw.normal(5)), {"eps": 0.3})  # rows are what most take


def _attentions(draw):
    arrays = draw.normal(5, 4), draw.normal(3, 4), draw.normal(3, 6)
    for label, settings in (
        ("causal", {"is_causal": True}),
        ("a mask", {"attn_mask": np.arange(3) != draw.rng.integers(3, size=(5, 1))}),
        ("another scale", {"scale": 0.3}),
        ("dropout", {"dropout_p": 0.4, "rng": 3}),
    ):
        yield Case(f"one head, {label}", arrays, settings)


def _large_scores(draw):
    yield Case("large numbers", (draw.normal(4, 5, scale=2, mean=1000),), {"dim": -1})


def _large_sums(draw):
    yield from _large_scores(draw)
    yield Case("last axis, kept", (draw.normal(4, 5),), {"dim": -1, "keepdim": True})


def _large_logits(draw):
    yield Case("large logits", (draw.normal(5, 4, scale=2, mean=1000), draw.rng.permutation(5) % 4))


# Beside the op's own cases, for those who take one number for both axes, no padding, or always a bias: each setting is
# another in some case that is plain in all else, so that none that is declared is left out. And for what overflows, or
# takes 0 for the least number.
EXTRA = {
    "linear": _linears,
    "dropout": _dropouts,
    "scaled_dot_product_attention": _attentions,
    "conv2d": _convolutions,
    "conv_norm": _conv_norms,
    "max_pool2d": _max_pools,
    "avg_pool2d": _avg_pools,
    "cross_entropy": _large_logits,
    "layer_norm": _layer_norms,
    **dict.fromkeys(("softmax", "log_softmax"), _large_scores),
    "logsumexp": _large_sums,
    **dict.fromkeys(("sum", "mean", "amax", "amin", "var", "std"), _reductions),
    "norm": _norms,
    "cat": _cats,
    "stack": _stacks,
    "flatten": _flattens,
    "transpose": _transposes,
    "reshape": _reshapes,
    "pad": _pads,
}
PLAIN = {
    "conv2d": lambda draw: Case("plain", (draw.normal(2, 3, 6, 5), draw.normal(4, 3, 3, 3), draw.normal(4))),
    "linear": lambda draw: Case("plain", (draw.normal(5, 3), draw.normal(4, 3), draw.normal(4))),
    "batch_norm": _batch_norm,
    "batch_norm_relu": _batch_norm,
    "layer_norm": lambda draw: Case("plain", (draw.normal(4, 6, scale=2), draw.positive(6), draw.normal(6))),
    "group_norm": lambda draw: Case(
        "plain", (draw.normal(2, 6, 3, 2, scale=2), draw.positive(6), draw.normal(6)), {"num_groups": 3}
    ),
    "max_pool2d": lambda draw: Case("plain", (draw.steps(2, 3, 6, 4),), {"kernel_size": 2}),
    "avg_pool2d": lambda draw: Case("plain", (draw.normal(2, 3, 6, 4),), {"kernel_size": 2}),
    "adaptive_avg_pool2d": lambda draw: Case("plain", (draw.normal(2, 3, 5, 4),), {"output_size": 1}),
    "scaled_dot_product_attention": _attention,
    "cross_entropy": _classes,
    "nll_loss": _classes,
    "softmax": lambda draw: Case("plain", (draw.normal(4, 5, scale=2),), {"dim": -1}),
    "log_softmax": lambda draw: Case("plain", (draw.normal(4, 5, scale=2),), {"dim": -1}),
    "logsumexp": lambda draw: Case("plain", (draw.normal(4, 5, scale=2),), {"dim": -1}),
    "dropout": lambda draw: Case("plain", (draw.normal(20, 30),), {"p": 0.4}),
    "leaky_relu": lambda draw: Case("plain", (draw.normal(4, 5, scale=2),)),
    "flatten": lambda draw: Case("plain", (draw.normal(2, 3, 4, 5),), {"start_dim": 1}),
}
