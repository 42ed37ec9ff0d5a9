"""A lesson: its one source, NN_name.py, as cells, and the notebooks that are made of it.

A source is a Python program in jupytext's percent format. Each cell has a name, which is unique in its lesson:

    # %% [markdown] name="question"
    # %% name="im2col" tags=["exercise"] exercise="2.1"

An exercise is three cells: the student's blank (exercise), an answer (solution), and the call that checks it (check).
No other cell needs the answer. So a student's notebook runs from its first cell to its last before anything is done.
"""

import copy
import hashlib
import re
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import jupytext
import nbformat

from minires.errors import MiniresError

HERE = Path(__file__).resolve().parents[1]
SOURCE = re.compile(r"(\d\d)_(\w+)\.py")
NAME = re.compile(r"[a-z0-9-]{1,64}")
TAGS = {"setup", "exercise", "solution", "check", "claim"}
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


class LessonError(MiniresError):
    """A lesson does not keep to its form, or does not do what it says. details: what its cell printed last."""

    def __init__(self, message, details=""):
        super().__init__(message)
        self.details = details


class Lesson:
    """One lesson. path: its source."""

    part = "cell"  # what a text of it is called
    code: ClassVar = {}  # none of its texts is code

    def __init__(self, path):
        self.path = Path(path)
        found = SOURCE.fullmatch(self.path.name)
        if not found:
            raise LessonError(f"{self.path.name}: a lesson is called NN_name.py")
        self.number = int(found[1])
        self.name = self.path.stem
        self.text = self.path.read_text(encoding="utf-8")

    def __repr__(self):
        return f"Lesson({self.name!r})"

    @property
    def hash(self):
        """SHA-256 of the source, by which a notebook knows whether it is stale."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @cached_property
    def cells(self):
        """The cells of the source, in order, as nbformat has them. Raises LessonError."""
        cells = jupytext.reads(self.text, fmt="py:percent").cells
        names = [cell.metadata.get("name", "") for cell in cells]
        for k, (cell, name) in enumerate(zip(cells, names), 1):
            place = f"{self.path.name}, cell {k}"
            if not NAME.fullmatch(name):
                raise LessonError(f"{place}: it needs a name of small letters, digits and -, not {name!r}")
            if name in names[: k - 1]:
                raise LessonError(f"{place}: the name {name!r} is taken")
            if cell.cell_type == "markdown" and "![" in cell.source:
                raise LessonError(f"{place}: an image of a file is not there for a notebook elsewhere; link to it")
            unknown = set(tags_of(cell)) - TAGS
            if unknown:
                raise LessonError(f"{place}: unknown tag {', '.join(sorted(unknown))}")
        if "setup" not in tags_of(next((cell for cell in cells if cell.cell_type == "code"), {"metadata": {}})):
            raise LessonError(f"{self.path.name}: the first cell of code must be tagged setup")
        self._check_exercises(cells)
        return cells

    def _check_exercises(self, cells):
        """An exercise's three cells follow each other; text may stand between them."""
        order = [
            (tag, cell.metadata.get("exercise"))
            for cell in cells
            for tag in tags_of(cell)
            if tag in ("exercise", "solution", "check")
        ]
        for k in range(0, len(order), 3):
            number = order[k][1]
            if order[k : k + 3] != [(tag, number) for tag in ("exercise", "solution", "check")] or not number:
                raise LessonError(
                    f"{self.path.name}, exercise {number}: it needs the cells exercise, solution and check, in this "
                    'order, each with exercise="NUMBER"'
                )

    @property
    def texts(self):
        """{name: text} of its cells of text."""
        return {cell.metadata["name"]: cell.source for cell in self.cells if cell.cell_type == "markdown"}

    @property
    def title(self):
        """The text of its first heading."""
        return next(line[2:].strip() for line in self.cells[0].source.splitlines() if line.startswith("# "))

    @property
    def exercises(self):
        """{number: {"exercise": code, "solution": code, "check": code}}"""
        found = {}
        for cell in self.cells:
            if "exercise" in cell.metadata:
                (tag,) = set(tags_of(cell)) & {"exercise", "solution", "check"}
                found.setdefault(cell.metadata["exercise"], {})[tag] = cell.source
        return found

    def notebook(self, without, text=lambda cell: cell.source):
        """A notebook without the cells of one tag: "solution" for a student, "exercise" for a teacher.

        text(cell) is what a cell of text says; the other editions give another one.
        """
        book = nbformat.v4.new_notebook(metadata={"kernelspec": KERNEL, "language_info": {"name": "python"}})
        book.metadata["minires"] = {"lesson": self.name, "source": self.hash}
        for cell in self.cells:
            if without in tags_of(cell):
                continue
            made = copy.deepcopy(cell)
            made.id = cell.metadata["name"]
            if cell.cell_type == "markdown":
                made.source = text(cell)
            book.cells.append(made)
        return book

    @property
    def beside(self):
        """The notebook that lies beside the source."""
        return self.path.with_suffix(".ipynb")


def tags_of(cell):
    return cell["metadata"].get("tags", [])


def lessons(names=()):
    """All lessons, or those of these names or numbers, in order. Raises LessonError for one that is not there."""
    every = [Lesson(path) for path in sorted(HERE.glob("[0-9][0-9]_*.py"))]
    if not names:
        return every
    chosen = []
    for name in names:
        found = [each for each in every if name in (each.name, each.path.name, str(each.number), each.name[:2])]
        if not found:
            raise LessonError(f"there is no lesson {name!r}; there are {', '.join(each.name for each in every)}")
        chosen += found
    return chosen
