"""A network together with what it needs to look at an image file: its classes, and how its images were made."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from minires import data, models, storage
from minires.annotations import PathLike
from minires.data.imagefolder import MEAN, STD
from minires.data.imagenet import imagenet_classes
from minires.errors import CheckpointError, OptionError
from minires.mode import no_grad
from minires.nn import Module
from minires.nn.loading import fill
from minires.ops import softmax
from minires.predict.which import classes_in, network_of

IMAGENET = 1000  # classes
RESIZED = 256 / 224  # the shorter side, over the part of it that is seen, as ImageNet's networks are tested


class Classifier:
    """model in evaluation mode, its class names, and its images: size, resize, mean and std of data.read_image."""

    def __init__(
        self,
        model: Module,
        classes: Sequence[str],
        *,
        size: int = 224,
        resize: int | None = None,
        mean: Sequence[float] = MEAN,
        std: Sequence[float] = STD,
        name: str = "",
    ) -> None:
        self.model = model.eval()
        self.classes = list(classes)
        self.are_named = self.classes != _numbered(len(self.classes))
        self.size = size
        self.resize = resize
        self.name = name
        self.mean = list(mean)
        self.std = list(std)
        self.transform = data.normalize(mean, std)

    @classmethod
    def load(cls, path: PathLike, model: str | None = None, classes: Sequence[str] | None = None) -> "Classifier":
        """From a checkpoint of minires.train, or from weights that storage.load reads.

        A checkpoint says all. For other weights: model is a name of models.names(); without it the network is found by
        the names and shapes of the weights. classes: their names; for 1,000 classes those of ImageNet are known.
        Raises CheckpointError if no network fits, and OptionError if there are not as many names as classes.
        """
        state = run_of(path)
        if state is not None:
            return cls._of_run(path, state, model, classes)
        weights = storage.load_weights(path)
        model, number = (model, classes_in(weights, model)) if model else network_of(path, weights)
        network = models.create(model, num_classes=number)
        fill(network, path, weights)
        names = _names(path, number, classes)
        size = network.image_size
        return cls(network, names, size=size, resize=resized_for(size), name=model)

    @classmethod
    def _of_run(cls, path, state, model, classes):
        seen = state["dataset"]
        name = model or state["config"]["model"]
        options = models.read_options(state["config"].get("model_options") or "")
        network = models.create(
            name, **{"in_channels": seen["shape"][0], "num_classes": len(seen["classes"]), **options}
        )
        network.load(path)
        names = _names(path, len(seen["classes"]), classes or [str(c) for c in seen["classes"]])
        size = seen["shape"][-1]
        resize = seen.get("resize")
        return cls(network, names, size=size, resize=resize, mean=seen["mean"], std=seen["std"], name=name)

    @property
    def in_channels(self):
        """The channels of its images: those of the first convolution, before which ViT has its class token."""
        return next(p.shape[1] for p in self.model.parameters() if p.ndim == 4)

    def prepared(self, images: Iterable[np.ndarray]) -> np.ndarray:
        """What the network takes, (N,C,H,W) of floats, for images as data.read_image gives them, uint8 (C,H,W)."""
        batch = np.stack(list(images))
        if batch.shape[1] == 3 and self.in_channels == 1:  # gray values were learned, by the usual weights of colors
            gray = batch.transpose(0, 2, 3, 1) @ np.array([0.299, 0.587, 0.114])
            batch = np.rint(gray)[:, None].astype(np.uint8)
        return self.transform(batch, None)

    def probabilities(self, images: Iterable[np.ndarray]) -> np.ndarray:
        """(N, classes) of images as data.read_image gives them, uint8 (C,H,W)."""
        with no_grad():
            return softmax(self.model(self.prepared(images)), dim=1).data

    def read(self, path: PathLike) -> np.ndarray:
        """The image in a file, as this network sees it. Raises DataError if it cannot be read."""
        return data.read_image(path, self.size, self.resize)

    def top(self, path: PathLike, n: int = 5) -> list[tuple[str, float]]:
        """The n most probable classes of an image file, with their probabilities."""
        return self.best(self.probabilities([self.read(path)])[0], n)

    def best(self, probabilities, n):
        """[(class, probability)] of the n largest."""
        order = np.argsort(-probabilities, kind="stable")[:n]
        return [(self.classes[k], float(probabilities[k])) for k in order]


def resized_for(size: int) -> int | None:
    """The shorter side of an image whose center of `size` is seen; None where that is the whole center square."""
    return round(size * RESIZED) if size > 64 else None


def run_of(path):
    """The state of a run's checkpoint; None for other weights."""
    try:
        state = storage.load_state(path)
    except CheckpointError:
        return None
    return state if "dataset" in state and "config" in state else None


def _names(path, number, classes):
    if classes is None:
        known = number == IMAGENET
        return imagenet_classes() if known else _numbered(number)
    if len(classes) != number:
        raise OptionError(f"{path} has {number} classes, and there are {len(classes)} names for them")
    return list(classes)


def _numbered(number):
    return [f"class {k}" for k in range(number)]


def classes_of(path: PathLike) -> list[str]:
    """The names of classes in a text file, a line each. Raises OptionError if it cannot be read, or has none."""
    try:
        names = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeError) as error:
        raise OptionError(f"{path} cannot be read as a list of classes: {error}") from error
    names = [name.strip() for name in names if name.strip()]
    if not names:
        raise OptionError(f"{path} has no names of classes; it needs one a line")
    return names
