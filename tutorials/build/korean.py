"""The Korean edition: NN_name.ko.md holds the text of each cell, keyed by its name and by a hash of the English text.

    <!-- question 3f2a9c1b -->
    한국어 …

Code, figures and numbers come from the one source. A cell that is missing is an error. A stale one, whose English text
has changed since, is listed. A lesson without such a file is not translated yet, and stays English, which it says.
"""

import hashlib
import re

from minires.storage.atomic import atomic_write
from tutorials.build.lesson import LessonError

NOT_YET = "*이 강의는 아직 번역되지 않았습니다.*"
MARK = re.compile(r"^<!-- ([a-z0-9-]+) ([0-9a-f]{8}) -->$", re.MULTILINE)


def hash_of(text):
    """The first 8 digits of SHA-256 of a text, whose spaces and line breaks do not count."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:8]


def english(lesson):
    """{name: text} of the lesson's cells of text."""
    return {cell.metadata["name"]: cell.source for cell in lesson.cells if cell.cell_type == "markdown"}


def is_begun(lesson):
    """Whether there is a Korean edition of this lesson."""
    return _path(lesson).exists()


def texts(lesson):
    """{name: Korean text}. Raises LessonError if a cell is missing, or is not in the lesson."""
    if not is_begun(lesson):
        said = english(lesson)
        first = next(iter(said))
        return {**said, first: f"{said[first]}\n\n{NOT_YET}"}
    found = {name: text for name, (_, text) in _read(lesson).items()}
    wanted = english(lesson)
    missing = [name for name in wanted if not found.get(name)]
    extra = [name for name in found if name not in wanted]
    if missing or extra:
        said = [f"has no cell {', '.join(missing)}"] * bool(missing) + [f"has {', '.join(extra)} too many"] * bool(
            extra
        )
        raise LessonError(f"{_path(lesson).name} {' and '.join(said)}")
    return found


def stale(lesson):
    """Names of the cells whose English text has changed since they were translated."""
    wanted = english(lesson)
    return [name for name, (mark, _) in _read(lesson).items() if name in wanted and mark != hash_of(wanted[name])]


def accept(lesson):
    """Write the hashes of today's English text, once the translation has been read again. -> what was stale"""
    wanted = english(lesson)
    marked = MARK.sub(
        lambda mark: f"<!-- {mark[1]} {hash_of(wanted[mark[1]])} -->" if mark[1] in wanted else mark[0],
        _path(lesson).read_text(encoding="utf-8"),
    )
    changed = stale(lesson)
    atomic_write(_path(lesson), marked.encode())
    return changed


def _path(lesson):
    return lesson.path.with_suffix(".ko.md")


def _read(lesson):
    """{name: (hash, text)}"""
    path = _path(lesson)
    _, *parts = MARK.split(path.read_text(encoding="utf-8"))
    names, marks, bodies = parts[::3], parts[1::3], parts[2::3]
    if len(set(names)) < len(names):
        raise LessonError(f"{path.name} has a cell twice")
    return {name: (mark, body.strip()) for name, mark, body in zip(names, marks, bodies)}
