"""Cases of the parts of networks: convolution, normalization, pooling, softmax, losses, the residual add."""

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
    arrays = draw.normal(2, C, H, W), draw.normal(O, C, 3, 3), draw.normal(O)
    yield Case("3×3, stride 2, padding 1", arrays, {"stride": 2, "padding": 1})
    yield Case("O = C, square kernel", (draw.normal(2, C, W, H), draw.normal(C, C, 2, 2), draw.normal(C)))
    arrays = draw.laid_out(draw.normal(2, C, H, W)), draw.normal(O, C, 2, 4), draw.normal(O)
    yield Case("padding same, even kernel", arrays, {"padding": "same", "dilation": (3, 1)}, beyond=True)
    yield Case("no images", (draw.normal(0, 2, 4, 5), draw.normal(3, 2, 3, 3), draw.normal(3)))


@cases_for("batch_norm", "batch_norm_relu")
def _batch_norm(draw, _):
    C, H, W = draw.sizes(3, 2, 4)
    x = draw.normal(draw.size(2, 3), C, H, W, scale=2, mean=1)
    weight = draw.positive(C)
    bias = draw.normal(C)
    running = {"running_mean": draw.normal(C), "running_var": draw.rng.uniform(0.2, 3, C)}
    modes = {"training": {"training": True, "eps": 0.3}, "evaluation": {"training": False, "eps": 0.3}}
    for label, data in (("", x), (", channels-last", channels_last(x))):
        for mode, settings in modes.items():
            yield Case(f"{mode}{label}", (data, weight, bias), {**settings, **running})
    yield Case("training, default eps", (x * 0.1, weight, bias), {"training": True})
    yield Case("training, two values a channel", (draw.normal(2, C, 1, 1), weight, bias), modes["training"])
    for letters, shape in (("(N,C)", (draw.size(4, 6), C)), ("(N,C,L)", (3, C, H))):
        for mode, settings in modes.items():
            arrays = draw.normal(*shape), weight, bias
            yield Case(f"{mode}, {letters}", arrays, {**settings, **running}, beyond=True)
    for mode, settings in modes.items():
        yield Case(f"{mode}, negative γ", (x, -weight, bias), {**settings, **running})


@cases_for("conv_norm")
def _conv_norm(draw):
    C, O, H, W = draw.sizes(4, 2, 4)
    x = draw.normal(2, C, H, W, scale=2, mean=1)
    N = draw.size(2, 3)
    affine = (draw.positive(O), draw.normal(O))
    running = {"running_mean": draw.normal(O), "running_var": draw.rng.uniform(0.2, 3, O)}
    for relu in (False, True):
        settings = {"eps": 0.3, "relu": relu, **running}
        label = ", relu" if relu else ""
        arrays = draw.laid_out(x), draw.normal(O, C, 1, 1), *affine
        yield Case(f"training{label}", arrays, {"training": True, **settings})
        uneven, K, window = draw.window(C)
        arrays = uneven, draw.normal(O, C, *K), *affine
        yield Case(f"evaluation, everything uneven{label}", arrays, {**settings, **window})
    arrays = draw.normal(N, 2, H, W), draw.normal(5, 2, 1, 1), draw.positive(5), draw.normal(5)
    yield Case("training, more outputs than inputs, default eps", arrays, {"training": True})
    x, K, window = draw.window(4, kernel=(1, 2), N=(2, 2))
    arrays = channels_last(x), draw.normal(O * 2, 2, *K), draw.positive(O * 2), draw.normal(O * 2)
    running = {"running_mean": draw.normal(O * 2), "running_var": draw.positive(O * 2)}
    yield Case("evaluation, groups", arrays, {"groups": 2, **running, **window})
    arrays = draw.normal(N, C, H, W), draw.normal(O, C, 1, 1), -draw.positive(O), draw.normal(O)
    yield Case("training, negative γ, relu", arrays, {"training": True, "eps": 0.3, "relu": True})


@cases_for("layer_norm")
def _layer_norm(draw):
    m, n, k = draw.sizes(3, 3, 6)  # x̂ of 2 values is always ±1, and dx nearly 0
    yield Case("last axis", (draw.normal(m, n, k, scale=2), draw.positive(k), draw.normal(k)), {"eps": 0.3})
    yield Case("two axes", (draw.normal(2, m, n), draw.normal(m, n), draw.normal(m, n)))
    yield Case("no affine part", (draw.normal(m, n),))


@cases_for("group_norm")
def _group_norm(draw):
    G = draw.size(2, 3)
    k = draw.size(2, 3)
    C = G * k
    (H, W) = draw.sizes(2, 2, 4)
    for label, laid_out in (("feature map", lambda x: x), ("feature map, channels-last", channels_last)):
        arrays = laid_out(draw.normal(2, C, H, W, scale=2, mean=1)), draw.positive(C), draw.normal(C)
        yield Case(label, arrays, {"num_groups": G, "eps": 0.3})
    yield Case("one group", (draw.normal(3, C, H), draw.positive(C), draw.normal(C)), {"num_groups": 1})
    yield Case("a group a channel", (draw.normal(2, 3, H, W), draw.positive(3), draw.normal(3)), {"num_groups": 3})
    arrays = draw.normal(2, 9, W), draw.positive(9), draw.normal(9)
    yield Case("3 groups of 3 channels", arrays, {"num_groups": 3, "eps": 0.3})
    yield Case("no affine part, (N,C)", (draw.normal(3, 12),), {"num_groups": 3})


@cases_for("max_pool2d", "avg_pool2d")
def _pool(draw, name):
    def settings(K, window):
        return {"kernel_size": K, "stride": window["stride"], "padding": window["padding"]}

    # all values of a window differ by 0.1 or more, so a small step does not change its argmax
    for label, kernel, stride in (("overlapping, uneven", (2, 3), (1, 2)), ("rows left over", (1, 2), (2, 3))):
        x, K, window = draw.window(2, kernel=kernel, stride=stride, padding=(kernel[0] // 2, 0), dilation=(1, 1))
        yield Case(label, (draw.laid_out(draw.steps(*x.shape)),), settings(K, window))
    H, W = draw.sizes(2, 5, 8)
    x = channels_last(draw.steps(2, 2, H, W))
    yield Case("3×3, stride 2, padding 1", (x,), {"kernel_size": 3, "stride": 2, "padding": 1})
    yield Case("2×2", (draw.steps(2, 2, H, W),), {"kernel_size": 2})
    # one more window for the row left over; none for the column, because that window would begin in the padding
    H = 2 * draw.size(2, 4)
    W = 2 * draw.size(2, 4) + 1
    over = {"kernel_size": (3, 2), "stride": 2, "padding": 1, "ceil_mode": True}
    yield Case("ceil_mode", (draw.laid_out(draw.steps(2, 2, H, W)),), over, beyond=True)
    if name == "avg_pool2d":
        uncounted = {"count_include_pad": False}
        yield Case("ceil_mode, padding not counted", (draw.steps(2, 2, H, W),), {**over, **uncounted}, beyond=True)
        uneven = {"kernel_size": (3, 4), "stride": (2, 1), "padding": (1, 2)}
        yield Case("padding not counted", (draw.steps(2, 2, H, W),), {**uneven, **uncounted}, beyond=True)
    if name == "max_pool2d":
        x = draw.laid_out(draw.steps(2, 2, H, W + 5))
        dilated = {"kernel_size": (2, 3), "stride": (1, 2), "padding": 1, "dilation": (3, 2)}
        yield Case("dilation", (x,), dilated, beyond=True)
        first = np.array([[[[1, 0, 0, 1], [0, 0, 0, 0]]]])

        def first_of_each(dy):
            return np.repeat(np.repeat(dy, 2, axis=2), 2, axis=3) * first

        x = np.array([[[[1.0, 1.0, 0.0, 3.0], [1.0, 0.0, 3.0, 3.0]]]])
        yield Case("ties", (x,), {"kernel_size": 2}, convention=first_of_each)

        def upper_left(dy):
            return np.pad(dy, ((0, 0), (0, 0), (0, 1), (0, 1)))

        x = np.array([[[[2.0, 2.0, 2.0], [1.0, 2.0, 0.0]]]])
        yield Case("ties in overlapping windows", (x,), {"kernel_size": 2, "stride": 1}, convention=upper_left)


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
    yield Case("channels of a feature map", (draw.normal(2, m, n, k, scale=3),), {"dim": 1})
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
    yield Case("a class for each pixel", _class_for_each_pixel(draw, K), {"label_smoothing": 0.1})
    for reduction in ("mean", "sum", "none"):
        arrays = logits, draw.probabilities(N, K)
        settings = {"reduction": reduction, "weight": draw.positive(K), "label_smoothing": 0.2}
        yield Case(f"probabilities, weights, smoothing, {reduction}", arrays, settings, beyond=True)
    arrays = draw.normal(2, K, 2, 3), draw.positive(2, K, 2, 3)
    yield Case("probabilities for each pixel", arrays, {"weight": draw.positive(K)}, beyond=True)


def _class_for_each_pixel(draw, K):
    return draw.normal(2, K, 2, 3), draw.rng.integers(0, K, (2, 2, 3))


@cases_for("nll_loss")
def _nll_loss(draw):
    N = draw.size(5, 7)
    K = draw.size(3, 5)
    log_p = draw.normal(N, K, scale=2)
    target = draw.rng.permutation(N) % K
    for reduction in ("mean", "sum", "none"):
        yield Case(f"plain, {reduction}", (log_p, target), {"reduction": reduction})
        settings = {"reduction": reduction, "weight": draw.positive(K), "ignore_index": 1}
        yield Case(f"weights, ignored, {reduction}", (log_p, target), settings)
    yield Case("a class for each pixel", _class_for_each_pixel(draw, K), {"weight": draw.positive(K)})


@cases_for("binary_cross_entropy_with_logits")
def _binary_cross_entropy_with_logits(draw):
    m, n, k = draw.sizes(3, 2, 4)
    for reduction in ("mean", "sum", "none"):
        x = draw.normal(m, n, k, scale=2)
        target = draw.rng.uniform(0.1, 0.9, (m, n, k))
        yield Case(f"plain, {reduction}", (x, target), {"reduction": reduction})
        weights = {"weight": draw.positive(m, 1, k), "pos_weight": draw.positive(k)}
        yield Case(f"weights, {reduction}", (x, target), {"reduction": reduction, **weights})
    yield Case("large logits", (draw.normal(m, n, scale=30), draw.rng.uniform(0.1, 0.9, (m, n))), {"reduction": "none"})
    yield Case("scalar", (draw.normal(), draw.rng.uniform(0.1, 0.9, ())))


@cases_for("mse_loss", "l1_loss", "smooth_l1_loss")
def _distance(draw, name):
    shape = draw.sizes(2, 2, 4)
    for reduction in ("mean", "sum", "none"):
        yield Case(reduction, (draw.normal(*shape), draw.normal(*shape)), {"reduction": reduction})
    yield Case("scalar", (draw.normal(), draw.normal()))
    tie = np.array([1.0, -2.0, 0.0]), np.array([1.0, -3.0, 0.5])

    def signs(dy):
        return dy * [0, 1, -1], dy * [0, -1, 1]

    if name == "l1_loss":
        yield Case("equal elements", tie, {"reduction": "none"}, convention=signs)
    if name == "smooth_l1_loss":
        x = draw.normal(*shape)
        far = np.where(draw.normal(*shape) < 0, 0.2, 0.9)  # on both sides of beta
        for beta in (0.5, 2.0):
            yield Case(f"beta {beta}", (x, x + np.where(draw.normal(*shape) < 0, -far, far)), {"beta": beta})
        yield Case("beta 0", tie, {"reduction": "none", "beta": 0}, convention=signs)


@cases_for("residual_add", "residual_add_relu")
def _residual_add(draw, _):
    shape = draw.size(2, 3), *draw.sizes(3, 2, 4)
    x = draw.normal(*shape)
    f = draw.normal(*shape)
    yield Case("feature map", (x, f))
    yield Case("mixed formats", (x, channels_last(f)))


@cases_for("scaled_dot_product_attention")
def _attention(draw):
    N, H = draw.sizes(2, 2, 3)
    L, S, E, V = draw.sizes(4, 3, 6)

    def qkv(*stack, L=L, S=S, E=E, V=V, scale=1.0):
        return draw.normal(*stack, L, E, scale=scale), draw.normal(*stack, S, E, scale=scale), draw.normal(*stack, S, V)

    def sees(*shape):
        """A random mask. Each query sees two keys or more, but not all: with one key P is 1, and dQ is 0."""
        return draw.rng.permuted(np.broadcast_to(np.arange(S), shape), axis=-1) < draw.size(2, S - 1)

    yield Case("images and heads, unequal lengths", qkv(N, H))
    yield Case("as many queries, keys and features", qkv(H, L=4, S=4, E=4, V=4))
    yield Case("one head, another scale", qkv(), {"scale": 0.7})
    yield Case("one feature", qkv(N, E=1))
    yield Case("large scores", qkv(H, E=9, V=9, scale=2.5))
    yield Case("causal", qkv(N, L=5, S=5), {"is_causal": True})
    yield Case("causal, more keys", qkv(H, L=3, S=6), {"is_causal": True})
    yield Case("causal, more queries", qkv(H, L=6, S=3), {"is_causal": True})
    yield Case("a mask for all", qkv(N, H), {"attn_mask": sees(L, S)})
    yield Case("keys that are padding", qkv(N, H), {"attn_mask": sees(N, 1, 1, S)})
    blind = sees(N, H, L, S)
    blind[0, 1, L // 2] = blind[-1, :, :, 1] = False  # a query without keys, and a key without queries
    yield Case("queries that see no key", qkv(N, H), {"attn_mask": blind})
    added = np.where(sees(H, L, S), draw.normal(H, L, S), -np.inf)
    yield Case("a mask of floats", qkv(N, H), {"attn_mask": added})
    yield Case("dropout", qkv(H, L=5, S=6), {"dropout_p": 0.3, "rng": draw.size(0, 1 << 20)})
    _, k, v = qkv(N, 1)
    yield Case("heads that share keys and values", (draw.normal(N, H, L, E), k, v), beyond=True)
    yield Case("no images", qkv(0, H))
