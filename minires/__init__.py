"""minires: ResNet from the gradient up, on NumPy or CuPy."""

import sys

# python -m minires…, or the command minires; nothing else is imported before this (working_folder.py says why)
if (getattr(sys, "argv", None) or [""])[0].replace("\\", "/").split("/")[-1].removesuffix(".exe") in ("-m", "minires"):
    from minires import working_folder

    working_folder.leave()

    from minires import console

    console.starting()  # so that Ctrl-C during the imports ends it quietly

from importlib import import_module

from minires import ops
from minires.create import ones, randn, tensor, zeros
from minires.mode import no_grad
from minires.op import op
from minires.random import manual_seed
from minires.tensor import Tensor
from minires.torch_names import missing

__version__ = "0.1.0"
__all__ = ["Tensor", "__version__", "manual_seed", "no_grad", "ones", "op", "ops", "randn", "tensor", "zeros"]

TYPE_CHECKING = False  # type checkers take this name for True
_PACKAGES = (
    "cuda",
    "data",
    "gpucheck",
    "gradcheck",
    "kernels",
    "models",
    "nn",
    "optim",
    "parallel",
    "plots",
    "probes",
    "storage",
    "summary",
    "train",
)


if TYPE_CHECKING:  # what __getattr__ imports; with __getattr__, a type checker would accept every name
    from minires import (  # noqa: F401
        cuda,
        data,
        gpucheck,
        gradcheck,
        kernels,
        models,
        nn,
        optim,
        parallel,
        plots,
        probes,
        storage,
        summary,
        train,
    )
else:

    def __getattr__(name):
        """minires.models, minires.nn … are imported when they are first used."""
        if name in _PACKAGES:
            return import_module(f"minires.{name}")
        raise missing("module 'minires'", name, ops.__all__)


def __dir__():
    return sorted((*__all__, *_PACKAGES))
