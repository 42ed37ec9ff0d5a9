"""The code cells of a notebook as Jupyter would run them.

source.py runs this as a program, because a notebook can be made so that its reading takes gigabytes or hours: IPython
reads a whole cell again for each magic. This process has limits, and ends with the one that has started it. Nothing of
the notebook is run here. It needs the standard library and IPython, and nbformat for notebooks before version 4.
"""

import contextlib
import json
import os
import sys
import threading
import time

MEMORY = 1 << 30  # bytes of addresses; a notebook of 64 MB that holds figures takes a third of it
CELLS = 10_000
OF_CODE = ("time", "timeit", "capture", "prun", "memit", "mprun")  # cell magics whose cell is Python code


def main():
    """Standard input is the notebook; the arguments are where to look for packages, the seconds and letters granted.

    Prints {"cells": [[number, text], …]}, or {"error": a sentence}, {"long": true} where it has too much code.
    """
    places, seconds, letters = json.loads(sys.argv[1])
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    limit(seconds)
    sys.path += [place for place in places if place not in sys.path]
    try:
        code = code_of(sys.stdin.buffer.read().decode("utf-8-sig"))
        found = [[number, transformed(text)] for number, text in code] if length(code) <= letters else code
        said = {"cells": found} if length(found) <= letters else {"long": True}
    except MemoryError:
        said = {"error": "MemoryError: it holds too much"}
    except Exception as error:  # json's, nbformat's, and attributes that are missing: it is no notebook
        said = {"error": f"{type(error).__name__}: {error}"[:1000]}
    print(json.dumps(said), flush=True)


def length(cells):
    """The letters of all cells."""
    return sum(len(text) for _, text in cells)


def end_with(parent):
    """End this process when its parent has ended."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)


def limit(seconds):
    """What this process may use, where the system has such limits."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def code_of(text):
    """[(number of the cell, its text)] of the code cells of a notebook."""
    book = json.loads(text)
    if not isinstance(book, dict) or "nbformat" not in book:
        raise ValueError("it has no key nbformat")
    if book["nbformat"] == 4:
        cells = book["cells"]
    else:
        import nbformat

        cells = nbformat.convert(nbformat.reader.reads(text), 4)["cells"]
    if not isinstance(cells, list) or len(cells) > CELLS:
        raise ValueError(f"its cells are no list of at most {CELLS}")
    code = [(number, cell["source"]) for number, cell in enumerate(cells, 1) if cell["cell_type"] == "code"]
    return [(number, text if isinstance(text, str) else "".join(text)) for number, text in code]


def transformed(text):
    """A cell as Jupyter runs it; what cannot be understood stays as it is, so that its error is Python's."""
    from IPython.core.inputtransformer2 import TransformerManager

    first, _, rest = text.lstrip("\n").partition("\n")
    if first.startswith("%%"):
        words = first[2:].split()
        magic = words[0] if words else ""
        if magic in OF_CODE:
            return "\n" + transformed(rest)  # an empty line for the magic, so that lines keep their numbers
        if magic in ("writefile", "file") and len(words) > 1:
            return f"with open({words[-1]!r}, 'w', encoding='utf-8') as _file:\n    _file.write({rest!r})\n"
    try:
        return TransformerManager().transform_cell(text)
    except Exception:  # a SyntaxError of the tokenizer, which the submission's own compiler says better
        return text


if __name__ == "__main__":
    main()
