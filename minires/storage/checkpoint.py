"""Checkpoints: several groups of arrays, and a state of plain Python values, in one safetensors file."""

import json

from minires.errors import CheckpointError, OptionError
from minires.storage.weights import load, save

VERSION = "minires checkpoint 1"


def save_checkpoint(path, sections, state):
    """Write sections {"model": {name: array}, …} and a JSON-able state, whose floats and integers stay exact.

    Raises OptionError for a section with a "/" in its name, which is what parts it from the array's.
    """
    for section in sections:
        if "/" in section:
            raise OptionError(f"save_checkpoint: a section's name has no '/', got {section!r}")
    arrays = {f"{section}/{name}": array for section, group in sections.items() for name, array in group.items()}
    save(path, arrays, {"format": VERSION, "sections": json.dumps(list(sections)), "state": json.dumps(state)})


def load_checkpoint(path):
    """(sections, state) as they were saved. Raises CheckpointError for damaged files and for bare weights."""
    arrays, metadata = load(path)
    if metadata.get("format") != VERSION:
        found = metadata.get("format", "bare weights")
        raise CheckpointError(f"{path} is no checkpoint of this version but {found!r}, which storage.load reads")
    try:
        sections = {name: {} for name in json.loads(metadata["sections"])}
        for key, array in arrays.items():
            section, _, name = key.partition("/")
            sections[section][name] = array
        return sections, json.loads(metadata["state"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is a malformed checkpoint: {error!r}") from error
