# %% [markdown] name="title"
# # 9. An ensemble of paths
#
# *65 minutes. Before it: lesson 5 (deeper is worse) and lesson 6 (one plus ∂F/∂x).*
#
# Afterwards you can
#
# - write a residual network as a sum over paths, and count the paths of each length;
# - take a gradient apart into the parts that came along each path;
# - say what happens if a block is deleted or blocks change places, and why;
# - say how far such a network is an ensemble, and where the picture ends.

# %% name="setup" tags=["setup"]
import sys

if "google.colab" in sys.modules or sys.platform == "emscripten":  # not at home
    # %pip install -q minires[data,plots]
    pass

import itertools

import numpy as np

from minires import Tensor, data, models, no_grad, ops, optim, probes, train
from minires.lessons import check, size
from minires.plots import Line, Panel, plot_graph, plot_panels

SEEDS = range(3)
DEPTH, EPOCHS = {"tiny": (20, 3), "small": (32, 5)}[size()]
TRAIN, TEST = {"tiny": (1000, 180), "small": (1437, 360)}[size()]  # images
SAMPLES = {"tiny": 3, "small": 30}[size()]  # random paths of each length
DRAWS = {"tiny": 3, "small": 5}[size()]  # random choices of blocks
BLOCKS = (DEPTH - 2) // 2

# %% [markdown] name="question"
# ## The question
#
# Take a trained network, and delete one of its layers. Nothing is trained again. In most networks
# this is the end: each layer needs what the layer before has made.
#
# Veit et al. [2016] deleted one block of a trained ResNet-110. Almost nothing happened. Is it one
# deep network at all? Or is it something else?

# %% [markdown] name="unrolled"
# ## A network, unrolled
#
# Two residual blocks compute H₁ = x + F₁(x) and H₂ = H₁ + F₂(H₁). Put the first into the second:
#
# $$H_2 = x + F_1(x) + F_2\bigl(x + F_1(x)\bigr)$$
#
# Here are both forms as a graph. They compute the same.

# %% name="figure-rolled"
plot_graph(
    {"x": [], "F1": ["x"], "H1": ["x", "F1"], "F2": ["H1"], "H2": ["H1", "F2"]},
    {"F1": "F₁", "H1": "add", "F2": "F₂", "H2": "add"},
)

# %% name="figure-unrolled"
plot_graph(
    {
        "x": [],
        "F1": ["x"],
        "F1 again": ["x"],
        "H1": ["x", "F1 again"],
        "F2": ["H1"],
        "H2": ["F1", "x", "F2"],
    },
    {"F1": "F₁", "F1 again": "F₁", "H1": "add", "F2": "F₂", "H2": "add"},
)

# %% [markdown] name="paths"
# Follow the arrows from x to the last add. There are four *paths*: along no branch, along F₁, along
# F₂, and along F₁ and then F₂. At each block a path takes the shortcut or the branch.
#
# So n blocks have 2ⁿ paths. A plain network has one. The *length* of a path is the number of its
# branches.
#
# **Before you run:** three blocks have 8 paths. How many of them have the lengths 0, 1, 2 and 3?

# %% name="eight-paths"
paths_of_three = list(itertools.product((0, 1), repeat=3))  # 1: take the branch
for length in range(4):
    print(length, [path for path in paths_of_three if sum(path) == length])

# %% [markdown] name="exercise-lengths"
# ### Exercise 9.1
#
# How many of the 2ⁿ paths have the length 0, 1, …, n? Return a list of n + 1 whole numbers. For
# three blocks `path_lengths(3)` is [1, 3, 3, 1]. It must also be exact for the 54 blocks of a
# ResNet-110, and for more. `math.comb` is allowed, but you can do without.


# %% name="lengths" tags=["exercise"] exercise="9.1"
def path_lengths(n):
    raise NotImplementedError  # your answer


# %% name="lengths-solution" tags=["solution"] exercise="9.1"
def path_lengths(n):
    counts = [1]  # no block: one path of length 0
    for _ in range(n):  # with one more block, each path goes by it or through it
        by = [*counts, 0]
        through = [0, *counts]
        counts = [a + b for a, b in zip(by, through)]
    return counts


# %% name="lengths-check" tags=["check"] exercise="9.1"
check("9.1", path_lengths)

# %% [markdown] name="binomial"
# ## Most paths are of middle length
#
# The numbers are binomial: C(n, k) paths have the length k. It is as if each path tossed a coin at
# each block. Here are the paths of a ResNet-110, with n = 54 blocks.
#
# **Your guess:** how many percent of all paths go through 5 to 17 blocks?

# %% name="guess-short"
guess_of_share = 20  # change this

# %% name="figure-binomial"
shares = 100 * np.array(probes.shares_of_paths(54))
plot_panels(
    [
        Panel(
            "length of a path, of 54 blocks",
            "share of all paths (%)",
            [
                Line("all lengths", range(55), shares, "other"),
                Line("5 to 17", range(5, 18), shares[5:18], "residual"),
            ],
            whole=True,
            wide=True,
        )
    ]
)

# %% name="short-paths"
print(
    f"5 to 17: {shares[5:18].sum():.2f} % of the paths, your guess {guess_of_share} %"
)
print(f"19 to 35: {shares[19:36].sum():.1f} % of the paths")

# %% [markdown] name="remember-short"
# Remember these 0.45 %. The paper says that nearly all of the gradient comes along them. Let us
# see.

# %% [markdown] name="gradient-paths"
# ## The gradient is a sum over paths
#
# The unrolled forward is a sum, but F₂ gets all that comes before, mixed. With the gradient it is
# simpler. Lesson 6 had, for n blocks with $J_k = ∂F_k/∂H_{k-1}$,
#
# $$\frac{\partial L}{\partial x} = g\,(I + J_n)\cdots(I + J_2)(I + J_1), \qquad g = \frac{\partial L}{\partial H_n}$$
#
# Multiply it out. Each factor gives I or J, so there are 2ⁿ terms, and each is a path. For two
# blocks:
#
# $$g + g\,J_1 + g\,J_2 + g\,J_2\,J_1$$
#
# This is exact. (Where a block ends in a ReLU, or changes the shape, I is the mask of the ReLU, or
# the shortcut of this block.)
#
# **The claim:** in a new network of three blocks, the gradients along its eight paths add up to
# ∂L/∂x, but for rounding. If one path is left out, here the first, they do not.

# %% name="data"
train_set, test_set = data.load("digits")
train_set = train_set.limit(TRAIN)
test_set = test_set.limit(TEST)


def arrays(part):
    """All images (N,1,8,8) and labels (N,) of a part."""
    return next(iter(data.ArrayLoader(part, len(part))))


images, labels = arrays(train_set.limit(16))

# %% name="claim-sum" tags=["claim"]
for seed in SEEDS:
    network = models.resnet8(in_channels=1, rng=seed)
    paths = probes.PathGradients(network, images, labels)
    parts = [paths.along(np.flatnonzero(path)) for path in paths_of_three]
    error = np.linalg.norm(sum(parts) - paths.total) / np.linalg.norm(paths.total)
    norms = " ".join(f"{1000 * np.linalg.norm(part):.2f}" for part in parts)
    print(f"seed {seed}: norms · 1000: {norms}")
    print(f"        their sum differs by {error:.0e}")
    assert error < 1e-12, "the paths do not add up to the gradient"
    without = np.linalg.norm(sum(parts[1:]) - paths.total) / np.linalg.norm(paths.total)
    assert without > 0.001, "the first path makes no difference"

# %% [markdown] name="train-text"
# Look at the norms, too. They stand in the order of the paths, (0,0,0) first and (1,1,1) last. In
# these new networks of three blocks a longer path carries *more*. Is it the same with many blocks?
# And after training?
#
# ## Twins
#
# From here on we need trained networks: a ResNet and its plain twin, for three seeds. The data are
# digits of 8×8 pixels. Lesson 7 explains the loop.


# %% name="train"
def trained(name, seed, epochs=EPOCHS):
    """A network after some epochs on the digits."""
    model = models.create(name, in_channels=1, rng=seed)
    optimizer = optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)
    loader = data.ArrayLoader(train_set, 64, shuffle=True, seed=seed)
    rate = optim.one_cycle(0.1, epochs * len(loader))
    for epoch in range(epochs):
        for step, batch in enumerate(loader.epoch(epoch), epoch * len(loader)):
            optimizer.lr = rate(step)
            train.train_step(model, optimizer, *batch)
    return model


networks = {
    (kind, seed): trained(f"{kind}{DEPTH}", seed)
    for kind in ("resnet", "plain")
    for seed in SEEDS
}

# %% [markdown] name="by-length-text"
# ## Which paths carry the gradient?
#
# Now the figure of the paper [Veit et al. 2016, Fig. 6]. We send the gradient back along random
# paths of each length k, and take the mean of the norms: one path of this length carries so much.
# There are C(n, k) of them. The product of both says how much all paths of this length carry.
#
# We do it twice: with the trained networks, and with new ones.
#
# **Before you run:** does a path with more branches carry more, or less? And at which length is the
# peak of the product: at n/2, left of it, or right of it?


# %% name="measure-lengths"
def path_norms(network, seed, samples=SAMPLES):
    """The mean norm of the gradient of one path, for each length 0 … n; and the exact sums."""
    paths = probes.PathGradients(network.train(), images, labels)
    rng = np.random.default_rng(seed)
    lengths = range(paths.n + 1)
    norms = [paths.sampled_norms(k, samples, rng).mean() for k in lengths]
    return np.array(norms), np.array(paths.norms_by_length())


def percent(weights):
    """Weights as percent of their sum."""
    return 100 * weights / weights.sum()


share = np.array(probes.shares_of_paths(BLOCKS))
beginners = [models.create(f"resnet{DEPTH}", in_channels=1, rng=seed) for seed in SEEDS]
new = [path_norms(beginners[seed], seed, samples=min(SAMPLES, 10))[0] for seed in SEEDS]
of_one, of_sum = zip(*(path_norms(networks["resnet", seed], seed) for seed in SEEDS))
carried = [percent(share * norms) for norms in of_one]
carried_new = [percent(share * norms) for norms in new]

# %% name="figure-lengths"
lengths = range(BLOCKS + 1)
plot_panels(
    [
        Panel(
            "length of a path",
            "share of all (%)",
            [Line("number of paths", lengths, 100 * share, "other")],
            whole=True,
        ),
        Panel(
            "length of a path",
            "‖gradient‖ of one path",
            [
                Line("trained", lengths, of_one, "residual"),
                Line("new", lengths, new, "residual", 2),
            ],
            yscale="log",
            whole=True,
        ),
        Panel(
            "length of a path",
            "share of all (%)",
            [
                Line("trained", lengths, carried, "residual"),
                Line(
                    "trained, exact sums",
                    lengths,
                    [percent(norms) for norms in of_sum],
                    "residual",
                    1,
                ),
                Line("new", lengths, carried_new, "residual", 2),
                Line("number of paths", lengths, 100 * share, "other"),
            ],
            whole=True,
            wide=True,
        ),
    ]
)

# %% [markdown] name="exact-sums"
# In the trained networks each branch makes the gradient shorter. There are few short paths, but
# each carries much. There are many long ones, and they carry nearly nothing. The peak of the
# product is on the left.
#
# In the new networks it is much nearer to n/2: here a branch leaves more than 80 % of the norm. With
# three blocks it even made the gradient longer. So a ResNet does not begin with short paths. They come with the
# training.
#
# The figure has one more line, the exact sums. The gradients of several paths can point in
# different directions, and then their sum is shorter than the sum of their norms. minires can also
# compute the sum over all paths of a length exactly, with [n(n+1)/2 steps
# back](../minires/probes/lengths.py) in place of 2ⁿ. They are on the left, too.

# %% [markdown] name="exercise-effective"
# ### Exercise 9.2
#
# How long is a path, on average, if each counts as much as its gradient? Write this *effective
# length*. `norms` is an array of n + 1 numbers: norms[k] is the mean norm of one path of length k.
# Paths of length k together have the weight C(n, k)·norms[k]. Return the mean of k with these
# weights, one number. If all norms are 1, it is n/2.


# %% name="effective" tags=["exercise"] exercise="9.2"
def effective_length(norms):
    raise NotImplementedError  # your answer


# %% name="effective-solution" tags=["solution"] exercise="9.2"
def effective_length(norms):
    n = len(norms) - 1
    number = 1.0  # of the paths of length k
    total = weighted = 0.0
    for k in range(n + 1):
        weight = number * norms[k]
        total += weight
        weighted += k * weight
        number = number * (n - k) / (k + 1)
    return weighted / total


# %% name="effective-check" tags=["check"] exercise="9.2"
check("9.2", effective_length)

# %% [markdown] name="claim-lengths-text"
# **The claim:** in the trained networks a branch leaves less than 75 % of a path's gradient, as a
# geometric mean. In the new ones it leaves more. So the effective length is less than 0.85·n/2, where n/2
# is the mean length of all paths. And it is less than before the training.

# %% name="claim-lengths" tags=["claim"]
effective = [probes.mean_length(weights) for weights in carried]
before = [probes.mean_length(weights) for weights in carried_new]
for seed in SEEDS:
    factor, factor_new = (
        np.exp(np.polyfit(lengths, np.log(norms[seed]), 1)[0])
        for norms in (of_one, new)
    )
    print(
        f"seed {seed}: a branch leaves {100 * factor:.0f} %, in a new network {100 * factor_new:.0f} %; "
        f"effective length {effective[seed]:.1f}, {before[seed]:.1f}"
    )
    assert factor < 0.75, "long paths carry as much as short ones"
    assert factor_new > factor, "it is so without training"
    assert effective[seed] < 0.85 * BLOCKS / 2, "the effective paths are not short"
    assert effective[seed] < before[seed], "the training has not made them shorter"

# %% [markdown] name="deleted-text"
# ## Delete a block
#
# A network without block i has lost all paths through its branch. With shortcuts these are half of
# all paths: 2ⁿ⁻¹ are left. The plain network had one path, and it is gone.
#
# But not all paths are worth the same. The paths of length k lose the share k/n only: a short path
# seldom meets the deleted block. Count paths by their gradient. Then 1 − (effective length)/n of
# them are left, on average over the blocks.
#
# **Your guess:** a guess at random is wrong in 90 % of the test images. How large is the error
# without one block, in the plain network and in the residual one?

# %% name="guess-error"
guess_of_error = {"plain": 60, "resnet": 20}  # change these

# %% name="measure-deleted"
test_images, test_labels = arrays(test_set)
# a lesion is a damage: a block that is deleted, or two that change places
lesions = {
    key: probes.Lesions(network, test_images, test_labels)
    for key, network in networks.items()
}
intact = {key: lesion.error() for key, lesion in lesions.items()}


def without_each(lesion):
    """The error without each block; NaN where it cannot be deleted, because the shapes would not fit."""
    return [
        lesion.error(deleted=(i,)) if i in lesion.deletable else np.nan
        for i in range(BLOCKS)
    ]


single = {key: without_each(lesion) for key, lesion in lesions.items()}

# %% name="figure-deleted"
numbers = range(1, BLOCKS + 1)
lines = []
for kind, style in (("plain", "plain"), ("resnet", "residual")):
    errors = [single[kind, seed] for seed in SEEDS]
    whole = np.mean([intact[kind, seed] for seed in SEEDS])
    lines.append(Line(f"{kind}{DEPTH}", numbers, errors, style))
    lines.append(Line("", numbers, [whole] * BLOCKS, style, 3, bare=True))
    guess = [guess_of_error[kind]] * 2
    lines.append(
        Line(f"your guess, {kind}", (1, BLOCKS), guess, "paper", kind == "plain")
    )
plot_panels([Panel("deleted block", "test error (%)", lines, whole=True, wide=True)])

# %% [markdown] name="read-deleted"
# The thin lines are the intact networks. Gaps are blocks with a stride, which a plain network
# cannot lose. This is Figure 3 of the paper; its plain network is a VGG of 15 layers.
#
# In a plain network each block is needed. In the residual one most can go. The first blocks are an
# exception: deleting one of them costs more. (The figure of the paper has such peaks, too, at the
# blocks with a stride.)
#
# **The claim:** without one block the plain network errs in more than half of the images. The
# residual one errs less than half as often, averaged over the blocks that both can lose. (The last number
# says how many of its paths are left, counted by gradient.)

# %% name="claim-deleted" tags=["claim"]
for seed in SEEDS:
    both = lesions["plain", seed].deletable  # what a plain network can lose, too
    plain, resnet = (
        np.mean([single[kind, seed][i] for i in both]) for kind in ("plain", "resnet")
    )
    left = 100 * (1 - effective[seed] / BLOCKS)
    print(
        f"seed {seed}: {plain:.0f} % errors in the plain network, {resnet:.1f} % in the ResNet, "
        f"{left:.0f} % of its paths left"
    )
    assert plain > 50, "the plain network works on"
    assert resnet < plain / 2, "the residual network does not work on"

# %% [markdown] name="exercise-surviving"
# ### Exercise 9.3
#
# Now d of n blocks are deleted, at random or not: it makes no difference. Which share of the paths
# of length k survives? A path survives if none of its branches is deleted. Return a list of n + 1
# numbers between 0 and 1, for k = 0, …, n.
#
# For n = 3 and d = 1 it is [1, 2/3, 1/3, 0]. Find out why before you begin: which paths are left?


# %% name="surviving" tags=["exercise"] exercise="9.3"
def surviving(n, d):
    raise NotImplementedError  # your answer


# %% name="surviving-solution" tags=["solution"] exercise="9.3"
def surviving(n, d):
    shares = [1.0]
    for k in range(n):  # the next branch is one of n − k, of which d are deleted
        shares.append(shares[k] * max(n - k - d, 0) / (n - k))
    return shares


# %% name="surviving-check" tags=["check"] exercise="9.3"
check("9.3", surviving)

# %% [markdown] name="several"
# ## Delete several, and shuffle
#
# With each more deleted block the number of paths is halved again. And a swap of two blocks is even
# stranger: each of both gets an input that it was never trained for.
#
# **Before you run:** what will the two curves look like: a step, or a slope?

# %% name="measure-several"
HALF = round(BLOCKS / 2)
SWAPS = 4


def several(lesion, seed):
    """Errors without 0, 1, … HALF blocks, and after 0, 1, … SWAPS swaps. Means over draws."""
    rng = np.random.default_rng(seed)  # both networks lose the same blocks
    # lesion.alike: the blocks that keep the shape, so that they can be deleted and change places
    deleted, swapped = [], []
    for _ in range(DRAWS):
        deleted.append(lesion.errors_without(rng.permutation(lesion.alike)[:HALF]))
        orders = [lesion.shuffled(swaps, rng) for swaps in range(SWAPS + 1)]
        swapped.append([lesion.error(order=order) for order in orders])
    return np.mean(deleted, axis=0), np.mean(swapped, axis=0)


curves = {key: several(lesion, key[1]) for key, lesion in lesions.items()}

# %% name="figure-several"
panels = []
for row, what in enumerate(("deleted blocks", "swapped pairs of blocks")):
    lines = [
        Line(
            f"{kind}{DEPTH}",
            range(len(curves[kind, 0][row])),
            [curves[kind, seed][row] for seed in SEEDS],
            style,
        )
        for kind, style in (("plain", "plain"), ("resnet", "residual"))
    ]
    panels.append(Panel(what, "test error (%)", lines, whole=True))
plot_panels(panels)

# %% [markdown] name="claim-several-text"
# These are the two parts of Figure 5. The plain network breaks at once. The error of the residual
# network grows step by step with each deleted block. After some swaps it is still far from a guess.
# The paper's curves are smoother, with 54 blocks. (Such a damage to a trained network is called
# a *lesion*.)
#
# **The claim:** averaged over 1, 2, … lesions, the residual network has the smaller error, with
# deleted and with swapped blocks. And one more deleted block never raises its error as much as the
# first one raises that of the plain network.

# %% name="claim-several" tags=["claim"]
for seed in SEEDS:
    for row, what in enumerate(("deleted", "swapped")):
        plain, resnet = (curves[kind, seed][row] for kind in ("plain", "resnet"))
        print(
            f"seed {seed}, {what}: plain {plain[1:].mean():.0f} %, ResNet {resnet[1:].mean():.0f} %; "
            f"largest step {np.diff(plain).max():.0f} and {np.diff(resnet).max():.0f} points"
        )
        assert resnet[1:].mean() < plain[1:].mean(), "the residual network suffers more"
        assert np.diff(resnet).max() < plain[1] - plain[0], (
            "it breaks at one block, too"
        )

# %% [markdown] name="ensemble-text"
# ## Is it an ensemble?
#
# An *ensemble* is a group of networks that are trained independently, and vote. If some members
# leave, the others go on, and the error grows little by little. Veit et al. say that a residual network
# *behaves like* an ensemble of its paths.
#
# How far is it one? The paper does not put an ensemble beside its networks. We do: four ResNet-8,
# whose probabilities are averaged.
#
# **Before you run:** a quarter of the members, or of the blocks, is removed. Which error do you
# expect of the ensemble, and which of the ResNet?

# %% name="measure-ensemble"
MEMBERS = 4
MEMBER_EPOCHS = {"tiny": 2, "small": 3}[size()]


def probabilities(network):
    """Of each class, for all test images: (N,10)."""
    with no_grad():
        return ops.softmax(network.eval()(Tensor(test_images)), dim=1).data


def ensemble_errors(seed):
    """The error with 4, 3, 2 and 1 members: means over all choices of the members."""
    votes = [
        probabilities(trained("resnet8", MEMBERS * seed + k, MEMBER_EPOCHS))
        for k in range(MEMBERS)
    ]
    return [
        np.mean(
            [
                100 * np.mean(np.mean(group, axis=0).argmax(axis=1) != test_labels)
                for group in itertools.combinations(votes, left)
            ]
        )
        for left in range(MEMBERS, 0, -1)
    ]


ensembles = [ensemble_errors(seed) for seed in SEEDS]

# %% name="figure-ensemble"
removed = 100 * np.arange(HALF + 1) / BLOCKS
plot_panels(
    [
        Panel(
            "removed blocks or members (%)",
            "test error (%)",
            [
                Line(
                    f"plain{DEPTH}",
                    removed,
                    [curves["plain", s][0] for s in SEEDS],
                    "plain",
                ),
                Line(
                    f"resnet{DEPTH}", removed, [curves["resnet", s][0] for s in SEEDS]
                ),
                Line("4 × resnet8", (0, 25, 50), [e[:3] for e in ensembles], "other"),
            ],
            whole=True,
            wide=True,
        )
    ]
)

# %% [markdown] name="claim-ensemble-text"
# The real ensemble hardly notices that members leave. The residual network does notice: with each
# block its error grows.
#
# **The claim:** with a quarter of them gone, the residual network's error is between the other two.
# It is more than twice that of the ensemble, and 10 points or more below that of the plain network.

# %% name="claim-ensemble" tags=["claim"]
quarter = round(BLOCKS / 4)
for seed in SEEDS:
    plain, resnet = (curves[kind, seed][0][quarter] for kind in ("plain", "resnet"))
    members = ensembles[seed][1]  # three of four
    print(
        f"seed {seed}: ensemble {members:.1f} %, ResNet {resnet:.1f} %, plain network {plain:.1f} %"
    )
    assert resnet > 2 * members, "the ResNet is as robust as an ensemble"
    assert resnet < plain - 10, "the ResNet is as fragile as the plain network"

# %% [markdown] name="limits"
# ## Where the picture ends
#
# The paths share their blocks. If half of the blocks are deleted, 2^(n/2) of 2ⁿ paths are left, and
# not one half. And no path was trained alone. So the word *ensemble* is a picture. The sum over
# paths is exact for the gradient only.
#
# There is another picture, too. Greff et al. [2017] say that the blocks of a stage *refine* one
# estimate step by step. Then a missing step, or two steps in another order, does little harm as
# well. Both pictures explain the lesions.
#
# What is certain is what you measured. The gradient flows along short paths. A ResNet can be deep
# without carrying its gradient through all of its depth.

# %% [markdown] name="summary"
# ## What to remember
#
# - n residual blocks have 2ⁿ paths, and C(n, k) of them have the length k. A plain network has one.
# - The gradient is the sum over all paths, exactly. After training a path carries less with each
#   branch.
# - So the effective paths are short: in the paper 5 to 17 of 54 blocks, which are 0.45 % of the
#   paths.
# - A deleted block takes half of the paths, but here only 23 % of them (in a browser, with 20 layers,
#   35 %), if they are counted by gradient. A ResNet goes on. Its plain twin breaks.
# - It is more robust than a plain network, and less than a real ensemble.
#
# **Read next:** Veit et al. 2016, *Residual networks behave like ensembles of relatively shallow
# networks*, §3 to §5; Greff et al. 2017, *Highway and residual networks learn unrolled iterative
# estimation*. In minires: [`lengths.py`](../minires/probes/lengths.py) and
# [`lesions.py`](../minires/probes/lesions.py); `python -m minires.lab paths` measures this at a
# larger size, and so do the experiments lesion and ensembles. If blocks can be deleted after
# training, why not *during* it? This is stochastic depth, in lesson 10.
