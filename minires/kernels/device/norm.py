"""Batch normalization: sums over each channel in two launches, and formulas for single elements in one.

x̂ = (x − μ)·s with s = 1/√(σ² + ε). μ is kept in double precision and subtracted in two parts of x's precision, hi + lo.
x − hi is exact if μ is far from zero, so nothing is lost, and no element needs double arithmetic.
"""

import cupy

from minires.kernels.device.launch import THREADS, as_feature_map, elementwise, pixels, raw

BLOCKS = 1024  # that a large GPU computes at a time
PIXELS = 16  # that a thread adds up, at least

NORM = r"""
// x and its like are matrices (M,C) of pixels by channels. Thread (tx,ty) of block (bx,by) has channel
// c = bx·blockDim.x + tx, so that neighbouring threads read neighbouring elements. Of the threads of a channel, line
// by·blockDim.y + ty has the pixels line, line + lines, …: `mine` of them, the first at x[i], the next a step later.
// 64 elements at a time are added up in T, and these sums in double precision: an error of at most 64·u·Σ|x|.
// part holds (gridDim.y,C) results of each kind, for a second launch.
#define MY_PIXELS \
    int c = blockIdx.x * blockDim.x + threadIdx.x; \
    int line = blockIdx.y * blockDim.y + threadIdx.y, lines = gridDim.y * blockDim.y; \
    int mine = c < C && line < M ? (M - line + lines - 1) / lines : 0; \
    ptrdiff_t i = (ptrdiff_t)line * C + c, step = (ptrdiff_t)lines * C; \
    int own = min(c, C - 1);  // threads beyond the last channel read its constants, but have no pixels
#define MY_PARTS (int k = threadIdx.y * C + c; c < C && k < parts * C; k += blockDim.y * C)

// The sum over a block's lines, for all of them.
__device__ double over_lines(double value) {
    __shared__ double all[256];
    __syncthreads();
    all[threadIdx.y * blockDim.x + threadIdx.x] = value;
    __syncthreads();
    value = 0;
    for (int ty = 0; ty < blockDim.y; ++ty) value += all[ty * blockDim.x + threadIdx.x];
    return value;
}

// Sets of n elements with mean μ_k and q_k = Σ(x − μ_k)² have together the mean μ = Σn·μ_k/Σn and
// Σ(x − μ)² = Σ(q_k + n·(μ_k − μ)²)  [Chan, Golub & LeVeque 1983, eq. 2.1]: the lines of a block, then the blocks.
// A thread subtracts its first element from all others, so that nothing cancels in q_k.
extern "C" __global__ void mean_var(const T* x, int M, int C, double* part) {
    MY_PIXELS
    T first = mine ? x[i] : T(0);
    double total = 0, total_squares = 0;
    for (int k = 0; k < mine; k += 64) {
        T sum = 0, squares = 0;
        #pragma unroll 8
        for (int j = k; j < min(k + 64, mine); ++j, i += step) { T d = x[i] - first; sum += d; squares += d * d; }
        total += sum; total_squares += squares;
    }
    double mean = mine ? first + total / mine : 0, q = mine ? total_squares - total * total / mine : 0;
    double n = over_lines(mine), mu = over_lines(mine * mean) / n;
    q = over_lines(q + mine * (mean - mu) * (mean - mu));
    if (threadIdx.y || c >= C) return;
    part += (ptrdiff_t)blockIdx.y * C + c;
    part[0] = n; part[gridDim.y * C] = n * mu; part[2 * gridDim.y * C] = q;
}

extern "C" __global__ void join_mean_var(const double* part, int parts, int C, double* mean_out, double* var_out) {
    int c = blockIdx.x * blockDim.x + threadIdx.x;
    const double *ns = part, *totals = part + parts * C, *qs = part + 2 * parts * C;
    double n = 0, total = 0, q = 0;
    for MY_PARTS { n += ns[k]; total += totals[k]; }
    n = over_lines(n);
    double mu = over_lines(total) / n;
    for MY_PARTS { double d = totals[k] - ns[k] * mu; q += qs[k] + d * d / ns[k]; }
    q = over_lines(q);
    if (threadIdx.y || c >= C) return;
    mean_out[c] = mu; var_out[c] = q / n;
}

// x̂ = ((x − hi) − lo)·s; nothing is left of an infinite mean
#define CENTRE \
    T hi = (T)mean[own], lo = isinf(hi) ? T(0) : (T)(mean[own] - (double)hi), s = (T)inv_std[own];
#define X_HAT (((x[i] - hi) - lo) * s)

// Σ dy and Σ dy·x̂
extern "C" __global__ void sums(const T* dy, const T* x, const double* mean, const double* inv_std, int M, int C,
                                double* part) {
    MY_PIXELS
    double a = 0, b = 0;
    CENTRE
    for (int k = 0; k < mine; k += 64) {
        T sum = 0, product = 0;
        #pragma unroll 8
        for (int j = k; j < min(k + 64, mine); ++j, i += step) {
            T g = dy[i];
            sum += g; product += g * X_HAT;
        }
        a += sum; b += product;
    }
    a = over_lines(a); b = over_lines(b);
    if (threadIdx.y || c >= C) return;
    part += (ptrdiff_t)blockIdx.y * C + c;
    part[0] = a; part[gridDim.y * C] = b;
}

extern "C" __global__ void add_up(const double* part, int parts, int C, T* first, T* second) {
    int c = blockIdx.x * blockDim.x + threadIdx.x;
    double a = 0, b = 0;
    for MY_PARTS { a += part[k]; b += part[parts * C + k]; }
    a = over_lines(a); b = over_lines(b);
    if (threadIdx.y || c >= C) return;
    first[c] = (T)a; second[c] = (T)b;
}

extern "C" __global__ void normalize(const T* x, const double* mean, const double* inv_std, const T* weight,
                                     const T* bias, bool relu, int M, int C, T* y) {
    MY_PIXELS
    CENTRE
    T gamma = weight[own], beta = bias[own];
    for (int k = 0; k < mine; ++k, i += step) {
        T value = gamma * X_HAT + beta;
        y[i] = relu && value <= 0 ? T(0) : value;
    }
}

// dx may be dy.
extern "C" __global__ void normalize_dx(const T* dy, const T* x, const double* mean, const double* inv_std,
                                        const T* weight, const T* db, const T* dw, double count, int M, int C, T* dx) {
    MY_PIXELS
    CENTRE
    T factor = weight[own] * s, a = T(db[own] / count), b = T(dw[own] / count);
    for (int k = 0; k < mine; ++k, i += step) dx[i] = factor * (dy[i] - a - X_HAT * b);
}
"""


def _threads(C):
    """(blocks of channels, channels of a block, lines of threads for each channel)."""
    bx = -(-C // 32)
    tx = -(-C // bx)
    return bx, tx, THREADS // tx


def _vector(a, dtype=float):
    return cupy.ascontiguousarray(a, dtype)


def _elementwise(name, x, *arguments, out):
    """One launch for a formula for single elements: a thread has about 8 pixels."""
    (M, C) = x.shape
    (bx, tx, ty) = _threads(C)
    if M:
        by = min(-(-M // (8 * ty)), 65535)
        raw(NORM, name, x.dtype)((bx, by), (tx, ty), (x, *arguments, M, C, out))


def _sums(name, x, *arguments, kinds):
    """The first of two launches: (kinds, blocks of each channel, C) partial results."""
    (M, C) = x.shape
    (bx, tx, ty) = _threads(C)
    parts = max(1, min(BLOCKS // bx, M // (PIXELS * ty)))
    part = cupy.empty((kinds, parts, C))
    raw(NORM, name, x.dtype)((bx, parts), (tx, ty), (x, *arguments, M, C, part))
    return part


def _join(name, part, dtype, *out):
    """The second launch, which puts them together."""
    _, parts, C = part.shape
    raw(NORM, name, dtype)((-(-C // 8),), (8, 32), (part, parts, C, *out))


def mean_var(x):
    """Mean and biased variance of each channel of x (N,C,H,W) -> (C,), (C,) in float64."""
    mean = cupy.empty(x.shape[1])
    var = cupy.empty(x.shape[1])
    _join("join_mean_var", _sums("mean_var", pixels(x), kinds=3), x.dtype, mean, var)
    return mean, var


def update_running_stats(running_mean, running_var, mean, var, momentum, count):
    """running = (1 − momentum)·running + momentum·batch, in place, with the variance over count − 1: all (C,)."""
    elementwise(
        "M mean, M var, float64 momentum, float64 unbias",
        "T running_mean, T running_var",
        """
        running_mean = (1 - momentum) * running_mean + momentum * mean;
        running_var = (1 - momentum) * running_var + momentum * unbias * var""",
        "update_running_stats",
    )(mean, var, momentum, count / (count - 1), running_mean, running_var)


def inv_std(var, eps):
    """s = 1/√(σ² + ε), in float64."""
    return elementwise("V var, float64 eps", "float64 s", "s = 1 / sqrt(var + eps)", "inv_std")(var, eps)


def normalize(x, mean, inv_std, weight, bias, relu=False):
    """γ·x̂ + β, or with relu max(γ·x̂ + β, 0): x (N,C,H,W), μ, s, γ and β (C,)."""
    X = pixels(x)
    y = cupy.empty(X.shape, x.dtype)
    vectors = _vector(mean), _vector(inv_std), _vector(weight, x.dtype), _vector(bias, x.dtype)
    _elementwise("normalize", X, *vectors, relu, out=y)
    return as_feature_map(y, x.shape, like=x)


def normalize_sums(dy, x, mean, inv_std):
    """Σ dy·x̂ and Σ dy over N, H and W -> (C,) and (C,)."""
    db = cupy.empty(x.shape[1], x.dtype)
    dw = cupy.empty(x.shape[1], x.dtype)
    part = _sums("sums", pixels(dy), pixels(x), _vector(mean), _vector(inv_std), kinds=2)
    _join("add_up", part, x.dtype, db, dw)
    return dw, db


def normalize_dx(dy, x, mean, inv_std, weight, dw, db, out=None):
    """γ·s·(dy − ⟨dy⟩ − x̂·⟨dy·x̂⟩): dy and x (N,C,H,W), the others (C,); the result goes into out, which may be dy."""
    dY = pixels(dy)
    dx = cupy.empty(dY.shape, dy.dtype) if out is None else pixels(out)
    vectors = _vector(mean), _vector(inv_std), *(_vector(a, dy.dtype) for a in (weight, db, dw))
    _elementwise("normalize_dx", dY, pixels(x), *vectors, float(len(dY)), out=dx)
    return as_feature_map(dx, x.shape, like=dy)


def scale(x, factor):
    """x·factor: x (N,C,H,W), factor (C,)."""
    y = elementwise("T x, F factor", "T y", "y = x * T(factor)", "scale")(pixels(x), factor)
    return as_feature_map(y, x.shape, like=x)
