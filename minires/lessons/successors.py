"""The exercises of lesson 11 about blocks of convolutions. The last one, about attention, is in self_attention.py."""

import numpy as np

from minires.lessons.exercise import exercise


@exercise("11.1", gives="y")
def grouped_conv(x, w, groups):
    """A 1×1 convolution in groups: x (C,H,W), w (O,C/groups) -> y (O,H,W).

    Group g has the channels and the filters of part g, where both are cut into equal parts.
    """
    return _grouped(x, w, groups)


def _grouped(x, w, groups, channels=np.split, filters=np.split, join=np.concatenate):
    parts = zip(channels(x, groups), filters(w, groups))
    return join([np.einsum("oc,chw->ohw", w_g, x_g) for x_g, w_g in parts])


def _in_turn(a, groups):
    """Part g has every groups-th row from row g on."""
    return [a[g::groups] for g in range(groups)]


def _dealt(parts):
    """The parts' rows, one of each part in turn."""
    return np.stack(parts, 1).reshape(-1, *parts[0].shape[1:])


@grouped_conv.draw
def _(rng):
    def case(C, O, groups, H=3, W=4):
        return rng.standard_normal((C, H, W)), rng.standard_normal((O, C // groups)), groups

    yield "4 channels in 2 groups", case(4, 6, 2)
    yield "3 groups", case(6, 9, 3, W=int(rng.integers(2, 6)))
    yield "more channels than filters", case(12, 4, 2)
    yield "one group", case(3, 5, 1)
    yield "a group for each channel", case(4, 4, 4)
    yield "two filters for each channel", case(3, 6, 3, H=int(rng.integers(2, 6)))


@grouped_conv.mistake
def _(x, w, groups):
    """your group g takes every groups-th channel: it takes the channels g·C/groups and on, which follow one another"""
    return _grouped(x, w, groups, channels=_in_turn)


@grouped_conv.mistake
def _(x, w, groups):
    """your group g takes every groups-th filter: it takes the filters g·O/groups and on, which follow one another"""
    return _grouped(x, w, groups, filters=_in_turn)


@grouped_conv.mistake
def _(x, w, groups):
    """your outputs come from each group in turn: first come all outputs of group 0, then those of group 1"""
    return _grouped(x, w, groups, join=_dealt)


@grouped_conv.mistake
def _(x, w, groups):
    """your group g takes every groups-th channel and filter: its channels follow one another, and so do its filters"""
    return _grouped(x, w, groups, channels=_in_turn, filters=_in_turn, join=_dealt)


@grouped_conv.mistake
def _(x, w, groups):
    """all your groups see the channels of the first one: group g has channels of its own"""
    return _grouped(x, w, groups, channels=lambda a, n: [np.split(a, n)[0]] * n)


@grouped_conv.mistake
def _(x, w, groups):
    """all your groups have the filters of the first one: group g has filters of its own"""
    return _grouped(x, w, groups, filters=lambda a, n: [np.split(a, n)[0]] * n)


@grouped_conv.mistake
def _(x, w, groups):
    """you add up what the groups give: each group makes output channels of its own, so put them one after another"""
    return _grouped(x, w, groups, join=lambda parts: np.sum(parts, 0))


@grouped_conv.mistake
def _(x, w, groups):
    """your y has the first group alone: put the outputs of all groups one after another"""
    return _grouped(x, w, groups, join=lambda parts: parts[0])


@grouped_conv.mistake
def _(x, w, groups):
    """your y has the last group alone: collect the outputs of all groups in a list"""
    return _grouped(x, w, groups, join=lambda parts: parts[-1])


@grouped_conv.mistake
def _(x, w, groups):
    """your filters see all channels, with the same weights for each group: a filter sees those of its own group only"""
    return np.einsum("oc,chw->ohw", np.tile(w, (1, groups)), x)


@grouped_conv.mistake
def _(x, w, groups):
    """your groups meet in the wrong order: filters of group g see the channels of group g"""
    return _grouped(x, w, groups, channels=lambda a, n: np.split(a, n)[::-1])


# ---- squeeze and excitation


@exercise("11.2", gives="H")
def se_add(x, f, W1, b1, W2, b2):
    """A residual add with squeeze and excitation: H = x + s·f, s = σ(W2·relu(W1·z + b1) + b2).

    x and f (C,H,W); z (C) is the mean of each map of f. W1 (C/r,C), b1 (C/r), W2 (C,C/r), b2 (C) -> H (C,H,W).
    """
    return x + _weighed(f, f, W1, b1, W2, b2)


def _sigmoid(a):
    return 1 / (1 + np.exp(-a))


def _relu(a):
    return np.maximum(a, 0)


def _softmax(a):
    return np.exp(a) / np.exp(a).sum()


def _scores(f, W1, b1, W2, b2, squeeze=lambda f: f.mean((1, 2)), inner=_relu):
    return W2 @ inner(W1 @ squeeze(f) + b1) + b2


def _weighed(f, seen, *weights, outer=_sigmoid, **options):
    """s·f, where s is made of the maps `seen`."""
    return outer(_scores(seen, *weights, **options))[:, None, None] * f


@se_add.draw
def _(rng):
    def case(C, inner, H, W):
        maps = rng.standard_normal((2, C, H, W)) + rng.standard_normal((2, C, 1, 1))
        W1, W2 = rng.standard_normal((2, inner, C))
        b1 = rng.standard_normal(inner)
        return *maps, W1, b1, W2.T.copy(), rng.standard_normal(C)

    yield "4 channels, squeezed to 2", case(4, 2, 3, 3)
    yield "maps that are no squares", case(6, 3, 2, 5)
    yield "all channels squeezed to one", case(5, 1, 3, int(rng.integers(2, 5)))
    yield "maps of one pixel", case(4, 2, 1, 1)
    yield "as many in the middle as channels", case(3, 3, 4, 2)


@se_add.mistake
def _(x, f, W1, b1, W2, b2):
    """your x is missing: H = x + s·f, and the shortcut stays"""
    return _weighed(f, f, W1, b1, W2, b2)


@se_add.mistake
def _(x, f, W1, b1, W2, b2):
    """you weigh x, too: only the branch is weighed, H = x + s·f"""
    return _weighed(x + f, f, W1, b1, W2, b2)


@se_add.mistake
def _(x, f, W1, b1, W2, b2):
    """you weigh x in place of the branch: H = x + s·f"""
    return _weighed(x, f, W1, b1, W2, b2) + f


@se_add.mistake
def _(x, f, W1, b1, W2, b2):
    """you squeeze x: s is made of the maps of the branch, f"""
    return x + _weighed(f, x, W1, b1, W2, b2)


@se_add.mistake
def _(x, f, W1, b1, W2, b2):
    """you squeeze the sum x + f: s is made of the maps of the branch, f"""
    return x + _weighed(f, x + f, W1, b1, W2, b2)


@se_add.mistake
def _(x, f, W1, b1, W2, b2):
    """you add up the pixels of a map: squeeze takes their mean"""
    return x + _weighed(f, f, W1, b1, W2, b2, squeeze=lambda f: f.sum((1, 2)))


@se_add.mistake
def _(x, f, W1, b1, W2, b2):
    """you take the largest pixel of a map: squeeze takes the mean"""
    return x + _weighed(f, f, W1, b1, W2, b2, squeeze=lambda f: f.max((1, 2)))


@se_add.mistake
def _(x, f, W1, b1, W2, b2):
    """you do not squeeze: your s has a number for each pixel, and it has one for each channel"""
    inside = _relu(np.einsum("ic,chw->ihw", W1, f) + b1[:, None, None])
    return x + _sigmoid(np.einsum("ci,ihw->chw", W2, inside) + b2[:, None, None]) * f


@se_add.mistake
def _(x, f, W1, b1, W2, b2):
    """your two layers have no ReLU between them: s = σ(W2·relu(W1·z + b1) + b2)"""
    return x + _weighed(f, f, W1, b1, W2, b2, inner=lambda a: a)


@se_add.mistake
def _(x, f, W1, b1, W2, b2):
    """your s has no sigmoid, so it is no number between 0 and 1: s = σ(W2·relu(W1·z + b1) + b2)"""
    return x + _weighed(f, f, W1, b1, W2, b2, outer=lambda a: a)


@se_add.mistake
def _(x, f, W1, b1, W2, b2):
    """your s ends with a ReLU: a sigmoid comes at the end"""
    return x + _weighed(f, f, W1, b1, W2, b2, outer=_relu)


@se_add.mistake
def _(x, f, W1, b1, W2, b2):
    """your s is a softmax, in which channels take from each other: a sigmoid weighs each channel for itself"""
    return x + _weighed(f, f, W1, b1, W2, b2, outer=_softmax)


@se_add.mistake
def _(x, f, W1, b1, W2, b2):
    """your ReLU and your sigmoid are exchanged: the ReLU stands between the layers, and the sigmoid at the end"""
    return x + _weighed(f, f, W1, b1, W2, b2, inner=_sigmoid, outer=_relu)


@se_add.mistake
def _(x, f, W1, b1, W2, b2):
    """your two layers have a sigmoid between them: there stands a ReLU"""
    return x + _weighed(f, f, W1, b1, W2, b2, inner=_sigmoid)


@se_add.mistake
def _(x, f, W1, b1, W2, b2):
    """your two layers have no biases: add b1 and b2"""
    return x + _weighed(f, f, W1, 0 * b1, W2, 0 * b2)


@se_add.mistake
def _(x, f, W1, b1, W2, b2):
    """your branch is multiplied by 1 + s: multiply it by s"""
    return x + f + _weighed(f, f, W1, b1, W2, b2)


@se_add.mistake
def _(x, f, W1, b1, W2, b2):
    """your H is x + f: multiply f by s first"""
    return x + f


@se_add.sign
def _(H, x, f, W1, b1, W2, b2):
    """your result is s, one number a channel: give H = x + s·f"""
    return np.allclose(np.ravel(H), _sigmoid(_scores(f, W1, b1, W2, b2)))


# ---- a dense block


@exercise("11.3", gives="y")
def dense_block(x, W):
    """Dense layers: each puts F(x) = w·relu(x), k new maps, behind the maps that it gets, x ← [x, F(x)].

    x (C,H,W). W: a list of weights of 1×1 convolutions; layer l, from 0, has w (k,C + l·k) -> (C + len(W)·k,H,W).
    """
    return _dense(x, W)


def _maps(w, x):
    return np.einsum("kc,chw->khw", w, x)


def _dense(x, W, F=lambda w, x: _maps(w, _relu(x)), join=lambda x, f: [x, f]):
    for w in W:
        x = np.concatenate(join(x, F(w, x)))
    return x


@dense_block.draw
def _(rng):
    def case(C, k, layers, H=3, W=3):
        weights = [rng.standard_normal((k, C + i * k)) for i in range(layers)]
        return rng.standard_normal((C, H, W)), weights

    yield "3 layers that add 2 maps each", case(4, 2, 3)
    yield "growth by one map", case(3, 1, 4, W=int(rng.integers(2, 6)))
    yield "more new maps than x has", case(2, 5, 2)
    yield "one layer", case(5, 3, 1, H=2)
    yield "no layer", case(3, 2, 0)
    yield "many layers", case(6, 2, int(rng.integers(5, 8)), 2, 4)


@dense_block.mistake
def _(x, W):
    """your new maps come first: they stand behind those of x, [x, F(x)], and the weights count on that"""
    return _dense(x, W, join=lambda x, f: [f, x])


@dense_block.mistake
def _(x, W):
    """your layers have no ReLU: F(x) = w·relu(x)"""
    return _dense(x, W, F=_maps)


@dense_block.mistake
def _(x, W):
    """your ReLU comes behind w: it comes first, F(x) = w·relu(x)"""
    return _dense(x, W, F=lambda w, x: _relu(_maps(w, x)))


@dense_block.mistake
def _(x, W):
    """your ReLU changes what is kept: only F sees relu(x), and [x, F(x)] keeps x as it is"""
    return _dense(x, W, F=lambda w, x: _maps(w, _relu(x)), join=lambda x, f: [_relu(x), f])


@dense_block.mistake
def _(x, W):
    """only your first layer is there: each entry of W is one layer"""
    return _dense(x, W[:1])


@dense_block.mistake
def _(x, W):
    """your last layer is missing: each entry of W is one layer"""
    return _dense(x, W[:-1])


@dense_block.mistake
def _(x, W):
    """your layers see only the first maps, those of x: layer l sees the new maps of all layers before it, too"""
    y = x
    for w in W:
        y = np.concatenate([y, _maps(w[:, : len(x)], _relu(x))])
    return y


@dense_block.sign
def _(y, x, W):
    """your y has the new maps without those of x: keep x, [x, F(x)]"""
    right = _dense(x, W)
    return np.shape(y) == right[len(x) :].shape and np.allclose(y, right[len(x) :])


@dense_block.sign
def _(y, x, W):
    """your y has the new maps of the last layer alone: keep what came before, [x, F(x)]"""
    right = _dense(x, W)[-len(W[-1]) :] if W else x
    return np.shape(y) == right.shape and np.allclose(y, right)
