"""Parameter: a Tensor that training changes."""

from typing import Any

from minires.tensor import Tensor


class Parameter(Tensor):
    """A Tensor that training changes."""

    __slots__ = ("seed",)  # set where the values were drawn from a seed, and gone in a copy

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        super().__init__(data, requires_grad)

    def __deepcopy__(self, memo):
        """A Parameter of its own, without .grad, as torch's: a copied model starts without gradients."""
        copied = super().__deepcopy__(memo)
        copied.grad = None
        return copied
