# %% [markdown] name="title"
# # 10. The shape of the loss
#
# *50 minutes up to "Is this a fair comparison?", 15 for it, and 40 for the second half, if you have them.
# Before it: lesson 6 (one plus ∂F/∂x) and lesson 7 (train a ResNet).*
#
# Afterwards you can
#
# - draw the loss of a network over its weights, so that two networks can be compared;
# - measure how sharp it is, by products with a matrix that is never written down;
# - (second half) say how the variance grows over residual blocks, with and without batch norm;
# - (second half) begin a deep network as the identity, and say what this helps;
# - (second half) leave blocks out at random in training, and put the right factor into evaluation.

# %% name="setup" tags=["setup"]
import sys

if "google.colab" in sys.modules or sys.platform == "emscripten":  # not at home
    # %pip install -q minires[data,plots]
    pass

import numpy as np

from minires import Tensor, data, models, nn, no_grad, ops, optim, probes, train
from minires.lessons import check, size
from minires.models.blocks import Block
from minires.plots import Bars, Contour, Line, Panel, plot_panels, round_levels

SEEDS = range(3)
SHALLOW = 8
DEEP = 20
# in a browser size() is tiny
MOMENTS = {"tiny": (10, 20), "small": (50, 150)}[size()]  # steps after which we look
LOOK_AT = {"tiny": 32, "small": 64}[size()]  # so many images measure a loss
PRODUCTS = {"tiny": 3, "small": 6}[size()]  # so many H·v measure a sharpness

# %% [markdown] name="question"
# ## The question
#
# Lesson 6 looked at the gradient in a *new* network. But training goes a long way. What does the
# loss look like around the weights that it finds?
#
# A ResNet-20 has 270,000 weights. So the loss L(w) is a surface over 270,000 directions, and cannot
# be drawn. We can draw a *slice*: start at the weights w, choose a direction d, and walk.
#
# $$\ell(\alpha) = L(w + \alpha\,d)$$
#
# With two directions δ and η we get a map, L(w + αδ + βη). In which direction shall we walk? Li et al.
# [2018] take random ones. This needs one more idea, as you will see.

# %% name="train-some"
train_set, test_set = data.load("digits")


def arrays(dataset, count):
    return next(iter(data.ArrayLoader(dataset.limit(count), count)))


images, labels = arrays(train_set, 1200)


def training(name, seed, moments, lr=0.02, **options):
    """Train a network with SGD, 32 digits a step; give it after each of these steps."""
    model = models.create(name, in_channels=1, rng=seed, **options)
    optimizer = optim.SGD(model.parameters(), lr, momentum=0.9)
    rng = np.random.default_rng(seed)
    for step in range(1, moments[-1] + 1):
        batch = rng.integers(len(labels), size=32)
        train.train_step(model, optimizer, images[batch], labels[batch])
        if step in moments:
            yield model


small = [next(training("resnet8", seed, MOMENTS[:1])) for seed in SEEDS]

# %% [markdown] name="longer-filters"
# ## The same network with longer filters
#
# A *filter* is the part w[o] of a convolution's weights w (O,C,K,K). It makes one output channel.
# Batch norm comes after it, and divides by the standard deviation of this channel. So it does not
# matter how *long* a filter is.
#
# Let us use this. We make all filters of a trained network 4 times as long, and what batch norm
# knows of them, too. It computes the same as before. Then we walk from both networks in the same
# random direction.
#
# **Before you run:** which of the two slices is flatter?


# %% name="longer-run"
def with_longer_filters(model, factor):
    """The same function: each filter is longer, and batch norm takes it back."""
    longer = models.create("resnet8", in_channels=1)
    longer.load_state_dict(model.state_dict())
    longer.to(np.float64)
    for module in longer.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data *= factor
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean *= factor
            variance = module.running_var + module.eps
            module.running_var[...] = factor**2 * variance - module.eps
    return longer


STEPS = np.linspace(-1, 1, 11)


def slices(model, seed):
    """Slices along a random direction: as it is, and normalized by filter."""
    surface = probes.LossSurface(model, images[:LOOK_AT], labels[:LOOK_AT])
    rng = np.random.default_rng(seed)
    d = rng.standard_normal(len(surface.w0)) / 10
    normalized = surface.random_direction(rng)
    return [surface.along(one, STEPS) for one in (d, normalized)]


of_short = np.array([slices(small[seed], seed) for seed in SEEDS])
of_long = np.array(
    [slices(with_longer_filters(small[seed], 4), seed) for seed in SEEDS]
)

# %% name="longer-figure"
plot_panels(
    [
        Panel(
            "α",
            "loss",
            [
                Line("the network", STEPS, of_short[:, k], "residual"),
                Line("the same, filters 4 × as long", STEPS, of_long[:, k], "other", 1),
            ],
            title=title,
            yscale="log",
        )
        for k, title in enumerate(("a random direction", "normalized by filter"))
    ]
)

# %% [markdown] name="filter-normalization"
# ## Normalize by filter
#
# On the left one network has the flat slice, and the other the steep one. But they are the *same*
# function. The step is short beside a long filter, and long beside a short one. So the left figure
# shows the length of the weights, not the shape of the loss.
#
# Li et al. take this out. Each filter $d_o$ of the direction gets the length of the filter $w_o$:
#
# $$d_o \leftarrow \frac{d_o}{\lVert d_o\rVert}\,\lVert w_o\rVert$$
#
# A step of α = 1 then moves each filter by its own length. Biases, and the γ and β of batch norm, do
# not move. In a linear layer with weights (O,I) a filter is a row. This is the figure on the right.
#
# **The claim**, for three seeds: normalized by filter, both networks have the same slice. Without
# that, the loss of the network with the short filters is more than twice as high, at both ends α = ±1.

# %% name="claim-normalized" tags=["claim"]
for seed in SEEDS:
    left, right = of_short[seed, 0, [0, -1]] / of_long[seed, 0, [0, -1]]  # α = ±1
    apart = np.max(abs(of_short[seed, 1] / of_long[seed, 1] - 1))
    print(
        f"seed {seed}: {left:.1f} and {right:.1f} times as high; normalized they differ by {apart:.0e}"
    )
    assert min(left, right) > 2, "the length of the filters does not matter"
    assert apart < 1e-9, "the normalized slices differ"

# %% [markdown] name="exercise-normalized"
# ### Exercise 10.1
#
# Write filter normalization. d and w are arrays of one shape: (O,C,K,K), or (O,I), or (O,). Return d
# with each d[o] as long as w[o]. For a bias, w of shape (O,), return zeros.
#
# (`np.linalg.norm` takes two axes at most. A sum takes any: `(w**2).sum(axes, keepdims=True)`.)


# %% name="normalized" tags=["exercise"] exercise="10.1"
def filter_normalized(d, w):
    raise NotImplementedError  # your answer


# %% name="normalized-solution" tags=["solution"] exercise="10.1"
def filter_normalized(d, w):
    if w.ndim == 1:
        return np.zeros_like(w)
    axes = tuple(range(1, w.ndim))  # all but the first: what is in a filter
    length_d = np.sqrt((d**2).sum(axes, keepdims=True))
    length_w = np.sqrt((w**2).sum(axes, keepdims=True))
    return d / length_d * length_w


# %% name="normalized-check" tags=["check"] exercise="10.1"
check("10.1", filter_normalized)

# %% [markdown] name="sharpness-text"
# ## One number: the sharpness
#
# A surface that curves strongly is called *sharp*. Along a direction d of length 1 the *curvature* is the
# second derivative of the slice. It is dᵀ·H·d, where H is the *Hessian*: the matrix of all second
# derivatives ∂²L/∂wᵢ∂wⱼ. No direction has a larger curvature than the largest eigenvalue of H,
# $\lambda_{max}$. This number is called the *sharpness* of the loss at w.
#
# (An *eigenvector* v of H is only made longer or shorter by H: H·v = λ·v. The number λ is its *eigenvalue*.)
#
# Why does sharpness matter? Because a step of gradient descent must not be too long. Take a bowl
# L = ½·λ·x² with λ = 8. Its gradient is λ·x, so each step of gradient descent is x ← x − r·λ·x, where r
# is the learning rate.
#
# **Before you run:** x begins with 1. What becomes of it with r = 0.1, 0.2 and 0.3?

# %% name="bowl-run"
for r in (0.1, 0.2, 0.3):
    way = [1.0]
    for _ in range(5):
        way.append(way[-1] - r * 8 * way[-1])
    print(f"r = {r}:", *(f"{x:7.3f}" for x in way))

# %% [markdown] name="claim-bowl-text"
# A step multiplies x by 1 − rλ. If rλ > 2, then |1 − rλ| > 1, and x grows. So the limit of the learning
# rate is 2/λ, here 0.25. With many weights the steepest direction decides.
#
# **The claim**, in three random bowls of five weights: x shrinks with $r = 1.9/\lambda_{max}$, and grows
# with $r = 2.1/\lambda_{max}$.

# %% name="claim-bowl" tags=["claim"]
for seed in SEEDS:
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((5, 5))
    H = A @ A.T  # of the bowl L(x) = ½·xᵀ·H·x, whose gradient is H·x
    largest = np.linalg.eigvalsh(H)[-1]
    lengths = []
    for learning_rate in (1.9 / largest, 2.1 / largest):
        x = rng.standard_normal(5)
        start = np.linalg.norm(x)
        for _ in range(200):
            x = x - learning_rate * H @ x
        lengths.append(np.linalg.norm(x) / start)
    print(
        f"seed {seed}: λ_max {largest:4.1f}; x becomes {lengths[0]:.2g} and {lengths[1]:.1e} times as long"
    )
    assert lengths[0] < 1 < lengths[1], "2/λ_max is not the limit"

# %% [markdown] name="hessian-product"
# So a sharp loss needs small steps.
#
# ## A matrix that is never written down
#
# For 270,000 weights H has 7·10¹⁰ entries, too many to write down. But H *times a vector* is
# cheap, because it is the change of the gradient along v:
#
# $$H v \approx \frac{\nabla L(w + h v) - \nabla L(w - h v)}{2h}$$
#
# Two backward passes, and no matrix. *Power iteration* needs nothing else. It starts with any v and
# repeats v ← H·v/‖H·v‖. Each step multiplies the part of v along an eigenvector by its eigenvalue. So
# the part with the largest |λ| grows the most. In the end v points there, and vᵀ·H·v is this λ.
#
# That need not be $\lambda_{max}$: of the eigenvalues 3 and −5, power iteration finds −5. Around the
# weights that we will measure it is $\lambda_{max}$, as you will see.

# %% [markdown] name="exercise-power"
# ### Exercise 10.2
#
# Write power iteration. You get a function: `product(v)` gives H·v for a symmetric matrix H. You also
# get a first v, of any length. Do `steps` times v ← H·v/‖H·v‖. Then return vᵀ·H·v, with the last v. It is
# the eigenvalue of largest absolute value, and may be below 0.


# %% name="power" tags=["exercise"] exercise="10.2"
def largest_eigenvalue(product, v, steps):
    raise NotImplementedError  # your answer


# %% name="power-solution" tags=["solution"] exercise="10.2"
def largest_eigenvalue(product, v, steps):
    for _ in range(steps):
        v = product(v)
        v = v / np.linalg.norm(v)
    return v @ product(v)


# %% name="power-check" tags=["check"] exercise="10.2"
check("10.2", largest_eigenvalue)

# %% [markdown] name="with-and-without"
# ## With shortcuts, and without
#
# Now we can compare. Plain and residual networks are trained in the same way, shallow and deep ones.
# Twice on the way we stop, and measure the loss around the weights. minires has a faster method
# than power iteration: `extreme_eigenvalues` remembers all v of the way [Lanczos 1950]. It gives the
# lowest eigenvalue and the highest, $\lambda_{max}$.
#
# We measure each filter in its own length here, too. So the unit is the same as that of the slices. But
# then $2/\lambda_{max}$ is no learning rate: that holds for a $\lambda_{max}$ measured in weights.
# (In a browser there are only 20 steps. There the deep plain network has a high loss when we look.)
#
# **Your guess:** how many times sharper is the deep plain network than the deep residual one?

# %% name="guess"
my_guess = 2  # times as sharp; change this


# %% name="measure"
MAP = np.linspace(-1, 1, {"tiny": 5, "small": 9}[size()])


def look(model, seed, drawn):
    """The loss at the weights, and the sharpness; drawn: "", "slice", or "map", which has a slice, too."""
    surface = probes.LossSurface(model, images[:LOOK_AT], labels[:LOOK_AT])
    rng = np.random.default_rng(seed)
    w = surface.w0
    lengths = surface.filter_norms()

    def product(v):
        return lengths * probes.hessian_product(surface.gradient, w, lengths * v)

    lowest, sharpness = probes.extreme_eigenvalues(
        product, len(w), steps=PRODUCTS, rng=rng
    )
    delta = surface.random_direction(rng)
    eta = surface.random_direction(rng)
    found = {"loss": surface.loss(w), "sharpness": sharpness, "lowest": lowest}
    if drawn:
        found["slice"] = surface.along(delta, MAP)
        v = rng.standard_normal(len(w))
        found["random"] = v @ product(v) / (v @ v)  # the curvature along v
    if drawn == "map":
        found["map"] = [surface.along(delta, MAP, w + b * eta) for b in MAP]
    return found


LAST = MOMENTS[-1]
KINDS = {
    f"{name}{depth}": (kind, variant)
    for variant, depth in enumerate((DEEP, SHALLOW))
    for name, kind in (("plain", "plain"), ("resnet", "residual"))
}
DEEPEST = list(KINDS)[:2]
found = {}
for name in KINDS:
    for seed in SEEDS:
        for moment, model in zip(MOMENTS, training(name, seed, MOMENTS)):
            drawn = "slice" if moment == LAST else ""
            if drawn and seed == 0 and name in DEEPEST:
                drawn = "map"
            found[name, seed, moment] = look(model, seed, drawn)
        losses_then = [found[name, seed, moment]["loss"] for moment in MOMENTS]
        print(
            f"{name:<8} seed {seed}: loss",
            " and then ".join(f"{x:.3f}" for x in losses_then),
        )


def of_seeds(name, what, moment=LAST):
    return [found[name, seed, moment][what] for seed in SEEDS]


# %% name="figure-landscape"
maps = {name: np.array(found[name, 0, LAST]["map"]) for name in DEEPEST}
heights = np.concatenate([z.ravel() for z in maps.values()])
levels = round_levels(heights.min(), heights.max())
contours = [
    Contour(
        "along δ", "along η", MAP, MAP, z, levels, f"loss of {name}", KINDS[name][0]
    )
    for name, z in maps.items()
]
lines = [Line(name, MAP, of_seeds(name, "slice"), *KINDS[name]) for name in KINDS]
bars = Bars(
    r"sharpness $\lambda_{max}$",
    list(KINDS),
    [of_seeds(name, "sharpness") for name in KINDS],
    [kind for kind, _ in KINDS.values()],
    paper=[my_guess * np.mean(of_seeds(DEEPEST[1], "sharpness")), None, None, None],
    of_paper="your guess",
)
plot_panels([*contours, Panel("distance α", "loss", lines, yscale="log"), bars])

# %% [markdown] name="claim-sharp-text"
# The maps are those of seed 0, as in Figure 5 of the paper. Slices and bars are of three seeds.
#
# The maps may look like the opposite of the bars: resnet20 has many lines around its center. But the
# lines stand at 0.1, 0.3, 1, 3 and so on. From one to the next the loss grows three times, so lines
# near a low loss are small steps. And a map shows two random directions of 270,000. Along a random
# direction the curvature is about the mean of all eigenvalues, and this mean is tiny. $\lambda_{max}$ is the
# curvature along the steepest direction, which no map shows.
#
# With 8 layers there is no rule. Here the residual network was the sharper one in all three seeds, once
# 4 times as sharp. After 20 steps, in a browser, the plain one was. With 20 layers the plain one is much sharper.
#
# **The claim**, for three seeds: from 8 to 20 layers, the sharpness of a plain network grows by a larger
# factor than that of a residual one. With 20 layers the plain network is more than twice as sharp. In
# all networks the curvature along a random direction is less than a hundredth of $\lambda_{max}$. And no
# eigenvalue below 0 has an absolute value as large as $\lambda_{max}$, so power iteration finds $\lambda_{max}$.
#
# Look at α = ±1, too. So far away neither of the two deep networks is always the higher one: it depends on
# the seed and on the side. This part of the paper's picture needs more depth. With 32 layers,
# `lab.landscape(depths=(32,), seeds=3)` gave a loss of 2700 there without shortcuts, and 540 with them.

# %% name="claim-sharp" tags=["claim"]
for seed in SEEDS:
    sharp = {name: found[name, seed, LAST]["sharpness"] for name in KINDS}
    growth = {
        kind: sharp[f"{kind}{DEEP}"] / sharp[f"{kind}{SHALLOW}"]
        for kind in ("plain", "resnet")
    }
    ratio = sharp[f"plain{DEEP}"] / sharp[f"resnet{DEEP}"]
    flat = max(abs(found[name, seed, LAST]["random"]) / sharp[name] for name in KINDS)
    print(
        f"seed {seed}: from 8 to 20 layers {growth['plain']:.1f} times as sharp, {growth['resnet']:.1f} times with shortcuts"
    )
    print(
        f"        plain20 over resnet20 {ratio:.1f}; a random direction {flat:.0e} of λ_max"
    )
    assert growth["plain"] > growth["resnet"], "depth costs no more without shortcuts"
    assert ratio > 2, "the deep plain network is not sharper"
    assert flat < 0.01, "a random direction is steep, too"
    for name, largest in sharp.items():
        assert -found[name, seed, LAST]["lowest"] < largest, f"{name}: λ_max is not it"

# %% [markdown] name="paper-numbers"
# And is a sharper loss a worse one? These are the paper's numbers [Li et al. 2018, Table 1], errors on
# the test images of CIFAR-10 in %. Compare them with its maps, and with ours:
#
# | layers | 20 | 56 | 110 |
# |---|---|---|---|
# | with shortcuts | 7.37 | 5.89 | 5.79 |
# | without | 8.18 | 13.31 | 16.44 |

# %% [markdown] name="fair"
# ## Is this a fair comparison?
#
# Both networks had the same number of steps. But they did not come equally far: the loss *at* the
# weights, where α = 0, is not the same. Maybe a network is sharp because it has learned less?
#
# We can look, because we stopped twice. Each line of the figure is one network, from the first stop
# to the second.
#
# **Before you run:** in which direction does a line go if a network becomes flatter as it learns?

# %% name="figure-fair"
plot_panels(
    [
        Panel(
            "loss at the weights",
            r"sharpness $\lambda_{max}$",
            [
                Line(
                    "" if seed else name,
                    [found[name, seed, moment]["loss"] for moment in MOMENTS],
                    [found[name, seed, moment]["sharpness"] for moment in MOMENTS],
                    *KINDS[name],
                )
                for name in KINDS
                for seed in SEEDS
            ],
            xscale="log",
            yscale="log",
            wide=True,
        )
    ]
)

# %% [markdown] name="claim-fair-text"
# Most lines go down to the left: what has learned more is flatter. (The loss goes up and down from
# step to step, so not every line does.) And the deep networks lie near *one* line.
#
# The *correlation* of two lists of numbers is 1 if they grow together, and 0 if they have nothing to
# do with each other. **The claim**, for three seeds: over the four measurements of the deep networks,
# log loss and log sharpness have a correlation above 0.7.

# %% name="claim-fair" tags=["claim"]
for seed in SEEDS:
    logs = [
        [
            np.log(found[name, seed, moment][what])
            for name in DEEPEST
            for moment in MOMENTS
        ]
        for what in ("loss", "sharpness")
    ]
    correlation = np.corrcoef(np.array(logs))[0, 1]
    for name in DEEPEST:
        looks = [found[name, seed, moment] for moment in MOMENTS]
        at = ", then ".join(
            f"{x['sharpness']:.0f} at a loss of {x['loss']:.3f}" for x in looks
        )
        print(f"seed {seed}: {name:<8} sharpness {at}")
    print(f"        correlation {correlation:.2f}")
    assert correlation > 0.7, "sharpness has little to do with the loss"

# %% [markdown] name="fair-read"
# So two things are mixed. A plain network learns more slowly, and what has learned less is sharper. Is
# a plain network also sharper than a residual one *with the same loss*? Look for a loss at which both
# kinds were measured.
#
# There are few such places. The nearest are residual networks after 50 steps, with a loss of 0.07 to
# 0.11, and plain ones after 150, with 0.16 to 0.28. The sharpness was 137 to 303, and 142 to 391. The
# residual networks had a loss about 2.5 times lower there, and what has a lower loss is flatter. Yet they
# were not clearly flatter, and once the residual network was the sharper one. Much of the difference after
# equal steps may come from how far the training is.
#
# Our claim is about an equal number of steps, not about an equal loss. And it needs some
# steps: with 32 layers, after 60 steps, plain networks were 16, 13 and only 1.8 times as sharp. If you
# read that a method "finds flatter minima", ask: flatter than what, and at which loss?

# %% [markdown] name="begin"
# ## Second half, for those who have 40 minutes more: begin as the identity
#
# The shape of the loss also depends on where training *begins*. A residual block gives H = x + F(x).
# In a new network F has random weights. What happens over many blocks?
#
# We do it by hand, in blocks of one matrix: F(x) = relu(x)·W. *He's weights* are such that F(x) has the
# variance of x. (The mean of the squares, to be exact.) A relu keeps half of the squares, so with n
# inputs the weights have the variance 2/n.
#
# **Before you run:** over 32 blocks, how many times as large does the variance become? And if a batch
# norm stands in front of each branch, so that what F gets has the variance 1?

# %% name="variance-run"
BLOCKS = 32


def variances(kind, seed):
    """The variance behind each of 32 new blocks, relative to that of the input."""
    rng = np.random.default_rng(seed)
    h = rng.standard_normal((256, 256))  # 256 inputs of 256 numbers
    found = [h.var()]
    for _ in range(BLOCKS):
        x = h if kind == "no norm" else (h - h.mean(0)) / h.std(0)
        W = rng.standard_normal((256, 256)) * np.sqrt(2 / 256)  # He's
        h = h + np.maximum(x, 0) @ W
        found.append(h.var())
    return np.array(found) / found[0]


variance = {
    kind: [variances(kind, seed) for seed in SEEDS]
    for kind in ("no norm", "batch norm")
}

# %% name="figure-variance"
l = np.arange(BLOCKS + 1)
theory = {"no norm": 2.0**l, "batch norm": 1 + l}
plot_panels(
    [
        Panel(
            "block l",
            r"variance $\sigma_l^2\,/\,\sigma_0^2$",
            [
                Line(kind, l, variance[kind], look_of),
                Line("in theory", l, theory[kind], "paper", 3, bare=True),
            ],
            yscale=yscale,
            whole=True,
        )
        for kind, look_of, yscale in (
            ("no norm", "other", "log"),
            ("batch norm", "residual", "linear"),
        )
    ]
)

# %% [markdown] name="claim-variance-text"
# F(x) and x are not correlated, so their variances add. Without norms that is σ² + σ² = 2σ², so with l
# blocks 2^l times σ². Behind a batch norm F(x) has the variance 1 in *each* block. So each block adds 1
# [De & Smith 2020, §2]:
#
# $$\text{without norms: } \frac{\sigma_l^2}{\sigma_0^2} = 2^l \qquad \text{batch norm: } \frac{\sigma_l^2}{\sigma_0^2} = 1 + \frac{l}{\sigma_0^2}$$
#
# (Our input has σ₀² = 1.) **The claim**, for three seeds: without norms a block multiplies the variance
# by 2, to within 5 %. With batch norm it adds 1, to within 5 %.

# %% name="claim-variance" tags=["claim"]
for seed in SEEDS:
    factor = variance["no norm"][seed][-1] ** (1 / BLOCKS)
    added = (variance["batch norm"][seed][-1] - 1) / BLOCKS
    print(
        f"seed {seed}: without norms {factor:.3f} times a block, with batch norm {added:.3f} more a block"
    )
    assert abs(factor / 2 - 1) < 0.05, "the variance does not double"
    assert abs(added - 1) < 0.05, "a block does not add 1"

# %% [markdown] name="nearly-identity"
# See what this means for a deep block. Behind block l the variance is about l + 1, because σ₀² = 1. The
# branch's part of it is 1. So with batch norm block 32 changes its input little: it is nearly the identity. Without
# norms, half of the variance is that of the last branch, in each block.
#
# ## Exactly the identity
#
# One can go further, and begin with F = 0. In *zero-γ* the last batch norm of each branch begins with
# the factor γ = 0 [Goyal et al. 2017, §5.1].
#
# **Before you run:** you delete a block of a new ResNet-20 with zero-γ. How do its outputs change? And
# without zero-γ?


# %% name="zero-run"
def changes(zero, seed):
    """By how much the outputs of a new network change if one of its blocks is deleted."""
    model = models.create("resnet20", in_channels=1, rng=seed, zero_init_residual=zero)
    x = Tensor(images[:16])
    with no_grad():
        y = model(x).data
        found = []
        for block in [one for one in model.modules() if isinstance(one, Block)]:
            block.active = False
            found.append(np.abs(model(x).data - y).max())
            block.active = True
    return found


changed = {zero: [changes(zero, seed) for seed in SEEDS] for zero in (True, False)}
for seed in SEEDS:
    with_zero = max(changed[True][seed])
    without = min(changed[False][seed])
    print(
        f"seed {seed}: {with_zero:g} at most with zero-γ, {without:.2f} or more without"
    )

# %% [markdown] name="claim-zero-text"
# **The claim**, for three seeds: with zero-γ no output changes at all, whichever block you delete. Without
# it each block changes one of the outputs by more than 0.01.

# %% name="claim-zero" tags=["claim"]
for seed in SEEDS:
    assert max(changed[True][seed]) == 0, "a new block with zero-γ is not the identity"
    assert min(changed[False][seed]) > 0.01, "a new block is the identity anyway"

# %% [markdown] name="fixup"
# ## Without batch norm
#
# Is this what batch norm is good for? Then a network without norms should learn if it begins as the
# identity. This is the idea of *Fixup* [Zhang et al. 2019]. The last layer of each branch begins with
# 0, and so do the weights of the classifier. The other layers of a branch begin smaller. Ours has a factor
# and a bias for each channel in place of batch norm; the paper has single numbers.
#
# We train 20 layers without norms, with the learning rate 0.1. Once they begin with He's weights, and
# once Fixup-like. If the loss passes 1000, we stop.
#
# **Before you run:** what will each of the two losses do, in the first step and later?


# %% name="fixup-run"
FIXUP_STEPS = {"tiny": 40, "small": 60}[size()]


def losses(branches, seed, steps=FIXUP_STEPS):
    """The loss in each step of training; 1000 from where it is above that."""
    model = models.create(
        "preact_resnet20", in_channels=1, rng=seed, norm=None, branches=branches
    )
    optimizer = optim.SGD(model.parameters(), 0.1, momentum=0.9)
    rng = np.random.default_rng(seed)
    found = np.full(steps, 1000.0)
    for step in range(steps):
        batch = rng.integers(len(labels), size=32)
        loss = ops.cross_entropy(model(Tensor(images[batch])), labels[batch])
        if not loss.item() < 1000:
            break
        found[step] = loss.item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return found


without_norms = {
    branches: [losses(branches, seed) for seed in SEEDS] for branches in ("he", "fixup")
}

# %% name="figure-fixup"
steps = np.arange(1, FIXUP_STEPS + 1)
plot_panels(
    [
        Panel(
            "step",
            "loss",
            [
                *[
                    Line("" if seed else "He's weights", steps, one, "other")
                    for seed, one in enumerate(without_norms["he"])
                ],
                Line("Fixup-like", steps, without_norms["fixup"], "residual"),
                Line(
                    "a guess, ln 10",
                    steps,
                    0 * steps + np.log(10),
                    "paper",
                    3,
                    bare=True,
                ),
            ],
            yscale="log",
            wide=True,
        )
    ]
)

# %% [markdown] name="claim-fixup-text"
# Fixup-like, all outputs are nearly 0 at first. So the network says "10 % each", and its loss is
# −ln 0.1 = ln 10 ≈ 2.303. (Our classifier keeps random biases between −1/8 and 1/8. They move the loss by
# less than 0.25.)
#
# **The claim**, for three seeds: Fixup-like, the first loss is ln 10 to within 0.25, and in the last 10
# steps it is below half of ln 10. With He's weights the loss of the last 10 steps is not below 0.9·ln 10.

# %% name="claim-fixup" tags=["claim"]
for seed in SEEDS:
    he, fixup = (without_norms[name][seed] for name in ("he", "fixup"))
    print(
        f"seed {seed}: He's first loss {he[0]:.2f}, last ones {he[-10:].mean():.2f}; "
        f"Fixup-like {fixup[0]:.3f}, {fixup[-10:].mean():.2f}"
    )
    assert abs(fixup[0] - np.log(10)) < 0.25, "it does not begin with a guess"
    assert fixup[-10:].mean() < np.log(10) / 2, "it does not learn"
    assert he[-10:].mean() > 0.9 * np.log(10), "it learns with He's weights, too"

# %% [markdown] name="fixup-read"
# This is said of one learning rate. With 0.01 He's weights learn, too: after 60 steps the loss was between
# 0.2 and 1.0 in three seeds. 20 layers are only 9 blocks, and 2⁹ = 512. With more blocks 2^l grows fast.
# `lab.initialization` is more careful: it tries several rates, and compares the networks at their best ones.

# %% [markdown] name="stochastic"
# ## Leave blocks out
#
# If a block is near the identity, the network can do without it for a moment. *Stochastic depth* does
# this on purpose [Huang et al. 2016]. In each step of training each block l of L is left out at random.
# It *stays* with the probability $p_l$, its *survival probability*:
#
# $$h \leftarrow h + b_l\,F_l(h), \quad b_l = 1 \text{ with probability } p_l, \text{ else } 0 \qquad p_l = 1 - \frac{l}{L}\,(1 - p_L)$$
#
# The first blocks stay nearly always, and the last one with $p_L$, often 0.5. A branch that is left
# out is not computed, so training becomes faster.
#
# **Before you run:** a ResNet-110 has L = 54 blocks. With $p_L$ = 0.5, how many of them are computed in a
# step, on average?

# %% name="count-run"
L = 54
survival = 1 - np.arange(1, L + 1) / L * (1 - 0.5)
computed = []
for seed in SEEDS:
    b = np.random.default_rng(seed).random((2000, L)) < survival  # of 2000 steps
    computed.append(b.sum(1))
    print(
        f"seed {seed}: {computed[-1].mean():.2f} of {L} blocks; "
        f"from {computed[-1].min()} to {computed[-1].max()}"
    )

# %% [markdown] name="claim-count-text"
# The paper says about 40. It is the sum of all $p_l$, and with $p_L$ = 0.5 that is (3L − 1)/4, about three
# quarters of the blocks.
#
# **The claim**, for three seeds: the mean over 2000 steps is within 0.4 of (3L − 1)/4 = 40.25.

# %% name="claim-count" tags=["claim"]
assert np.isclose(survival.sum(), (3 * L - 1) / 4), "the sum is another one"
for seed in SEEDS:
    assert abs(computed[seed].mean() - survival.sum()) < 0.4, "another number of blocks"

# %% [markdown] name="scale"
# ## The factor in evaluation
#
# For the test we want all blocks. But the layers behind block l have seen $F_l$ only in a part $p_l$ of all
# steps. The mean of b·F is p·F. So Huang et al. multiply in evaluation:
#
# $$\text{training: } h + b_l F_l(h) \qquad \text{evaluation: } h + p_l F_l(h)$$
#
# minires and torchvision do it the other way: h + b·F/p in training, h + F in evaluation. The mean is
# again the same. Do one or the other, not both, and not neither.

# %% [markdown] name="exercise-stochastic"
# ### Exercise 10.3
#
# Write a network with stochastic depth as the paper has it. x is an array (N,d), and W (L,d,d) has the
# weights of L blocks: $F_l(h) = relu(h)·W_l$, where $W_1$ is `W[0]`. p_last is $p_L$. b is an array (L,)
# of 0 and 1: which blocks stay in this step of training. In evaluation b is None; ask `b is None`.
# Return the output (N,d).


# %% name="stochastic-depth" tags=["exercise"] exercise="10.3"
def stochastic_depth(x, W, p_last, b):
    raise NotImplementedError  # your answer


# %% name="stochastic-depth-solution" tags=["solution"] exercise="10.3"
def stochastic_depth(x, W, p_last, b):
    L = len(W)
    h = x
    for l in range(1, L + 1):
        p = 1 - l / L * (1 - p_last)
        factor = p if b is None else b[l - 1]
        h = h + factor * (np.maximum(h, 0) @ W[l - 1])
    return h


# %% name="stochastic-depth-check" tags=["check"] exercise="10.3"
check("10.3", stochastic_depth)

# %% [markdown] name="without-blocks"
# ## What does it change?
#
# The paper trained ResNet-110 on CIFAR-10 for 500 epochs. The test error fell from 6.41 % to 5.25 %,
# and a quarter of the time was saved. Some steps on digits cannot show this. They can show something
# else: what such a network has learned.
#
# We train a residual network in the usual way, and another one with $p_L$ = 0.5. They have 20 layers, or
# 14 in a browser. Then we delete blocks from both, at random, and count errors on 200 test images
# (100 in a browser).
#
# **Before you run:** which of the two is better while it is whole? And with 4 blocks deleted?

# %% name="without-blocks-run"
DRAWS = {"tiny": 2, "small": 5}[size()]
NETWORK, TRAINED = {"tiny": ("resnet14", 40), "small": ("resnet20", 150)}[size()]
test_images, test_labels = arrays(test_set, {"tiny": 100, "small": 200}[size()])
DELETED = range(6)


def errors(model, seed):
    """The test error in % with 0, 1, … random blocks deleted: the mean of DRAWS draws."""
    model.eval()
    rng = np.random.default_rng(seed)
    blocks = [one for one in model.modules() if isinstance(one, Block)]
    found = []
    for count in DELETED:
        wrong = []
        for _ in range(DRAWS):
            off = rng.choice(len(blocks), count, replace=False)
            for i, block in enumerate(blocks):
                block.active = i not in off
            with no_grad():
                guess = model(Tensor(test_images)).data.argmax(1)
            wrong.append(100 * np.mean(guess != test_labels))
        found.append(np.mean(wrong))
    for block in blocks:  # so that the network is whole again
        block.active = True
    model.train()
    return found


whole, left_out = (
    [
        errors(next(training(NETWORK, seed, [TRAINED], stochastic_depth=p)), seed)
        for seed in SEEDS
    ]
    for p in (0.0, 0.5)
)

# %% name="figure-without-blocks"
plot_panels(
    [
        Panel(
            "deleted blocks",
            "test error (%)",
            [
                Line("always whole in training", DELETED, whole, "residual"),
                Line("stochastic depth", DELETED, left_out, "other", 1),
            ],
            whole=True,
            wide=True,
        )
    ]
)

# %% [markdown] name="claim-without-blocks-text"
# **The claim**, for three seeds: with 3 to 5 blocks deleted, the network that was trained with stochastic
# depth makes fewer errors than the one that was always whole.

# %% name="claim-without-blocks" tags=["claim"]
for seed in SEEDS:
    a, b = (np.mean(one[seed][3:]) for one in (whole, left_out))
    print(
        f"seed {seed}: whole {whole[seed][0]:.1f} %, without 3 to 5 blocks {a:.0f} % errors; "
        f"stochastic depth {left_out[seed][0]:.1f} %, {b:.0f} %"
    )
    assert b < a, "stochastic depth makes it no more robust"

# %% [markdown] name="summary"
# ## What to remember
#
# - A slice of the loss can be compared only if each filter of the direction is as long as that of the
#   weights. Otherwise it shows the length of the weights.
# - Sharpness is the largest eigenvalue of the Hessian. Products H·v from two gradients are enough to
#   find it. Gradient descent needs a learning rate below $2/\lambda_{max}$.
# - After the same steps a deep plain network is sharper than a deep residual one, but we have not shown
#   it at an equal loss. What has learned less is sharper, too.
# - Without norms the variance doubles in each block. Batch norm makes it grow by 1 a block, and
#   zero-γ not at all: deep blocks begin near the identity, or exactly as it.
# - Stochastic depth leaves blocks out in training. Then p belongs into evaluation, or 1/p into training.
#
# **Read next:** Li et al. 2018, *Visualizing the loss landscape of neural nets*, §4–6; De & Smith 2020,
# *Batch normalization biases residual blocks towards the identity function*, §2–3; Huang et al. 2016,
# *Deep networks with stochastic depth*, §3. In minires:
# [`landscape.py`](../minires/probes/landscape.py), [`hessian.py`](../minires/probes/hessian.py), and the
# experiments [`landscape`](../minires/lab/experiments/landscape.py),
# [`initialization`](../minires/lab/experiments/initialization.py) and
# [`stochastic_depth`](../minires/lab/experiments/stochastic_depth.py).
