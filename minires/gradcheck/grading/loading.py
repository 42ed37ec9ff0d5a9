"""A function out of a Python file or a notebook."""

import importlib.util
import inspect
import json
import sys
from pathlib import Path

from minires.errors import DataError, describe


def load(path, name):
    """The function `name` of a Python file or a notebook. Raises DataError with a sentence for its author."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"there is no file {str(path)!r}")
    sys.path.insert(0, str(path.parent.resolve()))  # its neighbours can be imported, as when it is run
    try:
        names = _notebook(path) if path.suffix == ".ipynb" else _module(path)
    except (Exception, SystemExit) as error:
        raise DataError(f"{path.name} cannot be loaded: {describe(error)}") from error
    function = names.get(name)
    if not callable(function):
        mine = ", ".join(n for n, v in names.items() if inspect.isfunction(v) and not n.startswith("_")) or "none"
        raise DataError(
            f"{path.name} has no function {name!r}; its functions: {mine}"
            + (f" (after {names['__error__']})" if "__error__" in names else "")
        )
    try:
        inspect.signature(function)
    except (TypeError, ValueError):
        raise DataError(
            f"{path.name}: Python does not tell the arguments of {name}, a "
            f"{type(function).__name__}; call it in a function of your own: def my_{name}(x): …"
        ) from None
    return function


def _module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return vars(module)


def _notebook(path):
    """Run the code cells one after another; one that fails is passed over, for plots and downloads may."""
    names = {"__name__": path.stem}
    for number, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"], 1):
        if cell["cell_type"] == "code":
            lines = "".join(cell["source"]).splitlines()
            source = "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in lines)
            try:
                exec(compile(source, f"{path.name}, cell {number}", "exec"), names)
            except Exception as error:
                names.setdefault("__error__", f"cell {number}: {describe(error)}")
    return names
