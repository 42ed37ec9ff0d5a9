"""Cutting feature maps into parts that fit a cache and are worth a call."""

import numpy as np

from minires.kernels.cpu.threads import parallel_for, short_buffers, workers

# A thread that waits for the interpreter is woken 15 µs later, once for each call of NumPy, so a call must last much
# longer than that. Therefore blocks have 2 MB, although a core's own cache is smaller, and at least 1 MB.
BLOCK_BYTES = 2 << 20
LEAST_BYTES = 1 << 20


def blockwise(function, *arrays, into=None):
    """function(*arrays, out=None), computed for a part of the images at a time on all workers, as if in one call.

    It is for elementwise formulas on arrays with the same first axis. Other arrays in the formula must broadcast over
    that axis. The last step of the formula writes into out, or makes a new array if out is None.
    The result is `into`, which may be the first array if the formula allows it, or a new array. Intermediate results
    of a block stay in a cache, but those of whole arrays would go through memory.
    """
    first = arrays[0]
    images = len(first) if first.ndim else 0
    if not isinstance(first, np.ndarray):
        return function(*arrays, out=into)
    if not images and into is None:
        into = np.empty_like(first)  # because NumPy makes a scalar of a 0-d result, which is no array
    if first.nbytes < 2 * LEAST_BYTES or first.dtype.kind != "f" or images < 2:
        with short_buffers():
            return function(*arrays, out=into)
    result = np.empty_like(first) if into is None else into

    def compute(part):
        function(*(a[part] for a in arrays), out=result[part])

    parallel_for(compute, blocks(first))
    return result


def blocks(x):
    """Slices of the first axis of x for the workers; one slice for an array that is not NumPy's."""
    if not isinstance(x, np.ndarray):
        return [slice(0, len(x))]
    parts = max(1, -(-x.nbytes // BLOCK_BYTES), min(workers(), x.nbytes // LEAST_BYTES))
    step = max(1, -(-len(x) // parts))
    return [slice(n, min(n + step, len(x))) for n in range(0, len(x), step)]


def chunks(N, H, W, most, work):
    """(images, first row, last row) of parts of N images H×W with at most about `most` pixels, equally many per worker.

    A part is several whole images, or a part of the rows of one. All parts together are `work` (threads.py).
    """
    N = max(N, 1)
    most = max(most, 1)
    n = workers(work)
    rounds = -(-N // (n * max(1, most // (H * W))))
    step = -(-N // (n * rounds))
    rows = -(-H // max(-(-H * W // most), -(-n // N)))
    return [(slice(k, min(k + step, N)), r, min(r + rows, H)) for k in range(0, N, step) for r in range(0, H, rows)]
