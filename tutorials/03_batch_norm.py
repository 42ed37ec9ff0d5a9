# %% [markdown] name="title"
# # 3. Batch normalization and its backward
#
# *45 minutes up to exercise 3.3, and 35 for the second half, if you have them. Before it: lesson 1 (an
# autograd engine). NumPy's sums over axes.*
#
# Afterwards you can
#
# - write the forward and the backward of batch norm, and derive each term of its gradient;
# - say what goes wrong, and how far, if one term is forgotten;
# - say when mean and variance are constants, and which statistics a network then uses;
# - (second half) show what batch norm does to a training: which learning rates work, and how smooth
#   the loss is.

# %% name="setup" tags=["setup"]
import sys

if "google.colab" in sys.modules or sys.platform == "emscripten":  # not at home
    # %pip install -q minires[data,plots]
    pass

import numpy as np

from minires import Tensor, data, gradcheck, nn, ops, optim, probes
from minires.gradcheck import bugs
from minires.lessons import check, size
from minires.plots import Line, Panel, plot_panels

SEEDS = range(3)
EPS = 1e-5

# %% [markdown] name="question"
# ## The question
#
# In 2015 Ioffe and Szegedy put one small layer behind each convolution of a large network. It then
# reached the same accuracy in 14 times fewer steps, because it could take far higher learning rates.
# Most networks since then have this layer, or a relative of it.
#
# The layer shifts and scales numbers. Its forward is four lines. Yet its backward is the one that
# many students get wrong. Why is it so hard, and what does each of its terms do?

# %% [markdown] name="forward"
# ## The forward
#
# Batch norm works on each channel alone. A channel of a batch x (N,C,H,W) has m = N·H·W values
# $x_1 … x_m$. We write ⟨·⟩ for the *mean* over them. (In lesson 2 it was a sum.) Then [Ioffe & Szegedy 2015, algorithm 1]
#
# $$\mu = \langle x\rangle \qquad \sigma^2 = \langle (x-\mu)^2\rangle \qquad s = \frac{1}{\sqrt{\sigma^2+\varepsilon}}
# $$
#
# $$\hat x_j = (x_j-\mu)\,s \qquad y_j = \gamma\,\hat x_j + \beta$$
#
# ε is a small number that forbids a division by 0. γ and β are learned, one of each for a channel.
# For now we take one channel, as an array (m,).
#
# **Before you run:** x has the mean 5 and the standard deviation 3. What are they for x̂? And how
# does x̂ change if x is replaced by 1000·x + 7?


# %% name="x-hat"
def x_hat(x, mean_of=None, var_of=None):
    """x̂ of one channel. μ and σ² are those of x, or of other arrays."""
    mean = (x if mean_of is None else mean_of).mean()
    var = (x if var_of is None else var_of).var()
    return (x - mean) / np.sqrt(var + EPS)


x = 5 + 3 * np.random.default_rng(0).standard_normal(200)
print(f"x has mean {x.mean():.2f} and standard deviation {x.std():.2f}")
print(
    f"x̂ has mean {abs(x_hat(x).mean()):.2f} and standard deviation {x_hat(x).std():.2f}"
)
print(f"largest change of x̂: {np.abs(x_hat(1000 * x + 7) - x_hat(x)).max():.1e}")

# %% [markdown] name="invariance"
# A shift and a positive factor of x change nothing. (The 10⁻⁶ comes from ε.) Keep this in mind: it
# will explain the whole backward.

# %% [markdown] name="one-moves"
# ## Move one x, and look at all x̂
#
# Now the backward. For a layer like tanh, x_i changes y_i only. Here x_i is also in μ and in σ²,
# and these are in every x̂_j.
#
# Let us move one x_i a little and measure how fast each x̂_j moves: ∂x̂_j/∂x_i.
#
# **Before you run:** there are 40 values. How many x̂_j move? Do they move in the same direction?


# %% name="slopes"
def slopes(f, x, h=1e-5):
    """∂f/∂x_i for each i, from f(x + h) and f(x − h), row by row. Lesson 4 says why h is 1e-5."""
    return np.array([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(len(x))])


x = np.sort(5 + 3 * np.random.default_rng(1).standard_normal(40))
i = 33  # x is sorted, so x_i is a large one
s = 1 / np.sqrt(x.var() + EPS)
moves = slopes(x_hat, x)[i] * len(x) / s  # ∂x̂_j/∂x_i for each j, in units of s/m
print(
    f"x̂_j moves for {np.sum(moves != 0)} of {len(x)} values; x̂_i itself by {moves[i]:.1f}"
)

# %% name="figure-moves"
others = np.arange(len(x)) != i
at = x_hat(x)[others]
plot_panels(
    [
        Panel(
            r"$\hat{x}_j$",
            r"$\partial\hat{x}_j/\partial x_i$ in units of s/m",
            [
                Line("measured, j ≠ i", at, moves[others]),
                Line("if μ alone moved", at, np.full(len(at), -1.0), "plain"),
                Line("if σ² alone moved", at, -x_hat(x)[i] * at, "other"),
            ],
            wide=True,
        )
    ]
)

# %% [markdown] name="read-moves"
# All of them move. The mean grows with x_i, so every other x̂_j sinks by the same amount, −1 in units of
# s/m. The variance grows, too, because x_i is a large one. So every x̂_j moves toward 0: by −x̂_i·x̂_j.
# The measured line is the sum of the two.
#
# They do not all move in the same direction. On the left, where x̂_i·x̂_j is below −1, the sum is
# positive: these x̂_j *rise*.
#
# And x̂_i itself? It moves by almost m = 40 of these units, because it moves *directly*.

# %% [markdown] name="three-paths"
# ## Three paths from x to the loss
#
# So x_i reaches the loss L on three paths: directly, through μ, and through σ². The chain rule adds
# them. Write dy_j for ∂L/∂y_j. Because y_j = γ·x̂_j + β, we have ∂L/∂x̂_j = γ·dy_j.
#
# **Directly.** x̂_j = (x_j − μ)·s, so ∂x̂_i/∂x_i = s if μ and s stand still. This path gives
#
# $$\gamma s\,dy_i$$
#
# **Through μ.** ∂x̂_j/∂μ = −s for every j, and ∂μ/∂x_i = 1/m. The sum over j makes a mean:
#
# $$\sum_j \gamma\,dy_j\cdot(-s)\cdot\frac1m = -\gamma s\,\langle dy\rangle$$
#
# **Through σ².** Three small steps: ∂σ²/∂x_i = 2(x_i − μ)/m, then ∂s/∂σ² = −s³/2, and
# ∂x̂_j/∂s = x_j − μ. The 2 and the ½ cancel. Two of the three s make x̂_i and x̂_j out of x_i − μ and
# x_j − μ. One s is left:
#
# $$\sum_j \gamma\,dy_j\,(x_j-\mu)\cdot\Bigl(-\frac{s^3}{2}\Bigr)\cdot\frac{2(x_i-\mu)}{m} = -\gamma s\,\hat x_i\,\langle dy\cdot\hat x\rangle$$
#
# The sum of the three is the gradient:
#
# $$dx_i = \gamma s\,\bigl(dy_i - \langle dy\rangle - \hat x_i\,\langle dy\cdot\hat x\rangle\bigr)$$
#
# (Why is ∂σ²/∂x_i so short, although μ is in σ², too? Because the sum of all x_j − μ is 0. The
# derivation with every step is in [`norm.py`](../minires/kernels/readable/norm.py).)

# %% [markdown] name="claim-paths-text"
# Is each path right? We can measure them one by one. `x_hat` takes three arrays: one for x itself,
# one for the mean, one for the variance. If only one of them moves, only one path is open.
#
# **The claim:** each of the three terms is the slope that is measured along its own path. And with
# all three arrays moved together, the slope is their sum.

# %% name="claim-paths" tags=["claim"]
for seed in SEEDS:
    rng = np.random.default_rng(seed)
    x = 5 + 3 * rng.standard_normal(30)
    dy = rng.standard_normal(30)
    gamma = 1.7
    s = 1 / np.sqrt(x.var() + EPS)
    hat = x_hat(x)

    def loss(x, mean_of, var_of, dy=dy, gamma=gamma):
        return np.sum(dy * gamma * x_hat(x, mean_of, var_of))  # its ∂L/∂y is dy

    measured = {
        "directly": slopes(lambda v, x=x: loss(v, x, x), x),
        "through μ": slopes(lambda v, x=x: loss(x, v, x), x),
        "through σ²": slopes(lambda v, x=x: loss(x, x, v), x),
        "together": slopes(lambda v: loss(v, v, v), x),
    }
    term = {
        "directly": gamma * s * dy,
        "through μ": np.full(30, -gamma * s * dy.mean()),
        "through σ²": -gamma * s * hat * (dy * hat).mean(),
    }
    term["together"] = sum(term.values())
    for path, slope in measured.items():
        error = np.abs(slope - term[path]).max() / np.abs(term["together"]).max()
        print(f"seed {seed}: {path:<10} differs by {error:.0e}")
        assert error < 1e-8, f"the term of the path {path} is wrong"

# %% [markdown] name="gamma-beta"
# The other two gradients are short. γ and β are in every y_j = γ·x̂_j + β, so
#
# $$d\gamma = \sum_j dy_j\,\hat x_j \qquad d\beta = \sum_j dy_j$$
#
# These are sums, not means. And look: ⟨dy⟩ is dβ/m, and ⟨dy·x̂⟩ is dγ/m. So compute dγ and dβ first.
# Then dx is one line.

# %% [markdown] name="exercise-batch-norm"
# ### Exercise 3.1
#
# Write batch norm for images: x (N,C,H,W), weight γ (C,) and bias β (C,). Return (y, backward);
# backward(dy) returns dx, dγ and dβ, with the shapes of x, weight and bias. Means and sums run over
# the axes N, H and W. `v.reshape(1, -1, 1, 1)` makes an array (C,) fit beside x.


# %% name="batch-norm" tags=["exercise"] exercise="3.1"
def batch_norm(x, weight, bias, eps=1e-5):
    raise NotImplementedError  # your answer


# %% name="batch-norm-solution" tags=["solution"] exercise="3.1"
def batch_norm(x, weight, bias, eps=1e-5):
    axes = (0, 2, 3)
    m = x.size // x.shape[1]
    s = 1 / np.sqrt(x.var(axes, keepdims=True) + eps)
    x_hat = (x - x.mean(axes, keepdims=True)) * s
    gamma = weight.reshape(1, -1, 1, 1)
    y = gamma * x_hat + bias.reshape(1, -1, 1, 1)

    def backward(dy):
        dbias = dy.sum(axes)
        dweight = (dy * x_hat).sum(axes)
        mean_dy = dbias.reshape(1, -1, 1, 1) / m
        mean_dy_x_hat = dweight.reshape(1, -1, 1, 1) / m
        dx = gamma * s * (dy - mean_dy - x_hat * mean_dy_x_hat)
        return dx, dweight, dbias

    return y, backward


# %% name="batch-norm-check" tags=["check"] exercise="3.1"
check("3.1", batch_norm)

# %% [markdown] name="evaluation"
# ## When mean and variance are constants
#
# A trained network shall say what is on *one* image. Its answer must not depend on which other
# images are in the batch. So in evaluation μ and σ² are not those of the batch. They are *running
# statistics*, which were collected in training. After each batch
#
# $$\text{running} \leftarrow (1-\alpha)\cdot\text{running} + \alpha\cdot\text{batch}$$
#
# with α = 0.1, which PyTorch and minires call `momentum`. The running mean begins at 0, the running
# variance at 1. One detail: in the running variance the batch's is the *unbiased* one, m/(m−1)·σ².
#
# Constants do not depend on x. So two of the three paths are closed, and dx = γ·s·dy.
#
# **Before you run:** after how many batches is 99 % of the first value forgotten, if 0.9 of it stay
# each time?

# %% name="forget"
left = 0.9 ** np.arange(100)
print(f"after {np.argmax(left < 0.01)} batches less than 1 % of it is left")

# %% [markdown] name="exercise-running"
# ### Exercise 3.2
#
# Write a function that collects the running statistics. `batches` is an array (B,N,C,H,W): B
# batches, one after another. Begin with mean 0 and variance 1 in each channel. Return the running
# mean and the running variance after the last batch, arrays (C,).


# %% name="running" tags=["exercise"] exercise="3.2"
def running_statistics(batches, momentum):
    raise NotImplementedError  # your answer


# %% name="running-solution" tags=["solution"] exercise="3.2"
def running_statistics(batches, momentum):
    mean = np.zeros(batches.shape[2])
    var = np.ones(batches.shape[2])
    for x in batches:
        mean = (1 - momentum) * mean + momentum * x.mean((0, 2, 3))
        var = (1 - momentum) * var + momentum * x.var((0, 2, 3), ddof=1)
    return mean, var


# %% name="running-check" tags=["check"] exercise="3.2"
check("3.2", running_statistics)

# %% [markdown] name="worth"
# ## What is each term worth?
#
# Suppose a term is forgotten. minires has these mistakes ready, for its own tests: functions
# with a right forward and a planted bug in the backward. We take three of them, measure how wrong
# dx is, and ask the gradient check for its verdict. It compares with measured slopes, and lesson 4 is
# about it.
#
# One more column: the gradient check of many a student is `y.sum().backward()`, so each dy is 1.
#
# **Before you run:** put dy = 1 into the equation of dx. What comes out? Which of the three bugs
# will this check not see?

# %% name="measure-worth"
LEFT_OUT = {
    "nothing": None,
    "−⟨dy⟩": "mean term missing",
    "−x̂·⟨dy·x̂⟩": "variance term missing",
    "both": "statistics taken for constants",
}
PLANTED = {bug.name: bug for bug in bugs.catalogue if bug.op == "batch_norm"}


def with_bug(name):
    """Batch norm with a planted bug: (x, γ, β) -> (y, backward)."""
    return bugs.planted(PLANTED[name]) if name else ops.batch_norm.raw


def error_of_dx(name, seed, ones=False):
    """The largest error of dx, in units of the largest γ."""
    rng = np.random.default_rng(seed)
    x, dy = rng.standard_normal((2, 4, 3, 5, 5))
    gamma, beta = rng.standard_normal((2, 3))
    dy = np.ones_like(dy) if ones else dy
    wrong, right = (
        with_bug(which)(x, gamma, beta, training=True)[1](dy.copy())[0]
        for which in (name, None)
    )
    return np.abs(wrong - right).max() / np.abs(gamma).max()


for left_out, name in LEFT_OUT.items():
    rng = np.random.default_rng(0)
    report = gradcheck.check(
        with_bug(name),
        rng.standard_normal((4, 3, 5, 5)),
        *rng.standard_normal((2, 3)),
        training=True,
    )
    random, ones = (
        [error_of_dx(name, seed, only) for seed in SEEDS] for only in (False, True)
    )
    print(
        f"left out {left_out:<11} error of dx {max(random):.2f}, with dy = 1 {max(ones):.2f}; "
        f"the check says {report.status}"
    )

# %% [markdown] name="claim-worth-text"
# With dy = 1 the right dx is 0, because y.sum() does not depend on x: x̂ always has the mean 0. Then
# ⟨dy·x̂⟩ is 0, too, so a missing variance term changes nothing. **The claim:** a random dy shows each
# of the three mistakes, and ones hide the missing variance term.

# %% name="claim-worth" tags=["claim"]
for seed in SEEDS:
    for left_out, name in list(LEFT_OUT.items())[1:]:
        random = error_of_dx(name, seed)
        ones = error_of_dx(name, seed, ones=True)
        print(
            f"seed {seed}: left out {left_out:<11} {random:.3f} with a random dy, {ones:.0e} with ones"
        )
        assert random > 0.01, "a random dy does not show the mistake"
        assert (ones < 1e-12) == (name == "variance term missing"), (
            "ones hide another mistake"
        )

# %% [markdown] name="runaway"
# ## A parameter that runs away
#
# Does such an error matter for a training? Ioffe and Szegedy [2015, §2] give an example. A layer adds a
# bias b, then the mean is subtracted: x = u + b, x̂ = x − ⟨x⟩. Of course b has no effect on x̂, nor
# on the loss.
#
# Now we train b with a gradient that takes the mean for a constant. And, in a second training, a
# factor a with a gradient that takes the variance for a constant. Our code has both in one layer,
# x = a·u + b, then x̂. The loss is ⟨(x̂ − target)²⟩/2, with targets that are drawn once.
#
# **Before you run:** what will b and a do in 1000 steps? What will the loss do?


# %% name="train-runaway"
def train(seed, mean_term, var_term, steps=1000, lr=0.1):
    """Train b and a of x = a·u + b. -> b, a and the loss at each step. The terms are 1, or 0 if forgotten."""
    rng = np.random.default_rng(seed)
    u = x_hat(rng.standard_normal(64))
    target = 0.5 + 2 * u + rng.standard_normal(64)
    b, a, history = 0.0, 1.0, []
    for _ in range(steps):
        hat = x_hat(a * u + b)
        s = 1 / np.sqrt((a * u).var() + EPS)
        history.append((b, a, np.mean((hat - target) ** 2) / 2))
        dy = (hat - target) / 64
        dx = s * (dy - mean_term * dy.mean() - var_term * hat * (dy * hat).mean())
        b -= lr * dx.sum()
        a -= lr * (dx * u).sum()
    return np.array(history).T


runs = {
    (left_out, seed): train(seed, *terms)
    for left_out, terms in {
        "nothing": (1, 1),
        "−⟨dy⟩": (0, 1),
        "−x̂·⟨dy·x̂⟩": (1, 0),
    }.items()
    for seed in SEEDS
}

# %% name="figure-runaway"
steps = range(1000)


def lines(row, left_out):
    """The right gradient beside one that misses a term, for each seed."""
    return [
        Line("all terms", steps, [runs["nothing", seed][row] for seed in SEEDS]),
        Line(
            "a term left out",
            steps,
            [runs[left_out, seed][row] for seed in SEEDS],
            "plain",
        ),
    ]


plot_panels(
    [
        Panel("step", "the bias b", lines(0, "−⟨dy⟩"), title="without −⟨dy⟩"),
        Panel("step", "the factor a", lines(1, "−x̂·⟨dy·x̂⟩"), title="without −x̂·⟨dy·x̂⟩"),
    ]
)

# %% [markdown] name="claim-runaway-text"
# The parameters run away, and the loss does not even notice. (It will in the end: the larger b is, the
# fewer digits of u are left in u + b.) **The claim:** without a term its parameter moves away in every
# step, while the loss stays the same. With all terms it stands still.

# %% name="claim-runaway" tags=["claim"]
for seed in SEEDS:
    for row, parameter, left_out in ((0, "b", "−⟨dy⟩"), (1, "a", "−x̂·⟨dy·x̂⟩")):
        wrong = runs[left_out, seed]
        right = runs["nothing", seed]
        moved = abs(wrong[row, -1] - wrong[row, 0])
        stood = abs(right[row, -1] - right[row, 0])
        change = np.ptp(wrong[2])
        print(
            f"seed {seed}: {parameter} moves by {moved:.2f}, with all terms by {stood:.0e}; loss {change:.0e}"
        )
        assert moved > 1, "the parameter does not run away"
        assert np.all(np.diff(np.abs(wrong[row])) > 0), "it turns back"
        assert stood < 0.01, "it runs away with all terms, too"
        assert change < 1e-4, "the loss notices"

# %% [markdown] name="projection"
# ## What the two terms do: a projection
#
# Now you can see the backward at one glance. The forward forgets two things about a channel: its
# shift and its size. A step of x along the constant 1, or along x̂, changes no y. So dx must have no
# part in these two directions: Σ dx_i = 0 and Σ dx_i·x̂_i = 0.
#
# **Before you run:** suppose that dy is x̂ itself. What is dx?
#
# That is all that the two terms do. dy − ⟨dy⟩ has no part along 1. And x̂·⟨dy·x̂⟩ is just the part
# of dy along x̂. In the language of geometry dx is γ·s times the *projection* of dy onto all
# directions that are perpendicular to both.
#
# **The claim:** dx of batch norm is perpendicular to 1 and, but for ε, to x̂. For dy = x̂ nothing of dy
# is left.

# %% name="claim-projection" tags=["claim"]
for seed in SEEDS:
    rng = np.random.default_rng(seed)
    x, dy = rng.standard_normal((2, 4, 3, 5, 5))
    gamma, beta = rng.standard_normal((2, 3))
    y, backward = ops.batch_norm.raw(x, gamma, beta, training=True, eps=1e-12)
    dx = backward(dy)[0]
    hat = (y - beta.reshape(1, -1, 1, 1)) / gamma.reshape(1, -1, 1, 1)
    left = np.abs(backward(hat)[0]).max()
    for direction, v in (("1", np.ones_like(x)), ("x̂", hat)):
        before, after = (
            np.abs((d * v).sum((0, 2, 3))).max() / np.linalg.norm(d) for d in (dy, dx)
        )
        print(
            f"seed {seed}: part along {direction}: of dy {before:.2f}, of dx {after:.0e}"
        )
        assert after < 1e-9 < 1e-3 < before, f"dx has a part along {direction}"
    print(f"seed {seed}: the largest dx for dy = x̂ is {left:.0e}")
    assert left < 1e-9, "something of x̂ is left"

# %% [markdown] name="exercise-project"
# ### Exercise 3.3
#
# Write the projection itself. v and x are arrays (N,C,H,W). Return v without its parts along 1 and
# along x − μ, in each channel. The part of v along a direction d is d·⟨v·d⟩/⟨d·d⟩. (For d = x̂ and
# ε = 0 the denominator is 1.)


# %% name="project" tags=["exercise"] exercise="3.3"
def project(v, x):
    raise NotImplementedError  # your answer


# %% name="project-solution" tags=["solution"] exercise="3.3"
def project(v, x):
    def mean(a):
        return a.mean((0, 2, 3), keepdims=True)

    d = x - mean(x)
    return v - mean(v) - d * mean(v * d) / mean(d * d)


# %% name="project-check" tags=["check"] exercise="3.3"
check("3.3", project)

# %% [markdown] name="figure-1"
# ## Second half, for those who have an hour more: what it does to a training
#
# Figure 1 of the paper has a small network: three hidden layers of 100 sigmoids, whose first weights
# are small. We train it on digits, with batch norm in front of each sigmoid and without.
#
# The paper also looks at what arrives at one sigmoid of the last hidden layer: the value below which
# 15, 50 and 85 % of the images are, the *percentiles*. Think of it as a band. Where the band lies far
# from 0, the sigmoid is flat.
#
# The code has PyTorch's names. `nn.Linear` is x·W + b. `nn.BatchNorm1d` is batch norm for rows (N,C).
# `optim.SGD` subtracts lr·gradient, as in lesson 1, and `zero_grad` forgets the gradients of the step
# before. `model.eval()` takes the running statistics, `model.train()` those of the batch. The training
# takes about a minute.
#
# **Before you run:** what will the band do during the training, with batch norm and without?

# %% name="data"
train_set, test_set = data.load("digits")


def arrays(part):
    """All images of a part as rows (N,64), and their labels."""
    images, labels = next(iter(data.ArrayLoader(part, len(part))))
    return images.reshape(len(images), -1), labels


IMAGES, LABELS = arrays(train_set)
TEST_IMAGES, TEST_LABELS = arrays(test_set)


# %% name="network"
def network(norm, seed, hidden, activation, first_weights):
    """64 -> 100 -> … -> 10. norm: whether a batch norm stands in front of each activation."""
    rng = np.random.default_rng(seed)
    layers = []
    for k in range(hidden):
        linear = nn.Linear(100 if k else 64, 100, rng=rng)
        first_weights(linear.weight, rng)
        linear.bias.data[...] = 0
        layers += [linear, nn.BatchNorm1d(100)] if norm else [linear]
        layers.append(activation())
    return nn.Sequential(*layers, nn.Linear(100, 10, rng=rng))


def train_network(model, lr, steps, seed, look=lambda step, images, labels: None):
    """SGD with batches of 60 images. look(step, images, labels) is called before each step. -> losses"""
    optimizer = optim.SGD(model.parameters(), lr)
    rng = np.random.default_rng(seed)
    losses = np.full(steps, np.nan)
    for step in range(steps):
        batch = rng.integers(0, len(IMAGES), 60)
        images, labels = IMAGES[batch], LABELS[batch]
        look(step, images, labels)
        with np.errstate(over="ignore", invalid="ignore"):
            loss = ops.cross_entropy(model(Tensor(images)), labels)
            if not np.isfinite(loss.item()):
                break  # it diverges
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        losses[step] = loss.item()
    return losses


# %% name="train-sigmoids"
STEPS, EVERY = {"tiny": (300, 15), "small": (1000, 25)}[size()]


def small_weights(weight, rng):
    weight.data[...] = rng.normal(0, 0.1, weight.shape)


def follow(norm, seed):
    """Rows: the test error, and the three percentiles of what arrives at one sigmoid, in every EVERY-th step."""
    model = network(norm, seed, 3, nn.Sigmoid, small_weights)
    found = []

    def look(step, images, labels):
        if step % EVERY == 0:
            model.eval()
            wrong = model(Tensor(TEST_IMAGES)).data.argmax(1) != TEST_LABELS
            x = Tensor(IMAGES[:500])
            for layer in list(model)[
                :-2
            ]:  # all but the last sigmoid and the last linear layer
                x = layer(x)
            found.append(
                (100 * wrong.mean(), *np.percentile(x.data[:, 0], (15, 50, 85)))
            )
            model.train()

    train_network(model, 1.0, STEPS, seed, look)
    return np.array(found).T


curves = {(norm, seed): follow(norm, seed) for norm in (True, False) for seed in SEEDS}

# %% name="figure-sigmoids"
at = range(0, STEPS, EVERY)
NAMES = {True: ("with batch norm", "residual"), False: ("without", "plain")}
error_lines = [
    Line(label, at, [curves[norm, seed][0] for seed in SEEDS], kind)
    for norm, (label, kind) in NAMES.items()
]
plot_panels([Panel("training step", "test error (%)", error_lines, wide=True)])

# %% name="figure-bands"
panels = []
for norm, (label, _) in NAMES.items():
    bands = [
        Line(f"{percent} %", at, curves[norm, 0][k], "other", k - 1)
        for k, percent in ((3, 85), (2, 50), (1, 15))
    ]
    bands.append(Line("0", (0, STEPS), (0, 0), "paper", bare=True))
    panels.append(
        Panel("training step", "input of a sigmoid", bands, title=f"{label}, seed 0")
    )
plot_panels(panels, one_scale=True)

# %% [markdown] name="claim-sigmoids-text"
# With batch norm the error falls at once, and the middle of the band stays near 0. Without, nothing
# happens for a long time. The whole band is narrow, and jumps to one side of 0. Then it widens, and its
# middle goes on wandering. The layers behind it have to follow. Ioffe and Szegedy called this *internal
# covariate shift*. (The paper's figure has the same two parts, for the larger digits of MNIST and 50,000
# steps.)
#
# **The claim:** with batch norm the test error is smaller at each look but the first. The middle of
# the band stays within 1 of 0, and wanders less, in units of its width. Without, the whole band lies
# at some time on one side of 0, with its middle farther away than 1.

# %% name="claim-sigmoids" tags=["claim"]
for seed in SEEDS:
    errors = [curves[norm, seed][0] for norm in (True, False)]
    middle = np.abs(curves[True, seed][2]).max()
    _, low, half, high = curves[False, seed]
    aside = ((low > 0) | (high < 0)) & (np.abs(half) > 1)
    wander = [
        np.ptp(curves[norm, seed][2])
        / np.mean(curves[norm, seed][3] - curves[norm, seed][1])
        for norm in (True, False)
    ]
    print(
        f"seed {seed}: mean test error {errors[0].mean():.0f} % with batch norm, {errors[1].mean():.0f} % without; "
        f"the middle wanders {wander[0]:.1f} and {wander[1]:.1f} widths, with batch norm up to {middle:.2f}; "
        f"without, the band is at one side in {aside.sum()} of {len(aside)} looks"
    )
    assert np.all(errors[0][1:] < errors[1][1:]), "batch norm does not speed up"
    assert middle < 1, "the middle of the band leaves 0 with batch norm"
    assert aside.any(), "without, the band does not leave 0"
    assert (high - low)[-1] > 2 * (high - low)[aside][0], "the band does not widen"
    assert wander[0] < wander[1], "the band with batch norm wanders more"

# %% [markdown] name="learning-rates"
# ## Learning rates, and a smoother loss
#
# Is the lying still of the band the cause? Santurkar et al. [2018] doubt it. They added noise behind
# batch norm, so that the band wandered, and the network learned as well. They propose another cause:
# batch norm makes the loss *smoother*. Along a step of gradient descent the loss and its gradient
# change less. So the gradient here says more about the loss there, and a longer step works.
#
# We take a network with 6 hidden layers and ReLUs, and train it for 100 steps at several learning
# rates, with batch norm and without. Its first weights are random with the variance 2/n, for n inputs
# (*Kaiming* initialization). It has trained if its loss is below half of ln 10 ≈ 2.3, which is the
# loss of a guess.
#
# **Your guess:** how many times higher is the highest learning rate that works with batch norm? And
# which network is ahead at the smallest rate, 0.01? (The next training takes about a minute.)

# %% name="guess"
my_guess = 30  # change this

# %% name="train-rates"
RATES = {"tiny": (0.01, 0.1, 1.0, 10.0), "small": (0.01, 0.1, 0.3, 1.0, 3.0, 10.0)}[
    size()
]
HALF = np.log(10) / 2


def kaiming(weight, rng):
    nn.init.kaiming_normal_(weight, rng=rng)


def final_loss(norm, lr, seed):
    """The mean loss of the last 20 of 100 steps, NaN if it became infinite."""
    return train_network(network(norm, seed, 6, nn.ReLU, kaiming), lr, 100, seed)[
        -20:
    ].mean()


final = {
    norm: np.array([[final_loss(norm, lr, seed) for lr in RATES] for seed in SEEDS])
    for norm in (True, False)
}
highest = {
    norm: [max(np.array(RATES)[row < HALF]) for row in final[norm]] for norm in final
}

# %% name="figure-rates"
low = min(highest[False])
plot_panels(
    [
        Panel(
            "learning rate",
            "loss after 100 steps",
            [
                *(
                    Line(label, RATES, final[norm], kind)
                    for norm, (label, kind) in NAMES.items()
                ),
                Line("half of ln 10", RATES, [HALF] * len(RATES), "other", bare=True),
                Line("your guess", (low, low * my_guess), (HALF, HALF), "paper"),
            ],
            xscale="log",
            wide=True,
        )
    ]
)

# %% [markdown] name="claim-rates-text"
# Where the line *without* ends, the loss became infinite. With batch norm the loss stays finite, but at
# the rate 10 it does not get below half of ln 10. Notice the left end, too. At a very small learning
# rate the network *without* batch norm is ahead. Batch norm is no magic. It lets you take long steps, and
# the long steps save the time.
#
# **The claim:** with batch norm the highest learning rate that works is at least three times higher,
# and it is below 10. At the smallest rate the loss with batch norm is the larger one.

# %% name="claim-rates" tags=["claim"]
for seed in SEEDS:
    print(
        f"seed {seed}: up to {highest[True][seed]:g} with batch norm, {highest[False][seed]:g} without"
    )
    assert highest[True][seed] >= 3 * highest[False][seed], (
        "batch norm allows no higher rate"
    )
    assert np.all(np.isfinite(final[True][seed])), "it diverges with batch norm"
    assert highest[True][seed] < RATES[-1], "the highest rate is cut off by the grid"
    assert final[True][seed][0] > final[False][seed][0], (
        "batch norm is ahead at the smallest rate, too"
    )

# %% [markdown] name="smoothness"
# And the loss itself? We train both networks at the small rate 0.03. In every 10th step we stop, take
# the gradient g, and look at the loss at w − η·g for four step sizes η, from half the learning rate
# to four times that. The *variation* is the largest minus the smallest of these losses. The
# *effective β* (not the bias β) is how fast the gradient changes on the way: the largest ‖g(w − η·g) − g‖ / ‖η·g‖
# [Santurkar et al. 2018, figure 4; in minires [`smoothness.py`](../minires/probes/smoothness.py)].
#
# **Before you run:** if the loss is smoother, which line is lower?

# %% name="measure-smoothness"
LR = 0.03


def smoothness(norm, seed):
    """Rows: variation and effective β, in every 10th of 100 steps."""
    model = network(norm, seed, 6, nn.ReLU, kaiming)
    found = []

    def look(step, images, labels):
        if step % 10 == 0:
            etas = np.geomspace(LR / 2, 4 * LR, 4).tolist()
            along = probes.along_gradient(model, images, labels, etas)
            found.append((along.variation, along.beta))

    train_network(model, LR, 100, seed, look)
    return np.array(found).T


smooth = {
    (norm, seed): smoothness(norm, seed) for norm in (True, False) for seed in SEEDS
}

# %% name="figure-smoothness"
panels = []
for row, what in enumerate(("variation of the loss", "effective β")):
    both = [
        Line(
            label, range(0, 100, 10), [smooth[norm, seed][row] for seed in SEEDS], kind
        )
        for norm, (label, kind) in NAMES.items()
    ]
    panels.append(Panel("training step", what, both, yscale="log"))
plot_panels(panels)

# %% [markdown] name="claim-smoothness-text"
# **The claim:** averaged over the training, as logarithms, both are smaller with batch norm. (The
# papers' networks are far larger. Ours shows the same direction, not the same numbers.)

# %% name="claim-smoothness" tags=["claim"]
for seed in SEEDS:
    for row, what in enumerate(("variation", "effective β")):
        with_norm, without = (
            np.exp(np.log(smooth[norm, seed][row]).mean()) for norm in (True, False)
        )
        print(
            f"seed {seed}: {what:<11} {with_norm:5.2f} with batch norm, {without:5.2f} without"
        )
        assert with_norm < without, "the loss is not smoother with batch norm"

# %% [markdown] name="summary"
# ## What to remember
#
# - In batch norm every x of a channel reaches every y: directly, through the mean, and through the
#   variance. Each path gives one term of dx = γ·s·(dy − ⟨dy⟩ − x̂·⟨dy·x̂⟩).
# - The two subtracted terms make dx perpendicular to 1 and to x̂, because a shift and a factor of x
#   change nothing. Without them parameters run away, and the loss does not notice.
# - A check with dy = 1 does not see a missing variance term. Take a random dy.
# - In evaluation mean and variance are constants, the running statistics, and dx = γ·s·dy.
# - Batch norm lets a network take longer steps, because loss and gradient change less along them.
#
# **Read next:** Ioffe & Szegedy 2015, *Batch normalization*, §2 and §3, and its figure 1; Santurkar
# et al. 2018, *How does batch normalization help optimization?*, §2. In minires:
# [`norm.py`](../minires/kernels/readable/norm.py), and the experiment
# [`batchnorm.py`](../minires/lab/experiments/batchnorm.py) on a convolutional network. Lesson 4 says
# how to find out whether a gradient is right.
