"""Cross-entropy: 32 threads for each row of logits."""

import cupy

from minires.kernels.device.launch import raw

CROSS_ENTROPY = """
// q_k = w_k·((1 − e)·[k = target] + e/K); w is null where all weights are 1.
#define WEIGHT(k) (w ? w[k] : T(1))

template <class F> __device__ T over_block(T value, F both) {
    __shared__ T all[32];
    all[threadIdx.x] = value;
    __syncthreads();
    for (int half = 16; half; half /= 2) {
        if (threadIdx.x < half) all[threadIdx.x] = both(all[threadIdx.x], all[threadIdx.x + half]);
        __syncthreads();
    }
    value = all[0];
    __syncthreads();
    return value;
}
struct Sum { __device__ T operator()(T a, T b) const { return a + b; } };
struct Max { __device__ T operator()(T a, T b) const { return a > b ? a : b; } };

// Row blockIdx.x of x (M,K); thread j takes the classes j, j + 32, …
extern "C" __global__ void cross_entropy(const T* x, const long long* t, const T* w, double e, long long ignored,
                                         int K, T* loss, T* w_t, T* log_p) {
    const T* row = x + (ptrdiff_t)blockIdx.x * K;
    T* out = log_p + (ptrdiff_t)blockIdx.x * K;
    long long target = t[blockIdx.x];
    if (target == ignored) {  // it may hold infinities or NaN: log p is that of a row of zeros
        for (int k = threadIdx.x; k < K; k += 32) out[k] = -log(T(K));
        if (!threadIdx.x) loss[blockIdx.x] = w_t[blockIdx.x] = 0;
        return;
    }
    T top = row[0], sum = 0, smooth = 0;
    for (int k = threadIdx.x; k < K; k += 32) top = Max()(row[k], top);
    top = over_block(top, Max());
    for (int k = threadIdx.x; k < K; k += 32) sum += exp(row[k] - top);
    sum = log(over_block(sum, Sum()));
    for (int k = threadIdx.x; k < K; k += 32) {
        out[k] = (row[k] - top) - sum;
        smooth += out[k] * WEIGHT(k);
    }
    smooth = over_block(smooth, Sum());
    if (threadIdx.x) return;
    bool outside = target < 0 || target >= K;
    T weight = outside ? T(0) / T(0) : WEIGHT(target);  // NaN if the target is no class
    w_t[blockIdx.x] = weight;
    loss[blockIdx.x] = outside ? weight
        : -(T(1 - e) * weight * ((row[target] - top) - sum) + (e ? T(e / K) * smooth : T(0)));
}

// scale has one element for each row, or (each = 0) one for all.
extern "C" __global__ void cross_entropy_dx(const T* log_p, const long long* t, const T* w, double e, long long ignored,
                                            int K, const T* scale, int each, T* dx) {
    ptrdiff_t row = (ptrdiff_t)blockIdx.x * K;
    long long target = t[blockIdx.x];
    T factor = target == ignored ? T(0) : scale[blockIdx.x * each], total = 0;
    for (int k = threadIdx.x; k < K; k += 32) total += WEIGHT(k) * (T(e / K) + (k == target ? T(1 - e) : T(0)));
    total = over_block(total, Sum());
    for (int k = threadIdx.x; k < K; k += 32)
        dx[row + k] = factor * (exp(log_p[row + k]) * total
                                - WEIGHT(k) * (T(e / K) + (k == target ? T(1 - e) : T(0))));
}
"""


def first_outside(t, K, ignore_index):
    """None, because the host would have to wait. A target that is no class makes the loss NaN."""


def cross_entropy(x, t, w, smoothing, ignore_index):
    """(ℓ, w_t, log p) of x (M,K), t (M,) and weights w (K,) or None -> (M,), (M,), (M,K)"""
    M, K = x.shape
    losses = cupy.empty(M, x.dtype)
    w_t = cupy.empty(M, x.dtype)
    log_p = cupy.empty((M, K), x.dtype)
    if M:
        raw(CROSS_ENTROPY, "cross_entropy", x.dtype)(
            (M,),
            (32,),
            (cupy.ascontiguousarray(x), _targets(t), _weights(w, x), smoothing, ignore_index, K, losses, w_t, log_p),
        )
    return losses, w_t, log_p


def cross_entropy_dx(log_p, t, w, smoothing, ignore_index, scale):
    """scale·(p·Σ_k q_k − q): log p (M,K), t (M,), scale (M,) or (1,) -> (M,K)"""
    (M, K) = log_p.shape
    dx = cupy.empty_like(log_p)
    if M:
        raw(CROSS_ENTROPY, "cross_entropy_dx", dx.dtype)(
            (M,),
            (32,),
            (
                log_p,
                _targets(t),
                _weights(w, dx),
                smoothing,
                ignore_index,
                K,
                cupy.ascontiguousarray(scale),
                int(scale.size > 1),
                dx,
            ),
        )
    return dx


def _targets(t):
    return cupy.ascontiguousarray(t.astype(cupy.int64, copy=False))


def _weights(w, x):
    return 0 if w is None else cupy.ascontiguousarray(w.astype(x.dtype, copy=False))
