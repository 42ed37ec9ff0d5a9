"""How a residual network begins: the variance of its activations over depth, and whether it can learn without norms."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from minires import data, models
from minires.errors import GraphError
from minires.lab.experiment import Common, Experiment, Table, Trial
from minires.lab.statistics import Comparison
from minires.mode import no_grad
from minires.nn import chain
from minires.ops import relu
from minires.plots import Bars, Line, Panel
from minires.storage.schema import Integer, Number, OneOf, Text, TupleOf, setting
from minires.tensor import Tensor

# the options of each network; they are pre-activation ones, so a branch ends with a convolution, and zero-γ makes it 0
ARMS = {
    "he": "norm=None",
    "batch-norm": "",
    "scaled": "norm=None, branches='scaled'",
    "zero-gamma": "zero_init_residual=True",
    "fixup": "norm=None, branches='fixup'",
}
NAMES = {
    "he": "He, no norm",
    "batch-norm": "batch norm",
    "scaled": "1/√L, no norm",
    "zero-gamma": "zero-γ, batch norm",
    "fixup": "Fixup-like, no norm",
}
LOOKS = {  # blue with batch norm, green without
    "he": ("other", 0),
    "batch-norm": ("residual", 0),
    "scaled": ("other", 1),
    "zero-gamma": ("residual", 1),
    "fixup": ("other", 2),
}
THEORY = {
    "he": "2^l",
    "batch-norm": "1 + l/σ²₀",
    "scaled": "(1 + 1/3L)^l",
    "zero-gamma": "1",
    "fixup": "1",
}  # of σ²_l / σ²_0


@dataclass(frozen=True)
class Settings(Common):
    blocks: int = setting(32, Integer(2, 100), "L, the blocks over which the variance is measured")
    images: int = setting(64, Integer(2), "images on which it is measured", metavar="N")
    depth: int = setting(20, Integer(8), "layers of the networks that are trained: 20, 32, 44, 56 or 110")
    trained: tuple[str, ...] = setting(("he", "fixup"), TupleOf(OneOf(*ARMS)), "which networks are trained")
    epochs: int = setting(3, Integer(1, 10_000), "passes over the training images")
    batch_size: int = setting(64, Integer(2, 10_000), "images per step")
    lr: float = setting(0.1, Number(0), "maximum learning rate")
    schedule: str = setting("one_cycle", Text(), "how the learning rate changes, as in minires.train")
    weight_decay: float = setting(1e-4, Number(0), "L2 penalty on all parameters")
    unnormalized: str = setting("he", OneOf(*ARMS), "the network without norms, with He's weights")
    normalized: str = setting("batch-norm", OneOf(*ARMS), "the network with batch norm")
    scaled: str = setting("scaled", OneOf(*ARMS), "the network without norms, whose branches begin with 1/√L")
    zero: str = setting("zero-gamma", OneOf(*ARMS), "the network with batch norm, whose branches begin with 0")
    fixup: str = setting("fixup", OneOf(*ARMS), "the network without norms that can be trained")


class Initialization(Experiment):
    name = "initialization"
    claim = (
        "Without norms the variance of the activations grows as 2^l over l residual blocks, with batch norm as l, and "
        "with 1/√L branches at most e times. Zero-γ makes each block the identity. Branches that begin with 0 let a "
        "network without norms learn."
    )
    source = (
        "De & Smith 2020, arXiv:2002.10444, §2 and §3; Zhang et al. 2019, arXiv:1901.09321, §2 and §3; "
        "Goyal et al. 2017, arXiv:1706.02677, §5.1"
    )
    method = (
        "The variance σ²_l is that of the output of block l, over images, channels and pixels, in the first stage of a "
        "new pre-activation network. (The padding at the border is 0, so small images grow by less than 2.) Such "
        "networks are then trained with the same settings. Fixup-like: the last layer of a branch and the classifier "
        "begin with 0, the layers before by a power of L smaller. In place of the paper's scalars there are a factor "
        "and a bias a channel, as batch norm has. Goyal et al. report 23.84 % and, with zero-γ, 23.60 % on ImageNet; a "
        "difference that small cannot be told here, and is no part of the verdict."
    )
    refuted_by = (
        "the variance grows no faster without norms than with batch norm or with 1/√L, zero-γ leaves a block that "
        "changes its input as much as another, or He's weights without norms learn as well as the Fixup-like ones"
    )
    sizes = {
        "tiny": Settings(),
        "small": Settings(depth=32, trained=tuple(ARMS), epochs=6),
        "full": Settings(
            dataset="cifar10",
            blocks=50,
            depth=110,
            trained=tuple(ARMS),
            epochs=164,
            batch_size=128,
            schedule="multistep",
            seeds=3,
        ),
    }

    def trials(self, s):
        costly_first = sorted(_arms(s), key=lambda arm: not _is_trained(arm, s))
        return [
            Trial(arm, seed, cost=1.0 if _is_trained(arm, s) else 0.1, inputs={"trained": _is_trained(arm, s)})
            for seed in range(s.seeds)
            for arm in costly_first
        ]

    def measure(self, trial, s, place):
        train_set, _ = data.load(s.dataset, s.data or None)
        n = min(s.images, len(train_set))
        images, _ = next(iter(data.ArrayLoader(train_set.limit(n), n)))
        model = models.PreActCifarResNet(
            6 * s.blocks + 2, in_channels=images.shape[1], rng=trial.seed, **models.read_options(ARMS[trial.arm])
        )
        variances, changes = variance_over_depth(model, images)
        numbers = {"variances": variances, "changes": changes}
        if trial.inputs["trained"]:
            numbers["train_error"] = self._train_error(trial, s, place, len(train_set.classes))
        return numbers

    def _train_error(self, trial, s, place, classes):
        """In % in the last epoch; that of guessing if the loss becomes infinite or NaN."""
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # it is what is measured here
                run = place.train(
                    dataset=s.dataset,
                    data=s.data,
                    model=f"preact_resnet{s.depth}",
                    model_options=ARMS[trial.arm],
                    epochs=s.epochs,
                    batch_size=s.batch_size,
                    lr=s.lr,
                    schedule=s.schedule,
                    weight_decay=s.weight_decay,
                    seed=trial.seed,
                )
        except GraphError:
            return 100 * (1 - 1 / classes)
        return 100 * (1 - run.history[-1]["train_accuracy"])

    def compare(self, s, results):
        def doublings(arm):
            variances = results.of(arm, "variances")
            return np.log2(variances[:, -1] / variances[:, 0]) / s.blocks

        def change(arm):
            return results.of(arm, "changes").mean(1)

        grows = doublings(s.unnormalized)
        learned = results.of(s.unnormalized, "train_error") - results.of(s.fixup, "train_error")
        return [
            Comparison(
                f"doublings of the variance per block, {NAMES[s.unnormalized]}, above those of {NAMES[s.normalized]}",
                tuple(grows - doublings(s.normalized)),
            ),
            Comparison(
                f"doublings of the variance per block, {NAMES[s.unnormalized]}, above those of {NAMES[s.scaled]}",
                tuple(grows - doublings(s.scaled)),
            ),
            Comparison(
                f"‖H − x‖ / ‖x‖ of a block, {NAMES[s.normalized]}, above that of {NAMES[s.zero]}",
                tuple(change(s.normalized) - change(s.zero)),
            ),
            Comparison(
                f"training error, {NAMES[s.unnormalized]}, above that of {NAMES[s.fixup]}", tuple(learned), "points"
            ),
        ]

    def table(self, s, results):
        rows = []
        for arm in _arms(s):
            variances = results.of(arm, "variances")
            growth = np.exp(np.log(variances[:, -1] / variances[:, 0]).mean())
            per_block = growth ** (1 / s.blocks)
            error = f"{_spread(results.of(arm, 'train_error'))}" if _is_trained(arm, s) else ""
            rows.append((NAMES[arm], f"{growth:.3g}", f"{per_block:.3f}", THEORY[arm], error))
        columns = ("network", f"σ²_L / σ²_0, L = {s.blocks}", "a block", "in theory, σ²_l / σ²_0", "training error (%)")
        return Table(
            columns,
            rows,
            f"The geometric means of the growth over the seeds. The network has three stages of L blocks, hence 1/3L. "
            f"The error is that of {s.depth} layers after "
            f"{s.epochs} epochs, the mean over the seeds ± the standard deviation.",
        )

    def panels(self, s, results):
        l = np.arange(s.blocks + 1)
        arms = _arms(s)
        growth = {arm: results.of(arm, "variances") / results.of(arm, "variances")[:, :1] for arm in arms}
        start = results.of(s.normalized, "variances")[:, 0].mean()
        few = [arm for arm in arms if arm not in (s.unnormalized, s.normalized)]
        panels = []
        for shown, theory, yscale in (
            (arms, 2.0**l, "log"),
            ([s.normalized], 1 + l / start, "linear"),
            (few, (1 + 1 / (3 * s.blocks)) ** l, "linear"),
        ):
            lines = [Line(NAMES[arm], l, growth[arm], *LOOKS[arm]) for arm in shown]
            lines.append(Line("in theory", l, theory, "paper", 3, bare=True))
            panels.append(Panel("block l", r"variance $\sigma_l^2\,/\,\sigma_0^2$", lines, yscale=yscale, whole=True))
        trained = [arm for arm in arms if _is_trained(arm, s)]
        errors = [results.of(arm, "train_error") for arm in trained]
        labels = [NAMES[arm].replace(", ", "\n") for arm in trained]
        return [*panels, Bars("training error (%)", labels, errors, [LOOKS[arm][0] for arm in trained])]


def variance_over_depth(model, images):
    """(σ²_0 … σ²_L of a network's first stage, ‖H(x) − x‖/‖x‖ of each of its L blocks), in training mode.

    σ²_0 is the variance of what the first block gets, σ²_l that of the output of block l. images (N,C,H,W).
    """
    with no_grad():
        h = model.conv1(Tensor(images))
        if hasattr(model, "bn1"):
            h = chain(h, model.bn1, relu)
        outputs = [h.data.astype(np.float64)]
        for block in model.layer1:
            h = block(h)
            outputs.append(h.data.astype(np.float64))
    changes = [_norm(after - before) / _norm(before) for before, after in pairwise(outputs)]
    return [float(h.var()) for h in outputs], changes


def _norm(a):
    return math.sqrt(float((a * a).sum()))


def _arms(s):
    return list(dict.fromkeys((s.unnormalized, s.normalized, s.scaled, s.zero, s.fixup)))


def _is_trained(arm, s):
    return arm in (*s.trained, s.unnormalized, s.fixup)


def _spread(values):
    return f"{values.mean():.1f}" + (f" ± {values.std(ddof=1):.1f}" if len(values) > 1 else "")
