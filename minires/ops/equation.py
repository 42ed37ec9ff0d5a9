"""einsum in torch's form, which takes its operands one by one."""

from minires.annotations import TensorLike
from minires.op import registry
from minires.tensor import Tensor


def einsum(equation: str, *operands: TensorLike) -> Tensor:
    """einsum("nc,oc->no", x, w), as torch.einsum; the op behind it, which takes a list of operands, is in linear.py."""
    return registry["einsum"](list(operands), equation=equation)
