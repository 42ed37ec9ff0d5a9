"""Checkpoints: several sections of arrays, and a state of plain Python values, in one safetensors file."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from minires.annotations import PathLike, TensorLike
from minires.errors import CheckpointError, DTypeError, OptionError
from minires.storage.json_text import DEEPEST, depth, parse
from minires.storage.schema import ListOf, Text, shown
from minires.storage.weights import metadata, read, save

VERSION = "minires checkpoint 1"
SECTIONS = ListOf(Text(r"[^/\0]*", "a section's name, without '/'"))


def save_checkpoint(path: PathLike, sections: Mapping[str, Mapping[str, TensorLike]], state: dict[str, Any]) -> None:
    """Write sections {"model": {name: array}, …} and a state that JSON can hold. Floats and integers stay exact.

    Raises OptionError for a "/" in a section's name, because it separates the name from the array's. Raises DTypeError
    for what JSON would change: it makes a tuple a list, and every key of a dictionary a string.
    """
    if not isinstance(sections, Mapping) or not all(isinstance(group, Mapping) for group in sections.values()):
        raise DTypeError(f"save_checkpoint takes sections {{name: {{name: array}}}}, got {shown(sections)}")
    fault = SECTIONS.fault("save_checkpoint: sections", list(sections))
    if fault:
        raise OptionError(fault)
    if not isinstance(state, dict):
        raise DTypeError(f"save_checkpoint takes a state {{name: value}}, got a {type(state).__name__}")
    try:
        text = json.dumps(state)
    except (TypeError, ValueError, RecursionError) as error:
        raise DTypeError(f"{path} cannot hold this state, which must be plain Python values: {error}") from error
    if depth(text) > DEEPEST:
        raise DTypeError(f"{path} cannot hold this state, whose values are nested deeper than {DEEPEST}")
    fault = _changed("the state", state) or next(
        (
            f"the array {name!r} in {section} needs a string as its name"
            for section, group in sections.items()
            for name in group
            if not isinstance(name, str)
        ),
        "",
    )
    if fault:
        raise DTypeError(f"{path} cannot hold this: {fault}")
    arrays = {f"{section}/{name}": array for section, group in sections.items() for name, array in group.items()}
    save(path, arrays, {"format": VERSION, "sections": json.dumps(list(sections)), "state": text})


def _changed(place, value):
    """A sentence that names what JSON would change in this value; "" if nothing."""
    if isinstance(value, tuple):
        return f"{place} is a tuple, which would come back as a list; make it a list"
    if isinstance(value, dict):
        wrong = [key for key in value if not isinstance(key, str)]
        if wrong:
            return f"{place} has the key {shown(wrong[0])}, which would come back as a string; make it one"
        items = value.items()
    else:
        items = enumerate(value) if isinstance(value, list) else ()
    return next(filter(None, (_changed(f"{place}[{key!r}]", item) for key, item in items)), "")


def load_checkpoint(path: PathLike) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, Any]]:
    """(sections, state) as they were saved. Raises CheckpointError for a damaged file, and for weights without state.

    >>> sections, state = storage.load_checkpoint("runs/digits-resnet20/checkpoint.safetensors")
    >>> model.load_state_dict(sections["model"])
    >>> state["dataset"]["classes"]
    """
    arrays, written = read(path)
    names, state = _parsed(path, written)
    sections: dict[str, dict[str, np.ndarray]] = {name: {} for name in names}
    for key, array in arrays.items():
        section, slash, name = key.partition("/")
        if not slash or section not in sections:
            raise CheckpointError(
                f"{path} is a malformed checkpoint: its array {key!r} is in none of its sections {', '.join(sections)}"
            )
        sections[section][name] = array
    return sections, state


def load_state(path: PathLike) -> dict[str, Any]:
    """The state alone. It is read from the header, so it is quick, but the digest is not checked."""
    return _parsed(path, metadata(path))[1]


def _parsed(path, written):
    """(names of the sections, state) from a checkpoint's metadata."""
    if written.get("format") != VERSION:
        found = written.get("format", "bare weights")
        raise CheckpointError(f"{path} is no checkpoint of this version but {found!r}, which storage.load reads")
    found = {}
    for name in ("sections", "state"):
        try:
            found[name] = parse(written[name])
        except KeyError as error:
            raise CheckpointError(f"{path} is a malformed checkpoint: it lacks its {name}") from error
        except (ValueError, RecursionError) as error:
            raise CheckpointError(f"{path} is a malformed checkpoint: its {name} cannot be parsed: {error}") from error
    fault = SECTIONS.fault("sections", found["sections"])
    if not fault and not isinstance(found["state"], dict):
        fault = f"its state must be a dictionary, got {type(found['state']).__name__}"
    if fault:
        raise CheckpointError(f"{path} is a malformed checkpoint: {fault}")
    return found["sections"], found["state"]
