"""Networks that an experiment measures after training: it trains them, or reads their weights from files."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minires import data, models, storage
from minires.errors import CheckpointError, OptionError
from minires.lab.experiment import Trial
from minires.lab.training import Training, training_of
from minires.settings import did_you_mean, meant
from minires.storage.schema import Integer, Text, TupleOf, setting

WAY = "% of the way to guessing"  # the unit of way_to_guessing()


@dataclass(frozen=True)
class OnTestImages(Training):
    """The settings of an experiment that trains networks and measures them on test images."""

    test_images: int = setting(0, Integer(0), "measure on N test images only (0: all)", metavar="N")


@dataclass(frozen=True)
class TrainingOrWeights(Training):
    """The settings of an experiment that measures trained networks, from files if there are some."""

    weights: tuple[str, ...] = setting(
        (),
        TupleOf(Text(r"[^\0]+", "a file"), empty=True),
        "measure trained networks from these files and train none: checkpoints of minires.train, or safetensors whose "
        "metadata or name says the model. The k-th file of a model stands for seed k",
        metavar="FILE",
    )


@dataclass(frozen=True)
class Trained:
    """A trained network and its data sets."""

    model: object
    train_set: object
    test_set: object

    def test_batch(self, images=0):
        """(images (N,C,H,W), labels (N,)), normalized: the first of the test set, or all."""
        return batch(self.test_set, images)

    def train_batch(self, images):
        """(images (N,C,H,W), labels (N,)), normalized: the first of the training set."""
        return batch(self.train_set, images)


def batch(dataset, images=0):
    """(images (N,C,H,W), labels (N,)) of the first images of a data set, or of all: normalized, not augmented."""
    count = min(images or len(dataset), len(dataset))
    return next(iter(data.ArrayLoader(dataset.limit(count), count)))


def trials(s, arms, costs=None):
    """A Trial for each arm, which is the name of a model, and seed; with --weights, one for each file.

    costs: {arm: cost}. Raises OptionError if the files do not give each arm equally many networks.
    """
    arms = list(dict.fromkeys(arms))
    costs = costs or {}
    if not s.weights:
        return [Trial(arm, seed, costs.get(arm, 1.0)) for seed in range(s.seeds) for arm in arms]
    files = {arm: [] for arm in arms}
    for path in s.weights:
        arm = meant(model_of(path), arms)
        if arm is None:
            raise OptionError(f"{path} is a {model_of(path)}; this experiment compares {' and '.join(arms)}")
        files[arm].append(path)
    counts = {arm: len(paths) for arm, paths in files.items()}
    if len(set(counts.values())) > 1:
        raise OptionError(f"weights: give each network equally many files, not {counts}")
    return [
        Trial(arm, seed, costs.get(arm, 1.0), {"file": path, "sha256": _digest(path)})
        for arm, paths in files.items()
        for seed, path in enumerate(paths)
    ]


def trained(trial, s, place, model=None, seed=None, until=0.7):
    """The Trained network of a trial, made as the settings say.

    model, seed: other ones than the trial's arm and seed. until: the fraction of the trial that is done afterwards.
    """
    model = model or trial.arm
    if "file" in trial.inputs:
        return _from_file(trial.inputs["file"], model, s)
    seed = trial.seed if seed is None else seed
    run = place.train(until=until, **training_of(s, model, seed))
    return Trained(run.model, run.train_set, run.test_set)


def way_to_guessing(errors, intact, guess):
    """How far errors are on the way from that of the intact network to that of a guess, in %.

    100·(error − intact)/(guess − intact); NaN where the network has not learned 5 points.
    """
    way = guess - intact
    return 100 * (errors - intact) / np.where(way > 5, way, np.nan)


def model_of(path):
    """The name of the model whose weights a file holds: from its checkpoint, its metadata, or its own name.

    Raises CheckpointError for a file that cannot be read, and OptionError where none of them says it.
    """
    named = _settings(path).get("model")
    stem = Path(path).stem.lower()
    guesses = [name for name in models.names() if stem == name or stem.startswith((f"{name}-", f"{name}_"))]
    name = meant(named, models.names()) if named else max(guesses, key=len, default=None)
    if name is None:
        hint = did_you_mean(named or stem, models.names(), "name the file like resnet20-1.safetensors")
        raise OptionError(f"{path} does not say of which model it is; {hint}")
    return name


def _settings(path):
    """What a file says about the run that made it: {"model": …, "model_options": …}."""
    metadata = storage.weights.metadata(path)
    if "state" in metadata:
        return storage.load_state(path).get("config", {})
    return metadata


def _from_file(path, name, s):
    """The Trained network of a file, with the data of the settings. Raises CheckpointError where they do not fit."""
    splits = data.load(s.dataset, s.data or None)
    train_set = splits[0]
    is_checkpoint = "state" in storage.weights.metadata(path)
    arrays = storage.load_checkpoint(path)[0]["model"] if is_checkpoint else storage.load(path)[0]
    options = models.read_options(_settings(path).get("model_options", ""))
    model = models.create(name, num_classes=len(train_set.classes), in_channels=train_set.shape[0], rng=0, **options)
    try:
        model.load_state_dict(arrays)
    except CheckpointError as error:
        raise CheckpointError(f"{path} does not fit {name} on {s.dataset}: {error}") from error
    return Trained(model, *splits)


def _digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
