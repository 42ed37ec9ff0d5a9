"""A submission as text: a Python file, or the code cells of a notebook as Jupyter would run them.

Nothing is run here. A notebook of any version is read by nbformat. IPython's own transformer turns magics, `!` and `?`
into calls of get_ipython(), of which the submission's process has one that does nothing.
"""

import io
import tokenize
from dataclasses import dataclass
from pathlib import Path

from minires.errors import DataError, need

LARGEST = 64 << 20  # bytes; a notebook with its figures has some megabytes
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
    if not path.is_file():
        raise DataError(f"there is no file {str(path)!r}")
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"{path.name} is larger than {LARGEST >> 20} MB: clear its outputs")
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror or error}") from error
    if path.suffix == ".ipynb":
        return Source(path, _notebook(path, content))
    return Source(path, [Cell(path.name, _decoded(path, content))])


def _decoded(path, content):
    """The text of Python code, by its own declaration of an encoding or as UTF-8, with or without a BOM."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        return content.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
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
    return [Cell(f"{path.name}, cell {number}", _transformed(text)) for number, text in code]


def _transformed(text):
    """A cell as Jupyter runs it; what cannot be understood stays as it is, so that its error is Python's."""
    from IPython.core.inputtransformer2 import TransformerManager

    text = "".join(text) if isinstance(text, list) else text
    first, _, rest = text.lstrip("\n").partition("\n")
    if first.startswith("%%"):
        words = first[2:].split()
        magic = words[0] if words else ""
        if magic in OF_CODE:
            return "\n" + _transformed(rest)  # an empty line for the magic, so that lines keep their numbers
        if magic in ("writefile", "file") and len(words) > 1:
            return f"with open({words[-1]!r}, 'w', encoding='utf-8') as _file:\n    _file.write({rest!r})\n"
    try:
        return TransformerManager().transform_cell(text)
    except Exception:  # a SyntaxError of the tokenizer, which the submission's own compiler says better
        return text
