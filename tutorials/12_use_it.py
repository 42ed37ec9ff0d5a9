# %% [markdown] name="title"
# # 12. Use it
#
# *60 minutes up to "A pyramid", and 30 for what follows. Before it: lesson 3 (batch normalization) and lesson 7 (train a
# ResNet).*
#
# Afterwards you can
#
# - load trained weights, and say what a file of weights does not tell;
# - show where a network looks, by Grad-CAM and by covering parts of a photograph;
# - fine-tune a network to a folder of your own with a few photographs, and say what stays frozen;
# - say what a network cannot see, and how sure it is nevertheless;
# - (second half) put a feature pyramid on a backbone, and use all of this for your own photographs.

# %% name="setup" tags=["setup"]
import sys

if "google.colab" in sys.modules or sys.platform == "emscripten":  # not at home
    # %pip install -q minires[data,plots]
    pass

import os
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from minires import Tensor, data, explain, models, nn, no_grad, ops, optim, storage
from minires.lessons import check, size
from minires.models.features import enlarged
from minires.plots import Bars, plot_explanations, plot_graph, plot_images, plot_panels
from minires.plots.explanations import Explanation, HeatMap
from minires.predict.classifier import Classifier
from minires.train import train_step
from minires.train.freezing import freeze, train_mode

SEEDS = range(3)

# %% [markdown] name="question"
# ## The question
#
# You have ten photographs of each of three things, and want a network that tells these things apart. In lesson 7 a
# network saw more than a thousand digits. Are thirty photographs enough?
#
# Somewhere a network was trained with many photographs of *other* things. Its weights are a file, and everyone may load
# it. Most such files come from ImageNet, 1.2 million photographs of 1000 things [Russakovsky et al. 2015]. Does one help
# you?
#
# ImageNet does not fit into a lesson that runs in a browser, without a network. So we make a small world of our own.
# A *photograph* has 16×16 pixels: one handwritten digit, somewhere, in some color, in front of a background. The world
# knows the digits 0 to 6, from 1600 photographs. You have 7, 8 and 9, ten photographs of each. All that you do
# here you can do with ImageNet's weights and your own photographs, by the same functions: the last section does it.


# %% name="photographs"
def background(rng):
    """16 patches of random color, with some noise, (3,16,16)."""
    patches = rng.uniform(20, 80, (3, 4, 4)).repeat(4, 1).repeat(4, 2)
    return patches + rng.normal(0, 10, (3, 16, 16))


def photograph(digit, rng):
    """-> (a photograph of an 8×8 digit, (row, column) of its corner)"""
    image = background(rng)
    row, column = rng.integers(0, 9, 2)
    here = image[:, row : row + 8, column : column + 8]
    here += digit / 255 * (rng.uniform(150, 255, (3, 1, 1)) - here)
    return as_bytes(image), (row, column)


def as_bytes(image):
    return image.clip(0, 255).astype(np.uint8)


TRAIN, TEST = 0, 1
DIGITS = [part.take(np.arange(len(part))) for part in data.load("digits")]


def photographs(part, things, count, rng):
    """count photographs of each thing -> images (N,3,16,16), labels (N) from 0, corners (N,2)"""
    digits, names = DIGITS[part]
    chosen = [rng.choice(np.flatnonzero(names == thing), count) for thing in things]
    made = [photograph(digits[k, 0], rng) for k in np.concatenate(chosen)]
    images, corners = (np.array(values) for values in zip(*made))
    return images, np.arange(len(things)).repeat(count), corners


WORLD = range(7)
NEW = range(7, 10)
rng = np.random.default_rng(0)
examples = [photographs(TEST, [thing], 1, rng)[0][0] for thing in range(10)]
plot_images(np.array(examples), range(10), columns=10)

# %% [markdown] name="world"
# ## The weights of the world
#
# This cell does what others do for you: it trains a ResNet-8, and writes its weights to a file. Remember the file, and
# forget the rest.


# %% name="train-world"
STEPS = {"tiny": 140, "small": 400}[size()]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's
prepare = data.normalize(MEAN, STD)


def train(model, images, labels, steps, seed, lr=0.003, batch_size=16, frozen=""):
    """Adam, with a learning rate that falls to 0. frozen: parts that stay as they are."""
    if frozen:
        freeze(model, frozen)
    train_mode(model, frozen)
    moving = [p for p in model.parameters() if p.requires_grad]
    optimizer = optim.Adam(moving, lr)
    rng = np.random.default_rng(seed)
    for step in range(steps):
        optimizer.lr = lr * (1 - step / steps)
        batch = rng.choice(len(labels), batch_size, replace=False)
        train_step(model, optimizer, prepare(images[batch], None), labels[batch])
    return model.eval()


folder = Path(tempfile.mkdtemp())
seen, labels, corners = photographs(TRAIN, WORLD, 230, np.random.default_rng(0))
model = models.create("resnet8", num_classes=7, rng=0)
train(model, seen, labels, STEPS, seed=0, lr=0.006, batch_size=32)
storage.save(folder / "world.safetensors", model.state_dict())

# %% [markdown] name="file"
# What is in this file?

# %% name="show-file"
arrays, _ = storage.load(folder / "world.safetensors")
print(f"{len(arrays)} arrays, {sum(a.size for a in arrays.values()):,} numbers")
for name in [*model.state_dict()][:7]:
    print(f"{name:28} {arrays[name].shape}")

# %% [markdown] name="not-in-file"
# Names and numbers, and nothing else. Four things are not in it, and you must find them elsewhere:
#
# 1. *the network*: a plain network without shortcuts has arrays of the same names and shapes (lesson 5);
# 2. *what the classes are called*, in which order;
# 3. *how large the images were*;
# 4. *what was subtracted from the pixels, and what they were divided by*. ImageNet's networks take
#    pixels from 0 to 1, minus a mean, divided by a standard deviation, for each color.
#
# In minires a `Classifier` has all of it.

# %% name="classifier"
network = models.create("resnet8", num_classes=7)
network.load(folder / "world.safetensors")
world = Classifier(network, "0123456", size=16, mean=MEAN, std=STD)
for k in 0, 3, 8:
    best = world.best(world.probabilities([examples[k]])[0], 3)
    print(f"a {k}:", ", ".join(f"{name} {p:.0%}" for name, p in best))

# %% [markdown] name="claim-prepared-text"
# The 8 gets an answer, too, though no class fits. Keep it in mind.
#
# **Before you run:** if you forget the fourth thing, the mean and the standard deviation, how many percent of the
# photographs does the network get wrong? (If it guesses, 86 %.)
#
# **The claim:** for three seeds, of the photographs, it errs on fewer than 10 % with the right numbers, and on
# more than 50 % without.


# %% name="claim-prepared" tags=["claim"]
def error(classifier, images, labels):
    """In %."""
    return 100 * np.mean(classifier.probabilities(images).argmax(1) != labels)


forgotten = Classifier(network, "0123456", size=16, mean=[0, 0, 0], std=[1, 1, 1])
for seed in SEEDS:
    images, which, _ = photographs(TEST, WORLD, 30, np.random.default_rng(seed))
    right, wrong = (error(c, images, which) for c in (world, forgotten))
    print(f"seed {seed}: {right:.1f} % wrong, and {wrong:.1f} % if they are forgotten")
    assert right < 10, "the weights are bad"
    assert wrong > 50, "the numbers do not matter"

# %% [markdown] name="grad-cam"
# ## Where does it look?
#
# Grad-CAM [Selvaraju et al. 2017] asks which part of an image speaks for a class c. Take a layer whose maps are A¹ …
# Aᴷ, each of H×W pixels. The gradient of the class's logit y says what each map does for it. Its mean over the map
# is α (eq. 1). Then add up the maps, each times its α, and keep what speaks *for* the class (eq. 2):
#
# $$\alpha_k = \frac{1}{HW}\sum_{i,j}\frac{\partial y}{\partial A^k_{ij}} \qquad L = \mathrm{ReLU}\Big(\sum_k \alpha_k A^k\Big)$$

# %% name="figure-grad-cam"
plot_graph(
    {"image": [], "A": ["image"], "y": ["A"], "∂y/∂A": ["y"], "α": ["∂y/∂A"]}
    | {"Σ α·A, ReLU": ["A", "α"]}
)

# %% [markdown] name="exercise-cam"
# ### Exercise 12.1
#
# Write it for one image. A and dA are (K,H,W): the maps, and the gradients of y by them. Return L, (H,W).


# %% name="cam" tags=["exercise"] exercise="12.1"
def cam(A, dA):
    raise NotImplementedError  # your answer


# %% name="cam-solution" tags=["solution"] exercise="12.1"
def cam(A, dA):
    alpha = dA.mean((1, 2), keepdims=True)
    return np.maximum((alpha * A).sum(0), 0)


# %% name="cam-check" tags=["check"] exercise="12.1"
check("12.1", cam)

# %% [markdown] name="occlusion"
# There is another way, which needs no gradient: cover a part with a gray square, and ask the network again. How much
# does the probability of the class fall? Do this at each place [Zeiler & Fergus 2014, §4.2]. (With minires:
# `explain.grad_cam` and `explain.occlusion`.) Here are both. In the second, red is where the probability falls.


# %% name="figure-explained"
def explained(classifier, image, name, layer, patch):
    """A row of the figure: what is seen in an image, and two maps of where."""
    p = classifier.probabilities([image])[0]
    c = int(p.argmax())
    heat = explain.grad_cam(classifier.model, classifier.prepared([image]), c, layer)
    places = classifier.probabilities, image, c, patch, max(1, patch // 2)
    maps = [
        HeatMap(f"Grad-CAM, {layer}", heat),
        HeatMap("occlusion", p[c] - explain.occlusion(*places), True, patch / 2),
    ]
    best = classifier.best(p, 3)
    return Explanation(image, name, best, (classifier.classes[c], p[c]), maps)


plot_explanations(
    [explained(world, examples[k], f"a {k}", "layer2", 4) for k in (0, 3)]
)

# %% [markdown] name="claim-cam-text"
# These maps look convincing. But a picture that looks convincing proves nothing: an edge in an image is bright in
# many maps, whatever a network has learned. So measure, and hold it to a network that has learned nothing
# [Adebayo et al. 2018].
#
# The digit's box is a quarter of the photograph. **Before you run:** how much of the sum of L lies in it, with the
# trained weights, and how much with random ones?
#
# **The claim:** for three seeds it is more than 50 % with the trained weights, and at least 1.5 times as much as with
# random ones.

# %% name="claim-cam" tags=["claim"]
COUNT = {"tiny": 4, "small": 12}[size()]  # photographs of each thing


def in_the_box(model, images, labels, corners):
    """How many percent of Grad-CAM lie in the digit's box, as a mean over images."""
    shares = []
    for image, c, (row, column) in zip(images, labels, corners):
        heat = explain.grad_cam(model, prepare(image[None], None), int(c), "layer2")
        heat = heat.repeat(2, 0).repeat(2, 1)  # (8,8) -> (16,16)
        inside = heat[row : row + 8, column : column + 8].sum()
        shares.append(100 * inside / max(heat.sum(), 1e-9))
    return np.mean(shares)


for seed in SEEDS:
    images, which, where = photographs(TEST, WORLD, COUNT, np.random.default_rng(seed))
    blind = models.create("resnet8", num_classes=7, rng=seed).eval()
    found = in_the_box(network, images, which, where)
    by_chance = in_the_box(blind, images, which, where)
    print(f"seed {seed}: {found:.0f} %, with random weights {by_chance:.0f} %")
    assert found > 50, "Grad-CAM misses the digit"
    assert found > 1.5 * by_chance, "random weights find the digit, too"

# %% [markdown] name="claim-hidden-text"
# Does the network look at the background at all? Put another background in place of one part, and see.
#
# **Before you run:** how many percent are wrong if the digit's box is replaced, a quarter of the image? And if all is
# replaced *but* the box, three quarters?
#
# **The claim:** for three seeds more than 70 % without the digit, and fewer than 15 % without its background.

# %% name="claim-hidden" tags=["claim"]
for seed in SEEDS:
    rng = np.random.default_rng(seed)
    images, which, where = photographs(TEST, WORLD, 30, rng)
    others = np.array([as_bytes(background(rng)) for _ in images])
    box = np.zeros((len(images), 1, 16, 16), bool)
    for k, (row, column) in enumerate(where):
        box[k, :, row : row + 8, column : column + 8] = True
    no_digit = error(world, np.where(box, others, images), which)
    new_place = error(world, np.where(box, images, others), which)
    print(
        f"seed {seed}: {no_digit:.0f} % wrong without the digit,",
        f"{new_place:.0f} % without its background",
    )
    assert no_digit > 70, "it needs no digit"
    assert new_place < 15, "it needs the background"

# %% [markdown] name="folder"
# ## A new folder
#
# Now to your three things. You put your photographs into folders, one for each thing: this is what most programs
# read.

# %% name="write-folder"
for part, name, count in (TRAIN, "train", 30), (TEST, "val", 36):
    images, which, _ = photographs(part, NEW, count, np.random.default_rng(1))
    for k, (image, c) in enumerate(zip(images, which)):
        path = folder / "things" / name / str(NEW[c]) / f"{k:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.transpose(1, 2, 0)).save(path)

yours, others = data.load(folder / "things", size=16)
print(len(yours), "and", len(others), "photographs of", yours.classes)

# %% [markdown] name="new-head"
# The file of weights is for seven classes, and here are three. So the last layer, the *head*, is new, and begins with
# random weights. All before it, the *backbone*, comes from the file. To go on training from there is *fine-tuning*.

# %% name="load-head"
tuned = models.create("resnet8", num_classes=3, rng=0)
print(tuned.load(folder / "world.safetensors", head="new"))

# %% [markdown] name="frozen"
# What has been learned with many photographs can be lost with thirty. So one may *freeze* the backbone: its weights
# stay, and the head alone learns. In PyTorch one writes `p.requires_grad = False` for its parameters.
#
# **Before you run:** all parameters are frozen like this. Then the network sees thirty photographs, half as bright,
# five times in training mode. There is no step of an optimizer. Can its answers change?
#
# **The claim:** for three seeds they do, though no parameter moved. In evaluation mode they do not.

# %% name="claim-frozen" tags=["claim"]
for seed in SEEDS:
    darker = photographs(TRAIN, NEW, 10, np.random.default_rng(seed))[0] // 2
    changed = {}
    for mode in "training", "evaluation":
        model = models.create("resnet8", num_classes=7)
        model.load(folder / "world.safetensors")
        model.requires_grad_(False)
        before = [p.data.copy() for p in model.parameters()]
        model.train(mode == "training")
        for _ in range(5):
            model(Tensor(prepare(darker, None)))
        assert all(map(np.array_equal, before, [p.data for p in model.parameters()]))
        model.eval()
        probabilities = Classifier(model, "0123456", size=16).probabilities(seen[:200])
        changed[mode] = np.max(abs(probabilities - world.probabilities(seen[:200])))
    print(
        f"seed {seed}: probabilities move by up to {changed['training']:.2f},",
        f"and by {changed['evaluation']:.2f} in evaluation mode",
    )
    assert changed["training"] > 0.01, "nothing changed"
    assert changed["evaluation"] == 0, "something changed"

# %% [markdown] name="exercise-norm"
# What moved are buffers, and not parameters: the running statistics of batch norm (lesson 3). Each batch in training
# mode pulls them a tenth of the way to its own. They have no gradient, so `requires_grad` does not stop them.
# A frozen layer must be in evaluation mode, too. `--freeze` of `python -m minires.train` does both.
#
# ### Exercise 12.2
#
# Write batch norm for one step of training, with x (N,C):
#
# $$y = \text{weight}\cdot\frac{x - m}{\sqrt{v + 10^{-5}}} + \text{bias}$$
#
# If `frozen` is true, m and v are the running `mean` and `var`, and these stay. If it is not, m and v are
# the batch's, where v is divided by N. Then the running ones move to 0.9·running + 0.1·batch, and for them the
# batch's variance is divided by N − 1, as in PyTorch. Return y, and the new mean and var.


# %% name="norm" tags=["exercise"] exercise="12.2"
def norm(x, weight, bias, mean, var, frozen):
    raise NotImplementedError  # your answer


# %% name="norm-solution" tags=["solution"] exercise="12.2"
def norm(x, weight, bias, mean, var, frozen):
    m = mean
    v = var
    if not frozen:
        m = x.mean(0)
        v = x.var(0)
        mean = 0.9 * mean + 0.1 * m
        var = 0.9 * var + 0.1 * x.var(0, ddof=1)
    return weight * (x - m) / np.sqrt(v + 1e-5) + bias, mean, var


# %% name="norm-check" tags=["check"] exercise="12.2"
check("12.2", norm)

# %% [markdown] name="fine-tune"
# ## Thirty photographs
#
# Now it is measured. A network that begins with random weights ("from scratch") is trained with thirty photographs,
# and one that begins with the world's, for as many steps. A third one trains the head alone. Each seed takes other
# photographs of the folder, and other random weights.
#
# **Your guess:** of 108 photographs that no network has seen, how many percent does each get wrong? By pure chance it
# is 67 %.

# %% name="guess"
guess_from_scratch = 50  # percent; change both
guess_fine_tuned = 50

# %% name="tune"
TUNING = {"tiny": 40, "small": 100}[size()]
BACKBONE = "conv1,bn1,layer1,layer2,layer3"


def few(seed):
    """Ten photographs of each thing."""
    rng = np.random.default_rng(seed)
    chosen = [
        rng.choice(np.flatnonzero(yours.labels == c), 10, False) for c in range(3)
    ]
    return yours.take(np.concatenate(chosen))


def learned(way, seed):
    """-> a Classifier of the three things"""
    model = models.create("resnet8", num_classes=3, rng=seed)
    if way != "from scratch":
        model.load(folder / "world.safetensors", head="new")
    options = {
        "from scratch": {"steps": TUNING},
        "head alone": {"steps": TUNING, "lr": 0.02, "frozen": BACKBONE},
        "fine-tuned": {"steps": TUNING},
    }[way]
    train(model, *few(seed), seed=seed, **options)
    return Classifier(model, "789", size=16, mean=MEAN, std=STD)


unseen, what = others.take(np.arange(len(others)))
WAYS = ["from scratch", "head alone", "fine-tuned"]
tuned = {way: [learned(way, seed) for seed in SEEDS] for way in WAYS}
errors = {way: [error(c, unseen, what) for c in tuned[way]] for way in WAYS}

# %% name="figure-tuned"
guesses = [guess_from_scratch, None, guess_fine_tuned]
kinds = ["other", "residual", "residual"]
label = "error on unseen photographs (%)"
values = list(errors.values())
plot_panels([Bars(label, WAYS, values, kinds, guesses, "your guess", wide=True)])

# %% [markdown] name="claim-tuned-text"
# **The claim:** for three seeds the fine-tuned network errs less than the one from scratch, by more than 5
# percentage points. And the one from scratch is right for nearly all of its own thirty photographs. So it did not lack time: it
# has learned them by heart.

# %% name="claim-tuned" tags=["claim"]
for seed in SEEDS:
    own = error(tuned["from scratch"][seed], *few(seed))
    scratch = errors["from scratch"][seed]
    fine = errors["fine-tuned"][seed]
    print(
        f"seed {seed}: from scratch {scratch:.0f} % ({own:.0f} % of its own photographs),",
        f"fine-tuned {fine:.0f} %",
    )
    assert fine < scratch - 5, "the weights do not help"
    assert own < 10, "from scratch has not learned"

# %% [markdown] name="command"
# No network of the world had ever seen a 7. What helps is what comes before the head: how strokes, corners and
# circles look, wherever they are, in any color, in front of anything.
#
# With photographs this is one command. MobileNetV2 with ImageNet's weights learns ants and bees from 244 photographs,
# and is right for 95 % of the 153 others, after some 70 seconds of processor time:
#
# ```bash
# python -m minires.train --weights mobilenet_v2-b0353104.pth --dataset hymenoptera --freeze features \
#     --head-lr 0.001 --batch-size 16 --epochs 5
# ```
#
# ## What it cannot see
#
# Your network knows three things, 7, 8 and 9. What does it say of a 0? A softmax gives numbers that add up to 1, and
# none of them is "none of these".
#
# **Before you run:** show the fine-tuned networks photographs of 7, 8 and 9, photographs of 0 to 6, and
# pure noise. How large is the largest probability, as a mean?
#
# **The claim:** for three seeds it is about as sure of what it has never seen. For 0 to 6 its mean is at least nine tenths
# of that for 7, 8 and 9, and for noise too.

# %% name="claim-sure" tags=["claim"]
for seed in SEEDS:
    rng = np.random.default_rng(seed)
    unknown, _, _ = photographs(TEST, WORLD, 15, rng)
    noise = rng.integers(0, 256, (100, 3, 16, 16)).astype(np.uint8)
    classifier = tuned["fine-tuned"][seed]
    known, strange, nothing = (
        classifier.probabilities(images).max(1).mean()
        for images in (unseen, unknown, noise)
    )
    print(
        f"seed {seed}: {known:.2f} for 7, 8, 9; {strange:.2f} for 0 to 6;",
        f"{nothing:.2f} for noise",
    )
    assert strange > 0.9 * known, "it is less sure of strange things"
    assert nothing > 0.9 * known, "it is less sure of noise"

# %% [markdown] name="claim-negative-text"
# So a probability says which of the classes fits best, and not whether one fits.
#
# The network saw bright digits on a dark background. For you a dark digit on a bright background is the same digit.
#
# **Before you run:** in a negative each pixel v becomes 255 − v. How many percent of them does the world's network get
# wrong? And if red and blue are exchanged?
#
# **The claim:** for three seeds more than 60 % of the negatives, and fewer than 15 % with other colors: color was random in
# all that it saw, and brightness was not.

# %% name="claim-negative" tags=["claim"]
for seed in SEEDS:
    images, which, _ = photographs(TEST, WORLD, 30, np.random.default_rng(seed))
    negative = error(world, 255 - images, which)
    exchanged = error(world, images[:, ::-1], which)
    print(
        f"seed {seed}: {negative:.0f} % of the negatives, {exchanged:.0f} % exchanged"
    )
    assert negative > 60, "it sees negatives"
    assert exchanged < 15, "it has learned colors"

# %% [markdown] name="pyramid"
# ## A pyramid
#
# This is the second half. A detector has to say *what* is in an image, and *where*. In a backbone these are apart:
#
# - the first maps are fine, 16×16 here, and each of their pixels sees little of the image;
# - the last maps are coarse, 4×4, and each of their pixels sees nearly all of it.
#
# A *feature pyramid* [Lin et al. 2017, Fig. 3] brings them together. It goes from the top down: each map is made twice as
# high and wide, and added to the next finer one, which a 1×1 convolution has brought to as many channels. It is an add
# again, x + F(x).

# %% name="figure-pyramid"
plot_graph(
    {"image": [], "layer1": ["image"], "layer2": ["layer1"], "layer3": ["layer2"]}
    | {"1×1": ["layer3"], "add": ["layer2", "1×1"], "add ": ["layer1", "add"]}
    | {"P3": ["1×1"], "P2": ["add"], "P1": ["add "]}
)

# %% [markdown] name="claim-sees-text"
# **Before you run:** from how many of the 256 pixels of the image comes one pixel in the middle of layer1, and one of
# the pyramid's finest map, P1?
#
# **The claim:** with random weights it is 49 pixels for layer1, three 3×3 convolutions, and all 256 for P1.

# %% name="claim-sees" tags=["claim"]
LAYERS = ["layer1", "layer2", "layer3"]
CHANNELS = {"layer1": 16, "layer2": 32, "layer3": 64}


def pixels_seen(model, seed):
    """On how many pixels of an image one pixel depends: of layer1, and of P1."""
    backbone = models.features(model, LAYERS)
    pyramid = models.FeaturePyramidNetwork(CHANNELS.values(), 16, rng=seed)
    seen = []
    for P1 in nn.Identity(), pyramid.to(np.float64):
        x = np.random.default_rng(seed).standard_normal((1, 3, 16, 16))
        x = Tensor(x, requires_grad=True)
        P1(backbone(x))["layer1"][:, :, 8, 8].sum().backward()
        seen.append(np.count_nonzero(abs(x.grad).max((0, 1))))
    return seen


for seed in SEEDS:
    model = models.create("resnet8", rng=seed).to(np.float64).eval()
    first, finest = pixels_seen(model, seed)
    print(f"seed {seed}: layer1 sees {first} pixels, P1 sees {finest}")
    assert first == 49, "layer1 sees another part"
    assert finest == 256, "P1 does not see all"

# %% [markdown] name="exercise-top-down"
# ### Exercise 12.3
#
# Write one step down, for one image. C, (K,2H,2W), is the backbone's map, and P, (D,H,W), is what comes from above. The
# 1×1 convolution has the weights w, (D,K), and the bias b, (D). Make P twice as high and wide, so that each of its
# pixels is there four times, 2×2. Return the sum, (D,2H,2W).
#
# (At each pixel a 1×1 convolution is w times the channels: `np.einsum("dk,khw->dhw", w, C)`.)


# %% name="top-down" tags=["exercise"] exercise="12.3"
def top_down(C, P, w, b):
    raise NotImplementedError  # your answer


# %% name="top-down-solution" tags=["solution"] exercise="12.3"
def top_down(C, P, w, b):
    lateral = np.einsum("dk,khw->dhw", w, C) + b[:, None, None]
    return lateral + P.repeat(2, axis=1).repeat(2, axis=2)


# %% name="top-down-check" tags=["check"] exercise="12.3"
check("12.3", top_down)

# %% [markdown] name="detector"
# Does it help? We build the smallest detector. The backbone has the world's weights, and is frozen. Behind it one 1×1
# convolution gives eight numbers for each pixel: how likely the digit's middle is here, and seven logits of what it is.
# It stands on layer1 alone, on layer3 alone, or on the finest map of a pyramid of all three. (Where there is one map,
# the pyramid is a 1×1 and a 3×3 convolution.) Each gets 40 steps.
#
# **Your guess:** which of them knows where, and which knows what?


# %% name="detect"
class Detector(nn.Module):
    """Maps of the backbone -> (N,1+7,16·16): where the middle is, and what is there."""

    def __init__(self, names, seed):
        channels = [CHANNELS[name] for name in names]
        self.finest = names[0]
        self.pyramid = models.FeaturePyramidNetwork(channels, 16, rng=seed)
        self.head = nn.Conv2d(16, 1 + 7, 1, rng=seed)

    def forward(self, maps):
        scores = self.head(ops.relu(self.pyramid(maps)[self.finest]))
        if scores.shape[2] < 16:
            scores = enlarged(scores, (16, 16))
        return scores.reshape(len(scores), 1 + 7, 16 * 16)


DETECTING = 40  # steps
backbone = models.features(network, LAYERS)
order = np.random.default_rng(0).permutation(len(seen))[:600]
with no_grad():  # the backbone is frozen, so that its maps are computed once
    maps = backbone(Tensor(prepare(seen[order], None)))


def middle(corners):
    """The number of the pixel in the middle of a digit."""
    row, column = corners.T + 3
    return 16 * row + column


def train_detector(names, seed):
    detector = Detector(names, seed)
    optimizer = optim.Adam(detector.parameters(), 0.01)
    rng = np.random.default_rng(seed)
    for step in range(DETECTING):
        optimizer.lr = 0.01 * (1 - step / DETECTING)
        k = rng.choice(len(order), 32, replace=False)
        scores = detector({name: Tensor(maps[name].data[k]) for name in names})
        here = middle(corners[order[k]])
        where = ops.cross_entropy(scores[:, 0], here)
        what = ops.cross_entropy(scores[np.arange(32), 1:, here], labels[order[k]])
        optimizer.zero_grad()
        (where + what).backward()
        optimizer.step()
    return detector


def tested(detector, names):
    """-> (mean distance in pixels, error in %) on photographs that were not seen"""
    images, which, at = photographs(TEST, WORLD, 30, np.random.default_rng(0))
    with no_grad():
        found = backbone(Tensor(prepare(images, None)))
        scores = detector({name: found[name] for name in names}).data
    here = scores[:, 0].argmax(1)
    row, column = np.divmod(here, 16)
    distance = np.hypot(row - at[:, 0] - 3, column - at[:, 1] - 3)
    guesses = scores[np.arange(len(here)), 1:, here].argmax(1)
    return np.mean(distance), 100 * np.mean(guesses != which)


ON = {"layer1": ["layer1"], "layer3": ["layer3"], "pyramid": LAYERS}
results = {
    on: [tested(train_detector(names, seed), names) for seed in SEEDS]
    for on, names in ON.items()
}
distances = {on: [distance for distance, _ in results[on]] for on in ON}
mistakes = {on: [wrong for _, wrong in results[on]] for on in ON}

# %% name="figure-detected"
kinds = ["other", "other", "residual"]
plot_panels(
    [
        Bars("where: distance (pixels)", list(ON), list(distances.values()), kinds),
        Bars("what: error (%)", list(ON), list(mistakes.values()), kinds),
    ]
)

# %% [markdown] name="claim-detected-text"
# **The claim:** for three seeds the pyramid is nearer to the middle than layer3 alone, and errs less than layer1
# alone, each by a factor of two or more. (With 200 steps layer1 learns these digits, too: with the 3×3 convolution
# behind it, it sees 9×9 pixels, and a digit has 8×8. In a photograph of the real world things are larger.)

# %% name="claim-detected" tags=["claim"]
for seed in SEEDS:
    for on in ON:
        distance, wrong = results[on][seed]
        print(f"seed {seed}, {on}: {distance:.2f} pixels, {wrong:.1f} % wrong")
    assert 2 * distances["pyramid"][seed] < distances["layer3"][seed], "no nearer"
    assert 2 * mistakes["pyramid"][seed] < mistakes["layer1"][seed], "it errs as much"

# %% [markdown] name="own"
# ## Your own photographs
#
# Now with weights of the real world. Put into `weights` the path of a file, as torchvision has them
# (`mobilenet_v2-b0353104.pth`, `resnet50-11ad3fa6.pth`), and into `photos` a folder with photographs of yours. minires
# finds the network by the names and shapes of its arrays, and knows what ImageNet's classes are called. In a
# browser, drag both into the list of files first. The environment variables `MINIRES_WEIGHTS` and `MINIRES_PHOTOS` do it,
# too. As long as they are empty, the same cell shows photographs of this lesson. (A vision transformer has no maps for
# Grad-CAM. Take a network of convolutions.)

# %% name="own-files"
weights = os.environ.get("MINIRES_WEIGHTS", "")  # change these
photos = os.environ.get("MINIRES_PHOTOS", "")

classifier = Classifier.load(weights) if weights else world
found = Path(photos or folder / "things" / "val").rglob("*.*")
paths = [path for path in sorted(found) if path.suffix.lower() in data.images.ENDINGS]
chosen = paths[:: max(1, len(paths) // 2)][:2]
shape = (1, classifier.in_channels, classifier.size, classifier.size)
layer = explain.last_map(classifier.model, shape) if weights else "layer2"

# %% name="figure-own"
plot_explanations(
    [
        explained(
            classifier,
            classifier.read(path),
            path.name,
            layer,
            max(4, classifier.size // 7),
        )
        for path in chosen
    ]
)

# %% [markdown] name="own-text"
# Look for what this lesson has found: an answer that is sure and wrong, a thing that is not among the classes, a map that
# lies on the background. The commands do the same:
#
# ```bash
# python -m minires.predict photos/ --weights resnet50-11ad3fa6.pth
# python -m minires.explain photos/ --weights resnet50-11ad3fa6.pth --out where.png
# python -m minires.train --weights resnet50-11ad3fa6.pth --dataset things --freeze layer1,layer2,layer3
# ```

# %% [markdown] name="summary"
# ## What to remember
#
# - A file of weights has names and numbers. The network, the classes' names, the size of images, and their mean and
#   standard deviation come from elsewhere, and must be right.
# - Grad-CAM: L = ReLU(Σ α·A), where α is the mean of the gradient over a map. Occlusion asks the network again.
#   Hold either to a network that has learned nothing.
# - Fine-tuning: the head is new, the backbone comes from the file. With thirty photographs it errs far less than
#   from scratch.
# - Frozen means two things: no gradient for its parameters, and evaluation mode, so that running statistics stay.
# - A probability says which class fits best, and not that one fits.
# - What was always the same in training, as bright on dark, is part of what the network knows.
# - A feature pyramid adds coarse maps, which know what, to fine ones, which know where.
#
# **Read next:** Selvaraju et al. 2017, *Grad-CAM*, §3; Adebayo et al. 2018, *Sanity checks for saliency maps*; Lin et al.
# 2017, *Feature pyramid networks for object detection*, §3. In minires: [`explain`](../minires/explain/maps.py),
# [`features.py`](../minires/models/features.py), and [`freezing.py`](../minires/train/freezing.py).
