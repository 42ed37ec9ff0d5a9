"""Whether this thread records a graph: no_grad() and complex_step(), and the settings that they switch."""

import inspect
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, overload

from minires.errors import DTypeError
from minires.settings import shortened


class _Mode(threading.local):
    recording = True
    complex_step = False


mode = _Mode()

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class _Switched:
    """Settings of `mode` for this thread: inside a `with` block, or in a function that this decorates."""

    def __init__(self, **settings):
        self.settings, self._before = settings, []

    def __enter__(self) -> None:
        self._before.append({name: getattr(mode, name) for name in self.settings})
        vars(mode).update(self.settings)

    def __exit__(self, *exception):
        vars(mode).update(self._before.pop())

    def __call__(self, function: Decorated) -> Decorated:
        return self._decorated(function)

    def _decorated(self, function):
        if not callable(function):
            raise DTypeError(
                f"no_grad decorates a function, got {shortened(function)}; write @no_grad() above it, or "
                "`with no_grad():`"
            )
        if inspect.isgeneratorfunction(function):

            @wraps(function)
            def switched(*args, **kwargs):
                return self._steps(function(*args, **kwargs))
        else:

            @wraps(function)
            def switched(*args, **kwargs):
                with _Switched(**self.settings):
                    return function(*args, **kwargs)

        return switched

    def _steps(self, generator):
        """What the generator yields, each of its steps run with these settings, and the caller's in between."""
        resume, given = generator.send, None
        while True:
            with _Switched(**self.settings):
                try:
                    value = resume(given)
                except StopIteration as end:
                    return end.value
            try:
                resume, given = generator.send, (yield value)
            except GeneratorExit:
                with _Switched(**self.settings):
                    generator.close()
                raise
            except BaseException as error:  # thrown into this generator: pass it on to the wrapped one
                resume, given = generator.throw, error


@overload
def no_grad() -> _Switched: ...
@overload
def no_grad(function: Decorated) -> Decorated: ...
def no_grad(function: Any = None) -> Any:
    """Record nothing in this thread inside `with no_grad():`, or in a function decorated @no_grad() or @no_grad.

    The steps of a generator record nothing either; what its caller does between them is recorded.
    """
    switched = _Switched(recording=False)
    return switched if function is None else switched(function)


def complex_step() -> _Switched:
    """Let ops take complex arrays, and record nothing: Im f(x + ih)/h is a derivative [Squire & Trapp 1998]."""
    return _Switched(recording=False, complex_step=True)
