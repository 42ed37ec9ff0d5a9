"""A submission as text: a Python file, or the code cells of a notebook as Jupyter would run them.

Nothing is run here. A notebook of any version is read by nbformat. IPython's own transformer turns magics, `!` and `?`
into calls of get_ipython(), of which the submission's process has one that does nothing.
"""

import ast
import codecs
import io
import itertools
import json
import os
import re
import stat
import tokenize
from dataclasses import dataclass
from pathlib import Path

from minires.errors import DataError, need

LARGEST = {".py": 1 << 20, ".ipynb": 64 << 20}  # bytes; a notebook with its figures has some megabytes
CODE = 900_000  # bytes of all cells in a message
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
MAGIC = re.compile(r"^[ \t]*[%!?,;/]|\?[ \t]*$|=[ \t]*[%!]", re.MULTILINE)
HELP = 200  # letters of a statement that ends in ?, in which IPython looks for a name in a time of their square
WORK = 4_000_000  # letters that may be read to translate magics; each magic has its whole cell read again
OF_CODE = ("time", "timeit", "capture", "prun", "memit", "mprun")  # cell magics whose cell is Python code


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
    if sum(len(json.dumps(cell.text)) for cell in cells) > CODE:
        raise DataError(f"{path.name} has more than {CODE / 1e6:g} MB of code: hand in what was asked for only")
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
    need("IPython", "notebooks", for_what=f"reading {path.name}")
    try:
        # nbformat.reads would also validate, and warn of what a student cannot see, such as cells without an id
        book = nbformat.convert(nbformat.reader.reads(content.decode("utf-8-sig")), 4)
        code = [(number, cell.source) for number, cell in enumerate(book.cells, 1) if cell.cell_type == "code"]
    except Exception as error:  # nbformat's, json's and attributes that are missing: it is no notebook
        said = " ".join(str(error).split())[:200]
        raise DataError(f"{path.name} is no notebook: {type(error).__name__}: {said}") from error
    code = [(number, "".join(text) if isinstance(text, list) else str(text)) for number, text in code]
    if sum(len(text) for _, text in code) > CODE:
        raise DataError(f"{path.name} has more than {CODE / 1e6:g} MB of code: hand in what was asked for only")
    if sum(len(text) * (1 + len(MAGIC.findall(text))) for _, text in code) > WORK:
        raise DataError(f"{path.name} has too many lines that begin with % or ! in too long cells: split these cells")
    return [Cell(f"{path.name}, cell {number}", _transformed(text)) for number, text in code]


def _transformed(text):
    """A cell as Jupyter runs it; what cannot be understood stays as it is, so that its error is Python's."""
    from IPython.core.inputtransformer2 import HelpEnd, TransformerManager

    class ShortHelp(HelpEnd):
        def transform(self, lines):
            if len("".join(lines[self.start_line : self.q_line + 1])) > HELP:
                raise SyntaxError("too long for the name of something")
            return super().transform(lines)

    first, _, rest = text.lstrip("\n").partition("\n")
    if first.startswith("%%"):
        words = first[2:].split()
        magic = words[0] if words else ""
        if magic in OF_CODE:
            return "\n" + _transformed(rest)  # an empty line for the magic, so that lines keep their numbers
        if magic in ("writefile", "file") and len(words) > 1:
            return f"with open({words[-1]!r}, 'w', encoding='utf-8') as _file:\n    _file.write({rest!r})\n"
    manager = TransformerManager()
    manager.token_transformers = [ShortHelp if t is HelpEnd else t for t in manager.token_transformers]
    try:
        return manager.transform_cell(text)
    except Exception:  # a SyntaxError of the tokenizer, which the submission's own compiler says better
        return text


def package_of(folder, text):
    """(the folder of the package in which a file of this text says it lies, its dotted name), or (None, "").

    folder: where the file lies. It says so by what it imports: `from .layers import …`, or, in a folder cs231n,
    `from cs231n.layers import …`. Folders further up need an __init__.py, because they may hold others' work.
    """
    nodes = nodes_of(text)
    froms = [node for node in nodes if isinstance(node, ast.ImportFrom)]
    named = {node.module.partition(".")[0] for node in froms if node.module and not node.level}
    named |= {alias.name.partition(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    folder = Path(folder).resolve()
    folders = [folder, *folder.parents][:-1]
    marked = itertools.takewhile(lambda folder: (folder / "__init__.py").is_file(), folders)
    folders = folders[: max(1, len(list(marked)))]
    called = [k + 1 for k, folder in enumerate(folders) if folder.name in named]
    folders = folders[: max([*called, *(node.level for node in froms)], default=0)]
    if not folders or not all(folder.name.isidentifier() for folder in folders):
        return None, ""
    return folders[-1], ".".join(folder.name for folder in reversed(folders))


def nodes_of(text):
    """All nodes of the syntax tree of a text; none where Python cannot read it, which the runner reports."""
    try:
        return list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
