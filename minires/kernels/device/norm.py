"""Batch normalisation: sums by channel in two launches, and one launch for what is number by number.

x̂ = (x − μ)·s with s = 1/√(σ² + ε). μ is kept in double precision and taken off as two numbers of x's own, hi + lo:
x − hi is exact where μ is far from zero, so nothing is lost there, and no number costs double arithmetic.
"""

import cupy

from minires.kernels.device.launch import as_map, elementwise, pixels, raw

CHANNELS, LINES = 32, 8  # threads of a block: neighbouring channels × rows of pixels
PARTS = 64  # most blocks that share a channel

SUMS = r"""
// x and its like are matrices (M,C) of pixels by channels. Thread (tx,ty) of block (bx,by) takes channel c = 32·bx + tx
// and the pixels m = by·8 + ty, then every gridDim.y·8 further; so the threads of a row read neighbouring numbers.
// part holds (gridDim.y, C) results of each kind, to be added up by a second launch. A thread adds up 64 numbers in T,
// then double precision takes over: an error of at most 64·u·Σ|x|.
#define EACH_PIXEL for (int m = blockIdx.y * 8 + threadIdx.y; m < M; m += gridDim.y * 8)

// Two sets of n numbers with mean and squares q = Σ(x − mean)² make one  [Chan, Golub & LeVeque 1983, eq. 2.1].
__device__ void join(double& n, double& mean, double& q, double n2, double mean2, double q2) {
    double both = n + n2, d = mean2 - mean;
    if (both == 0) return;
    q += q2 + d * d * (n * n2 / both);
    mean += d * (n2 / both);
    n = both;
}

// The first number that a thread meets is taken off all that it meets, so that nothing cancels in q.
extern "C" __global__ void moments(const T* x, int M, int C, double* part) {
    __shared__ double all[3][8][32];
    int c = blockIdx.x * 32 + threadIdx.x, ty = threadIdx.y;
    double n = 0, mean = 0, q = 0;
    if (c < C) {
        T first = 0, sum = 0, squares = 0;
        double total = 0, total_squares = 0;
        int count = 0;
        EACH_PIXEL {
            T v = x[(ptrdiff_t)m * C + c];
            if (count == 0) first = v;
            T d = v - first;
            sum += d; squares += d * d;
            if (++count % 64 == 0) { total += sum; total_squares += squares; sum = squares = 0; }
        }
        if (count) {
            n = count; total += sum;
            mean = first + total / n;
            q = total_squares + squares - total * total / n;
        }
    }
    all[0][ty][threadIdx.x] = n; all[1][ty][threadIdx.x] = mean; all[2][ty][threadIdx.x] = q;
    __syncthreads();
    if (ty || c >= C) return;
    for (int k = 1; k < 8; ++k)
        join(n, mean, q, all[0][k][threadIdx.x], all[1][k][threadIdx.x], all[2][k][threadIdx.x]);
    ptrdiff_t at = (ptrdiff_t)blockIdx.y * C + c, kind = (ptrdiff_t)gridDim.y * C;
    part[at] = n; part[kind + at] = mean; part[2 * kind + at] = q;
}

extern "C" __global__ void join_moments(const double* part, int parts, int C, double* mean_out, double* var_out) {
    __shared__ double all[3][8][32];
    int c = blockIdx.x * 32 + threadIdx.x, ty = threadIdx.y;
    ptrdiff_t kind = (ptrdiff_t)parts * C;
    double n = 0, mean = 0, q = 0;
    if (c < C)
        for (int k = ty; k < parts; k += 8) {
            ptrdiff_t at = (ptrdiff_t)k * C + c;
            join(n, mean, q, part[at], part[kind + at], part[2 * kind + at]);
        }
    all[0][ty][threadIdx.x] = n; all[1][ty][threadIdx.x] = mean; all[2][ty][threadIdx.x] = q;
    __syncthreads();
    if (ty || c >= C) return;
    for (int k = 1; k < 8; ++k)
        join(n, mean, q, all[0][k][threadIdx.x], all[1][k][threadIdx.x], all[2][k][threadIdx.x]);
    mean_out[c] = mean;
    var_out[c] = q / n;
}

// Σ dy and Σ dy·x̂
extern "C" __global__ void sums(const T* dy, const T* x, const double* mean, const double* inv_std, int M, int C,
                                double* part) {
    __shared__ double all[2][8][32];
    int c = blockIdx.x * 32 + threadIdx.x, ty = threadIdx.y;
    T some = 0, product = 0;
    double a = 0, b = 0;
    int count = 0;
    if (c < C) {
        T hi = (T)mean[c], lo = (T)(mean[c] - (double)hi), s = (T)inv_std[c];
        EACH_PIXEL {
            ptrdiff_t i = (ptrdiff_t)m * C + c;
            some += dy[i]; product += dy[i] * (((x[i] - hi) - lo) * s);
            if (++count % 64 == 0) { a += some; b += product; some = product = 0; }
        }
    }
    all[0][ty][threadIdx.x] = a + some; all[1][ty][threadIdx.x] = b + product;
    __syncthreads();
    if (ty || c >= C) return;
    a = b = 0;
    for (int k = 0; k < 8; ++k) { a += all[0][k][threadIdx.x]; b += all[1][k][threadIdx.x]; }
    part[(ptrdiff_t)blockIdx.y * C + c] = a; part[(ptrdiff_t)(gridDim.y + blockIdx.y) * C + c] = b;
}

extern "C" __global__ void add_up(const double* part, int parts, int C, T* first, T* second) {
    __shared__ double all[8][32];
    int c = blockIdx.x * 32 + threadIdx.x, ty = threadIdx.y;  // kind blockIdx.y of the sums
    double a = 0;
    if (c < C)
        for (int k = ty; k < parts; k += 8) a += part[((ptrdiff_t)blockIdx.y * parts + k) * C + c];
    all[ty][threadIdx.x] = a;
    __syncthreads();
    if (ty || c >= C) return;
    for (int k = 1; k < 8; ++k) a += all[k][threadIdx.x];
    (blockIdx.y ? second : first)[c] = (T)a;
}
"""


def _grid(M, C):
    """Blocks of channels and blocks that share one; a thread has some 16 pixels at least."""
    return -(-C // CHANNELS), max(1, min(PARTS, -(-M // (16 * LINES))))


def moments(x):
    """Mean and biased variance of each channel of x (N,C,H,W) -> (C,), (C,) in float64."""
    X = pixels(x)
    (M, C), (bx, parts) = X.shape, _grid(*X.shape)
    part, mean, var = cupy.empty((3, parts, C)), cupy.empty(C), cupy.empty(C)
    raw(SUMS, "moments", x.dtype)((bx, parts), (CHANNELS, LINES), (X, M, C, part))
    raw(SUMS, "join_moments", x.dtype)((bx,), (CHANNELS, LINES), (part, parts, C, mean, var))
    return mean, var


def remember(running_mean, running_var, mean, var, momentum, count):
    """running = (1 − momentum)·running + momentum·batch, in place, with the variance over count − 1: all (C,)."""
    elementwise("M mean, M var, float64 momentum, float64 unbias", "T running_mean, T running_var", """
        running_mean = (1 - momentum) * running_mean + momentum * mean;
        running_var = (1 - momentum) * running_var + momentum * unbias * var""", "remember")(
            mean, var, momentum, count / (count - 1), running_mean, running_var)


def inverse_deviation(var, eps):
    """s = 1/√(σ² + ε), in float64."""
    return elementwise("V var, float64 eps", "float64 s", "s = 1 / sqrt(var + eps)", "inverse_deviation")(var, eps)


CENTRE = "T hi = mean, lo = mean - double(hi), x_hat = ((x - hi) - lo) * T(inv_std);"


def normalise(x, mean, inv_std, weight, bias, relu=False):
    """γ·x̂ + β, or with relu max(γ·x̂ + β, 0): x (N,C,H,W), μ, s, γ and β (C,)."""
    y = elementwise("T x, M mean, float64 inv_std, T weight, T bias, bool relu", "T y",
                    CENTRE + "y = weight * x_hat + bias; if (relu && y <= 0) y = 0", "normalise")(
                        pixels(x), mean, inv_std, weight, bias, relu)
    return as_map(y, x.shape, like=x)


def normalise_sums(dy, x, mean, inv_std):
    """Σ dy and Σ dy·x̂ over N, H and W -> (C,) and (C,)."""
    X, dY = pixels(x), pixels(dy)
    (M, C), (bx, parts) = X.shape, _grid(*X.shape)
    part, db, dw = cupy.empty((2, parts, C)), cupy.empty(C, x.dtype), cupy.empty(C, x.dtype)
    mean = mean.astype(float, copy=False)
    raw(SUMS, "sums", x.dtype)((bx, parts), (CHANNELS, LINES), (dY, X, mean, inv_std, M, C, part))
    raw(SUMS, "add_up", x.dtype)((bx, 2), (CHANNELS, LINES), (part, parts, C, db, dw))
    return db, dw


def normalise_dx(dy, x, mean, inv_std, weight, db, dw, count, out=None):
    """γ·s·(dy − ⟨dy⟩ − x̂·⟨dy·x̂⟩): dy and x (N,C,H,W), the others (C,); ⟨dy⟩ and ⟨dy·x̂⟩ are db and dw over count.

    The result goes into out, which may be dy.
    """
    dx = elementwise("T dy, T x, M mean, float64 inv_std, T weight, T db, T dw, float64 count", "T dx",
                     CENTRE + "dx = weight * T(inv_std) * (dy - (db + x_hat * dw) / T(count))", "normalise_dx")(
                         pixels(dy), pixels(x), mean, inv_std, weight, db, dw, float(count),
                         *([] if out is None else [pixels(out)]))
    return as_map(dx, x.shape, like=dy)


def scale(x, factor):
    """x·factor: x (N,C,H,W), factor (C,)."""
    y = elementwise("T x, F factor", "T y", "y = x * T(factor)", "scale")(pixels(x), factor)
    return as_map(y, x.shape, like=x)
