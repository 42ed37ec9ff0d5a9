"""What registering a hook returns: a handle that takes the hook away again."""

from __future__ import annotations

from typing import Any

from minires.errors import DTypeError


def check_hook(hook):
    """Raise DTypeError if hook cannot be called."""
    if not callable(hook):
        raise DTypeError(f"a hook must be a function, got {type(hook).__name__}")


class Handle:
    """One hook among the others: remove() takes it away, and so does calling the handle, or leaving a `with` block.

    hooks: the dict that it is kept in, from the first that is called to the last; prepend: call this one first.
    Taking away what is gone already does nothing.
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
