"""Training that goes on from weights in a file: which network they belong to, and how its images are made."""

from dataclasses import replace
from typing import Any, NamedTuple

from minires import data, kernels, models, storage
from minires.nn.loading import fill, head_names
from minires.predict.classifier import resized_for, run_of
from minires.predict.which import classes_in, network_of

SCALE = (0.08, 1.0)  # of an image's area, as ImageNet's networks are trained  [Szegedy et al. 2015, §6]


class Pretrained(NamedTuple):
    """Weights from a file, {name: array}, for a number of classes."""

    path: str
    arrays: dict[str, Any]
    classes: int

    def fill(self, model, name, num_classes):
        """Put the weights into a network for num_classes. -> a line that says so

        With another number of classes the last layer keeps its own, new weights. Raises CheckpointError, which names
        what does not fit.
        """
        is_new = num_classes != self.classes
        fill(model, self.path, self.arrays, "new" if is_new else None)
        if not is_new:
            return f"{name} goes on from {self.path}"
        layer = head_names(model)[0].rpartition(".")[0]
        return (
            f"{name} goes on from {self.path}; its last layer, {layer}, is new: {num_classes} classes in place of "
            f"{self.classes}"
        )


def read(config):
    """(the Config with network and image size of its weights, these weights); None in their place if it has none."""
    if not config.weights:
        return config, None
    arrays = storage.load_weights(config.weights)
    state = run_of(config.weights) or {}
    name = config.model or state.get("config", {}).get("model")
    options = config.model_options or state.get("config", {}).get("model_options", "")
    name, classes = (name, classes_in(arrays, name)) if name else network_of(config.weights, arrays)
    with kernels.shapes_only():
        made_for = getattr(models.create(name, **models.read_options(options)), "image_size", 224)
    in_folder = data.dataset_name(config.dataset) is None
    size = config.size or (made_for if in_folder else 0)
    config = replace(config, model=name, model_options=options, size=size)
    return config, Pretrained(config.weights, arrays, classes)


def how_to_cut(config):
    """The settings of data.load that make of the images of a folder what a trained network knows; none without weights.

    For training random parts of any size; for the test the center, a little smaller than the image.
    """
    if not config.weights or data.dataset_name(config.dataset) is not None:
        return {}
    return {"resize": resized_for(config.size), "scale": SCALE if config.augment else None}
