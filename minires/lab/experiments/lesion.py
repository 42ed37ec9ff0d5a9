"""Lesions: a trained residual network without one of its blocks works on, and a plain network does not."""

from dataclasses import dataclass

import numpy as np

from minires import models
from minires.errors import OptionError
from minires.lab.experiment import Experiment, Table
from minires.lab.statistics import Comparison
from minires.lab.trained import WAY, OnTestImages, TrainingOrWeights, trained, trials, way_to_guessing
from minires.lab.training import CIFAR10
from minires.plots import Line, Panel
from minires.probes import Lesions, kendall_tau
from minires.storage.schema import Integer, Number, Text, setting


@dataclass(frozen=True)
class Settings(TrainingOrWeights, OnTestImages):
    draws: int = setting(3, Integer(1, 10_000), "random choices of blocks that are deleted or swapped")
    swaps: int = setting(2, Integer(1, 1000), "most pairs of blocks that are swapped")
    little: float = setting(
        40.0, Number(0, 100), "percent of the way to guessing that a deleted block costs at most, if it costs little"
    )
    plain: str = setting("plain20", Text(), "the network without shortcuts")
    residual: str = setting("resnet20", Text(), "the network with shortcuts")


class Lesion(Experiment):
    name = "lesion"
    claim = (
        "Deleting one block of a trained residual network raises its error, on average over the blocks that keep the "
        "shape, by less than the setting `little`, and by less than in a plain network. Several deleted or swapped "
        "blocks cost it less than a plain one, too."
    )
    source = "Veit et al. 2016, arXiv:1605.06431, §4, Fig. 3 and 5"
    method = (
        "After training, blocks are switched off, so that H = shortcut(x), or swapped within a stage. Nothing is "
        "trained again. Both networks lose the same blocks, at most half of those that keep the shape, because a plain "
        "network cannot lose the others. The error is that on test images: for one block the mean over the blocks, for "
        "several the mean over 1, 2, … of them. Its rise is given as a share of the way from the intact network's "
        "error to that of guessing, because the intact networks differ. `little` is in % of this way, and ours. It is "
        "less at larger sizes, because one block of 27 does less than one of nine. The paper's plain network is a VGG "
        "of 15 layers, and its ResNet has 110. Here they are twins."
    )
    refuted_by = (
        "deleted or swapped blocks cost the residual network more than the plain one, or a deleted one costs it more "
        "than `little`"
    )
    sizes = {
        "tiny": Settings(),
        "small": Settings(epochs=12, draws=20, swaps=8, little=25.0),
        "full": Settings(
            **CIFAR10, test_images=2000, draws=20, swaps=20, little=10.0, plain="plain56", residual="resnet56"
        ),
    }

    def trials(self, s):
        found = trials(s, (s.plain, s.residual))
        plain = alike(s.plain)
        residual = alike(s.residual)
        if plain != residual:
            raise OptionError(
                f"{s.plain} and {s.residual} cannot lose the same blocks: the blocks {plain} of {s.plain} keep the "
                f"shape, and {residual} of {s.residual}; give two networks of the same stages"
            )
        return found

    def measure(self, trial, s, place):
        net = trained(trial, s, place)
        lesions = Lesions(net.model, *net.test_batch(s.test_images))
        rng = np.random.default_rng(trial.seed)  # the same for both networks, so they lose the same blocks
        intact = lesions.error()
        single = {i: lesions.error(deleted=(i,)) for i in lesions.deletable}
        place.progress(0.8)
        several, swapped, taus = [], [], []
        for draw in range(s.draws):
            order = rng.permutation(lesions.alike)
            most = max(len(order) // 2, 1)
            several.append(lesions.errors_without(order[:most]))
            orders = [lesions.shuffled(k, rng) for k in range(s.swaps + 1)]
            swapped.append([intact, *(lesions.error(order=order) for order in orders[1:])])
            taus.append([kendall_tau(order) for order in orders])
            place.progress(0.8 + 0.2 * (draw + 1) / s.draws)
        return {
            "intact": intact,
            "single": [single.get(i) for i in range(len(lesions.blocks))],
            "alike": lesions.alike,
            "several": np.mean(several, axis=0).tolist(),
            "swapped": np.mean(swapped, axis=0).tolist(),
            "kendall_tau": np.mean(taus, axis=0).tolist(),
            "chance": 100 - 100 / len(net.test_set.classes),
        }

    def compare(self, s, results):
        def more(what, rise):
            differences = rise(results, s.plain) - rise(results, s.residual)
            return Comparison(f"{what} cost {s.plain} more than {s.residual}", tuple(differences), WAY)

        below = s.little - rise_of_one(results, s.residual)
        return [
            more("single deleted blocks", rise_of_one),
            Comparison(f"a deleted block costs {s.residual} less than {s.little:g} %", tuple(below), WAY),
            more("several deleted blocks", rise_of_several),
            more("swapped blocks", rise_of_swaps),
        ]

    def table(self, s, results):
        rows = []
        for arm in dict.fromkeys((s.plain, s.residual)):
            worst = [max(e for e in results[arm, k]["single"] if e is not None) for k in results.seeds(arm)]
            one = [mean_of_one(results[arm, k]) for k in results.seeds(arm)]
            several = results.of(arm, "several")
            swapped = results.of(arm, "swapped")[:, 1]
            cells = (results.of(arm, "intact"), np.array(one), np.array(worst), several[:, -1], swapped)
            rows.append((arm, *(f"{cell.mean():.1f}" for cell in cells)))
        most = results.of(s.residual, "several").shape[1] - 1  # the same for both
        columns = ("network", "intact", "one deleted", "the worst one deleted", f"{most} deleted", "one pair swapped")
        return Table(
            columns,
            rows,
            "Test errors in %, the mean over the seeds. The worst one may be a block that changes the shape, which "
            "only a residual network can lose. The paper prints no numbers here. In its figure a VGG without one "
            "layer is at chance, and a ResNet-110 without one block is near its own error.",
        )

    def panels(self, s, results):
        kinds = {s.residual: "residual", s.plain: "plain"}
        single, several, swapped = [], [], []
        for arm, kind in kinds.items():
            errors = results.of(arm, "single").astype(float)  # None, where a block cannot be deleted, becomes NaN
            blocks = range(1, errors.shape[1] + 1)
            single.append(Line(arm, blocks, errors, kind))
            intact = results.of(arm, "intact").mean()
            single.append(Line(f"{arm}, intact", blocks, [intact] * len(blocks), kind, variant=3, bare=True))
            for lines, key in ((several, "several"), (swapped, "swapped")):
                values = results.of(arm, key)
                lines.append(Line(arm, range(values.shape[1]), values, kind))
        return [
            Panel(
                "deleted block (gap: one that a plain network cannot lose)",
                "test error (%)",
                single,
                whole=True,
                wide=True,
            ),
            Panel("deleted blocks", "test error (%)", several, whole=True),
            Panel("swapped pairs of blocks", "test error (%)", swapped, whole=True),
        ]


def alike(name):
    """The numbers of the blocks of a network that keep the shape, from 0."""
    return Lesions(models.create(name, rng=0), np.zeros((1, 3, 32, 32), np.float32), [0]).alike


def mean_of_one(numbers):
    """The error without one block: the mean over the blocks that keep the shape."""
    return np.mean([numbers["single"][i] for i in numbers["alike"]])


def rise_of_one(results, arm):
    """How far the error rises when one block is deleted, for each seed."""
    errors = [mean_of_one(results[arm, seed]) for seed in results.seeds(arm)]
    return _way(np.array(errors), results, arm)


def rise_of_several(results, arm):
    """How far it rises when 1, 2, … up to half of the blocks are deleted: the mean over these numbers."""
    return _way(results.of(arm, "several")[:, 1:].mean(1), results, arm)


def rise_of_swaps(results, arm):
    """How far it rises when 1, 2, … pairs of blocks are swapped: the mean over these numbers."""
    return _way(results.of(arm, "swapped")[:, 1:].mean(1), results, arm)


def _way(errors, results, arm):
    return way_to_guessing(errors, results.of(arm, "intact"), results.of(arm, "chance"))
