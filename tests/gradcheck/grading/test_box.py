"""A submission in a box: it says what it defines, is called, and keeps its objects."""

import numpy as np
import pytest
from boxes import opened, source

from minires.gradcheck.grading.box import Box, printable
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


@pytest.fixture
def box(walls):
    with opened(RELU) as box:
        yield box


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
    assert box.attributes(layer) == ["weight", "bias", "_hidden"]
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


def test_arrays_that_a_later_call_changes_are_named(walls):
    text = (
        "import numpy as np\ndef f(x, w):\n    def g(dy):\n        w[:] = 0; y[:] = 0\n    y = x + w\n    return y, g"
    )
    with opened(text) as box:
        returned = box.call("f", (np.ones(3),), {"w": np.ones(3)}, watch=[7, "forward"])
        assert returned.earlier == []
        assert box.call(returned.value[1], (np.ones(3),), since=7).earlier == [["forward", "w"], ["y", 0]]
        assert box.call("f", (np.ones(3), np.ones(3)), since=7).earlier == [["forward", "w"], ["y", 0]]
        assert box.call("f", (np.ones(3), np.ones(3)), since=8).earlier == []


def test_a_cache_comes_back_as_the_object_that_it_was(walls):
    text = """
import collections
Cache = collections.namedtuple("Cache", "x shape")
class Many(list): pass
def forward(x): return 2 * x, Cache(x, Many(x.shape)), collections.OrderedDict(x=x), None
def backward(dy, cache):
    named, ordered, nothing = cache
    return named.x is ordered["x"], type(named.shape).__name__, type(ordered).__name__, nothing
"""
    with opened(text) as box:
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


def test_names_that_are_none_are_not_believed():
    for text in ("globals()['a\\x1b[2J'] = 1", "globals()['9 of 9 passed'] = 1"):
        with Box(source(text)) as box, pytest.raises(GarbledError):
            box.load()


def test_text_for_a_console_moves_no_cursor():
    assert printable("a\x1b[2J\r\nb\u202ec\ud800") == "a [2J b c "
    assert len(printable("a" * 10_000)) == 300


def test_all_errors_of_a_submission_have_one_base():
    kinds = (EndedError, ForbiddenError, GarbledError, RaisedError, TimedOutError)
    assert all(issubclass(kind, ChildError) for kind in kinds)
