# %% [markdown] name="title"
# # 6. One plus ∂F/∂x
#
# *40 minutes. Before it: lesson 3 (batch normalization) and lesson 5 (deeper is worse).*
#
# Afterwards you can
#
# - derive the gradient of a residual block, and say what its 1 does;
# - measure how much of a gradient comes through the shortcut, and how much through the branch;
# - say what the block of 2016 changes, and why only there the 1 is a pure 1;
# - show that the gradients of a plain network become noise with depth.

# %% name="setup" tags=["setup"]
import sys

if "google.colab" in sys.modules or sys.platform == "emscripten":  # not at home
    # %pip install -q minires[data,plots]
    pass

import numpy as np

from minires import Tensor, data, lab, models, ops, probes
from minires.lessons import check, size
from minires.plots import Line, Panel, plot_panels

SEEDS = range(3)
DEPTHS = {"tiny": (20, 56), "small": (20, 56, 110)}[size()]
DEEP = DEPTHS[-1]

# %% [markdown] name="question"
# ## The question
#
# A *plain* network is a chain of layers: convolution, batch norm, ReLU, and so on. Two layers make
# a block. Its output is H = F(x), where F is what the two layers compute. Lesson 5 trains such
# networks: the one with more layers learns worse, also on the images that it is trained on. With
# *shortcuts* the same layers learn well. The only difference is one addition in each block:
#
# - plain: H = F(x)
# - residual: H = x + F(x)
#
# x takes two ways through a residual block: the *shortcut*, which changes nothing, and the *branch*
# F. The addition has no parameter. What can an addition change?

# %% [markdown] name="one-block"
# ## One block
#
# A loss L depends on H, and H on x. The chain rule gives, for the residual block,
#
# $$\frac{\partial L}{\partial x} = \frac{\partial L}{\partial H}\cdot\Bigl(1 + \frac{\partial F}{\partial x}\Bigr)
# = \frac{\partial L}{\partial H} + \frac{\partial L}{\partial H}\cdot\frac{\partial F}{\partial x}$$
#
# [He et al. 2016, equation 5]. The first term came through the shortcut. It does not know F. The
# second came through the branch. The [op](../minires/ops/residual.py) is one line: its backward
# hands dy = ∂L/∂H to both.
#
# Take F = tanh, so that ∂F/∂x = 1 − tanh²(x). At x = 3 this is 0.0099: the tanh is flat there.
#
# **Before you run the next cell:** what is the gradient at x = 3, without the shortcut and with it?

# %% name="tanh-block"
x = Tensor([3.0], requires_grad=True)
x.tanh().sum().backward()
plain_gradient = x.grad

x = Tensor([3.0], requires_grad=True)
ops.residual_add(x, x.tanh()).sum().backward()
print(f"without the shortcut {plain_gradient[0]:.4f}, with it {x.grad[0]:.4f}")

# %% [markdown] name="many-blocks"
# ## Many blocks
#
# Networks of 110 layers have 54 blocks. On its way back through n blocks the gradient passes n
# factors. Gradients are rows here, so they are multiplied from the left. In a plain network the
# factors are the matrices $J_k = ∂F_k/∂x$, in a residual one $I + J_k$, where I is the identity
# matrix:
#
# $$\text{plain: } g_0 = g_n J_n \cdots J_2 J_1$$
#
# $$\text{residual: } g_0 = g_n (I + J_n) \cdots (I + J_2)(I + J_1)$$
#
# A product of many factors is rarely near 1. If each $J_k$ makes a gradient 1.3 times as long, 54
# of them make it 1.3⁵⁴ ≈ 1.4 million times as long. If each makes it 0.7 times as long, 4·10⁻⁹ of
# it is left.
#
# And I + J? Suppose J makes the gradient 0.3 times as long, and turns it by a right angle. Then g
# and gJ are the sides of a right triangle, and Pythagoras gives the factor √(1 + 0.3²) ≈ 1.044.
# 1.044⁵⁴ is about 10. In the plain network 0.3⁵⁴ = 6·10⁻²⁹ would be left.

# %% [markdown] name="exercise-norms"
# ### Exercise 6.1
#
# Write a function that follows a gradient backward through n residual blocks. It gets the matrices
# $J_1, …, J_n$ of the branches, as an array (n,d,d), and the gradient $g = ∂L/∂H_n$, an array (d,)
# that is a row. It returns the norms of $∂L/∂H_n, ∂L/∂H_{n-1}, …, ∂L/∂H_0$: n + 1 numbers, in this
# order.


# %% name="norms" tags=["exercise"] exercise="6.1"
def gradient_norms(J, g):
    raise NotImplementedError  # your answer


# %% name="norms-solution" tags=["solution"] exercise="6.1"
def gradient_norms(J, g):
    norms = [np.linalg.norm(g)]
    for J_k in J[::-1]:  # backward: the last block first
        g = g + g @ J_k
        norms.append(np.linalg.norm(g))
    return norms


# %% name="norms-check" tags=["check"] exercise="6.1"
check("6.1", gradient_norms)

# %% [markdown] name="real-networks"
# ## Real networks
#
# Matrices are a model. Let us measure: the norm of ∂L/∂H at the output of each block, in new
# networks with random weights, on 64 digits.
#
# **Your guess:** plain networks have batch norm in each layer. How many times longer is the
# gradient at the first block than at the last, in the deepest plain network, and in the deepest
# residual one? Write it down here; the figure will show it.

# %% name="guess"
my_guess = {"plain": 10, "resnet": 10}  # change these

# %% name="measure-norms"
train_set, _ = data.load("digits")
images, labels = next(iter(data.ArrayLoader(train_set.limit(64), 64)))


def norms_of(name, seed):
    """The norm of ∂L/∂H at each block, first block first, divided by that at the last block."""
    model = models.create(name, in_channels=1, rng=seed)
    norms = np.array(probes.gradient_norms(model, images, labels))
    return norms / norms[-1]


norms = {
    f"{kind}{depth}": [norms_of(f"{kind}{depth}", seed) for seed in SEEDS]
    for kind in ("plain", "resnet")
    for depth in DEPTHS
}

# %% name="figure-norms"
panels = []
for kind, style in (("plain", "plain"), ("resnet", "residual")):
    lines = [
        Line(
            f"{kind}{depth}",
            range(1, len(norms[f"{kind}{depth}"][0]) + 1),
            norms[f"{kind}{depth}"],
            style,
            k,
        )
        for k, depth in enumerate(DEPTHS)
    ]
    lines.append(Line("your guess", (1, DEEP / 2 - 1), (my_guess[kind], 1), "paper"))
    panels.append(
        Panel(
            "block, from the input to the loss",
            "‖∂L/∂H‖, last block = 1",
            lines,
            yscale="log",
            whole=True,
        )
    )
plot_panels(panels, one_scale=True)

# %% [markdown] name="claim-norms-text"
# Both panels have one scale. Without shortcuts the gradient *explodes* on its way back. Batch norm keeps the activations at one size, and pays with a factor above 1 for the
# gradient in each block. With shortcuts the factors are near 1 on average: 1.06⁵³ ≈ 22.
#
# **The claim:** in each seed the gradient of the deepest plain network grows more than 50 times as
# much as that of the residual one, and more than 1000 times. The residual one's factor is below
# 1.15 a block, as a geometric mean.

# %% name="claim-norms" tags=["claim"]
BLOCKS = DEEP // 2 - 1
for seed in SEEDS:
    plain = norms[f"plain{DEEP}"][seed][0]
    residual = norms[f"resnet{DEEP}"][seed][0]
    factor = residual ** (1 / (BLOCKS - 1))
    print(
        f"seed {seed}: the gradient grows {plain:,.0f} times without shortcuts, "
        f"{residual:.0f} times with, {factor:.2f} a block"
    )
    assert plain > 1000, "the plain network's gradient does not explode"
    assert plain > 50 * residual, "the plain network's gradient does not grow more"
    assert factor < 1.15, "the residual network's gradient explodes, too"

# %% [markdown] name="two-parts"
# ## The two parts, block by block
#
# In a real block, too, the gradient is a sum: one part came through the shortcut, one through the
# branch. minires measures both, in a ResNet of 2015 and in one of 2016, which has its ReLU in
# another place. The norms are relative to ‖g‖, that of the gradient that arrives at the block.
#
# **Before you run:** Which part is longer? In the first blocks, and in the last ones?

# %% name="measure-parts"
parts = {
    (kind, seed): probes.residual_paths(
        models.create(f"{kind}{DEPTHS[1]}", in_channels=1, rng=seed),
        images[:32],
        labels[:32],
    )
    for kind in ("resnet", "preact_resnet")
    for seed in SEEDS
}


def relative(kind, part):
    """One of the two parts over ‖g‖, for each seed and block."""
    return [
        [getattr(block, part) / block.upstream for block in parts[kind, seed]]
        for seed in SEEDS
    ]


def panel_of_parts(kind, title):
    blocks = range(1, len(parts[kind, 0]) + 1)
    lines = [
        Line("through the shortcut", blocks, relative(kind, "identity"), "residual"),
        Line("through the branch", blocks, relative(kind, "branch"), "plain"),
    ]
    return Panel(
        "block, from the input to the loss",
        "norm, relative to ‖g‖",
        lines,
        title=title,
        whole=True,
    )


plot_panels(
    [
        panel_of_parts("resnet", "2015: ReLU after the add"),
        panel_of_parts("preact_resnet", "2016: nothing after the add"),
    ],
    one_scale=True,
)

# %% [markdown] name="pythagoras"
# ## Why the gradient grows so little
#
# In the network of 2015 the branch's part is the longer one in the first blocks only. Soon it is
# about half as long as that of the shortcut.
#
# **Before you run:** which angle do you expect between the two parts? It is 0° if they point in one
# direction, 90° if they are perpendicular, 180° if they are opposite.


# %% name="figure-angle"
def angles(kind):
    """The angle between the two parts in degrees, for each seed and block."""
    return [
        [np.degrees(np.arccos(block.cosine)) for block in parts[kind, seed]]
        for seed in SEEDS
    ]


blocks = range(1, len(parts["resnet", 0]) + 1)
plot_panels(
    [
        Panel(
            "block, from the input to the loss",
            "angle between the parts (°)",
            [
                Line("2015", blocks, angles("resnet"), "residual"),
                Line("2016", blocks, angles("preact_resnet"), "other"),
                *[
                    Line("", (1, len(blocks)), (angle, angle), "paper", 3, bare=True)
                    for angle in (0, 90, 180)
                ],
            ],
            notes=[
                (2, 4, "one direction"),
                (2, 100, "perpendicular"),
                (2, 168, "opposite"),
            ],
            whole=True,
            wide=True,
        )
    ]
)

# %% [markdown] name="claim-pythagoras-text"
# The angle between the shortcut's part ∂L/∂H and the branch's part ∂L/∂H·∂F/∂x, at each block. A line
# is the mean over three seeds, and the band around it shows all of them.
#
# It is almost a right angle, at each depth. The branch multiplies the gradient with random weights, and
# what comes out points in some other direction of a space with thousands of directions. For two
# perpendicular parts a and b Pythagoras gives the length √(‖a‖² + ‖b‖²). So a block whose branch is half
# as long as its shortcut makes the gradient √(1 + 0.5²) ≈ 1.12 times as long, not 1.5 times.
#
# **The claim:** in each block the cosine of the angle is between −0.1 and 0.1. (It is 1 at 0°, 0 at 90°,
# and −1 at 180°.) And if you multiply the factors of Pythagoras of all blocks, you get the growth of the
# gradient through the whole network, to within a fifth.

# %% name="claim-pythagoras" tags=["claim"]
for (kind, seed), blocks in parts.items():
    measured = np.prod([block.total / block.upstream for block in blocks])
    expected = np.prod(
        [np.hypot(block.identity, block.branch) / block.upstream for block in blocks]
    )
    cosine = max(abs(block.cosine) for block in blocks)
    print(
        f"{kind:<14} seed {seed}: grows {measured:4.1f} times, by Pythagoras {expected:4.1f}; |cosine| < {cosine:.2f}"
    )
    assert cosine < 0.1, "the parts are not perpendicular"
    assert abs(measured / expected - 1) < 0.2, "Pythagoras does not tell the growth"

# %% [markdown] name="pre-activation"
# ## 2015 against 2016
#
# **Before you read on:** look at the shortcut's part in the figure. What is different in 2016?
#
# In the block of 2015 it is below 1. In that of 2016 it is exactly 1, but for two blocks.
#
# The block of 2015 puts a ReLU behind the add, H = relu(x + F(x)). Its backward sets g to 0 where H
# is 0. We write m = mask ⊙ g for this: mask is 1 where H > 0 and 0 elsewhere, and ⊙ multiplies
# element by element. So the gradient is m·(1 + ∂F/∂x), and the mask of each block on the way takes
# a part of the shortcut's gradient.
#
# He et al. [2016] moved batch norm and ReLU to the *front* of the branch (minires calls such
# networks `preact_resnet`). Nothing is left behind the add, and
#
# $$\frac{\partial L}{\partial H_k} = \frac{\partial L}{\partial H_n}\Bigl(1 + \frac{\partial}{\partial H_k}\sum_{i=k}^{n-1} F_i\Bigr)$$
#
# [equation 5 again, over many blocks]. The two exceptions are the first blocks of the second and
# third stage, in which the image becomes half as wide: their shortcut takes every second pixel,
# which is not the identity.
#
# **The claim:** in 2016 the shortcut hands on all of g in each block but these two. In 2015 it does
# so in none.

# %% name="claim-parts" tags=["claim"]
for seed in SEEDS:
    changing = [
        block.name
        for block in parts["preact_resnet", seed]
        if block.identity != block.upstream
    ]
    masked = sum(block.identity < block.upstream for block in parts["resnet", seed])
    print(
        f"seed {seed}: 2016 all blocks but {', '.join(changing)}; 2015 {masked} masked"
    )
    assert changing == ["layer2.0", "layer3.0"], "another block changes g, too"
    assert masked == len(parts["resnet", seed]), "a block of 2015 hands on all of g"


# %% [markdown] name="exercise-masked"
# ### Exercise 6.2
#
# Write the block of 2015, H = relu(x + f), as a function and its backward. x and f are arrays of
# one shape. Return (H, backward); backward(dy) returns the gradients of x and of f.


# %% name="masked" tags=["exercise"] exercise="6.2"
def add_relu(x, f):
    raise NotImplementedError  # your answer


# %% name="masked-solution" tags=["solution"] exercise="6.2"
def add_relu(x, f):
    H = np.maximum(x + f, 0)

    def backward(dy):
        m = dy * (H > 0)
        return m, m

    return H, backward


# %% name="masked-check" tags=["check"] exercise="6.2"
check("6.2", add_relu)

# %% [markdown] name="shattered"
# ## Gradients that shatter
#
# Size is not all. A gradient is of use only if it still holds a step further on. Balduzzi et al.
# [2017] ask how similar the gradients at two neighboring inputs are. They take networks of one
# number, so that the gradient is a curve over x.
#
# The *autocorrelation* at lag k compares the curve with itself, moved by k steps of the grid: 1
# says that neighbors are the same, 0 that they have nothing to do with each other. It is 0 in
# *white noise*, a new random number at each place. It is near 1 in *brown noise*, which moves in
# small random steps.
#
# Three networks: `plain` has no batch norm, `plain-bn` has, and `residual` has both batch norm and
# shortcuts. (The last panel shows sizes again. It is plain-bn that explodes, as above.)
#
# **Before you run:** one gradient curve will be drawn for a plain network of many layers, one for a
# residual network. What do they look like?
#
# **The claim,** over all seeds: with depth the curve of both plain networks becomes white noise:
# its autocorrelation at lag 1 falls, and ends as near to 0 as that of random numbers, to within
# 0.2. That of the residual network stays higher. (It lies between white and brown noise.)

# %% name="shattered-run"
report = lab.gradients(
    depths={"tiny": (2, 24), "small": (2, 10, 50)}[size()],
    seeds={"tiny": 5, "small": 10}[size()],
)
report.figure()

# %% name="claim-shattered" tags=["claim"]
for comparison in report.comparisons:
    print(comparison)
assert report.verdict == "held", report.sentence

# %% [markdown] name="summary"
# ## What to remember
#
# - The backward of x + F(x) hands ∂L/∂H to x *unchanged*, and the branch adds its own part.
# - In new networks the two parts are almost perpendicular, and the branch's is the shorter one in
#   most blocks. So a block makes the gradient a little longer, and 54 blocks some 20 times: not a
#   million times.
# - A ReLU behind the add masks the gradient of the shortcut. The block of 2016 has none.
# - What counts as "vanishing" or "exploding" is the product of many factors. A shortcut brings each
#   of them near to 1.
#
# **Read next:** He et al. 2016, *Identity mappings in deep residual networks*, §2; Balduzzi et al.
# 2017, *The shattered gradients problem*, §2. In minires: [`graph.py`](../minires/graph.py), where
# both parts are added. Then lesson 7 trains a ResNet, and lesson 9 counts the paths.
