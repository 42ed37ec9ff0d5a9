"""Letters that a terminal would obey, or not show."""

import unicodedata

import pytest

from minires.console import say, visible


@pytest.mark.parametrize("text", ["", "a b.py", "김민수.py", "é ệ", "नमस्ते", "ที่นี่", "שָׁלוֹם", "\\n", "日本 😀"])
def test_what_people_write_is_shown_as_it_is(text):
    for form in ("NFC", "NFD"):
        assert visible(unicodedata.normalize(form, text)) == unicodedata.normalize(form, text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[2J", r"a\x1b[2J"),
        ("a\nb\tc", r"a\nb\tc"),
        ("a\u202eb", r"a\u202eb"),
        ("a\ud800", r"a\ud800"),
        ("a" + "\u0301" * 5, "a" + "\u0301" * 3 + r"\u0301" * 2),
    ],
)
def test_what_would_draw_is_shown_as_python_writes_it(text, shown):
    assert visible(text) == shown
    assert visible(text).isprintable()


def test_a_line_on_standard_error_draws_nothing(capsys):
    say("gradcheck", "reading a\x1b[2J\n alice.py \x9b31m passed")
    assert capsys.readouterr().err == "gradcheck: reading a\\x1b[2J alice.py \\x9b31m passed\n"
