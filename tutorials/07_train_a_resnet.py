# %% [markdown] name="title"
# # 7. Train a ResNet
#
# *60 minutes. Before it: lesson 3 (batch normalization) and lesson 6 (one plus ∂F/∂x).*
#
# Afterwards you can
#
# - write a training from its parts: data, augmentation, optimizer, schedule;
# - find a learning rate by one short run;
# - say why the learning rate falls at the end, and measure what this is worth;
# - read four mistakes from their curves.

# %% name="setup" tags=["setup"]
import sys

if "google.colab" in sys.modules or sys.platform == "emscripten":  # not at home
    # %pip install -q minires[data,plots]
    pass

import numpy as np

from minires import Tensor, data, models, ops, optim
from minires import train as training
from minires.lessons import check, size
from minires.plots import Line, Panel, plot_images, plot_panels

SEEDS = range(3)
IMAGES, EPOCHS = {"tiny": (720, 6), "small": (1437, 8)}[size()]

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
# **Before you run:** a batch has 50 images. How many steps has an epoch? And which loss will the
# new network have on its first batch? (It has ten classes, and knows nothing. A guess that gives
# each class the probability 1/10 has the loss ln 10 ≈ 2.3.)

# %% name="first-loss"
BATCH = 50
normalize = data.normalize(train_set.mean, train_set.std)
loader = data.ArrayLoader(train_set, BATCH, shuffle=True, seed=0, drop_last=True)
images, labels = next(iter(loader))
model = models.create("resnet8", in_channels=1, rng=0)
loss = ops.cross_entropy(model(Tensor(images)), labels)
print(f"an epoch has {len(loader)} steps; the first batch has the shape {images.shape}")
print(
    f"mean {images.mean():.2f}, standard deviation {images.std():.2f}; loss {loss.item():.2f}"
)

# %% [markdown] name="first-loss-text"
# This is the first check of each training: is the first loss near ln(number of classes)? If it is
# far larger, the weights or the images have a wrong size. If it is smaller, something is wrong,
# too.

# %% [markdown] name="augmentation"
# ## Augmentation: more images for nothing
#
# A 3 that stands one pixel further to the left is still a 3. So we may show the network a shifted
# image each time. It learns what a 3 is, and not where each pixel of *this* 3 is. The paper puts 4
# black pixels on each side of a 32×32 image and cuts out 32×32 at random [He et al. 2015, §4.2].
# Our images are smaller, so we put 1 pixel on each side.
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

# %% [markdown] name="claim-sgd-text"
# minires has this optimizer, too, as [`optim.SGD`](../minires/optim/sgd.py), with PyTorch's name
# and settings. **The claim:** on a real network three steps by the two formulas give the weights of
# `optim.SGD`, but for rounding.

# %% name="claim-sgd" tags=["claim"]
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
            velocities[k] = 0.9 * velocities[k] + parameter.grad + 5e-4 * by_hand[k]
            by_hand[k] = by_hand[k] - 0.1 * velocities[k]
        optimizer.step()
    mine = np.concatenate([w.ravel() for w in by_hand])
    theirs = np.concatenate([w.data.ravel() for w in parameters])
    moved = np.linalg.norm(mine - begin)
    error = np.linalg.norm(mine - theirs) / moved
    print(
        f"seed {seed}: the weights moved by {moved:.2f}; the two differ by {error:.0e} of it"
    )
    assert error < 1e-5, "optim.SGD does something else"

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
# ## Which learning rate?
#
# One short run says it: begin with a tiny rate, and multiply it in each step, until the loss
# explodes [Smith 2017]. At the left nothing happens, because steps are too short. At the right
# steps are so long that the loss rises. A good rate lies between.
#
# **Your guess:** at which rate will the loss be lowest?

# %% name="guess"
my_guess = 0.01  # change this

# %% name="measure-range"
RATES = np.geomspace(1e-4, 10, {"tiny": 40, "small": 60}[size()])


def losses_along(seed):
    """The loss of a new network in each step, while the rate grows."""
    model = models.create("resnet8", in_channels=1, rng=seed)
    optimizer = optim.SGD(model.parameters(), momentum=0.9)
    loader = data.ArrayLoader(train_set, BATCH, shuffle=True, seed=seed, drop_last=True)
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
for seed, losses in zip(SEEDS, along):
    smooth = np.convolve(losses, np.ones(5) / 5, "valid")  # means of 5 steps
    best = RATES[2:-2][smooth.argmin()]
    print(
        f"seed {seed}: loss {losses[0]:.2f} at first, {smooth.min():.2f} at rate {best:.2f}, "
        f"{losses[-1]:,.0f} at rate {RATES[-1]:g}"
    )
    assert 0.05 < best < 2, "the loss is lowest at another rate"
    assert smooth.min() < losses[0] / 3, "the network does not learn"
    assert losses[-1] > losses[0], "the highest rate is not too high"

# %% [markdown] name="schedules"
# We take 0.3. That is as high as it goes, and a *schedule* makes it lower at the beginning and at
# the end.
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
# ## Constant against one-cycle
#
# **Before you run:** the constant rate takes longer steps from the first to the last. Which of the
# two has the lower test error in the middle of the training, and which at the end?

# %% name="compare-schedules"
trained = {
    name: [fit(seed, SCHEDULES[name]) for seed in SEEDS]
    for name in ("constant", "one-cycle")
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
            [
                Line(name, AT, curves(name, key), STYLES[name])
                for name in ("constant", "one-cycle")
            ],
            whole=True,
        )
        for key, what in (("train", "training loss"), ("error", "test error (%)"))
    ]
)

# %% [markdown] name="claim-compare-text"
# In the middle the constant rate is not behind. But it jumps, and it keeps jumping. **The claim:**
# in each seed one-cycle has the lower training loss in the last epoch. It also has the lower test
# loss, on average over the last two epochs. (The last one alone would be luck: look at the jumps.)

# %% name="claim-compare" tags=["claim"]
for seed in SEEDS:
    constant, cycle = (
        (curves(name, "train")[seed, -1], curves(name, "test")[seed, -2:].mean())
        for name in ("constant", "one-cycle")
    )
    print(
        f"seed {seed}: training loss {constant[0]:.3f} with a constant rate, {cycle[0]:.3f} with "
        f"one-cycle; test loss {constant[1]:.3f} and {cycle[1]:.3f}"
    )
    assert cycle[0] < constant[0], "the schedule does not help the training loss"
    assert cycle[1] < constant[1], "the schedule does not help the test loss"

# %% [markdown] name="quiz"
# ## Read the curves
#
# Four trainings, three seeds each. One is right. In one the learning rate is ten times higher. In
# one the augmentation is missing. In one `optimizer.zero_grad()` was forgotten, so that each gradient
# is added to all that came before.
#
# **Your guess:** which one is which? Look at the loss at the end, and at the gap between training
# and test.

# %% name="train-mistakes"
trained["A"] = [fit(seed, SCHEDULES["one-cycle"], zero_grad=False) for seed in SEEDS]
trained["B"] = [fit(seed, SCHEDULES["one-cycle"], augmented=False) for seed in SEEDS]
trained["C"] = trained["one-cycle"]
trained["D"] = [fit(seed, optim.one_cycle(10 * LR, STEPS)) for seed in SEEDS]

# %% name="figure-mistakes"
plot_panels(
    [
        Panel(
            "epoch",
            "loss",
            [
                Line("training", AT, curves(name, "train"), "plain"),
                Line("test", AT, curves(name, "test"), "residual"),
            ],
            title=name,
            yscale="log",
            whole=True,
        )
        for name in "ABCD"
    ]
)

# %% name="my-guess-of-four"
my_guess_of_four = {  # change these
    "right": "?",
    "rate": "?",
    "augmentation": "?",
    "zero_grad": "?",
}
ANSWERS = {"right": "C", "rate": "D", "augmentation": "B", "zero_grad": "A"}
hits = sum(my_guess_of_four[what] == name for what, name in ANSWERS.items())
print(f"{hits} of 4 are right")

# %% [markdown] name="answers"
# - **A** is the forgotten `zero_grad`. The loss rises above ln 10 ≈ 2.3, so the network is worse
#   than a guess. v is a sum already; a sum of sums grows and grows.
# - **B** has no augmentation. Its training loss is the lowest of all four, almost 0, and its test
#   loss is not: there is a gap. It knows its images by heart. (On our easy digits this
#   costs little. On photographs it costs several points.)
# - **C** is right. Training and test loss fall together. The test loss is even a little lower,
#   because the images of the training are shifted, and so harder.
# - **D** has the rate that is too high. The loss falls late, when the schedule brings the rate
#   down, and ends high.
#
# **The claim**, for each seed:

# %% name="claim-mistakes" tags=["claim"]
for seed in SEEDS:
    train_loss = {name: curves(name, "train")[seed, -1] for name in "ABCD"}
    gap = {name: curves(name, "test")[seed, -1] - train_loss[name] for name in "BC"}
    print(
        f"seed {seed}: training loss "
        + ", ".join(f"{name} {value:.3f}" for name, value in train_loss.items())
        + f"; gap of B {gap['B']:.3f}, of C {gap['C']:.3f}"
    )
    assert train_loss["A"] > np.log(10), "without zero_grad it still learns"
    assert train_loss["B"] < train_loss["C"] / 2, "B does not learn by heart"
    assert gap["B"] > gap["C"], "the augmentation does not close the gap"
    assert train_loss["D"] > 2 * train_loss["C"], "the rate is not too high"

# %% [markdown] name="eval-mode"
# ## The mistake that no curve shows
#
# The fifth mistake happens at the test: `model.eval()` is forgotten. Then batch norm takes mean and
# variance of the test batch. So what the network says about an image depends on the other images of
# its batch.
#
# **Before you run:** we test the right networks with batches of 2 to 360 images, in both modes. At
# which batch size does the error change, and in which mode?

# %% name="measure-modes"
SIZES = {"tiny": (2, 60, 360), "small": (2, 4, 12, 60, 360)}[size()]


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
        for found, model in trained["C"]
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
# With 360 images the mean of the batch is a good mean, and the mistake is not noticed. With 2 images
# it is not. **The claim:** in evaluation mode the error is the same for each batch size. In
# training mode it is at least three times higher with batches of 2 than in evaluation mode.

# %% name="claim-modes" tags=["claim"]
for seed in SEEDS:
    evaluation, in_training = by_mode[True][seed], by_mode[False][seed]
    print(
        f"seed {seed}: evaluation mode {min(evaluation):.1f} to {max(evaluation):.1f} %, "
        f"training mode {in_training[-1]:.1f} % with 360 images, {in_training[0]:.1f} % with 2"
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
# [Loss and error of ResNet-20 over 60 epochs](figures/cifar10_jpeg_resnet20.png)
#
# **Read the curves:** where is the gap between training and test? When does the error fall fastest,
# and what does the schedule do there?
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
# - Augmentation shows each image in many ways. It closes the gap between training and test.
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
