"""Every setting of a training run, once: its name, default, range and help; the command line is made from it."""

import argparse
from dataclasses import MISSING, asdict, dataclass, field, fields

from minires.errors import OptionError
from minires.kernels import get_num_threads
from minires.parallel import why_not

SCHEDULES = ("one_cycle", "multistep", "cosine", "constant")


def _setting(default, help, **flag):
    return field(default=default, metadata={"help": help, "flag": flag})


@dataclass(frozen=True)
class Config:
    """A training run. The defaults train a ResNet-20 on handwritten digits in well under a minute."""

    dataset: str = _setting("digits", "digits, cifar10, or a folder with one sub-folder of pictures per class")
    model: str = _setting("resnet20", "a name of minires.models.names(); see --list-models")
    epochs: int = _setting(20, "passes over the training pictures")
    batch_size: int = _setting(64, "pictures per step")
    lr: float = _setting(0.1, "greatest learning rate; SGD with momentum 0.9")
    schedule: str = _setting("one_cycle", "how the learning rate moves over the run", choices=SCHEDULES)
    weight_decay: float = _setting(5e-4, "L2 penalty on all parameters")
    augment: bool = _setting(True, "random crops, and flips for photographs", action=argparse.BooleanOptionalAction)
    seed: int = _setting(0, "of weights, order and augmentation; the same seed gives the same bits with as many "
                        "threads and processes")
    device: str = _setting("cpu", "cpu, cuda or cuda:N")
    tf32: bool = _setting(False, "on a GPU, let matrix products round their inputs to TF32: faster, 10 bits instead of "
                          "23", action=argparse.BooleanOptionalAction)
    out: str = _setting("", "folder for checkpoint, log and curves (default: a new one, runs/DATASET-MODEL[-N])",
                        metavar="DIR")
    data: str = _setting("", "a local copy of the data set (default: cifar10 is downloaded once)", metavar="DIR")
    threads: int = _setting(0, "threads that compute (default: one a core, or what OPENBLAS_NUM_THREADS says)",
                            metavar="N")
    processes: int = _setting(0, "processes that share each batch (default: one for each thread, with at least 16 "
                              "pictures each, where the system allows it)", metavar="N")
    limit: int = _setting(0, "train and test on the first N pictures only (default: all)", metavar="N")

    # What may differ when a run is resumed: nothing of the result depends on it, of threads and processes but rounding.
    FREE = ("out", "device", "data", "threads", "processes")

    def __post_init__(self):
        for name in ("epochs", "batch_size", "seed", "threads", "processes", "limit"):
            least = int(name == "batch_size")
            if getattr(self, name) < least:
                raise OptionError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if self.schedule not in SCHEDULES:
            raise OptionError(f"schedule must be one of {', '.join(SCHEDULES)}, got {self.schedule!r}")

    def processes_for(self, model):
        """How many processes share a batch of this network."""
        if self.processes:
            return self.processes
        if why_not(model):
            return 1
        return max(1, min(self.threads or get_num_threads(), self.batch_size // 16))

    def resumed(self, given):
        """This configuration, read from a checkpoint, with the flags given now; they may not contradict it."""
        for name, value in given.items():
            if name not in self.FREE and value != getattr(self, name):
                flag = name.replace("_", "-")
                raise OptionError(f"the checkpoint was made with --{flag} {getattr(self, name)}, not {value}; "
                                  f"leave --{flag} out to resume, or start a new run with another --out")
        return Config(**{**asdict(self), **given})


def add_flags(parser):
    """One flag for each field of Config. Flags that are not given are absent from the namespace."""
    for f in fields(Config):
        if f.default is MISSING:
            continue
        flag, help = dict(f.metadata["flag"]), f.metadata["help"]
        if "default:" not in help:
            help += f" (default: {f.default})"
        if "action" not in flag:
            flag["type"] = type(f.default)
        parser.add_argument("--" + f.name.replace("_", "-"), default=argparse.SUPPRESS, help=help, **flag)
