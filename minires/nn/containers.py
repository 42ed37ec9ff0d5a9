"""Modules that hold others by number or by name: Sequential, ModuleList, ModuleDict."""

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


class _Numbered(Module):
    """A list of modules, each an attribute named by its place: 0.weight, 1.weight."""

    def _steps(self):
        """[(name, module)]: the attributes that are modules themselves."""
        return [(name, value) for name, value in vars(self).items() if isinstance(value, Module)]

    def _places(self):
        """[(name, module)], with None for a name that is the number of its place."""
        return [(None if name == str(i) else name, module) for i, (name, module) in enumerate(self._steps())]

    def _become(self, steps):
        """Hold these (name, module), in this order; None becomes the number of the new place, or the next free one."""
        taken = {name for name, _ in steps}
        for name, _ in self._steps():
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

    def _place(self, i):
        """i, which may count from the end, as it counts from the start. Raises IndexError."""
        n = len(self)
        place = integer(f"{type(self).__name__}: a place", i)
        if not -n <= place < n:
            raise IndexError(f"{type(self).__name__} holds {n} modules, there is no place {i}")
        return place % n

    def __len__(self) -> int:
        return len(self._steps())

    def __iter__(self) -> Iterator[Module]:
        return iter([module for _, module in self._steps()])

    def __contains__(self, module):
        return any(module is held for held in self)

    def __getitem__(self, i: Any) -> Any:
        """The i-th module."""
        return self._steps()[self._place(i)][1]

    def __setitem__(self, i, module):
        if isinstance(i, slice):
            raise DTypeError(
                f"{type(self).__name__}: modules are set one at a time, got a slice; delete it "
                "(del layers[1:]) and call extend(modules)"
            )
        name, _ = self._steps()[self._place(i)]
        setattr(self, name, self._layer(i, module))

    def __delitem__(self, i):
        steps = self._places()
        del steps[i if isinstance(i, slice) else self._place(i)]
        self._become(steps)

    def append(self, module: Module) -> Self:
        return self.insert(len(self), module)

    def insert(self, i: int, module: Module) -> Self:
        """Put module before the i-th, as a list does."""
        steps = self._places()
        place = integer(f"{type(self).__name__}: a place", i)
        steps.insert(max(-len(steps), min(place, len(steps))), (None, self._layer(i, module)))
        self._become(steps)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        if not hasattr(modules, "__iter__"):
            raise DTypeError(f"{type(self).__name__}: needs a list of modules, got {type(modules).__name__}")
        for module in tuple(modules):
            self.append(module)
        return self

    def pop(self, i: int = -1) -> Any:
        """Take the i-th module out, and return it."""
        module = self[i]
        del self[i]
        return module

    __iadd__ = extend


class Sequential(_Numbered):
    """One module after another; parameters are named by position, 0.weight, 1.weight, or as an OrderedDict names them.

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
        """The i-th module, or those of a slice as a Sequential, which shares them and their names."""
        return Sequential(dict(self._steps()[i])) if isinstance(i, slice) else super().__getitem__(i)

    def __add__(self, other: Sequential) -> Sequential:
        """The layers of both, shared, in a new Sequential."""
        return Sequential(*self, *other) if isinstance(other, Sequential) else NotImplemented

    def forward(self, x: Any) -> Tensor:
        return run((x,), list(self))


class ModuleList(_Numbered):
    """A list whose modules are found: parameters are named by position, layers.0.weight. It has no forward().

    >>> self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self.extend(modules)

    def __getitem__(self, i: Any) -> Any:
        """The i-th module, or those of a slice as a ModuleList, which shares them."""
        return ModuleList(list(self)[i]) if isinstance(i, slice) else super().__getitem__(i)

    def __add__(self, modules: Iterable[Module]) -> ModuleList:
        """The modules of both, shared, in a new ModuleList."""
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
        """Take the module of this key out, and return it. Raises KeyError."""
        module = self[key]
        delattr(self, key)
        return module

    def clear(self):
        """Take all modules out."""
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
