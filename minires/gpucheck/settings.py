"""The settings of a GPU that can be switched, and a description of the machine."""

import platform
from contextlib import contextmanager

from minires import cuda
from minires.probes.machine import versions


def stands_in():
    """The stand-in for a GPU here, or "". With a stand-in times mean nothing, and there is no CUB."""
    return "" if cuda.stand_in() is None else "the CPU stand-in for a GPU: kernels are compiled for the CPU"


@contextmanager
def switched(*, cub, tf32):
    """With CUB's reductions or CuPy's own, with TF32 in matrix products or without."""
    from cupy._core import _accelerator

    before = _accelerator.get_reduction_accelerators(), _accelerator.get_routine_accelerators()
    _accelerator.set_reduction_accelerators(["cub"] if cub else [])
    _accelerator.set_routine_accelerators(["cub"] if cub else [])
    cuda.allow_tf32(tf32)
    try:
        yield
    finally:
        _accelerator.set_reduction_accelerators(before[0])
        _accelerator.set_routine_accelerators(before[1])
        cuda.allow_tf32(False)


def settings():
    """{name: switches} of the settings that this machine has."""
    cupy = cuda.module()
    cubs = (False,) if stands_in() else (True, False)
    tf32s = (False, True) if int(cupy.cuda.Device().compute_capability) >= 80 else (False,)
    return {
        f"CUB {'on' if cub else 'off'}, TF32 {'on' if tf32 else 'off'}": {"cub": cub, "tf32": tf32}
        for cub in cubs
        for tf32 in tf32s
    }


def machine():
    """{property: value} of the machine, without which the numbers of a report mean nothing."""
    cupy = cuda.module()
    runtime = cupy.cuda.runtime
    device = cupy.cuda.Device()
    properties = runtime.getDeviceProperties(device.id)

    def version(number):
        return f"{number // 1000}.{number % 1000 // 10}"

    return {
        "GPU": properties["name"].decode(),
        "stand-in": stands_in(),
        "compute capability": f"{properties['major']}.{properties['minor']}",
        "multiprocessors": properties["multiProcessorCount"],
        "memory MB": round(properties["totalGlobalMem"] / 2**20),
        "driver for CUDA": version(runtime.driverGetVersion()),
        "CUDA runtime": version(runtime.runtimeGetVersion()),
        "cupy": cupy.__version__,
        **versions(),
        "system": platform.platform(),
    }
