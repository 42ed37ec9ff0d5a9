# %% [markdown] name="title"
# # 5. Deeper is worse
#
# *45 minutes up to “is it an accident?”, and 15 for the second half. Before it: lesson 3 (batch
# normalization).*
#
# Afterwards you can
#
# - say what the degradation problem is, and draw the figure of the paper again;
# - tell a network that overfits from one that is not trained well, by two curves;
# - show that good weights for the deeper network exist, by building them;
# - (second half) compare two networks over several seeds, and say when a difference is no accident.

# %% name="setup" tags=["setup"]
import sys

if "google.colab" in sys.modules or sys.platform == "emscripten":  # not at home
    # %pip install -q minires[data,plots]
    pass

import tempfile
import textwrap
from pathlib import Path

import numpy as np

from minires import Tensor, data, lab, models, nn, ops, optim, storage
from minires import train as training
from minires.lessons import check, size
from minires.plots import Line, Panel, plot_panels

SEEDS = range(3)

# %% [markdown] name="question"
# ## The question
#
# The network that won ImageNet in 2012 had 8 layers [Krizhevsky et al. 2012]. That of 2014 had 22
# [Szegedy et al. 2015]. Is it enough to stack more layers?
#
# He et al. stacked them. Their networks for small photographs have 3×3 convolutions, each one
# followed by batch norm, and no shortcuts: they call them *plain*. One has 20 layers, one has 56.
#
# **Before you read on:** the one with 56 layers has three times as many weights. Which of the two
# has the lower error on the training images, and which on the test images?

# %% [markdown] name="at-least"
# ## What a deeper network can do at least
#
# Here is an argument on paper [He et al. 2015, §1]. Train a shallow network. Put new layers into it
# that change nothing: each one hands on its input. Now it is a deep network, and it errs exactly as
# often as the shallow one. So for the deep network there are weights that are at least as good.
#
# Can a layer of a plain network change nothing? It is a convolution, then batch norm, then a ReLU.
# The ReLU is no problem. What comes in has passed a ReLU before, so it is not negative, and relu(x)
# is x. The other two are for you.

# %% [markdown] name="exercise-identity"
# ### Exercise 5.1
#
# A convolution without bias takes C channels to C channels. Its kernels are K×K, with K odd, and
# its padding is (K − 1)/2, so that the image keeps its size. Then comes batch norm in evaluation
# mode:
#
# $$y = \gamma\,\frac{x-\text{mean}}{\sqrt{\text{var}+\varepsilon}} + \beta$$
#
# with running statistics `mean` and `var`, arrays (C,), that you get. Return the weight (C,C,K,K),
# γ (C,) and β (C,) for which both together hand on each image unchanged. Take a weight of zeros and
# ones. `weight[o, c]` is the kernel from input channel c to output channel o.


# %% name="identity" tags=["exercise"] exercise="5.1"
def identity_layer(mean, var, kernel_size, eps):
    raise NotImplementedError  # your answer


# %% name="identity-solution" tags=["solution"] exercise="5.1"
def identity_layer(mean, var, kernel_size, eps):
    C = len(mean)
    weight = np.zeros((C, C, kernel_size, kernel_size))
    for c in range(C):
        weight[c, c, kernel_size // 2, kernel_size // 2] = 1
    gamma = np.sqrt(var + eps)
    beta = mean
    return weight, gamma, beta


# %% name="identity-check" tags=["check"] exercise="5.1"
check("5.1", identity_layer)

# %% [markdown] name="train-both"
# ## So let us train them
#
# The deep network *can* be as good. Does training find such weights? That is an experiment of
# minires, [`degradation`](../minires/lab/experiments/degradation.py). It trains plain networks and
# ResNets of several depths on handwritten digits, for some *epochs*: an epoch is one pass over all
# training images. Each network is trained three times. The *seed* is the number from which its random
# weights and the order of the images follow. A ResNet is the same network with a shortcut around each
# pair of layers. The shortcut has no weights.
#
# The training error is counted while the network trains, on images that are shifted by up to one
# pixel (lesson 7 says why). The test images are not shifted. So a test error may be the lower one.
#
# **Your guess:** a plain network of 8 layers will err on 2 to 4 % of the training images (in a browser,
# where the training is shorter, on nearly 20 %). How many will be wrong with the deepest plain network?

# %% name="guess"
my_guess = 10  # % of the training images; change this

# %% name="run-degradation"
SETTINGS: dict = {
    "tiny": {"depths": (8, 20), "epochs": 4, "limit": 480, "batch_size": 32},
    "small": {"depths": (8, 20, 32), "epochs": 6, "limit": 0},
}[size()]
SHALLOW, DEEP = SETTINGS["depths"][0], SETTINGS["depths"][-1]
NETWORKS = [
    f"{kind}{depth}" for kind in ("plain", "resnet") for depth in SETTINGS["depths"]
]
with tempfile.TemporaryDirectory() as folder:
    report = lab.degradation(seeds=len(SEEDS), out=folder, **SETTINGS)
    weights = {
        (network, seed): storage.load_checkpoint(
            Path(
                folder, "degradation", f"{network}-seed{seed}", "checkpoint.safetensors"
            )
        )[0]["model"]
        for network in NETWORKS
        for seed in SEEDS
    }


def errors(network, part):
    """The error in % on the images of "train" or "test" after each epoch: an array (seeds, epochs)."""
    return report.results.of(network, f"{part}_error")


# %% name="figure-degradation"
EPOCHS = range(1, SETTINGS["epochs"] + 1)


def panel_of(part, title, guess=()):
    lines = [
        Line(f"{kind}{depth}", EPOCHS, errors(f"{kind}{depth}", part), style, k)
        for kind, style in (("plain", "plain"), ("resnet", "residual"))
        for k, depth in enumerate(SETTINGS["depths"])
    ]
    if guess:
        lines.append(Line("your guess", (1, EPOCHS[-1]), guess, "paper"))
    return Panel("epoch", "error (%)", lines, title=title, whole=True, yscale="log")


plot_panels(
    [
        panel_of("train", "training images", (my_guess, my_guess)),
        panel_of("test", "test images"),
    ]
)

# %% [markdown] name="claim-degradation-text"
# The deep plain network is worse, on the test images and *on the images that it was trained on*.
# With shortcuts the same layers learn. This is figures 1 and 6 of the paper, with our numbers.
#
# Deep networks also learn later. So a ResNet, too, may lag a little after so few epochs. **The
# claim:** in each seed the additional layers cost the plain network more than 10 points of training
# error. They cost the ResNet less than a third of that. (In a browser, where the training is shorter,
# less than half.)

# %% name="claim-degradation" tags=["claim"]
PART = {"tiny": 1 / 2, "small": 1 / 3}[size()]
last = {
    (network, part): errors(network, part)[:, -1]
    for network in NETWORKS
    for part in ("train", "test")
}


def cost_of_depth(kind, part):
    """By how many points the deepest network errs more than the shallowest, for each seed."""
    return last[f"{kind}{DEEP}", part] - last[f"{kind}{SHALLOW}", part]


for seed in SEEDS:
    plain = cost_of_depth("plain", "train")[seed]
    residual = cost_of_depth("resnet", "train")[seed]
    print(
        f"seed {seed}: {DEEP} layers instead of {SHALLOW} cost {plain:.1f} points without shortcuts, "
        f"{residual:.1f} with"
    )
    assert plain > 10, "the deep plain network learns its images no worse"
    assert residual < PART * plain, "the shortcuts do not help"

# %% [markdown] name="overfitting"
# ## It is not overfitting
#
# "More weights, higher test error" sounds like *overfitting*: a network learns its training images
# by heart, and this does not help with others. How would that look? We can make it happen. We train
# an 8-layer network on only 60 digits, and another one on 600 digits. Both take the same 40 steps.
#
# **Before you run:** which of the two has the lower error on *its own* training images? And which
# on the test images?

# %% name="train-few"
train_set, test_set = data.load("digits")
STEPS = 40
EVERY = {"tiny": 20, "small": 5}[size()]


def images_of(part, count):
    """(images (N,C,H,W), labels (N,)): the first of a data set."""
    return next(iter(data.ArrayLoader(part.limit(count), count)))


def error_of(model, images, labels):
    """The error in %, in evaluation mode."""
    model.eval()
    logits = model(Tensor(images))
    model.train()
    return 100 * np.mean(logits.data.argmax(axis=1) != labels)


def train_on(count, seed):
    """Train on so many digits. -> array (2, STEPS / EVERY): training and test error in every EVERY-th step"""
    images, labels = images_of(train_set, count)
    model = models.create("plain8", in_channels=1, rng=seed)
    optimizer = optim.SGD(model.parameters(), 0.05, momentum=0.9)  # of lesson 7
    rng = np.random.default_rng(seed)
    found = []
    for step in range(1, STEPS + 1):
        batch = rng.choice(count, 30, replace=False)
        loss = ops.cross_entropy(model(Tensor(images[batch])), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % EVERY == 0:
            found.append(
                (error_of(model, images, labels), error_of(model, *TEST_IMAGES))
            )
    return np.array(found).T


TEST_IMAGES = images_of(test_set, len(test_set))
few = {count: [train_on(count, seed) for seed in SEEDS] for count in (60, 600)}

# %% name="figure-few"
at = range(EVERY, STEPS + 1, EVERY)
plot_panels(
    [
        Panel(
            "step",
            "error (%)",
            [
                Line("training", at, [curves[0] for curves in few[count]], "plain"),
                Line("test", at, [curves[1] for curves in few[count]], "residual"),
            ],
            title=f"trained on {count} digits",
        )
        for count in (60, 600)
    ]
)

# %% [markdown] name="two-numbers"
# With 60 digits the training error is 0, and the test error stays high. The *gap* between the two
# is the sign of overfitting. (It is below 0 where the training images are the harder ones, as the
# shifted images are.) Each test error is a sum:
#
# $$\text{test error} = \underbrace{\text{training error}}_{\text{how well it was trained}} + \underbrace{\text{test error} - \text{training error}}_{\text{the gap}}$$
#
# So if one network has a higher test error than another one, you can ask: by how many points is its
# training error higher, and by how many points its gap?

# %% [markdown] name="exercise-why-worse"
# ### Exercise 5.2
#
# Write this question as a function. `train` and `test` are arrays (2,E) with the errors in % after
# each of E epochs. Row 0 is the shallow network, row 1 the deep one. Return two numbers for the
# last epoch: by how many points the training error of the deep network is higher, and by how many
# its gap is. A number below 0 says that the deep network is better there.
#
# For train = [[30, 4], [40, 12]] and test = [[35, 9], [44, 16]] the numbers are 8 and −1.


# %% name="why-worse" tags=["exercise"] exercise="5.2"
def why_worse(train, test):
    raise NotImplementedError  # your answer


# %% name="why-worse-solution" tags=["solution"] exercise="5.2"
def why_worse(train, test):
    gap = test - train
    return train[1, -1] - train[0, -1], gap[1, -1] - gap[0, -1]


# %% name="why-worse-check" tags=["check"] exercise="5.2"
check("5.2", why_worse)

# %% [markdown] name="predict-gap"
# Now ask it of both experiments. Twice a network is worse than another one: that with 60 digits, and the
# deep plain one.
#
# **Before you run:** which of the two is worse by its training error, and which by its gap? What do you
# expect for the numbers of 5.2?

# %% name="measure-gap"
for seed in SEEDS:
    train_60, test_60 = few[60][seed][:, -1]
    train_600, test_600 = few[600][seed][:, -1]
    by_training = cost_of_depth("plain", "train")[seed]
    by_both = cost_of_depth("plain", "test")[seed]
    print(
        f"seed {seed}: 60 digits are {test_60 - test_600:.1f} points worse, "
        f"{train_60 - train_600:.1f} by training"
    )
    print(
        f"        {DEEP} layers are {by_both:.1f} points worse, {by_training:.1f} by training"
    )

# %% [markdown] name="claim-gap-text"
# **The claim:** the network with 60 digits is worse by its gap alone: its training error is 0. The deep
# plain network is worse by its training error: that is more than half of the points. (It may be more
# than all of them. Then its gap is the smaller one.)

# %% name="claim-gap" tags=["claim"]
for seed in SEEDS:
    train_60, test_60 = few[60][seed][:, -1]
    test_600 = few[600][seed][1, -1]
    by_training = cost_of_depth("plain", "train")[seed]
    by_both = cost_of_depth("plain", "test")[seed]
    assert test_60 > test_600 + 5, "60 digits are enough"
    assert train_60 == 0, "60 digits are not learned by heart"
    assert by_training > by_both / 2 > 0, "the deep network is worse by its gap"

# %% [markdown] name="build-it"
# ## The weights exist
#
# So the deep network was trained badly. Might it be that 3×3 convolutions, batch norms and ReLUs in
# such a row just cannot do better? The argument on paper says no. Let us build what it says.
#
# We take a trained plain network of the shallowest kind. It has three *stages*: from one to the next
# the image becomes half as wide. Each stage has n *blocks* of two layers. We make a new deep network,
# and copy the trained blocks into the *first* blocks of each stage. All other blocks we set to the
# identity. A new batch norm has the running statistics 0 and 1. So in evaluation mode γ = √(1 + ε) and
# β = 0 are enough. (Your 5.1 does it for any others.)


# %% name="deepen"
def trained(network, seed):
    """The network that the experiment has trained."""
    model = models.create(network, in_channels=1, rng=0)
    model.load_state_dict(weights[network, seed])
    return model.eval()


def set_to_identity(conv, norm):
    """A convolution and a batch norm that hand on their input in evaluation mode."""
    conv.weight.data[...] = 0
    for c in range(len(conv.weight)):
        conv.weight.data[c, c, 1, 1] = 1
    norm.weight.data[...] = np.sqrt(1 + norm.eps)
    norm.bias.data[...] = 0


def deepened(shallow, depth):
    """A plain network of this depth that computes what the shallow one does."""
    deep = models.create(f"plain{depth}", in_channels=1, rng=0)
    deep.load_state_dict(
        deep.state_dict() | shallow.state_dict()
    )  # same names, same places
    for stage in ("layer1", "layer2", "layer3"):
        copied = len(getattr(shallow, stage))
        for block in list(getattr(deep, stage))[copied:]:
            set_to_identity(block.conv1, block.bn1)
            set_to_identity(block.conv2, block.bn2)
    return deep.eval()


# %% [markdown] name="predict-built"
# **Before you run:** the outputs of the two networks are ten numbers for each image. How large is
# the largest difference? And can your computer's rounding be seen?

# %% name="compare-built"
IMAGES, LABELS = images_of(train_set, SETTINGS["limit"] or len(train_set))
rows = []
for seed in SEEDS:
    shallow = trained(f"plain{SHALLOW}", seed)
    built = deepened(shallow, DEEP)
    layers = sum(isinstance(part, nn.Conv2d) for part in built.modules()) + 1
    outputs = shallow(Tensor(IMAGES)).data
    difference = (
        np.abs(built(Tensor(IMAGES)).data - outputs).max() / np.abs(outputs).max()
    )
    rows.append(
        [
            difference,
            *(
                error_of(model.eval(), IMAGES, LABELS)
                for model in (shallow, built, trained(f"plain{DEEP}", seed))
            ),
        ]
    )
    print(
        f"seed {seed}: {layers} layers; the outputs differ by {difference:.0e} of the largest"
    )

# %% [markdown] name="claim-built-text"
# **The claim:** the deep network that we built has the outputs of the shallow one, but for
# rounding. So it has the same error, in which at most one image may differ. Training from random
# weights, in our few epochs, ended at an error that is more than twice as high. (Here all networks
# are tested in evaluation mode, on images that are not shifted. So the errors differ from those of
# the figure.)

# %% name="claim-built" tags=["claim"]
for seed, (difference, of_shallow, of_built, of_deep) in zip(SEEDS, rows):
    print(
        f"seed {seed}: plain-{SHALLOW} {of_shallow:.1f} %, plain-{DEEP} built {of_built:.1f} %, "
        f"plain-{DEEP} trained {of_deep:.1f} %"
    )
    assert difference < 1e-4, "the built network computes something else"
    assert abs(of_built - of_shallow) < 1.5 * 100 / len(LABELS), "another error"
    assert of_deep > 2 * of_built, "training finds weights that are as good"

# %% [markdown] name="optimization"
# Good weights exist, and in this time training did not find them. So degradation is a problem of
# *optimization*, not of what the network can express.
#
# "In this time": a careful reader stops here. **Before you read on:** what would the deep plain network
# do with 30 epochs? The next cell tries it, if you want to wait for two minutes.

# %% name="train-longer"
TRAIN_LONGER = False  # change this
if TRAIN_LONGER:
    longer = training.Config(dataset="digits", model="plain32", epochs=30, lr=0.05)
    training.run(longer)
else:
    print("this is left out; TRAIN_LONGER = True trains plain32 for 30 epochs")

# %% [markdown] name="longer"
# We did it with the seeds 0, 1 and 2. After 30 epochs the training error of plain32 was 1.0, 0.7 and
# 1.4 %, its test error 1.1, 1.4 and 1.7 %. That of plain8 was at most 0.2 % and 0.8 %. So on our easy
# digits plain32 finds good weights, too, but much later. What shortcuts buy here is speed.
#
# Go deeper, and 30 epochs are not enough either. The training error of plain56, the depth of the
# paper, ended at 49, 62 and 43 %. Would it, too, come later? We cannot tell. The paper's photographs
# are harder: there more time did not help (see below).
#
# Why is it so hard? A plain layer has to *learn* to hand on its input: 1 in the middle, 0
# elsewhere, and this for each of many layers. A residual block does it with F = 0. If "change
# nothing" is a good start, then F = 0 is easier to find [He et al. 2015, §3.1]. Lesson 6 looks at
# the gradients, and finds more.

# %% [markdown] name="paper"
# ## The paper's numbers beside ours
#
# In the table ± is the standard deviation over the seeds, not a confidence interval.

# %% name="paper-table"
columns = ("network", "training error", "test error", "the paper's (CIFAR-10)")
print("all errors in %, after the last epoch")
for row in (columns, *report.table.rows):
    print("".join(f"{cell:<18}" for cell in row))

# %% [markdown] name="paper-text"
# The paper has photographs, CIFAR-10, and 64,000 steps. Ours are digits, and about a hundred steps.
# So the direction is the same, not the numbers. Three things to know:
#
# - *There more time does not help.* The authors trained plain networks three times as long, and still saw
#   it [§4.1].
# - *It is not only CIFAR.* On ImageNet a plain network errs with 18 layers on 27.94 %, with 34
#   layers on 28.54 %. With shortcuts it is 27.88 % and 25.03 % [Table 2].
# - *It is not only depth.* A ResNet with 1202 layers learns its training images well. It has a
#   higher test error than one with 110. That is overfitting, the authors say [§4.2].
#
# And a warning. "20 layers 7.4 %, 56 layers 8.5 %" is quoted often as the paper's result for plain
# networks. We found no source for it. The paper prints no numbers for plain networks on CIFAR-10.
# Its figure 6 says about 9.5 % and 13.5 %. Read a figure yourself before you quote it.

# %% [markdown] name="accident"
# ## Second half: is it an accident?
#
# Two trainings of the *same* network with two seeds end at two errors. So one pair of networks
# shows nothing. We have three pairs. In a pair both networks have the same order of images. So
# compare them in pairs: take the difference d of each seed, and ask how sure its mean is.
#
# Student's t interval says it. With n differences of standard deviation s (divided by n − 1) it is
#
# $$\bar d \pm t\cdot\frac{s}{\sqrt n}$$
#
# where t depends on n: 4.303 for 3 seeds, 2.776 for 5, 2.262 for 10. If the whole interval is above
# 0, minires says *held*, if it is below, *refuted*, otherwise *undecided*. The interval is right in
# 95 of 100 such experiments, if the differences scatter as a bell curve does.

# %% [markdown] name="exercise-interval"
# ### Exercise 5.3
#
# Write the interval. a and b are arrays (n,): the errors of two networks, seed by seed. t is the
# number from above that belongs to n. Return the low and the high end of the interval for the mean
# of a − b.


# %% name="interval" tags=["exercise"] exercise="5.3"
def paired_interval(a, b, t):
    raise NotImplementedError  # your answer


# %% name="interval-solution" tags=["solution"] exercise="5.3"
def paired_interval(a, b, t):
    d = a - b
    half = t * d.std(ddof=1) / np.sqrt(len(d))
    return d.mean() - half, d.mean() + half


# %% name="interval-check" tags=["check"] exercise="5.3"
check("5.3", paired_interval)

# %% [markdown] name="verdict-text"
# minires has compared three differences in this way:
#
# 1. the training error of the deepest plain network, minus that of the shallowest;
# 2. what depth costs the plain network, minus what it costs the ResNet;
# 3. the training error of the shallowest ResNet, minus that of the deepest.
#
# The third should be about 0, and no interval can show a difference of exactly 0. So minires allows 2
# points, and the bar is −2 there. With so few seeds and epochs a part may be *undecided*. That is no
# failure. It says what the data cannot tell.
#
# **Before you run:** which of the three differences will have the widest interval?

# %% name="verdict"
for comparison in report.comparisons:
    print(textwrap.fill(str(comparison), 86, subsequent_indent="    "))

# %% [markdown] name="verdict-read"
# Those with the plain network are the widest. From seed to seed the deep plain network ends at very
# different errors, and the ResNet at nearly the same. More seeds would make each interval narrower:
# with four times as many it is less than half as wide.

# %% [markdown] name="summary"
# ## What to remember
#
# - *Degradation*: with more layers a plain network has a higher *training* error.
# - Overfitting looks different: a low training error, and a wide gap to the test error.
# - Weights with which the deep network is as good exist. You can build them from identities. So the
#   problem is optimization: training finds them much later, or not at all.
# - A difference between networks needs several seeds, compared in pairs, and an interval.
#
# **Read next:** He et al. 2015, *Deep residual learning for image recognition*, §1, §3.1 and §4.2;
# Chen et al. 2016, *Net2Net*, who build deeper networks in this way to save time. In minires:
# [`degradation.py`](../minires/lab/experiments/degradation.py), and its statistics,
# [`statistics.py`](../minires/lab/statistics.py). Lesson 6 asks what the one addition changes.
