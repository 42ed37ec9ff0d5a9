"""The tree of a module: the modules, parameters and buffers below it, found in its attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from minires.errors import DTypeError
from minires.nn.parameter import Parameter
from minires.tensor import unwrap

if TYPE_CHECKING:
    from typing_extensions import Self

    from minires.annotations import Array
    from minires.nn.module import Module


class ModuleTree:
    """The part of Module that finds modules, parameters and buffers, by name and in the order of definition."""

    # {name of a buffer: whether state_dict has it}
    _buffers: dict[str, bool] = {}  # noqa: RUF012 - never changed, only replaced

    def _contents(self):
        """[(name, value)] of each parameter, buffer and module directly below, in the order of definition."""
        found, buffers = [], self._buffers
        for name, value in self.__dict__.items():
            if type(value) in _SETTINGS and name not in buffers:
                continue
            if name in buffers or isinstance(value, _PARTS):
                found.append((name, value))
            elif isinstance(value, _HOLDERS):
                found += _inside(name, value, ())
        return found

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(name, module) for each module directly below, in the order of definition, each module once."""
        return self._named(_is_module, "", False, True)

    def children(self) -> Iterator[Module]:
        return (child for _, child in self.named_children())

    def named_modules(
        self, memo: set[int] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """(dotted name, module) for this module ("") and all below it, each module once.

        remove_duplicate=False gives a module under each of its names. memo: ids of modules to leave out.
        """
        return ((name, module) for name, module, _ in self._walk(memo, prefix, remove_duplicate))

    def _walk(self, memo, prefix, remove_duplicate):
        """[(dotted name, module, its contents)] for each module that named_modules gives."""
        memo = set() if memo is None else memo
        if id(self) in memo:
            return []
        memo.add(id(self))
        contents = self._contents()
        found = [(prefix, self, contents)]
        for below, value in contents:
            if isinstance(value, ModuleTree):
                found += value._walk(memo, _dotted(prefix, below), remove_duplicate)
        if not remove_duplicate:
            memo.remove(id(self))
        return found

    def modules(self) -> Iterator[Module]:
        return (module for _, module in self.named_modules())

    def _named(self, kind, prefix, recurse, remove_duplicate):
        """(dotted name, value) of the contents for which kind(module, name, value) is true."""
        seen = set()
        modules = self._walk(None, prefix, remove_duplicate) if recurse else [(prefix, self, self._contents())]
        for above, module, contents in modules:
            for name, value in contents:
                if kind(module, name, value) and not (remove_duplicate and id(value) in seen):
                    seen.add(id(value))
                    yield _dotted(above, name), value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """(dotted name, parameter), each parameter once."""
        return self._named(_is_parameter, prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        return (parameter for _, parameter in self.named_parameters("", recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Array]]:
        """(dotted name, array), each array once."""
        found = self._named(_is_buffer, prefix, recurse, remove_duplicate)
        return ((name, unwrap(buffer)) for name, buffer in found)

    def buffers(self, recurse: bool = True) -> Iterator[Array]:
        return (buffer for _, buffer in self.named_buffers("", recurse))

    def get_submodule(self, target: str) -> Module:
        """The module of a dotted name: "layer1.0.conv1"; "" is this one. Raises AttributeError."""
        return _found(self, target, "module", self.named_modules(remove_duplicate=False))

    def get_parameter(self, target: str) -> Parameter:
        """The parameter of a dotted name. Raises AttributeError."""
        return _found(self, target, "parameter", self.named_parameters(remove_duplicate=False))

    def get_buffer(self, target: str) -> Array:
        """The buffer of a dotted name. Raises AttributeError."""
        return _found(self, target, "buffer", self.named_buffers(remove_duplicate=False))

    def apply(self, function: Callable[[Module], Any]) -> Self:
        """Call function(module) on every module below this one, then on this one, as torch does."""
        if not callable(function):
            raise DTypeError(f"apply: needs a function of a module, got {type(function).__name__}")
        for module in _from_below(self, set()):
            function(module)
        return self


_HOLDERS = (list, tuple, dict, set, frozenset)
_PARTS = (ModuleTree, Parameter)
_SETTINGS = {bool, int, float, str, type(None)}  # types of most attributes, which are skipped fast


def _inside(name, holder, above):
    """(name, part) for the Modules and Parameters in nested lists, tuples and dicts."""
    if isinstance(holder, (set, frozenset)):
        if any(isinstance(value, _PARTS) for value in holder):
            raise DTypeError(f"{name} is a set, which has no order to name its parts by; make it a list")
        return
    for key, value in holder.items() if isinstance(holder, dict) else enumerate(holder):
        if type(value) in _SETTINGS:
            continue
        if isinstance(value, _PARTS):
            yield f"{name}.{key}", value
        elif isinstance(value, _HOLDERS) and id(value) not in above:
            yield from _inside(f"{name}.{key}", value, (*above, id(holder)))


def parameters_in(name, value):
    """(dotted name, parameter) of value, which is called name: a module, a parameter, or a list or dict of them."""
    for below, part in [(name, value)] if isinstance(value, ModuleTree) else _inside(name, value, ()):
        yield from part.named_parameters(below) if isinstance(part, ModuleTree) else [(below, part)]


def _from_below(module, seen):
    """This module and all below it, each once, parts before the whole."""
    seen.add(id(module))
    for child in module.children():
        if id(child) not in seen:
            yield from _from_below(child, seen)
    yield module


def _dotted(prefix, name):
    return f"{prefix}.{name}" if prefix else name


def _is_parameter(module, name, value):
    return isinstance(value, Parameter)


def _is_buffer(module, name, value):
    return value is not None and name in module._buffers


def _is_module(module, name, value):
    return isinstance(value, ModuleTree)


def is_saved(module, name, value):
    return isinstance(value, Parameter) or (value is not None and module._buffers.get(name, False))


def _found(module, target, kind, pairs):
    for name, value in pairs:
        if name == target:
            return value
    raise AttributeError(f"{type(module).__name__} has no {kind} {target!r}; named_{kind}s() lists them")
