"""The program in a submission's process: it is handed source code and arrays, and hands back arrays.

It knows neither the op, nor the case, nor the right answer. Of minires it imports wire.py and watched.py only.
Whatever a submission does to this file in memory, it does to its own answers.
"""

import ast
import faulthandler
import importlib.util
import inspect
import json
import linecache
import os
import socket
import sys
import types

import numpy as np


def beside(name):
    """A file beside this one as a module. It gets no place in sys.modules, where a homework's own may want it."""
    spec = importlib.util.spec_from_file_location(name, os.path.join(os.path.dirname(__file__), f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


wire = beside("wire")
watched = beside("watched")
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
KINDS = {inspect.Parameter.KEYWORD_ONLY: "keyword", inspect.Parameter.VAR_POSITIONAL: "*"}
UNKNOWN = inspect.signature(lambda *args, **kwargs: None)  # of what Python does not tell the parameters


def main():
    config = json.loads(sys.argv[1])
    connection = Connection(config)
    confine(config)
    os.chdir(config["folder"])
    sys.path.append(os.getcwd())  # last, so that no file there stands in for a module of Python
    refused = forbid(config["forbid"], config["absent"])
    submission = Submission(config["file"], config["package"])
    sys.argv = [config["file"]]
    sys.modules["__main__"] = submission.module
    faulthandler.enable()
    connection.send(wire.encode({"number": 0, "value": None}))
    while (message := connection.receive()) is not None:
        tell_place_after(config["timeout"])
        said = answer(submission, message, refused)
        faulthandler.cancel_dump_traceback_later()
        connection.send(said)
    os._exit(0)


class Connection:
    """Messages from the grader and to it, over a socket whose number no program that is started from here inherits."""

    def __init__(self, config):
        if "port" in config:
            self.socket = socket.create_connection(("127.0.0.1", config["port"]))
            self.socket.sendall(config["token"].encode())
        else:
            number = high(config["socket"])
            self.socket = socket.socket(fileno=number)
            os.register_at_fork(after_in_child=lambda: safely(lambda: os.close(number), None))  # one process answers

    def receive(self):
        """The next message, or None when the grader is gone."""
        head = self.read(8)
        return head and self.read(int.from_bytes(head, "big"))

    def read(self, count):
        data = bytearray()
        while len(data) < count:
            more = self.socket.recv(min(count - len(data), 2**20))
            if not more:
                return None
            data += more
        return data

    def send(self, message):
        self.socket.sendall(message)


def high(number):
    """A copy of a file's number far above those that a homework's own files get."""
    import fcntl

    copy = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 200)
    os.close(number)
    return copy


def tell_place_after(timeout):
    """Print where the submission is, shortly before it is ended because of its time."""
    if timeout is not None:
        safely(lambda: faulthandler.dump_traceback_later(max(timeout - 0.2, timeout / 2), file=2), None)


def confine(config):
    """Limits, then another user; after NumPy's import, because only the first user may be able to read its files."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for name, value in config["limits"].items():
        try:
            resource.setrlimit(getattr(resource, name), (value, value))
        except (AttributeError, ValueError, OSError):  # a system has its own ideas of what can be limited
            continue
    if config["user"] is not None:
        os.setgroups([])
        os.setgid(config["user"])
        os.setuid(config["user"])


def forbid(names, absent):
    """Refuse to import these modules. -> the list in which what is forbidden is noted; what is absent is not there."""
    refused = []

    def refuse(module):
        for name in (*absent, *names):
            if module == name or module.startswith(name + "."):
                if name in absent:
                    raise ModuleNotFoundError(f"No module named {name!r}", name=name)
                refused.append(name)
                raise ImportError(f"{name} is forbidden here", name=name)

    def hook(event, args):
        if event == "import":
            refuse(args[0])

    class Finder:  # importlib.import_module comes by here, and by no hook
        @staticmethod
        def find_spec(module, path=None, target=None):
            refuse(module)

    if names or absent:
        sys.addaudithook(hook)
        sys.meta_path.insert(0, Finder)
        for module in [m for m in sys.modules for name in names if m == name or m.startswith(name + ".")]:
            if not module.startswith("numpy"):  # which imports its own parts late
                del sys.modules[module]
    return refused


# ---- requests


def answer(submission, message, refused):
    """The bytes of the answer to one request, whatever comes of it."""
    number = None
    try:
        request = wire.decode(message, submission.find)
        number = request.pop("number")
        do = getattr(submission, request.pop("do"))
        said = wire.encode({"number": number, "value": do(**request)}, submission.keep)
    except wire.WireError as error:
        said = wire.encode({"number": number, "unsendable": str(error)})
    except BaseException as error:
        said = wire.encode({"number": number, "raised": submission.described(error)})
    if refused:
        said = wire.encode({"number": number, "forbidden": refused.pop()})
        refused.clear()
    return said


class Submission:
    """The homework, loaded, and the objects of which the grader holds the numbers."""

    def __init__(self, file, package=""):
        stem, suffix = os.path.splitext(file)
        self.is_notebook = suffix == ".ipynb"
        self.module = types.ModuleType(stem)
        self.folder = os.getcwd()
        self.module.__file__ = os.path.join(self.folder, file)
        self.module.__package__ = package or None  # in which `from .layers import …` looks
        self.names = vars(self.module)
        self.cells = {}
        self.kept = {}
        self.watched = watched.Watched()
        sys.modules.setdefault(stem, self.module)  # dataclasses and pickle look there
        if self.is_notebook:
            self.names.update(display=lambda *args, **kwargs: None, get_ipython=lambda: Jupyter(self.names))
        self.before = set(self.names)

    def find(self, number, kind, is_callable):
        return self.kept[number]

    def keep(self, value):
        value = value.value if type(value) is watched.Kept else value
        self.kept[len(self.kept)] = value
        kind = type(value)
        name = f"array of {value.dtype}" if issubclass(kind, np.ndarray) else kind.__name__
        return len(self.kept) - 1, name, callable(value)

    # what the grader may ask, by name

    def load(self, cells):
        """Run the cells one after another. -> the names defined, and what went wrong in which cell."""
        errors = []
        for name, text in cells:
            self.cells[name] = text
            linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
            try:
                self.run(name, text)
            except BaseException as error:
                errors.append(self.described(error, name))
        return {"names": [name for name in self.names if self.is_own(name)], "errors": errors}

    def run(self, name, text):
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if self.is_notebook else 0
        code = compile(text, name, "exec", flags=flags, dont_inherit=True)
        waits = eval(code, self.names)
        if inspect.iscoroutine(waits):  # a cell that says await
            import asyncio

            asyncio.run(waits)

    def is_own(self, name):
        """Whether a name is the homework's: public, and not an imported module, function or class."""
        if name.startswith("_") or name in self.before:
            return False
        value = self.names[name]
        others = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, type, np.ufunc)
        return not issubclass(type(value), others) or getattr(value, "__module__", None) == self.module.__name__

    def describe(self, name):
        """What a name is, how it is called, and which methods it has."""
        if name not in self.names:
            return {"kind": "missing", "parameters": [], "methods": {}}
        value = self.names[name]
        kind = "class" if isinstance(value, type) else "function" if inspect.isroutine(value) else "object"
        names = [] if kind == "function" else [n for n in dir(value) if not n.startswith("_")]
        owner = value if kind == "class" else type(value)
        if kind != "function" and any("__call__" in vars(c) for c in owner.__mro__):
            names.append("__call__")
        found = {n: safely(lambda n=n: getattr(value, n), None) for n in names}
        return {
            "kind": kind,
            "parameters": parameters(value) if callable(value) else [],
            "methods": {n: parameters(m, bound(value, n)) for n, m in found.items() if callable(m)},
        }

    def call(self, args, kwargs, name=None, target=None, method=None, keep=False, watch=None, since=None):
        """A function's value, which of the arrays given it changed, and which of earlier calls' arrays."""
        function = target if name is None else self.names[name]
        if method is not None:
            function = getattr(function, method)
        given = [*enumerate(args), *kwargs.items()]
        before = [watched.bits(value) for _, value in given]
        value = function(*args, **kwargs)
        changed = [place for (place, value), old in zip(given, before) if watched.bits(value) != old]
        earlier = self.watched.changed(since)
        if watch is not None:
            self.watched.add(*watch, given, value)
        return {"value": watched.kept(value) if keep else value, "changed": changed, "earlier": earlier}

    def given(self, of, label, place):
        return self.watched.find(of, label, place)

    def function(self, text):
        """A function of the grader's own, to be handed to the homework's."""
        return eval(compile(text, "the grader's function", "eval"), {"np": np})

    def get(self, target, attribute):
        return getattr(target, attribute)

    def set(self, target, attribute, value):
        setattr(target, attribute, value)

    def attributes(self, target):
        slots = [n for c in type(target).__mro__ for n in getattr(c, "__slots__", ()) if hasattr(target, n)]
        names = [n for n in dict.fromkeys([*getattr(target, "__dict__", ()), *slots]) if not n.startswith("__")]
        return sorted(names, key=lambda n: n.startswith("_"))

    # what goes wrong

    def described(self, error, cell=None):
        """An exception in words that its own methods cannot spoil."""
        line, cell = safely(lambda: self.place(error), (None, cell))
        return {
            "type": safely(lambda: str.__str__(type(error).__name__)[:200], "Exception"),
            "message": safely(lambda: self.message(error)[:2000], "an exception that cannot be printed"),
            "line": line,
            "cell": cell,
        }

    def message(self, error):
        """What an exception says; of a SyntaxError without its place, which is told apart."""
        own = isinstance(error, SyntaxError) and error.filename in self.cells
        return str.__str__(error.msg if own else str(error))

    def place(self, error):
        """(line, cell or file) of the homework that was running last."""
        if isinstance(error, SyntaxError) and error.filename in self.cells:
            return error.lineno, error.filename
        last = (None, None)
        trace = error.__traceback__
        while trace is not None:
            file = trace.tb_frame.f_code.co_filename
            if file in self.cells or file.startswith(self.folder):
                last = (trace.tb_lineno, file if file in self.cells else os.path.basename(file))
            trace = trace.tb_next
        return last


def parameters(function, skip=0):
    """The parameters of a function, in the form of the wire."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        signature = UNKNOWN
    return [
        {
            "name": p.name,
            "kind": "positional" if p.kind in POSITIONAL else KINDS.get(p.kind, "**"),
            "required": p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD),
            "default": None if p.default is p.empty else p.default,
        }
        for p in list(signature.parameters.values())[skip:]
    ]


def bound(value, name):
    """1 where the first parameter of a method is self, which a call of an object's method does not give."""
    static = inspect.getattr_static(value, name, None)
    return int(isinstance(value, type) and isinstance(static, types.FunctionType))


def safely(get, otherwise):
    try:
        return get()
    except BaseException:
        return otherwise


class Jupyter:
    """get_ipython() of a notebook: %time runs its line, everything else does nothing."""

    def __init__(self, names):
        self.names = names

    def run_line_magic(self, name, line, *args, **kwargs):
        if name == "time":
            exec(line, self.names)

    def getoutput(self, command, *args, **kwargs):
        return []

    def __getattr__(self, name):
        return lambda *args, **kwargs: None


if __name__ == "__main__":
    main()
