"""Cheats, each a small submission: whatever it does to its own process, it harms its own result and nobody else's.

The honest answer is 2·x. A cheat may get its honest answer, a wrong value, or an error; what it never gets is
somebody else's answer, the grader's files, another submission's process, or a process that goes on afterwards.
"""

import os
import socket
import sys
import tempfile
import textwrap
from pathlib import Path

import numpy as np
import pytest
from boxes import USER, nothing_left, source, users

from minires.gradcheck.grading.box import Box, Limits
from minires.gradcheck.grading.errors import ChildError, EndedError, GarbledError, RaisedError, TimedOutError
from minires.gradcheck.grading.face import Handle
from minires.gradcheck.grading.keeper import FIRST_USER

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what Linux lets a submission try")

X = np.arange(6.0).reshape(2, 3)
HONEST, WRONG, HANDLE = "honest", "wrong", "handle"
HOLDS = {
    None: lambda kind: True,
    "namespaces": lambda kind: kind == "namespaces",
    "walls": lambda kind: kind != "",
    "another user": lambda kind: kind != "" or USER,
}
PRELUDE = """
import atexit, ctypes, gc, glob, importlib, json, os, pickle, signal, site, socket, struct, sys, threading, time
import numpy as np

def fds():
    return [fd for fd in range(3, 1024) if is_open(fd)]

def is_open(fd):
    try:
        os.fstat(fd)
        return True
    except OSError:
        return False

def frame(value, number=2):
    header = json.dumps({"value": ["dict", ["number", number], ["value", value]], "arrays": []}).encode()
    return struct.pack(">QI", 4 + len(header), len(header)) + header

def write(data):
    for fd in fds():
        try:
            os.write(fd, data)
        except OSError:
            pass
"""


def cheat(name, outcomes, text, only=None, **settings):
    """One row: what it may get, its text, and what alone holds it, walls or another user."""
    outcomes = outcomes if isinstance(outcomes, tuple) else (outcomes,)
    return pytest.param(outcomes, textwrap.dedent(text), only, settings, id=name.replace(" ", "_"))


CHEATS = [
    # what belongs to NumPy and to Python
    cheat(
        "patches the comparison",
        WRONG,
        """
        np.allclose = np.array_equal = np.testing.assert_allclose = lambda *a, **k: True
        np.abs = np.absolute = np.max = lambda *a, **k: 0.0
        def f(x): return x
        """,
    ),
    cheat(
        "equals everything",
        WRONG,
        """
        class Same(np.ndarray):
            def __eq__(self, other): return np.ones(self.shape, bool)
            def __array_ufunc__(self, *a, **k): return np.zeros(())
            def __array__(self, *a, **k): return a[0]
            def __reduce__(self): return os.system, ("id",)
        def f(x): return np.zeros((2, 3)).view(Same)
        """,
    ),
    cheat(
        "says it is an array",
        HANDLE,
        """
        class Liar:
            __class__ = np.ndarray
            dtype, shape, nbytes = np.dtype(float), (2, 3), 48
            def tobytes(self): return bytes(48)
        def f(x): return Liar()
        """,
    ),
    cheat(
        "has every attribute",
        (HANDLE, WRONG),
        """
        class All:
            def __getattr__(self, name): return self
            def __call__(self, *a, **k): return self
            def __iter__(self): return self
            def __next__(self): return self
            def __bool__(self): raise SystemExit
            def __del__(self): os._exit(0)
        def f(x): return All()
        """,
    ),
    cheat("returns a generator", HANDLE, "def f(x):\n    yield 2 * x"),
    cheat(
        "returns a str that equals all",
        WRONG,
        """
        class Text(str):
            def __eq__(self, other): return True
            def __str__(self): return self
            def encode(self, *a): return b"x"
            __hash__ = str.__hash__
        def f(x): return Text("2x")
        """,
    ),
    cheat(
        "returns a dict without end",
        WRONG,
        """
        class Table(dict):
            def items(self):
                while True: yield "a", 1
            __iter__ = keys = items
            def __len__(self): return 10**9
        def f(x): return Table(a=1)
        """,
    ),
    cheat(
        "returns a list without end",
        WRONG,
        """
        class Many(list):
            def __iter__(self):
                while True: yield 1
        def f(x): return Many([1])
        """,
    ),
    cheat("returns a list within itself", GarbledError, "def f(x):\n    a = []; a.append(a); return a"),
    cheat("returns a million numbers", GarbledError, "def f(x):\n    return [0] * 10**6"),
    cheat("returns 8 TB without memory", GarbledError, "def f(x):\n    return np.broadcast_to(1.0, (10**6, 10**6))"),
    cheat("returns arrays of objects", HANDLE, "def f(x):\n    return np.array([print, os.system, None])"),
    cheat(
        "computes at the last moment",
        WRONG,
        """
        class Late(float):
            def hex(self): return "0x1p+1"
            def __float__(self): return 7.0
        def f(x): return Late(1)
        """,
    ),
    # the wire
    cheat(
        "writes forged answers everywhere",
        (WRONG, GarbledError),
        """
        def f(x):
            write(frame(["dict", ["value", ["list", 1, 2]], ["changed", ["list"]]]))
            return x
        """,
    ),
    cheat(
        "answers before it is asked",
        (WRONG, GarbledError),
        """
        def f(x): return x
        for n in range(20):
            write(frame(["dict", ["value", 1], ["changed", ["list"]]], n))
        """,
    ),
    cheat(
        "sends a pickle",
        GarbledError,
        """
        class Bomb:
            def __reduce__(self): return os.system, ("touch HARM",)
        def f(x):
            write(pickle.dumps(Bomb()))
            write(struct.pack("!i", 100) + pickle.dumps(Bomb()))
            time.sleep(60)
        """,
    ),
    cheat(
        "sends half a message", TimedOutError, "def f(x):\n    write(frame(['list'] + [1] * 99)[:100]); time.sleep(60)"
    ),
    cheat(
        "sends a message byte by byte",
        TimedOutError,
        """
        def f(x):
            write(struct.pack(">Q", 10**6))
            while True:
                write(b" ")
                time.sleep(0.01)
        """,
    ),
    cheat(
        "promises an exabyte",
        GarbledError,
        "def f(x):\n    write(struct.pack('>Q', 2**60))\n    while True: write(bytes(2**16))",
    ),
    cheat(
        "sends a quarter of a gigabyte of nothing",
        (GarbledError, TimedOutError),
        "def f(x):\n    write(struct.pack('>Q', 2**28))\n    while True: write(bytes(2**16))",
    ),
    cheat(
        "sends a hundred thousand brackets",
        GarbledError,
        "def f(x):\n    h = b'[' * 10**5; write(struct.pack('>QI', 4 + len(h), len(h)) + h); time.sleep(60)",
    ),
    cheat("sends back what it got", GarbledError, "def f(x):\n    write(bytes(12)); time.sleep(60)"),
    cheat(
        "leaves a thread that writes",
        (HONEST, GarbledError, EndedError),
        """
        def noise():
            while True: write(b"noise" * 100)
        def f(x):
            threading.Thread(target=noise, daemon=True).start()
            return 2 * x
        """,
    ),
    cheat("closes all files", EndedError, "def f(x):\n    os.closerange(0, 1024); return 2 * x"),
    cheat(
        "takes the place of standard output",
        HONEST,
        "def f(x):\n    os.closerange(0, 3); open('mine', 'w'); print('here'); sys.stdout = None; return 2 * x",
    ),
    cheat("prints without end", TimedOutError, "def f(x):\n    while True: print('a' * 10**6)"),
    cheat("waits for input", RaisedError, "def f(x):\n    return input()"),
    # the runner
    cheat(
        "replaces the functions of the runner",
        (WRONG, GarbledError, EndedError, TimedOutError),
        """
        def f(x):
            frame = sys._getframe()
            while frame.f_back: frame = frame.f_back
            names = frame.f_globals
            names["answer"] = lambda *a: b""
            names["wire"].encode = lambda *a, **k: bytes(8)
            return x
        """,
    ),
    cheat(
        "forges from within the runner",
        (WRONG, GarbledError),
        """
        def f(x):
            frame = sys._getframe()
            while frame.f_back: frame = frame.f_back
            wire = frame.f_globals["wire"]
            true = wire.encode
            wire.encode = lambda v, *a: true({"number": v["number"], "value": {"value": "passed", "changed": [], "ok": 1}})
            return x
        """,
    ),
    cheat(
        "replaces modules",
        HONEST,
        """
        for name in ("wire", "runner", "__main__", "json", "struct", "numpy", "builtins"):
            sys.modules[name] = None
        def f(x): return 2 * x
        """,
    ),
    cheat(
        "traces everything",
        HONEST,
        "def f(x):\n    sys.settrace(lambda *a: None); sys.setprofile(lambda *a: None); return 2 * x",
    ),
    cheat(
        "looks for answers",
        HONEST,
        """
        words = ("expected", "verdict", "registry", "conv2d", "grader", "judge", "like", "seed")
        def f(x):
            assert not [m for m in sys.modules if "minires" in m and not m.startswith("__editable__")], [*sys.modules]
            assert not [o for o in gc.get_objects() if type(o) is type and str(vars(o).get("__module__")).startswith("minires")]
            arrays = [o for o in gc.get_objects() if type(o) is np.ndarray and o is not x and o.shape == x.shape]
            frame = sys._getframe()
            while frame:
                for value in frame.f_locals.values():
                    assert not (type(value) is dict and any(w in value for w in words)), value
                    if type(value) is np.ndarray and value is not x: arrays.append(value)
                assert "minires" not in frame.f_globals.get("__name__", "")
                frame = frame.f_back
            assert not arrays
            assert not [v for v in os.environ.values() if "hidden from submissions" in v]
            return 2 * x
        """,
    ),
    # exceptions
    cheat("leaves by SystemExit", RaisedError, "def f(x):\n    sys.exit(0)"),
    cheat("leaves by KeyboardInterrupt", RaisedError, "def f(x):\n    raise KeyboardInterrupt"),
    cheat("leaves by an exception of its own", RaisedError, "class E(BaseException): pass\ndef f(x):\n    raise E"),
    cheat("leaves by os._exit", EndedError, "def f(x):\n    os._exit(0)"),
    cheat("exits when Python ends", HONEST, "atexit.register(os._exit, 0)\ndef f(x):\n    return 2 * x"),
    cheat(
        "raises what cannot be printed",
        RaisedError,
        """
        class E(Exception):
            def __str__(self): raise SystemExit("no")
            __repr__ = __str__
            __traceback__ = property(lambda self: 1 / 0)
        def f(x): raise E
        """,
    ),
    cheat(
        "raises what prints without end",
        (RaisedError, TimedOutError),
        """
        class E(Exception):
            def __str__(self): return "a" * 10**9
        E.__name__ = "passed" * 10**6
        def f(x): raise E
        """,
    ),
    cheat(
        "draws on the console",
        RaisedError,
        r"def f(x): raise ValueError('\x1b[2J\x1b[H\r\n9 of 9 cases passed\n\x07\u202e')",
    ),
    cheat("calls itself without end", RaisedError, "def f(x):\n    return f(x)"),
    cheat(
        "calls itself without a limit",
        (EndedError, RaisedError, TimedOutError),
        "sys.setrecursionlimit(10**9)\nclass A:\n    def __getattr__(self, n): return getattr(self, n + 'a')\n"
        "def f(x):\n    return f(x) + A().a",
    ),
    cheat("reads no memory", EndedError, "def f(x):\n    ctypes.string_at(0)"),
    cheat("stops itself", TimedOutError, "def f(x):\n    os.kill(os.getpid(), signal.SIGSTOP)"),
    cheat(
        "ignores signals",
        TimedOutError,
        """
        def f(x):
            for s in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}: signal.signal(s, signal.SIG_IGN)
            while True: pass
        """,
    ),
    # the machine
    cheat("takes all memory", RaisedError, "def f(x):\n    return np.ones(10**12)"),
    cheat(
        "takes memory by and by",
        (RaisedError, TimedOutError),
        "def f(x):\n    return [bytearray(10**7) for _ in range(10**6)]",
    ),
    cheat(
        "fills the disk",
        RaisedError,
        """
        def f(x):
            for n in range(10**4):
                with open(f"large{n}", "wb") as file:
                    for _ in range(64): file.write(bytes(10**6))
        """,
        only="namespaces",
        timeout=5,
    ),
    cheat(
        "makes a million files",
        (RaisedError, TimedOutError),
        "def f(x):\n    for n in range(10**6): open(f'a{n}', 'w')",
        only="walls",
    ),
    cheat("is a fork bomb", (RaisedError, TimedOutError), "def f(x):\n    while True: os.fork()", only="another user"),
    cheat(
        "leaves daemons",
        HONEST,
        """
        def f(x):
            for _ in range(3):
                if os.fork() == 0:
                    os.setsid()
                    signal.signal(signal.SIGTERM, signal.SIG_IGN)
                    signal.signal(signal.SIGHUP, signal.SIG_IGN)
                    if os.fork() == 0:
                        os.environ.clear()
                        time.sleep(60)
                    os._exit(0)
            return 2 * x
        """,
    ),
    cheat(
        "leaves a daemon that holds the socket",
        (EndedError, TimedOutError),
        "def f(x):\n    if os.fork() == 0:\n        os.setsid()\n        time.sleep(60)\n    os._exit(0)",
    ),
    cheat("goes on in two processes", HONEST, "def f(x):\n    os.fork(); return 2 * x"),
    # the grader
    cheat(
        "kills its parent",
        (EndedError, RaisedError, HONEST),
        "def f(x):\n    os.kill(os.getppid(), 9); return 2 * x",
        only="another user",
    ),
    cheat(
        "kills everybody",
        (EndedError, RaisedError, HONEST),
        "def f(x):\n    os.kill(-1, 9); return 2 * x",
        only="another user",
    ),
    cheat(
        "reads the grader's memory",
        HONEST,
        """
        def f(x):
            for pid in GRADER:
                for name in ("mem", "environ", "maps", "fd/1", "root/etc/shadow", "cwd/x"):
                    try:
                        open(f"/proc/{pid}/{name}", "rb").read(1)
                        return f"read {pid} {name}"
                    except OSError:
                        pass
                if ctypes.CDLL(None).ptrace(16, pid, 0, 0) == 0: return "traced"
            return 2 * x
        """,
        only="another user",
    ),
    cheat(
        "edits what is installed",
        HONEST,
        """
        def f(x):
            folders = [os.path.dirname(np.__file__), os.path.dirname(os.__file__), *site.getsitepackages(), *INSTALLED]
            for folder in folders:
                for name in ("__init__.py", "sitecustomize.py", "a.pth", "usercustomize.py", "grading/judge.py"):
                    try:
                        open(os.path.join(folder, name), "a").close()
                        return os.path.join(folder, name)
                    except OSError:
                        pass
                try:
                    os.chmod(folder, 0o777)
                    return folder
                except OSError:
                    pass
            return 2 * x
        """,
        only="another user",
    ),
    cheat(
        "reads files of others",
        HONEST,
        """
        def f(x):
            for path in ("/etc/shadow", TEACHER, os.path.dirname(TEACHER), "/proc/1/environ", "/home", "/var"):
                try:
                    os.listdir(path) if os.path.isdir(path) else open(path).read()
                    return path
                except OSError:
                    pass
            return 2 * x
        """,
        only="walls",
    ),
    cheat(
        "climbs over the walls",
        HONEST,
        """
        def f(x):
            libc = ctypes.CDLL(None, use_errno=True)
            libc.unshare(0x10000000); libc.unshare(0x00020000)
            try:
                os.mkdir("old")
            except OSError:
                pass
            for way in (lambda: libc.chroot(b"old"), lambda: libc.umount2(b"/usr", 2), lambda: libc.umount2(b"/", 2),
                        lambda: libc.mount(b"none", b"/usr", None, 32, None), lambda: libc.setuid(0)):
                way()
            for _ in range(50):
                os.chdir("..")
            return [p for p in ("etc/shadow", "proc/1", "var") if os.path.exists(p)] or 2 * x
        """,
        only="walls",
    ),
    cheat(
        "calls home",
        HONEST,
        """
        def f(x):
            for port in PORTS:
                try:
                    socket.create_connection(("127.0.0.1", port), 1)
                    return "connected"
                except OSError:
                    pass
            return 2 * x
        """,
        only="walls",
    ),
    cheat(
        "leaves files for the next",
        HONEST,
        """
        def f(x):
            for folder in {"/tmp", "/var/tmp", "/dev/shm", os.path.expanduser("~"), os.getcwd(), tempfile_of()}:
                try:
                    open(os.path.join(folder, "minires-left-behind.py"), "w").close()
                except OSError:
                    pass
            return 2 * x
        def tempfile_of():
            import tempfile
            return tempfile.gettempdir()
        """,
        only="walls",
    ),
    cheat(
        "removes the guard over imports",
        (HONEST, RaisedError),
        """
        sys.meta_path[:] = [m for m in sys.meta_path if "Finder" not in repr(m) or "importlib" in repr(m)]
        def f(x):
            for folder in sys.path:
                for path in glob.glob(os.path.join(folder, "hypothesis", "**", "*.py"), recursive=True):
                    return open(path).read(100)
            return 2 * x
        """,
        only="walls",
        forbid=["hypothesis"],
    ),
    cheat("has a signature that raises", RaisedError, "def f(x): return x\nf.__signature__ = 5\nf = property(f)"),
]


def outcome(box):
    """What a submission gets: an error's class, or what its value is worth."""
    try:
        box.load()
        assert not box.cell_errors  # a cheat that is misspelt is none
        value = box.call("f", (X,)).value
    except ChildError as error:
        said = error
    else:
        return worth(value)
    assert len(str(said)) < 1000
    assert str(said).isprintable()
    return type(said)


def worth(value):
    """What a value is: right, wrong, or none."""
    if isinstance(value, Handle):
        return HANDLE
    return HONEST if type(value) is np.ndarray and value.shape == X.shape and (value == 2 * X).all() else WRONG


def test_there_are_more_than_forty():
    assert len(CHEATS) > 40


@pytest.fixture(scope="module")
def honest(walls):
    """Whoever sits beside all the cheats."""
    with Box(source("def f(x): return 2 * x")) as box:
        box.load()
        yield box
    assert nothing_left(box.marker)


@pytest.mark.parametrize(("outcomes", "text", "only", "settings"), CHEATS)
def test_a_cheat_harms_its_own_result_only(walls, honest, outcomes, text, only, settings, tmp_path, monkeypatch):
    if not HOLDS[only](walls):
        pytest.skip(f"nothing holds this without {only}")
    monkeypatch.setenv("SECRET", "hidden from submissions")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "teacher.py").write_text("answer = 42")
    with socket.create_server(("127.0.0.1", 0)) as server:
        grader = [os.getpid(), os.getppid(), honest.process.process.pid]
        installed = [str(Path(__file__).parents[3] / "minires" / "gradcheck")]
        facts = f"GRADER, INSTALLED, TEACHER, PORTS = {grader}, {installed}, {str(tmp_path / 'teacher.py')!r}, {[server.getsockname()[1]]}"
        with Box(
            source("\n".join([PRELUDE, facts, text])), **{"timeout": 1.0, "limits": Limits(memory=2**30), **settings}
        ) as box:
            user = FIRST_USER + box.process.process.pid
            got = outcome(box)
            again = outcome_again(box)
        assert got in outcomes
        assert again in (*outcomes, EndedError, GarbledError)
        np.testing.assert_array_equal(honest.call("f", (X,)).value, 2 * X)  # whoever sits beside it
    assert nothing_left(box.marker)
    assert user not in users()
    assert not os.path.exists(box.scratch)
    assert sorted(os.listdir(tmp_path)) == ["teacher.py"]
    assert not Path(tempfile.gettempdir(), "minires-left-behind.py").exists()


def outcome_again(box):
    """The same question once more: what is left over from the first answer must not be taken for the second."""
    try:
        return worth(box.call("f", (X,)).value)
    except ChildError as error:
        return type(error)
