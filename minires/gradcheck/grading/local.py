"""A submission in this process: for one's own functions in a notebook. It has the face of Box, and no walls."""

import ast
import asyncio
import contextlib
import inspect
import linecache
import traceback

import numpy as np

from minires.gradcheck.grading import alarm
from minires.gradcheck.grading.errors import RaisedError, TimedOutError
from minires.gradcheck.grading.face import Described, Handle, Parameter, Returned
from minires.gradcheck.grading.slow import why_slow_at
from minires.gradcheck.grading.source import Cell
from minires.gradcheck.grading.watched import Kept, Watched, bits, kept

DEEPEST = 16  # how far containers may be nested
KINDS = {
    inspect.Parameter.POSITIONAL_ONLY: "positional",
    inspect.Parameter.POSITIONAL_OR_KEYWORD: "positional",
    inspect.Parameter.KEYWORD_ONLY: "keyword",
    inspect.Parameter.VAR_POSITIONAL: "*",
    inspect.Parameter.VAR_KEYWORD: "**",
}


OURS = {__file__, alarm.__file__, contextlib.__file__}


class _Shell:
    """get_ipython() of a notebook's cells: whatever is asked of it does nothing."""

    def __getattr__(self, name):
        return lambda *args, **kwargs: None


class Local:
    """Names of this process, or the cells of a source, called as a submission is. timeout: seconds for each call."""

    option = "timeout={:g}"  # of gradcheck.grade, which allows more

    def __init__(self, source=None, *, names=None, timeout=None, **limits):
        self.source = source
        self.names = dict(names or {})
        self.cell_errors = []
        self.objects = {}
        self.watched = Watched()
        self.limit = timeout
        self.timeout = np.inf if timeout is None else timeout

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.objects.clear()

    def stop(self):
        """Nothing: what runs in this process is stopped with it."""

    def load(self):
        """Run the cells; an error of a notebook's cell is kept, because plots and downloads may fail."""
        if self.source is None:
            return list(self.names)
        self.names |= {"__name__": "submission", "get_ipython": _Shell, "display": lambda *values, **how: None}
        before = set(self.names)
        for cell in self.source.cells:
            try:
                linecache.cache[cell.name] = len(cell.text), None, cell.text.splitlines(True), cell.name
                code = compile(cell.text, cell.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
                result = eval(code, self.names)
                if inspect.iscoroutine(result):
                    asyncio.run(result)
            except (Exception, SystemExit) as error:
                self.cell_errors.append(self._raised(error))
        return [name for name in self.names if name not in before]

    def describe(self, name):
        """What a name stands for."""
        if name not in self.names:
            return Described("missing")
        value = self.names[name]
        if inspect.isclass(value):
            return Described("class", _parameters(value), _methods(value))
        if inspect.isroutine(value):
            return Described("function", _parameters(value))
        return Described("object", _parameters(value) if callable(value) else [], _methods(value))

    def call(self, target, args=(), kwargs=None, method=None, keep=False, watch=None, since=None):
        """target(*args, **kwargs), or its method; target is a name or a Handle. -> Returned"""
        given = [self._object(_copied(value)) for value in args]
        named = {key: self._object(_copied(value)) for key, value in (kwargs or {}).items()}
        function = self.objects[target.number] if isinstance(target, Handle) else self.names[target]
        try:
            function = getattr(function, method) if method else function
            with alarm.limited(self.limit):
                returned = function(*given, **named)
            value = self._value(kept(returned) if keep else returned)
        except alarm.TimeUpError as error:
            said, endless = why_slow_at(self.limit, self._places(error), option=self.option)
            raise TimedOutError(said, self.limit, endless) from None
        except (Exception, SystemExit) as error:
            raise self._raised(error) from error
        changed = [k for k, (old, new) in enumerate(zip(args, given)) if bits(old) != bits(new)]
        changed += [key for key in named if bits(kwargs[key]) != bits(named[key])]
        earlier = self.watched.changed(since)
        if watch is not None:
            self.watched.add(*watch, [*enumerate(given), *named.items()], returned)
        return Returned(value, changed, earlier)

    def given(self, number, label, place):
        """What a watched call was given at a position or name, as it is now."""
        return self._value(self.watched.find(number, label, place))

    def function(self, text):
        """A function of the grader's own, as a Handle that a call can be given."""
        return self._value(eval(text, {"np": np}))

    def get(self, handle, attribute):
        """An attribute of an object."""
        try:
            return self._value(getattr(self._object(handle), attribute))
        except Exception as error:
            raise self._raised(error) from error

    def set(self, handle, attribute, value):
        """Set an attribute of an object."""
        try:
            setattr(self._object(handle), attribute, self._object(_copied(value)))
        except Exception as error:
            raise self._raised(error) from error

    def attributes(self, handle):
        """The names of an object's own attributes, those that begin with _ last."""
        value = self._object(handle)
        slots = [n for c in type(value).__mro__ for n in getattr(c, "__slots__", ()) if hasattr(value, n)]
        names = [n for n in dict.fromkeys([*getattr(value, "__dict__", ()), *slots]) if not n.startswith("__")]
        return sorted(names, key=lambda name: name.startswith("_"))

    def _object(self, value):
        if isinstance(value, Handle):
            return self.objects[value.number]
        if type(value) in (list, tuple):
            return type(value)(self._object(v) for v in value)
        if type(value) is dict:
            return {key: self._object(v) for key, v in value.items()}
        return value

    def _value(self, value, depth=0):
        if value is None or value is Ellipsis or value is NotImplemented:
            return value
        if type(value) in (bool, int, float, complex, str):
            return value
        if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biufc":
            return np.array(value)
        if isinstance(value, tuple) and not depth:  # of named gradients too; inside, a named tuple keeps its names
            return tuple(self._value(v, depth + 1) for v in value)
        if type(value) in (list, tuple) and depth < DEEPEST:
            return type(value)(self._value(v, depth + 1) for v in value)
        if type(value) is dict and depth < DEEPEST and all(type(key) is str for key in value):
            return {key: self._value(v, depth + 1) for key, v in value.items()}
        value = value.value if type(value) is Kept else value
        number = len(self.objects) + 1
        self.objects[number] = value
        return Handle(number, type(value).__name__, callable(value))

    def _places(self, error):
        """[(cell, line, function)] at which a call was ended, innermost first, without what others have written."""
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename not in OURS]
        own = [f for f in reversed(frames) if "site-packages" not in f.filename and linecache.getlines(f.filename)]
        return [(_cell(f.filename), f.lineno, f.name) for f in own]

    def _raised(self, error):
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__]
        ours = {cell.name for cell in self.source.cells} if self.source else set()
        own = [f for f in frames if f.filename in ours] or [f for f in frames if "site-packages" not in f.filename]
        line, cell = (own[-1].lineno, own[-1].filename.replace("\\", "/").split("/")[-1]) if own else (None, None)
        if isinstance(error, SyntaxError) and error.filename in ours:
            line, cell = error.lineno, error.filename
            return RaisedError(type(error).__name__, error.msg, line, cell)
        return RaisedError(type(error).__name__, " ".join(str(error).split())[:300], line, cell)


def _cell(file):
    """A file, or a cell of a notebook, with a name as its author knows it."""
    name = file.replace("\\", "/").split("/")[-1]
    of_notebook = "ipykernel_" in file or file.startswith("<")
    return Cell("its cell" if of_notebook else name, "".join(linecache.getlines(file)))


def _copied(value):
    if isinstance(value, np.ndarray):
        return value.copy(order="K")
    if type(value) in (list, tuple):
        return type(value)(map(_copied, value))
    if type(value) is dict:
        return {key: _copied(v) for key, v in value.items()}
    return value


def _parameters(function):
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # of a builtin
        return [Parameter("arrays", "*", False)]
    return [
        Parameter(p.name, KINDS[p.kind], p.default is p.empty, None if p.default is p.empty else p.default)
        for p in found
    ]


def _methods(value):
    found = {}
    for name in dir(value):
        if not name.startswith("_"):
            method = getattr(value, name, None)
            if inspect.isroutine(method):
                parameters = _parameters(method)
                static = isinstance(inspect.getattr_static(value, name), (staticmethod, classmethod))
                found[name] = parameters[0 if static or not inspect.isclass(value) else 1 :]
    return found
