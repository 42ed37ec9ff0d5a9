"""What needs a new process each time: the time of an import, and the peak memory of a training step.

python -m benchmarks.processes CONTENDER THREADS NETWORK SIZE COUNT prints the peak memory in megabytes.
"""

import multiprocessing
import subprocess
import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[1]
STEPS = 2  # the second one has the momentum buffers, too


def importing(contender):
    """A step that imports a package in a new Python."""
    return lambda: subprocess.run([sys.executable, "-c", f"import {contender}"], check=True, cwd=ROOT)


def peak_memory(contender, threads, name, size, count):
    """A step that trains a network for two steps in a new Python -> its peak memory in megabytes."""
    command = [sys.executable, "-m", "benchmarks.processes", contender, *map(str, (threads, name, size, count))]

    def step():
        return float(subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE).stdout)

    return step


def _peak():
    """The peak memory in megabytes of this process and its children, with shared memory counted once."""
    if Path("/proc/self/status").exists():  # because getrusage on Linux never says less than the parent's memory
        ours, *others = (_status(pid) for pid in ("self", *(child.pid for child in multiprocessing.active_children())))
        return (ours["VmHWM"] + sum(s["VmHWM"] - s["RssShmem"] - s["RssFile"] for s in others)) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _status(pid):
    """{name: kilobytes}"""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {line.split(":")[0]: int(line.split()[1]) for line in lines if line.endswith(" kB")}


if __name__ == "__main__":
    contender, threads, name, size, count = sys.argv[1:]
    module = import_module(f"benchmarks.in_{contender}")
    module.set_threads(int(threads))
    make = getattr(module, "step_for_memory", module.train_step)
    step = make(name, int(size), int(count))
    for _ in range(STEPS):
        step()
    print(_peak())
