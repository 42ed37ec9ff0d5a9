"""The machine: what it is, which variables tune it, and how many cores other programs use."""

import contextlib
import multiprocessing
import os
import platform
import time
from pathlib import Path

import numpy as np

from minires.probes.machine import versions


def describe(packages):
    """What must be known of a machine to compare times."""
    return {
        "system": platform.platform(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory GB": _memory(),
        "blas": _blas(),
        "environment": tuning(),
        "versions": versions(*packages),
    }


def tuning():
    """The variables that are set and change a library's speed: OPENBLAS_CORETYPE can halve NumPy's, but not torch's.

    KMP_DUPLICATE_LIB_OK is left out, because threadpoolctl sets it.
    """
    families = ("OPENBLAS_", "OMP_", "GOMP_", "KMP_", "MKL_", "ONEDNN_", "DNNL_", "ATEN_", "MALLOC_", "LD_PRELOAD")
    return {
        name: value
        for name, value in sorted(os.environ.items())
        if name.startswith(families) and name != "KMP_DUPLICATE_LIB_OK"
    }


def _blas():
    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    name = f"{built.get('name')} {built.get('version')}"
    with contextlib.suppress(ImportError):
        from threadpoolctl import threadpool_info

        kernels_for = {i["architecture"] for i in threadpool_info() if i["user_api"] == "blas" and "architecture" in i}
        name += f", kernels for {'/'.join(sorted(kernels_for))}" if kernels_for else ""
    return name


LEAST = 0.5  # seconds of a measurement of other programs' work, because the system counts in hundredths


class OtherPrograms:
    """with OtherPrograms(contenders) as others: …; then others.cores is how many cores they used on average.

    Other guests of a virtual machine's host count, too. None if the system does not say, or if it took less than LEAST.
    """

    def __init__(self, contenders):
        self.contenders = contenders
        self.cores = None

    def __enter__(self):
        self.before = _spent(self.contenders)
        return self

    def __exit__(self, *exception):
        after = _spent(self.contenders)
        if after and self.before and after[0] > self.before[0] + LEAST:
            wall, busy, own = (b - a for a, b in zip(self.before, after))
            self.cores = max(0.0, (busy - own) / wall)


def _spent(contenders):
    """(seconds of the clock, of work on all cores, of work of this process and the contenders), or None."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return None
    user, nice, system, _, _, irq, softirq, steal = map(int, stat.read_text().split()[1:9])
    busy = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    return time.monotonic(), busy, sum(os.times()[:4]) + sum(contender.run(worked) for contender in contenders)


def worked():
    """Seconds of work of this process and its children, running ones too."""
    return sum(os.times()[:4]) + sum(_worked(child.pid) for child in multiprocessing.active_children())


def _worked(pid):
    """Seconds of work of another process: fields 14 and 15 of proc(5) are its user and system time."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def _cpu():
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


def _memory():
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (AttributeError, ValueError, OSError):  # not on Windows
        return None
