# %% [markdown] name="title"
# # 2. Convolution is im2col
#
# *50 minutes. Before it: lesson 1 (an op and its backward), and products of matrices.*
#
# Afterwards you can
#
# - write a convolution as one product of matrices, and its backward as two;
# - say what this costs in memory, and what it saves in time;
# - test a backward exactly, with whole numbers, by the adjoint identity;
# - choose between the kernels of minires, and compare them.

# %% name="setup" tags=["setup"]
import sys

if "google.colab" in sys.modules or sys.platform == "emscripten":  # not at home
    # %pip install -q minires[data,plots]
    pass

import time

import numpy as np

from minires import kernels, ops
from minires.kernels.readable.im2col import col2im as minires_col2im
from minires.kernels.readable.im2col import im2col as minires_im2col
from minires.lessons import check, size
from minires.plots import Bars, Line, Panel, Table, plot_panels, plot_tables

SEEDS = range(3)

# %% [markdown] name="question"
# ## The question
#
# A *convolution* slides a small *filter* w over an image x. At each place the part of the image below
# the filter is called a *window*. Multiply it with the filter, element by element, and add up:
#
# $$y_{o,oh,ow} = \sum_{c,kh,kw} w_{o,c,kh,kw}\; x_{c,\;oh\cdot s+kh,\;ow\cdot s+kw}$$
#
# Here c is a channel of the image, and o the number of a filter. oh and ow are row and column of the
# output, kh and kw those inside the window. s is the *stride*: so many pixels the window moves on.
# The filter is not turned round, so mathematicians call this a *cross-correlation*. Written as a
# program, this is six loops.
#
# One word has two meanings: the *size* of a filter is called kernel_size, and the code that computes an
# op is called a *kernel*, too.
#
# Loops in Python are slow. One thing is very fast on each computer: the product of two matrices,
# because people have worked on it for decades. Can a convolution be a product of matrices?


# %% name="loops"
def convolution(x, w, stride):
    """By the definition: x (C,H,W), w (O,C,K,K) -> y (O,OH,OW)."""
    C, H, W = x.shape
    O, _, K, _ = w.shape
    OH = (H - K) // stride + 1
    OW = (W - K) // stride + 1
    y = np.zeros((O, OH, OW))
    for o in range(O):
        for oh in range(OH):
            for ow in range(OW):
                for c in range(C):
                    for kh in range(K):
                        for kw in range(K):
                            pixel = x[c, oh * stride + kh, ow * stride + kw]
                            y[o, oh, ow] += w[o, c, kh, kw] * pixel
    return y


# %% [markdown] name="windows"
# ## Windows as columns
#
# The sums over c, kh and kw go over all elements of a window. So lay each window down as a *column* of
# a matrix. The copy is called *im2col*, image to columns.
#
# Here is an image of 4×5 pixels, and windows of 3×3. A window can begin in 2 rows and in 3 columns.
# So there are 6 windows, and 6 columns. In general a window may begin at row 0, s, 2s, … up to H − K. So
# there are OH = (H − K) // s + 1 rows of windows.
#
# (The next cell calls the im2col of minires, which puts the numbers in another order. You need not read
# it, because you write your own soon.)


# %% name="order"
def columns_of(x, kernel_size, stride):
    """The im2col of minires, for one image (C,H,W), in the order of this lesson."""
    C = len(x)
    window = kernels.Window.of((1, *x.shape), (1, C, kernel_size, kernel_size), stride)
    rows = minires_im2col(
        x[None], window
    )  # minires lays windows down as rows, with the channel last
    return (
        rows.reshape(len(rows), kernel_size**2, C)
        .transpose(2, 1, 0)
        .reshape(-1, len(rows))
    )


image = np.arange(1, 21).reshape(1, 4, 5)
columns = columns_of(image, 3, 1)
plot_tables(
    [
        Table("window 0", image[0], [(0, 0, 3, 3, "residual")]),
        Table("window 4", image[0], [(1, 1, 3, 3, "plain")]),
        Table("columns", columns, [(0, 0, 9, 1, "residual"), (0, 4, 9, 1, "plain")]),
    ]
)

# %% [markdown] name="copies-text"
# Follow window 4: it begins one row and one column later than window 0. Read it row by row: 7 8 9, then
# 12 13 14, then 17 18 19. This is its column.
#
# **Your guess:** how often does the pixel 8 occur in the columns? And the pixel 1? Write it down, and
# count then.

# %% name="copies"
my_guess = {8: 1, 1: 1}  # change these

for pixel, guess in my_guess.items():
    print(f"pixel {pixel}: {np.sum(columns == pixel)} copies, your guess {guess}")

# %% [markdown] name="exercise-im2col"
# ### Exercise 2.1
#
# Write im2col for one image x, an array (C,H,W). Return the columns, an array (C·K·K, OH·OW), with
# K = kernel_size. Window number oh·OW + ow begins at row oh·stride and column ow·stride. Inside a
# column the order is that of the window (C,K,K): channel by channel, and row by row.
#
# OH = (H − K) // stride + 1, and OW likewise. Two loops over the windows are enough.


# %% name="im2col" tags=["exercise"] exercise="2.1"
def im2col(x, kernel_size, stride):
    raise NotImplementedError  # your answer


# %% name="im2col-solution" tags=["solution"] exercise="2.1"
def im2col(x, kernel_size, stride):
    C, H, W = x.shape
    OH = (H - kernel_size) // stride + 1
    OW = (W - kernel_size) // stride + 1
    columns = np.zeros((C * kernel_size**2, OH * OW))
    for oh in range(OH):
        for ow in range(OW):
            h = oh * stride
            w = ow * stride
            window = x[:, h : h + kernel_size, w : w + kernel_size]
            columns[:, oh * OW + ow] = window.reshape(-1)
    return columns


# %% name="im2col-check" tags=["check"] exercise="2.1"
check("2.1", im2col)

# %% [markdown] name="product"
# ## One product
#
# Lay each filter down, too: as a row, in the same order as a column. Then an output is the product of
# a row and a column, and all outputs together are one product of matrices:
#
# $$Y = W \cdot \text{columns}$$
#
# $$(O,\,C K K)\cdot(C K K,\,OH\cdot OW) \to (O,\,OH\cdot OW)$$
#
# Chellapilla et al. [2006, Fig. 2] showed it with three channels of 3×3 pixels and two filters of 2×2.
# We take their numbers. They got 14, 20, 15, 24 from the first filter, and 12, 24, 17, 26 from the
# second.
#
# **Before you run:** how many rows has the matrix of columns, and how many columns?

# %% name="figure-image"
x = np.array(
    [
        [[1, 2, 0], [1, 1, 3], [0, 2, 2]],
        [[0, 2, 1], [0, 3, 2], [1, 1, 0]],
        [[1, 2, 1], [0, 1, 3], [3, 3, 2]],
    ]
)
w = np.array(
    [
        [[[1, 1], [2, 2]], [[1, 1], [1, 1]], [[0, 1], [1, 0]]],
        [[[1, 0], [0, 1]], [[2, 1], [2, 1]], [[1, 2], [2, 0]]],
    ]
)
plot_tables(
    [
        Table(f"channel {c} of x", x[c], [(0, 0, 2, 2, "residual")])
        for c in range(len(x))
    ]
)

# %% name="figure-product"
columns = columns_of(x, 2, 1)
W = w.reshape(2, -1)
Y = W @ columns
assert Y.tolist() == [[14, 20, 15, 24], [12, 24, 17, 26]]  # the paper's
plot_tables(
    [
        Table("filters W", W),
        Table("columns", columns, [(0, 0, 12, 1, "residual")], before="·"),
        Table("Y, as in the paper", Y, before="="),
    ]
)

# %% [markdown] name="claim-product-text"
# **The claim:** the product gives what the six loops give. We take whole numbers, so that there is no
# rounding, and both must be *equal*. Images, filters and strides are drawn by three seeds.

# %% name="claim-product" tags=["claim"]
for seed in SEEDS:
    rng = np.random.default_rng(seed)
    C, O, stride = rng.integers(1, 4, 3)
    K = rng.integers(2, 4)
    x = rng.integers(-9, 10, (C, 7, 8))
    w = rng.integers(-9, 10, (O, C, K, K))
    by_loops = convolution(x, w, stride)
    by_product = (w.reshape(O, -1) @ columns_of(x, K, stride)).reshape(by_loops.shape)
    print(
        f"seed {seed}: {C} channels, {O} filters of {K}×{K}, stride {stride}: {by_loops.size} outputs"
    )
    assert np.array_equal(by_loops, by_product), "the product is not the convolution"

# %% [markdown] name="bytes"
# ## What it costs: memory
#
# Each pixel is copied into all windows that contain it. For a filter of K×K and stride 1 these are K·K
# windows, except at the border. With *padding*, zeros around the image, OH·OW is H·W again. Then the
# columns hold exactly K·K times as many numbers as the image.
#
# With stride s there are s² times fewer windows. **Your guess:** for the layers of a ResNet, how many
# times larger than the image are the columns? Put your numbers into the next cell.

# %% name="guess-bytes"
my_guess = [1, 1, 1, 1]  # change these: for the four layers below

# %% name="figure-bytes"
LAYERS = {  # kernel size, stride, padding, as ResNet-50 has them
    "7×7, stride 2": (7, 2, 3),
    "3×3": (3, 1, 1),
    "3×3, stride 2": (3, 2, 1),
    "1×1": (1, 1, 0),
}


def bytes_of(kernel_size, stride, padding):
    """How many bytes an image of 64×64 pixels has, and its columns."""
    x = np.zeros((1, 3, 64, 64), np.float32)
    window = kernels.Window.of(
        x.shape, (1, 3, kernel_size, kernel_size), stride, padding
    )
    return x.nbytes, minires_im2col(x, window).nbytes


ratios = {
    layer: bytes_of(*numbers)[1] / bytes_of(*numbers)[0]
    for layer, numbers in LAYERS.items()
}
for layer, (kernel_size, stride, _) in LAYERS.items():
    assert ratios[layer] == kernel_size**2 / stride**2, f"{layer} is not at K²/s²"
plot_panels(
    [
        Bars(
            "bytes of the columns, image = 1",
            list(ratios),
            [[ratio] for ratio in ratios.values()],
            ["residual"] * 4,
            my_guess,
            "your guess",
        )
    ]
)

# %% [markdown] name="claim-bytes-text"
# The bars are at K²/s². Inside the first block of a ResNet-50 a batch of 32 images has 64 channels of
# 56×56 pixels: 26 MB in float32. Its columns for a 3×3 filter have 231 MB, in one layer.
#
# **Before you run:** the backward needs the columns again. Must they stay in memory until then? Guess
# what minires keeps.
#
# They need not stay, because they can be made again from x. **The claim:** what a convolution of minires
# keeps for its backward is x and w, and no more. (Python keeps what an inner function uses in its
# `__closure__`. The cell looks for arrays there, also inside lists, functions and objects.)


# %% name="claim-bytes" tags=["claim"]
def bytes_kept(value, seen):
    """The bytes of all arrays that can be reached from a value."""
    if id(value) in seen or isinstance(value, (type, type(np))):
        return 0
    seen[id(value)] = value
    if isinstance(value, np.ndarray):
        base = value
        while isinstance(base.base, np.ndarray):
            base = base.base  # a view keeps the whole array
        known = base is not value and id(base) in seen
        seen[id(base)] = base
        return 0 if known else base.nbytes
    if isinstance(value, dict):
        inside = list(value.values())
    elif isinstance(value, (list, tuple, set)):
        inside = list(value)
    else:
        cells = getattr(value, "__closure__", None) or ()
        inside = [cell.cell_contents for cell in cells]
        inside += list(getattr(value, "__dict__", {}).values())
    return sum(bytes_kept(one, seen) for one in inside)


def hoarder(x):
    """A backward that keeps the columns, in a list."""
    hidden = [np.zeros(9 * x.size)]
    return lambda dy: hidden[0]


for seed in SEEDS:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, 8, 20 + seed, 20))
    w = rng.standard_normal((8, 8, 3, 3))
    y, backward = ops.conv2d.raw(x, w, padding=1)  # an op of arrays, as in lesson 1
    kept = bytes_kept(backward, {})
    needed = x.nbytes + w.nbytes
    print(
        f"seed {seed}: x and w {needed:,} bytes, kept {kept:,}, columns {9 * x.nbytes:,}"
    )
    assert 0 < kept <= needed, "it keeps more than x and w"
    assert bytes_kept(hoarder(x), {}) == 9 * x.nbytes, "columns in a list are not found"

# %% [markdown] name="adjoint"
# ## Backward: the way back of each copy
#
# Y = W·columns is the matmul of lesson 1. Its backward is known:
#
# $$dW = dY \cdot \text{columns}^T \qquad d\text{columns} = W^T \cdot dY$$
#
# What is left is the step from dcolumns to dx. im2col only copies. A pixel that was copied four times
# was *used* four times. So, as in lesson 1, its gradient is the sum of four. The way back is called
# *col2im*: each element of a column is added to the pixel that it came from.
#
# **Before you run:** we send back columns full of ones, for the image of 4×5 pixels. Which pixels get
# the largest number?


# %% name="figure-counts"
def image_of(columns, shape, kernel_size, stride):
    """The col2im of minires, for one image, in the order of this lesson."""
    C = shape[0]
    window = kernels.Window.of((1, *shape), (1, C, kernel_size, kernel_size), stride)
    rows = columns.reshape(C, kernel_size**2, -1).transpose(2, 1, 0)
    return minires_col2im(rows.reshape(-1, C * kernel_size**2), window)[0]


ones = np.ones((9, 6))
plot_tables(
    [
        Table("image", image[0]),
        Table("copies of each pixel", image_of(ones, (1, 4, 5), 3, 1)[0]),
    ]
)

# %% [markdown] name="identity"
# ## A test without rounding
#
# How do you test such a backward? im2col is *linear*: it is a huge matrix A, with a single 1 in each
# row. The backward of a linear step y = A·x is its transpose: the matmul of lesson 1 says dx = Aᵀ·dy.
# And the transpose has a property that needs no matrix. For all x and all y
#
# $$\langle A x,\, y \rangle = \langle x,\, A^T y \rangle$$
#
# where ⟨a, b⟩ is the sum of all products a·b. Such an Aᵀ is called the *adjoint* of A. With whole
# numbers both sides are exact. So they are equal, or the backward is wrong.
#
# A usual mistake is to assign (=) where one must add (+=). Then the last window wins.
#
# **Before you run:** is there a stride with which this mistake does no harm?


# %% name="assigning"
def assigned(columns, shape, kernel_size, stride):
    """A wrong col2im: it assigns."""
    C, _, W = shape
    OW = (W - kernel_size) // stride + 1
    x = np.zeros(shape)
    for k in range(columns.shape[1]):
        h = k // OW * stride
        w = k % OW * stride
        window = columns[:, k].reshape(C, kernel_size, kernel_size)
        x[:, h : h + kernel_size, w : w + kernel_size] = window
    return x


# %% [markdown] name="claim-adjoint-text"
# **The claim:** for three seeds and three strides col2im keeps the identity exactly. The wrong one
# breaks it as long as windows overlap. With stride 3 the windows of 3×3 do not overlap any more, and the
# mistake cannot be found. So test with hard settings, in which windows overlap.

# %% name="claim-adjoint" tags=["claim"]
for seed in SEEDS:
    for stride in (1, 2, 3):
        rng = np.random.default_rng(seed)
        x = rng.integers(-9, 10, (2, 9, 8))
        Ax = columns_of(x, 3, stride)
        y = rng.integers(-9, 10, Ax.shape)
        left = np.sum(Ax * y)
        right = np.sum(x * image_of(y, x.shape, 3, stride))
        wrong = np.sum(x * assigned(y, x.shape, 3, stride))
        print(
            f"seed {seed}, stride {stride}: ⟨Ax, y⟩ = {left}, ⟨x, Aᵀy⟩ = {right}, wrong {wrong:g}"
        )
        assert left == right, "col2im is not the adjoint of im2col"
        assert (wrong == left) == (stride == 3), "the mistake is found in other cases"

# %% [markdown] name="exercise-col2im"
# ### Exercise 2.2
#
# Write col2im. It gets columns (C·K·K, OH·OW) in the order of exercise 2.1, and shape, that is
# (C, H, W). It returns an image of this shape: the sum of all that comes back to each pixel.


# %% name="col2im" tags=["exercise"] exercise="2.2"
def col2im(columns, shape, kernel_size, stride):
    raise NotImplementedError  # your answer


# %% name="col2im-solution" tags=["solution"] exercise="2.2"
def col2im(columns, shape, kernel_size, stride):
    C, H, W = shape
    OH = (H - kernel_size) // stride + 1
    OW = (W - kernel_size) // stride + 1
    x = np.zeros(shape)
    for oh in range(OH):
        for ow in range(OW):
            h = oh * stride
            w = ow * stride
            window = columns[:, oh * OW + ow].reshape(C, kernel_size, kernel_size)
            x[:, h : h + kernel_size, w : w + kernel_size] += window
    return x


# %% name="col2im-check" tags=["check"] exercise="2.2"
check("2.2", col2im)

# %% [markdown] name="exercise-dw"
# ### Exercise 2.3
#
# Write the gradient of the filters. It gets dy = ∂L/∂y, an array (O,OH,OW), and the image x (C,H,W) of
# the forward. It returns dw = ∂L/∂w, an array (O,C,K,K). There is no padding.
#
# In columns this is dW = dY·columnsᵀ. You may call your im2col.


# %% name="dw" tags=["exercise"] exercise="2.3"
def filter_gradient(dy, x, kernel_size, stride):
    raise NotImplementedError  # your answer


# %% name="dw-solution" tags=["solution"] exercise="2.3"
def filter_gradient(dy, x, kernel_size, stride):
    O, OH, OW = dy.shape
    dw = np.zeros((O, len(x), kernel_size, kernel_size))
    for oh in range(OH):
        for ow in range(OW):
            h = oh * stride
            w = ow * stride
            window = x[:, h : h + kernel_size, w : w + kernel_size]
            for o in range(O):
                dw[o] += dy[o, oh, ow] * window
    return dw


# %% name="dw-check" tags=["check"] exercise="2.3"
check("2.3", filter_gradient)

# %% [markdown] name="three-kernels"
# ## What it saves: time
#
# minires has the convolution several times. They differ in speed only. You choose with
# `kernels.use`: "naive" are the loops of the definition, "readable" is im2col, and "fastest" is what
# you get without asking.
#
# Work is counted in *multiply-adds*: a product w·x that is added to a sum. We divide the time by the
# number of multiply-adds in the definition. In float32 "fastest" needs fewer, by a trick of Winograd.
# The unit is the nanosecond (ns), 10⁻⁹ seconds.
#
# **Your guess:** how many times longer does a multiply-add take in Python's loops than in im2col?

# %% name="guess-times"
my_guess = 3  # change this

# %% name="measure-times"
CHANNELS = {"tiny": (4, 8, 16), "small": (4, 8, 16, 32, 64)}[size()]
MOST = {
    "naive": 16,
    "readable": 64,
    "fastest": 64,
}  # channels; the loops take too long for more
PIXELS = 12  # rows and columns of the image


def seconds(channels, name):
    """The time of one convolution with as many filters as channels; the shortest of five."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, channels, PIXELS, PIXELS)).astype(np.float32)
    w = rng.standard_normal((channels, channels, 3, 3)).astype(np.float32)
    window = kernels.Window.of(x.shape, w.shape, 1, 1)
    repeats = 1 if name == "naive" else 200  # so that a clock can measure it
    measured = []
    with kernels.use(name):
        for _ in range(1 if name == "naive" else 5):
            begin = time.perf_counter()
            for _ in range(repeats):
                kernels.conv(x, w, window)
            measured.append((time.perf_counter() - begin) / repeats)
    return min(measured)


nanoseconds = {
    name: {
        channels: 1e9 * seconds(channels, name) / (channels**2 * 9 * PIXELS**2)
        for channels in CHANNELS
        if channels <= MOST[name]
    }
    for name in ("naive", "readable", "fastest")
}

# %% name="figure-times"
LABELS = {"naive": "loops", "readable": "im2col", "fastest": "fastest"}
KINDS = {"naive": "plain", "readable": "residual", "fastest": "other"}
lines = [
    Line(LABELS[name], list(found), list(found.values()), KINDS[name])
    for name, found in nanoseconds.items()
]
of_im2col = nanoseconds["readable"]
lines.append(
    Line(
        "loops, your guess",
        [c for c in CHANNELS if c <= 16],
        [my_guess * of_im2col[c] for c in CHANNELS if c <= 16],
        "paper",
    )
)
plot_panels(
    [Panel("channels", "ns for a multiply-add", lines, xscale="log", yscale="log")]
)

# %% [markdown] name="times-text"
# In im2col the time for one multiply-add usually falls with the number of channels: on the left, most of
# it goes into preparing the product. "fastest" prepares even more. So it may be the slower one there,
# and it is made for large layers. On a busy computer the lines jump.
#
# The loops are that far away because Python's loops are slow. Chellapilla et
# al. [2006] compared with compiled loops, and report a factor of 2.4 to 3.0.
#
# Times change from computer to computer, and from day to day. So we claim little about them, and more
# about the numbers. A sum of n products in another order has another rounding error. Each order is
# wrong by at most γₙ·Σ|w·x|, with γₙ = n·u/(1 − n·u), and u = 2⁻⁵³ in float64 [Higham 2002, §3.1]. So
# two orders differ by at most twice that.
#
# **Before you run:** how large is γₙ for n = 45? Will the three kernels be equal in the last digit?
#
# **The claim:** in float64, for three seeds, the results and the gradients of all three are the same, up
# to this bound. And the loops take at least 20 times as long as im2col, with 16 channels.


# %% name="claim-kernels" tags=["claim"]
def results(name, x, w, dy, window):
    """y, dx and dw, each with one kernel."""
    with kernels.use(name):
        dx, dw = kernels.conv_dx_dw(dy, x, w, window)
        return kernels.conv(x, w, window), dx, dw


for seed in SEEDS:
    rng = np.random.default_rng(seed)
    window = kernels.Window.of((2, 5, 8, 9), (6, 5, 3, 3), 1 + seed % 2, 1)
    x = rng.standard_normal((2, 5, 8, 9))
    w = rng.standard_normal((6, 5, 3, 3))
    dy = rng.standard_normal((2, 6, window.OH, window.OW))
    loops = results("naive", x, w, dy, window)
    magnitudes = results("naive", np.abs(x), np.abs(w), np.abs(dy), window)
    terms = (
        5 * 9,
        6 * 9,
        2 * window.OH * window.OW,
    )  # of each sum in y, in dx and in dw
    for name in ("readable", "fastest"):
        for a, b, magnitude, n in zip(
            loops, results(name, x, w, dy, window), magnitudes, terms
        ):
            gamma = n * 2.0**-53 / (1 - n * 2.0**-53)
            assert np.all(np.abs(a - b) <= 2 * gamma * magnitude), f"{name} differs"
    print(f"seed {seed}, stride {window.SH}: y, dx and dw are the same in all three")

times = nanoseconds["naive"][16] / nanoseconds["readable"][16]
print(f"16 channels: the loops take {times:,.0f} times as long as im2col")
assert times > 20, "im2col saves less time than that"

# %% [markdown] name="exercise-cost"
# ### Exercise 2.4
#
# Before you build a network, you want to know what a layer costs. Write a function of the numbers of
# channels C, rows H, columns W, filters O, and of kernel_size, stride and padding. Padding adds so many
# rows of zeros above *and* below, and columns left and right. Return three whole numbers: OH, OW, and
# the number of multiply-adds. Products with the zeros of the padding count, too. (With padding the image
# has H + 2·padding rows; then the formula for OH is that of exercise 2.1.)


# %% name="cost" tags=["exercise"] exercise="2.4"
def cost(C, H, W, O, kernel_size, stride, padding):
    raise NotImplementedError  # your answer


# %% name="cost-solution" tags=["solution"] exercise="2.4"
def cost(C, H, W, O, kernel_size, stride, padding):
    OH = (H + 2 * padding - kernel_size) // stride + 1
    OW = (W + 2 * padding - kernel_size) // stride + 1
    return OH, OW, O * OH * OW * C * kernel_size**2


# %% name="cost-check" tags=["check"] exercise="2.4"
check("2.4", cost)

# %% [markdown] name="summary"
# ## What to remember
#
# - im2col copies each window into a column. Then a convolution is W·columns.
# - The columns are K²/s² times as large as the image. They need not be kept.
# - The backward is dW = dY·columnsᵀ and dx = col2im(Wᵀ·dY). col2im *adds*; it does not undo im2col.
# - ⟨Ax, y⟩ = ⟨x, Aᵀy⟩ tests a linear backward exactly, with whole numbers.
#
# **Read next:** Chellapilla et al. 2006, *High performance convolutional neural networks for document
# processing*, §3. In minires: [`im2col.py`](../minires/kernels/readable/im2col.py) derives the three
# products, [`loops.py`](../minires/kernels/readable/loops.py) has the definition, and
# [`conv.py`](../minires/ops/conv.py) is the op. Lesson 3 takes the layer that follows each convolution.
