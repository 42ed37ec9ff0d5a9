"""Layer responses: those of a residual network are smaller than those of a plain one, and smaller in a deeper one."""

from dataclasses import dataclass

import numpy as np

from minires.data import ArrayLoader
from minires.errors import OptionError
from minires.lab.experiment import Experiment, Table, Trial
from minires.lab.statistics import Comparison
from minires.lab.training import CIFAR10, Training, not_learned, spread, training_of
from minires.plots import Line, Panel
from minires.probes import response_stds
from minires.storage.schema import Integer, Text, TupleOf, setting


@dataclass(frozen=True)
class Settings(Training):
    depths: tuple[int, ...] = setting((8, 20), TupleOf(Integer(8)), "layers of the residual networks, 6n + 2 each")
    plain_depths: tuple[int, ...] = setting((8,), TupleOf(Integer(8)), "layers of the plain networks; some of --depths")
    epochs: int = setting(4, Integer(1, 10_000), "passes over the training images")
    images: int = setting(360, Integer(2, 100_000), "test images on which responses are measured", metavar="N")
    plain: str = setting("plain", Text(), "the networks without shortcuts; their depth is appended")
    residual: str = setting("resnet", Text(), "the networks with shortcuts; their depth is appended")

    def __post_init__(self):
        super().__post_init__()
        if not set(self.plain_depths) <= set(self.depths):
            raise OptionError(f"plain_depths must be some of the depths, {self.depths}, got {self.plain_depths}")


class Responses(Experiment):
    name = "responses"
    claim = "A residual network's layers respond more weakly than a plain one's, and more weakly in a deeper network."
    source = "He et al. 2015, arXiv:1512.03385, §4.2, Fig. 7"
    method = (
        "Plain and residual networks are trained with the same settings. The response of a layer is its output after "
        "batch norm, before the ReLU or the add. Its standard deviation σ is taken over test images, channels and "
        "pixels, in evaluation mode. What is compared is the mean of σ over the layers. Where "
        "a network errs more than half as often as a guess, nothing is decided. (The paper draws curves and "
        "prints no numbers. It does not say over which images σ is taken.)"
    )
    refuted_by = (
        "the residual network's mean response is above that of the plain network of its depth, or the deepest residual "
        "network's above the shallowest one's"
    )
    sizes = {
        "tiny": Settings(),
        "small": Settings(depths=(8, 20, 32), plain_depths=(8, 20), epochs=16),
        "full": Settings(**CIFAR10, depths=(20, 56, 110), plain_depths=(20, 56), images=10_000),
    }

    def trials(self, s):
        networks = {f"{s.residual}{depth}": depth for depth in s.depths}
        networks |= {f"{s.plain}{depth}": depth for depth in s.plain_depths}
        costly_first = sorted(networks.items(), key=lambda item: -item[1])
        return [Trial(name, seed, cost=depth) for seed in range(s.seeds) for name, depth in costly_first]

    def measure(self, trial, s, place):
        run = place.train(**training_of(s, trial.arm, trial.seed))
        n = min(s.images, len(run.test_set))
        images, _ = next(iter(ArrayLoader(run.test_set.limit(n), n)))
        return {
            "responses": list(response_stds(run.model.eval(), images).values()),
            "train_error": 100 * (1 - run.history[-1]["train_accuracy"]),
            "guess": 100 * (1 - 1 / len(run.train_set.classes)),
        }

    def compare(self, s, results):
        def mean(family, depth):
            return results.of(f"{family}{depth}", "responses").mean(1)

        def reason(*networks):
            of = [not_learned(n, results.of(n, "train_error"), results.of(n, "guess")) for n in networks]
            return next(filter(None, of), "")

        parts = [
            Comparison(
                f"mean response of {s.plain}{depth} above that of {s.residual}{depth}",
                tuple(mean(s.plain, depth) - mean(s.residual, depth)),
                reason=reason(f"{s.plain}{depth}", f"{s.residual}{depth}"),
            )
            for depth in sorted(set(s.plain_depths))
        ]
        low = min(s.depths)
        high = max(s.depths)
        if low == high:
            return parts
        what = f"mean response of {s.residual}{low} above that of {s.residual}{high}"
        less = tuple(mean(s.residual, low) - mean(s.residual, high))
        return [*parts, Comparison(what, less, reason=reason(f"{s.residual}{low}", f"{s.residual}{high}"))]

    def table(self, s, results):
        rows = []
        for name in _networks(s):
            responses = results.of(name, "responses")
            errors = results.of(name, "train_error")
            rows.append((name, *map(spread, (responses.mean(1), responses.min(1), responses.max(1), errors))))
        columns = ("network", "mean σ of the layers", "smallest σ", "largest σ", "training error (%)")
        return Table(columns, rows, "The mean over the seeds ± the standard deviation.")

    def panels(self, s, results):
        panels = []
        for xlabel, order in (
            ("layer, from input to loss", lambda responses: responses),
            ("layer, strongest first", lambda responses: -np.sort(-responses, axis=1)),
        ):
            lines = []
            for name, (kind, variant) in _networks(s).items():
                responses = order(results.of(name, "responses"))
                lines.append(Line(name, range(1, responses.shape[1] + 1), responses, kind, variant))
            panels.append(Panel(xlabel, "σ of the response", lines, whole=True))
        return panels


def _networks(s):
    """{name: (kind of its line, dash)}. A network of both families is drawn as a residual one."""
    depths = sorted(set(s.depths))
    looks = {f"{s.plain}{depth}": ("plain", depths.index(depth)) for depth in sorted(set(s.plain_depths))}
    return looks | {f"{s.residual}{depth}": ("residual", depths.index(depth)) for depth in depths}
