"""Trained networks from files, so that an experiment measures them instead of training its own."""

from pathlib import Path

from minires import models
from minires.errors import CheckpointError, OptionError
from minires.storage import load, load_checkpoint
from minires.storage.weights import metadata


def network_of(path):
    """(name, options) of the network whose weights a file holds; its arrays are not read.

    A checkpoint of minires.train says them. Other safetensors files say them in their metadata, "model" and
    "model_options", or begin with the name: plain20.safetensors, resnet56-seed1.safetensors.
    Raises OptionError if neither is so.
    """
    written = metadata(path)
    if "sections" in written:
        state = load_checkpoint(path)[1]
        return state["config"]["model"], state["config"].get("model_options", "")
    if "model" in written:
        return written["model"], written.get("model_options", "")
    stem = Path(path).stem
    found = [name for name in models.names() if stem == name or stem.startswith((f"{name}-", f"{name}_", f"{name}."))]
    if not found:
        raise OptionError(
            f"{path} does not say which network its weights are; let its name begin with it, as in resnet20-seed0"
        )
    return max(found, key=len), ""


def load_network(path, dataset):
    """The network of a file (see network_of) with its weights, for the classes and channels of the data set.

    Raises CheckpointError if the weights are not those of such a network.
    """
    name, options = network_of(path)
    model = models.create(
        name, **models.read_options(options), num_classes=len(dataset.classes), in_channels=dataset.shape[0], rng=0
    )
    arrays = load_checkpoint(path)[0]["model"] if "sections" in metadata(path) else load(path)[0]
    try:
        model.load_state_dict(arrays)
    except CheckpointError as error:
        raise CheckpointError(f"{path} does not hold {name} for {dataset.name}: {error}") from error
    return model


def by_network(paths):
    """{name: its files in their order}: several files of one network are its seeds 0, 1, …"""
    found = {}
    for path in paths:
        found.setdefault(network_of(path)[0], []).append(str(path))
    return found
