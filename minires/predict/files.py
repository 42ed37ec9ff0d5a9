"""The image files that a user names."""

from pathlib import Path

from minires.data.images import ENDINGS
from minires.errors import OptionError


def image_files(given):
    """The image files that are named, and those in the folders, in order. Raises OptionError for what is not there."""
    for name in given:
        path = Path(name)
        if not path.exists():
            raise OptionError(f"there is no file or folder {name!r}")
        if not path.is_dir():
            yield path
            continue
        found = sorted(file for file in path.rglob("*") if file.suffix.lower() in ENDINGS and file.is_file())
        if not found:
            raise OptionError(f"{name} has no images; they end in {', '.join(ENDINGS)}")
        yield from found
