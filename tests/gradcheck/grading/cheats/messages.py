"""Messages between a submission and the grader, forged, halved or too long."""

from cheats.cheat import HONEST, WRONG, cheat
from minires.gradcheck.grading.errors import EndedError, GarbledError, RaisedError, TimedOutError

CHEATS = [
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
    *(
        cheat(
            f"forges what it has changed {number}",
            GarbledError,
            f"""
            wire = sys._getframe()
            while wire.f_back: wire = wire.f_back
            wire = wire.f_globals["wire"]
            true = wire.encode
            def forged(said, *a):
                if isinstance(said["value"], dict) and "changed" in said["value"]: said["value"] |= {forged}
                return true(said, *a)
            wire.encode = forged
            def f(x): return 2 * x
            """,
        )
        for number, forged in enumerate(
            (
                {"changed": [-100]},
                {"changed": ["x\nalice.py   passed"]},
                {"changed": ["y"]},
                {"changed": [0, 0]},
                {"earlier": [["forward", -5]]},
                {"earlier": [["forward", "x\nalice.py   passed"]]},
            )
        )
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
]
