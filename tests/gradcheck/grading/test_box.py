"""A submission in a box: it is loaded, described, called and ended, and what it does wrong is a sentence."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from boxes import nothing_left, processes, source, walls  # noqa: F401 - a fixture

from minires.gradcheck.grading import process
from minires.gradcheck.grading.box import Box, Limits, forbidden_import, printable
from minires.gradcheck.grading.errors import (
    ChildError,
    EndedError,
    ForbiddenError,
    GarbledError,
    RaisedError,
    TimedOutError,
)
from minires.gradcheck.grading.face import Described, Handle, Parameter

RELU = """
import numpy as np
from numpy import array

def relu(x, *, slope=0.0):
    return np.maximum(x, slope * x), lambda dy: dy * (x > 0)

def _private(): pass

class Linear:
    limit = 3

    def __init__(self, weight, bias=None):
        self.weight, self.bias, self._hidden = weight, bias, 1

    def forward(self, x, *more, scale=1, **others):
        return scale * x @ self.weight

    @staticmethod
    def backward(dy):
        return dy

    @classmethod
    def made(cls, size):
        return cls(np.eye(size))

    def __call__(self, x):
        return self.forward(x)

def in_place(x, pair, settings=None):
    x += 1
    pair[0][:] = 0
    settings["a"] = 5

def several():
    return np.float32(1), [1, (2.5, None)], {"dx": np.arange(3)}, np.array([None]), {1: 2}

def raising(x):
    return (1 /
            0)

layer = Linear(np.eye(2))
double = (lambda x: 2 * x)
number = 3
"""


def opened(*texts, file="homework.py", **settings):
    box = Box(source(*texts, file=file), **{"timeout": 10, **settings})
    with box:
        box.names = box.load()
        yield box


@pytest.fixture
def box(walls):  # noqa: F811
    yield from opened(RELU)


def test_it_says_what_is_defined(box):
    assert box.names == ["relu", "Linear", "in_place", "several", "raising", "layer", "double", "number"]
    assert box.cell_errors == []


def test_it_says_how_a_function_is_called(box):
    described = Described("function", [Parameter("x", "positional", True), Parameter("slope", "keyword", False, 0.0)])
    assert box.describe("relu") == described
    assert box.describe("nothing") == Described("missing")


def test_it_says_how_a_class_and_an_object_are_used(box):
    linear = box.describe("Linear")
    assert linear.kind == "class"
    assert linear.parameters == [Parameter("weight", "positional", True), Parameter("bias", "positional", False)]
    assert {name: [p.name for p in parameters] for name, parameters in linear.methods.items()} == {
        "forward": ["x", "more", "scale", "others"],
        "backward": ["dy"],
        "made": ["size"],
        "__call__": ["x"],
    }
    assert [p.kind for p in linear.methods["forward"]] == ["positional", "*", "keyword", "**"]
    assert [p.required for p in linear.methods["forward"]] == [True, False, False, False]
    layer = box.describe("layer")
    assert layer.kind == "object"
    assert [p.name for p in layer.parameters] == ["x"]
    assert layer.methods == linear.methods


def test_a_call_gives_arrays_and_handles(box):
    x = np.arange(-2.0, 3.0)
    y, backward = box.call("relu", (x,), {"slope": 0.5}).value
    np.testing.assert_array_equal(y, np.maximum(x, x / 2))
    assert backward == Handle(0, "function", True)
    np.testing.assert_array_equal(box.call(backward, (np.ones(5),)).value, x > 0)


def test_values_keep_their_form(box):
    scalar, numbers, table, objects, other = box.call("several").value
    assert scalar.shape == ()
    assert scalar.dtype == np.float32
    assert numbers == [1, (2.5, None)]
    np.testing.assert_array_equal(table["dx"], [0, 1, 2])
    assert (objects.type, other.type) == ("array of object", "dict")


def test_objects_stay_and_are_used_by_their_handles(box):
    weight = np.array([[1.0, 2.0], [3.0, 4.0]])
    layer = box.call("Linear", (weight,)).value
    assert layer.type == "Linear"
    assert box.attributes(layer) == ["weight", "bias"]
    np.testing.assert_array_equal(box.call(layer, (np.eye(2),), method="forward").value, weight)
    box.set(layer, "weight", 2 * weight)
    np.testing.assert_array_equal(box.get(layer, "weight"), 2 * weight)
    np.testing.assert_array_equal(box.call(layer, (np.eye(2),), {"scale": 2}, method="forward").value, 4 * weight)
    assert box.call("double", (box.get(layer, "limit"),)).value == 6


def test_arrays_that_a_call_changes_are_named(box):
    x = np.zeros(3)
    returned = box.call("in_place", (x, (np.ones(2), 1)), {"settings": {"a": 1}})
    assert returned.changed == [0, 1]
    assert not x.any()  # here they are what they were


def test_arrays_that_a_later_call_changes_are_named(walls):  # noqa: F811
    text = (
        "import numpy as np\ndef f(x, w):\n    def g(dy):\n        w[:] = 0; y[:] = 0\n    y = x + w\n    return y, g"
    )
    for box in opened(text):
        returned = box.call("f", (np.ones(3),), {"w": np.ones(3)}, watch=[7, "forward"])
        assert returned.earlier == []
        assert box.call(returned.value[1], (np.ones(3),), since=7).earlier == [["forward", "w"], ["y", 0]]
        assert box.call("f", (np.ones(3), np.ones(3)), since=7).earlier == [["forward", "w"], ["y", 0]]
        assert box.call("f", (np.ones(3), np.ones(3)), since=8).earlier == []


def test_a_cache_comes_back_as_the_object_that_it_was(walls):  # noqa: F811
    text = """
import collections
Cache = collections.namedtuple("Cache", "x shape")
class Many(list): pass
def forward(x): return 2 * x, Cache(x, Many(x.shape)), collections.OrderedDict(x=x), None
def backward(dy, cache):
    named, ordered, nothing = cache
    return named.x is ordered["x"], type(named.shape).__name__, type(ordered).__name__, nothing
"""
    for box in opened(text):
        y, *cache = box.call("forward", (np.ones(3),), keep=True).value
        assert [kept and kept.type for kept in cache] == ["Cache", "OrderedDict", None]
        assert box.call("backward", (y, tuple(cache))).value == (True, "Many", "OrderedDict", None)


def test_an_exception_has_its_place(box):
    with pytest.raises(RaisedError) as raised:
        box.call("raising", (1,))
    error = raised.value
    assert (error.type, error.message, error.cell) == ("ZeroDivisionError", "division by zero", "homework.py")
    assert RELU.splitlines()[error.line - 1].strip() in ("return (1 /", "0)")
    with pytest.raises(RaisedError, match="unexpected keyword argument 'pad'"):
        box.call("relu", (np.ones(2),), {"pad": 1})
    assert box.call("double", (4,)).value == 8  # and it goes on


def test_a_value_that_cannot_be_handed_over_is_the_callers_mistake(box):
    with pytest.raises(ValueError, match="a object cannot be handed"):
        box.call("relu", (object(),))
    assert box.call("double", (4,)).value == 8


def test_a_cell_that_fails_is_told_and_the_others_run(walls):  # noqa: F811
    cells = ("a = 1", "def broken(:", "b = a / 0", "import sys; sys.exit(3)", "c = a + 1")
    for box in opened(*cells, file="homework.ipynb"):
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
    for box in opened(*cells, file="homework.ipynb"):
        assert box.cell_errors == []
        assert box.call("f", (21,)).value == 42
        assert box.names == ["f", "files", "y"]


def test_what_it_defines_works_as_in_a_file(walls):  # noqa: F811
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
    for box in opened(text):
        assert box.call("f", (5,)).value == (5, text[text.index("def f") : text.index("if __name__")], "homework", True)


def test_neighbours_are_there_and_only_they(walls, tmp_path):  # noqa: F811
    (tmp_path / "helper.py").write_text("def larger(x):\n    return 2 * x\n")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("three = 3")
    (tmp_path / "teacher.py").write_text("answer = 42")
    (tmp_path / "movie.mp4").write_bytes(b"0")
    (tmp_path / ".git").mkdir()
    (tmp_path / "link.txt").symlink_to("/etc/passwd")
    np.save(tmp_path / "data.npy", np.arange(3))
    text = "import os, numpy as np, helper, package\ndef f(x):\n    return helper.larger(x) + np.load('data.npy'), sorted(os.listdir())"
    for box in opened(text, folder=tmp_path, without=[tmp_path / "teacher.py"]):
        assert box.cell_errors == []
        value, names = box.call("f", (np.ones(3),)).value
        np.testing.assert_array_equal(value, [2, 3, 4])
        assert [n for n in names if not n.startswith(("_", "."))] == ["data.npy", "helper.py", "package"]
    for box in opened(text, folder=None):
        assert [e.type for e in box.cell_errors] == ["ModuleNotFoundError"]
    scratch = box.scratch
    assert not os.path.exists(scratch)


def test_names_of_libraries_beside_a_homework_shadow_them_for_itself_only(walls, tmp_path):  # noqa: F811
    for name in ("json", "wire", "runner", "inspect", "random"):
        (tmp_path / f"{name}.py").write_text("here = 1")
    for box in opened("import wire\ndef f():\n    return wire.here", folder=tmp_path):
        assert box.call("f").value == 1


def test_packages_of_other_pythons_are_hidden_too(tmp_path, monkeypatch):
    (tmp_path / "lib" / "python3" / "dist-packages" / "sums").mkdir(parents=True)
    for name in ("_sums.cpython-311.so", "sums.py", "sumsets.py"):
        (tmp_path / "lib" / "python3" / "dist-packages" / name).touch()
    monkeypatch.setattr(process, "SYSTEM", [str(tmp_path)])
    process.other_packages.cache_clear()
    found = [os.path.basename(path) for path in process.packages(["sums", "_sums"]) if path.startswith(str(tmp_path))]
    process.other_packages.cache_clear()
    assert sorted(found) == ["_sums.cpython-311.so", "sums", "sums.py"]


def test_a_loop_without_end_is_a_sentence_and_the_box_is_closed(walls):  # noqa: F811
    for box in opened("def f():\n    while True:\n        pass", timeout=0.5):
        start = time.monotonic()
        with pytest.raises(TimedOutError, match=r"did not finish within 0\.5 s"):
            box.call("f")
        assert time.monotonic() - start < 3
        with pytest.raises(EndedError, match="has ended"):
            box.call("f")
    assert nothing_left(box.marker)


def test_a_large_array_to_a_process_that_does_not_read_has_a_deadline(walls):  # noqa: F811
    text = "import threading, time, os, signal\ndef f(x):\n    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGSTOP)).start()"
    for box in opened(text, timeout=1):
        box.call("f", (1,))
        time.sleep(0.3)
        with pytest.raises(TimedOutError):
            box.call("f", (np.zeros(10**7),))


@pytest.mark.parametrize(
    ("body", "code", "sentence"),
    [
        ("os._exit(3)", 3, "exit code 3"),
        ("os._exit(0)", 0, "exit code 0"),
        ("os.abort()", -signal.SIGABRT, "SIGABRT"),
        ("ctypes.string_at(0)", -signal.SIGSEGV, "SIGSEGV"),
    ],
)
def test_an_end_has_its_exit_code_and_the_last_words(walls, body, code, sentence):  # noqa: F811
    for box in opened(f"import os, ctypes\nprint('last words', flush=True)\ndef f():\n    {body}"):
        with pytest.raises(EndedError, match=sentence) as ended:
            box.call("f")
        assert ended.value.code == code
        assert ended.value.output.startswith("last words")


def test_a_python_that_cannot_start_is_an_end_with_its_own_words(monkeypatch):
    monkeypatch.setattr(process, "HERE", process.HERE / "nowhere")
    with pytest.raises(EndedError, match="cannot be started"), Box(source("")):
        raise AssertionError("it has started")


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


def test_a_neighbour_that_imports_a_forbidden_module_is_told_too(walls, tmp_path):  # noqa: F811
    (tmp_path / "helper.py").write_text("import decimal")
    with (
        Box(source("import helper"), folder=tmp_path, forbid=["decimal"]) as box,
        pytest.raises(ForbiddenError, match="decimal"),
    ):
        box.load()


def test_modules_with_similar_names_are_not_forbidden():
    assert (
        forbidden_import("import torchvision, a.torch\nfrom . import torch\nfrom xml import sax", ["torch", "xml.dom"])
        is None
    )
    for box in opened("import xml.sax, json\n", forbid=("torch", "xml.dom", "js")):
        assert box.cell_errors == []


def test_the_text_of_a_forbidden_package_cannot_be_read_within_walls(walls):  # noqa: F811
    text = f"import os\ndef f():\n    return [os.path.exists(os.path.join(p, '__init__.py')) for p in {process.packages(['hypothesis'])[:1]!r}]"
    for box in opened(text):
        assert box.call("f").value == [True]
    for box in opened(text, forbid=("hypothesis", "numpy", "json")):
        assert box.call("f").value == [walls == ""]


def test_limits_hold(walls):  # noqa: F811
    text = """
import os, numpy as np
def memory():
    return np.ones(2**28)
def much():
    return [bytearray(2**20) for _ in range(2000)]
def file():
    with open("large", "wb") as f:
        for _ in range(100): f.write(bytes(2**20))
def files():
    return [open(os.devnull) for _ in range(1000)] and 1
"""
    for box in opened(text, limits=Limits(memory=2**30, file=2**20, files=220)):
        for name, kind in (
            ("memory", "MemoryError"),
            ("much", "MemoryError"),
            ("file", "OSError"),
            ("files", "OSError"),
        ):
            with pytest.raises(RaisedError) as raised:
                box.call(name)
            assert kind in raised.value.type


def test_an_answer_is_limited(walls):  # noqa: F811
    for box in opened("import numpy as np\ndef f(n):\n    return np.zeros(n)", limits=Limits(answer=2**20)):
        with pytest.raises(GarbledError, match="longer than 1 MB"):
            box.call("f", (2**20,))


def test_processes_of_several_boxes_do_not_disturb_each_other(walls):  # noqa: F811
    with Box(source("def f(x): return x + 1")) as one, Box(source("def f(x): return x + 2")) as two:
        one.load()
        two.load()
        assert [box.call("f", (1,)).value for box in (one, two, one)] == [2, 3, 2]
    assert nothing_left(one.marker)
    assert nothing_left(two.marker)


def test_a_system_without_pipes_to_wait_for_calls_back(monkeypatch):
    """As on Windows, as far as that goes here."""
    monkeypatch.setattr(process, "_start_by_keeper", process._start_by_port)
    monkeypatch.setattr(process, "kind_of_walls", lambda: "")
    for box in opened(
        "import os\ndef f(x): return 2 * x\ndef g(): os._exit(3)\ndef h():\n    while True: pass", timeout=1
    ):
        np.testing.assert_array_equal(box.call("f", (np.ones(3),)).value, [2, 2, 2])
        with pytest.raises(EndedError, match="exit code 3"):
            box.call("g")
    for box in opened("def h():\n    while True: pass", timeout=0.5):
        with pytest.raises(TimedOutError):
            box.call("h")


def test_names_that_are_none_are_not_believed():
    for text in ("globals()['a\\x1b[2J'] = 1", "globals()['9 of 9 passed'] = 1"):
        with Box(source(text)) as box, pytest.raises(GarbledError):
            box.load()


@pytest.mark.skipif(sys.platform != "linux", reason="looks through /proc")
def test_a_daemon_ends_even_when_its_keeper_was_killed(walls):  # noqa: F811
    text = "import os, time\ndef f():\n    if os.fork() == 0:\n        os.setsid()\n        time.sleep(60)"
    for box in opened(text):
        box.call("f")
        box.process.process.kill()
    assert nothing_left(box.marker)


GRADER = """
import sys
sys.path.insert(0, {tests!r})
from boxes import source
from minires.gradcheck.grading import process
from minires.gradcheck.grading.box import Box
process.kind_of_walls = lambda: {walls!r}
text = '''
import os, signal, time
def f():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(60)
        os._exit(0)
    while True: pass
'''
with Box(source(text), timeout=60) as box:
    box.load()
    print(box.marker, flush=True)
    box.call("f")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks through /proc")
def test_everything_ends_when_the_grader_is_killed(walls, tmp_path):  # noqa: F811
    script = GRADER.format(tests=os.path.dirname(__file__), walls=walls)
    grader = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    marker = grader.stdout.readline().strip()
    time.sleep(0.5)
    assert len(processes(marker)) >= 2
    grader.kill()
    grader.communicate()
    assert nothing_left(marker)


def test_text_for_a_console_moves_no_cursor():
    assert printable("a\x1b[2J\r\nb\u202ec\ud800") == "a [2J b c "
    assert len(printable("a" * 10_000)) == 300


def test_what_holds_is_told_for_every_system(walls):  # noqa: F811
    told = process.protections()
    assert all(isinstance(value, bool) for value in told.values())
    assert told["there is no network"] == (walls != "")


def test_all_errors_of_a_submission_have_one_base():
    assert all(
        issubclass(e, ChildError) for e in (EndedError, ForbiddenError, GarbledError, RaisedError, TimedOutError)
    )
