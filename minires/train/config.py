"""Every setting of a training run, once: its name, default, range and help; the command line is made from it."""

import argparse
from dataclasses import asdict, dataclass, field, fields, replace

from minires import console, data, models
from minires.errors import OptionError
from minires.kernels import get_num_threads
from minires.parallel import MAX_PROCESSES, unsupported_reason
from minires.settings import meant
from minires.storage.schema import Number, OneOf, Switch, Text, Whole

SCHEDULES = ("one_cycle", "multistep", "cosine", "constant")
PATH = Text()
NAME = Text(r"[^\0]+", "a name")


def _setting(default, allowed, help, **flag):
    return field(default=default, metadata={"allowed": allowed, "help": help, "flag": flag})


@dataclass(frozen=True)
class Config:
    """A training run. The defaults train a ResNet-20 on handwritten digits in well under a minute.

    Raises OptionError for a value outside its range, which names the setting, the value and what is allowed.
    """

    dataset: str = _setting("digits", NAME, "digits, cifar10, or a folder with one sub-folder of images per class")
    model: str = _setting("resnet20", NAME, "a name of minires.models.names(); see --list-models")
    epochs: int = _setting(20, Whole(0, 1_000_000), "passes over the training images")
    size: int = _setting(
        0,
        Whole(0, 10_000),
        "height and width that the images of a folder are scaled to (default: 0, "
        "which is 224; digits and cifar10 have their own)",
        metavar="N",
    )
    batch_size: int = _setting(64, Whole(1, 1_000_000), "images per step (default: 64, or all if there are fewer)")
    lr: float = _setting(0.1, Number(0), "maximum learning rate; SGD with momentum 0.9")
    schedule: str = _setting(
        "one_cycle",
        OneOf(*SCHEDULES),
        "how the learning rate moves over the run; with constant a finished run can be made longer",
        choices=SCHEDULES,
    )
    weight_decay: float = _setting(5e-4, Number(0), "L2 penalty on all parameters")
    augment: bool = _setting(
        True, Switch(), "random crops, and flips for photographs", action=argparse.BooleanOptionalAction
    )
    seed: int = _setting(
        0,
        Whole(0, 2**63 - 1),
        "of weights, order and augmentation; the same seed gives the same bits with as many threads and processes",
    )
    device: str = _setting("cpu", Text(r"cpu|cuda(:\d{1,4})?", "'cpu', 'cuda' or 'cuda:N'"), "cpu, cuda or cuda:N")
    tf32: bool = _setting(
        False,
        Switch(),
        "on a GPU, let matrix products round their inputs to TF32: faster, 10 bits instead of 23",
        action=argparse.BooleanOptionalAction,
    )
    out: str = _setting(
        "", PATH, "folder for checkpoint, log and curves (default: a new one, runs/DATASET-MODEL[-N])", metavar="DIR"
    )
    data: str = _setting("", PATH, "a local copy of the data set (default: cifar10 is downloaded once)", metavar="DIR")
    threads: int = _setting(
        0,
        Whole(0, 1024),
        "threads that compute (default: 0, which is one a core, or what OPENBLAS_NUM_THREADS says)",
        metavar="N",
    )
    processes: int = _setting(
        0,
        Whole(0, MAX_PROCESSES),
        "processes that share each batch: faster where as many cores "
        "are idle, on a busy machine slower than 1 (default: 0, which is one a thread, with at "
        "least 16 images each, where the system allows it)",
        metavar="N",
    )
    limit: int = _setting(0, Whole(0, 10**9), "train and test on N images only (default: 0, which is all)", metavar="N")

    # What may differ when a run is resumed: nothing of the result depends on it, of threads and processes but rounding.
    FREE = ("out", "device", "data", "threads", "processes")
    # What the first versions did not write into their checkpoints.
    NEWER = ("size", "tf32", "processes")

    def __post_init__(self):
        for f in fields(self):
            value = getattr(self, f.name)
            fault = f.metadata["allowed"].fault(f.name, value)
            if fault:
                raise OptionError(fault)
            object.__setattr__(self, f.name, type(f.default)(value))  # NumPy's numbers and integers among them
        for name, usual in (("dataset", data.known(self.dataset)), ("model", meant(self.model, models.names()))):
            if usual:  # an unknown one is said where it is looked for
                object.__setattr__(self, name, usual)

    def processes_for(self, model):
        """How many processes share a batch of this network."""
        if self.processes:
            return self.processes
        if unsupported_reason(model):
            return 1
        return max(1, min(self.threads or get_num_threads(), self.batch_size // 16, MAX_PROCESSES))

    def resumed(self, given, done=0):
        """This configuration, read from a checkpoint, with the flags given now; they may not contradict it.

        done: epochs that are trained already. Raises OptionError.
        """
        resumed = replace(self, **given)
        for name in given:
            old = getattr(self, name)
            value = getattr(resumed, name)
            flag = name.replace("_", "-")
            if name in self.FREE or value == old:
                continue
            if name == "epochs":
                self._may_have(value, done)
            else:
                raise OptionError(
                    f"the checkpoint was made with --{flag} {old}, not {value}; "
                    f"leave --{flag} out to resume, or start a new run with another --out"
                )
        return resumed

    def _may_have(self, epochs, done):
        if self.schedule != "constant":
            raise OptionError(
                f"{self.schedule} spreads the learning rate over all --epochs, which were "
                f"{self.epochs} at the start, so this run cannot be given {epochs}: start a new run with "
                f"--epochs {epochs}, or with --schedule constant, which can be made longer by --resume"
            )
        if epochs < done:
            verb = "is" if done == 1 else "are"
            raise OptionError(f"--epochs {epochs}: {console.counted(done, 'epoch')} {verb} trained already")

    def as_dict(self):
        """{setting: value}, as a checkpoint holds it."""
        return asdict(self)


def add_flags(parser):
    """One flag for each field of Config. Flags that are not given are absent from the namespace."""
    for f in fields(Config):
        flag = dict(f.metadata["flag"])
        help = f.metadata["help"]
        if "default:" not in help:
            help += f" (default: {f.default})"
        if "action" not in flag:
            flag["type"] = console.text if isinstance(f.default, str) else type(f.default)
        parser.add_argument("--" + f.name.replace("_", "-"), default=argparse.SUPPRESS, help=help, **flag)
