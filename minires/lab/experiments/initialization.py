"""How a residual network begins: the variance of its activations over depth, and how it learns without norms."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from minires import data, models
from minires.lab.experiment import Experiment, Table, Trial
from minires.lab.statistics import Comparison
from minires.lab.training import CIFAR10, Training, not_learned, spread, train
from minires.mode import no_grad
from minires.nn import chain
from minires.ops import relu
from minires.plots import Bars, Line, Panel
from minires.storage.schema import Integer, Number, OneOf, TupleOf, setting
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

LISTED = ", ".join(ARMS)


@dataclass(frozen=True)
class Settings(Training):
    blocks: int = setting(32, Integer(2, 100), "L, the blocks over which the variance is measured")
    images: int = setting(64, Integer(2), "images on which it is measured", metavar="N")
    depth: int = setting(20, Integer(8), "layers of the networks that are trained: 20, 32, 44, 56 or 110")
    trained: tuple[str, ...] = setting(
        ("he", "fixup"), TupleOf(OneOf(*ARMS)), f"which networks are trained beside the two that are judged: {LISTED}"
    )
    lr: tuple[float, ...] = setting(  # type: ignore[assignment]  # several, where Training has one
        (0.03, 0.3), TupleOf(Number(0)), "maximum learning rates; of a network its best one counts"
    )
    unnormalized: str = setting("he", OneOf(*ARMS), "the network without norms, with He's weights")
    normalized: str = setting("batch-norm", OneOf(*ARMS), "the network with batch norm")
    scaled: str = setting("scaled", OneOf(*ARMS), "the network without norms, whose branches begin 1/√L times as large")
    zero: str = setting("zero-gamma", OneOf(*ARMS), "the network with batch norm, whose branches begin with 0")
    fixup: str = setting("fixup", OneOf(*ARMS), "the network without norms, with Fixup-like weights")


class Initialization(Experiment):
    name = "initialization"
    claim = (
        "Over residual blocks the variance of the activations grows faster without norms than with batch norm, or with "
        "branches that begin 1/√L times as large. With zero-γ a new block changes its input less than without. A "
        "network without norms learns the training images better with Fixup-like weights."
    )
    source = (
        "De & Smith 2020, arXiv:2002.10444, §2 and §3; Zhang et al. 2019, arXiv:1901.09321, §2 and §3; Goyal et al. "
        "2017, arXiv:1706.02677, §5.1"
    )
    method = (
        "The variance σ²_l is that of the output of block l, over images, channels and pixels, in the first stage of a "
        "new pre-activation network. In theory it is multiplied by 2 in each block without norms, and 1 is added to it "
        "with batch norm. (The padding at the border is 0, so in small images it grows by less than 2.) L is the "
        "number of blocks. Zero-γ: the last layer of a branch begins with 0; here it is a convolution, because a "
        "pre-activation branch ends with one. Fixup-like: so do this layer and the classifier, and the layers before "
        "it begin smaller by a power of L. In place of the paper's scalars there are a factor and a bias a channel, as "
        "batch norm has. Such networks are then trained with several learning rates, `lr`. For each network and seed "
        "the rate counts at which the training error of the last epoch is lowest. A loss that becomes infinite counts "
        "as a guess. Where the better of two networks errs more than half as often as a guess, nothing was learned, "
        "and their errors decide nothing. Goyal et al. report 23.84 % and, with zero-γ, 23.60 % on ImageNet. A "
        "difference that small cannot be told here, and is not judged. A new branch with zero-γ is exactly 0. That it "
        "changes its input less is "
        "true by construction, and a check of the code. Nor does the last part tell which change helps: Fixup-like "
        "weights are 0 in the branches and in the classifier, and smaller elsewhere."
    )
    refuted_by = (
        "the variance grows slower without norms than with batch norm or with 1/√L; a block with zero-γ changes its "
        "input more than without; He's weights without norms learn better than the Fixup-like ones"
    )
    sizes = {
        "tiny": Settings(limit=800),
        "small": Settings(depth=32, trained=tuple(ARMS), epochs=6),
        "full": Settings(**CIFAR10, blocks=50, depth=110, trained=tuple(ARMS), lr=(0.03, 0.1, 0.3)),
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
            curves = [self._trained(trial, s, place, k) for k in range(len(s.lr))]
            numbers["train_errors"] = [curve["train_error"][-1] for curve in curves]
            numbers["train_error"] = min(numbers["train_errors"])
            numbers["guess"] = curves[0]["guess"]
        return numbers

    def _trained(self, trial, s, place, k):
        """The curves of a training with the k-th learning rate."""
        part = place.part(f"lr{s.lr[k]!r}", k / len(s.lr), (k + 1) / len(s.lr))
        return train(part, s, trial.seed, f"preact_resnet{s.depth}", ARMS[trial.arm], lr=s.lr[k])[1]

    def compare(self, s, results):
        def doublings(arm):
            variances = results.of(arm, "variances")
            return np.log2(variances[:, -1] / variances[:, 0]) / s.blocks

        def change(arm):
            return results.of(arm, "changes").mean(1)

        grows = doublings(s.unnormalized)
        errors = {arm: results.of(arm, "train_error") for arm in (s.unnormalized, s.fixup)}
        better = np.min(list(errors.values()), axis=0)
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
                f"check: ‖H − x‖ / ‖x‖ of a block, {NAMES[s.normalized]}, above that of {NAMES[s.zero]}",
                tuple(change(s.normalized) - change(s.zero)),
            ),
            Comparison(
                f"training error, {NAMES[s.unnormalized]}, above that of {NAMES[s.fixup]}",
                tuple(errors[s.unnormalized] - errors[s.fixup]),
                "points",
                reason=not_learned("the better of the two", better, results.of(s.fixup, "guess")),
            ),
        ]

    def table(self, s, results):
        rows = []
        for arm in _arms(s):
            variances = results.of(arm, "variances")
            growth = np.exp(np.log(variances[:, -1] / variances[:, 0]).mean())
            per_block = growth ** (1 / s.blocks)
            error = spread(results.of(arm, "train_error"), 1) if _is_trained(arm, s) else ""
            rates = best_rates(s, results, arm) if _is_trained(arm, s) else ""
            rows.append((NAMES[arm], f"{growth:.3g}", f"{per_block:.3f}", THEORY[arm], error, rates))
        columns = ("network", f"σ²_L / σ²_0, L = {s.blocks}", "a block", "in theory, σ²_l / σ²_0")
        columns += ("training error (%)", "at lr")
        return Table(
            columns,
            rows,
            f"The geometric means of the growth over the seeds. The network has three stages of L blocks, hence 1/3L. "
            f"The error is that of {s.depth} layers after {s.epochs} epochs at the best learning rate, which stands "
            "beside it: the mean over the seeds ± the standard deviation.",
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


def best_rates(s, results, arm):
    """The learning rate at which the training error was lowest, as text; several where the seeds differ."""
    best = {s.lr[k] for k in results.of(arm, "train_errors").argmin(axis=1)}
    return ", ".join(f"{lr:g}" for lr in sorted(best))


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
