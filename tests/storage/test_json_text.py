"""JSON of a hostile file is refused before Python's parser recurses into it."""

import json
import time

import pytest

from minires.storage.json_text import DEEPEST, depth, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("5", 0),
        ("[]", 1),
        ('[1,{"a":[2]},[[3]]]', 3),
        ('{"[[[[": "]]}}{{"}', 1),  # brackets in strings do not count
        (r'{"\"[[": "\\"}', 1),
        (r'"\"[[[', 0),  # a string without an end
        ("]]]][", 0),
    ],
)
def test_brackets_are_counted_outside_of_strings(text, expected):
    assert depth(text) == expected


def test_what_python_reads_is_read_and_deeper_brackets_are_refused():
    sound = "[" * DEEPEST + "]" * DEEPEST
    assert parse(sound) == json.loads(sound)
    for text in (f"[{sound}]", '{"a":' * 100_000, "[" * 100_000):
        with pytest.raises(ValueError, match="brackets are nested deeper than 100"):
            parse(text)


@pytest.mark.parametrize(
    "text", ['"' + '\\"' * 1_000_000, '""' * 1_000_000, "\\" * 1_000_000], ids=["open", "many", "\\"]
)
def test_no_text_takes_long(text):
    began = time.process_time()
    assert depth(text) == 0
    assert time.process_time() - began < 5
