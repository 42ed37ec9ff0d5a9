"""What runs when a submission is loaded, which files and modules it finds, and which it must not import."""

import os
import textwrap
from pathlib import Path

import numpy as np
import pytest
from boxes import opened, source

from minires.gradcheck.grading import process
from minires.gradcheck.grading.box import Box, forbidden_import
from minires.gradcheck.grading.errors import ForbiddenError


def test_a_cell_that_fails_is_told_and_the_others_run(walls):
    cells = ("a = 1", "def broken(:", "b = a / 0", "import sys; sys.exit(3)", "c = a + 1")
    with opened(*cells, file="homework.ipynb") as box:
        assert box.names == ["a", "c"]
        assert [(e.type, e.cell, e.line) for e in box.cell_errors] == [
            ("SyntaxError", "homework.ipynb, cell 2", 1),
            ("ZeroDivisionError", "homework.ipynb, cell 3", 1),
            ("SystemExit", "homework.ipynb, cell 4", 1),
        ]


def test_cells_may_wait_display_and_ask_for_ipython():
    cells = (
        "import asyncio\nawait asyncio.sleep(0)\ndef f(x):\n    return 2 * x",
        "get_ipython().run_line_magic('matplotlib', 'inline')\nfiles = get_ipython().getoutput('ls')\ndisplay(files)",
        "get_ipython().run_line_magic('time', 'y = f(2)')\nget_ipython().system('ls')",
    )
    with opened(*cells, file="homework.ipynb") as box:
        assert box.cell_errors == []
        assert box.call("f", (21,)).value == 42
        assert box.names == ["f", "files", "y"]


def test_what_it_defines_works_as_in_a_file(walls):
    text = """
from __future__ import annotations
import dataclasses, inspect, pickle
@dataclasses.dataclass
class Cache:
    x: int
def f(x):
    return pickle.loads(pickle.dumps(Cache(x))).x, inspect.getsource(f), __name__, __file__.endswith("homework.py")
if __name__ == "__main__":
    raise ValueError
"""
    with opened(text) as box:
        assert box.call("f", (5,)).value == (5, text[text.index("def f") : text.index("if __name__")], "homework", True)


def test_neighbours_are_there_and_only_they(walls, tmp_path):
    (tmp_path / "helper.py").write_text("def larger(x):\n    return 2 * x\n")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("three = 3")
    (tmp_path / "teacher.py").write_text("answer = 42")
    (tmp_path / "movie.mp4").write_bytes(b"0")
    (tmp_path / ".git").mkdir()
    (tmp_path / "link.txt").symlink_to("/etc/passwd")
    np.save(tmp_path / "data.npy", np.arange(3))
    text = "import os, numpy as np, helper, package\ndef f(x):\n    return helper.larger(x) + np.load('data.npy'), sorted(os.listdir())"
    with opened(text, folder=tmp_path, without=[tmp_path / "teacher.py"]) as box:
        assert box.cell_errors == []
        value, names = box.call("f", (np.ones(3),)).value
        np.testing.assert_array_equal(value, [2, 3, 4])
        assert [n for n in names if not n.startswith(("_", "."))] == ["data.npy", "helper.py", "package"]
    with opened(text, folder=None) as box:
        assert [e.type for e in box.cell_errors] == ["ModuleNotFoundError"]
    scratch = box.scratch
    assert not os.path.exists(scratch)


def test_names_of_libraries_beside_a_homework_shadow_them_for_itself_only(walls, tmp_path):
    for name in ("json", "wire", "runner", "inspect", "random"):
        (tmp_path / f"{name}.py").write_text("here = 1")
    with opened("import wire\ndef f():\n    return wire.here", folder=tmp_path) as box:
        assert box.call("f").value == 1


@pytest.fixture
def python(tmp_path, monkeypatch):
    """A folder that holds another Python, of which the submission's own knows."""
    folder = Path(os.path.realpath(tmp_path), "python")
    folder.mkdir()
    known = process.libraries()
    monkeypatch.setattr(process, "libraries", lambda: [*known, str(folder)])
    process.other_packages.cache_clear()
    yield folder
    process.other_packages.cache_clear()


@pytest.mark.parametrize(
    "inside",
    [
        "lib/python3/dist-packages",
        "lib/python3.11/site-packages",
        "envs/torch/lib/python3.11/site-packages",
        "pkgs/sums-1/site-packages",
    ],
)
def test_packages_of_other_pythons_are_hidden_too(python, inside):
    (python / inside / "sums").mkdir(parents=True)
    (python / inside / "__pycache__").mkdir()
    compiled = ["__pycache__/sums.cpython-311.pyc", "__pycache__/sums.cpython-311.opt-1.pyc"]
    hidden = ["_sums.cpython-311.so", *compiled, "sums.py", "sums.pyc"]
    for name in (*hidden, "sumsets.py", "__pycache__/sumsets.cpython-311.pyc"):
        (python / inside / name).touch()
    found = {path for path in process.packages(["sums", "_sums"]) if path.startswith(str(python))}
    assert found == {str(python / inside / name) for name in (*hidden, "sums")}


def test_a_forbidden_module_cannot_be_read_where_it_is_compiled_or_linked_to(walls, python):
    packages = python / "lib" / "python3.11" / "site-packages"
    (packages / "__pycache__").mkdir(parents=True)
    (python / "store").mkdir()
    for name in ("lib/python3.11/site-packages/__pycache__/sums.cpython-311.pyc", "store/products.py"):
        (python / name).write_text("known")
    (packages / "products.py").symlink_to(python / "store" / "products.py")
    places = [str(packages / "__pycache__" / "sums.cpython-311.pyc"), str(packages / "products.py")]
    text = f"""
        def read(path):
            try:
                return open(path).read()
            except OSError:
                return ""
        def f():
            return [read(path) for path in {[*places, str(python / "store" / "products.py")]!r}]
    """
    with opened(textwrap.dedent(text), forbid=("sums", "products")) as box:
        assert ("known" in box.call("f").value) == (walls == "")


@pytest.mark.parametrize(
    "text",
    [
        "import torch",
        "import torch.nn as nn",
        "from torch import nn",
        "def f():\n    from torch.nn import functional",
        "from xml import dom",
        "import importlib\nimportlib.import_module('torch')",
        "try:\n    __import__('torch.nn')\nexcept ImportError:\n    pass",
        "import sys\nsys.meta_path.clear()\n__import__('torch')",
        "exec('import torch')",
        "exec('import decimal')",
    ],
)
def test_whoever_imports_a_forbidden_module_is_told_which(text):
    with Box(source(text), forbid=("torch", "xml.dom", "decimal")) as box, pytest.raises(ForbiddenError) as error:
        box.load()
    assert error.value.module in ("torch", "xml.dom", "decimal")
    assert f"imports {error.value.module}" in str(error.value)


def test_a_neighbour_that_imports_a_forbidden_module_is_told_too(walls, tmp_path):
    (tmp_path / "helper.py").write_text("import decimal")
    box = Box(source("import helper"), folder=tmp_path, forbid=["decimal"])
    with box, pytest.raises(ForbiddenError, match="decimal"):
        box.load()


def test_modules_with_similar_names_are_not_forbidden():
    imports = "import torchvision, a.torch\nfrom . import torch\nfrom xml import sax"
    assert forbidden_import(imports, ["torch", "xml.dom"]) is None
    with opened("import xml.sax, json\n", forbid=("torch", "xml.dom", "js")) as box:
        assert box.cell_errors == []


def test_the_text_of_a_forbidden_package_cannot_be_read_within_walls(walls):
    text = f"import os\ndef f():\n    return [os.path.exists(os.path.join(p, '__init__.py')) for p in {process.packages(['hypothesis'])[:1]!r}]"
    with opened(text) as box:
        assert box.call("f").value == [True]
    with opened(text, forbid=("hypothesis", "numpy", "json")) as box:
        assert box.call("f").value == [walls == ""]
