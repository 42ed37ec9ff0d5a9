"""What is timed, by name. A part of a name stands for all workloads that have this part."""

from dataclasses import dataclass
from fnmatch import fnmatch
from functools import lru_cache
from importlib import import_module

from benchmarks import networks, processes
from minires import Tensor, kernels, no_grad
from minires.errors import OptionError
from minires.nn import Conv2d
from minires.probes.training_step import random_batch
from minires.settings import did_you_mean

RIVALS = ("torch", "dezero", "mygrad")
NETWORKS = {"resnet20": (32, 128), "resnet18": (224, 16), "resnet50": (224, 8)}  # height and width of an image, batch
SUCCESSORS = {  # and what came before: batches of which a step takes seconds
    "vgg16": (224, 4),
    "resnext50_32x4d": (224, 8),
    "se_resnet50": (224, 8),
    "densenet121": (224, 8),
    "mobilenet_v2": (224, 16),
    "efficientnet_b0": (224, 16),
    "vit_b_16": (224, 4),
}
NORMS = ((16, 32, 128), (64, 112, 8), (256, 56, 8), (1024, 14, 8))  # channels, height and width, batch
DEPTHWISE = (  # channels, kernel, stride, height and width, batch
    (144, 3, 1, 56, 16),
    (576, 3, 1, 14, 16),
    (144, 3, 2, 56, 16),
    (240, 5, 1, 28, 16),
)
BATCHES = (16, 32, 64, 256)  # of ResNet-20, besides its own 128
TINY = {"resnet20": (8, 4), "resnet18": (33, 2), "resnet50": (33, 2)}
TINY_DEPTHWISE = ((8, 3, 1, 6, 2),)
TINY_SUCCESSORS = {"mobilenet_v2": (33, 2)}


@dataclass(frozen=True)
class Workload:
    """function(*arguments) of a contender's module makes its step.

    unit: "images/s", "GFLOP/s" or "GB/s", of which a step does `amount`; "s"; or "MB", which a step returns.
    rivals: the libraries that can do it besides minires. pairs: the largest number of pairs. network: whether it has a
    floor and a profile.
    """

    name: str
    unit: str
    function: object
    arguments: tuple = ()
    amount: float = 1.0
    rivals: tuple = ("torch",)
    pairs: int = 1000
    network: bool = False

    def make(self, contender):
        if callable(self.function):
            return self.function(contender, *self.arguments)
        return getattr(import_module(f"benchmarks.in_{contender}"), self.function)(*self.arguments)

    def value(self, measured):
        """What the table shows of a measured number (seconds or megabytes)."""
        return self.amount / measured if self.unit.endswith("/s") else measured


def catalogue(tiny=False):
    """All workloads in order, for the number of threads that minires uses here."""
    nets = TINY if tiny else NETWORKS
    found = []
    for name, (size, count) in nets.items():
        rivals = RIVALS if name == "resnet20" else ("torch",)
        found.append(
            Workload(f"{name}/train", "images/s", "train_step", (name, size, count), count, rivals, network=True)
        )
    for name, (size, count) in nets.items():
        found.append(Workload(f"{name}/inference", "images/s", "inference", (name, size, count), count))
    found += _successors(TINY_SUCCESSORS if tiny else SUCCESSORS)
    found += _scaling(*nets["resnet20"], tiny)
    found += _convolutions(*nets["resnet50"])
    found += _depthwise(TINY_DEPTHWISE if tiny else DEPTHWISE)
    for C, size, count in NORMS:
        C, size, count = (C, 8, 2) if tiny else (C, size, count)
        moved = 5 * 4 * C * size * size * count / 1e9  # x and y; dy, x and dx
        found.append(Workload(f"batch_norm/{C}@{size}", "GB/s", "batch_norm", (C, size, count), moved))
    found.append(
        Workload("gradcheck", "s", "gradient_check", (("relu", "add") if tiny else (), 1 if tiny else 3), rivals=())
    )
    images, size = (64, 16) if tiny else (20480, 128)
    found.append(Workload("data", "images/s", "loading", (images, size), images, rivals=()))
    # not DeZero, which cannot be imported with today's NumPy (see in_dezero.py)
    found.append(Workload("import", "s", processes.importing, rivals=("torch", "mygrad")))
    largest = "resnet20" if tiny else "resnet50"
    found.append(
        Workload("memory", "MB", processes.peak_memory, (kernels.get_num_threads(), largest, *nets[largest]), pairs=1)
    )
    return found


def _successors(nets):
    """Training steps of other families, without dropout, and their peak memory."""
    for name, (size, count) in nets.items():
        yield Workload(f"{name}/step", "images/s", "train_step", (name, size, count), count, pairs=5)
        memory = kernels.get_num_threads(), name, size, count
        yield Workload(f"{name}/peak", "MB", processes.peak_memory, memory, pairs=1)


def _scaling(size, count, tiny):
    """Training steps of ResNet-20 with other batches, and with one, two, four … threads."""
    for n in (2,) if tiny else BATCHES:
        yield Workload(f"scaling/batch{n}", "images/s", "train_step", ("resnet20", size, n), n)
    usual = kernels.get_num_threads()
    for power in range(usual.bit_length()):
        yield Workload(
            f"scaling/threads{2**power}", "images/s", _with_threads, (2**power, usual, "resnet20", size, count), count
        )


def _with_threads(contender, n, usual, *network):
    library = import_module(f"benchmarks.in_{contender}")
    library.set_threads(n)
    step = library.train_step(*network)
    library.set_threads(usual)

    def with_threads():
        library.set_threads(n)
        try:
            return step()
        finally:
            library.set_threads(usual)

    return with_threads


def _convolutions(size, count):
    """Each shape of convolution in ResNet-50: forward, dx and dw."""
    for C, O, k, stride, padding, H in resnet50_convolutions(size):
        out = (H + 2 * padding - k) // stride + 1
        shape = f"{k}x{k}{f's{stride}' if stride > 1 else ''}-{C}-{O}@{H}"
        for direction in ("forward", "dx", "dw"):
            yield Workload(
                f"conv/{shape}/{direction}",
                "GFLOP/s",
                "conv",
                (direction, C, O, k, stride, padding, H, count),
                2e-9 * count * O * out**2 * C * k**2,
            )


def _depthwise(shapes):
    """One filter for each channel, as in MobileNetV2: forward, dx and dw."""
    for C, k, stride, H, count in shapes:
        shape = f"{k}x{k}{f's{stride}' if stride > 1 else ''}-{C}@{H}"
        out = (H - 1) // stride + 1
        for direction in ("forward", "dx", "dw"):
            arguments = direction, C, C, k, stride, k // 2, H, count, C
            yield Workload(
                f"depthwise/{shape}/{direction}", "GFLOP/s", "conv", arguments, 2e-9 * count * C * (out * k) ** 2
            )


@lru_cache
def resnet50_convolutions(size):
    """(C, O, kernel, stride, padding, height and width of x), without repetition, in the network's order."""
    model = networks.create("resnet50").eval()
    found = {}

    def note(module, inputs, y):
        O, C, k, _ = module.weight.shape
        found[C, O, k, module.stride[0], module.padding[0], inputs[0].shape[2]] = True

    for module in model.modules():
        if isinstance(module, Conv2d):
            module.register_forward_hook(note)
    with no_grad():
        model(Tensor(random_batch(model, size, 1)[0]))
    return list(found)


def select(names, workloads):
    """The workloads of the names: a whole name, a part between slashes, or a pattern with *. Raises OptionError."""
    chosen = []
    for name in names:
        found = [w for w in workloads if name in (w.name, *w.name.split("/")) or fnmatch(w.name, name)]
        if not found:
            known = dict.fromkeys(word for w in workloads for word in (w.name, *w.name.split("/")))
            hint = did_you_mean(name, known, "--list prints all names")
            raise OptionError(f"there is no workload {name!r}; {hint}")
        chosen += found
    return [w for w in workloads if w in chosen] if names else workloads
