"""The degradation problem: more layers make a plain network worse, and a residual network no worse."""

from dataclasses import dataclass

import numpy as np

from minires.errors import OptionError
from minires.lab.experiment import Experiment, Table, Trial, check_models
from minires.lab.statistics import Comparison
from minires.lab.training import CIFAR10, Training, final, not_learned, spread, training_of
from minires.plots import Line, Panel
from minires.storage.schema import Integer, Number, Text, TupleOf, setting

# test errors in % of He et al. 2015: Table 6, and the plain ones read off Fig. 6 (plain-110 is above 60)
PAPER = {"resnet": {20: "8.75", 32: "7.51", 44: "7.17", 56: "6.97", 110: "6.61"}, "plain": {20: "≈ 9.5", 56: "≈ 13.5"}}


@dataclass(frozen=True)
class Settings(Training):
    depths: tuple[int, ...] = setting((8, 20), TupleOf(Integer(8)), "layers of the networks, 6n + 2 each")
    lr: float = setting(0.05, Number(0), "maximum learning rate")
    limit: int = setting(1000, Integer(0), "train on N images, and test on N (0: all)", metavar="N")
    plain: str = setting("plain", Text(), "the networks without shortcuts; their depth is appended")
    residual: str = setting("resnet", Text(), "the networks with shortcuts; their depth is appended")
    tolerance: float = setting(2.0, Number(0), "points of training error that depth may cost with shortcuts")


class Degradation(Experiment):
    name = "degradation"
    claim = "More layers give a plain network a higher training error. The same layers with shortcuts do not."
    source = "He et al. 2015, arXiv:1512.03385, §4.2, Fig. 6 and Table 6"
    method = (
        "Plain and residual networks of each depth are trained with the same settings and, seed by seed, the same "
        "order of images. The error is that on the training images, counted while the last epoch trains. The deepest "
        "networks are compared with the shallowest. Where a shallowest one errs more than half as often as a guess, "
        "nothing was learned, and nothing is decided. The paper warms up its 110 layers; here nothing does. The two "
        "networks of a depth have the same parameters: the shortcuts are identities and paddings, and the add has "
        "none. That shortcuts keep the error from growing is judged with a tolerance, because no interval can show a "
        "difference of exactly 0. The paper's 6.61 % for 110 layers is the mean of five runs, of which the best has "
        "6.43 %. (The 7.4 % and 8.5 % that are often quoted have no source that we found.)"
    )
    refuted_by = (
        "the deepest plain network learns the training images better than the shallowest; depth costs the residual "
        "network more than the plain one, or more than the tolerance"
    )
    sizes = {
        "tiny": Settings(),
        "small": Settings(depths=(8, 20, 44), epochs=6, lr=0.1, limit=0),
        "full": Settings(**CIFAR10, depths=(20, 32, 44, 56, 110), lr=0.1, limit=0),
    }

    def trials(self, s):
        check_models(f"{family}{depth}" for family in (s.plain, s.residual) for depth in s.depths)
        if len(set(s.depths)) < 2:
            raise OptionError(f"depths: give two depths or more, which are compared, not {s.depths[0]} alone")
        return [
            Trial(f"{family}{depth}", seed, cost=depth)
            for seed in range(s.seeds)
            for depth in sorted(s.depths, reverse=True)
            for family in dict.fromkeys((s.plain, s.residual))
        ]

    def measure(self, trial, s, place):
        run = place.train(**training_of(s, trial.arm, trial.seed))
        return {
            "train_error": [100 * (1 - row["train_accuracy"]) for row in run.history],
            "test_error": [100 * (1 - row["test_accuracy"]) for row in run.history],
            "train_loss": [row["train_loss"] for row in run.history],
            "guess": 100 * (1 - 1 / len(run.train_set.classes)),
        }

    def compare(self, s, results):
        low = min(s.depths)
        high = max(s.depths)

        def cost_of_depth(family):
            return final(results, f"{family}{high}", "train_error") - final(results, f"{family}{low}", "train_error")

        plain = cost_of_depth(s.plain)
        residual = cost_of_depth(s.residual)
        reason = {arm: self._not_learned(results, f"{arm}{low}") for arm in (s.plain, s.residual)}
        any_reason = reason[s.plain] or reason[s.residual]
        return [
            Comparison(
                f"training error of {s.plain}{high} above that of {s.plain}{low}",
                tuple(plain),
                "points",
                reason=reason[s.plain],
            ),
            Comparison(
                f"what {high} layers instead of {low} cost the plain network more than the residual one",
                tuple(plain - residual),
                "points",
                reason=any_reason,
            ),
            Comparison(
                f"training error of {s.residual}{low} above that of {s.residual}{high}",
                tuple(-residual),
                "points",
                margin=-s.tolerance,
                reason=reason[s.residual],
            ),
        ]

    def _not_learned(self, results, arm):
        return not_learned(arm, final(results, arm, "train_error"), results.of(arm, "guess"))

    def table(self, s, results):
        rows = []
        for family in dict.fromkeys((s.plain, s.residual)):
            for depth in sorted(s.depths):
                train = final(results, f"{family}{depth}", "train_error")
                test = final(results, f"{family}{depth}", "test_error")
                rows.append((f"{family}{depth}", spread(train), spread(test), PAPER.get(family, {}).get(depth, "")))
        columns = ("network", "training error (%)", "test error (%)", "the paper's test error on CIFAR-10 (%)")
        note = "Errors are the mean over the seeds ± the standard deviation. ≈: read off the paper's figure."
        return Table(columns, rows, note)

    def panels(self, s, results):
        x = range(1, s.epochs + 1)
        kinds = {s.residual: "residual", s.plain: "plain"}
        panels = []
        for key, what in (("train_error", "training"), ("test_error", "test")):
            lines = [
                Line(f"{family}{depth}", x, results.of(f"{family}{depth}", key), kind, variant)
                for family, kind in kinds.items()
                for variant, depth in enumerate(sorted(s.depths))
            ]
            panels.append(Panel("epoch", f"{what} error (%)", lines, whole=True))
        depths = sorted(s.depths)
        for key, what in (("train_error", "final training"), ("test_error", "final test")):
            lines = []
            for family, kind in kinds.items():
                errors = [final(results, f"{family}{depth}", key) for depth in depths]
                lines.append(Line("", depths, np.transpose(errors), kind))
            lines += [*self._of_the_paper(s)] if key == "test_error" else []
            panels.append(Panel("layers", f"{what} error (%)", lines, whole=True))
        return panels

    def _of_the_paper(self, s):
        """The paper's test errors at the depths of the settings, as lines."""
        for variant, family in enumerate(dict.fromkeys((s.residual, s.plain))):
            printed = {depth: float(text.strip("≈ ")) for depth, text in PAPER.get(family, {}).items()}
            depths = [depth for depth in sorted(s.depths) if depth in printed]
            if depths:
                label = f"{family}, the paper's on CIFAR-10"
                yield Line(label, depths, [printed[depth] for depth in depths], "paper", variant)
