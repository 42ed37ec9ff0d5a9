"""Cases of what networks are made of: convolution, normalisation, pooling, softmax, losses, the residual add."""

import numpy as np

from minires.arrays import channels_last
from minires.gradcheck.cases.draw import Case, cases_for


@cases_for("conv2d")
def _conv2d(draw):
    C, O = draw.sizes(2, 2, 4)
    x, K, uneven = draw.window(C)
    yield Case("everything uneven", (x, draw.normal(O, C, *K), draw.normal(O)), uneven)
    x, K, uneven = draw.window(C, kernel=(2, 3), stride=(2, 3))
    yield Case("uneven, channels-last", (channels_last(x), draw.normal(O, C, *K), draw.normal(O)), uneven)
    G = draw.size(2, 3)
    x, K, uneven = draw.window(2 * G, kernel=(1, 2), N=(2, 2))
    yield Case("groups", (draw.laid_out(x), draw.normal(G, 2, *K), draw.normal(G)), {"groups": G, **uneven})
    x, K, uneven = draw.window(2, dilation=(1, 1))
    yield Case("depthwise", (x, draw.normal(4, 1, *K)), {"groups": 2, **uneven})
    x, K, uneven = draw.window(4, kernel=(1, 2), N=(2, 2), dilation=(1, 1))
    yield Case("O = C/groups", (x, draw.normal(2, 2, *K), draw.normal(2)), {"groups": 2, **uneven})
    H, W = draw.sizes(2, 3, 6)
    yield Case("1×1, stride 2", (draw.normal(2, C, H, W), draw.normal(O, C, 1, 1)), {"stride": 2})
    yield Case("3×3, padding 1", (draw.normal(2, C, H, W), draw.normal(O, C, 3, 3)), {"padding": 1})
    yield Case(
        "3×3, stride 2, padding 1",
        (draw.normal(2, C, H, W), draw.normal(O, C, 3, 3), draw.normal(O)),
        {"stride": 2, "padding": 1},
    )
    yield Case("O = C, square kernel", (draw.normal(2, C, W, H), draw.normal(C, C, 2, 2), draw.normal(C)))
    x = draw.laid_out(draw.normal(2, C, H, W))
    yield Case(
        "padding same, even kernel",
        (x, draw.normal(O, C, 2, 4), draw.normal(O)),
        {"padding": "same", "dilation": (3, 1)},
        beyond=True,
    )
    yield Case("no pictures", (draw.normal(0, 2, 4, 5), draw.normal(3, 2, 3, 3), draw.normal(3)))


@cases_for("batch_norm", "batch_norm_relu")
def _batch_norm(draw, _):
    C, H, W = draw.sizes(3, 2, 4)
    x = draw.normal(draw.size(2, 3), C, H, W, scale=2, shift=1)
    weight = draw.positive(C)
    bias = draw.normal(C)
    running = {"running_mean": draw.normal(C), "running_var": draw.rng.uniform(0.2, 3, C)}
    for label, data in (("", x), (", channels-last", channels_last(x))):
        yield Case(f"training{label}", (data, weight, bias), {"training": True, "eps": 0.3, **running})
        yield Case(f"evaluation{label}", (data, weight, bias), {"training": False, "eps": 0.3, **running})
    yield Case("training, default eps", (x * 0.1, weight, bias), {"training": True})
    yield Case(
        "training, two values a channel", (draw.normal(2, C, 1, 1), weight, bias), {"training": True, "eps": 0.3}
    )
    for shape in ((draw.size(4, 6), C), (3, C, H)):
        for training in (True, False):
            letters = ("(N,C)", "(N,C,L)")[len(shape) - 2]
            yield Case(
                f"{'training' if training else 'evaluation'}, {letters}",
                (draw.normal(*shape), weight, bias),
                {"training": training, "eps": 0.3, **running},
                beyond=True,
            )


@cases_for("conv_norm")
def _conv_norm(draw):
    C, O, H, W = draw.sizes(4, 2, 4)
    x = draw.normal(2, C, H, W, scale=2, shift=1)
    N = draw.size(2, 3)
    affine = (draw.positive(O), draw.normal(O))
    running = {"running_mean": draw.normal(O), "running_var": draw.rng.uniform(0.2, 3, O)}
    for relu in (False, True):
        suffix = ", relu" if relu else ""
        yield Case(
            f"training{suffix}",
            (draw.laid_out(x), draw.normal(O, C, 1, 1), *affine),
            {"training": True, "eps": 0.3, "relu": relu, **running},
        )
        uneven, K, settings = draw.window(C)
        yield Case(
            f"evaluation, everything uneven{suffix}",
            (uneven, draw.normal(O, C, *K), *affine),
            {"eps": 0.3, "relu": relu, **running, **settings},
        )
    yield Case(
        "training, wide, default eps",
        (draw.normal(N, 2, H, W), draw.normal(5, 2, 1, 1), draw.positive(5), draw.normal(5)),
        {"training": True},
    )
    x, K, uneven = draw.window(4, kernel=(1, 2), N=(2, 2))
    yield Case(
        "evaluation, groups",
        (channels_last(x), draw.normal(O * 2, 2, *K), draw.positive(O * 2), draw.normal(O * 2)),
        {"groups": 2, "running_mean": draw.normal(O * 2), "running_var": draw.positive(O * 2), **uneven},
    )


@cases_for("layer_norm")
def _layer_norm(draw):
    m, n, k = draw.sizes(3, 3, 6)  # of 2 values x̂ is ±1 whatever they are, and dx nearly 0
    yield Case("last axis", (draw.normal(m, n, k, scale=2), draw.positive(k), draw.normal(k)), {"eps": 0.3})
    yield Case("two axes", (draw.normal(2, m, n), draw.normal(m, n), draw.normal(m, n)))
    yield Case("no affine part", (draw.normal(m, n),))


@cases_for("group_norm")
def _group_norm(draw):
    G = draw.size(2, 3)
    k = draw.size(2, 3)
    C = G * k
    (H, W) = draw.sizes(2, 2, 4)
    for label, laid_out in (("map", lambda x: x), ("map, channels-last", channels_last)):
        yield Case(
            label,
            (laid_out(draw.normal(2, C, H, W, scale=2, shift=1)), draw.positive(C), draw.normal(C)),
            {"num_groups": G, "eps": 0.3},
        )
    yield Case("one group", (draw.normal(3, C, H), draw.positive(C), draw.normal(C)), {"num_groups": 1})
    yield Case("a group a channel", (draw.normal(2, 3, H, W), draw.positive(3), draw.normal(3)), {"num_groups": 3})
    yield Case(
        "as many groups as channels in one",
        (draw.normal(2, 9, W), draw.positive(9), draw.normal(9)),
        {"num_groups": 3, "eps": 0.3},
    )
    yield Case("no affine part, (N,C)", (draw.normal(3, 12),), {"num_groups": 3})


@cases_for("max_pool2d", "avg_pool2d")
def _pool(draw, name):
    def settings(K, window):
        return {"kernel_size": K, "stride": window["stride"], "padding": window["padding"]}

    # all values of a window differ by 0.1 or more, so that its maximum is the same one nearby
    for label, kernel, stride in (("overlapping, uneven", (2, 3), (1, 2)), ("rows left over", (1, 2), (2, 3))):
        x, K, window = draw.window(2, kernel=kernel, stride=stride, padding=(kernel[0] // 2, 0), dilation=(1, 1))
        yield Case(label, (draw.laid_out(draw.steps(*x.shape)),), settings(K, window))
    H, W = draw.sizes(2, 5, 8)
    yield Case(
        "3×3, stride 2, padding 1",
        (channels_last(draw.steps(2, 2, H, W)),),
        {"kernel_size": 3, "stride": 2, "padding": 1},
    )
    yield Case("2×2", (draw.steps(2, 2, H, W),), {"kernel_size": 2})
    # for the row left over there is a window more; for the column there is none, as it would begin in the padding
    H = 2 * draw.size(2, 4)
    W = 2 * draw.size(2, 4) + 1
    over = {"kernel_size": (3, 2), "stride": 2, "padding": 1, "ceil_mode": True}
    yield Case("ceil_mode", (draw.laid_out(draw.steps(2, 2, H, W)),), over, beyond=True)
    if name == "avg_pool2d":
        yield Case(
            "ceil_mode, padding not counted",
            (draw.steps(2, 2, H, W),),
            {**over, "count_include_pad": False},
            beyond=True,
        )
        yield Case(
            "padding not counted",
            (draw.steps(2, 2, H, W),),
            {"kernel_size": (3, 4), "stride": (2, 1), "padding": (1, 2), "count_include_pad": False},
            beyond=True,
        )
    if name == "max_pool2d":
        yield Case(
            "dilation",
            (draw.laid_out(draw.steps(2, 2, H, W + 5)),),
            {"kernel_size": (2, 3), "stride": (1, 2), "padding": 1, "dilation": (3, 2)},
            beyond=True,
        )
        x = np.array([[[[1.0, 1.0, 0.0, 3.0], [1.0, 0.0, 3.0, 3.0]]]])
        first = np.array([[[[1, 0, 0, 1], [0, 0, 0, 0]]]])
        yield Case(
            "ties",
            (x,),
            {"kernel_size": 2},
            convention=lambda dy: np.repeat(np.repeat(dy, 2, axis=2), 2, axis=3) * first,
        )
        yield Case(
            "ties in overlapping windows",
            (np.array([[[[2.0, 2.0, 2.0], [1.0, 2.0, 0.0]]]]),),
            {"kernel_size": 2, "stride": 1},
            convention=lambda dy: np.pad(dy, ((0, 0), (0, 0), (0, 1), (0, 1))),
        )


@cases_for("adaptive_avg_pool2d")
def _adaptive_avg_pool2d(draw):
    H, W = draw.sizes(2, 4, 7)
    x = draw.normal(2, 3, H, W)
    yield Case("global", (x,), {"output_size": 1})
    yield Case("uneven regions", (channels_last(x),), {"output_size": (3, 4)})
    yield Case("more cells than pixels", (x,), {"output_size": (2, 9)})
    yield Case("rows kept", (x,), {"output_size": (None, 2)}, beyond=True)


@cases_for("softmax", "log_softmax", "logsumexp")
def _softmax(draw, name):
    m, n, k = draw.sizes(3, 2, 5)
    yield Case("last axis", (draw.normal(m, n, scale=3),), {"dim": -1})
    yield Case("channels of a map", (draw.normal(2, m, n, k, scale=3),), {"dim": 1})
    yield Case("square, first axis", (draw.normal(n, n),), {"dim": 0})
    if name == "logsumexp":
        yield Case("two axes", (draw.normal(m, n, k),), {"dim": (0, -1)})


@cases_for("dropout")
def _dropout(draw):
    x = draw.normal(*draw.sizes(2, 4, 6))
    yield Case("training", (x,), {"p": 0.3, "rng": draw.size(0, 1 << 20)})
    yield Case("evaluation", (x,), {"p": 0.3, "training": False})


@cases_for("cross_entropy")
def _cross_entropy(draw):
    N = draw.size(5, 7)
    K = draw.size(3, 5)
    logits = draw.normal(N, K, scale=2)
    target = draw.rng.permutation(N) % K
    hard = {"weight": draw.positive(K), "label_smoothing": 0.2, "ignore_index": 1}
    for reduction in ("mean", "sum", "none"):
        yield Case(f"plain, {reduction}", (logits, target), {"reduction": reduction})
        yield Case(f"weights, smoothing, ignored, {reduction}", (logits, target), {"reduction": reduction, **hard})
    yield Case("ignored", (logits, target), {"ignore_index": 0})
    yield Case("class weights", (logits, target), {"weight": draw.positive(K)})
    yield Case("smoothing", (logits, target), {"label_smoothing": 0.1})
    yield Case(
        "a map of classes", (draw.normal(2, K, 2, 3), draw.rng.integers(0, K, (2, 2, 3))), {"label_smoothing": 0.1}
    )

    for reduction in ("mean", "sum", "none"):
        yield Case(
            f"probabilities, weights, smoothing, {reduction}",
            (logits, draw.probabilities(N, K)),
            {"reduction": reduction, "weight": draw.positive(K), "label_smoothing": 0.2},
            beyond=True,
        )
    yield Case(
        "a map of probabilities",
        (draw.normal(2, K, 2, 3), draw.positive(2, K, 2, 3)),
        {"weight": draw.positive(K)},
        beyond=True,
    )


@cases_for("nll_loss")
def _nll_loss(draw):
    N = draw.size(5, 7)
    K = draw.size(3, 5)
    log_p = draw.normal(N, K, scale=2)
    target = draw.rng.permutation(N) % K
    for reduction in ("mean", "sum", "none"):
        yield Case(f"plain, {reduction}", (log_p, target), {"reduction": reduction})
        yield Case(
            f"weights, ignored, {reduction}",
            (log_p, target),
            {"reduction": reduction, "weight": draw.positive(K), "ignore_index": 1},
        )
    yield Case(
        "a map of classes", (draw.normal(2, K, 2, 3), draw.rng.integers(0, K, (2, 2, 3))), {"weight": draw.positive(K)}
    )


@cases_for("binary_cross_entropy_with_logits")
def _binary_cross_entropy_with_logits(draw):
    m, n, k = draw.sizes(3, 2, 4)
    for reduction in ("mean", "sum", "none"):
        x = draw.normal(m, n, k, scale=2)
        target = draw.rng.uniform(0.1, 0.9, (m, n, k))
        yield Case(f"plain, {reduction}", (x, target), {"reduction": reduction})
        yield Case(
            f"weights, {reduction}",
            (x, target),
            {"reduction": reduction, "weight": draw.positive(m, 1, k), "pos_weight": draw.positive(k)},
        )
    yield Case("large logits", (draw.normal(m, n, scale=30), draw.rng.uniform(0.1, 0.9, (m, n))), {"reduction": "none"})
    yield Case("one number", (draw.normal(), draw.rng.uniform(0.1, 0.9, ())))


@cases_for("mse_loss", "l1_loss", "smooth_l1_loss")
def _distance(draw, name):
    shape = draw.sizes(2, 2, 4)
    for reduction in ("mean", "sum", "none"):
        yield Case(reduction, (draw.normal(*shape), draw.normal(*shape)), {"reduction": reduction})
    yield Case("one number", (draw.normal(), draw.normal()))
    if name == "l1_loss":
        yield Case(
            "equal numbers",
            (np.array([1.0, -2.0, 0.0]), np.array([1.0, -3.0, 0.5])),
            {"reduction": "none"},
            convention=lambda dy: (dy * [0, 1, -1], dy * [0, -1, 1]),
        )
    if name == "smooth_l1_loss":
        x = draw.normal(*shape)
        far = np.where(draw.normal(*shape) < 0, 0.2, 0.9)  # on both sides of beta
        for beta in (0.5, 2.0):
            yield Case(f"beta {beta}", (x, x + np.where(draw.normal(*shape) < 0, -far, far)), {"beta": beta})
        yield Case(
            "beta 0",
            (np.array([1.0, -2.0, 0.0]), np.array([1.0, -3.0, 0.5])),
            {"reduction": "none", "beta": 0},
            convention=lambda dy: (dy * [0, 1, -1], dy * [0, -1, 1]),
        )


@cases_for("residual_add", "residual_add_relu")
def _residual_add(draw, _):
    shape = draw.size(2, 3), *draw.sizes(3, 2, 4)
    x = draw.normal(*shape)
    f = draw.normal(*shape)
    yield Case("map", (x, f))
    yield Case("mixed formats", (x, channels_last(f)))
