"""Methods that compute element by element, the softmax family, and the matrix product."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minires.op import registry
from minires.tensor_base import TensorBase

if TYPE_CHECKING:
    from minires.annotations import Dims, Operand
    from minires.tensor import Tensor


class Elementwise(TensorBase):
    """One element of the result for each element of the Tensor."""

    __slots__ = ()

    def exp(self) -> Tensor:
        """eˣ"""
        return registry["exp"](self)

    def log(self) -> Tensor:
        """ln x"""
        return registry["log"](self)

    def sqrt(self) -> Tensor:
        """√x"""
        return registry["sqrt"](self)

    def abs(self) -> Tensor:
        """|x|"""
        return registry["abs"](self)

    def neg(self) -> Tensor:
        """−x"""
        return registry["neg"](self)

    def add(self, other: Operand) -> Tensor:
        """x + other"""
        return registry["add"](self, other)

    def sub(self, other: Operand) -> Tensor:
        """x − other"""
        return registry["sub"](self, other)

    def mul(self, other: Operand) -> Tensor:
        """x · other, elementwise"""
        return registry["mul"](self, other)

    def div(self, other: Operand) -> Tensor:
        """x / other"""
        return registry["div"](self, other)

    def pow(self, exponent: Operand) -> Tensor:
        """x to the power of a number or a Tensor"""
        return registry["pow"](self, exponent)

    def maximum(self, other: Operand) -> Tensor:
        """The larger of x and other, element by element; max() is over the elements of one Tensor."""
        return registry["maximum"](self, other)

    def minimum(self, other: Operand) -> Tensor:
        """The smaller of x and other, element by element; min() is over the elements of one Tensor."""
        return registry["minimum"](self, other)

    def clip(self, min: Operand | None = None, max: Operand | None = None) -> Tensor:
        """x kept within [min, max]"""
        return registry["clip"](self, min=min, max=max)

    clamp = clip

    def relu(self) -> Tensor:
        """max(x, 0)"""
        return registry["relu"](self)

    def sigmoid(self) -> Tensor:
        """1/(1 + e⁻ˣ)"""
        return registry["sigmoid"](self)

    def tanh(self) -> Tensor:
        """tanh x"""
        return registry["tanh"](self)

    def softmax(self, dim: int) -> Tensor:
        """eˣ/Σeˣ along dim"""
        return registry["softmax"](self, dim=dim)

    def log_softmax(self, dim: int) -> Tensor:
        """ln softmax along dim"""
        return registry["log_softmax"](self, dim=dim)

    def logsumexp(self, dim: Dims, keepdim: bool = False) -> Tensor:
        """ln Σeˣ along one dim or several"""
        return registry["logsumexp"](self, dim=dim, keepdim=keepdim)

    # Over one axis, or two

    def matmul(self, other: Operand) -> Tensor:
        """x @ other, over the last two axes"""
        return registry["matmul"](self, other)
