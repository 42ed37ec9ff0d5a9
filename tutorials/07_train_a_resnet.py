# %% [markdown] name="title"
# # 7. Train a ResNet
#
# *35 minutes up to the function `fit`, and 35 for the second half. Before it: lesson 3 (batch
# normalization) and lesson 6 (one plus ∂F/∂x).*
#
# Afterwards you can
#
# - write a training from its parts: data, augmentation, optimizer, schedule;
# - (second half) find a learning rate by one short run;
# - (second half) say why the learning rate falls at the end, and measure what this is worth;
# - (second half) tell three mistakes by their curves, and avoid one that no curve shows.

# %% name="setup" tags=["setup"]
import sys

if "google.colab" in sys.modules or sys.platform == "emscripten":  # not at home
    # %pip install -q minires[data,plots]
    pass

import numpy as np

from minires import Tensor, data, models, ops, optim
from minires import train as training
from minires.lessons import check, exercises, size
from minires.plots import Line, Panel, plot_images, plot_panels

SEEDS = range(3)
IMAGES, TEST, EPOCHS = {"tiny": (700, 180, 4), "small": (1437, 360, 8)}[size()]

# %% [markdown] name="question"
# ## The question
#
# You have a network, and a gradient that is right. One step of gradient descent is one line. Why
# then do trainings of the same network end at 3 % error, at 30 %, or at 90 %?
#
# Because a training has parts that cannot be seen in the network: which images it gets, how they are
# changed, how long a step is, and when. We build each part once by hand. Then we break them.

# %% [markdown] name="data"
# ## The data
#
# We take handwritten digits again: 8×8 pixels, bytes from 0 (black) to 255 (white).

# %% name="figure-digits"
whole_set, test_set = data.load("digits")
train_set = whole_set.limit(IMAGES)
test_set = test_set.limit(TEST)
images, labels = train_set[:8]
print(f"{len(train_set)} images for training, {len(test_set)} for the test")
print(f"images {images.shape} {images.dtype}, labels {labels.shape}")
plot_images(images, labels)

# %% [markdown] name="normalize"
# A network does not get bytes. Each channel is *normalized*: (pixel/255 − mean)/std, with mean and
# std of the training images. So the numbers that come in are about as large as those inside.
#
# A *loader* shuffles the images and cuts them into *batches*. One pass over all images is an
# *epoch*. The next epoch has another order.
#
# **Before you run:** a batch has 50 images. Images that do not fill a batch are left out
# (`drop_last`). How many steps has an epoch? And which loss will the new network have on its first
# batch? It has ten classes, and knows nothing.

# %% name="first-loss"
BATCH = 50
normalize = data.normalize(train_set.mean, train_set.std)
loader = data.ArrayLoader(
    train_set, BATCH, shuffle=True, seed=0, transform=normalize, drop_last=True
)
images, labels = next(iter(loader))
model = models.create("resnet8", in_channels=1, rng=0)
loss = ops.cross_entropy(model(Tensor(images)), labels)
print(f"an epoch has {len(loader)} steps; the first batch has the shape {images.shape}")
print(
    f"mean {images.mean():.2f}, standard deviation {images.std():.2f}; loss {loss.item():.2f}"
)

# %% [markdown] name="first-loss-text"
# A guess that gives each class the probability 1/10 has the loss ln 10 ≈ 2.3. Random weights do not
# guess quite so evenly, so 2.3 to 3 is right. This is the first check of each training: is the
# first loss near ln(number of classes)? If it is far larger, the weights or the images have a wrong
# size. If it is smaller, something is wrong, too: does the network see the labels?

# %% [markdown] name="augmentation"
# ## Augmentation: more images for nothing
#
# A 3 that stands one pixel further to the left is still a 3. So we may show the network a shifted
# image each time. It learns what a 3 is, and not where each pixel of *this* 3 is. The paper puts 4
# pixels on each side of a 32×32 image and cuts out 32×32 at random [He et al. 2015, §4.2]. Our
# images are smaller, so we put 1 black pixel on each side.
#
# The paper also flips half of the images from left to right. **Before you read on:** would you flip
# digits?

# %% name="figure-augmented"
augment = data.random_crop(8, padding=1)
rng = np.random.default_rng(0)
three = train_set.pixels(np.flatnonzero(train_set.labels == 3)[:1])
crops = augment(np.repeat(three, 6, axis=0), rng)
flipped = three[..., ::-1]
plot_images(
    np.concatenate([three, crops, flipped]), ["a 3", *["cropped"] * 6, "flipped"]
)

# %% [markdown] name="exercise-crop"
# A flipped 3 is no digit, so we only shift.
#
# ### Exercise 7.1
#
# Write the crop. `images` is an array (N,C,H,W). Put `padding` rows and columns of zeros on each
# side. Then cut H×W pixels out of each image. `offsets` is an array (N,2) of whole numbers: row and
# column of the padded image at which the crop begins. Return an array (N,C,H,W).


# %% name="crop" tags=["exercise"] exercise="7.1"
def crop(images, padding, offsets):
    raise NotImplementedError  # your answer


# %% name="crop-solution" tags=["solution"] exercise="7.1"
def crop(images, padding, offsets):
    N, C, H, W = images.shape
    padded = np.zeros((N, C, H + 2 * padding, W + 2 * padding))
    padded[:, :, padding : padding + H, padding : padding + W] = images
    crops = np.zeros((N, C, H, W))
    for n in range(N):
        top, left = offsets[n]
        crops[n] = padded[n, :, top : top + H, left : left + W]
    return crops


# %% name="crop-check" tags=["check"] exercise="7.1"
check("7.1", crop)

# %% [markdown] name="sgd"
# ## The optimizer: SGD with momentum and weight decay
#
# Let g be the gradient of the loss on one batch. It is noisy: another batch gives another g. Two
# additions are usual [He et al. 2015, §4.2: μ = 0.9, λ = 0.0001].
#
# $$v \leftarrow \mu\,v + (g + \lambda\,w) \qquad w \leftarrow w - \eta\,v$$
#
# *Momentum*, μ: v remembers the gradients of the last steps. What they agree on adds up. What
# changes its sign from step to step cancels. *Weight decay*, λ: λ·w is the gradient of ½λ‖w‖², so
# each step also makes w a little smaller. η is the learning rate. v begins at 0.
#
# **Before you run:** suppose g is the same in each step, and λ = 0. How large does v become in the
# end, with μ = 0.9?

# %% name="momentum"
v = 0.0
for step in range(1, 61):
    v = 0.9 * v + 1.0
    if step in (1, 2, 5, 20, 60):
        print(f"after {step:2} steps v = {v:.2f}·g")

# %% [markdown] name="exercise-sgd"
# 1/(1 − μ) = 10 times. So with momentum 0.9 a step is up to ten times as long as η·g. Keep this in
# mind when you compare learning rates.
#
# ### Exercise 7.2
#
# Write one step. w, g and v are arrays of one shape. Return the new w and the new v, and leave the
# arrays that you get unchanged.


# %% name="sgd-step" tags=["exercise"] exercise="7.2"
def sgd_step(w, g, v, lr, momentum, weight_decay):
    raise NotImplementedError  # your answer


# %% name="sgd-step-solution" tags=["solution"] exercise="7.2"
def sgd_step(w, g, v, lr, momentum, weight_decay):
    v = momentum * v + g + weight_decay * w
    w = w - lr * v
    return w, v


# %% name="sgd-step-check" tags=["check"] exercise="7.2"
check("7.2", sgd_step)

# %% [markdown] name="predict-sgd"
# minires has this optimizer, too, as [`optim.SGD`](../minires/optim/sgd.py), with PyTorch's name
# and settings. Let us go three steps with both on a real network, with your function and with
# `optim.SGD`. (As long as 7.2 is not right, the next cell takes its solution, and says so.)
#
# **Before you run:** by how much will the two differ after three steps? Your numbers have 64 bits here, and
# those of `optim.SGD` have 32.

# %% name="measure-sgd"
(exercise,) = (one for one in exercises(7) if one.number == "7.2")
is_right = check("7.2", sgd_step).passed
step_by_hand = sgd_step if is_right else exercise
if not is_right:
    print("7.2 is not right yet: these are the steps of its solution")
differences = []
for seed in SEEDS:
    model = models.create("resnet8", in_channels=1, rng=seed)
    parameters = list(model.parameters())
    by_hand = [w.data.astype(float) for w in parameters]
    velocities = [np.zeros(w.shape) for w in parameters]
    begin = np.concatenate([w.ravel() for w in by_hand])
    optimizer = optim.SGD(parameters, 0.1, momentum=0.9, weight_decay=5e-4)
    for images, labels in list(loader.epoch(0))[:3]:
        loss = ops.cross_entropy(model(Tensor(images)), labels)
        optimizer.zero_grad()
        loss.backward()
        for k, parameter in enumerate(parameters):
            g = parameter.grad.astype(float)
            by_hand[k], velocities[k] = step_by_hand(
                by_hand[k], g, velocities[k], 0.1, 0.9, 5e-4
            )
        optimizer.step()
        mine = np.concatenate([w.ravel() for w in by_hand])
        theirs = np.concatenate([w.data.ravel() for w in parameters])
        moved = np.linalg.norm(mine - begin)
        differences.append((seed, np.linalg.norm(mine - theirs) / moved))
    print(
        f"seed {seed}: the weights moved by {moved:.2f}; after each step the two differ by",
        end=" ",
    )
    print(", ".join(f"{error:.0e}" for of, error in differences if of == seed), "of it")

# %% [markdown] name="claim-sgd-text"
# **The claim:** after each step the two formulas have given the weights of `optim.SGD`, but for rounding:
# they differ by less than 10⁻⁵ of the way that the weights have gone.

# %% name="claim-sgd" tags=["claim"]
for seed, error in differences:
    assert error < 1e-5, f"seed {seed}: optim.SGD does something else"

# %% [markdown] name="training"
# ## The training
#
# Now all parts together. These lines are the heart of [`minires.train`](../minires/train/step.py),
# too. Some options of the function make mistakes, for later.


# %% name="fit"
def fit(seed, schedule, augmented=True, zero_grad=True):
    """Train a ResNet-8; schedule(step) is the learning rate.

    -> (arrays {"train", "test", "error"}: losses and the test error in % after each epoch; the network)
    """
    transform = data.compose(augment, normalize) if augmented else normalize
    loader = data.ArrayLoader(
        train_set, BATCH, shuffle=True, seed=seed, transform=transform, drop_last=True
    )
    model = models.create("resnet8", in_channels=1, rng=seed)
    optimizer = optim.SGD(model.parameters(), momentum=0.9, weight_decay=5e-4)
    found = {"train": [], "test": [], "error": []}
    step = 0
    for epoch in range(EPOCHS):
        losses = []
        for images, labels in loader.epoch(epoch):
            loss = ops.cross_entropy(model(Tensor(images)), labels)
            if zero_grad:
                optimizer.zero_grad()
            loss.backward()
            optimizer.lr = schedule(step)
            optimizer.step()
            losses.append(loss.item())
            step += 1
        model.eval()
        logits = model(Tensor(TEST_IMAGES))
        model.train()
        found["train"].append(np.mean(losses))
        found["test"].append(ops.cross_entropy(logits, TEST_LABELS).item())
        wrong = logits.data.argmax(axis=1) != TEST_LABELS
        found["error"].append(100 * wrong.mean())
    return {key: np.array(values) for key, values in found.items()}, model


TEST_IMAGES, TEST_LABELS = next(iter(data.ArrayLoader(test_set, len(test_set))))
STEPS = EPOCHS * (len(train_set) // BATCH)

# %% [markdown] name="range"
# ## Second half: which learning rate?
#
# One short run says it: begin with a tiny rate, and multiply it in each step, until the loss
# explodes. (The idea is of Smith [2017].) At the left nothing happens, because steps are too short.
# At the right steps are so long that the loss rises. A good rate lies between: about where the loss
# is lowest, because beyond that the steps do harm.
#
# **Your guess:** at which rate will the loss be lowest?

# %% name="guess"
my_guess = 0.01  # change this

# %% name="measure-range"
RATES = np.geomspace(1e-4, 10, {"tiny": 30, "small": 60}[size()])


def losses_along(seed):
    """The loss of a new network in each step, while the rate grows."""
    model = models.create("resnet8", in_channels=1, rng=seed)
    optimizer = optim.SGD(model.parameters(), momentum=0.9)
    loader = data.ArrayLoader(
        train_set, BATCH, shuffle=True, seed=seed, transform=normalize, drop_last=True
    )
    losses = []
    while len(losses) < len(RATES):
        for images, labels in loader:
            loss = ops.cross_entropy(model(Tensor(images)), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.lr = RATES[len(losses)]
            optimizer.step()
            losses.append(loss.item())
            if len(losses) == len(RATES):
                break
    return losses


along = np.array([losses_along(seed) for seed in SEEDS])

# %% name="figure-range"
plot_panels(
    [
        Panel(
            "learning rate",
            "loss on the batch",
            [
                Line("three networks", RATES, np.minimum(along, 10)),
                Line("your guess", (my_guess, my_guess), (0.05, 10), "paper"),
            ],
            xscale="log",
            yscale="log",
            wide=True,
        )
    ]
)

# %% [markdown] name="claim-range-text"
# (Losses above 10 are drawn at 10.) **The claim:** the loss is lowest at a rate between 0.05 and 2.
# It is less than a third of what it was at the beginning. At the highest rate it is higher than at
# the beginning.

# %% name="claim-range" tags=["claim"]
lowest = []
for seed, losses in zip(SEEDS, along):
    smooth = np.convolve(losses, np.ones(5) / 5, "valid")  # means of 5 steps
    best = RATES[2:-2][smooth.argmin()]
    lowest.append(best)
    print(
        f"seed {seed}: loss {losses[0]:.2f} at first, {smooth.min():.2f} at rate {best:.2f}, "
        f"{losses[-1]:,.0f} at rate {RATES[-1]:g}"
    )
    assert 0.05 < best < 2, "the loss is lowest at another rate"
    assert smooth.min() < losses[0] / 3, "the network does not learn"
    assert losses[-1] > losses[0], "the highest rate is not too high"
print(
    f"the middle of the three rates (their geometric mean): {np.exp(np.mean(np.log(lowest))):.2f}"
)

# %% [markdown] name="schedules"
# We take 0.3, which is near the middle of the three (0.4 in a browser). That is as high as it goes, and
# a *schedule* makes it lower at the beginning and at the end.
#
# - At the end, because the gradient of a batch is noisy. With steps of one length w jumps around
#   the minimum, and does not come nearer. Shorter steps average the noise.
# - At the beginning, because new weights change fast. The gradient here says little about the loss
#   one long step away. This is called *warm-up*.
#
# He et al. [2015] divide the rate by 10 twice. *One-cycle* goes up, then down to almost 0 [Smith &
# Topin 2018]. Each schedule of minires is a function of the step.

# %% name="figure-schedules"
LR = 0.3
SCHEDULES = {
    "constant": optim.constant(LR),
    "multistep": optim.multistep(LR, (STEPS // 2, STEPS * 3 // 4)),
    "one-cycle": optim.one_cycle(LR, STEPS),
}
STYLES = {"constant": "plain", "multistep": "other", "one-cycle": "residual"}
plot_panels(
    [
        Panel(
            "step",
            "learning rate",
            [
                Line(
                    name,
                    range(STEPS),
                    [schedule(k) for k in range(STEPS)],
                    STYLES[name],
                )
                for name, schedule in SCHEDULES.items()
            ],
            wide=True,
        )
    ]
)

# %% [markdown] name="exercise-schedule"
# ### Exercise 7.3
#
# Write a schedule that is used for many large networks: a warm-up along a line, then half a cosine.
#
# $$\eta_k = \eta_{\max}\cdot\frac{k+1}{\text{warmup}} \ \text{ for } k < \text{warmup} \qquad
# \eta_k = \eta_{\max}\cdot\frac12\Bigl(1+\cos\frac{\pi\,(k-\text{warmup})}{\text{steps}-\text{warmup}}\Bigr) \ \text{ afterwards}$$
#
# Return the rates of the steps k = 0 … steps − 1, an array (steps,). `warmup` may be 0. For steps =
# 10, warmup = 4 and η_max = 0.2 they begin with 0.05, 0.1, 0.15, 0.2, 0.2.


# %% name="schedule" tags=["exercise"] exercise="7.3"
def warmup_cosine(steps, warmup, max_lr):
    raise NotImplementedError  # your answer


# %% name="schedule-solution" tags=["solution"] exercise="7.3"
def warmup_cosine(steps, warmup, max_lr):
    rates = np.zeros(steps)
    for k in range(steps):
        if k < warmup:
            rates[k] = max_lr * (k + 1) / warmup
        else:
            x = (k - warmup) / (steps - warmup)
            rates[k] = max_lr * (1 + np.cos(np.pi * x)) / 2
    return rates


# %% name="schedule-check" tags=["check"] exercise="7.3"
check("7.3", warmup_cosine)

# %% [markdown] name="predict-constant"
# ## What the fall at the end is worth
#
# We train with all three schedules. Up to its first division by 10, multistep *is* the constant
# rate: the same weights, the same images, the same steps. So all that differs afterwards comes from
# the fall. (One-cycle changes the beginning, too.)
#
# **Before you run:** shorter steps move the weights less. What will the test error of multistep do
# in the epoch after the first division? And that of the constant rate?

# %% name="compare-schedules"
trained = {
    name: [fit(seed, schedule) for seed in SEEDS]
    for name, schedule in SCHEDULES.items()
}


def curves(name, key):
    """One of the curves, for each seed: an array (seeds, epochs)."""
    return np.array([found[key] for found, model in trained[name]])


# %% name="figure-compare"
AT = range(1, EPOCHS + 1)
plot_panels(
    [
        Panel(
            "epoch",
            what,
            [Line(name, AT, curves(name, key), STYLES[name]) for name in SCHEDULES],
            yscale="log",
            whole=True,
        )
        for key, what in (("train", "training loss"), ("error", "test error (%)"))
    ]
)

# %% [markdown] name="claim-compare-text"
# With a long step w jumps around the minimum. As soon as the steps are shorter, it comes nearer.
# **The claim:** in each seed, the first epoch after the division brings the test error of multistep
# below two thirds of what it was. And at the end its test loss is below two thirds of that with the
# constant rate. (We take the mean of the last two epochs. With the constant rate the last one alone
# would be luck: in a single training its error goes up and down.)

# %% name="claim-compare" tags=["claim"]
DIVIDED = EPOCHS // 2  # epochs before the first division
for seed in SEEDS:
    before, after = curves("multistep", "error")[seed, DIVIDED - 1 : DIVIDED + 1]
    constant, multistep, cycle = (
        curves(name, "test")[seed, -2:].mean() for name in SCHEDULES
    )
    print(
        f"seed {seed}: the division brings the error from {before:.1f} to {after:.1f} %"
    )
    print(
        f"        test loss at the end: constant {constant:.3f}, multistep {multistep:.3f}, "
        f"one-cycle {cycle:.3f}"
    )
    assert after < 2 / 3 * before, "shorter steps do not lower the error at once"
    assert multistep < 2 / 3 * constant, "the fall at the end does not help"

# %% [markdown] name="quiz"
# ## Read the curves
#
# Four trainings, three seeds each. One is right. In one the learning rate is ten times higher. In
# one the augmentation is missing. In one `optimizer.zero_grad()` was forgotten, so that each gradient
# is added to all that came before. A generator deals out the letters A to D. Then look at the loss at
# the end, and at the gap between training and test.

# %% name="train-mistakes"
one_cycle = SCHEDULES["one-cycle"]
trained["right"] = trained["one-cycle"]
trained["rate"] = [fit(seed, optim.one_cycle(10 * LR, STEPS)) for seed in SEEDS]
trained["augmentation"] = [fit(seed, one_cycle, augmented=False) for seed in SEEDS]
trained["zero_grad"] = [fit(seed, one_cycle, zero_grad=False) for seed in SEEDS]
FOUR = ["right", "rate", "augmentation", "zero_grad"]
DEALT = dict(zip("ABCD", np.random.default_rng(2).permutation(FOUR)))  # do not print it

# %% name="figure-mistakes"
plot_panels(
    [
        Panel(
            "epoch",
            "loss",
            [
                Line("training", AT, curves(DEALT[letter], "train"), "plain"),
                Line("test", AT, curves(DEALT[letter], "test"), "residual"),
            ],
            title=letter,
            yscale="log",
            whole=True,
        )
        for letter in "ABCD"
    ]
)

# %% [markdown] name="guess-four"
# **Your guess:** which one is which? Write a letter for each.

# %% name="my-guess-of-four"
my_guess_of_four = {  # change these
    "right": "?",
    "rate": "?",
    "augmentation": "?",
    "zero_grad": "?",
}
hits = sum(DEALT.get(letter) == what for what, letter in my_guess_of_four.items())
print(f"{hits} of 4 are right")

# %% [markdown] name="answers"
# - **A** is the forgotten `zero_grad`. The loss rises above ln 10 ≈ 2.3, so the network is worse
#   than a guess. v is a sum already; a sum of sums grows and grows.
# - **B** has no augmentation. Its training loss is the lowest of all four, almost 0, and its test
#   loss is not: there is a gap. It knows its images by heart. Shift the *same* images by one pixel
#   at most, and it is wrong on more than 40 % of them. Its loss there is about that of a guess, because
#   it is sure of its wrong answers. (On the test images of our easy digits this costs little. On
#   photographs it costs several points.)
# - **C** is right. Training and test loss fall together. Is the test loss even a little lower? That
#   is no miracle. The line of the training loss has shifted images, and it is a mean over an epoch in
#   which the weights still improve. In evaluation mode and without shifts the training loss is lower.
# - **D** has the rate that is too high. The loss falls late, when the schedule brings the rate
#   down, and ends high.
#
# **The claim**, for each seed: at the end the training loss of A is above ln 10, that of B less than
# half of C's, and that of D more than twice C's. B and C we measure again, in evaluation mode, on
# their training images as they are, and shifted. On shifted ones B has a loss above 1.5, and C below
# 0.5. C has the smaller gap.


# %% name="claim-mistakes" tags=["claim"]
def measured_on(model, transform):
    """(loss, error in %) on all training images in evaluation mode."""
    everything = data.ArrayLoader(train_set, len(train_set), transform=transform)
    images, labels = next(iter(everything))
    model.eval()
    logits = model(Tensor(images))
    model.train()
    error = 100 * np.mean(logits.data.argmax(axis=1) != labels)
    return ops.cross_entropy(logits, labels).item(), error


shift = data.compose(augment, normalize)
for seed in SEEDS:
    last = {what: curves(what, "train")[seed, -1] for what in FOUR}
    print(
        f"seed {seed}: drawn at the end: A {last['zero_grad']:.0f}, B {last['augmentation']:.3f}, "
        f"C {last['right']:.3f}, D {last['rate']:.3f}"
    )
    plain = {}
    shifted = {}
    gap = {}
    for letter, what in (("B", "augmentation"), ("C", "right")):
        model = trained[what][seed][1]
        plain[letter], _ = measured_on(model, normalize)
        shifted[letter], error = measured_on(model, shift)
        gap[letter] = curves(what, "test")[seed, -1] - plain[letter]
        print(
            f"        {letter} on its images {plain[letter]:.3f}, on shifted ones "
            f"{shifted[letter]:.2f}, {error:.1f} % errors; gap to the test {gap[letter]:.3f}"
        )
    assert last["zero_grad"] > np.log(10), "without zero_grad it still learns"
    assert last["rate"] > 2 * last["right"], "the rate is not too high"
    assert last["augmentation"] < last["right"] / 2, "B does not learn by heart"
    assert shifted["B"] > 1.5, "B knows more than its images"
    assert shifted["C"] < 0.5, "C does not know shifted images"
    assert gap["B"] > gap["C"] > 0, "the augmentation does not narrow the gap"

# %% [markdown] name="eval-mode"
# ## The mistake that no curve shows
#
# The fourth mistake happens at the test: `model.eval()` is forgotten. Then batch norm takes mean and
# variance of the test batch. So what the network says about an image depends on the other images of
# its batch.
#
# **Before you run:** we test the right networks with batches of 2 to 360 images, in both modes. At
# which batch size does the error change, and in which mode?

# %% name="measure-modes"
SIZES = {"tiny": (2, 60, 180), "small": (2, 4, 12, 60, 360)}[size()]


def error_with(model, batch, evaluation):
    """The test error in %, if the images come in such batches."""
    state = {name: array.copy() for name, array in model.state_dict().items()}
    model.eval() if evaluation else model.train()
    wrong = [
        model(Tensor(TEST_IMAGES[k : k + batch])).data.argmax(axis=1)
        != TEST_LABELS[k : k + batch]
        for k in range(0, len(TEST_LABELS), batch)
    ]
    model.load_state_dict(state)  # in training mode the running statistics have changed
    return 100 * np.concatenate(wrong).mean()


by_mode = {
    evaluation: [
        [error_with(model, batch, evaluation) for batch in SIZES]
        for found, model in trained["right"]
    ]
    for evaluation in (True, False)
}

# %% name="figure-modes"
plot_panels(
    [
        Panel(
            "images in a test batch",
            "test error (%)",
            [
                Line("training mode", SIZES, by_mode[False], "plain"),
                Line("evaluation mode", SIZES, by_mode[True], "residual"),
            ],
            xscale="log",
            wide=True,
        )
    ]
)

# %% [markdown] name="claim-modes-text"
# With 360 images (180 in a browser) the mean of the batch is a good mean, and the mistake is hardly
# noticed. With 2 images it is not. **The claim:** in evaluation mode the error is the same for each batch size. In
# training mode it is at least three times higher with batches of 2 than in evaluation mode.

# %% name="claim-modes" tags=["claim"]
for seed in SEEDS:
    evaluation, in_training = by_mode[True][seed], by_mode[False][seed]
    print(
        f"seed {seed}: evaluation mode {min(evaluation):.1f} to {max(evaluation):.1f} %, "
        f"training mode {in_training[-1]:.1f} % with {SIZES[-1]} images, {in_training[0]:.1f} % with 2"
    )
    assert max(evaluation) == min(evaluation), "the batch matters in evaluation mode"
    assert in_training[0] > 3 * evaluation[0], (
        "the batch does not matter in training mode"
    )

# %% [markdown] name="cifar"
# ## CIFAR-10
#
# The paper's small networks learn CIFAR-10: 50,000 photographs of 32×32 pixels in ten classes.
# minires has all of the above as a command:
#
#     python -m minires.train --dataset cifar10 --batch-size 128 --epochs 60 --lr 0.2
#
# On two cores this took 67 minutes, and the test error of the ResNet-20 was 11.89 %. (That was with
# a copy of the images that had once been saved as JPEG, which costs some points. The paper has 8.75
# %, after 164 epochs.) With 5 epochs it has about 21 %, after five and a half minutes.
#
# A picture shows the [loss and error of ResNet-20 over 60 epochs](figures/cifar10_jpeg_resnet20.png).
# (Away from minires' folder the link needs a network.) The schedule is one-cycle: the rate rises at
# first, then it falls to the end. **Before you open it:** when will the test error fall fastest?
#
# It falls fast twice. In the first epochs almost any step helps. From epoch 10 to 30 the test error
# jumps between 27 and 52 %, because the rate is high. Then the rate falls, and the error with it, from
# about 30 to 12 %. The training error ends at 6 %. So a gap of 6 points is left, in spite of the
# augmentation.
#
# The next cell trains these 5 epochs if you want it to. It downloads 170 MB once. In the browser it
# cannot be done. This lesson does not need it.

# %% name="train-cifar"
USE_CIFAR = False  # change this
if USE_CIFAR:
    training.run(training.Config(dataset="cifar10", batch_size=128, epochs=5, lr=0.2))
else:
    print("CIFAR-10 is left out; USE_CIFAR = True trains on it")

# %% [markdown] name="summary"
# ## What to remember
#
# - First check: the first loss is near ln(classes).
# - Augmentation shows each image in many ways. It narrows the gap between training and test.
# - SGD: v ← μ·v + g + λ·w, w ← w − η·v. With μ = 0.9 a step is up to ten times as long as η·g.
# - Find the rate by one run in which it grows. Let it fall at the end, because gradients are noisy.
# - Read both curves. Training loss high: optimizer, rate, a mistake. Training loss low and test
#   loss high: data, augmentation.
# - `zero_grad()` before each backward, `eval()` before each test, `train()` afterwards.
#
# **Read next:** He et al. 2015, §3.4 and §4.2; Smith 2017, *Cyclical learning rates for training
# neural networks*; Goyal et al. 2017, *Accurate, large minibatch SGD*, §2.2, on the warm-up. In
# minires: [`step.py`](../minires/train/step.py), [`sgd.py`](../minires/optim/sgd.py),
# [`schedules.py`](../minires/optim/schedules.py), [`transforms.py`](../minires/data/transforms.py).
# Lesson 8 counts what such a network costs.
