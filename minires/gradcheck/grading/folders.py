"""The submissions that words of the command line name: files, folders and patterns.

Whatever a student has put in a folder costs that student's row at most: a link, folders without end, a path that is too
long, what may not be read. Links are not followed, because they may lead to another's work.
"""

import collections
import fnmatch
import glob
import hashlib
import os
import re
import stat
from pathlib import Path

from minires.errors import MiniresError, OptionError, describe
from minires.gradcheck.grading.source import LARGEST, content_of

SUFFIXES = (".py", ".ipynb")
DEPTH = 8  # folders within folders
ENTRIES = 5000  # files and folders of one submission
READ = 100  # files in which its function is looked for
BYTES = 128 << 20  # of them together
SAME = "it is one file with {} (a hard link), so whose work is it? Copies in place of both are marked"
LINK = "it is a link, which may lead to the work of another: put the file itself in its place"


def is_target(text):
    """Whether a word of the command line names a function in a file, as homework.py:my_conv does, or a folder."""
    return any(s in text for s in SUFFIXES) or any(c in text for c in ":*?/\\") or os.path.isdir(text)


def submissions(words, function="", helpers=(), teachers=()):
    """[(what to call it, its file or None, the names of its functions, why there is none)] of all words, in order.

    function: the name that is looked for in a folder of files, or several, of which a file has one: "f or g".
    teachers: files of which a submission must be no hard link.
    """
    found = []
    for word in words:
        path, colon, names = (word, "", "") if function else word.rpartition(":")
        if function and not os.path.exists(word) and ":" in word and not glob.has_magic(word):
            raise OptionError(f"{word} names its function, and so does --function {function}; leave one of the two out")
        names = function or names
        if not function and (not colon or not names):
            raise OptionError(f"{word}: which function? Write FILE.py:FUNCTION, or add --function NAME")
        if not function and not all(part.isidentifier() for part in names.split(",")):
            raise OptionError(f"{word}: which function? Write FILE.py:FUNCTION")
        found += [
            (f"{shown}:{names}" if not function else shown, file, names.split(","), why)
            for shown, file, why in _files(path, names)
        ]
    theirs = [Path(os.path.realpath(path)) for path in helpers]
    found = [one for one in found if not any(Path(os.path.realpath(_path(one))).is_relative_to(p) for p in theirs)]
    return _with_one_name([_own(one, found) for one in found], teachers)


def _path(one):
    """The file of a submission; where it has none, the folder that is shown in its place."""
    shown, file, names, _ = one
    return file or shown.removesuffix(f":{','.join(names)}")


def _own(one, all):
    """A submission in a linked folder is refused where it is another's, too."""
    shown, file, names, _ = one
    if file is None or not os.path.islink(file.parent):
        return one
    others = [other for _, other, _, _ in all if other is not None and other != file]
    same = any(os.path.realpath(other) == os.path.realpath(file) for other in others)
    return (shown, None, names, LINK) if same else one


def _with_one_name(found, teachers):
    """Files with two names are refused: hard links, which an archive can make into the folder of another."""
    names = collections.defaultdict(dict)  # {number: {real path: path as it was given}}
    for path in (*teachers, *(file for _, file, _, _ in found if file)):
        names[linked_number(path)][os.path.realpath(path)] = path
    names.pop(None, None)
    checked = []
    for shown, file, functions, why in found:
        same = names.get(linked_number(file), {})
        others = [path for real, path in same.items() if real != os.path.realpath(file)]
        checked.append((shown, None, functions, SAME.format(others[0])) if others else (shown, file, functions, why))
    return checked


def linked_number(path):
    """What all names of a file share that has several; None where it has one, or there is no file."""
    if path is None:
        return None
    try:
        about = os.stat(path)
    except (OSError, ValueError):
        return None
    return (about.st_dev, about.st_ino) if about.st_nlink > 1 and stat.S_ISREG(about.st_mode) else None


def hidden_from_all(words, work):
    """All that lies beside a submission in a folder that holds another: it may be their work, or a solution."""
    files = {file for file in map(Path, map(_path, work)) if not file.is_symlink() and file.is_file()}
    holds = collections.Counter(parent for file in files for parent in Path(os.path.abspath(file)).parents)
    parents = {Path(word) for word in words if os.path.isdir(word)}
    parents |= {file.parent for file in files if holds[Path(os.path.abspath(file)).parent] > 1}
    for parent in parents:
        files |= {parent / entry.name for entry in os.scandir(parent) if not entry.is_symlink()}
    return files


def _files(path, names):
    if os.path.isdir(path):
        return _of_folder(Path(path), names) or [(path, None, f"there is no .py or .ipynb file in {path}")]
    if not os.path.exists(path) and glob.has_magic(path):
        hits = _fitting(path)
        if not hits:
            return [(path, None, f"no file fits {path!r}")]
        return [found for hit in hits for found in _of_hit(hit, _fixed(path), names)]
    if os.path.islink(path):
        return [(path, None, LINK)]
    what = "file" if path.endswith(SUFFIXES) else "file or folder"
    return [(path, Path(path), "" if os.path.isfile(path) else f"there is no {what} {path!r}")]


def _fixed(pattern):
    """The folder of a pattern before its first star."""
    parts = Path(pattern).parts
    return Path(*parts[: next(k for k, part in enumerate(parts) if glob.has_magic(part))])


def _fitting(pattern):
    """The paths that fit a pattern, in order; with ** it goes DEPTH folders deep."""
    if "**" not in pattern:
        return sorted(glob.glob(pattern))
    root = _fixed(pattern)
    wanted = Path(pattern).parts[len(root.parts) :]
    found, _ = _walk(root, folders=True)
    return sorted(str(path) for path in found if _fits(path.parts[len(root.parts) :], wanted))


def _fits(parts, wanted):
    if not wanted or not parts:
        return not parts and all(part == "**" for part in wanted)
    if wanted[0] == "**":
        return _fits(parts, wanted[1:]) or _fits(parts[1:], wanted)
    return fnmatch.fnmatch(parts[0], wanted[0]) and _fits(parts[1:], wanted[1:])


def _of_hit(hit, root, names):
    path = Path(hit)
    below = [path, *path.parents][: len(path.parts) - len(root.parts)]
    if any(os.path.islink(p) for p in below):
        return [(hit, None, LINK)]
    return [(hit, path, "")] if os.path.isfile(hit) else _of_folder(path, names) if os.path.isdir(hit) else []


PRIVATE = "its name begins with _, as those of modules that are no submission: rename it to have it marked"


def _of_folder(folder, names):
    """Its files, each a submission; and its sub-folders, of each the one that defines the function."""
    found = []
    for name in sorted(os.listdir(folder)):
        try:
            if name.startswith("_") and not name.startswith("__") and Path(name).suffix in SUFFIXES:
                found.append((str(folder / name), None, PRIVATE))
            found += [] if name.startswith((".", "_")) else _of_entry(folder / name, names)
        except (OSError, RecursionError, ValueError) as error:
            found.append((str(folder / name), None, f"it cannot be read: {describe(error)}"))
    return found


def _of_entry(path, names):
    """What there is under one name of a folder: no submission or one."""
    if path.is_symlink():
        return [(str(path), None, LINK)] if path.suffix in SUFFIXES or os.path.isdir(path) else []
    if path.suffix in SUFFIXES and stat.S_ISREG(path.stat().st_mode):  # reading a FIFO waits
        return [(str(path), path, "")]
    if not path.is_dir():
        return [(str(path), None, "it is no file")] if path.suffix in SUFFIXES else []
    found, why = _walk(path)
    own = sorted(p for p in found if p.suffix in SUFFIXES and not p.name.startswith((".", "_")))
    files = [p for p in own if not p.is_symlink() and stat.S_ISREG(p.stat().st_mode)]
    unread = None
    defining = {}  # {digest of its text: file}: copies of one file count once
    left = BYTES
    for file in files[:READ]:
        left -= min(file.stat().st_size, LARGEST[file.suffix])
        if left < 0:
            return [
                (str(path), None, f"its files have more than {BYTES >> 20} MB together: leave the one to be marked")
            ]
        try:
            text = content_of(file)
            if _defines(text, names.split(",")[0]):
                defining.setdefault(hashlib.sha256(text).digest(), file)
        except MiniresError:
            unread = unread or file
        if len(defining) > 1:
            break
    if len(defining) > 1:
        several = " and ".join(str(file.relative_to(path)) for file in defining.values())
        return [(str(path), None, f"{several} define {names}: leave one of them, or name it, FILE:{names}")]
    if defining:
        return [(str(file), file, "") for file in defining.values()]
    if unread:
        return [(str(unread), unread, "")]  # its row says why it cannot be read
    if files:
        return [(str(path), None, f"none of its files defines {names}")]
    why = LINK if any(p.is_symlink() for p in own) else f"{own[0].name} is no file" if own else why
    return [(str(path), None, why)] if why else []


def _walk(folder, folders=False):
    """([path] of the files in a folder, and of the folders too if asked; why there are not more, or "").

    Nothing hidden is among them, such as a notebook's checkpoints.
    """
    found, why = [], []
    entries = 0
    for place, inside, files in os.walk(
        folder, onerror=lambda error: why.append(f"it cannot be read: {error.strerror}")
    ):
        inside[:] = sorted(name for name in inside if not name.startswith((".", "_")))
        files = [name for name in files if not name.startswith(".")]
        entries += len(inside) + len(files)
        if entries > ENTRIES:
            why.append(f"it has more than {ENTRIES} files")
            break
        found += [Path(place, name) for name in (*files, *(inside if folders else ()))]
        if len(Path(place).parts) - len(folder.parts) >= DEPTH and inside:
            why.append(f"it has more than {DEPTH} folders within one another")
            inside.clear()
    return found, next(iter(why), "")


def mentions(path, name):
    """Whether a name occurs in a file, or it cannot be read, which is said in its row."""
    try:
        return re.search(rf"\b{re.escape(name)}\b", content_of(path).decode("utf-8", "replace")) is not None
    except MiniresError:
        return True


def _defines(content, names):
    text = content.decode("utf-8", "replace")
    name = "|".join(map(re.escape, names.split(" or ")))
    return re.search(rf"(def|class)\s+({name})\b|\b({name})\s*=", text) is not None
