# %% [markdown] name="title"
# # 4. Is your gradient right?
#
# *45 minutes. Before it: lesson 1 (an autograd engine). One example comes from lesson 3 (batch
# normalization).*
#
# Afterwards you can
#
# - measure a gradient by differences, and say which step is best and why;
# - measure it by the complex step, to the last digit;
# - say which inputs and which dy make a gradient check mean something;
# - say what is right at a kink and at a tie;
# - find a mistake in a backward from which gradients are wrong.

# %% name="setup" tags=["setup"]
import sys

if "google.colab" in sys.modules or sys.platform == "emscripten":  # not at home
    # %pip install -q minires[data,plots]
    pass

import numpy as np

from minires import gradcheck, ops
from minires.gradcheck import bugs
from minires.gradcheck.checks.step_size import STEPS, errors_by_step
from minires.lessons import check
from minires.plots import Bars, Line, Panel, plot_panels, plot_steps

SEEDS = range(3)

# %% [markdown] name="question"
# ## The question
#
# You wrote a backward. The network trains, and the loss falls. Is the gradient right?
#
# The loss cannot say. With small steps it also falls along a wrong gradient, if its angle to the right
# one is less than 90°. Often it only falls more slowly, as without the sum in lesson 1. So a wrong
# backward causes no error message. You have to check it yourself.
#
# A backward is derived on paper. The forward knows nothing of this derivation. So we measure the
# derivative with the forward alone, and compare.

# %% [markdown] name="differences"
# ## Differences
#
# The derivative is the limit of a difference. So why not take a small step h, and no limit?
#
# $$\text{one-sided: } \frac{f(x+h)-f(x)}{h} \qquad \text{2-point: } \frac{f(x+h)-f(x-h)}{2h}$$
#
# The one-sided difference is also called *forward*, and the 2-point difference *central*.
#
# Taylor's series says how wrong they are. In f(x ± h) = f ± h·f′ + h²/2·f″ ± h³/6·f‴ + … the one-sided
# difference keeps h/2·f″. In the 2-point difference all even powers cancel, and h²/6·f‴ is left. A
# *4-point* difference, with x ± h and x ± 2h, is left with h⁴.
#
# We take the function of Martins et al. [2003], because its derivative is known, and not simple:
# f(x) = eˣ/√(sin³x + cos³x).
#
# **Your guess:** h = 0.1 is surely too large. Which h gives the 2-point difference its smallest error?

# %% name="guess"
my_best_h = 1e-12  # change this


# %% name="methods"
def f(x):
    return np.exp(x) / np.sqrt(np.sin(x) ** 3 + np.cos(x) ** 3)


def exact(x):
    """f′(x), derived on paper."""
    g = np.sin(x) ** 3 + np.cos(x) ** 3
    dg = 3 * np.sin(x) * np.cos(x) * (np.sin(x) - np.cos(x))
    return f(x) * (1 - dg / (2 * g))


def one_sided(x, h):
    return (f(x + h) - f(x)) / h


def two_point(x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


def four_point(x, h):
    return (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h)


def error(method, x, h):
    """The relative error of a measured derivative; no less than 10⁻¹⁷, because 0 has no logarithm."""
    return np.maximum(abs(method(x, h) / exact(x) - 1), 1e-17)


# %% name="figure-differences"
H = 10.0 ** np.arange(-16, 0, 0.5)
DIFFERENCES = [
    Line("one-sided", H, error(one_sided, 1.5, H), "plain", 1),
    Line("2-point", H, error(two_point, 1.5, H), "plain"),
    Line("4-point", H, error(four_point, 1.5, H), "other"),
]
GUESS = Line("your guess", (my_best_h, my_best_h), (1e-16, 1), "paper")
plot_panels(
    [
        Panel(
            "step h",
            "relative error of f′(1.5)",
            [*DIFFERENCES, GUESS],
            xscale="log",
            yscale="log",
            wide=True,
        )
    ]
)

# %% [markdown] name="v-curve"
# Read the figure from right to left. At first a smaller step helps: the error falls as h, h² or h⁴.
# Then it turns, and grows again. With h = 10⁻¹⁶ nothing is right.
#
# The second branch is *rounding*. A computer keeps 16 digits of f. If f(x + h) and f(x − h) agree in
# 10 of them, the difference has 6 left. The error of f, about u·|f| with u = 2⁻⁵³ ≈ 10⁻¹⁶, is divided
# by the small h. So
#
# $$\text{error of the 2-point difference} \approx c\,h^2 + \frac{u}{h}$$
#
# The sum is smallest near h = u^(1/3) ≈ 10⁻⁵, where it is about u^(2/3) ≈ 10⁻¹¹. Smaller is not
# better. **The claim**, at three random x: from h = 10⁻² to 10⁻³ the error becomes 100 times smaller,
# and h = 10⁻⁵ is more than 1000 times better than h = 10⁻¹².

# %% name="claim-v-curve" tags=["claim"]
for seed in SEEDS:
    x = np.random.default_rng(seed).uniform(0.2, 1.4)
    long, shorter, good, tiny = (
        error(two_point, x, h) for h in (1e-2, 1e-3, 1e-5, 1e-12)
    )
    print(
        f"seed {seed}: {long:.1e} at 1e-2, {shorter:.1e} at 1e-3, {good:.1e} at 1e-5, {tiny:.1e} at 1e-12"
    )
    assert 80 < long / shorter < 120, "the error does not fall as h²"
    assert good < tiny / 1000, "a smaller step is better"

# %% [markdown] name="exercise-numerical"
# ### Exercise 4.1
#
# Write a gradient by 2-point differences for any function f of an array. f(x) is one number, x is an
# array of any shape, h the step. Move one element at a time. Return an array of x's shape. Leave x
# as it was: work on a copy. (`np.ndindex(x.shape)` gives the index of each element.)
#
# For example, f(x) = Σ x³ has the gradient 3x².


# %% name="numerical" tags=["exercise"] exercise="4.1"
def numerical_gradient(f, x, h):
    raise NotImplementedError  # your answer


# %% name="numerical-solution" tags=["solution"] exercise="4.1"
def numerical_gradient(f, x, h):
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        e = np.zeros(x.shape)
        e[index] = h
        gradient[index] = (f(x + e) - f(x - e)) / (2 * h)
    return gradient


# %% name="numerical-check" tags=["check"] exercise="4.1"
check("4.1", numerical_gradient)

# %% [markdown] name="complex-step"
# ## A step that subtracts nothing
#
# Rounding hurts because two nearly equal numbers are subtracted. Can we do without? Step in a
# direction that no real number uses: along i, with i² = −1.
#
# $$f(x+ih) = f(x) + ih\,f'(x) - \frac{h^2}{2}f''(x) - \frac{ih^3}{6}f'''(x) + \dots$$
#
# The terms with i are the imaginary part. So [Squire & Trapp 1998]
#
# $$\frac{\operatorname{Im} f(x+ih)}{h} = f'(x) - \frac{h^2}{6}f'''(x) + \dots$$
#
# There is no difference. So there is no lost digit, and h can be very small, 10⁻²⁰ or 10⁻¹⁰⁰.
#
# **Before you run:** with h = 10⁻²⁰, how large is h²? What will the line of this method look like?


# %% name="figure-complex"
def complex_step_of(x, h):
    return f(x + 1j * h).imag / h


H_ALL = 10.0 ** np.arange(-20, 0, 0.5)
COMPLEX = Line("complex step", H_ALL, error(complex_step_of, 1.5, H_ALL), "residual")
plot_panels(
    [
        Panel(
            "step h",
            "relative error of f′(1.5)",
            [*DIFFERENCES, COMPLEX],
            xscale="log",
            yscale="log",
            wide=True,
        )
    ]
)

# %% [markdown] name="claim-complex-text"
# It falls as h², too, until it reaches the last digit. There it stays. **The claim**, at three random
# x: for every h below 10⁻⁹ the complex step is right to 15 digits, and a 2-point difference near its
# best step is at least 10 times worse.

# %% name="claim-complex" tags=["claim"]
for seed in SEEDS:
    x = np.random.default_rng(seed).uniform(0.2, 1.4)
    short = H_ALL[H_ALL < 1e-9]
    worst = error(complex_step_of, x, short).max()
    usual = np.median([error(two_point, x, h) for h in (3e-6, 6e-6, 1e-5, 2e-5)])
    print(
        f"seed {seed}: complex step at most {worst:.0e}; 2-point near its best step {usual:.0e}"
    )
    assert worst < 1e-15, "the complex step is not right to the last digits"
    assert usual > 10 * worst, "differences are as good"

# %% [markdown] name="complex-care"
# It has a price. f must take complex numbers, and must be *analytic*: made of +, ·, exp, sin and the
# like. abs, a conjugate, or a comparison of complex numbers breaks it. So does a cast to float. In
# NumPy even `var` takes an absolute value. That is why careful code compares real parts only.

# %% [markdown] name="exercise-complex"
# ### Exercise 4.2
#
# Write the gradient of f at an array x by the complex step, with h = 10⁻²⁰. Begin with
# `x.astype(complex)`, because an array of floats cannot hold an i. (f is analytic.)


# %% name="complex" tags=["exercise"] exercise="4.2"
def complex_step(f, x):
    raise NotImplementedError  # your answer


# %% name="complex-solution" tags=["solution"] exercise="4.2"
def complex_step(f, x):
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        z = x.astype(complex)
        z[index] += 1e-20j
        gradient[index] = f(z).imag / 1e-20
    return gradient


# %% name="complex-check" tags=["check"] exercise="4.2"
check("4.2", complex_step)

# %% [markdown] name="of-an-op"
# ## From a function to a backward
#
# A layer gives many numbers y, and backward(dy) wants a dy = ∂L/∂y. So make one number out of y:
# L = Σ dy·y, with a dy of your choice. Its gradient for y is dy, and for x what backward has to return.
#
# minires checks each of its layers so. Here is the same V for its batch norm, with everything moved
# along one random direction. The gray lines are what theory says.
#
# **Before you run:** at which h will the 2-point difference be best? And the 4-point one: at a smaller
# h, or at a larger one?

# %% name="figure-op"
plot_steps("batch_norm", STEPS, errors_by_step("batch_norm"))

# %% [markdown] name="which-dy"
# The 4-point difference is best at the longer step, near 10⁻³: it pays h⁴ there, and less rounding.
#
# ## Which dy, and which inputs?
#
# Many people choose dy = 1, because `y.sum().backward()` is short. And they choose easy inputs: square
# images, stride 1, γ = 1, β = 0. We look at six layers. (*Max pooling* has not come before: of each
# window it keeps the largest number.)
#
# Is that enough? minires has a collection of mistakes that people make in a backward. We ask for each
# of them: would its gradients differ from the right ones at all? If they do not, no check can see it.
#
# **Your guess:** how many percent of the mistakes does one see with easy inputs and dy = 1?

# %% name="guess-seen"
my_guess = 90  # change this

# %% name="plant"
OPS = ("batch_norm", "conv2d", "linear", "max_pool2d", "softmax", "tanh")


def easy(op, rng):
    """What people try first: (arrays, settings)."""
    x = rng.standard_normal((2, 3, 4, 4))
    return {
        "batch_norm": ((x, np.ones(3), np.zeros(3)), {"training": True}),
        "conv2d": ((x, rng.standard_normal((3, 3, 3, 3)), np.zeros(3)), {}),
        "linear": ((x[0, 0], rng.standard_normal((4, 4)), np.zeros(4)), {}),
        "max_pool2d": ((x,), {"kernel_size": 2}),
        "softmax": ((x[0, 0],), {"dim": 1}),
        "tanh": ((x,), {}),
    }[op]


def differs(bug, arrays, static, ones, rng):
    """Whether the planted bug changes a gradient of this call."""
    right = getattr(ops, bug.op).raw
    y, backward = right(*arrays, **static)
    dy = np.ones(y.shape) if ones else rng.standard_normal(y.shape)
    _, wrong_backward = bugs.planted(bug)(*arrays, **static)
    pairs = zip(as_tuple(wrong_backward(dy.copy())), as_tuple(backward(dy.copy())))
    return any(
        np.shape(a) != np.shape(b) or not np.allclose(a, b, rtol=1e-6, atol=1e-9)
        for a, b in pairs
        if b is not None
    )


def as_tuple(gradients):
    return gradients if isinstance(gradients, tuple) else (gradients,)


# %% [markdown] name="hard-inputs"
# And what are *hard* inputs? Those in which nothing agrees by chance: more than one image, height and
# width that differ, a stride that leaves a row over, γ ≠ 1, a large ε, windows that overlap.
# `gradcheck.cases_of(op)` has several for each layer, and each case sees other mistakes.

# %% name="measure-seen"
WAYS = (
    "easy inputs, dy = 1",
    "easy inputs, random dy",
    "hard inputs, dy = 1",
    "hard inputs, random dy",
)


def seen(way, bug, seed):
    """Whether this way shows the bug."""
    rng = np.random.default_rng(seed)
    if way.startswith("hard"):
        calls = [
            (case.arrays, case.static) for case in gradcheck.cases_of(bug.op, seed)
        ]
    else:
        calls = [easy(bug.op, rng)]
    return any(
        differs(bug, arrays, static, way.endswith("1"), rng) for arrays, static in calls
    )


PLANTED = [bug for bug in bugs.catalogue if bug.op in OPS]
share = {
    way: [100 * np.mean([seen(way, bug, seed) for bug in PLANTED]) for seed in SEEDS]
    for way in WAYS
}
print(f"{len(PLANTED)} mistakes in {len(OPS)} layers")
for way, values in share.items():
    print(f"{way:<23} {np.mean(values):3.0f} % are seen")

# %% name="figure-seen"
plot_panels(
    [
        Bars(
            "mistakes that are seen (%)",
            WAYS,
            list(share.values()),
            ("plain", "other", "other", "residual"),
            paper=(my_guess, None, None, None),
            of_paper="your guess",
            wide=True,
        )
    ]
)

# %% [markdown] name="claim-seen-text"
# **The claim**, with three seeds: easy inputs and dy = 1 miss at least 40 % of the mistakes. A random dy
# sees more. The set of hard inputs helps most, even with dy = 1. Both together see more than 90 %.

# %% name="claim-seen" tags=["claim"]
for seed in SEEDS:
    ones, random, hard_ones, hard = (share[way][seed] for way in WAYS)
    print(f"seed {seed}: {', '.join(f'{share[way][seed]:.0f} %' for way in WAYS)}")
    assert ones < 60, "dy = 1 sees most mistakes"
    assert ones < random < hard_ones < hard, "a random dy, or hard inputs, see no more"
    assert hard > 90, "hard inputs miss mistakes"

# %% [markdown] name="why-ones"
# Why is dy = 1 so blind? Look at two layers whose y always has the same sum. A softmax gives numbers
# with the sum 1. Batch norm gives numbers with the mean β. So L = Σ y does not depend on x at all: the
# right dx is 0, and many wrong ones are, too.
#
# And the few that hard inputs miss? Their numbers are right in a single call. They write into dy, keep
# an array between two calls, or compute in float32. `gradcheck.check` asks for such things, too: it
# calls backward twice, and looks at its inputs afterwards.
#
# One mistake escapes even this check. In evaluation the batch norm reads the running statistics again
# in its backward. That is wrong only if they change between forward and backward. No check of a single
# call can see that.
#
# **The claim:** `gradcheck.check` finds all that the hard inputs miss, but this one.


# %% name="claim-missed" tags=["claim"]
for seed in SEEDS:
    missed = [bug for bug in PLANTED if not seen(WAYS[-1], bug, seed)]
    escaped = []
    for bug in missed:
        cases = gradcheck.cases_of(bug.op, seed)
        reports = (
            gradcheck.check(bugs.planted(bug), *case.arrays, **case.static)
            for case in cases
        )
        if all(report.passed for report in reports):
            escaped.append(bug.name)
    print(f"seed {seed}: {len(missed)} missed, of which the check misses {escaped}")
    assert escaped == ["running statistics read in backward"], "other mistakes escape"

# %% [markdown] name="kinks"
# ## Kinks
#
# relu(x) has no derivative at 0. On its left the slope is 0, on its right 1. A 2-point difference with
# one point on each side gives something in between, and so a right backward looks wrong.
#
# **Before you run:** x = 2·10⁻⁶ is above 0, so relu′(x) = 1. What does the 2-point difference with
# h = 10⁻⁵ give?


# %% name="relu-kink"
def relu(x):
    return np.maximum(x, 0)


for h in (1e-5, 1e-6):
    slope = (relu(2e-6 + h) - relu(2e-6 - h)) / (2 * h)
    print(f"h = {h:.0e}: measured {slope:.2f}")

# %% [markdown] name="find-kinks"
# How can a check know that there is a kink, if it sees only numbers? It takes the slopes on both sides:
# (f(x + h) − f(x))/h and (f(x) − f(x − h))/h. Their gap is about h·f″ where f is smooth. So with half
# the step the gap is half as large. At a kink the gap stays.
#
# **Before you run:** what is the gap of |x − c| at c, with the step h, and with half of it?
#
# **The claim**: at random smooth points of x³ the gap halves; at the kink of |x − c| it stays.


# %% name="claim-kinks" tags=["claim"]
def gap(f, x, h):
    """The slope on the right of x minus the slope on the left."""
    return (f(x + h) - f(x)) / h - (f(x) - f(x - h)) / h


for seed in SEEDS:
    c = np.random.default_rng(seed).uniform(0.5, 2)
    smooth = gap(lambda x: x**3, c, 5e-5) / gap(lambda x: x**3, c, 1e-4)
    kink = gap(lambda x, c=c: abs(x - c), c, 5e-5) / gap(
        lambda x, c=c: abs(x - c), c, 1e-4
    )
    print(
        f"seed {seed}: with half the step the gap is {smooth:.3f} times as large, at the kink {kink:.3f} times"
    )
    assert abs(smooth - 0.5) < 0.01, "the gap of a smooth function does not halve"
    assert abs(kink - 1) < 1e-6, "the gap at a kink does not stay"

# %% [markdown] name="ties"
# ## Ties
#
# At a kink more than one answer is right. A *subgradient* is any average of the slopes nearby. For
# relu at 0 that is every number from 0 to 1. PyTorch and minires take 0.
#
# The same happens at a *tie*: max(a, b) with a = b. The gradient may go to a alone, or to b alone, or
# half to each.
#
# **Before you run:** the cell tries three ways to share dy at a tie: (1, 0), (½, ½) and (1, 1). Which of
# them is wrong?
#
# **The claim:** for three seeds the check accepts a way if, and only if, its two shares add up to 1.


# %% name="claim-ties" tags=["claim"]
def maximum(share_of_a, share_of_b):
    """The maximum of two arrays; where they are equal, dy is shared so."""

    def function(a, b):
        def backward(dy):
            tie = a == b
            da = np.where(tie, share_of_a, a > b)
            return dy * da, dy * np.where(tie, share_of_b, b > a)

        return np.maximum(a, b), backward

    return function


for seed in SEEDS:
    a = np.random.default_rng(seed).standard_normal(6)
    b = np.concatenate([a[:3], a[3:] + 1])  # three ties
    for shares in ((1, 0), (0.5, 0.5), (1, 1)):
        report = gradcheck.check(maximum(*shares), a, b)
        print(f"seed {seed}: {shares[0]}·dy to a, {shares[1]}·dy to b: {report.status}")
        assert report.passed == (sum(shares) == 1), "the check is wrong about a tie"

# %% [markdown] name="ties-read"
# All of dy to both is wrong, although each of the two is right alone. Together they say that max grows
# by 2 when a and b grow by 1.

# %% [markdown] name="named"
# ## Break a backward, and see it named
#
# If a check fails, you know *that* something is wrong. Where? Two things help.
#
# The first: compare with what known mistakes would give. `gradcheck.grade` does that. It holds a
# function to a layer of minires, and names the mistake if it knows it. We give it a batch norm with
# one of the planted mistakes, as if a student had written it. Read only the line that begins with
# *hint*.
#
# **Before you run:** the term −x̂·⟨dy·x̂⟩ is missing. Which of dx, dγ and dβ will be wrong?

# %% name="grade"
bug = next(bug for bug in bugs.catalogue if bug.name == "variance term missing")
broken = bugs.planted(bug)


def batch_norm(x, weight, bias, eps=1e-5):
    return broken(x, weight, bias, training=True, eps=eps)


result = gradcheck.grade(batch_norm, like="batch_norm", seed=0)
print(result)
assert "variance" in str(result), "the mistake is not named"

# %% [markdown] name="which-gradients"
# The second help: look at *which* gradients are wrong. Backward walks from y to x. A mistake spoils
# everything that comes after it on this walk, and nothing before it.
#
# Here is a small network, y = relu(x·W1 + b1)·W2 + b2, with a mistake in its backward. First we check
# it as people do, with biases that are 0. Then with a random b1.
#
# **Before you run:** read the code. Do you see the mistake? Which of the five gradients will be wrong?


# %% name="broken-net"
def broken_net(x, W1, b1, W2, b2):
    h = x @ W1
    a = np.maximum(h + b1, 0)

    def backward(dy):
        da = dy @ W2.T
        dh = da * (h > 0)
        return dh @ W1.T, x.T @ dh, dh.sum(0), a.T @ dy, dy.sum(0)

    return a @ W2 + b2, backward


def check_net(b1, rng):
    """The report of a gradient check of the network at random inputs."""
    x, W1, W2 = (rng.standard_normal(shape) for shape in ((6, 4), (4, 5), (5, 3)))
    return gradcheck.check(broken_net, x, W1, b1, W2, np.zeros(3))


rng = np.random.default_rng(0)
print("b1 = 0:       ", check_net(np.zeros(5), rng).status)
report = check_net(rng.standard_normal(5), rng)
print("b1 is random: ", report.status)
for found in report.arguments:
    print(f"    d{found.argument:<2} {'right' if report.agrees(found) else 'wrong'}")

# %% [markdown] name="claim-net-text"
# dW2 and db2 are right; dx, dW1 and db1 are wrong. So the mistake is between W2 and b1: at the ReLU.
# And with b1 = 0 it is not seen. **The claim:** for three seeds the check passes with b1 = 0. With a random
# b1 exactly these three gradients are wrong.

# %% name="claim-net" tags=["claim"]
for seed in SEEDS:
    rng = np.random.default_rng(seed)
    assert check_net(np.zeros(5), rng).passed, "a bias of 0 shows the mistake"
    report = check_net(rng.standard_normal(5), rng)
    print(f"seed {seed}: wrong with a random b1: {', '.join(report.wrong)}")
    assert report.wrong == ["x", "W1", "b1"], "other gradients are wrong"

# %% [markdown] name="exercise-net"
# ### Exercise 4.3
#
# Write this backward right. dy is an array (N,O), x (N,D), W1 (D,H), b1 (H,), W2 (H,O). Return dx,
# dW1, db1, dW2 and db2, in this order.


# %% name="net" tags=["exercise"] exercise="4.3"
def net_gradients(dy, x, W1, b1, W2):
    raise NotImplementedError  # your answer


# %% name="net-solution" tags=["solution"] exercise="4.3"
def net_gradients(dy, x, W1, b1, W2):
    h = x @ W1 + b1
    a = np.maximum(h, 0)
    dh = dy @ W2.T * (h > 0)  # the bias belongs to what the ReLU gets
    return dh @ W1.T, x.T @ dh, dh.sum(0), a.T @ dy, dy.sum(0)


# %% name="net-check" tags=["check"] exercise="4.3"
check("4.3", net_gradients)

# %% [markdown] name="summary"
# ## What to remember
#
# - A 2-point difference has the error c·h² + u/h. Its best step is near 10⁻⁵, in float64.
# - The complex step subtracts nothing, so it is right to the last digits, with h = 10⁻²⁰. It needs an
#   analytic function.
# - Check with a random dy and with hard inputs: nothing that is 0, 1 or square.
# - At kinks and ties several gradients are right. A check has to notice them, not to fail there.
# - The gradients that are wrong show where the mistake is.
#
# **Read next:** Martins et al. 2003, *The complex-step derivative approximation*, §2; Squire & Trapp
# 1998. In minires: [`numeric.py`](../minires/gradcheck/checks/numeric.py), which has these three
# methods, [`kinks.py`](../minires/gradcheck/checks/kinks.py), and the collection of mistakes in
# [`bugs/`](../minires/gradcheck/bugs). Check your own layer: `gradcheck.check(function, x, w)`.
