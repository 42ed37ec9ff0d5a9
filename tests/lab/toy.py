"""An experiment that takes no time: arm "a" is said to exceed arm "b"."""

import json
import os
import signal
import time
from dataclasses import dataclass

import numpy as np

from minires.errors import GraphError
from minires.lab.experiment import Common, Experiment, Table, Trial
from minires.lab.statistics import Comparison
from minires.plots import Line, Panel
from minires.storage.schema import Boolean, Number, Text, TupleOf, setting


@dataclass(frozen=True)
class Settings(Common):
    arms: tuple[str, ...] = setting(("a", "b"), TupleOf(Text()), "the two arms")
    seconds: float = setting(0.0, Number(0), "that a trial waits")
    fails: str = setting("", Text(), "the trial that fails")
    dies: bool = setting(False, Boolean(), "whether the process of the failing trial ends without a word")


class Toy(Experiment):
    name = "toy"
    claim = "a is larger than b."
    source = "nobody 2026"
    method = "Random numbers."
    refuted_by = "b is larger"
    sizes = {"tiny": Settings(), "small": Settings(seeds=6), "full": Settings(seeds=3)}
    needs_data = False
    level = {"a": 5.0, "b": 1.0}

    def trials(self, s):
        return [Trial(arm, seed) for seed in range(s.seeds) for arm in s.arms]

    def measure(self, trial, s, place):
        if trial.name == s.fails:
            if s.dies:
                os.kill(os.getpid(), signal.SIGKILL)
            raise GraphError("the loss is nan")
        place.folder.mkdir(parents=True, exist_ok=True)
        runs = place.folder / "runs.json"  # how often the trial was begun
        runs.write_text(json.dumps((json.loads(runs.read_text()) if runs.exists() else 0) + 1))
        end = time.monotonic() + s.seconds
        while time.monotonic() < end:
            time.sleep(0.01)
            place.progress(0.5)
        noise = np.random.default_rng((trial.seed, "ab".index(trial.arm))).standard_normal()
        return {"value": self.level[trial.arm] + 0.5 * noise, "pid": os.getpid()}

    def compare(self, s, results):
        first, second = s.arms
        differences = results.of(first, "value") - results.of(second, "value")
        return [Comparison("a above b", tuple(differences), "points")]

    def table(self, s, results):
        return Table(("arm", "value"), [(arm, f"{results.of(arm, 'value').mean():.2f}") for arm in s.arms])

    def panels(self, s, results):
        return [Panel("seed", "value", [Line(arm, range(s.seeds), results.of(arm, "value")) for arm in s.arms])]
