"""Memory, disk and processes, until nothing is left."""

from cheats.cheat import HONEST, cheat
from minires.gradcheck.grading.errors import EndedError, RaisedError, TimedOutError

CHEATS = [
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
]
