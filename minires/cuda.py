"""The GPU: whether there is one that minires can use, and what is asked of it, with torch.cuda's names.

CuPy is imported here when it is first needed, and not before. Before it comes the module that stands in for its CUDA
libraries on a machine without a GPU, if the environment's MINIRES_CUPY_STAND_IN names one (see CONTRIBUTING.md).
"""

import importlib.util
import os
import sys
from functools import cache
from pathlib import Path

from minires.errors import MissingDependencyError, OptionError

OLDEST = (13, 0)  # version of CuPy that takes NumPy 2
INSTALL = 'pip install "minires[cupy12]" for CUDA 12, or "minires[cupy13]" for CUDA 13'


@cache
def stand_in():
    """The module that stands in for CUDA, imported from the file that MINIRES_CUPY_STAND_IN names; None if none does.

    Its function snapshot() -> {what: how often so far} counts what CuPy asks of the GPU: "launch" and "blas" (kernels
    and matrix products), "h2d" and "d2h" (copies to and from it), "h2d_bytes", "sync", and "live_bytes" of its memory.
    """
    file = os.environ.get("MINIRES_CUPY_STAND_IN")
    if not file:
        return None
    spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    if spec is None:
        raise FileNotFoundError(f"{file} is no Python file")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def why_not():
    """Why no GPU can be used, with what to do about it, in one line; "" if one can. Found out once."""
    try:
        stand_in()
        import cupy
    except OSError as error:
        return f"MINIRES_CUPY_STAND_IN names no Python file that can be read: {_line(error)}"
    except ImportError as missing:
        return f"it needs CuPy, which cannot be imported ({_line(missing)}); install it with: {INSTALL}"
    if tuple(map(int, cupy.__version__.split(".")[:2])) < OLDEST:
        return (
            f"it needs CuPy {OLDEST[0]}.{OLDEST[1]} or later, found {cupy.__version__}; renew it with: pip install "
            "--upgrade, of the package that `pip list` shows (cupy-cuda12x or cupy-cuda13x)"
        )
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return (
            f"CuPy finds no usable NVIDIA driver ({_line(error)}); install or renew the driver of the GPU "
            "(`nvidia-smi` shows it), or compute on the CPU: --device cpu"
        )
    if not count:
        return "CuPy finds no GPU: look at `nvidia-smi` and CUDA_VISIBLE_DEVICES, or compute on the CPU: --device cpu"
    try:  # a kernel of one's own needs the compiler and CUDA's headers
        cupy.ElementwiseKernel("float32 x", "float32 y", "y = x + 1", "minires_probe")(cupy.zeros(1, "float32"))
    except Exception as error:  # whatever the compiler says
        return (
            f"CuPy cannot compile a kernel ({_line(error)}); CUDA's compiler or headers are missing or too old: "
            'install them with pip install "cupy-cuda12x[ctk]" or "cupy-cuda13x[ctk]"'
        )
    return ""


def _line(error):
    """The first line of what an error says, shortened."""
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    return text if len(text) <= 160 else text[:157] + "…"


def is_available():
    """Whether a GPU can be used; why_not() says what is missing."""
    return not why_not()


def module(wanted="a GPU"):
    """The module cupy. Raises MissingDependencyError, saying what to install, where no GPU can be used."""
    reason = why_not()
    if reason:
        raise MissingDependencyError(f"{wanted}: {reason}")
    import cupy

    return cupy


def device_count():
    """How many GPUs there are."""
    return module().cuda.runtime.getDeviceCount() if is_available() else 0


def device(index):
    """A context in which GPU number `index` is the current one."""
    cupy = module(f"device 'cuda:{index}'")
    if index >= device_count():
        raise OptionError(f"device 'cuda:{index}': there are {device_count()} GPUs, numbered from 0")
    return cupy.cuda.Device(index)


def get_device_name(index=0):
    """What the maker calls a GPU."""
    return module().cuda.runtime.getDeviceProperties(index)["name"].decode()


def synchronize():
    """Wait until the current GPU has done all that it was told."""
    module().cuda.Device().synchronize()


def allow_tf32(allowed=True):
    """Let matrix products of float32 round their inputs to TF32's 10 bits, on GPUs that have it; off unless asked for.

    Raises OptionError on a GPU older than compute capability 8.0, which has no TF32.
    """
    cupy = module("TF32")
    from cupy._core import _routines_linalg as linalg

    capability = cupy.cuda.Device().compute_capability
    if allowed and int(capability) < 80:
        raise OptionError(f"TF32 needs compute capability 8.0, this GPU has {capability[:-1]}.{capability[-1]}")
    linalg.set_compute_type("float32", linalg.COMPUTE_TYPE_TF32 if allowed else linalg.COMPUTE_TYPE_DEFAULT)


def memory_summary():
    """What arrays hold on the current GPU, and what the pool keeps of its memory, in one line."""
    cupy = module()
    pool = cupy.get_default_memory_pool()
    free, total = cupy.cuda.runtime.memGetInfo()
    used = pool.used_bytes()
    kept = pool.total_bytes()
    return (
        f"GPU memory: {used / 2**20:.0f} MB in arrays, {kept / 2**20:.0f} MB kept by the pool (the most that was "
        f"needed so far), {free / 2**20:.0f} of {total / 2**20:.0f} MB free"
    )
