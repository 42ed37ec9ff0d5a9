"""Modules that hold others by position or by name: Sequential, ModuleList, ModuleDict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, KeysView, Mapping, ValuesView
from itertools import count
from typing import TYPE_CHECKING, Any

from minires.errors import DTypeError
from minires.nn.advice import why_no_module
from minires.nn.chain import run
from minires.nn.module import Module
from minires.settings import integer
from minires.tensor import Tensor

if TYPE_CHECKING:
    from typing_extensions import Self


class _ModuleSequence(Module):
    """A list of modules, each an attribute named by its position: 0.weight, 1.weight."""

    def _named_layers(self):
        """[(name, module)]: the attributes that are modules themselves."""
        return [(name, value) for name, value in vars(self).items() if isinstance(value, Module)]

    def _positional(self):
        """[(name, module)], with None for a name that is the module's position."""
        return [(None if name == str(i) else name, module) for i, (name, module) in enumerate(self._named_layers())]

    def _become(self, steps):
        """Hold these (name, module), in this order. None becomes the new position, or the next free number."""
        taken = {name for name, _ in steps}
        for name, _ in self._named_layers():
            delattr(self, name)
        for i, (name, module) in enumerate(steps):
            name = name or next(free for free in map(str, count(i)) if free not in taken)
            taken.add(name)
            self.add_module(name, module)

    def _layer(self, i, module):
        if not isinstance(module, Module):
            raise DTypeError(f"{type(self).__name__}: layer {i}: {why_no_module(module)}")
        self._check_below(f"layer {i}", module)
        return module

    def _position(self, i):
        """i counted from the start; a negative i counts from the end. Raises IndexError."""
        n = len(self)
        position = integer(f"{type(self).__name__}: an index", i)
        if not -n <= position < n:
            raise IndexError(f"{type(self).__name__} holds {n} modules, there is no index {i}")
        return position % n

    def __len__(self) -> int:
        return len(self._named_layers())

    def __iter__(self) -> Iterator[Module]:
        return iter([module for _, module in self._named_layers()])

    def __contains__(self, module):
        return any(module is own for own in self)

    def __getitem__(self, i: Any) -> Any:
        """The i-th module."""
        return self._named_layers()[self._position(i)][1]

    def __setitem__(self, i, module):
        if isinstance(i, slice):
            raise DTypeError(
                f"{type(self).__name__}: modules are set one at a time, got a slice; delete it "
                "(del layers[1:]) and call extend(modules)"
            )
        name, _ = self._named_layers()[self._position(i)]
        setattr(self, name, self._layer(i, module))

    def __delitem__(self, i):
        steps = self._positional()
        del steps[i if isinstance(i, slice) else self._position(i)]
        self._become(steps)

    def append(self, module: Module) -> Self:
        return self.insert(len(self), module)

    def insert(self, i: int, module: Module) -> Self:
        """Put module before the i-th, as a list does."""
        steps = self._positional()
        position = integer(f"{type(self).__name__}: an index", i)
        steps.insert(max(-len(steps), min(position, len(steps))), (None, self._layer(i, module)))
        self._become(steps)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        if not hasattr(modules, "__iter__"):
            raise DTypeError(f"{type(self).__name__}: needs a list of modules, got {type(modules).__name__}")
        for module in tuple(modules):
            self.append(module)
        return self

    def pop(self, i: int = -1) -> Any:
        """Remove the i-th module and return it."""
        module = self[i]
        del self[i]
        return module

    __iadd__ = extend


class Sequential(_ModuleSequence):
    """Modules one after another. Parameters are named by position, 0.weight, 1.weight, or by the keys of a dict.

    >>> nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
    """

    def __init__(self, *modules: Module | dict[str, Any]) -> None:
        named: Iterable[tuple[str, Any]]
        if len(modules) == 1 and isinstance(modules[0], dict):
            named = modules[0].items()
        else:
            named = [(str(i), module) for i, module in enumerate(modules)]
        for name, module in named:
            self.add_module(name, self._layer(name, module))

    def __getitem__(self, i: Any) -> Any:
        """The i-th module, or a slice as a Sequential of the same modules and names."""
        return Sequential(dict(self._named_layers()[i])) if isinstance(i, slice) else super().__getitem__(i)

    def __add__(self, other: Sequential) -> Sequential:
        """A new Sequential of the same modules, first these, then the other's."""
        return Sequential(*self, *other) if isinstance(other, Sequential) else NotImplemented

    def forward(self, x: Any) -> Tensor:
        return run((x,), list(self))


class ModuleList(_ModuleSequence):
    """A list whose modules are found: parameters are named by position, layers.0.weight. It has no forward().

    >>> self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self.extend(modules)

    def __getitem__(self, i: Any) -> Any:
        """The i-th module, or a slice as a ModuleList of the same modules."""
        return ModuleList(list(self)[i]) if isinstance(i, slice) else super().__getitem__(i)

    def __add__(self, modules: Iterable[Module]) -> ModuleList:
        """A new ModuleList of the same modules, first these, then the others."""
        return ModuleList([*self, *modules])


class ModuleDict(Module):
    """A dict whose modules are found: parameters are named by key, branches.left.weight. It has no forward()."""

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()) -> None:
        self.update(modules)

    def __getitem__(self, key: str) -> Any:
        return dict(self.items())[key]

    def __setitem__(self, key: str, module: Module) -> None:
        if not isinstance(module, Module):
            raise DTypeError(f"ModuleDict: {key!r}: {why_no_module(module)}")
        self.add_module(key, module)

    def __delitem__(self, key):
        self.pop(key)

    def pop(self, key):
        """Remove the module of this key and return it. Raises KeyError."""
        module = self[key]
        delattr(self, key)
        return module

    def clear(self):
        """Remove all modules."""
        for key in self.keys():
            del self[key]

    def __len__(self) -> int:
        return len(self.items())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __contains__(self, key):
        return key in self.keys()

    def keys(self) -> KeysView[str]:
        return dict(self.items()).keys()

    def values(self) -> ValuesView[Any]:
        return dict(self.items()).values()

    def items(self) -> list[tuple[str, Any]]:
        return [(name, value) for name, value in vars(self).items() if isinstance(value, Module)]

    def update(self, modules):
        try:
            named = dict(modules)
        except (TypeError, ValueError):
            raise DTypeError(f"ModuleDict: needs a dict of modules, got {type(modules).__name__}") from None
        for key, module in named.items():
            self[key] = module
