"""Ensembles: the error of a residual network grows smoothly with its deleted blocks, as an ensemble's with members."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from minires.lab.experiment import Experiment, Table, Trial
from minires.lab.statistics import Comparison
from minires.lab.trained import WAY, OnTestImages, trained, way_to_guessing
from minires.lab.training import CIFAR10
from minires.mode import no_grad
from minires.ops import softmax
from minires.plots import Line, Panel
from minires.probes import Lesions
from minires.storage.schema import Integer, Text, setting
from minires.tensor import Tensor


@dataclass(frozen=True)
class Settings(OnTestImages):
    draws: int = setting(3, Integer(1, 10_000), "random orders in which blocks are deleted")
    members: int = setting(3, Integer(2, 100), "networks of the ensemble: 3 ResNet-8 have the blocks of one ResNet-20")
    shallow: str = setting("resnet8", Text(), "the networks of the ensemble")
    plain: str = setting("plain20", Text(), "the deep network without shortcuts")
    residual: str = setting("resnet20", Text(), "the deep network with shortcuts")

    @property
    def ensemble(self):
        return f"{self.members}x{self.shallow}"


class Ensembles(Experiment):
    name = "ensembles"
    claim = (
        "With the number of deleted blocks the error of a residual network grows in smaller steps than that of a plain "
        "network. Its rise is nearer to that of an ensemble which loses as large a share of its members."
    )
    source = "Veit et al. 2016, arXiv:1605.06431, §4.2, Fig. 5a; the second sentence is ours"
    method = (
        "Blocks that keep the shape are deleted from the trained deep networks in random order; a curve is the mean "
        "over `draws` of them. Beside them, members are removed from an ensemble of shallow networks with as many "
        "blocks in all. It averages the probabilities of those that are left, over all choices of them. Curves are "
        "compared at equal shares that are removed. A rise is given as a share of the way from the intact network's "
        "error to that of guessing, because the intact networks differ. So is its distance to the ensemble's rise. "
        "Nearer is not near. The paper has no ensemble beside its networks; this comparison is ours."
    )
    refuted_by = (
        "the largest rise by one more deleted block is larger in the residual network than in the plain one; the rise "
        "of its error is further from the ensemble's"
    )
    sizes = {
        "tiny": Settings(limit=1200),
        "small": Settings(epochs=10, draws=20),
        "full": Settings(
            **CIFAR10, test_images=2000, draws=20, shallow="resnet20", plain="plain56", residual="resnet56"
        ),
    }

    def trials(self, s):
        arms = dict.fromkeys((s.residual, s.plain, s.ensemble))
        return [Trial(arm, seed) for seed in range(s.seeds) for arm in arms]

    def measure(self, trial, s, place):
        if trial.arm == s.ensemble:
            return self._ensemble(trial, s, place)
        net = trained(trial, s, place)
        lesions = Lesions(net.model, *net.test_batch(s.test_images))
        rng = np.random.default_rng(trial.seed)  # the same for both networks, so they lose the same blocks
        most = min(len(lesions.alike), round(len(lesions.blocks) * (1 - 1 / s.members)))  # as one member is left
        errors = []
        for draw in range(s.draws):
            order = rng.permutation(lesions.alike)
            errors.append(lesions.errors_without(order[:most]))
            place.progress(0.7 + 0.3 * (draw + 1) / s.draws)
        removed = [k / len(lesions.blocks) for k in range(most + 1)]
        chance = 100 - 100 / len(net.test_set.classes)
        return {"removed": removed, "errors": np.mean(errors, axis=0).tolist(), "chance": chance}

    def _ensemble(self, trial, s, place):
        """The error of the mean probabilities of all subsets of the members."""
        probabilities = []
        for k in range(s.members):
            part = place.part(f"member{k}", k / s.members, (k + 1) / s.members)
            net = trained(trial, s, part, s.shallow, seed=trial.seed * s.members + k, until=1.0)
            images, labels = net.test_batch(s.test_images)
            with no_grad():
                probabilities.append(softmax(net.model.eval()(Tensor(images)), dim=1).data)
        errors = []
        for left in range(s.members, 0, -1):
            means = [np.mean(chosen, axis=0) for chosen in combinations(probabilities, left)]
            errors.append(float(np.mean([100 * (p.argmax(axis=1) != labels).mean() for p in means])))
        chance = 100 - 100 / len(net.test_set.classes)
        return {"removed": [k / s.members for k in range(s.members)], "errors": errors, "chance": chance}

    def compare(self, s, results):
        jump = largest_step(results, s.plain) - largest_step(results, s.residual)
        distance = distance_to(results, s.ensemble, s.plain) - distance_to(results, s.ensemble, s.residual)
        return [
            Comparison(
                f"the largest rise by one more deleted block, larger in {s.plain} than in {s.residual}",
                tuple(jump),
                WAY,
            ),
            Comparison(
                f"mean distance to the rise of the ensemble, larger for {s.plain} than for {s.residual}",
                tuple(distance),
                WAY,
            ),
        ]

    def table(self, s, results):
        rows = []
        for arm in dict.fromkeys((s.plain, s.residual, s.ensemble)):
            errors = results.of(arm, "errors")
            step = "" if arm == s.ensemble else f"{largest_step(results, arm).mean():.0f} %"
            distance = "" if arm == s.ensemble else f"{distance_to(results, s.ensemble, arm).mean():.0f} %"
            thirds = [np.mean([at(results[arm, k], share) for k in results.seeds(arm)]) for share in (1 / 3, 2 / 3)]
            rows.append((arm, f"{errors[:, 0].mean():.1f}", *(f"{e:.1f}" for e in thirds), step, distance))
        columns = (
            "network",
            "intact",
            "without 1/3",
            "without 2/3",
            "largest rise by one block, of the way to guessing",
            "distance to the ensemble's rise, of the way to guessing",
        )
        note = (
            "Test errors in %, means over the seeds. A network that is nearer to the ensemble than a plain one need "
            "not be near it: see the last column."
        )
        return Table(columns, rows, note)

    def panels(self, s, results):
        lines = []
        for arm, kind in ((s.residual, "residual"), (s.plain, "plain"), (s.ensemble, "other")):
            label = arm.replace("x", " × ", 1) if kind == "other" else arm
            x = 100 * results.of(arm, "removed")[0]
            lines.append(Line(label, x, results.of(arm, "errors"), kind))
        return [Panel("removed blocks or members (%)", "test error (%)", lines)]


def largest_step(results, arm):
    """The largest rise of the error by one more deleted block, in % of (chance − intact), for each seed.

    NaN where the network has not learned 5 points.
    """
    return np.array([np.diff(rise(results[arm, seed])).max() for seed in results.seeds(arm)])


def rise(numbers):
    """The rise of the error on the way to guessing, for each share that is removed."""
    errors = np.array(numbers["errors"])
    return way_to_guessing(errors, errors[0], numbers["chance"])


def at(numbers, removed):
    """The error when this share of the blocks or members is removed, between those that were measured."""
    return np.interp(removed, numbers["removed"], numbers["errors"])


def distance_to(results, ensemble, arm):
    """The mean of |rise − the ensemble's rise| over the shares that both can lose, in %, for each seed."""
    distances = []
    for seed in results.seeds(arm):
        ours = results[arm, seed]
        theirs = results[ensemble, seed]
        shares = [share for share in ours["removed"] if 0 < share <= theirs["removed"][-1] + 1e-9]
        gaps = np.interp(shares, ours["removed"], rise(ours)) - np.interp(shares, theirs["removed"], rise(theirs))
        distances.append(np.abs(gaps).mean())
    return np.array(distances)
