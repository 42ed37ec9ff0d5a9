"""What experiments that train networks have in common: the settings of a training, and its curves of errors."""

from dataclasses import dataclass, fields
from typing import Any

from minires.errors import GraphError
from minires.lab.experiment import Common
from minires.storage import load_checkpoint
from minires.storage.schema import Integer, Number, Text, setting
from minires.train.folder import CHECKPOINT

# 64,000 steps, with a tenth of the rate from 32,000 and from 48,000 on  [He et al. 2015, §4.2]
CIFAR10: dict[str, Any] = {"dataset": "cifar10", "epochs": 164, "batch_size": 128, "schedule": "multistep", "seeds": 3}


@dataclass(frozen=True)
class Training(Common):
    """The settings of a training."""

    epochs: int = setting(3, Integer(1, 10_000), "passes over the training images")
    batch_size: int = setting(64, Integer(2, 10_000), "images per step")
    lr: float = setting(0.1, Number(0), "maximum learning rate")
    schedule: str = setting("one_cycle", Text(), "how the learning rate changes, as in minires.train")
    weight_decay: float = setting(1e-4, Number(0), "L2 penalty on all parameters")
    limit: int = setting(0, Integer(0), "train on N images, and test on N (0: all)", metavar="N")


def training_of(s, model, seed, **changed):
    """The settings of minires.train for one network and seed, from those of an experiment."""
    names = [f.name for f in fields(Training) if f.name != "seeds"]
    return {name: getattr(s, name) for name in names} | {"model": model, "seed": seed} | changed


def train(place, s, seed, model, options="", **changed):
    """Train a network with the settings s -> (the finished Run, its curves).

    The curves are {"train_error", "test_error": % after each epoch, "diverged": whether the loss became infinite,
    "guess": the error of a guess in %}. If it diverged, the Run is None, and from then on the errors are a guess's.
    """
    settings = training_of(s, model, seed, model_options=options, **changed)
    try:
        run = place.train(**settings)
        classes = len(run.train_set.classes)
        history = run.history
    except GraphError:
        run = None
        classes, history = _before_it_diverged(place)
    guess = 100 * (1 - 1 / classes)
    rest = [guess] * (settings["epochs"] - len(history))
    return run, {
        "train_error": [100 * (1 - row["train_accuracy"]) for row in history] + rest,
        "test_error": [100 * (1 - row["test_accuracy"]) for row in history] + rest,
        "diverged": run is None,
        "guess": guess,
    }


def _before_it_diverged(place):
    """(classes, history) of the last checkpoint; a training that diverges in its first step leaves none."""
    path = place.folder / CHECKPOINT
    if not path.exists():
        return 10, []
    _, state = load_checkpoint(path)
    return len(state["dataset"]["classes"]), state["history"]


def not_learned(network, errors, guess):
    """Why a network cannot be compared: in some seed it errs at least half as often as a guess. Empty if in none."""
    return f"{network} has not learned: its error is above half of a guess's" if (errors >= guess / 2).any() else ""


def final(results, arm, key):
    """The value of the last epoch, for each seed."""
    return results.of(arm, key)[:, -1]


def spread(values, digits=2):
    """ "12.34 ± 0.56": the mean over the seeds and the standard deviation; "12.34" for one seed."""
    parts = [values.mean(), values.std(ddof=1)] if len(values) > 1 else [values.mean()]
    return " ± ".join(f"{part:.{digits}f}" for part in parts)
