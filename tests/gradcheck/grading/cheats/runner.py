"""The code that runs a submission, within the process of the submission."""

from cheats.cheat import HONEST, WRONG, cheat
from minires.gradcheck.grading.errors import EndedError, GarbledError, TimedOutError

CHEATS = [
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
]
