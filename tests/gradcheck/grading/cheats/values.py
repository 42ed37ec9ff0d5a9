"""Values and functions that are not what they seem, to NumPy and to Python."""

from cheats.cheat import HANDLE, WRONG, cheat
from minires.gradcheck.grading.errors import GarbledError

CHEATS = [
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
]
