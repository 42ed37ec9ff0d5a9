"""A submission in a process of its own, seen from the grader: it is handed arrays, and hands back arrays.

The process is started by keeper.py and runs runner.py. Nothing of what it says is believed but the values of its
answers, which are read by wire.py: no pickle, a limited length, and a deadline for every byte.

>>> with Box(source, folder=folder, timeout=10) as box:
...     box.load()
...     y, backward = box.call("conv2d", (x, weight)).value
...     dx, dweight = box.call(backward, (dy,)).value
"""

import ast
import contextlib
import os
import secrets
import signal
import socket
import time
from pathlib import Path

from minires.gradcheck.grading import wire
from minires.gradcheck.grading.errors import (
    EndedError,
    ForbiddenError,
    GarbledError,
    RaisedError,
    TimedOutError,
    printable,
)
from minires.gradcheck.grading.face import Described, Handle, Parameter, Returned
from minires.gradcheck.grading.neighbours import copy_helpers, copy_neighbours
from minires.gradcheck.grading.process import STARTING, Limits, Process, protections, scratch_folder
from minires.gradcheck.grading.slow import why_slow
from minires.gradcheck.grading.source import nodes_of

__all__ = ["Box", "Limits", "printable", "protections"]

EARLIER = 1000  # arrays of earlier calls that one call may have changed
LENT = "--helper FILE.py or --helper FOLDER, at the end of the command, gives all submissions a module or a package"
LEAVING = 1.0  # seconds between a process's last word and its exit code


class Box:
    """A context manager; load() comes first. After a time-out or an end it is closed, and a new one is needed.

    folder: what lies there is copied for the homework to import and read (None for nothing), except what is in
    `without`; so are the files in `helpers`. hidden: paths within the folders of Python that are not to be seen.
    timeout: seconds for load() and for each call. forbid: names of modules that may not be imported; absent: of those
    that seem not to be installed. deadline: when all calls together have to be done, on the clock time.monotonic(), and
    what is said then.
    """

    def __init__(
        self, source, *, folder=None, timeout=10.0, forbid=(), absent=(), limits=None, without=(), helpers=(), hidden=()
    ):
        self.source = source
        self.folder = folder
        self.timeout = timeout
        self.forbid = list(forbid)
        self.absent = list(absent)
        self.limits = limits or Limits()
        self.without = without
        self.helpers = helpers
        self.hidden = hidden
        self.foreign = []
        self.deadline = float("inf"), ""
        self.cell_errors = []
        self.marker = secrets.token_hex(8)  # in the environment of everything that starts in here
        self.number = 0
        self.process = None
        self.removed_with_it = contextlib.ExitStack()
        self.stopped = False  # from another thread
        self.ended = "the process of this submission has ended"

    def __enter__(self):
        try:
            self.scratch = self.removed_with_it.enter_context(scratch_folder())
            self._start()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *error):
        self._close()

    def stop(self):
        """End a call that another thread is waiting for, which then closes this."""
        self.stopped = True
        if self.process is not None:
            with contextlib.suppress(OSError):  # it has just ended
                self.process.socket.shutdown(socket.SHUT_RDWR)

    # ---- what the judge asks

    def load(self):
        """Run the cells; errors go to cell_errors. -> the public names defined, in order."""
        for cell in self.source.cells:
            module = forbidden_import(cell.text, self.forbid)
            if module:
                raise ForbiddenError(module, cell.name)
        said = self._ask("load", cells=[(cell.name, cell.text) for cell in self.source.cells])
        names, errors = self._fields(said, names=list, errors=list)
        self._expect(all(map(_is_name, names)))
        self.cell_errors = [self._raised(error) for error in errors]
        return names

    def describe(self, name):
        """What a name stands for, and how it is called."""
        kind, parameters, methods = self._fields(
            self._ask("describe", name=name), kind=str, parameters=list, methods=dict
        )
        self._expect(kind in ("function", "class", "object", "missing"))
        self._expect(all(_is_name(n) and isinstance(found, list) for n, found in methods.items()))
        own = [self._parameter(p) for p in parameters]
        return Described(kind, own, {n: [self._parameter(p) for p in found] for n, found in methods.items()})

    def call(self, target, args=(), kwargs=None, method=None, keep=False, watch=None, since=None):
        """target(*args, **kwargs), or its method; target is a name or a Handle. -> Returned

        keep: of (y, cache) the cache stays there, as a Handle. watch: [number, label], to remember the call's arrays;
        since: the number of the calls whose arrays are looked at again.
        """
        who = {"target": target} if isinstance(target, Handle) else {"name": target}
        what = {"args": tuple(args), "kwargs": dict(kwargs or {}), "method": method}
        said = self._ask("call", **who, **what, keep=keep, watch=watch, since=since)
        self._expect(isinstance(said, dict) and said.keys() == {"value", "changed", "earlier"})
        value, changed, earlier = said.values()
        given = [*range(len(args)), *what["kwargs"]]
        self._expect(isinstance(changed, list) and len(changed) <= len(given))
        self._expect(all(type(place) in (int, str) and place in given for place in changed))
        self._expect(isinstance(earlier, list) and len(earlier) <= EARLIER)
        self._expect(all(isinstance(e, list) and len(e) == 2 and _is_name(e[0]) and _is_place(e[1]) for e in earlier))
        return Returned(value, changed, earlier)

    def given(self, number, label, place):
        """What a watched call was given at a position or name, as it is now."""
        return self._ask("given", of=number, label=label, place=place)

    def function(self, text):
        """A function of the grader's own, as a Handle that a call can be given."""
        handle = self._ask("function", text=text)
        self._expect(isinstance(handle, Handle))
        return handle

    def get(self, handle, attribute):
        """An attribute of an object."""
        return self._ask("get", target=handle, attribute=attribute)

    def set(self, handle, attribute, value):
        """Set an attribute of an object."""
        self._ask("set", target=handle, attribute=attribute, value=value)

    def attributes(self, handle):
        """The names of an object's own attributes, those that begin with _ last."""
        names = self._ask("attributes", target=handle)
        self._expect(isinstance(names, list) and all(map(_is_name, names)))
        return names

    # ---- messages

    def _ask(self, do, **what):
        """One request and its answer."""
        self.number += 1
        end, too_late = self.deadline
        left = end - time.monotonic()
        if left < 0:
            self._close()
            raise TimedOutError(too_late)
        try:
            return self._answer({"number": self.number, "do": do, **what}, min(self.timeout, left))
        except TimedOutError as error:
            if left > self.timeout or error.endless:
                raise
            raise TimedOutError(too_late) from None

    def _answer(self, request, seconds):
        if self.process is None or self.stopped:
            raise EndedError(self.ended)
        message = b"" if request is None else wire.encode(request, _numbered)
        deadline = time.monotonic() + seconds
        try:
            self._wait(deadline)
            self.process.socket.sendall(message)
            length = int.from_bytes(self._read(8, deadline), "big")
            if length > self.limits.answer:
                raise wire.WireError(f"it is longer than {self.limits.answer // 2**20} MB")
            answer = wire.decode(self._read(length, deadline), _handle)
        except wire.WireError as error:
            raise self._garbled(str(error)) from None
        except TimeoutError:
            output = str(self._close().get("output", ""))
            said, endless = why_slow(seconds, output, self.source.cells)
            raise TimedOutError(printable(said), seconds, endless) from None
        except (EOFError, OSError):
            raise self._end() from None
        return self._content(answer)

    def _wait(self, deadline):
        """What the socket does next has to be done by then."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.process.socket.settimeout(left)

    def _read(self, count, deadline):
        """So many bytes. Memory is taken as they arrive, and not because a length was promised."""
        data = bytearray()
        while len(data) < count:
            self._wait(deadline)
            more = self.process.socket.recv(min(count - len(data), 2**20))
            if not more:
                raise EOFError
            data += more
        return data

    def _content(self, answer):
        """What an answer holds, if it is the answer to our request."""
        self._expect(isinstance(answer, dict) and len(answer) == 2 and type(answer.get("number")) is int)
        self._expect(answer["number"] == self.number)
        if "raised" in answer:
            raise self._raised(answer["raised"])
        if "unsendable" in answer:
            self._expect(isinstance(answer["unsendable"], str))
            raise GarbledError(f"what it returns cannot be read: {printable(answer['unsendable'])}")
        if "forbidden" in answer:
            self._expect(answer["forbidden"] in self.forbid)
            raise ForbiddenError(answer["forbidden"])
        self._expect("value" in answer)
        return answer["value"]

    def _raised(self, said):
        kind, message, line, cell = self._fields(
            said, type=str, message=str, line=(int, type(None)), cell=(str, type(None))
        )
        hint = limit_reached(kind, message, self.limits) or missing_file(
            kind, message, self.without, self.absent, self.foreign
        )
        return RaisedError(printable(kind, 80), printable(message) + hint, line, cell and printable(cell, 80))

    def _parameter(self, said):
        self._expect(isinstance(said, dict) and said.keys() == {"name", "kind", "required", "default"})
        self._expect(_is_name(said["name"]) and said["kind"] in ("positional", "keyword", "*", "**"))
        self._expect(isinstance(said["required"], bool))
        return Parameter(**said)

    def _fields(self, said, **kinds):
        """The values of a dict that has just these keys, of just these types."""
        self._expect(isinstance(said, dict) and said.keys() == kinds.keys())
        self._expect(all(isinstance(said[key], kind) for key, kind in kinds.items()))
        return [said[key] for key in kinds]

    def _expect(self, condition):
        if not condition:
            raise self._garbled("it is not the answer to what was asked")

    def _garbled(self, why):
        self._close()
        return GarbledError(f"its process wrote something that is no answer: {why}")

    # ---- the process

    def _start(self):
        homework = os.path.join(self.scratch, "homework")
        os.mkdir(homework)
        package = ""
        if self.folder is not None:
            text = "\n".join(cell.text for cell in self.source.cells)
            package, foreign = copy_neighbours(text, self.folder, homework, self.limits.neighbours, self.without)
            self.foreign = foreign
        copy_helpers(self.helpers, homework, self.limits.neighbours)
        file = self.source.path.name if self.source.path else "homework.py"
        where = {"package": package, "hidden": self.hidden}
        self.process = Process(
            file, self.scratch, self.limits, self.forbid, self.marker, self.timeout, self.absent, **where
        )
        self._answer(None, STARTING)

    def _end(self):
        """The process is gone: what its keeper says of that."""
        report = self._close(0.0 if self.stopped else LEAVING)
        code = report.get("code")
        code = code if type(code) is int else None
        error = printable(str(report.get("error", "")).replace(self.scratch, ""))
        output = "\n".join(map(printable, str(report.get("output", "")).splitlines()))
        self.ended = why_ended(code, error)
        if self.number == 0:  # it has not even begun; Python's last line says why
            self.ended = f"its process cannot be started: {error or output.rpartition(chr(10))[2]}"
        return EndedError(self.ended, code, output)

    def _close(self, patience=0.0):
        """End the process and all that it started; remove its folder. -> the keeper's report"""
        report = {} if self.process is None else self.process.end(patience)
        self.process = None
        self.removed_with_it.close()
        return report


def _numbered(value):
    """A handle in a request: the runner knows the object by its number."""
    if isinstance(value, Handle):
        return value.number, value.type, value.callable
    raise wire.WireError(f"a {type(value).__name__} cannot be handed to a submission")


def _handle(number, kind, is_callable):
    return Handle(number, printable(kind, 80), is_callable)


def _is_name(value):
    """Whether this can be shown as a name: no text in disguise."""
    return isinstance(value, str) and value.isidentifier() and len(value) <= 200


def _is_place(value):
    """Whether this can be the position or the name of an argument."""
    return _is_name(value) or (type(value) is int and 0 <= value < EARLIER)


def limit_reached(kind, message, limits):
    """What an exception means that comes of a limit, to be added to its message; or ""."""
    if "new thread" in message or (kind == "BlockingIOError" and "temporarily unavailable" in message):
        return f": it may have {limits.processes} processes and threads; does it start them without end?"
    if kind == "MemoryError":
        return f"{': ' * bool(message)}it may use {limits.memory / 2**30:g} GB"
    if kind == "EOFError" and "reading a line" in message:
        return ": there is no input here; take arguments in place of input()"
    return ""


def missing_file(kind, message, without, absent=(), foreign=()):
    """What an error means that comes of a file or module that is not there, to be added to its message; or ""."""
    if kind == "ImportError" and "relative import" in message:
        return f": its package is not there; {LENT}"
    if kind == "FileNotFoundError" and any(Path(path).name in message for path in without):
        return ": that file is not the submission's own, and cannot be read unless --helper names it"
    if any(Path(path).name in message or f"'{Path(path).stem}'" in message for path in foreign):
        return ": that is one file with another's (a hard link), so whose work is it? Put copies in place of both"
    if kind != "ModuleNotFoundError":
        return ""
    module = message.rpartition("No module named ")[2].strip("'").split(".")
    if not set(module).isdisjoint(absent):
        return ", which is hidden from submissions, because it knows the answers; --allow-minires shows it"
    if any(Path(path).stem in module for path in without):
        return ": that file is not the submission's own, and cannot be imported unless --helper names it"
    return f": neither installed beside minires nor one of its own files; {LENT}"


def why_ended(code, error):
    """A sentence about a process that is gone."""
    if code is None:
        return f"its process has ended{f': {error}' if error else ''}"
    if code >= 0:
        return f"it ended its process (exit code {code}): does it call exit()?"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = {
        "SIGSEGV": ": does it call itself without end?",
        "SIGKILL": ": out of memory?",
        "SIGXCPU": ": an endless loop?",
    }
    return f"its process was ended by {name}{hint.get(name, '')}"


def forbidden_import(text, forbid):
    """The first of these modules that the text says it imports, or None. The runner finds what is said otherwise."""
    if not any(name.partition(".")[0] in text for name in forbid):
        return None
    for node in nodes_of(text, ast.Import, ast.ImportFrom):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for module in modules:
            for name in forbid:
                if module == name or module.startswith(name + "."):
                    return name
    return None
