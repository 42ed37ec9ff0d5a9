"""The computations of the ops, arrays in and arrays out, each in several packages with one signature.

readable/ computes as the paper derives it, and its loops.py and pool_loops.py by the definition. cpu/ and device/
compute the same fast on a CPU and on a GPU. Each function here chooses a package by the device of its arrays and by
use(). CuPy is imported with the first array of a GPU.
"""

import numpy as np

from minires.arrays import array_module
from minires.kernels import cpu, readable, shapes, sync
from minires.kernels.choice import chosen, shapes_only, use
from minires.kernels.cpu.memory import keep_freed_memory
from minires.kernels.cpu.threads import get_num_threads, set_num_threads
from minires.kernels.readable import loops, pool_loops
from minires.kernels.sync import batch_count, joint_mean_var
from minires.kernels.window import Window

__all__ = [
    "Window",
    "adam",
    "add",
    "add_relu",
    "attention",
    "attention_dq_dk_dv",
    "avg_pool",
    "avg_pool_dx",
    "batch_count",
    "channel_sums",
    "chosen",
    "contract",
    "conv",
    "conv_affine",
    "conv_dw",
    "conv_dx",
    "conv_dx_dw",
    "cross_entropy",
    "cross_entropy_dx",
    "first_outside",
    "gelu",
    "get_num_threads",
    "inv_std",
    "joint_mean_var",
    "layer_norm",
    "layer_norm_gradients",
    "matmul",
    "max_pool",
    "max_pool_argmax",
    "max_pool_dx",
    "mean_var",
    "multiply",
    "multiply_sum",
    "normalize",
    "normalize_dx",
    "normalize_sums",
    "prefers_scatter_matrix",
    "product_sums",
    "relu",
    "relu6",
    "relu6_dx",
    "relu_dx",
    "scale",
    "scatter_matrix",
    "set_num_threads",
    "sgd",
    "shapes_only",
    "silu",
    "sums",
    "update_running_stats",
    "use",
]

keep_freed_memory()


def _package(*arrays):
    """The package that computes with these arrays, by the device of the first."""
    if chosen() in ("readable", "naive"):
        return readable
    if array_module(arrays[0]) is np:
        return cpu
    if any(hasattr(a, "dtype") and a.dtype.kind == "c" for a in arrays):
        return readable  # no kernel of a GPU takes the complex elements of a complex step
    from minires.kernels import device

    return device


def _package_or_shapes(*arrays):
    """The same, or the package that computes nothing, for what has a kernel there."""
    return shapes if chosen() == "shapes" else _package(*arrays)


def _package_on_host(x):
    """cpu, or readable where that is chosen and on a GPU: for what has no kernel of its own there."""
    return cpu if _package(x) is cpu else readable


def _package_on_host_or_shapes(x):
    """The same, or the package that computes nothing."""
    return shapes if chosen() == "shapes" else _package_on_host(x)


def _package_for_sums(*arrays):
    """The same for sums over a batch. If processes share the batch it is cpu, which adds up over all of them."""
    return cpu if sync.is_shared() else _package(*arrays)


def _package_for_convolutions(win, *arrays):
    """The same for convolutions: these have loops, and groups have no kernel of a GPU."""
    if chosen() in ("naive", "shapes"):
        return loops if chosen() == "naive" else shapes
    package = _package(*arrays)
    return readable if win.groups > 1 and package is not cpu else package


def _package_for_pooling(*arrays):
    """The same for pooling, which has loops, too."""
    return pool_loops if chosen() == "naive" else _package_or_shapes(*arrays)


# Convolution


def conv(x, w, win):
    """Y = im2col(X)·Wᵀ: x (N,C,H,W), w (O,C/groups,KH,KW) -> y (N,O,OH,OW), channels-last."""
    return _package_for_convolutions(win, x, w).conv(x, w, win)


def conv_dx(dy, w, win):
    """dX = col2im(dY·W): dy (N,O,OH,OW), w (O,C/groups,KH,KW) -> dx (N,C,H,W), channels-last."""
    return _package_for_convolutions(win, dy, w).conv_dx(dy, w, win)


def conv_dw(dy, x, win):
    """dW = dYᵀ·im2col(X): dy (N,O,OH,OW), x (N,C,H,W) -> dw (O,C/groups,KH,KW)."""
    return _package_for_convolutions(win, x, dy).conv_dw(dy, x, win)


def conv_dx_dw(dy, x, w, win):
    """(dX, dW), which share work in some kernels: dy (N,O,OH,OW), x (N,C,H,W), w (O,C/groups,KH,KW)."""
    return _package_for_convolutions(win, x, w).conv_dx_dw(dy, x, w, win)


def channel_sums(dy):
    """Σ dy over N, H and W, a bias's gradient: dy (N,C,H,W) -> (C,), in double precision."""
    return _package(dy).channel_sums(dy)


# Batch normalization


def mean_var(x):
    """Mean and biased variance of each channel of x (N,C,H,W) -> (C,) and (C,), in double precision."""
    return _package_for_sums(x).mean_var(x)


def inv_std(var, eps):
    """s = 1/√(σ² + ε): (C,) -> (C,)."""
    return _package(var).inv_std(var, eps)


def update_running_stats(running_mean, running_var, mean, var, momentum, count):
    """running = (1 − momentum)·running + momentum·batch in place, with the variance over count − 1: all (C,)."""
    _package(running_mean, mean).update_running_stats(running_mean, running_var, mean, var, momentum, count)


def normalize(x, mean, inv_std, weight, bias, relu=False):
    """γ·x̂ + β, or with relu max(γ·x̂ + β, 0): x (N,C,H,W), μ, s, γ and β (C,) -> (N,C,H,W)."""
    return _package_or_shapes(x, mean, weight, bias).normalize(x, mean, inv_std, weight, bias, relu)


def normalize_sums(dy, x, mean, inv_std):
    """∂γ = Σ dy·x̂ and ∂β = Σ dy over N, H and W -> (C,) and (C,)."""
    return _package_for_sums(dy, x, mean).normalize_sums(dy, x, mean, inv_std)


def normalize_dx(dy, x, mean, inv_std, weight, dw, db, out=None):
    """γ·s·(dy − ⟨dy⟩ − x̂·⟨dy·x̂⟩): dy and x (N,C,H,W), the others (C,); dw and db are normalize_sums().

    The result goes into out, if given, which may be dy.
    """
    return _package(dy, x, mean, weight).normalize_dx(dy, x, mean, inv_std, weight, dw, db, out)


# Layer normalization


def layer_norm(x, weight, bias, eps):
    """(y, μ, s): y = γ·x̂ + β, μ and s = 1/√(σ² + ε) of each row: x (M,C), γ and β (C,) or None."""
    return _package_on_host_or_shapes(x).layer_norm(x, weight, bias, eps)


def layer_norm_gradients(dy, x, mean, inv_std, weight):
    """(dx, dγ, dβ): dy and x (M,C), μ and s (M,1), γ (C,) or None -> (M,C), (C,), (C,)."""
    return _package_on_host(x).layer_norm_gradients(dy, x, mean, inv_std, weight)


# Formulas for single elements


def add(a, b, out=None):
    """a + b, of one shape; into out, if given, which may be a."""
    return _package_or_shapes(a, b).add(a, b, out)


def relu(x):
    """max(x, 0); a NaN stays NaN."""
    return _package(x).relu(x)


def relu_dx(dy, y):
    """dy where y > 0, else 0, even where dy is infinite."""
    return _package(dy, y).relu_dx(dy, y)


def relu6(x):
    """min(max(x, 0), 6); a NaN stays NaN."""
    return _package_on_host(x).relu6(x)


def relu6_dx(dy, y):
    """dy where 0 < y < 6, else 0, even where dy is infinite."""
    return _package_on_host(dy).relu6_dx(dy, y)


def silu(x):
    """(y, slope): y = x·σ(x), and its slope dy/dx = σ·(1 + x·(1 − σ))."""
    return _package_on_host(x).silu(x)


def gelu(x):
    """(y, slope): y = x·Φ(x), and its slope dy/dx = Φ(x) + x·φ(x)."""
    return _package_on_host(x).gelu(x)


def multiply(a, b):
    """a·b; shapes broadcast, and one may be a Python number."""
    return _package_on_host(a if hasattr(a, "dtype") else b).multiply(a, b)


def scale(x, factor):
    """x·factor: x (N,C,H,W), factor (C,)."""
    return _package(x, factor).scale(x, factor)


# Sums over axes


def sums(x, axes, keepdims=False):
    """Σ x over the axes, a tuple, in x's dtype; it loses no digits where many elements are added up."""
    return _package(x).sums(x, axes, keepdims)


def multiply_sum(a, b, axes):
    """Σ a·b over the axes, a tuple, which are left out; shapes broadcast."""
    return _package_on_host(a).multiply_sum(a, b, axes)


def contract(factors, out):
    """The product of (letters, x) pairs as an array with the letters `out`, summed over all others: einsum."""
    return _package_or_shapes(*(x for _, x in factors)).contract(factors, out)


def matmul(a, b):
    """A·B over the last two axes: a (…,M,K), b (…,K,N) -> (…,M,N)."""
    return _package_on_host_or_shapes(a).matmul(a, b)


# Pooling


def max_pool(x, win):
    """The maximum under each window: x (N,C,H,W) -> y (N,C,OH,OW). Padding counts as −∞, a NaN as the largest."""
    return _package_for_pooling(x).max_pool(x, win)


def max_pool_argmax(x, y, win):
    """kh·KW + kw of the first kernel element where x is y, for each window -> (N,C,OH,OW)."""
    return _package_for_pooling(x, y).max_pool_argmax(x, y, win)


def max_pool_dx(dy, argmax, win):
    """The gradient of each output goes to its argmax, all of it: dy and argmax (N,C,OH,OW) -> dx (N,C,H,W)."""
    return _package_for_pooling(dy).max_pool_dx(dy, argmax, win)


def avg_pool(x, win, count_include_pad=True):
    """The mean under each window, in which padding counts as zeros or not: x (N,C,H,W) -> y (N,C,OH,OW)."""
    return _package_for_pooling(x).avg_pool(x, win, count_include_pad)


def avg_pool_dx(dy, win, count_include_pad=True):
    """Each input receives dy/m from every window of m elements that contains it: dy (N,C,OH,OW) -> dx (N,C,H,W)."""
    return _package_for_pooling(dy).avg_pool_dx(dy, win, count_include_pad)


# Attention


def attention(q, k, v, scale, mask=None, keep=None):
    """O = P·V (…,L,e) with P = softmax(scale·Q·Kᵀ + mask)∘keep, and its E (…,L,T) and r (…,L,1), P = E·r.

    q (…,L,d), k (…,T,d), v (…,T,e), mask and keep (…,L,T) or None.
    """
    return _package_on_host_or_shapes(q).attention(q, k, v, scale, mask, keep)


def attention_dq_dk_dv(do, q, k, v, e, r, scale, keep=None):
    """(dQ, dK, dV) from dO (…,L,e), and from what attention() was given and has returned."""
    return _package_on_host(q).attention_dq_dk_dv(do, q, k, v, e, r, scale, keep)


# Cross-entropy


def first_outside(t, K, ignore_index):
    """The first target of t (M,) that is neither a class 0 … K − 1 nor ignore_index; None if there is none.

    On a GPU always None, because the host would have to wait. There such a target makes the loss NaN.
    """
    return _package(t).first_outside(t, K, ignore_index)


def cross_entropy(x, t, w, smoothing, ignore_index):
    """(ℓ, w_t, log p) of x (M,K), t (M,) and weights w (K,) or None -> (M,), (M,), (M,K)."""
    return _package(x).cross_entropy(x, t, w, smoothing, ignore_index)


def cross_entropy_dx(log_p, t, w, smoothing, ignore_index, scale):
    """∂ℓ/∂x = scale·(p·Σ_k q_k − q): log p (M,K), t (M,), scale (M,) or (1,) -> (M,K)."""
    return _package(log_p, scale).cross_entropy_dx(log_p, t, w, smoothing, ignore_index, scale)


# One step of an optimizer, for lists of arrays


def sgd(xs, dxs, vs, *, lr, momentum, dampening, weight_decay, nesterov, first):
    """v ← μ·v + (1 − dampening)·g with g = dx + λ·x, or v ← g at first; x ← x − lr·v, or x − lr·(g + μ·v)."""
    _package(xs[0]).sgd(
        xs,
        dxs,
        vs,
        lr=lr,
        momentum=momentum,
        dampening=dampening,
        weight_decay=weight_decay,
        nesterov=nesterov,
        first=first,
    )


def adam(xs, dxs, ms, vs, *, lr, beta1, beta2, eps, weight_decay, decoupled, t):
    """m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; x ← x − lr·m̂/(√v̂ + ε), in step t."""
    _package(xs[0]).adam(
        xs, dxs, ms, vs, lr=lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay, decoupled=decoupled, t=t
    )


# Parts of ops/fused.py and ops/conv_norm.py


def conv_affine(x, w, win, factor, constant, relu=False):
    """factor·(w ⋆ x) + constant, or with relu its ReLU; factor (None for 1) and constant (O,)."""
    package = _package_for_convolutions(win, x, w)
    return (readable if package is loops else package).conv_affine(x, w, win, factor, constant, relu)


def add_relu(a, b):
    """max(a + b, 0), of one shape; a NaN stays NaN."""
    return _package_or_shapes(a, b).add_relu(a, b)


def product_sums(dy, w, dw):
    """Σ dy and Σ dy·z by channel, where z = w ⋆ x; dw = dy ⋆ x gives the second, Σ w·dw -> (O,) and (O,)."""
    return (cpu if array_module(dy) is np and _package_for_sums(dy) is cpu else readable).product_sums(dy, w, dw)


def scatter_matrix(x):
    """⟨x⟩ and S = Σ (x − ⟨x⟩)(x − ⟨x⟩)ᵀ over the pixels of x (N,C,H,W) -> (C,) and (C,C), in double precision."""
    return (cpu if _package(x) is cpu else readable).scatter_matrix(x)


def prefers_scatter_matrix(x, win):
    """Whether the statistics of the batch norm after this convolution take less time from scatter_matrix(x).

    The condition is measured. Rounding differs from that of mean_var(z), so it holds only in float32 with "fastest".
    """
    return (
        isinstance(x, np.ndarray)
        and x.dtype == np.float32
        and chosen() == "fastest"
        and win.is_pointwise
        and win.groups == 1
        and win.C <= 96
        and win.O >= 4 * win.C
        and win.N * win.H * win.W >= 16 * win.O
    )
