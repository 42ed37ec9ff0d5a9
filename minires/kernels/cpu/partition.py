"""Cutting maps into parts: what a worker does at a time is to fit a cache, and to be worth the call."""

import numpy as np

from minires.kernels.cpu.threads import parallel_for, short_buffers, workers

# A thread that waits for the interpreter is woken 15 µs later, once for each call of NumPy's, so a call must last much
# longer than that: blocks of 2 MB, though a core's own cache holds less, and none of less than one.
BLOCK_BYTES = 2 << 20
LEAST_BYTES = 1 << 20


def blockwise(function, *arrays, into=None):
    """function(*arrays, out=None), computed some pictures at a time on all workers, as if in one call.

    For elementwise formulas on maps that share their first axis: what they hold besides must broadcast over it. The
    last step of the formula writes into out, where that is given, and makes an array of its own where it is None.
    The result is `into`, which may be the first array if the formula allows it, or a new one. Blocks keep intermediate
    results in a cache, where whole arrays would send each through memory.
    """
    first = arrays[0]
    pictures = len(first) if first.ndim else 0
    if not isinstance(first, np.ndarray):
        return function(*arrays, out=into)
    if not pictures and into is None:
        into = np.empty_like(first)  # without it NumPy makes a scalar of a 0-d result, which is no array
    if first.nbytes < 2 * LEAST_BYTES or first.dtype.kind != "f" or pictures < 2:
        with short_buffers():
            return function(*arrays, out=into)
    result = np.empty_like(first) if into is None else into

    def block(some):
        function(*(a[some] for a in arrays), out=result[some])

    parallel_for(block, blocks(first))
    return result


def blocks(x):
    """Slices of the first axis of x for the workers to share; all of it for an array that is not NumPy's."""
    if not isinstance(x, np.ndarray):
        return [slice(0, len(x))]
    parts = max(1, -(-x.nbytes // BLOCK_BYTES), min(workers(), x.nbytes // LEAST_BYTES))
    step = max(1, -(-len(x) // parts))
    return [slice(n, min(n + step, len(x))) for n in range(0, len(x), step)]


def chunks(N, H, W, most, work):
    """(pictures, first row, last row) of parts of N maps H×W of at most about `most` pixels, as many for each worker.

    They are several whole pictures, or some rows of one, and so much work (threads.py) together.
    """
    N = max(N, 1)
    most = max(most, 1)
    n = workers(work)
    rounds = -(-N // (n * max(1, most // (H * W))))
    step = -(-N // (n * rounds))
    rows = -(-H // max(-(-H * W // most), -(-n // N)))
    return [(slice(k, min(k + step, N)), r, min(r + rows, H)) for k in range(0, N, step) for r in range(0, H, rows)]
