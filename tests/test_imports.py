"""The packages keep their order of import, and importing minires imports only NumPy."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import minires

ROOT = Path(minires.__file__).parent
ROOMS = [
    "working_folder",
    "errors",
    "settings",
    "paths",
    "system",
    "console",
    "random",
    "hooks",
    "observe",
    "torch_names",
    "cuda",
    "arrays",
    "states",
    "kernels",
    "mode",
    "graph",
    "tensor_base",
    "op",
    "operators",
    "indexing",
    "methods",
    "tensor",
    "annotations",
    "create",
    "storage",
    "ops",
    "optim",
    "nn",
    "models",
    "data",
    "parallel",
    "plots",
    "probes",
    "summary",
    "convert",
    "predict",
    "explain",
    "evaluate",
    "export",
    "compare",
    "gradcheck",
    "lessons",
    "train",
    "lab",
    "gpucheck",
    "__main__",
]  # from the ground up
FACE = "__init__"  # the public face, minires/__init__.py, looks into the rooms, and only the command looks at it
OPTIONAL = {
    "matplotlib",
    "sklearn",
    "PIL",
    "safetensors",
    "cupy",
    "tqdm",
    "threadpoolctl",
    "torch",
    "scipy",
    "onnx",
    "mpi4py",
}
FILES = sorted(ROOT.rglob("*.py"))


def room_of(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path):
    """(package, part of minires or "", line, whether at the top of the file) of everything that the file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = {id(node) for node in tree.body}
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", None) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }  # these never run
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are written from minires on"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", None) == "need":
            names = [node.args[0].value]
        for name in names:
            package, *rest = name.split(".")
            room = (rest[0] if rest and rest[0] in ROOMS else FACE) if package == "minires" else ""
            yield package, room, node.lineno, id(node) in top


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_room_imports_only_from_the_rooms_below_it(path):
    room = room_of(path)
    if room == FACE:
        return
    assert room in ROOMS, f"{room} is no room; give it a place in ROOMS"
    for _, other, line, _ in imports(path):
        if other and (room, other) != ("__main__", FACE):
            assert other in ROOMS[: ROOMS.index(room) + 1], f"{path}:{line} imports {other}, which stands above {room}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_optional_packages_are_imported_where_they_are_used(path):
    on_gpu = path.parent == ROOT / "kernels" / "device"  # which is itself imported where it is used
    for package, _, line, at_top in imports(path):
        assert package not in OPTIONAL or not at_top or (on_gpu and package == "cupy"), (
            f"{path}:{line} imports {package} on loading"
        )
        assert package != "matplotlib" or room_of(path) == "plots", f"{path}:{line}: plots draws, other rooms ask it to"


def test_importing_minires_imports_numpy_only():
    def loaded(code):
        code = f"import sys, {code}; print(*{{name.partition('.')[0] for name in sys.modules}})"
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        return set(found.split()) - sys.stdlib_module_names

    rooms = ", ".join(f"minires.{room}" for room in sorted({room_of(path) for path in FILES} - {FACE}))
    assert loaded(f"minires, {rooms}") - loaded("numpy, multiprocessing") == {"minires"}


def test_importing_opens_no_socket_and_starts_no_thread_and_no_process():
    """In a browser a server's socket ends the interpreter, and there are no threads and no processes."""
    code = (
        "import pkgutil, sys, numpy, multiprocessing\n"
        "watched = ('socket.', 'subprocess.', 'os.fork', 'os.posix_spawn', 'os.system', '_thread.start')\n"
        "seen = []\n"
        "sys.addaudithook(lambda event, arguments: seen.append(event) if event.startswith(watched) else None)\n"
        "import minires\n"
        "names = [module.name for module in pkgutil.walk_packages(minires.__path__, 'minires.')]\n"
        "for name in names:\n"
        "    if not name.startswith('minires.kernels.device'):\n"  # which need CuPy
        "        __import__(name)\n"
        "print(len(names) > 200, seen)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found == "True []\n"


def test_every_room_is_reachable_from_minires_and_opened_only_when_asked_for():
    code = (
        "import sys, minires; assert 'minires.models' not in sys.modules\n"
        "for room in minires.__dir__(): getattr(minires, room)\n"
        "print(minires.models.resnet20.__name__, minires.nn.ReLU.__name__)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == [
        "resnet20",
        "ReLU",
    ]
    with pytest.raises(AttributeError, match="module 'minires' has no 'cellar'"):
        minires.cellar  # noqa: B018 - the attribute is what is tested
