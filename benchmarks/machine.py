"""The machine: what it is, and how fast it multiplies and copies, with minires' threads."""

import contextlib
import multiprocessing
import os
import platform
import time
from importlib import metadata
from pathlib import Path

import numpy as np

from minires import kernels
from minires.kernels.cpu.threads import parallel_for


def gemm(n):
    """(step, flops): a product of float32 matrices n×n, its rows shared among the workers."""
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((n, n), dtype=np.float32) for _ in range(2))
    c = np.empty_like(a)
    return _on_all(lambda rows: np.matmul(a[rows], b, out=c[rows]), n), 2 * n**3


def copy(nbytes):
    """(step, bytes moved): a copy of an array far larger than any cache, each byte read once and written once."""
    a = np.ones(nbytes // 4, np.float32)
    b = np.zeros_like(a)
    return _on_all(lambda part: np.copyto(b[part], a[part]), len(a)), 2 * a.nbytes


def _on_all(task, n):
    workers = kernels.get_num_threads()
    bounds = [n * k // workers for k in range(workers + 1)]
    parts = list(map(slice, bounds, bounds[1:]))

    def work(part):
        task(part)  # parallel_for() wants nothing back
    return lambda: parallel_for(work, parts)


def describe(packages):
    """What a number means nothing without."""
    versions = {"python": platform.python_version()}
    for name in ("minires", "numpy", *packages):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return {"system": platform.platform(), "cpu": _cpu(), "cores": os.cpu_count(), "memory GB": _memory(),
            "blas": _blas(), "environment": tuning(), "versions": versions}


def tuning():
    """The variables set that change a library's speed: OPENBLAS_CORETYPE can halve NumPy's, and leaves torch's.

    KMP_DUPLICATE_LIB_OK is none: threadpoolctl sets it.
    """
    families = ("OPENBLAS_", "OMP_", "GOMP_", "KMP_", "MKL_", "ONEDNN_", "DNNL_", "ATEN_", "MALLOC_", "LD_PRELOAD")
    return {name: value for name, value in sorted(os.environ.items())
            if name.startswith(families) and name != "KMP_DUPLICATE_LIB_OK"}


def _blas():
    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    name = f"{built.get('name')} {built.get('version')}"
    with contextlib.suppress(ImportError):
        from threadpoolctl import threadpool_info
        kernels_for = {i["architecture"] for i in threadpool_info() if i["user_api"] == "blas" and "architecture" in i}
        name += f", kernels for {'/'.join(sorted(kernels_for))}" if kernels_for else ""
    return name


ENOUGH = 0.5  # seconds, to say how much others worked: the system counts in hundredths


class Company:
    """with Company(contenders) as company: …; then company.cores is how many cores other programs, or other guests of

    the host, kept busy meanwhile on average; None where the system does not say, or it was not long ENOUGH.
    """

    def __init__(self, contenders):
        self.contenders, self.cores = contenders, None

    def __enter__(self):
        self.before = _spent(self.contenders)
        return self

    def __exit__(self, *exception):
        after = _spent(self.contenders)
        if after and self.before and after[0] > self.before[0] + ENOUGH:
            wall, busy, own = (b - a for a, b in zip(self.before, after))
            self.cores = max(0.0, (busy - own) / wall)


def _spent(contenders):
    """Seconds: of the clock, of work on all cores, of work of this process and of the contenders'."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return None
    user, nice, system, _, _, irq, softirq, steal = map(int, stat.read_text().split()[1:9])
    busy = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    return time.monotonic(), busy, sum(os.times()[:4]) + sum(contender.run(worked) for contender in contenders)


def worked():
    """Seconds of work of this process and its children, those that live among them."""
    return sum(os.times()[:4]) + sum(_worked(child.pid) for child in multiprocessing.active_children())


def _worked(pid):
    """Of another process; proc(5): user and system time are fields 14 and 15."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def _cpu():
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
                platform.processor())


def _memory():
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (AttributeError, ValueError, OSError):  # not on Windows
        return None
