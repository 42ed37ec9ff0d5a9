"""What plain values may be, and the sentence about what they may not."""

import itertools

import pytest

from minires.storage.schema import Boolean, DictOf, Fields, Float, Integer, ListOf, Number, OneOf, Text, TupleOf, shown

LONG = "x" * 58


@pytest.mark.parametrize(
    ("schema", "values"),
    [
        (Integer(0, 3), [0, 3]),
        (Integer(), [-(10**30), 10**30]),
        (Number(0, 1), [0, 1, 0.0, 1.0, 5e-324]),
        (Number(), [-1e308, 1e308]),
        (Float(), [1, 1.5, float("nan"), float("-inf"), -(10**300)]),
        (Boolean(), [True, False]),
        (Text(), ["", "a\nb", "그림"]),
        (Text(r"a.c", "three letters"), ["abc", "a\nc"]),
        (OneOf("a", 1), ["a", 1]),
        (OneOf(None), [None]),
        (ListOf(Integer()), [[], [1, 2]]),
        (TupleOf(Integer(), empty=True), [(), (1,)]),
        (ListOf(Integer(), 2), [[1, 2]]),
        (ListOf(Integer(), 3), [[1, 2, 3]]),
        (DictOf(Integer()), [{}, {"a": 1}]),
        (Fields(a=Integer()), [{"a": 1}]),
        (Fields(optional=("b",), a=Integer(), b=Text()), [{"a": 1}, {"b": "", "a": 1}]),
    ],
)
def test_what_is_allowed_has_no_fault(schema, values):
    assert [schema.fault("x", value) for value in values] == [""] * len(values)


@pytest.mark.parametrize(
    ("schema", "value", "sentence"),
    [
        (Integer(0, 3), -1, "x must be at least 0, got -1"),
        (Integer(0, 3), 4, "x must be at most 3, got 4"),
        (Integer(), True, "x must be a whole number, got True"),
        (Integer(), 1.0, "x must be a whole number, got 1.0"),
        (Number(0), float("nan"), "x must be a finite number, got nan"),
        (Number(0), float("inf"), "x must be a finite number, got inf"),
        (Number(0), float("-inf"), "x must be at least 0, got -inf"),
        (Number(), False, "x must be a number, got False"),
        (Number(), 10**400, f"x must be a finite number, got 1{'0' * 59}…"),
        (Number(0), 10**5000, "x must be a finite number, got a number of thousands of digits"),
        (Float(), True, "x must be a number, got True"),
        (Float(), "1", "x must be a number, got '1'"),
        (Float(), 10**400, f"x must be a number, got 1{'0' * 59}…"),
        (Boolean(), 1, "x must be True or False, got 1"),
        (Text(), "a\0b", r"x must be text, got 'a\x00b'"),
        (Text(r"abc", "abc"), "abcd", "x must be abc, got 'abcd'"),
        (Text(r"abc", "abc"), "abc\n", r"x must be abc, got 'abc\n'"),
        (Text(), None, "x must be text, got None"),
        (OneOf("a", 1), True, "x must be one of a, 1, got True"),
        (OneOf("a", 1), 1.0, "x must be one of a, 1, got 1.0"),
        (OneOf(3), 4, "x must be 3, got 4"),
        (ListOf(Integer()), (1,), "x must be a list, got (1,)"),
        (OneOf(False), 0, "x must be False, got 0"),
        (ListOf(Integer(1), 0), [1], "x must hold 0 items, got 1"),
        (ListOf(Integer(), 2), [1], "x must hold 2 items, got 1"),
        (ListOf(Integer(0)), [0, -1, -2], "x[1] must be at least 0, got -1"),
        (TupleOf(Integer()), (), "x must have at least one value"),
        (TupleOf(Integer(), empty=True), (None,), "x[0] must be a whole number, got None"),
        (DictOf(Integer()), [], "x must be a dictionary, got []"),
        (DictOf(Integer()), {"a": 1, "b": None}, "x['b'] must be a whole number, got None"),
        (Fields(a=Integer()), None, "x must be a dictionary, got None"),
        (Fields(a=Integer()), {}, "x lacks 'a'"),
        (Fields(a=Integer()), {"b": 1}, "x lacks 'a'"),
        (Fields(a=Integer()), {"a": 1, "b": 1}, "x has an unknown entry 'b'"),
        (Fields(a=Integer()), {"a": None}, "x.a must be a whole number, got None"),
    ],
    ids=itertools.count(),
)
def test_a_fault_names_the_value_and_what_is_allowed(schema, value, sentence):
    assert schema.fault("x", value) == sentence


def test_the_outermost_fields_need_no_name():
    assert Fields(a=Integer()).fault("", {"a": None}) == "a must be a whole number, got None"


def test_sixty_letters_of_a_value_are_shown():
    assert shown(LONG) == f"'{LONG}'"  # sixty with its quotation marks
    assert shown(LONG + "y") == f"'{LONG}y…"
