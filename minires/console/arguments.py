"""What is typed after a command: the types of flags, and mistakes in one line."""

import argparse
import itertools
import math
import os
import re
import sys

from minires.console.letters import visible


def text(given):
    """The type of a flag that takes letters. It refuses "", because `--out "$DIR"` with DIR unset is a mistake."""
    if not given:
        raise argparse.ArgumentTypeError("it is empty; leave the flag out to have the default")
    return given


def new_file(given):
    """The type of a flag that names a file to write. It refuses a missing folder, which may be a slip of the pen."""
    folder = os.path.dirname(text(given))
    if folder and not os.path.exists(folder):
        raise argparse.ArgumentTypeError(f"there is no folder {folder}")
    return given


def whole(low=-math.inf, high=None):
    """The type of a flag that takes a whole number from low to high."""

    def convert(given):
        try:
            number = int(given)
        except ValueError:
            raise argparse.ArgumentTypeError(f"it must be a whole number, got {given!r}") from None
        if number < low or (high is not None and number > high):
            bound = f"at least {low}" if number < low else f"at most {high}"
            raise argparse.ArgumentTypeError(f"it must be {bound}, got {number}")
        return number

    return convert


def number(given):
    """The type of a flag that takes any number."""
    try:
        return float(given)
    except ValueError:
        raise argparse.ArgumentTypeError(f"it must be a number, got {given!r}") from None


def seconds(given):
    """The type of a flag that takes a time."""
    try:
        value = float(given)
    except ValueError:
        value = math.nan
    if not 0 < value < 1e6:  # longer times are refused by the system
        raise argparse.ArgumentTypeError(f"it must be a number of seconds above 0 and below a million, got {given!r}")
    return value


class Parser(argparse.ArgumentParser):
    """argparse's parser. A mistake costs one line, which suggests the flag that may have been meant.

    Flags are written out: --seed must not be taken for --seeds.
    """

    def __init__(self, **settings):
        super().__init__(allow_abbrev=False, **settings)

    def parse_known_args(self, args=None, namespace=None):
        self._given = list(sys.argv[1:] if args is None else args)
        return super().parse_known_args(args, namespace)

    def error(self, message):
        if message.startswith("the following arguments are required"):
            message = next(map("unrecognized arguments: {}".format, self._unknown()), message)
        name = self.prog.removeprefix("python -m ")  # as say() prints it
        self.exit(2, f"{name}: {visible(message)}{self._meant(message)}; see {self.prog} --help\n")

    def _unknown(self):
        """The flags given that there are not; a required one that is misspelt is there, and not missing."""
        before = itertools.takewhile(lambda text: text != "--", self._given)
        flags = (text.partition("=")[0] for text in before if text.startswith("--"))
        return (flag for flag in flags if flag not in self._option_string_actions)

    def _meant(self, message):
        from minires.settings import did_you_mean  # imports NumPy; Ctrl-C must be handled before that (starting())

        unknown = re.match(r"unrecognized arguments: (--[^\s=]+)", message)
        flags = [flag for flag in self._option_string_actions if flag.startswith("--")]
        hint = did_you_mean(unknown[1], flags, most=2) if unknown else ""
        return f"; {hint}" if hint else ""


def flag_of(kind):
    """What argparse must know of a flag that sets a value of the Python type `kind`."""
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction}
    return {"type": {str: text, int: whole(), float: number}[kind]}
