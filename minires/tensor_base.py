"""What the engine knows of a Tensor: its array and its node. Everything that is called on a Tensor is added later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minires.graph import Node, Version

if TYPE_CHECKING:
    from minires.annotations import Array
    from minires.tensor import Tensor


class TensorBase:
    """The fields of a Tensor. An op needs no more of it, and so @op comes before the methods, which call ops."""

    __slots__ = ("__weakref__", "data", "grad", "node", "version")

    data: Array
    grad: Array  # None until backward() has computed it
    node: Node | None
    version: Version

    kind: type[Tensor]  # what ops return: Tensor, set where it is defined

    @classmethod
    def _of(cls, array: Array, version: Version | None = None) -> Tensor:
        """A Tensor of this array outside the graph; faster than Tensor(array), because every op calls this."""
        tensor = object.__new__(TensorBase.kind)
        _set_data(tensor, array)  # these do not run Tensor.__setattr__, which checks what a user sets
        _set_grad(tensor, None)
        _set_node(tensor, None)
        _set_version(tensor, version or Version())
        return tensor


_set_data, _set_grad, _set_node, _set_version = (
    getattr(TensorBase, name).__set__ for name in ("data", "grad", "node", "version")
)


def unwrap(value: Any) -> Any:
    """What an op computes with: the array of a Tensor, an array, a Python number, or None."""
    if isinstance(value, TensorBase):
        return value.data
    return value.item() if isinstance(value, np.generic) else value
