"""The path of a file or a folder that a user gives, checked once."""

import os
from pathlib import Path

from minires.errors import OptionError


def as_path(path, error=OptionError) -> Path:
    """path as a Path. Raises `error` for what cannot be one: None, a number, bytes, "", or text with a zero byte."""
    name = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(name, str):
        raise error(f"a path must be text or a pathlib.Path, got {type(path).__name__}")
    try:
        usable = name and b"\0" not in os.fsencode(name)
    except UnicodeEncodeError:  # a lone surrogate, which is no character
        usable = False
    if not usable:
        raise error(f"a path must be the name of a file or a folder, got {name!r}")
    return Path(name)
