"""What batch norm is good for: higher learning rates, and a loss that is smoother along the gradient."""

import math
from dataclasses import dataclass

import numpy as np

from minires import data, optim
from minires.errors import GraphError, OptionError
from minires.lab.experiment import Experiment, Table, Trial
from minires.lab.statistics import Comparison
from minires.lab.training import Training, final, spread, train
from minires.plots import Line, Panel
from minires.probes import along_gradient
from minires.storage.schema import Integer, Number, Text, TupleOf, setting
from minires.train.config import Config
from minires.train.setup import load_data, make_model, make_transform
from minires.train.step import train_step

PARTS = ("with", "without")
POINTS = 4  # step sizes between half and four times the learning rate, as in the authors' code


@dataclass(frozen=True)
class Settings(Training):
    weight_decay: float = setting(0.0, Number(0), "L2 penalty on all parameters")
    model: str = setting("plain8", Text(), "the network")
    with_norm: str = setting("norm='batch'", Text(), "its options with batch norm", metavar="OPTIONS")
    without_norm: str = setting("norm=None", Text(), "its options without batch norm", metavar="OPTIONS")
    lrs: tuple[float, ...] = setting((0.03, 0.3), TupleOf(Number(1e-12)), "maximum learning rates")
    steps: int = setting(40, Integer(2), "steps along which the smoothness is measured, with the learning rate lr")
    every: int = setting(10, Integer(1), "measure it in every N-th of these steps", metavar="N")
    lr: float = setting(0.03, Number(1e-12), "learning rate of these steps, at which both networks should train")

    def options(self, part):
        return getattr(self, f"{part}_norm")


class BatchNorm(Experiment):
    name = "batchnorm"
    claim = (
        "With batch norm a network trains at higher learning rates, and its loss and gradient change less along a step."
    )
    source = (
        "Ioffe & Szegedy 2015, arXiv:1502.03167, §3.3 and §4.2.2 (Fig. 2, Table in Fig. 3); Santurkar et al. 2018, "
        "arXiv:1805.11604, Fig. 4"
    )
    method = (
        "A plain network is trained at several learning rates, with batch norm and without. Without, each norm is "
        "replaced by a factor and a bias a channel; the first weights are the same. The network has trained if, in "
        "the last epoch, it errs on the training images less than half as often as a guess. A loss that becomes "
        "infinite is a result. A network that trains at no rate leaves this part undecided, because its highest rate "
        "is unknown. Rates are steps of a grid, so this part is decided from six seeds on. (In Ioffe & Szegedy, "
        "Inception trains at 5 and 30 times its learning rate with batch norm; without, it reaches infinity at 5 "
        "times.) Both then take as many steps at one small rate lr. Before a step, with weights w and gradient g, "
        f"loss and gradient of that batch are computed at w − η·g for {POINTS} values of η from lr/2 to 4·lr. They "
        "give how much the loss varies, and the effective β, the largest ‖∂L(w − η·g) − g‖/‖η·g‖; both are averaged "
        "as logarithms, over the steps at which they are finite and above 0. The papers' networks are Inception and "
        "VGG. The measures depend on the scale of the weights."
    )
    refuted_by = (
        "the network without batch norm trains at a higher rate, or its loss or gradient changes less along a step"
    )
    sizes = {
        "tiny": Settings(epochs=4, seeds=6),
        "small": Settings(
            model="plain20", seeds=6, epochs=4, lrs=(0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0), steps=100, every=10
        ),
        "full": Settings(
            dataset="cifar10",
            model="plain20",
            epochs=20,
            batch_size=128,
            lrs=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0),
            steps=4000,
            every=100,
            seeds=6,
        ),
    }

    def trials(self, s):
        if s.limit and s.batch_size > s.limit:
            raise OptionError(f"batch_size must be at most the limit, {s.limit}, got {s.batch_size}")
        trials = []
        for seed in range(s.seeds):
            for part in PARTS:
                trials += [Trial(f"{part}-lr{lr!r}", seed, inputs={"lr": lr, "part": part}) for lr in s.lrs]
                trials.append(Trial(f"{part}-smoothness", seed, inputs={"lr": s.lr, "part": part}))
        return trials

    def measure(self, trial, s, place):
        part, lr = trial.inputs["part"], trial.inputs["lr"]
        if trial.arm.endswith("smoothness"):
            return smoothness(place, s, s.options(part), trial.seed)
        return train(place, s, trial.seed, s.model, s.options(part), lr=lr)[1]

    def compare(self, s, results):
        highest = {part: np.log10(highest_rate(s, results, part)) for part in PARTS}
        measured = {
            (part, key): mean_over_steps(results.of(f"{part}-smoothness", key))
            for part in PARTS
            for key in ("variation", "beta")
        }

        def less(key):
            return tuple(measured["without", key] - measured["with", key])

        return [
            Comparison(
                "highest learning rate at which it trains",
                tuple(highest["with"] - highest["without"]),
                "decades",
                coarse=True,
            ),
            Comparison("variation of the loss along a step without batch norm above", less("variation"), "decades"),
            Comparison("effective β without batch norm above", less("beta"), "decades"),
        ]

    def table(self, s, results):
        rows = []
        for lr in s.lrs:
            row = [f"{lr:g}"]
            for part in PARTS:
                errors = final(results, f"{part}-lr{lr!r}", "train_error")
                diverged = sum(results.of(f"{part}-lr{lr!r}", "diverged"))
                row.append(spread(errors) + (f" ({diverged} of {len(errors)} diverged)" if diverged else ""))
            rows.append(tuple(row))
        columns = ("learning rate", "training error with batch norm (%)", "without (%)")
        return Table(columns, rows, "The mean over the seeds ± the standard deviation, after the last epoch.")

    def panels(self, s, results):
        names = {"with": ("with batch norm", "plain", 0), "without": ("without", "other", 1)}
        errors = [
            Line(
                label,
                s.lrs,
                np.transpose([final(results, f"{part}-lr{lr!r}", "train_error") for lr in s.lrs]),
                kind,
                variant,
            )
            for part, (label, kind, variant) in names.items()
        ]
        at = range(0, s.steps, s.every)
        panels = [Panel("learning rate", "final training error (%)", errors, xscale="log", wide=True)]
        for key, what in (("variation", "variation of the loss"), ("beta", "effective β")):
            lines = [
                Line(label, at, results.of(f"{part}-smoothness", key), kind, variant)
                for part, (label, kind, variant) in names.items()
            ]
            panels.append(Panel("training step", what, lines, yscale="log", whole=True))
        return panels


def highest_rate(s, results, part):
    """The highest learning rate at which the network has trained, for each seed; NaN, so undecided, if at none."""
    highest = np.full(s.seeds, np.nan)
    for lr in sorted(s.lrs):
        curves = results.of(f"{part}-lr{lr!r}", "train_error")
        highest[curves[:, -1] < results.of(f"{part}-lr{lr!r}", "guess") / 2] = lr
    return highest


def smoothness(place, s, options, seed):
    """{"variation", "beta": of the loss along the gradient, before every N-th step}; NaN once it diverged."""
    config = Config(dataset=s.dataset, data=s.data, model=s.model, model_options=options, limit=s.limit, seed=seed)
    train_set, _ = load_data(config)
    model = make_model(config, train_set).train()
    optimizer = optim.SGD(model.parameters(), s.lr, momentum=0.9, weight_decay=s.weight_decay)
    transform = make_transform(train_set, augment=False)
    loader = data.ArrayLoader(train_set, s.batch_size, seed=seed, shuffle=True, transform=transform, drop_last=True)
    etas = np.geomspace(s.lr / 2, 4 * s.lr, POINTS).tolist()
    found = []
    for step in range(s.steps):
        epoch, batch = divmod(step, len(loader))
        images, labels = next(iter(loader.epoch(epoch, start=batch)))
        if step % s.every == 0:
            found.append(along_gradient(model, images, labels, etas))
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                train_step(model, optimizer, images, labels)
        except GraphError:  # it diverges
            break
        place.progress((step + 1) / s.steps)
    rest = [math.nan] * (len(range(0, s.steps, s.every)) - len(found))
    return {key: [getattr(f, key) for f in found] + rest for key in ("variation", "beta")}


def mean_over_steps(values):
    """log₁₀ of the geometric mean of the finite values (seeds, steps), for each seed; NaN without one."""
    with np.errstate(invalid="ignore", divide="ignore"):
        decades = np.log10(values)
        finite = np.isfinite(decades)
        return np.where(finite, decades, 0).sum(axis=1) / finite.sum(axis=1)
