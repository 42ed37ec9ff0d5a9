# %% [markdown] name="title"
# # 1. An autograd engine in an hour
#
# *65 minutes. Before it: the chain rule, and Python with NumPy.*
#
# Afterwards you can
#
# - draw a computation as a graph, and go through it backward by hand;
# - write an engine that computes all derivatives of a function in one pass;
# - say why gradients are added, and why the order of the nodes matters;
# - find the same lines in minires (optional, at the end).

# %% name="setup" tags=["setup"]
import sys

if "google.colab" in sys.modules or sys.platform == "emscripten":  # not at home
    # %pip install -q minires[data,plots]
    pass

import inspect

import numpy as np

from minires import Tensor, data, ops
from minires.lessons import check, size
from minires.plots import Line, Panel, plot_graph, plot_panels

SEEDS = range(3)

# %% [markdown] name="question"
# ## The question
#
# A network is a function with many weights, and one number comes out: the loss L. Training needs the
# derivative ∂L/∂w of *each* weight. A small ResNet has 270,000 weights.
#
# You could change one weight a little, and compute L again. For 270,000 weights that is 270,000
# forward passes. An *autograd engine* gets all derivatives in one backward pass. How?

# %% [markdown] name="by-hand"
# ## By hand
#
# Take the example of a survey [Baydin et al. 2018, Table 3]: two inputs, one output.
#
# $$y = \ln x_1 + x_1 x_2 - \sin x_2 \qquad \text{at } x_1 = 2,\ x_2 = 5$$
#
# A computer does one step at a time. Each step has a simple derivative. We write dv for ∂y/∂v, the
# *gradient* at a value v.
#
# The gradients begin at the end, with ∂y/∂y = 1. Then we go back, step by step. By the chain rule
# each step multiplies what arrives by its own derivative.
#
# **Before you run:** x₂ is used twice, in p = x₁·x₂ and in s = sin x₂. What is ∂y/∂x₂ at (2, 5)? Derive it on paper.
# The sine of 5 has the derivative cos 5 ≈ 0.284.

# %% name="by-hand-run"
x1 = 2.0
x2 = 5.0
l = np.log(x1)  # forward, one step a line
p = x1 * x2
s = np.sin(x2)
a = l + p
y = a - s

dy = 1.0  # backward, the last step first
da = dy
ds = -dy
dl = da
dp = da
dx1 = dl / x1 + dp * x2  # x₁ was used twice, and x₂, too: two terms
dx2 = dp * x1 + ds * np.cos(x2)
print(f"y = {y:.3f}, ∂y/∂x1 = {dx1:.3f}, ∂y/∂x2 = {dx2:.3f}")
print("in the survey: 11.652, 5.5 and 1.716")

# %% [markdown] name="a-value"
# ## A value remembers where it comes from
#
# Now the computer shall do this for any function. Our engine has about 60 lines. A `Value` holds a number. It also remembers its
# *parents*, the values that it was computed from, and a function `backward`. This function gets the
# gradient that arrives at the value, and gives one gradient for each parent.


# %% name="value"
class Value:
    """A number, and how it was computed."""

    count = 0

    def __init__(self, data, parents=(), backward=None, name="input"):
        self.data = data
        self.parents = parents
        self.backward = backward
        self.name = name
        self.grad = 0.0
        Value.count += 1
        self.made_as = Value.count  # 1, 2, 3, … in the order of the computation


# %% [markdown] name="an-op"
# ## An op knows its own derivative
#
# From now on the number at the end is called L, and y is the result of *one* step. So dy = ∂L/∂y is
# what arrives at this step. It is 1 only at the last one.
#
# An *op* is a function of numbers. It returns two things: its result y, and its backward. The
# backward gets dy and returns ∂L/∂x for each input, which is dy times the derivative. It returns
# them in a *tuple*, also if there is only one: `(dy / x,)`.
#
# `differentiable` turns such a function into one of Values. The line `@differentiable` above a
# function f means f = differentiable(f).


# %% name="ops"
def differentiable(function):
    """Make a function of Values out of a function of numbers -> (y, backward)."""

    def call(*inputs):
        y, backward = function(*[value.data for value in inputs])

        def gradients(dy):
            found = backward(dy)
            assert isinstance(found, tuple), (
                f"the backward of {function.__name__} has to return a tuple, one gradient for each input"
            )
            return found

        return Value(y, inputs, gradients, function.__name__)

    return call


@differentiable
def add(a, b):
    return a + b, lambda dy: (dy, dy)


@differentiable
def sub(a, b):
    return a - b, lambda dy: (dy, -dy)


@differentiable
def mul(a, b):
    return a * b, lambda dy: (dy * b, dy * a)


@differentiable
def log(x):
    return np.log(x), lambda dy: (dy / x,)


@differentiable
def sin(x):
    return np.sin(x), lambda dy: (dy * np.cos(x),)


# %% [markdown] name="the-graph"
# ## The graph
#
# We compute the example again, with Values. The graph is not written down anywhere. It is there,
# because each Value knows its parents.


# %% name="build"
def example(x1, x2):
    """y = ln x1 + x1·x2 − sin x2, as a Value."""
    return sub(add(log(x1), mul(x1, x2)), sin(x2))


def newest_first(root):
    """The root and all Values that it was computed from; the one that was made last comes first."""
    found = {root}
    to_visit = [root]
    while to_visit:
        for parent in to_visit.pop().parents:
            if parent not in found:
                found.add(parent)
                to_visit.append(parent)
    return sorted(found, key=lambda value: value.made_as, reverse=True)


def draw(root, gradients=False):
    """The graph of a Value: in each box what was done, and the result; below it the gradient."""
    nodes = newest_first(root)[::-1]
    return plot_graph(
        {node: node.parents for node in nodes},
        {node: f"{node.name}\n{node.data:.3f}" for node in nodes},
        {node: f"gradient {node.grad:.3f}" for node in nodes} if gradients else {},
    )


x1 = Value(2.0)
x2 = Value(5.0)
y = example(x1, x2)
draw(y)

# %% [markdown] name="order"
# ## In which order?
#
# The gradient must be complete at a value before the value hands it on. Look at the lower input, x₂.
# Its gradient has two parts, one from *mul* and one from *sin*. So both must come before x₂.
#
# In general a value's turn comes after all values that used it. An order in which each value stands
# behind its parents is called a *topological order*. The backward pass reads it from the end.
#
# There is a simple way to get one. A value is always *newer* than its parents. So sort all values by
# the time when they were made, and begin with the newest. This is what `newest_first` does.
#
# Often the times are not known. Then the order follows from the parents alone. Visit a node: first
# visit its parents, then write the node down. Visit no node twice.

# %% [markdown] name="exercise-order"
# ### Exercise 1.1
#
# Write a function that gets a graph as a dict {node: list of its parents}. It returns a list of all
# nodes, each one once, and each one *after* its parents. For
# {"y": ["x", "f"], "f": ["x"], "x": []} the only right answer is ["x", "f", "y"]. In other graphs
# there are several, and any of them counts.


# %% name="topological" tags=["exercise"] exercise="1.1"
def topological_order(parents):
    raise NotImplementedError  # your answer


# %% name="topological-solution" tags=["solution"] exercise="1.1"
def topological_order(parents):
    order = []

    def visit(node):
        if node not in order:
            for parent in parents[node]:
                visit(parent)
            order.append(node)

    for node in parents:
        visit(node)
    return order


# %% name="topological-check" tags=["check"] exercise="1.1"
check("1.1", topological_order)

# %% [markdown] name="backward-text"
# ## The engine
#
# This is all that is left. All gradients begin at 0, and the *root*, which is the last value, gets 1.
# Each value, the newest first, hands on to its parents what its backward says. Each parent *adds*
# what arrives:
#
# $$\frac{\partial L}{\partial x} = \sum_{\text{all } v \text{ that used } x} \frac{\partial L}{\partial v}\cdot\frac{\partial v}{\partial x}$$
#
# **Before you run:** the figure will show a gradient below each box. What stands below *sin*?


# %% name="backward"
def backward(root):
    """Set .grad of all Values that root was computed from."""
    nodes = newest_first(root)
    for node in nodes:
        node.grad = 0.0  # forget an earlier pass, because what arrives is added
    root.grad = 1.0
    for node in nodes:
        if node.parents:
            for parent, dx in zip(node.parents, node.backward(node.grad)):
                parent.grad = parent.grad + dx


# %% name="figure-graph"
backward(y)
draw(y, gradients=True)

# %% [markdown] name="claim-example-text"
# Below *sin* stands −1, because it is subtracted in the last step. And 5.500 and 1.716 come again,
# as in the survey. On paper the derivatives are 1/x₁ + x₂ and x₁ − cos x₂.
# **The claim:** at three random places the engine gives the same, up to rounding.

# %% name="claim-example" tags=["claim"]
for seed in SEEDS:
    x1, x2 = [Value(number) for number in np.random.default_rng(seed).uniform(1, 9, 2)]
    backward(example(x1, x2))
    print(
        f"seed {seed}: engine {x1.grad:.6f} {x2.grad:.6f}, "
        f"on paper {1 / x1.data + x2.data:.6f} {x1.data - np.cos(x2.data):.6f}"
    )
    assert np.isclose(x1.grad, 1 / x1.data + x2.data, rtol=1e-14), "∂y/∂x1 is wrong"
    assert np.isclose(x2.grad, x1.data - np.cos(x2.data), rtol=1e-13, atol=1e-14), (
        "∂y/∂x2 is wrong"
    )

# %% [markdown] name="exercise-tanh"
# ### Exercise 1.2
#
# An op for your engine: write tanh in the form of *log* and *sin*, without `@differentiable`. It is a
# function of an array x that returns (y, backward). backward(dy) returns the gradient of x in a tuple,
# `(dx,)`, as *log* does. The derivative is tanh′(x) = 1 − tanh²(x). `np.tanh` is allowed.


# %% name="tanh" tags=["exercise"] exercise="1.2"
def tanh(x):
    raise NotImplementedError  # your answer


# %% name="tanh-solution" tags=["solution"] exercise="1.2"
def tanh(x):
    y = np.tanh(x)
    return y, lambda dy: (dy * (1 - y * y),)


# %% name="tanh-check" tags=["check"] exercise="1.2"
check("1.2", tanh)

# %% [markdown] name="exercise-sum"
# ### Exercise 1.3
#
# Write the backward pass for a graph that is given as a table. Its n values are numbered in the
# order in which they were made. D is an array (n,n): `D[i, j]` is the derivative of value i by its
# parent j, and 0 where j is no parent of i. The last value is the loss.
#
# Return an array (n,): the derivative of the loss by each value.
#
# An example is y = x·x + x at x = 3. Its three values are x, s = x·x and y = s + x. D is
# [[0, 0, 0], [6, 0, 0], [1, 1, 0]], because ∂s/∂x = 2x = 6. The answer is [7, 1, 1].


# %% name="gradients" tags=["exercise"] exercise="1.3"
def gradients(D):
    raise NotImplementedError  # your answer


# %% name="gradients-solution" tags=["solution"] exercise="1.3"
def gradients(D):
    n = len(D)
    g = np.zeros(n)
    g[-1] = 1
    for i in range(n - 1, -1, -1):  # the newest first
        for j in range(i):
            g[j] += g[i] * D[i, j]
    return g


# %% name="gradients-check" tags=["check"] exercise="1.3"
check("1.3", gradients)

# %% [markdown] name="waiting"
# ## Why a value waits
#
# The order looks like a detail. What if a value does not wait, and hands on each part of its gradient
# at once? The sum at the end is the same, because the chain rule is linear. But the work is not.
#
# We try it on n *residual blocks*, x ← x + ln x. Such a block adds something to its input: here ln x,
# which is called the *branch*. The way of x itself to the sum is the *shortcut*. A network of such
# blocks is a ResNet. We count the calls of backward.


# %% name="impatient"
def residual_chain(x, blocks):
    for _ in range(blocks):
        x = add(x, log(x))
    return x


def hand_on(node, dy):
    """Hand on each part of the gradient when it arrives. -> number of calls of backward"""
    node.grad = node.grad + dy
    if not node.parents:
        return 0
    return 1 + sum(
        hand_on(parent, dx) for parent, dx in zip(node.parents, node.backward(dy))
    )


def backward_at_once(root):
    """Set .grad as `backward` does, but no value waits. -> number of calls of backward"""
    for node in newest_first(root):
        node.grad = 0.0
    return hand_on(root, 1.0)


x = Value(2.0)
draw(residual_chain(x, 2))

# %% [markdown] name="guess-text"
# **Your guess:** with newest first, each op is called once: 2 calls a block. How many calls are there
# for 12 blocks if no value waits? Write it down; the figure will show it.

# %% name="guess"
my_guess = 100  # change this

# %% name="figure-calls"
BLOCKS = range(1, 13)
calls: dict[str, list] = {"newest first": [], "at once": []}
for blocks in BLOCKS:
    y = residual_chain(Value(2.0), blocks)
    calls["newest first"].append(sum(len(node.parents) > 0 for node in newest_first(y)))
    calls["at once"].append(backward_at_once(y))

plot_panels(
    [
        Panel(
            "residual blocks",
            "calls of backward",
            [
                Line("newest first", BLOCKS, calls["newest first"], "residual"),
                Line("at once", BLOCKS, calls["at once"], "plain"),
                Line("your guess", BLOCKS[-1:], [my_guess], "paper"),
            ],
            yscale="log",
            whole=True,
        )
    ]
)

# %% [markdown] name="claim-calls-text"
# In each block the gradient takes two ways, so there are 2ⁿ paths through n blocks. Without waiting
# each path is walked alone. The last block is called 2 times, the one before it 4 times, and so on.
# Together these are 2 + 4 + … + 2ⁿ = 2ⁿ⁺¹ − 2 calls.
#
# **The claim:** both ways give the same gradient, to rounding. With 12 blocks the patient one needs 24
# calls of backward, and the impatient one 2¹³ − 2 = 8190.

# %% name="claim-calls" tags=["claim"]
for seed in SEEDS:
    start = np.random.default_rng(seed).uniform(1, 9)
    patient = Value(start)
    y = residual_chain(patient, 12)
    backward(y)
    few = sum(len(node.parents) > 0 for node in newest_first(y))

    impatient = Value(start)
    many = backward_at_once(residual_chain(impatient, 12))
    print(
        f"seed {seed}: {patient.grad:.6g} by {few} calls, {impatient.grad:.6g} by {many:,} calls"
    )
    assert np.isclose(patient.grad, impatient.grad, rtol=1e-10), (
        "the gradients are not the same"
    )
    assert few == 24, "an op is called twice"
    assert many == 2**13 - 2, "the paths are not walked one by one"

# %% [markdown] name="arrays"
# ## From numbers to arrays
#
# A network's values are arrays. What must change in the engine? Nothing: `Value`, `newest_first` and
# `backward` never ask what their data is. Only ops for arrays are missing.
#
# The gradient of an array is an array of the same shape, with one derivative for each element. Take a
# product of matrices Y = A·B, with A (m,k) and B (k,n). The element $A_{ij}$ is used in row i of Y:
# there $Y_{in}$ contains $A_{ij} B_{jn}$, for each column n. So
#
# $$\frac{\partial L}{\partial A_{ij}} = \sum_n dY_{in}\,B_{jn}
# \qquad\text{or}\qquad dA = dY \cdot B^T \qquad dB = A^T \cdot dY$$
#
# The shapes help you to remember this: dY (m,n) times Bᵀ (n,k) has the shape (m,k) of A.
#
# The last op makes the loss. A network gives one number z_k for each class k, a *logit*. *Softmax*
# makes probabilities of them, $p_k = e^{z_k} / \sum_j e^{z_j}$. The loss is −ln of the probability of
# the right class r. This is $-z_r + \ln \sum_j e^{z_j}$, and its derivative by $z_k$ is $p_k$, minus 1
# if k = r.


# %% name="array-ops"
@differentiable
def matmul(A, B):
    return A @ B, lambda dY: (dY @ B.T, A.T @ dY)


@differentiable
def relu(x):
    return np.maximum(x, 0), lambda dy: (dy * (x > 0),)


def cross_entropy(logits, labels):
    """The mean of −ln(probability of the right class) over the images."""

    @differentiable
    def cross_entropy(z):
        e = np.exp(z - z.max(axis=1, keepdims=True))
        probabilities = e / e.sum(axis=1, keepdims=True)
        right = np.eye(z.shape[1])[labels]  # rows of 0, with a 1 at the right class
        loss = -np.log((probabilities * right).sum(axis=1)).mean()
        return loss, lambda dy: (dy * (probabilities - right) / len(z),)

    return cross_entropy(logits)


# %% [markdown] name="broadcast"
# One thing is missing: a bias. In Y = X·W + b the array b has the shape (n,), and X·W has (m,n). NumPy
# *broadcasts* b: it takes the same b in each of the m rows. So b is used m times, and its gradient is
# the sum over the m rows.
#
# Our `add` hands dY of shape (m,n) to both parents. For b this is wrong: it needs the shape (n,).

# %% [markdown] name="exercise-broadcast"
# ### Exercise 1.4
#
# Write the function that puts this right. dy is the gradient after broadcasting, an array. shape is
# that of the input before broadcasting. Return the gradient of the input: an array of this shape,
# summed over all places to which an element was copied.
#
# NumPy's rule: shapes are compared from the right. An axis that is missing on the left, or that has
# length 1, is stretched. So (3,), (1,3), (2,1) and () can all be broadcast to (2,3).


# %% name="broadcast-blank" tags=["exercise"] exercise="1.4"
def unbroadcast(dy, shape):
    raise NotImplementedError  # your answer


# %% name="broadcast-solution" tags=["solution"] exercise="1.4"
def unbroadcast(dy, shape):
    while dy.ndim > len(shape):
        dy = dy.sum(axis=0)
    for axis, length in enumerate(shape):
        if length == 1:
            dy = dy.sum(axis=axis, keepdims=True)
    return dy


# %% name="broadcast-check" tags=["check"] exercise="1.4"
check("1.4", unbroadcast)

# %% [markdown] name="network"
# ## A residual network on our engine
#
# Is this toy good enough to train a network? We take images of 8×8 pixels, handwritten digits, and
# residual blocks H ← H + relu(H·W). The last matrix makes ten numbers of the 64, one a class.
#
# Training: each step subtracts a small multiple of the gradient from each weight. The factor is called
# the *learning rate*.
#
# For comparison the same network is trained twice more. Once with minires. And once with an engine in
# which the sum is forgotten: `parent.grad = dx`. Then the last part that arrives wins.
#
# **Before you run:** in a block, H is used by *add* and by *matmul*. Which of the two hands its part on
# last? So which part of the gradient is lost, that of the shortcut or that of the branch? Will this
# network learn? (The cell takes about a minute.)

# %% name="train"
DEPTH = {"tiny": 4, "small": 8}[size()]  # size() is tiny in a browser
STEPS = {"tiny": 20, "small": 60}[size()]
LEARNING_RATE = 0.02

train_set, _ = data.load("digits")
images, labels = next(iter(data.ArrayLoader(train_set.limit(256), 256)))
pixels = images.reshape(len(images), 64).astype(float)


def backward_without_sum(root):
    root.grad = 1.0
    for node in newest_first(root):
        if node.parents:
            for parent, dx in zip(node.parents, node.backward(node.grad)):
                parent.grad = dx  # the mistake


def loss_of_ours(weights):
    *inner, last = weights
    H = Value(pixels)
    for W in inner:
        H = add(H, relu(matmul(H, W)))
    return cross_entropy(matmul(H, last), labels)


def loss_of_minires(weights):
    *inner, last = weights
    H = Tensor(pixels)
    for W in inner:
        H = H + (H @ W).relu()
    return ops.cross_entropy(H @ last, labels)


def trained(make, loss_of, run_backward, seed):
    """The loss at each step. make: Value, or a Tensor."""
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal((64, 64)) / np.sqrt(4 * 64) for _ in range(DEPTH)]
    arrays.append(rng.standard_normal((64, 10)) / 64)
    losses = []
    for _ in range(STEPS):
        weights = [make(array) for array in arrays]
        loss = loss_of(weights)
        run_backward(loss)
        losses.append(float(loss.data))
        arrays = [W.data - LEARNING_RATE * W.grad for W in weights]
    return losses


def leaf(array):
    return Tensor(array, requires_grad=True)


ours = [trained(Value, loss_of_ours, backward, seed) for seed in SEEDS]
without_sum = [
    trained(Value, loss_of_ours, backward_without_sum, seed) for seed in SEEDS
]
theirs = [trained(leaf, loss_of_minires, Tensor.backward, seed) for seed in SEEDS]

# %% name="figure-train"
steps = range(STEPS)
plot_panels(
    [
        Panel(
            "step",
            "loss",
            [
                Line("our engine", steps, ours, "residual"),
                Line("minires", steps, theirs, "other"),
                Line("without the sum", steps, without_sum, "plain"),
            ],
            whole=True,
        )
    ]
)

# %% [markdown] name="claim-train-text"
# Two of the curves lie on each other. *add* was made last, so its part is handed on first. Then the
# part of *matmul* takes its place: without the sum, the gradient of the shortcut is lost. The network
# still learns, but more slowly. So this mistake is hard to notice: nothing crashes.
#
# **The claim:** for three seeds our losses are those of minires, to 10 decimals. Without the sum the
# loss falls, too, by more than 0.5. But the last loss is higher.

# %% name="claim-train" tags=["claim"]
for seed in SEEDS:
    difference = np.max(np.abs(np.subtract(ours[seed], theirs[seed])))
    print(
        f"seed {seed}: last loss {ours[seed][-1]:.4f}, minires differs by {difference:.0e}; "
        f"without the sum {without_sum[seed][-1]:.4f}"
    )
    assert difference < 1e-10, "the two engines differ"
    assert without_sum[seed][-1] < without_sum[seed][0] - 0.5, "it learns nothing"
    assert without_sum[seed][-1] > ours[seed][-1], "the sum makes no difference"

# %% [markdown] name="price"
# ## What it cost
#
# **Before you run:** how many forward passes would one step cost if you measured the derivative of
# each weight by changing it?

# %% name="price-run"
weights = [Value(np.zeros((64, 64))) for _ in range(DEPTH)] + [
    Value(np.zeros((64, 10)))
]
nodes = newest_first(loss_of_ours(weights))
print(
    f"{sum(W.data.size for W in weights):,} forward passes, each time with one weight changed, and one more;"
)
print(
    f"our engine: 1 forward pass and {sum(len(node.parents) > 0 for node in nodes)} calls of backward"
)

# %% [markdown] name="beside"
# ## Optional: minires's own engine
#
# Your engine and that of minires are one idea. The next cell prints our lines on the left, and those
# of minires on the right. It looks for each line on the left in our functions. And it looks for each line on the right in
# [`graph.py`](../minires/graph.py) and [`op.py`](../minires/op.py). So both are there today.
#
# **Before you run:** open graph.py, and read the docstring of `propagate`. Do you find your loop?

# %% name="side-by-side"
LINES = [  # of this lesson, and of minires
    ("self.made_as = Value.count", "self.order = next(Node._order)"),
    ("def differentiable(function):", "def op(function=None, *,"),
    (
        "Value(y, inputs, gradients, function.__name__)",
        "Node(name, y, backward, nodes,",
    ),
    ("root.grad = 1.0", "sums = _GradientSums(root, dy)"),
    ("nodes = newest_first(root)", "for node in _newest_first(root):"),
    ("found = {root}", "found, stack = {root}, [root]"),
    ("node.backward(node.grad)", "node.gradients(dy)"),
    ("parent.grad = parent.grad + dx", "kernels.add(before, dx,"),
]
OURS = (Value.__init__, differentiable, newest_first, backward)
ours_source = "\n".join(inspect.getsource(function) for function in OURS)
rooms = [sys.modules[f"minires.{name}"] for name in ("graph", "op")]
source = "\n".join(inspect.getsource(room) for room in rooms)
for mine, theirs in LINES:
    print(f"{mine:<46} {theirs}")
    assert mine in ours_source, f"this lesson no longer has the line {mine}"
    assert theirs in source, f"minires no longer has the line {theirs}"

# %% [markdown] name="what-more"
# And what are the other lines of minires for?
#
# | there | why |
# |---|---|
# | `may_overwrite`, `_are_new` | a sum is added up in place, but only in memory that nothing else uses |
# | `node.release()` | what backward needs is freed as soon as its turn is over |
# | `Node` and `Tensor` apart | a Node never holds a Tensor, so a graph is freed with its last Tensor |
# | `checked` | a gradient of the wrong shape or dtype is an error with the op's name |
# | `Version` | an array that was changed after the forward pass is an error, and no wrong gradient |
# | `hooks` | you may look at a gradient on its way, or change it |
#
# If you like, put your answers into the engine. Write this in a new cell, above the network:
#
# ```python
# @differentiable
# def add(a, b):
#     def backward(dy):
#         dy = np.asarray(dy)
#         return unbroadcast(dy, np.shape(a)), unbroadcast(dy, np.shape(b))
#
#     return a + b, backward
#
# tanh_of_values = differentiable(tanh)
# ```
#
# Then take tanh in place of relu, in both engines: `tanh_of_values(matmul(H, W))` in `loss_of_ours`,
# and `(H @ W).tanh()` in `loss_of_minires`. Run the cells from there on again.

# %% [markdown] name="summary"
# ## What to remember
#
# - An op is a function that returns its result and its backward. It knows no graph.
# - The graph is made by computing: each value remembers its parents and its backward.
# - A value's gradient is the *sum* over all values that used it. Without the sum, a residual network
#   loses the gradient of its shortcuts, and still seems to learn.
# - A value waits until its sum is complete. Then each op is called once, however many paths there are.
# - Broadcasting forward is a sum backward.
#
# **Read next:** Baydin et al. 2018, *Automatic differentiation in machine learning: a survey*, §3.
# In minires: [`graph.py`](../minires/graph.py), up to the end of `propagate`;
# [`ops/residual.py`](../minires/ops/residual.py), the op that this library is about. Lesson 2 writes the
# op convolution, and lesson 4 shows how to find out whether a backward is right.
