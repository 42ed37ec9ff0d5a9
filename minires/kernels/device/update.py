"""One step of an optimizer for 64 arrays in each launch, which gets a table of their addresses by value."""

import math

import cupy
import numpy as np

from minires.kernels.device.launch import THREADS, raw

MOST = 64  # arrays in a table: 2.5 KB of the 4 KB that a launch can take
BLOCKS = 128  # that share an array
TABLE = np.dtype([(name, np.int64, MOST) for name in ("x", "dx", "m", "v", "size")])

UPDATE = """
struct Table { T* x[64]; const T* dx[64]; T* m[64]; T* v[64]; long long size[64]; };

// blockIdx.y is the array. Its elements are taken in their order in memory, which is the same for all four.
#define EACH_ELEMENT int k = blockIdx.y; \\
    for (ptrdiff_t i = (ptrdiff_t)blockIdx.x * blockDim.x + threadIdx.x; i < t.size[k]; i += gridDim.x * blockDim.x)

extern "C" __global__ void sgd(Table t, double lr, double momentum, double dampening, double weight_decay,
                               bool nesterov, bool first) {
    EACH_ELEMENT {
        T x = t.x[k][i], g = t.dx[k][i] + T(weight_decay) * x;
        if (momentum != 0) {
            T v = first ? g : T(momentum) * t.v[k][i] + T(1 - dampening) * g;
            t.v[k][i] = v;
            g = nesterov ? g + T(momentum) * v : v;
        }
        t.x[k][i] = x - T(lr) * g;
    }
}

// rate = lr/(1 − β₁ᵗ), root = √(1 − β₂ᵗ). The decay is part of g, in_gradient = λ, or x is first multiplied
// by `keep` = 1 − lr·λ.
extern "C" __global__ void adam(Table t, double beta1, double beta2, double eps, double in_gradient, double keep,
                                double rate, double root) {
    EACH_ELEMENT {
        T g = t.dx[k][i] + T(in_gradient) * t.x[k][i];
        T m = t.m[k][i] = T(beta1) * t.m[k][i] + T(1 - beta1) * g;
        T v = t.v[k][i] = T(beta2) * t.v[k][i] + T(1 - beta2) * (g * g);
        t.x[k][i] = T(keep) * t.x[k][i] - T(rate) * m / (sqrt(v) / T(root) + T(eps));
    }
}
"""


def sgd(xs, dxs, vs, *, lr, momentum, dampening, weight_decay, nesterov, first):
    """v ← μ·v + (1 − dampening)·g with g = dx + λ·x, or v ← g at first; x ← x − lr·v, or x − lr·(g + μ·v)."""
    _launch(
        "sgd",
        {"x": xs, "dx": dxs, "v": vs if momentum else xs},
        (lr, momentum, dampening, weight_decay, nesterov, first),
    )


def adam(xs, dxs, ms, vs, *, lr, beta1, beta2, eps, weight_decay, decoupled, t):
    """m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; x ← x − lr·m̂/(√v̂ + ε), in step t; g as on the host."""
    in_gradient, keep = (0.0, 1 - lr * weight_decay) if decoupled else (weight_decay, 1.0)
    _launch(
        "adam",
        {"x": xs, "dx": dxs, "m": ms, "v": vs},
        (beta1, beta2, eps, in_gradient, keep, lr / (1 - beta1**t), math.sqrt(1 - beta2**t)),
    )


def _launch(name, columns, settings):
    columns["dx"] = [_in_order_of(x, dx) for x, dx in zip(columns["x"], columns["dx"])]
    for dtype in {x.dtype.char for x in columns["x"]}:
        rows = [row for row in zip(*columns.values()) if row[0].dtype.char == dtype]
        for part in (rows[a : a + MOST] for a in range(0, len(rows), MOST)):
            table = np.zeros((), TABLE)
            for k, row in enumerate(part):
                for column, array in zip(columns, row):
                    table[column][k] = array.data.ptr
                table["size"][k] = row[0].size
            blocks = min(BLOCKS, -(-max(row[0].size for row in part) // THREADS))
            raw(UPDATE, name, dtype)((max(blocks, 1), len(part)), (THREADS,), (table[()], *settings))


def _in_order_of(x, dx):
    """dx in the memory order of x."""
    if dx.strides == x.strides:
        return dx
    copied = cupy.empty_like(x)
    copied[...] = dx
    return copied
