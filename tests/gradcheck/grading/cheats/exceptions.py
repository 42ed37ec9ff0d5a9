"""Exceptions, exits and signals in place of an answer."""

from cheats.cheat import HONEST, cheat
from minires.gradcheck.grading.errors import EndedError, RaisedError, TimedOutError

CHEATS = [
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
    cheat("has a signature that raises", RaisedError, "def f(x): return x\nf.__signature__ = 5\nf = property(f)"),
]
