# %% [markdown] name="title"
# # 11. What came before and after
#
# *65 minutes up to "Narrow, wide, narrow", and 40 for the second half, if you have them. Before it: lesson 6 (the
# residual block) and lesson 8 (the architecture).*
#
# Afterwards you can
#
# - say which line of H(x) = x + F(x) VGG, ResNeXt, SE-ResNet and DenseNet change;
# - write their blocks in ten lines each, and count their parameters by hand;
# - compare networks at equal cost;
# - (second half) say the same of MobileNetV2, EfficientNet and the vision transformer, ViT;
# - (second half) say what a comparison on small digits cannot show.

# %% name="setup" tags=["setup"]
import sys

if "google.colab" in sys.modules or sys.platform == "emscripten":  # not at home
    # %pip install -q minires[data,plots]
    pass

from itertools import pairwise

import numpy as np

from minires import Tensor, data, kernels, models, nn, no_grad, ops
from minires.lab.equal_cost import Family, at_cost, costs
from minires.lab.experiments.successors import FAMILIES
from minires.lab.few_steps import error_after
from minires.lessons import check, size
from minires.plots import Bars, plot_graph, plot_images, plot_panels
from minires.summary import summary

SEEDS = range(3)

# %% [markdown] name="question"
# ## The question
#
# Every year brings a network with a new name. How many of them do you have to learn? Here are eight, with
# the year in which each was first published:
#
# | year | network | its block |
# |---|---|---|
# | 2014 | VGG | H = F(x) |
# | 2015 | ResNet | H = x + F(x) |
# | 2016 | DenseNet | H = [x, F(x)], one behind the other |
# | 2016 | ResNeXt | H = x + T₁(x) + … + T₃₂(x) |
# | 2017 | SE-ResNet | H = x + s·F(x), and s is made of F(x) |
# | 2018 | MobileNetV2 | H = x + F(x), and F is narrow, wide, narrow |
# | 2019 | EfficientNet | the same, made deeper, wider and finer at once |
# | 2020 | ViT | H = x + attention(x) |
#
# Each successor keeps the shortcut, and changes one line. So there is only one block to learn, and you
# know it already:


# %% name="figure-residual"
def diagram(*layers, end=None):
    """Layers in a row. With an end, as "add", there is a shortcut to it."""
    nodes = ["x", *range(len(layers)), *([end] if end else [])]
    parents = {"x": []} | {b: [a] for a, b in pairwise(nodes)}
    if end:
        parents[end].insert(0, "x")
    return plot_graph(parents, dict(enumerate(layers)))


diagram("3×3", "3×3", end="add")


# %% name="residual"
def conv(C, O, K, groups=1):
    """A convolution that keeps the size of the map, and its batch norm."""
    layer = nn.Conv2d(C, O, K, padding=K // 2, groups=groups, bias=False)
    return layer, nn.BatchNorm2d(O)


class Residual(nn.Module):
    """H(x) = x + F(x)."""

    def __init__(self, *F):
        self.F = nn.Sequential(*F)

    def forward(self, x):
        return x + self.F(x)


def basic(C):
    return Residual(*conv(C, C, 3), nn.ReLU(), *conv(C, C, 3))


# %% [markdown] name="compare-text"
# Is this really the block of ResNet? We give it and minires's own block the same random weights. Then we compare
# their outputs, and count their parameters. (In the paper a ReLU comes after the add.)
#
# **Before you run:** how many parameters does it have with 64 channels? There are two convolutions, 3×3, and
# behind each a norm with γ and β.


# %% name="compare" tags=["claim"]
def compare(ours, theirs, shape, after=lambda H: H):
    """With the same random weights both give the same H, for three seeds."""
    ours.to(np.float64)
    theirs.to(np.float64)
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        for p in theirs.parameters():
            p.data[...] = rng.standard_normal(p.shape)
        ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values())))
        x = Tensor(rng.standard_normal(shape))
        right = theirs(x).data
        apart = np.max(abs(after(ours(x)).data - right)) / np.max(abs(right))
        assert apart < 1e-12, "this is another block"
    counts = [nn.count_parameters(block) for block in (ours, theirs)]
    assert counts[0] == counts[1], "one block has more parameters"
    print(f"{counts[0]:,} parameters, and the same H as in minires")


compare(basic(64), models.BasicBlock(64, 64), (2, 64, 6, 6), ops.relu)

# %% [markdown] name="vgg"
# ## Before: H = F(x)
#
# VGG [Simonyan & Zisserman 2015] came one year before. It has no shortcut. Its idea is another one, and many
# later networks kept it: use no large kernels, but stack 3×3 convolutions [§2.3].

# %% name="figure-vgg"
diagram("3×3", "3×3")

# %% [markdown] name="claim-vgg-text"
# **Before you run:** one pixel of H comes from how many pixels of x? Think of two 3×3 convolutions, of three,
# and of one with 5×5. And how many weights have they, if all have C channels?
#
# **The claim:** with random weights, two 3×3 convolutions see as many pixels as one 5×5. They have 18·C²
# weights, and it has 25·C². We send a gradient from one pixel of H back to x, and count where it arrives.


# %% name="claim-vgg" tags=["claim"]
def pixels_seen(kernel_sizes, seed):
    """How many pixels of x one pixel sees, through convolutions of one channel."""
    rng = np.random.default_rng(seed)
    x = Tensor(np.zeros((1, 1, 11, 11)), requires_grad=True)
    y = x
    for K in kernel_sizes:
        y = ops.conv2d(y, rng.standard_normal((1, 1, K, K)), padding=K // 2)
    y[0, 0, 5, 5].backward()
    return int(np.sum(abs(x.grad) > 1e-12))


for kernel_sizes, pixels in {(3, 3): 25, (5,): 25, (3, 3, 3): 49}.items():
    seen = [pixels_seen(kernel_sizes, seed) for seed in SEEDS]
    weights = sum(K**2 for K in kernel_sizes)
    print(f"kernels {kernel_sizes}: {seen} pixels, {weights}·C² weights")
    assert seen == [pixels] * len(SEEDS), "they see another number of pixels"

# %% [markdown] name="resnext"
# ## ResNeXt: F is a sum
#
# A bottleneck of ResNet makes x narrow, works there, and makes it wide again. ResNeXt [Xie et al. 2017] has 32
# of them in parallel, each only 4 channels wide, and adds up all (eq. 3):
#
# $$H(x) = x + T_1(x) + T_2(x) + \dots + T_{32}(x)$$

# %% name="figure-resnext"
paths = {1: ["x"], 2: ["x"], 3: ["x"]}  # three of the 32
plot_graph({"x": [], **paths, "add": ["x", *paths]}, dict.fromkeys(paths, "4 channels"))

# %% [markdown] name="resnext-grouped"
# It is not computed like this, because 32 small layers are slow. There is one layer that does the same: a
# *grouped convolution*. It cuts the channels of x into equal parts, the *groups*. Each group has filters of its
# own, and they see no other group. So with g groups it has
#
# $$\text{weights} = O\cdot\frac{C}{g}\cdot K^2$$
#
# **Before you run:** the bottleneck of ResNet-50 has 256 channels outside, and 64 inside: 70,400
# parameters. ResNeXt has 128 channels inside, in 32 groups. How many parameters does it have?


# %% name="claim-resnext" tags=["claim"]
def resnext(C, width, groups):
    F = [*conv(C, width, 1), nn.ReLU(), *conv(width, width, 3, groups), nn.ReLU()]
    return Residual(*F, *conv(width, C, 1))


block = models.Bottleneck(256, 64, groups=32, width_per_group=4)
compare(resnext(256, 128, 32), block, (2, 256, 4, 4), ops.relu)

# %% [markdown] name="claim-paths-text"
# Twice as wide, and it costs the same. In the paper this made the top-1 error on ImageNet smaller, from 23.9 % to
# 22.2 % [Table 3, 50 layers].
#
# **The claim:** a branch with a grouped convolution is the sum of its paths. We compute each path by itself, with
# its own part of the weights. (The norms are left out.)


# %% name="claim-paths" tags=["claim"]
def branch(x, w1, w2, w3, groups=1):
    """1×1, 3×3 in groups, and 1×1, without norms."""
    f = ops.relu(ops.conv2d(x, w1))
    f = ops.relu(ops.conv2d(f, w2, padding=1, groups=groups))
    return ops.conv2d(f, w3).data


C, width, groups = 12, 8, 4
for seed in SEEDS:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, C, 5, 5))
    w1 = rng.standard_normal((width, C, 1, 1))
    w2 = rng.standard_normal((width, width // groups, 3, 3))
    w3 = rng.standard_normal((C, width, 1, 1))
    parts = np.split(np.arange(width), groups)
    paths = [branch(x, w1[part], w2[part], w3[:, part]) for part in parts]
    apart = np.max(abs(branch(x, w1, w2, w3, groups) - sum(paths)))
    print(f"seed {seed}: F and the sum of {groups} paths differ by {apart:.0e}")
    assert apart < 1e-11, "F is not the sum of its paths"

# %% [markdown] name="exercise-grouped"
# ### Exercise 11.1
#
# Write a grouped convolution for one image, with 1×1 kernels. x is (C,H,W) and w is (O,C/groups). Cut x and w
# into `groups` equal parts along their first axis. Part g of the output comes from part g of both. Return y,
# (O,H,W).
#
# (At each pixel a 1×1 convolution is w times the channels: `np.einsum("oc,chw->ohw", w, x)`.)


# %% name="grouped" tags=["exercise"] exercise="11.1"
def grouped_conv(x, w, groups):
    raise NotImplementedError  # your answer


# %% name="grouped-solution" tags=["solution"] exercise="11.1"
def grouped_conv(x, w, groups):
    parts = zip(np.split(x, groups), np.split(w, groups))
    return np.concatenate([np.einsum("oc,chw->ohw", w_g, x_g) for x_g, w_g in parts])


# %% name="grouped-check" tags=["check"] exercise="11.1"
check("11.1", grouped_conv)

# %% [markdown] name="se"
# ## SE: how much of each channel?
#
# F(x) has many channels, and not each is useful for each image. *Squeeze and excitation*, SE
# [Hu et al. 2018], gives each channel a factor between 0 and 1. It is made of F(x) itself:
#
# $$H = x + s\cdot F(x) \qquad s = \sigma\big(W_2\,\mathrm{relu}(W_1\,z + b_1) + b_2\big)$$
#
# *Squeeze*: z is the mean of each map, one number a channel. *Excitation*: a layer makes it narrow, C/r numbers,
# and another one wide again. The sigmoid is σ(a) = 1/(1 + e⁻ᵃ).

# %% name="figure-se"
plot_graph(
    {"x": [], "F": ["x"], "mean": ["F"], "W₁, relu": ["mean"], "W₂, σ": ["W₁, relu"]}
    | {"times": ["F", "W₂, σ"], "add": ["x", "times"]}
)

# %% [markdown] name="claim-se-text"
# The two small layers have 2·C²/r weights, beside the 18·C² of the 3×3 convolutions.
#
# **Before you run:** a basic block with C = 128 has 295,424 parameters. How many come with SE and r = 16? Do not
# forget the biases.


# %% name="claim-se" tags=["claim"]
class SE(Residual):
    """H(x) = x + s·F(x)."""

    def __init__(self, C, r, *F):
        super().__init__(*F)
        excite = nn.Conv2d(C, C // r, 1), nn.ReLU(), nn.Conv2d(C // r, C, 1)
        self.s = nn.Sequential(nn.AdaptiveAvgPool2d(1), *excite, nn.Sigmoid())

    def forward(self, x):
        f = self.F(x)
        return x + self.s(f) * f


def se(C, r):
    return SE(C, r, *conv(C, C, 3), nn.ReLU(), *conv(C, C, 3))


compare(se(128, 16), models.SEBasicBlock(128, 128), (2, 128, 4, 4), ops.relu)

# %% [markdown] name="claim-gate-text"
# That is less than 1 % more.
#
# **Before you run:** set W₂ to zero, and b₂ to 40. What is H? And with b₂ = −800?
#
# **The claim:** then the block is exactly the residual block, and exactly the identity. So SE can switch off
# a branch, and a ResNet is one of the networks that it can be.

# %% name="claim-gate" tags=["claim"]
for seed in SEEDS:
    block = se(16, 4).to(np.float64)
    x = Tensor(np.random.default_rng(seed).standard_normal((2, 16, 5, 5)))
    last = block.s[3]
    last.weight.data[...] = 0
    last.bias.data[...] = 40
    assert np.array_equal(block(x).data, (x + block.F(x)).data), "s = 1 changes H"
    last.bias.data[...] = -800
    assert np.array_equal(block(x).data, x.data), "s = 0 does not give x"
print("s = 1: H = x + F(x), s = 0: H = x, to the last digit")

# %% [markdown] name="exercise-se"
# ### Exercise 11.2
#
# Write the add of an SE block for one image. f is F(x); x and f are (C,H,W). W1 is (C/r,C), b1 (C/r), W2 (C,C/r)
# and b2 (C). Return H, (C,H,W).
#
# (`s[:, None, None]` has the shape (C,1,1), so that it multiplies whole maps.)


# %% name="se-add" tags=["exercise"] exercise="11.2"
def se_add(x, f, W1, b1, W2, b2):
    raise NotImplementedError  # your answer


# %% name="se-add-solution" tags=["solution"] exercise="11.2"
def se_add(x, f, W1, b1, W2, b2):
    z = f.mean((1, 2))
    inside = np.maximum(W1 @ z + b1, 0)
    s = 1 / (1 + np.exp(-(W2 @ inside + b2)))
    return x + s[:, None, None] * f


# %% name="se-add-check" tags=["check"] exercise="11.2"
check("11.2", se_add)

# %% [markdown] name="dense"
# ## DenseNet: add nothing up
#
# An add mixes x and F(x): afterwards it cannot be said which part came from where. DenseNet [Huang et al. 2017]
# keeps both, one behind the other:
#
# $$H(x) = [x, F(x)]$$
#
# F makes only k new maps, and k is the *growth rate*. After l layers there are C + l·k channels. Each layer sees
# the maps of all layers before it, unchanged.

# %% name="figure-dense"
diagram("1×1, 4k", "3×3, k", end="[x, F(x)]")

# %% [markdown] name="claim-dense-text"
# A norm and a ReLU stand *before* each convolution, as in the pre-activation blocks of lesson 6. The 1×1 convolution
# makes 4·k channels of many, so that the 3×3 is cheap.
#
# **Before you run:** after how many layers has a block twice as many channels as at its beginning, with C = 64 and
# k = 32?


# %% name="claim-dense" tags=["claim"]
class Dense(Residual):
    """H(x) = [x, F(x)]."""

    def forward(self, x):
        return ops.cat([x, self.F(x)], dim=1)


def dense(C, k):
    narrow = [nn.BatchNorm2d(C), nn.ReLU(), *conv(C, 4 * k, 1)]
    return Dense(*narrow, nn.ReLU(), nn.Conv2d(4 * k, k, 3, padding=1, bias=False))


compare(dense(64, 32), models.DenseLayer(64, 32), (2, 64, 6, 6))

# %% [markdown] name="claim-add-text"
# **The claim:** an add is a dense layer with a fixed 1×1 convolution behind it. Its filter o takes channel o of x
# and channel o of F(x), both times 1. A DenseNet may learn other numbers there.

# %% name="claim-add" tags=["claim"]
for seed in SEEDS:
    x, f = np.random.default_rng(seed).standard_normal((2, 3, 8, 5, 5))
    w = np.hstack([np.eye(8), np.eye(8)])[:, :, None, None]  # (8,16,1,1)
    both = np.concatenate([x, f], axis=1)
    apart = np.max(abs(ops.conv2d(both, w).data - (x + f)))
    print(f"seed {seed}: they differ by {apart:.0e}")
    assert apart < 1e-12, "an add is something else"

# %% [markdown] name="exercise-dense"
# ### Exercise 11.3
#
# Write a dense block for one image x, (C,H,W). Here F(x) = w·relu(x), with the weights w of a 1×1 convolution. W
# is a list of them, one for each layer: layer l, from 0, has w of shape (k,C + l·k). Return all maps, those of x
# first.


# %% name="dense-block" tags=["exercise"] exercise="11.3"
def dense_block(x, W):
    raise NotImplementedError  # your answer


# %% name="dense-block-solution" tags=["solution"] exercise="11.3"
def dense_block(x, W):
    for w in W:
        f = np.einsum("kc,chw->khw", w, np.maximum(x, 0))
        x = np.concatenate([x, f])
    return x


# %% name="dense-block-check" tags=["check"] exercise="11.3"
check("11.3", dense_block)

# %% [markdown] name="equal-cost"
# ## At equal cost
#
# Which one is best? A larger network often errs less, whatever its block is. So compare networks of *equal
# cost*: each family gets the width at which it has as many parameters as the others.
#
# We take a ResNet-20 with 8 channels in its first stage. All networks see the same digits in the same order, for a
# few steps, with Adam and one learning rate. (In a browser there are fewer steps, and fewer networks.)
#
# **Your guess:** how many percent of the test digits does the plain network get wrong? It is a ResNet-20 without
# shortcuts: H = F(x), as in VGG.

# %% name="guess"
guess_of_plain = 50  # percent; change this

# %% name="train"
NETWORKS = {
    "tiny": ["plain", "resnet", "densenet"],
    "small": ["plain", "resnet", "densenet", "resnext", "se"],
}[size()]
STEPS = {"tiny": 18, "small": 80}[size()]
SHAPE = (1, 8, 8)  # of a digit
BUDGET = costs("resnet20", "width=8", SHAPE, 10)["parameters"]


def at_budget(family):
    return at_cost(family, "parameters", BUDGET, SHAPE, 10)


def errors_of(family):
    """The test error in % after STEPS steps, for each seed."""
    options = at_budget(family)
    return [error_after(STEPS, family.model, options, seed=seed) for seed in SEEDS]


errors = {name: errors_of(FAMILIES[name]) for name in NETWORKS}

# %% name="figure-equal"
KINDS = {"plain": "plain", "vit": "other"}


def bars(names, guesses):
    kinds = [KINDS.get(name, "residual") for name in names]
    values = [errors[name] for name in names]
    label = "test error (%)"
    return plot_panels(
        [Bars(label, names, values, kinds, guesses, "your guess", wide=True)]
    )


bars(NETWORKS, [guess_of_plain])

# %% [markdown] name="claim-equal-text"
# **The claim:** for three seeds, at equal parameters, each of the others errs less than the plain network. Equal
# means: within 10 %.
#
# What the claim does *not* say is which of the others is best. Look at the dots, each of which is one seed. And look at
# the multiply-adds.

# %% name="claim-equal" tags=["claim"]
for name in NETWORKS:
    cost = costs(FAMILIES[name].model, at_budget(FAMILIES[name]), SHAPE, 10)
    print(name, cost, [round(error) for error in errors[name]])
    assert abs(cost["parameters"] / BUDGET - 1) < 0.1, "the cost is not equal"
    fewer = np.less(errors[name], errors["plain"])
    assert name == "plain" or all(fewer), f"{name} errs no less than plain"

# %% [markdown] name="mobilenet"
# ## Narrow, wide, narrow
#
# This is the second half, for those who have 40 minutes more.
#
# MobileNetV2 [Sandler et al. 2018] was made for phones. A bottleneck of ResNet is wide, narrow, wide. This block
# is the other way round: narrow, wide, narrow. How can the wide part be cheap? Its 3×3 convolution is *depthwise*:
# it has as many groups as channels. So each channel has one filter of its own, 9 weights.

# %% name="figure-mobilenet"
diagram("1×1, 6C", "depthwise 3×3", "1×1, C", end="add")

# %% [markdown] name="claim-mobilenet-text"
# **Before you run:** with C = 24 the wide part has 144 channels. How many weights have the two 1×1 convolutions, and
# how many the 3×3?


# %% name="claim-mobilenet" tags=["claim"]
def inverted(C, t):
    wide = t * C
    F = *conv(C, wide, 1), nn.ReLU6(), *conv(wide, wide, 3, groups=wide), nn.ReLU6()
    return Residual(*F, *conv(wide, C, 1))


compare(inverted(24, 6), models.InvertedResidual(24, 24), (2, 24, 6, 6))

# %% [markdown] name="linear"
# After the last 1×1 convolution stands no ReLU, and after the add neither: the narrow end is *linear* [§3.2]. A ReLU
# makes about half of the numbers zero, and what they said is lost. In a wide part enough others are left. In a narrow
# one they are not.
#
# Let x have 8 numbers, and W·x have 8·t. How often can x be found again from relu(W·x)? At least 8 numbers must be
# above zero.
#
# **Before you run:** guess it for t = 1, 2 and 6.
#
# **The claim:** for three seeds, with t = 1 fewer than 5 % of random x are found again. With t = 6, as in MobileNetV2,
# more than 99 % are.


# %% name="claim-linear" tags=["claim"]
def found_again(t, seed):
    """For how many % of random x the equation relu(W·x) = y gives x."""
    rng = np.random.default_rng(seed)
    W = rng.standard_normal((8 * t, 8))
    found = []
    for x in rng.standard_normal((200, 8)):
        y = np.maximum(W @ x, 0)
        again = np.linalg.lstsq(W[y > 0], y[y > 0], rcond=None)[0]
        found.append(np.allclose(again, x))
    return 100 * np.mean(found)


for seed in SEEDS:
    narrow, middle, wide = (found_again(t, seed) for t in (1, 2, 6))
    print(
        f"seed {seed}: {narrow:.1f} % for t = 1, {middle:.1f} % for 2, {wide:.1f} % for 6"
    )
    assert narrow < 5, "a narrow ReLU loses little"
    assert wide > 99, "a wide ReLU loses much"

# %% [markdown] name="efficientnet"
# ## EfficientNet: in three directions at once
#
# EfficientNet [Tan & Le 2019] has this block, with SE in its middle.

# %% name="figure-efficientnet"
diagram("1×1, 6C", "depthwise", "SE", "1×1, C", end="add")

# %% [markdown] name="compound"
# Its idea is another one. How should a network grow, if there is more to spend? It can have d times as many blocks, w
# times as many channels, or r times as many pixels in each direction. Grow all three (eq. 3):
#
# $$d = \alpha^\varphi \quad w = \beta^\varphi \quad r = \gamma^\varphi \qquad \alpha\cdot\beta^2\cdot\gamma^2 \approx 2$$
#
# With α = 1.2, β = 1.1 and γ = 1.15 this product is 1.92. So φ says how often the cost doubles.
#
# **Before you run:** double one of d, w and r, and leave the others. How many times as many multiply-adds are
# that? (Lesson 8 has counted them for one layer.)
#
# **The claim:** within 10 % it is 2, 4 and 4 times as many, and 8 times for φ = 3. (It cannot be exact, because blocks
# and channels are whole numbers, and rounded up. For φ = 1 this makes much more than the rule says.)


# %% name="claim-efficientnet" tags=["claim"]
def counted(network, pixels):
    return summary(network, (1, 3, pixels, pixels), depth=1)


def multiply_adds(d, w, pixels):
    with kernels.shapes_only():
        return counted(models.EfficientNet(d, w, pixels), pixels).multiply_adds


rules = {(2, 1, 224): 2, (1, 2, 224): 4, (1, 1, 448): 4, models.compound_scaling(3): 8}
for sizes, rule in rules.items():
    times = multiply_adds(*sizes) / multiply_adds(1, 1, 224)
    print(
        "d = {:.2f}, w = {:.2f}, {} pixels:".format(*sizes),
        f"{times:.2f} times, by the rule {rule}",
    )
    assert abs(times / rule - 1) < 0.1, "the cost does not follow the rule"

# %% [markdown] name="vit"
# ## ViT: no convolution
#
# The vision transformer [Dosovitskiy et al. 2021] cuts an image into *patches*. Each patch becomes one vector of D
# numbers, a *token*. Then come blocks, as in a pre-activation ResNet. Two branches follow each other, each with a
# shortcut: *attention* and an MLP, two linear layers.

# %% name="figure-vit"
diagram("norm", "attention", end="add")

# %% [markdown] name="attention"
# In attention tokens look at each other [Vaswani et al. 2017, eq. 1]. Each one makes a *query*, a *key* and a *value*.
# It takes a mean of all values. A value counts more, the better its key fits the query. With all tokens as rows of x,
# (T,D):
#
# $$H = x + P\,V \qquad P = \mathrm{softmax}\Big(\frac{Q\,K^T}{\sqrt{E}}\Big) \qquad Q = x\,W_q \quad K = x\,W_k \quad V = x\,W_v$$
#
# E is how many numbers a query has. The softmax makes each row of P positive, with the sum 1.
#
# ### Exercise 11.4
#
# Write this block. Wq and Wk are (D,E), and Wv is (D,D). Return H, (T,D).


# %% name="attention-add" tags=["exercise"] exercise="11.4"
def attention_add(x, Wq, Wk, Wv):
    raise NotImplementedError  # your answer


# %% name="attention-add-solution" tags=["solution"] exercise="11.4"
def attention_add(x, Wq, Wk, Wv):
    scores = x @ Wq @ (x @ Wk).T / np.sqrt(Wq.shape[1])
    P = np.exp(scores - scores.max(axis=1, keepdims=True))
    P = P / P.sum(axis=1, keepdims=True)
    return x + P @ (x @ Wv)


# %% name="attention-add-check" tags=["check"] exercise="11.4"
check("11.4", attention_add)

# %% [markdown] name="claim-vit-text"
# ViT has several attentions in parallel, *heads*, and one more linear layer behind them.
#
# **Before you run:** its weights are 4·D² in attention and 8·D² in the MLP. Which share of the block is attention?


# %% name="claim-vit" tags=["claim"]
class Attention(nn.Module):
    def __init__(self, D, heads):  # so many attentions in parallel, each for D/heads
        self.norm = nn.LayerNorm(D, eps=1e-6)
        self.attention = nn.MultiheadAttention(D, heads, batch_first=True)

    def forward(self, x):
        x = self.norm(x)
        return self.attention(x, x, x, need_weights=False)[0]


def encoder(D, heads):
    mlp = nn.Linear(D, 4 * D), nn.GELU(), nn.Linear(4 * D, D)
    branch = Residual(nn.LayerNorm(D, eps=1e-6), *mlp)
    return nn.Sequential(Residual(Attention(D, heads)), branch)


compare(encoder(32, 2), models.EncoderBlock(2, 32, 128), (2, 17, 32))

# %% [markdown] name="blind"
# Nothing in this block knows which patches are neighbors. What does it make of a digit whose patches are mixed up?


# %% name="figure-shuffled"
def shuffled(images, seed):
    """The 16 patches of 2×2 pixels of each digit, in another order."""
    patches = images.reshape(-1, 4, 2, 4, 2).swapaxes(2, 3).reshape(-1, 16, 2, 2)
    patches = patches[:, np.random.default_rng(seed).permutation(16)]
    return patches.reshape(-1, 4, 4, 2, 2).swapaxes(2, 3).reshape(-1, 1, 8, 8)


test_set = data.load("digits")[1]
some = np.stack([test_set[k][0] for k in range(4)]).astype(float)
plot_images(np.concatenate([some, shuffled(some, 0)]), columns=4)

# %% [markdown] name="claim-blind-text"
# So ViT adds to each token a vector that is learned, its *position*.
#
# **Before you run:** take a ViT with random weights. How far do its outputs move when the patches are mixed up? And
# how far without positions?
#
# **The claim:** for three seeds, without positions the outputs stay the same, up to rounding. With them they
# move.


# %% name="claim-blind" tags=["claim"]
def moves(model, seed):
    """How far the outputs move when the patches are mixed up."""
    with no_grad():
        before, after = (model(Tensor(x)).data for x in (some, shuffled(some, seed)))
    return np.max(abs(after - before))


for seed in SEEDS:
    model = models.create("vit_tiny_digits", in_channels=1, rng=seed)
    model.to(np.float64).eval()
    head = model.heads[0].weight.data  # begins with zeros, which would hide all
    head[...] = np.random.default_rng(seed).standard_normal(head.shape)
    seeing = moves(model, seed)
    model.encoder.pos_embedding.data[...] = 0
    blind = moves(model, seed)
    print(
        f"seed {seed}: outputs move by {seeing:.2g}, without positions by {blind:.0e}"
    )
    assert seeing > 1e-3, "the positions do nothing"
    assert blind < 1e-9, "it sees the order of the patches without positions"

# %% [markdown] name="vit-cost"
# A convolution knows from the beginning that neighbors belong together. ViT must learn it from images, and our
# budget has 1200 of them.
#
# **Your guess:** at equal parameters, and after as many steps, how many percent does ViT get wrong?

# %% name="guess-vit"
guess_of_vit = 20  # percent; change this

# %% name="vit-train"
vit = Family("vit_tiny_digits", "hidden_dim", 4, "num_heads=4")
errors["vit"] = errors_of(vit)
bars(["plain", "resnet", "vit"], [None, None, guess_of_vit])

# %% [markdown] name="claim-cost-text"
# **The claim:** for three seeds ViT errs more than ResNet here, at equal parameters.

# %% name="claim-cost" tags=["claim"]
cost = costs(vit.model, at_budget(vit), SHAPE, 10)
print(
    cost,
    *(
        f"ResNet {a:.0f} %, ViT {b:.0f} %;"
        for a, b in zip(errors["resnet"], errors["vit"])
    ),
)
assert abs(cost["parameters"] / BUDGET - 1) < 0.1, "the cost is not equal"
assert all(np.greater(errors["vit"], errors["resnet"])), "ViT errs no more"

# %% [markdown] name="limits"
# ## What small digits cannot show
#
# - *Which successor is best.* Three seeds and 300 test digits do not separate ResNet, ResNeXt and SE-ResNet. On
#   ImageNet they differ: SE makes the error of a ResNet-50 smaller, from 24.80 % to 23.29 % [Hu et al. 2018,
#   Table 2].
# - *What a network becomes.* A few steps show who learns soon. On CIFAR-10 a DenseNet-BC with 0.8 million
#   parameters reaches 4.51 %, and a ResNet with 10.2 million 4.62 % [Huang et al. 2017, Table 2].
# - *What much data does.* ViT-B/16 is right for 77.91 % of ImageNet's validation images if it has seen ImageNet
#   alone. If it saw ImageNet-21k before, with ten times as many images, it is 83.97 % [Dosovitskiy et al. 2021,
#   Table 5].
# - *What cost is.* Equal parameters are not equal multiply-adds, and these are not equal time or memory. Here DenseNet
#   took three times as many multiply-adds as ResNet.
#
# Here are the whole networks. **Before you run:** which has the most parameters, and which the most multiply-adds?

# %% name="claim-whole" tags=["claim"]
TORCHVISION = {
    "vgg16": 138_357_544,
    "resnet50": 25_557_032,
    "densenet121": 7_978_856,
    "resnext50_32x4d": 25_028_904,
    "mobilenet_v2": 3_504_872,
    "efficientnet_b0": 5_288_548,
    "vit_b_16": 86_567_656,
}
for name, parameters in TORCHVISION.items():
    with kernels.shapes_only():
        table = counted(models.create(name), 224)
    print(f"{name}: {parameters:,} parameters, {table.multiply_adds:,} multiply-adds")
    assert table.parameters == parameters, "torchvision has another number"

# %% [markdown] name="summary"
# ## What to remember
#
# - VGG stacks 3×3 convolutions: two of them see what a 5×5 sees, with 18·C² weights in place of 25·C².
# - ResNeXt: F is a sum of many narrow paths, computed by one grouped convolution. At the same cost it is wider.
# - SE: H = x + s·F(x). With s = 1 it is the residual block, with s = 0 the identity.
# - DenseNet: H = [x, F(x)]. An add is the same with a fixed 1×1 convolution behind it.
# - MobileNetV2: F is narrow, wide, narrow, and what is wide is depthwise. The narrow end has no ReLU.
# - EfficientNet grows depth, width and image together: α·β²·γ² ≈ 2.
# - ViT: H = x + attention(x), which without positions does not see where a patch is.
# - Compare at equal cost, say which cost, and over several seeds.
#
# **Read next:** each paper's figure of its block. Xie et al. 2017, *Aggregated residual transformations for deep neural
# networks*, Fig. 3; Huang et al. 2017, *Densely connected convolutional networks*, §3; Dosovitskiy et al. 2021, *An
# image is worth 16x16 words*, §3 and §4.3. In minires: the files of [`models`](../minires/models), each of which begins
# with its block. `python -m minires.lab successors` compares eight networks at equal parameters and at equal
# multiply-adds.
