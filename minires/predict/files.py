"""Which images, weights and class names a user names: the arguments of commands that look at images."""

from pathlib import Path

from minires.console import text
from minires.data.images import ENDINGS
from minires.errors import OptionError


def add_arguments(parser):
    """Add the images, --weights, --model and --labels to a parser."""
    parser.add_argument("images", nargs="+", metavar="IMAGE|FOLDER", help="image files, and folders of them")
    parser.add_argument("--weights", type=text, required=True, metavar="FILE", help="a checkpoint, or weights")
    parser.add_argument("--model", type=text, metavar="NAME", help="the network, such as resnet50 (it is found)")
    parser.add_argument("--labels", type=text, metavar="FILE", help="the names of the classes, one a line")


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
