"""The handle that registering a hook returns, which removes the hook again."""

from __future__ import annotations

from typing import Any

from minires.errors import DTypeError


def check_hook(hook):
    """Raise DTypeError if hook cannot be called."""
    if not callable(hook):
        raise DTypeError(f"a hook must be a function, got {type(hook).__name__}")


class Handle:
    """One hook among others. remove(), calling the handle, or leaving a `with` block removes it, once.

    hooks: the dict of all hooks, in the order in which they are called; prepend: call this one first.
    """

    def __init__(self, hooks, hook, *, prepend=False):
        self.hooks = hooks
        self.key = object()
        later = dict(hooks) if prepend else {}
        if prepend:
            hooks.clear()
        hooks[self.key] = hook
        hooks.update(later)

    def remove(self) -> None:
        self.hooks.pop(self.key, None)

    __call__ = remove

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.remove()
