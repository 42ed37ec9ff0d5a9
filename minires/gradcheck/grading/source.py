"""A submission as text: a Python file, or the code cells of a notebook as Jupyter would run them.

Nothing is run here. IPython's own transformer turns the magics, `!` and `?` of a notebook into calls of get_ipython(),
of which the submission's process has one that does nothing. A process of its own does this, notebook.py.
"""

import ast
import codecs
import functools
import io
import itertools
import json
import os
import re
import stat
import subprocess
import sys
import tokenize
from dataclasses import dataclass
from pathlib import Path

from minires.errors import DataError, need
from minires.gradcheck.grading import notebook

LARGEST = {".py": 1 << 20, ".ipynb": 64 << 20}  # bytes; a notebook with its figures has some megabytes
CODE = 300_000  # letters of all cells; Python needs some 1000 bytes for each to find what they import
MESSAGE = 900_000  # bytes of all cells in a message
TOO_LONG = f"more than {CODE // 1000} kB of code: hand in what was asked for only"
# Encodings that are decoded in a time that grows with the length, as that of punycode does not.
ENCODINGS = {
    "utf-8",
    "utf-8-sig",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "ascii",
    "koi8-r",
    "mac-roman",
    "euc_kr",
    "johab",
}
ENCODINGS |= {"cp949", "shift_jis", "cp932", "euc_jp", "gb2312", "gbk", "gb18030", "big5", "iso8859-1"}
ENCODINGS |= {f"iso8859-{k}" for k in range(1, 17)} | {f"cp125{k}" for k in range(9)} | {"cp437", "cp850"}
READING = 30  # seconds granted for reading a notebook, of which the imports of IPython take one or two
LONG_NAME = re.compile(r"(?:\.\s*\w{1,1000}\s*){50}")  # parts of one dotted name; it takes a time in proportion


@dataclass(frozen=True)
class Cell:
    """Some code, and what to call it: "homework.py", or "homework.ipynb, cell 3"."""

    name: str
    text: str


@dataclass(frozen=True)
class Source:
    """A file and its code; path is None where the code is a function of this process."""

    path: Path | None
    cells: list[Cell]

    @property
    def text(self):
        """All cells in one text, to look for a name in."""
        return "\n".join(cell.text for cell in self.cells)

    @property
    def is_notebook(self):
        return self.path is not None and self.path.suffix == ".ipynb"


def read(path):
    """The Source of a .py or .ipynb file. Raises DataError with a sentence for its author."""
    path = Path(path)
    if not os.path.isfile(path):
        raise DataError(f"{str(path)!r} is a folder" if os.path.isdir(path) else f"there is no file {str(path)!r}")
    content = content_of(path)
    cells = _notebook(path, content) if path.suffix == ".ipynb" else [Cell(path.name, _decoded(path, content))]
    code = [cell.text for cell in cells]
    if sum(map(len, code)) > CODE or len(json.dumps(code)) > MESSAGE:
        raise DataError(f"{path.name} has {TOO_LONG}")
    return Source(path, cells)


def content_of(path):
    """The bytes of a file that is neither too large nor a pipe. Raises DataError."""
    path = Path(path)
    largest = LARGEST.get(path.suffix, LARGEST[".py"])
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(number, "rb") as file:
            if not stat.S_ISREG(os.fstat(number).st_mode):
                raise DataError(f"{path.name} is no file")
            content = file.read(largest + 1)
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror or error}") from error
    if content is None or len(content) > largest:
        clear = ": clear its outputs" * (path.suffix == ".ipynb")
        raise DataError(f"{path.name} is larger than {largest >> 20} MB{clear}")
    return content


def _decoded(path, content):
    """The text of Python code, by its own declaration of an encoding or as UTF-8, with or without a BOM."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        if codecs.lookup(encoding).name not in ENCODINGS:
            raise LookupError(f"not in {encoding}")
        return content.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
    except (SyntaxError, UnicodeError, LookupError) as error:
        raise DataError(f"{path.name} is no text in UTF-8 ({error}): save it as UTF-8") from error


def _notebook(path, content):
    nbformat = need("nbformat", "notebooks", for_what=f"reading {path.name}")
    ipython = need("IPython", "notebooks", for_what=f"reading {path.name}")
    # where these packages are, and no other place: a student's folder may be in sys.path
    places = sorted({os.path.dirname(os.path.dirname(package.__file__)) for package in (nbformat, ipython)})
    command = [sys.executable, "-I", "-B", notebook.__file__, json.dumps([places, READING, CODE])]
    try:
        done = subprocess.run(
            command, input=content, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=READING, cwd=os.sep
        )
        said = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):  # the second of a process that the system has ended
        raise DataError(
            f"{path.name} cannot be read within {READING} s and {notebook.MEMORY >> 30} GB: clear its outputs, and "
            "split cells in which many lines begin with % or !"
        ) from None
    if "error" in said:
        raise DataError(f"{path.name} is no notebook: {' '.join(said['error'].split())[:200]}")
    if "long" in said:
        raise DataError(f"{path.name} has {TOO_LONG}")
    return [Cell(f"{path.name}, cell {number}", text) for number, text in said["cells"]]


def package_of(folder, text):
    """(the folder of the package in which a file of this text says it lies, its dotted name), or (None, "").

    folder: where the file lies. It says so by what it imports: `from .layers import …`, or, in a folder cs231n,
    `from cs231n.layers import …`. Folders further up need an __init__.py, because they may hold others' work.
    """
    froms = nodes_of(text, ast.ImportFrom)
    named = {node.module.partition(".")[0] for node in froms if node.module and not node.level}
    named |= {alias.name.partition(".")[0] for node in nodes_of(text, ast.Import) for alias in node.names}
    folder = Path(folder).resolve()
    folders = [folder, *folder.parents][:-1]
    marked = itertools.takewhile(lambda folder: (folder / "__init__.py").is_file(), folders)
    folders = folders[: max(1, len(list(marked)))]
    called = [k + 1 for k, folder in enumerate(folders) if folder.name in named]
    folders = folders[: max([*called, *(node.level for node in froms)], default=0)]
    if not folders or not all(folder.name.isidentifier() for folder in folders):
        return None, ""
    return folders[-1], ".".join(folder.name for folder in reversed(folders))


@functools.lru_cache(maxsize=8)  # each case asks again, and a tree may take seconds
def nodes_of(text, *kinds):
    """All nodes of these kinds in a text's syntax tree; none where Python cannot read it, which the runner reports.

    Python joins the parts of a dotted name one by one, so that a name of thousands takes gigabytes. Such a text is not
    read here; its own process has limits.
    """
    if LONG_NAME.search(text):
        return []
    try:
        return [node for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
