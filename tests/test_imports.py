"""The rooms keep their order, and importing minires costs little and brings nothing along."""

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

import minires

ROOT = Path(minires.__file__).parent
ROOMS = ["errors", "arrays", "kernels", "graph", "tensor", "op", "ops", "nn", "models", "optim", "data", "storage",
         "parallel", "plots", "probes", "gradcheck", "train"]  # from the ground up
FREE = {"__init__"}  # the public face looks into every room
OPTIONAL = {"matplotlib", "sklearn", "PIL", "safetensors", "cupy", "mpi4py", "tqdm", "threadpoolctl", "torch", "scipy"}
FILES = sorted(ROOT.rglob("*.py"))


def room_of(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path):
    """(room or package, line, whether at the top of the file) of everything that the file imports."""
    tree = ast.parse(path.read_text())
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" if node.module == "minires" else node.module for alias in node.names]
        for name in names:
            package, _, rest = name.partition(".")
            yield rest.split(".")[0] if package == "minires" else package, package == "minires", node.lineno, id(node) in top


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_room_imports_only_from_the_rooms_below_it(path):
    room = room_of(path)
    if room in FREE:
        return
    assert room in ROOMS, f"{room} is no room; give it a place in ROOMS"
    for name, ours, line, _ in imports(path):
        if ours and name in ROOMS:
            assert ROOMS.index(name) <= ROOMS.index(room), f"{path}:{line} imports {name}, which stands above {room}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_optional_packages_are_imported_where_they_are_used(path):
    for name, ours, line, at_top in imports(path):
        assert ours or name not in OPTIONAL or not at_top, f"{path}:{line} imports {name} on loading"
        assert name != "matplotlib", f"{path}:{line}: matplotlib is drawn with in plots only, through need()"


def test_importing_minires_imports_numpy_only():
    code = "import sys, minires, minires.train, minires.gradcheck, minires.data; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert OPTIONAL.isdisjoint(loaded)


def test_importing_minires_takes_less_than_a_quarter_of_a_second():
    """The best of five, beyond what Python and NumPy take by themselves."""
    def best(code):
        times = []
        for _ in range(5):
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            times.append(time.perf_counter() - began)
        return min(times)
    assert best("import minires") - best("import numpy") < 0.25
