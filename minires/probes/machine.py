"""How fast a machine multiplies matrices and copies memory, and which versions of packages it has."""

import contextlib
import platform
from importlib import metadata

import numpy as np

from minires import kernels
from minires.arrays import array_module, to_device
from minires.kernels.cpu.threads import parallel_for


def product(n, device="cpu"):
    """(step, flops) of a product of float32 matrices n×n; on a CPU each of minires' threads computes some rows."""
    rng = np.random.default_rng(0)
    a, b = (to_device(rng.standard_normal((n, n), dtype=np.float32), device) for _ in range(2))
    xp = array_module(a)
    y = xp.empty_like(a)
    return _in_parallel(lambda rows: xp.matmul(a[rows], b, out=y[rows]), n, device), 2 * n**3


def copy(nbytes, device="cpu"):
    """(step, bytes moved) of copying an array far larger than any cache: each byte is read and written once."""
    a = to_device(np.ones(nbytes // 4, np.float32), device)
    xp = array_module(a)
    b = xp.zeros_like(a)
    return _in_parallel(lambda part: xp.copyto(b[part], a[part]), len(a), device), 2 * a.nbytes


def _in_parallel(task, n, device):
    threads = kernels.get_num_threads() if device == "cpu" else 1
    bounds = [n * k // threads for k in range(threads + 1)]
    parts = list(map(slice, bounds, bounds[1:]))

    def work(part):
        task(part)  # and return None, as parallel_for() expects

    return lambda: parallel_for(work, parts)


def versions(*packages):
    """{name: version} of Python, minires, NumPy and those of the packages that are installed."""
    found = {"python": platform.python_version(), "minires": "a checkout that is not installed"}
    for name in ("minires", "numpy", *packages):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
