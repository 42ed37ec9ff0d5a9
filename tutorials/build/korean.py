"""The Korean edition: NAME.ko.md holds the texts of a lesson or page, keyed by name and by a hash of the English text.

    <!-- question 3f2a9c1b -->
    한국어 …

Code, figures and numbers come from the one source. A text that is missing is an error, and so is one that lacks a
number or a link of the English text. A stale one, whose English text has changed since, is listed. A lesson without
such a file is not translated yet, and stays English, which it says.
"""

import hashlib
import re

from minires.storage.atomic import atomic_write
from tutorials.build.lesson import LessonError

NOT_YET = "*이 강의는 아직 번역되지 않았습니다.*"
MARK = re.compile(r"^<!-- ([a-z0-9-]+) ([0-9a-f]{8}) -->$", re.MULTILINE)
FORM = re.compile(r"^(?:#+ |> |- |\|)", re.MULTILINE)  # how the lines of a heading, a quotation, a list, a table begin
KEPT = re.compile(r"(```[^`]+```|`[^`]+`|\d(?:[\d.,]*\d)?)|\]\(([^)\s#]+)")  # code and numbers, or a link's target
KOREAN = re.compile(r"\.ko(?=\.md$)|(?<=/)ko/$")  # of README.ko.md, and of the Korean book


def hash_of(text):
    """The first 8 digits of SHA-256 of a text, whose spaces and line breaks do not count."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:8]


def is_begun(source):
    """Whether there is a Korean edition of this lesson or page."""
    return path_of(source).exists()


def texts(source):
    """{name: Korean text}, in the order of the source. Raises LessonError if one is missing, or one too many."""
    said = source.texts
    if not is_begun(source):
        first = next(iter(said))
        return {**said, first: f"{said[first]}\n\n{NOT_YET}"}
    found = {name: text for name, (_, text) in _read(source).items()}
    missing = [name for name in said if not found.get(name)]
    extra = [name for name in found if name not in said]
    if missing or extra:
        wrong = [f"has no {source.part} {', '.join(missing)}"] * bool(missing)
        wrong += [f"has {', '.join(extra)} too many"] * bool(extra)
        raise LessonError(f"{path_of(source).name} {' and '.join(wrong)}")
    if list(found) != list(said):
        name = next(name for name, other in zip(said, found) if name != other)
        raise LessonError(f"{path_of(source).name} has its texts in another order, from {name} on")
    for name, text in said.items():
        _compare(source, name, text, found[name])
    return found


def _compare(source, name, english, translated):
    """Raise LessonError unless a text has the code, links, numbers and form of the English one."""
    place = f"{path_of(source).name}, {name}"
    if name in source.code and translated != english:
        again = f"python -m tutorials.build translated --lessons {source.name}"
        raise LessonError(f"{place}: the code is not that of {source.path.name}; to write it: {again}")
    lacks = kept(english) - kept(translated)
    if lacks:
        raise LessonError(f"{place} lacks {', '.join(sorted(lacks))}, which its English text has")
    if FORM.findall(english) != FORM.findall(translated):
        raise LessonError(f"{place} has not the headings, points or rows of its English text")


def kept(text):
    """What a translation keeps of a text: code, numbers, and where links lead, or to the Korean edition of that."""
    return {word or KOREAN.sub("", target) for word, target in KEPT.findall(" ".join(text.split()))}


def stale(source):
    """Names of the texts whose English has changed since they were translated."""
    said = source.texts
    return [name for name, (mark, _) in _read(source).items() if name in said and mark != hash_of(said[name])]


def accept(source):
    """Write the hashes of today's English text, once the translation has been read again. -> what was stale

    It writes the texts in the order of the source, and code as it is there.
    """
    changed = stale(source)
    found = {**_read(source), **{name: ("", text) for name, text in source.code.items()}}
    said = source.texts
    parts = [f"<!-- {name} {hash_of(said[name])} -->\n{found[name][1]}\n" for name in said if name in found]
    parts += [f"<!-- {name} {mark} -->\n{text}\n" for name, (mark, text) in found.items() if name not in said]
    atomic_write(path_of(source), "\n".join(parts).encode())
    return changed


def path_of(source):
    """The file of the Korean edition."""
    return source.path.with_suffix(".ko.md")


def _read(source):
    """{name: (hash, text)}"""
    path = path_of(source)
    before, *parts = MARK.split(path.read_text(encoding="utf-8"))
    names, marks, bodies = parts[::3], parts[1::3], parts[2::3]
    if before.strip():
        raise LessonError(f"{path.name} has text before its first mark, which must be <!-- NAME HASH -->")
    if len(set(names)) < len(names):
        raise LessonError(f"{path.name} has a {source.part} twice")
    return {name: (mark, body.strip()) for name, mark, body in zip(names, marks, bodies)}
