"""Effective depth: of the blocks of a deeper residual network, a smaller share is needed."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from minires import models
from minires.errors import OptionError
from minires.lab.experiment import Experiment, Table
from minires.lab.statistics import Comparison
from minires.lab.trained import OnTestImages, TrainingOrWeights, trained, trials
from minires.lab.training import CIFAR10
from minires.models.blocks import Block
from minires.plots import Line, Panel
from minires.probes import Lesions
from minires.storage.schema import Integer, Number, Text, TupleOf, setting

NOT_LEARNED = "a network has not learned: its error is above 50 %"


@dataclass(frozen=True)
class Settings(TrainingOrWeights, OnTestImages):
    networks: tuple[str, ...] = setting(
        ("resnet14", "resnet20"), TupleOf(Text()), "the networks, from the shallowest to the deepest"
    )
    rise: float = setting(10.0, Number(0, 100), "how much the error may rise, in points")
    rank_images: int = setting(256, Integer(1), "training images that rank the blocks", metavar="N")


class EffectiveDepth(Experiment):
    name = "effective-depth"
    claim = (
        "The effective depth of a residual network grows slower than its depth, in the sense of deleted blocks. A "
        "deeper network needs a smaller share of its blocks to keep its error."
    )
    source = "Veit et al. 2016, arXiv:1605.06431, §4.2 and §5, from which the claim is derived; it is not theirs"
    method = (
        "After training, blocks that keep the shape are switched off one after another. First goes the block whose "
        "loss alone raises the error on training images least. The effective depth is the number of blocks that are "
        "left when the test error has risen by the setting `rise`. Between two numbers of blocks the error is taken to "
        "be linear, because whole blocks would be a coarser measure in a shallower network. The two blocks that change "
        "the shape are not counted, because they are fewer of a deeper network. A network with an error above 50 % has "
        "not learned, and leaves the claim undecided. The paper deletes random blocks, and derives the effective "
        "length of paths from gradients. This measure is ours. The first and the last of `networks` are compared."
    )
    refuted_by = "the deepest network needs a larger share of its blocks than the shallowest"
    sizes = {
        "tiny": Settings(epochs=4),
        "small": Settings(networks=("resnet14", "resnet20", "resnet44"), epochs=12),
        "full": Settings(
            **CIFAR10, networks=("resnet20", "resnet56", "resnet110"), test_images=2000, rank_images=2000, rise=5.0
        ),
    }

    def trials(self, s):
        depths = [number_of_blocks(name) for name in s.networks]
        if depths != sorted(depths):
            listed = ", ".join(f"{name} with {depth} blocks" for name, depth in zip(s.networks, depths))
            raise OptionError(f"give the networks from the shallowest to the deepest, not {listed}")
        return trials(s, reversed(s.networks), costs={arm: 1.0 + k for k, arm in enumerate(s.networks)})

    def measure(self, trial, s, place):
        net = trained(trial, s, place)
        ranking = Lesions(net.model, *net.train_batch(s.rank_images))
        alone = {i: ranking.error(deleted=(i,)) for i in ranking.alike}
        order = sorted(alone, key=alone.get)
        place.progress(0.85)
        lesions = Lesions(net.model, *net.test_batch(s.test_images))
        errors = lesions.errors_without(order)
        return {"errors": errors, "order": order, "blocks": len(order), "needed": len(order) - spare(errors, s.rise)}

    def compare(self, s, results):
        shallow, deep = s.networks[0], s.networks[-1]
        more = needed_share(results, shallow) - needed_share(results, deep)
        return [
            Comparison(
                f"the share of its blocks that {shallow} needs, above that of {deep}",
                tuple(more),
                "points",
                reason=NOT_LEARNED if np.isnan(more).any() else "",
            )
        ]

    def table(self, s, results):
        rows = []
        for arm in dict.fromkeys(s.networks):
            needed = results.of(arm, "needed")
            cells = (f"{results.of(arm, 'blocks')[0]}", f"{results.of(arm, 'errors')[:, 0].mean():.1f}")
            share = (100 * needed / results.of(arm, "blocks")).mean()
            rows.append(
                (arm, *cells, f"{needed.mean():.1f}", f"{share:.0f} %", f"{needed.min():.1f} to {needed.max():.1f}")
            )
        columns = (
            "network",
            "blocks that keep the shape",
            "test error, intact (%)",
            "blocks needed",
            "of all",
            "over the seeds",
        )
        note = f"As many blocks are needed as are left when the test error has risen by {s.rise:g} points."
        return Table(columns, rows, note)

    def panels(self, s, results):
        arms = list(dict.fromkeys(s.networks))
        curves = []
        for variant, arm in enumerate(arms):
            errors = results.of(arm, "errors")
            curves.append(Line(arm, range(errors.shape[1]), errors, kind_of(arm), variant))
        blocks = np.array([results.of(arm, "blocks")[0] for arm in arms])
        diagonal = Line("if all were needed", blocks, blocks, "paper", 3, bare=True)
        seeds = min(len(results.seeds(arm)) for arm in arms)
        needed = np.array([results.of(arm, "needed")[:seeds] for arm in arms]).T  # (seeds, networks)
        return [
            Panel("deleted blocks", "test error (%)", curves, whole=True),
            Panel(
                "blocks that keep the shape",
                "blocks needed",
                [Line(f"for a rise below {s.rise:g} points", blocks, needed, kind_of(arms[-1])), diagonal],
                whole=True,
            ),
        ]


def number_of_blocks(name):
    return sum(isinstance(module, Block) for module in models.create(name, rng=0).modules())


def spare(errors, rise):
    """How many blocks can be deleted until the error has risen by `rise`; linear between two numbers of blocks.

    errors: that without 0, 1, 2, … blocks, in %. If it never rises so far, all of them are spare.
    """
    most = errors[0] + rise
    for k, (before, after) in enumerate(pairwise(errors)):
        if after > most:
            return k + (most - before) / (after - before)
    return float(len(errors) - 1)


def needed_share(results, arm):
    """The share of its blocks that a network needs, in %, for each seed; NaN where it has not learned, above 50 %."""
    share = 100 * results.of(arm, "needed") / results.of(arm, "blocks")
    return np.where(results.of(arm, "errors")[:, 0] <= 50, share, np.nan)


def kind_of(arm):
    return "plain" if arm.startswith("plain") else "residual"
