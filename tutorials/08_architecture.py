# %% [markdown] name="title"
# # 8. The architecture
#
# *45 minutes up to exercise 8.2, and 30 for the second half, if you have them. Before it: lesson 2 (a
# convolution and its multiply-adds) and lesson 6 (the residual block).*
#
# Afterwards you can
#
# - count the parameters and the multiply-adds of a layer and of a block by hand;
# - say which rules made Table 1 of the paper;
# - say why a bottleneck of three layers costs no more than a block of two;
# - (second half) count a whole ResNet by hand, and rebuild Table 1;
# - (second half) say what v1 and v1.5 are, and what the shortcuts A, B and C cost.

# %% name="setup" tags=["setup"]
import sys

if "google.colab" in sys.modules or sys.platform == "emscripten":  # not at home
    # %pip install -q minires[data,plots]
    pass

import numpy as np

from minires import Tensor, kernels, models, ops
from minires.lessons import check
from minires.plots import Bars, Line, Panel, Table, plot_graph, plot_panels, plot_tables
from minires.summary import summary, table1

SEEDS = range(3)

# %% [markdown] name="question"
# ## The question
#
# Table 1 of the paper [He et al. 2015] has five networks for images of 224×224 pixels. The last row
# says what each one costs:
#
# | layers | 18 | 34 | 50 | 101 | 152 |
# |---|---|---|---|---|---|
# | 10⁹ FLOPs | 1.8 | 3.6 | 3.8 | 7.6 | 11.3 |
#
# From 18 to 34 layers the cost doubles. From 34 to 50 layers it hardly grows. And even 152 layers
# cost less than the 19 layers of VGG-19, the great network of the year before, with 19.6.
#
# Why are these 16 more layers almost free?
#
# No network has to run for this. It is enough to count.

# %% [markdown] name="one-layer"
# ## One layer
#
# A convolution takes C channels to O channels, with a kernel of K×K. So it has O·C·K² weights. It
# uses all of them at each of the OH·OW places of its output:
#
# $$\text{weights} = O\,C\,K^2 \qquad\qquad \text{multiply-adds} = O\,C\,K^2 \cdot OH\cdot OW$$
#
# A *multiply-add* is one multiplication with its addition. The paper calls it a FLOP. Others count
# two FLOPs for it, so ask which one is meant when you read a number.
#
# The width of the output follows from kernel size K, stride s and padding p, and // rounds down:
#
# $$OW = (W + 2p - K)\;//\;s + 1$$
#
# **Before you run:** 3 channels of 5×5 pixels become 4 channels. K is 3, the stride is 2, the
# padding 1. How many multiply-adds are that?


# %% name="loops"
def convolution(x, w, stride, padding):
    """x (C,H,W), w (O,C,K,K) -> y (O,OH,OW), and how many multiply-adds there were."""
    O, C, K, _ = w.shape
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    OH = (x.shape[1] - K) // stride + 1
    OW = (x.shape[2] - K) // stride + 1
    y = np.zeros((O, OH, OW))
    count = 0
    for o, oh, ow, c, kh, kw in np.ndindex(O, OH, OW, C, K, K):
        y[o, oh, ow] += w[o, c, kh, kw] * x[c, oh * stride + kh, ow * stride + kw]
        count += 1
    return y, count


_, count = convolution(np.zeros((3, 5, 5)), np.zeros((4, 3, 3, 3)), 2, 1)
print(f"{count} multiply-adds")

# %% [markdown] name="claim-layer-text"
# **The claim:** for three random layers, each with a stride, the loops give the same y as minires. They
# make as many multiply-adds as the formula says. (Products with the zeros of the padding count, too.)
# At least one of the divisions by the stride leaves a remainder.

# %% name="claim-layer" tags=["claim"]
remainders = []
for seed in SEEDS:
    rng = np.random.default_rng(seed)
    C, O, W = (int(n) for n in rng.integers(2, 8, 3) + (0, 0, 5))
    K, stride = (int(n) for n in rng.integers(2, 4, 2))
    padding = K // 2
    x = rng.standard_normal((C, W, W))
    w = rng.standard_normal((O, C, K, K))
    y, count = convolution(x, w, stride, padding)
    remainders.append((W + 2 * padding - K) % stride)
    OW = (W + 2 * padding - K) // stride + 1
    print(
        f"seed {seed}: {C} -> {O} channels, width {W} -> {OW}, {K}×{K}, stride {stride}: "
        f"{count:,} multiply-adds"
    )
    same = ops.conv2d(x[None], w, stride=stride, padding=padding).data[0]
    assert np.allclose(y, same), "this is not the convolution of minires"
    assert count == O * C * K**2 * OW**2, "the formula is wrong"
assert any(remainders), "no division leaves a remainder"

# %% [markdown] name="exercise-sizes"
# ### Exercise 8.1
#
# Follow the width of an image through a network. `layers` is a list of (kernel size, stride,
# padding), one for each convolution or pool. Return a list: the width of the output of each layer.
# For the first two layers of a ResNet, `output_sizes(224, [(7, 2, 3), (3, 2, 1)])` is [112, 56].


# %% name="sizes" tags=["exercise"] exercise="8.1"
def output_sizes(size, layers):
    raise NotImplementedError  # your answer


# %% name="sizes-solution" tags=["solution"] exercise="8.1"
def output_sizes(size, layers):
    sizes = []
    for kernel_size, stride, padding in layers:
        size = (size + 2 * padding - kernel_size) // stride + 1
        sizes.append(size)
    return sizes


# %% name="sizes-check" tags=["check"] exercise="8.1"
check("8.1", output_sizes)

# %% [markdown] name="two-rules"
# ## Two rules
#
# All of Table 1 is built like this. First come a 7×7 convolution and a *max pool*, which keeps the
# largest number of each window. They make *maps* of 56×56. (A map is one channel of what a layer gives.)
# Then come four *stages* of blocks, which the paper calls conv2_x to conv5_x. At the end an *average
# pool* takes the mean of each map, and a *fully connected* layer, fc, turns these numbers into a score
# for each of 1000 classes. Two rules say how wide a stage is [§3.3]:
#
# 1. Layers with maps of one size have the same number of filters.
# 2. If the maps become half as wide, there are twice as many filters.
#
# Here is a 3×3 convolution of each stage.
#
# **Before you run:** from one stage to the next, by which factor do the weights grow? And the
# multiply-adds?

# %% name="rules"
for stage in range(4):
    channels = 64 * 2**stage
    size = 56 // 2**stage
    weights = channels**2 * 9
    print(
        f"{channels:3} channels, maps {size}×{size}: {weights:9,} weights, {weights * size**2:11,} multiply-adds"
    )

# %% [markdown] name="rules-why"
# Twice the channels on both sides make 4 times the weights. Half the width makes a quarter of the
# places. So each layer costs the same. This is what rule 2 is for.
#
# **Your guess:** ResNet-18 has four stages of two blocks. How many percent of its parameters are in
# the last stage? And how many percent of its multiply-adds?

# %% name="guess-stage"
guess_of_stage = {"parameters": 25, "multiply-adds": 25}  # change these

# %% name="measure-stages"
PARTS = {
    "conv1": "conv1",
    "layer1": "conv2_x",
    "layer2": "conv3_x",
    "layer3": "conv4_x",
    "layer4": "conv5_x",
    "fc": "fc",
}


def network(name, **options):
    """A network whose weights have shapes and no values: drawing millions of numbers takes time."""
    with kernels.shapes_only():
        return models.create(name, **options)


def shares(name):
    """{"parameters", "multiply-adds": percent of the whole network in each of PARTS}."""
    table = summary(network(name), (1, 3, 224, 224), depth=1)
    rows = {row.name: row for row in table.rows}
    return {
        "parameters": [
            100 * rows[part].parameters / table.parameters for part in PARTS
        ],
        "multiply-adds": [
            100 * rows[part].multiply_adds / table.multiply_adds for part in PARTS
        ],
    }


summary(network("resnet18"), (1, 3, 224, 224), depth=1)

# %% name="figure-stages"
plot_panels(
    [
        Bars(
            f"{what} (%)",
            list(PARTS.values()),
            [[share] for share in values],
            ["residual"] * len(PARTS),
            [guess_of_stage[what] if part == "layer4" else None for part in PARTS],
            "your guess",
        )
        for what, values in shares("resnet18").items()
    ]
)

# %% [markdown] name="claim-stages-text"
# The weights are at the end, and the work is everywhere. If you want a smaller file, change
# conv5_x. If you want a cheaper network, change all stages.
#
# **The claim:** in three networks the last stage has more than half of the parameters, and less
# than a third of the multiply-adds.

# %% name="claim-stages" tags=["claim"]
for name in ("resnet18", "resnet34", "resnet50"):
    share = {
        what: dict(zip(PARTS, values))["layer4"]
        for what, values in shares(name).items()
    }
    print(
        f"{name}: conv5_x has {share['parameters']:.0f} % of the parameters, "
        f"{share['multiply-adds']:.0f} % of the multiply-adds"
    )
    assert share["parameters"] > 50, "the parameters are not in the last stage"
    assert share["multiply-adds"] < 33, "the last stage does most of the work"

# %% [markdown] name="two-blocks"
# ## Two kinds of blocks
#
# ResNet-18 and ResNet-34 are made of *basic* blocks: two 3×3 convolutions. The deeper ones are made
# of *bottlenecks*: a 1×1 convolution makes x narrow, a 3×3 convolution works there, and a 1×1
# convolution makes it wide again. The two blocks of Figure 5 in the paper:

# %% name="figure-basic"
NAMES = {"x": "x", "conv1": "3×3, 64", "conv2": "3×3, 64", "add": "add"}
plot_graph(
    {"x": [], "conv1": ["x"], "conv2": ["conv1"], "add": ["x", "conv2"]},
    NAMES,
    {"x": "64 channels", "add": "64 channels"},
)

# %% name="figure-bottleneck"
NAMES = {"x": "x", "conv1": "1×1, 64", "conv2": "3×3, 64", "conv3": "1×1, 256"}
plot_graph(
    {
        "x": [],
        "conv1": ["x"],
        "conv2": ["conv1"],
        "conv3": ["conv2"],
        "add": ["x", "conv3"],
    },
    NAMES,
    {"x": "256 channels", "add": "256 channels"},
)

# %% [markdown] name="count-blocks"
# Count the multiply-adds for one place of the map. The basic block has c channels everywhere. The
# bottleneck has 4c channels outside, and c inside:
#
# $$\text{basic: } 9c^2 + 9c^2 = 18\,c^2 \qquad\qquad \text{bottleneck: } 4c\cdot c + 9c^2 + c\cdot 4c = 17\,c^2$$
#
# So the bottleneck is a little cheaper. It has one more layer, and its shortcut carries four times
# as many channels. This answers our question: ResNet-50 is ResNet-34, and each block has three
# layers in place of two. (Still ResNet-50 costs a little more as a whole. You will find out why.)
#
# Where does the saving come from? A 3×3 convolution is expensive: 9 weights for each pair of
# channels. The bottleneck has only one, in the narrow part.
#
# **Your guess:** let both blocks get the *same* x, with 256 channels. How many times as much does
# the basic block cost?

# %% name="guess-block"
guess_of_block = 2  # change this

# %% name="figure-blocks"
WIDTHS = (64, 128, 256, 512, 1024, 2048)
basic = [18 * width**2 for width in WIDTHS]
bottleneck = [17 * (width // 4) ** 2 for width in WIDTHS]
plot_panels(
    [
        Panel(
            "channels of x",
            "multiply-adds for one place",
            [
                Line("basic block", WIDTHS, basic, "plain"),
                Line("bottleneck", WIDTHS, bottleneck, "residual"),
                Line("your guess", (256,), (bottleneck[2] * guess_of_block,), "paper"),
            ],
            xscale="log",
            yscale="log",
        )
    ]
)

# %% [markdown] name="claim-blocks-text"
# Read the figure in two ways. Straight up: with the same x the basic block costs 16·18/17 ≈ 17
# times as much. To the right: at the same cost the bottleneck's x is four times as wide.
#
# **The claim:** in real networks, too, a bottleneck has 17/18 of the multiply-adds of the basic
# block. We take the last block of each stage, from ResNet-34 and ResNet-50.


# %% name="claim-blocks" tags=["claim"]
def last_blocks(name):
    """The multiply-adds of the last block of each stage."""
    rows = summary(network(name), (1, 3, 224, 224)).rows
    return {
        row.name[: len("layer1")]: row.multiply_adds for row in rows if row.depth == 2
    }


basic = last_blocks("resnet34")
bottleneck = last_blocks("resnet50")
for stage, count in basic.items():
    ratio = bottleneck[stage] / count
    print(f"{PARTS[stage]}: {count:,} and {bottleneck[stage]:,}, ratio {ratio:.4f}")
    assert np.isclose(ratio, 17 / 18, rtol=1e-9), "the bottleneck costs something else"

# %% [markdown] name="parameters"
# ## The parameters of a block
#
# Behind each convolution stands a batch norm. It has two parameters for each channel, γ and β. The
# convolution has no bias, because β does its work. Mean and variance are collected, not trained. So
# they are *buffers* and no parameters.
#
# The shortcut has no parameters where x and F(x) have the same shape. At the beginning of a stage
# they have not: there are other channels, or a stride. There the shortcut is a *projection*: a 1×1
# convolution with this stride, and a batch norm. (The first stage of ResNet-50 has no stride, but
# 64 channels become 256.)

# %% [markdown] name="exercise-bottleneck"
# ### Exercise 8.2
#
# Count the parameters of a bottleneck, with all its norms. It gets in_channels. Inside it has
# `channels`, and at its end 4·channels. If its shape changes, it has a projection. For the second
# block of ResNet-50, `bottleneck_parameters(256, 64, 1)` is 70400. For the first one,
# `bottleneck_parameters(64, 64, 1)` is 75008.


# %% name="bottleneck" tags=["exercise"] exercise="8.2"
def bottleneck_parameters(in_channels, channels, stride):
    raise NotImplementedError  # your answer


# %% name="bottleneck-solution" tags=["solution"] exercise="8.2"
def bottleneck_parameters(in_channels, channels, stride):
    def layer(C, O, K):  # a convolution and its norm
        return O * C * K**2 + 2 * O

    out = 4 * channels
    count = layer(in_channels, channels, 1) + layer(channels, channels, 3)
    count += layer(channels, out, 1)
    if in_channels != out or stride != 1:
        count += layer(in_channels, out, 1)
    return count


# %% name="bottleneck-check" tags=["check"] exercise="8.2"
check("8.2", bottleneck_parameters)

# %% [markdown] name="by-hand"
# ## Second half, for those who have 30 minutes more: a whole network by hand
#
# Now write down all convolutions of a network, one a row: channels in, channels out, kernel size,
# and width of the output. A network is then a small table of numbers, and both counts are sums over
# its rows.
#
# **Before you run:** how many rows does ResNet-50 have? It has 3, 4, 6 and 3 blocks, and a projection in
# the first block of each stage.

# %% name="by-hand-code"
BLOCKS = {  # of the four stages
    "resnet18": ("basic", (2, 2, 2, 2)),
    "resnet34": ("basic", (3, 4, 6, 3)),
    "resnet50": ("bottleneck", (3, 4, 6, 3)),
    "resnet101": ("bottleneck", (3, 4, 23, 3)),
    "resnet152": ("bottleneck", (3, 8, 36, 3)),
}


def convolutions(name, shortcut="B", variant="v1.5"):
    """All convolutions of a network: rows (channels in, channels out, kernel size, width)."""
    kind, blocks = BLOCKS[name]
    rows = [(3, 64, 7, 112)]
    C = 64
    for stage, number in enumerate(blocks):
        c, size = 64 * 2**stage, 56 // 2**stage
        for block in range(number):
            stride = 2 if stage > 0 and block == 0 else 1
            if kind == "basic":
                O = c
                rows += [(C, c, 3, size), (c, c, 3, size)]
            else:
                O = 4 * c
                first = size if variant == "v1" else size * stride
                rows += [(C, c, 1, first), (c, c, 3, size), (c, O, 1, size)]
            if shortcut == "C" or (shortcut == "B" and (C != O or stride == 2)):
                rows.append((C, O, 1, size))
            C = O
    return rows


def counts(rows, classes=1000):
    """(parameters, multiply-adds) of these convolutions, their norms, and the fc behind them."""
    C, O, K, size = np.array(rows, dtype=np.int64).T
    weights = O * C * K**2
    last = O[-1]
    parameters = np.sum(weights + 2 * O) + (last + 1) * classes
    return int(parameters), int(np.sum(weights * size**2) + last * classes)


rows = convolutions("resnet50")
print("{} rows: {:,} parameters, {:,} multiply-adds".format(len(rows), *counts(rows)))

# %% [markdown] name="claim-table-text"
# **The claim:** minires counts the same, to the last digit. It builds each network, and sends one
# image through it. The arithmetic is left out, because only shapes are needed. In a terminal
# `python -m minires.summary resnet50` prints the table of a network, block by block.

# %% name="claim-table" tags=["claim"]
for name in ("resnet18", "resnet34", "resnet50"):
    table = summary(network(name), (1, 3, 224, 224))
    by_hand = counts(convolutions(name))
    print("{}: {:,} parameters, {:,} multiply-adds".format(name, *by_hand))
    assert by_hand == (table.parameters, table.multiply_adds), "the two counts differ"
assert by_hand == (25_557_032, 4_089_184_256), "this is not ResNet-50"

# %% [markdown] name="table-1-text"
# ## Table 1
#
# And here is the table of the paper, which `python -m minires.summary --table1` computes from our
# networks. Each line in brackets is a convolution, and ×3 says how many blocks there are.
#
# **Before you run:** count the layers of ResNet-50. A block has 3, and the stages have 3, 4, 6 and
# 3 blocks. Which two layers are missing?

# %% name="table-1"
imagenet, cifar = table1().split("\n\n\n")
print(imagenet)

# %% name="figure-layers"
PAPER = {18: 1.8, 34: 3.6, 50: 3.8, 101: 7.6, 152: 11.3}  # 10⁹ FLOPs


def billions(variant):
    """10⁹ multiply-adds of the five networks."""
    return [
        counts(convolutions(f"resnet{depth}", variant=variant))[1] / 1e9
        for depth in PAPER
    ]


plot_panels(
    [
        Panel(
            "layers",
            "10⁹ multiply-adds",
            [
                Line("counted", list(PAPER), billions("v1.5"), "residual"),
                Line("the paper's", list(PAPER), list(PAPER.values()), "paper"),
                Line("VGG-16 and 19, the paper's", (16, 19), (15.3, 19.6), "plain"),
            ],
            whole=True,
        ),
        Bars(
            "counted, more than the paper's (%)",
            [f"resnet{depth}" for depth in PAPER],
            [[100 * (a / b - 1)] for a, b in zip(billions("v1.5"), PAPER.values())],
            ["residual"] * len(PAPER),
        ),
    ]
)

# %% [markdown] name="v1"
# ## v1 and v1.5
#
# Look at the right figure, and at the last rows of the table. For ResNet-50 we count 4.09·10⁹
# multiply-adds, and the paper writes 3.8. Neither is a mistake. There are two kinds of ResNet-50.
#
# At the beginning of a stage the bottleneck halves the map. One of its convolutions must have the
# stride 2. In the paper it is the first one, 1×1: this is *v1*. Later people moved the stride to
# the 3×3 convolution: this is *v1.5*. torchvision and minires have v1.5, and minires has v1, too,
# as `variant="v1"`.
#
# In v1.5 the first 1×1 works on the large map. So it costs more. What is it good for? Here is how
# many windows look at each pixel of a map of 8×8.
#
# **Before you run:** a 1×1 kernel with stride 2 looks at how many of the 64 pixels?


# %% name="figure-strides"
def looked_at(kernel_size):
    """How many windows of a convolution with stride 2 look at each pixel of 8×8."""
    kernel = np.ones((1, 1, kernel_size, kernel_size))
    padding = kernel_size // 2
    y, backward = ops.conv2d.raw(
        np.ones((1, 1, 8, 8)), kernel, stride=2, padding=padding
    )
    dx, _ = backward(np.ones_like(y))  # each window adds 1 to each of its pixels
    return dx[0, 0]


plot_tables(
    [
        Table("1×1, stride 2 (v1)", looked_at(1)),
        Table("3×3, stride 2 (v1.5)", looked_at(3)),
    ]
)

# %% [markdown] name="claim-v1-text"
# Three of four pixels of x are never read! The projection of the shortcut is 1×1 with stride 2,
# too, and it looks at the same quarter. So in v1 three quarters of what the stage before has
# computed are thrown away.
#
# **The claim:** in a real block of v1 a gradient reaches a quarter of the pixels of x. In one of
# v1.5 it reaches all of them.

# %% name="claim-v1" tags=["claim"]
for seed in SEEDS:
    reached = {}
    for variant in ("v1", "v1.5"):
        rng = np.random.default_rng(seed)
        block = models.Bottleneck(16, 8, stride=2, variant=variant, rng=rng)
        x = Tensor(rng.standard_normal((4, 16, 8, 8)), requires_grad=True)
        y = block.to(np.float64)(x)
        y.backward(rng.standard_normal(y.shape))
        reached[variant] = 100 * np.mean(np.any(x.grad != 0, axis=(0, 1)))
    print(
        f"seed {seed}: v1 reads {reached['v1']:.0f} % of the pixels, v1.5 {reached['v1.5']:.0f} %"
    )
    assert reached == {"v1": 25, "v1.5": 100}, (
        "they do not read a quarter, and all of it"
    )

# %% [markdown] name="v1-price"
# NVIDIA, who gave v1.5 its name, says that its error on ImageNet is half a percent lower. It takes
# 5 % fewer images a second [DeepLearningExamples, ResNet-50 v1.5]. Our count says why it is slower:
# 4.09 in place of 3.86.
#
# **Before you read on:** in the next table v1 and v1.5 cost the same for two of the five networks. Which
# two, and why?
#
# **The claim:** the paper's row is v1. Each of its five numbers is within 2 % of our count of v1.
# For ResNet-50 v1.5 is more than 5 % away. (The paper writes 3.6 and 3.8 where we count 3.66 and 3.86.
# There it seems to cut digits off.)

# %% name="claim-paper" tags=["claim"]
for depth, v1, later in zip(PAPER, billions("v1"), billions("v1.5")):
    off = 100 * (v1 / PAPER[depth] - 1)
    off_later = 100 * (later / PAPER[depth] - 1)
    print(
        f"ResNet-{depth:<3} paper {PAPER[depth]:4}: v1 {v1:5.2f} ({off:+.1f} %), "
        f"v1.5 {later:5.2f} ({off_later:+.1f} %)"
    )
    assert abs(off) < 2, "the paper's networks are not v1"
    assert off_later > 5 or depth != 50, "v1.5 costs no more"
table = summary(network("resnet50", variant="v1"), (1, 3, 224, 224))  # minires agrees
by_hand = counts(convolutions("resnet50", variant="v1"))
assert by_hand == (table.parameters, table.multiply_adds), "the two counts differ"

# %% [markdown] name="shortcuts"
# (v1 and v1.5 cost the same for ResNet-18 and 34, which have no bottleneck.)
#
# ## Shortcuts A, B and C
#
# What should a shortcut do where the shape changes? The paper tried three things [§4.1, Table 3]:
#
# - A: take every second pixel, and fill the new channels with zeros. This needs no parameters.
# - B: a projection where the shape changes. Else x itself.
# - C: a projection in each block.
#
# The paper's ResNet-34 had these errors on ImageNet. We count what they cost.

# %% name="figure-shortcuts"
TABLE_3 = {"A": 25.03, "B": 24.52, "C": 24.19}  # top-1 error in %, and 28.54 for plain
millions = {
    kind: round(counts(convolutions("resnet34", kind))[0] / 1e6, 1) for kind in TABLE_3
}
plot_panels(
    [
        Panel(
            "10⁶ parameters of ResNet-34, counted",
            "the paper's error (%)",
            [
                Line(
                    "with shortcuts A, B, C",
                    list(millions.values()),
                    list(TABLE_3.values()),
                    "residual",
                ),
                Line("without", (millions["A"],), (28.54,), "plain"),
            ],
            notes=[
                (millions[kind] + 0.03, TABLE_3[kind] + 0.15, kind) for kind in TABLE_3
            ],
        )
    ]
)

# %% [markdown] name="which-shortcut"
# The step from none to A is 3.5 points, and costs nothing. The steps from A to B and to C are
# small. The authors conclude that the projection is not what helps. (They also give a reason why B
# is a little better than A: where A fills in zeros, nothing is learned as a residual.)
#
# B has 1 % more parameters than A, and C has 5 % more. So why is C not used?
#
# **Your guess:** ResNet-50 is made of bottlenecks. How many times as many multiply-adds as B does C
# take there?

# %% name="guess-shortcut"
guess_of_shortcut = 1.05  # change this

# %% name="figure-projections"
panels = []
for name in ("resnet34", "resnet50"):
    values = [counts(convolutions(name, kind))[1] / 1e9 for kind in TABLE_3]
    guessed = [None, None, guess_of_shortcut * values[1]] if name == "resnet50" else ()
    panels.append(
        Bars(
            f"10⁹ multiply-adds of {name}",
            list(TABLE_3),
            [[value] for value in values],
            ["other", "residual", "other"],
            guessed,
            "your guess",
        )
    )
plot_panels(panels)

# %% [markdown] name="claim-shortcuts-text"
# The shortcut of a bottleneck connects its two wide ends. A projection from 4c to 4c channels takes
# 16·c² multiply-adds for each place. The whole branch takes 17·c². So a projection nearly doubles
# the block. The identity is worth most where x is wide.
#
# (The few projections of B are expensive, too: 4.09 in place of 3.73. This is why ResNet-50 costs a
# little more than ResNet-34, although its blocks cost a little less.)
#
# **The claim:** in networks of basic blocks C costs at most a tenth more than B. In those of
# bottlenecks it costs more than half as much again.

# %% name="claim-shortcuts" tags=["claim"]
for name, (kind, _) in BLOCKS.items():
    B, C = (counts(convolutions(name, shortcut))[1] for shortcut in "BC")
    print(f"{name:<9} {kind:<10} C costs {C / B:.2f} times as much as B")
    if kind == "basic":
        assert C / B < 1.1, "C is expensive with basic blocks, too"
    else:
        assert C / B > 1.5, "C is cheap with bottlenecks, too"
for shortcut in "ABC":  # and minires agrees
    table = summary(network("resnet50", shortcut=shortcut), (1, 3, 224, 224))
    by_hand = counts(convolutions("resnet50", shortcut))
    assert by_hand == (table.parameters, table.multiply_adds), "the two counts differ"

# %% [markdown] name="cifar"
# ## The other half of the paper
#
# The images of CIFAR-10 have 32×32 pixels, and 56×56 maps make no sense for them. The paper has a
# second family for them [§4.2]. The first layer is a 3×3 convolution to 16 channels, without a
# pool. Then come three stages of n basic blocks, with 16, 32 and 64 channels and maps of 32, 16 and
# 8 pixels. At the end stand an average pool and an fc. All shortcuts are of kind A.
#
# **Before you run:** how many layers are that, as a formula in n? Which n has ResNet-110?

# %% name="cifar-table"
print(cifar)

# %% [markdown] name="exercise-cifar"
# ### Exercise 8.3
#
# Count the multiply-adds of such a network, for images of 3 channels and size×size pixels, and 10
# classes. Return a list of five whole numbers: for the first convolution, for each of the three
# stages, and for the fc. In the second and third stage the first convolution has the stride 2, and
# only half of the channels come in. For n = 3 and size = 32 the sum is 40,551,040: the 40.6 of the
# table above.


# %% name="cifar-count" tags=["exercise"] exercise="8.3"
def cifar_multiply_adds(n, size):
    raise NotImplementedError  # your answer


# %% name="cifar-count-solution" tags=["solution"] exercise="8.3"
def cifar_multiply_adds(n, size):
    found = [3 * 16 * 9 * size**2]
    before = 16
    for channels in (16, 32, 64):
        first = before * channels  # pairs of channels in the first convolution
        others = (2 * n - 1) * channels**2
        found.append(9 * (first + others) * size**2)
        before = channels
        size //= 2
    return [*found, 64 * 10]


# %% name="cifar-count-check" tags=["check"] exercise="8.3"
check("8.3", cifar_multiply_adds)

# %% [markdown] name="summary"
# ## What to remember
#
# - A convolution has O·C·K² weights. Its multiply-adds are as many for each place of its output.
# - Half the width, twice the channels: each layer keeps its cost, and gets 4 times the weights. So
#   the parameters are at the end of a network.
# - A bottleneck costs 17·c² where a basic block costs 18·c². It has one more layer, and an x four
#   times as wide. So ResNet-50 costs what ResNet-34 does.
# - ResNet-50 has 25,557,032 parameters. It has 4.09·10⁹ multiply-adds as v1.5, and 3.86·10⁹ as v1,
#   the paper's. v1 reads a quarter of the pixels where the map is halved.
# - Shortcut A is free, B costs little, and C makes a ResNet-50 1.6 times as expensive.
#
# **Read next:** He et al. 2015, *Deep residual learning for image recognition*, §3.3, §4.1 and
# §4.2. In minires: [`blocks.py`](../minires/models/blocks.py) and
# [`resnet.py`](../minires/models/resnet.py), which are shorter than this lesson. Which shortcut
# *learns* best? `python -m minires.lab shortcuts` trains them all. Lesson 9 asks what the many
# blocks are good for.
