"""What a check says of an answer, in the language of the notebook.

A table, said.ko.txt, has an English sentence in a line, and its translation in the next one, which is indented:

    your {name} {has} the wrong sign
      {name}의 부호가 반대입니다

{has} and {is} are the verb of a sentence. Any other name in braces is a gap, which both sentences have.
What fills a gap is translated by the same table, or carried over as it is, such as a number.
"""

import itertools
import re
from functools import cache
from pathlib import Path

from minires.errors import OptionError

VERBS = {"has": "(?:has|have)", "is": "(?:is|are)"}
GAP = re.compile(r"\{(\w+)\}")
LANGUAGES = ("en", "ko")

_chosen = "en"


def speak(language):
    """Say the outcomes of checks in this language from now on: "en" or "ko". Raises OptionError for another one."""
    global _chosen
    if language not in LANGUAGES:
        raise OptionError(f"speak: needs {' or '.join(map(repr, LANGUAGES))}, got {language!r}")
    _chosen = language


def say(sentence, language=None):
    """A sentence in a language, by default the chosen one. A sentence that the table lacks stays English."""
    language = language or _chosen
    if language == "en":
        return sentence
    whole, with_gaps = table(language)
    if sentence in whole:
        return whole[sentence]
    for pattern, translation in with_gaps:
        if found := pattern.fullmatch(sentence):
            filled = {name: say(text, language) for name, text in found.groupdict().items()}
            return translation.format(**filled)
    return sentence


@cache
def table(language):
    """({sentence: translation}, [(pattern, translation with gaps)]): the pattern that says most comes first."""
    lines = Path(__file__).with_name(f"said.{language}.txt").read_text(encoding="utf-8").splitlines()
    pairs = {a: b.strip() for a, b in itertools.pairwise(lines) if b.startswith("  ")}
    with_gaps = sorted((a for a in pairs if GAP.search(a)), key=lambda a: len(GAP.sub("", a)), reverse=True)
    return pairs, [(_pattern(a), pairs[a]) for a in with_gaps]


def _pattern(sentence):
    """The pattern of a sentence with gaps."""
    words = GAP.split(sentence)[::2]
    names = GAP.findall(sentence)
    gaps = [VERBS.get(name, f"(?P<{name}>.+?)") for name in names]
    return re.compile("".join(re.escape(word) + gap for word, gap in zip(words, [*gaps, ""])))
