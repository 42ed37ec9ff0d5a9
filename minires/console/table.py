"""Tables of fixed columns, and verdicts in color."""

import os
import sys
import textwrap

WIDTH = 80  # characters of a printed line
GREEN, RED, PLAIN = "\033[32m", "\033[31m", "\033[0m"


class Table:
    """Rows of fixed columns, at most WIDTH characters in all.

    columns: {heading: width}; a negative width is a column of numbers, flushed right. quiet: print nothing.
    A first cell that is too long has a line of its own; others are cut.
    """

    def __init__(self, columns, quiet=False, show=None):
        self.columns, self.quiet, self.show, self.begun = columns, quiet, show or print, False

    def row(self, *cells, passed=None):
        """Print a line, with the verdict after it if there is one; before the first line, print the headings."""
        if self.quiet:
            return
        if not self.begun:
            self.show(self._line(self.columns))
            self.begun = True
        first, *rest = map(str, cells)
        if len(first) > abs(next(iter(self.columns.values()))):
            self.show(first)
            first = ""
        self.show(self._line([first, *rest]) + ("" if passed is None else "  " + verdict(passed)), flush=True)

    def _line(self, cells):
        fitted = []
        for text, width in zip(cells, self.columns.values()):
            if len(text) > abs(width):
                text = text[: abs(width) - 1] + "…"
            fitted.append(text.rjust(-width) if width < 0 else text.ljust(width))
        return "  ".join(fitted).rstrip()


def wrapped(head, body):
    """The lines of a text, at most WIDTH wide; all but the first are indented as wide as `head`."""
    indent = " " * len(head)
    lines = textwrap.wrap(body, WIDTH, initial_indent=head, subsequent_indent=indent, break_on_hyphens=False)
    return lines or [head]


def verdict(passed):
    """ "ok" or "FAILED", green or red on a terminal."""
    return colored("ok", GREEN) if passed else colored("FAILED", RED)


def colored(text, color):
    """The text in a color on a terminal, unless NO_COLOR is set (https://no-color.org)."""
    return f"{color}{text}{PLAIN}" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text
