"""The settings of a training run: name, default, range and help. The flags of the command are made from them."""

import argparse
from dataclasses import asdict, dataclass, fields, replace

from minires import console, data, models
from minires.errors import OptionError
from minires.kernels import get_num_threads
from minires.parallel import MAX_PROCESSES, unsupported_reason
from minires.parallel.ranks import PATIENCE
from minires.settings import meant
from minires.storage.schema import Boolean, Integer, Number, OneOf, Settings, Text, setting

SCHEDULES = ("one_cycle", "multistep", "cosine", "constant")
OPTIMIZERS = ("sgd", "adamw")
PATH = Text()
NAME = Text(r"[^\0]+", "a name")


def usual(optimizer, weights):
    """The settings that follow from the optimizer, and from whether a network goes on from weights of its own.

    SGD: He et al. 2015, §4.2, with a rate and a decay for small images. AdamW: the defaults of PyTorch and timm.
    """
    new, tuned, decay = (1e-3, 1e-4, 1e-2) if optimizer == "adamw" else (0.1, 0.01, 5e-4)
    return {
        "model": None if weights else "resnet20",  # found by the weights
        "lr": tuned if weights else new,
        "weight_decay": decay,
        "decay_norms": optimizer == "sgd",
    }


@dataclass(frozen=True)
class Config(Settings):
    """The settings of a training run. The defaults train a ResNet-20 on handwritten digits in less than a minute.

    Raises OptionError for a value outside its range.
    """

    dataset: str = setting("digits", NAME, "digits, cifar10, or a folder with one sub-folder of images per class")
    model: str = setting(
        None,
        NAME,
        "a name of minires.models.names(); see --list-models (default: resnet20, or the network of --weights)",
        kind=str,
    )
    weights: str = setting(
        "",
        PATH,
        "go on from these weights: PyTorch's .pth, safetensors, .npz, or another run's checkpoint; images of a folder "
        "are then cut as such networks are trained (random parts of any size) and tested; for other classes the last "
        "layer is new (default: none, all weights are new)",
        metavar="FILE",
    )
    freeze: str = setting(
        "",
        Text(),
        "parts that are not trained, by the beginnings of their names, such as features or conv1,bn1,layer1: their "
        "norms keep their statistics, and a step is faster (default: none)",
        metavar="NAMES",
    )
    model_options: str = setting(
        "",
        Text(),
        "options of the network, as Python writes them, such as \"shortcut='B', zero_init_residual=True\"",
        metavar="OPTIONS",
    )
    epochs: int = setting(20, Integer(0, 1_000_000), "passes over the training images")
    size: int = setting(
        0,
        Integer(0, 10_000),
        "height and width to which the images of a folder are scaled (default: 0, which is 224, or what the network of "
        "--weights is made for; digits and cifar10 have their own)",
        metavar="N",
    )
    batch_size: int = setting(64, Integer(1, 1_000_000), "images per step (default: 64, or all if there are fewer)")
    accumulate: int = setting(
        1,
        Integer(1, 1_000_000),
        "compute each batch in N parts, one after another, and add up their gradients: the same step in less memory; "
        "but batch norm sees one part at a time",
        metavar="N",
    )
    optimizer: str = setting(
        "sgd", OneOf(*OPTIMIZERS), "sgd, with momentum 0.9, or adamw, with betas 0.9 and 0.999", choices=OPTIMIZERS
    )
    lr: float = setting(
        None,
        Number(0),
        "maximum learning rate (default: 0.1 for sgd and 0.001 for adamw; with --weights 0.01 and 0.0001)",
        kind=float,
    )
    head_lr: float = setting(
        None, Number(0), "maximum learning rate of the last layer (default: that of --lr)", kind=float
    )
    schedule: str = setting(
        "one_cycle",
        OneOf(*SCHEDULES),
        "how the learning rate changes over the run; with constant, a finished run can be made longer",
        choices=SCHEDULES,
    )
    weight_decay: float = setting(
        None,
        Number(0),
        "L2 penalty for sgd; for adamw the part by which parameters shrink, times the learning rate (default: 0.0005 "
        "for sgd and 0.01 for adamw)",
        kind=float,
    )
    decay_norms: bool = setting(
        None,
        Boolean(),
        "weight decay for norms and biases too, not for weights alone (default: yes for sgd, no for adamw)",
        kind=bool,
    )
    clip_grad_norm: float = setting(
        0.0, Number(0), "shorten the gradient to this norm where it is longer (default: 0, which is never)", metavar="N"
    )
    label_smoothing: float = setting(
        0.0, Number(0, 1), "the part of each label that all classes share evenly; 0.1 is usual", metavar="PART"
    )
    mixup: float = setting(
        0.0,
        Number(0, 1000),
        "mix each image and its label with another one, by a share from Beta(ALPHA, ALPHA); 0.2 is usual (default: 0, "
        "which is not at all)",
        metavar="ALPHA",
    )
    ema: float = setting(
        0.0,
        Number(0, 1),
        "also keep an average of the weights over some 1/(1 - DECAY) steps, which is tested and saved: 0.99 for a run "
        "of some hundred steps, 0.9999 for a long one (default: 0, which is none)",
        metavar="DECAY",
    )
    augment: bool = setting(True, Boolean(), "random crops, and flips for photographs")
    seed: int = setting(
        0,
        Integer(0, 2**63 - 1),
        "of weights, order and augmentation; with the same threads and processes, a seed always gives the same bits",
    )
    device: str = setting("cpu", Text(r"cpu|cuda(:\d{1,4})?", "'cpu', 'cuda' or 'cuda:N'"), "cpu, cuda or cuda:N")
    tf32: bool = setting(
        False, Boolean(), "on a GPU, round the inputs of matrix products to TF32: faster, with 10 bits instead of 23"
    )
    out: str = setting(
        "", PATH, "folder for checkpoint, log and curves (default: a new one, runs/DATASET-MODEL[-N])", metavar="DIR"
    )
    data: str = setting("", PATH, "a local copy of the data set (default: cifar10 is downloaded once)", metavar="DIR")
    threads: int = setting(
        0,
        Integer(0, 1024),
        "threads that compute (default: 0, which is one a core, or OPENBLAS_NUM_THREADS if that is set)",
        metavar="N",
    )
    processes: int = setting(
        0,
        Integer(0, MAX_PROCESSES),
        "processes that share each batch: faster if as many cores are idle, slower on a busy machine (default: 0, "
        "which is one a thread, with at least 16 images each, if the system allows it)",
        metavar="N",
    )
    keep: int = setting(
        2,
        Integer(1, 1000),
        "checkpoints to keep, the newest and those before it: if the newest cannot be read, --resume uses the one "
        "before (default: 2)",
        metavar="N",
    )
    sync_norm: bool = setting(
        False,
        Boolean(),
        "with mpiexec: batch norm over the images of all ranks, so that the result is that of one process; otherwise "
        "each rank normalizes by its own part of a batch, and running statistics are averaged",
    )
    patience: float = setting(
        PATIENCE,
        Number(1, 1_000_000),
        "with mpiexec: end the run if a rank waits so many seconds for another one",
        metavar="SECONDS",
    )
    limit: int = setting(
        0, Integer(0, 10**9), "train and test on N images only (default: 0, which is all)", metavar="N"
    )

    # a resumed run may change these, because they change nothing in the result but rounding
    MAY_DIFFER = ("out", "device", "data", "threads", "processes", "patience", "keep")
    # the first versions did not write these into checkpoints
    ADDED_LATER = (
        *("size", "tf32", "processes", "model_options", "weights", "freeze", "accumulate", "optimizer", "head_lr"),
        *("decay_norms", "clip_grad_norm", "label_smoothing", "mixup", "ema", "sync_norm", "patience", "keep"),
    )

    def __post_init__(self):
        for name, value in usual(self.optimizer, self.weights).items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        if self.head_lr is None:
            object.__setattr__(self, "head_lr", self.lr)
        super().__post_init__()
        if self.ema == 1:
            raise OptionError("ema must be below 1, because with 1 the average never moves, got 1")
        known_model = meant(self.model, models.names()) if self.model else None
        for name, known in (("dataset", data.dataset_name(self.dataset)), ("model", known_model)):
            if known:  # an unknown name raises an error later
                object.__setattr__(self, name, known)

    def processes_for(self, model):
        """The number of processes that share a batch of this network."""
        if self.processes:
            return self.processes
        if unsupported_reason(model):
            return 1
        images = self.batch_size // self.accumulate  # at a time
        return max(1, min(self.threads or get_num_threads(), images // 16, MAX_PROCESSES))

    def resumed(self, given, done=0):
        """This Config, which was read from a checkpoint, with the settings given now.

        done: epochs that are trained already. Raises OptionError if the two contradict each other.
        """
        resumed = replace(self, **given)
        for name in given:
            old = getattr(self, name)
            value = getattr(resumed, name)
            flag = name.replace("_", "-")
            if name in self.MAY_DIFFER or value == old:
                continue
            if name == "epochs":
                self._check_epochs(value, done)
            else:
                raise OptionError(
                    f"the checkpoint was made with --{flag} {old}, not {value}; "
                    f"leave --{flag} out to resume, or start a new run with another --out"
                )
        return resumed

    def _check_epochs(self, epochs, done):
        if self.schedule != "constant":
            raise OptionError(
                f"{self.schedule} spreads the learning rate over all --epochs, which were {self.epochs} at the "
                f"start, so they cannot become {epochs}: start a new run with --epochs {epochs}, or with "
                "--schedule constant, which can be made longer by --resume"
            )
        if epochs < done:
            verb = "is" if done == 1 else "are"
            raise OptionError(f"--epochs {epochs}: {console.counted(done, 'epoch')} {verb} trained already")

    def as_dict(self):
        """{setting: value} for a checkpoint."""
        return asdict(self)


def add_flags(parser):
    """Add a flag for each field of Config. A flag that is not given is absent from the namespace."""
    for f in fields(Config):
        flag = {**console.flag_of(f.metadata["kind"]), **f.metadata["flag"]}  # __post_init__ checks the range
        help = f.metadata["help"]
        if "default:" not in help:
            help += f" (default: {f.default})"
        parser.add_argument("--" + f.name.replace("_", "-"), default=argparse.SUPPRESS, help=help, **flag)
