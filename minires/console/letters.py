"""Letters that a terminal would not show as they are."""

import unicodedata

PILE = 3  # marks above or below one letter; no language that is written has more


def visible(text):
    r"""The text on one line, with what moves a cursor or is not seen as Python writes it: \n, \x1b.

    So two texts stay different. So is every further mark on a letter, because a pile of them covers other lines.
    """
    if text.isascii() and text.isprintable():
        return text
    written = []
    pile = 0
    for letter in text:
        pile = pile + 1 if unicodedata.category(letter) in ("Mn", "Me") else 0
        seen = letter.isprintable() and pile <= PILE
        written.append(letter if seen else letter.encode("unicode_escape").decode())
    return "".join(written)
