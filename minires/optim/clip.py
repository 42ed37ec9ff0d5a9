"""Clipping gradients between backward() and step(), with the functions of torch.nn.utils."""

import math
from collections.abc import Iterable

from minires.arrays import array_module, to_device
from minires.errors import GraphError, OptionError
from minires.optim.parameters import check_gradient, check_parameter, listed
from minires.settings import in_range
from minires.tensor import Tensor


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """g ← g·min(1, max_norm/(‖g‖ + 10⁻⁶)), where ‖g‖ is the norm of all gradients together.

    Returns ‖g‖ before clipping, a 0-d Tensor. norm_type is p in (Σ|g|ᵖ)^(1/p); math.inf gives the maximum |g|.
    max_norm=math.inf only measures. A norm of NaN makes all gradients NaN, as in torch.
    error_if_nonfinite: raise GraphError in that case and change nothing  [Pascanu et al. 2013, Alg. 1].
    """
    max_norm = in_range("clip_grad_norm_: max_norm", max_norm, 0, infinite=True)
    p = in_range("clip_grad_norm_: norm_type", norm_type, 0, infinite=True)
    if p == 0:
        raise OptionError(f"clip_grad_norm_: norm_type must be above 0, got {norm_type}")
    with_grad = _with_gradient("clip_grad_norm_", parameters)
    if not with_grad:
        return Tensor(0.0)
    device = with_grad[0].device
    total = _norm([to_device(_norm([t.grad], p), device) for t in with_grad], p)
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise GraphError(
            f"clip_grad_norm_: the norm of the gradients is {total.item()}, so they cannot be scaled; "
            "look for NaN or infinite gradients, or set error_if_nonfinite=False"
        )
    xp = array_module(total)
    factor = xp.minimum(max_norm / (total + 1e-6), 1)  # keeps a NaN
    for t in with_grad:
        t.grad *= to_device(xp.asarray(factor, t.dtype), t.device)
    return Tensor(xp.asarray(total, with_grad[0].dtype))


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """g ← min(max(g, −clip_value), clip_value) for every element g of all gradients."""
    bound = in_range("clip_grad_value_: clip_value", clip_value, 0)
    for t in _with_gradient("clip_grad_value_", parameters):
        array_module(t.grad).clip(t.grad, -bound, bound, out=t.grad)


def _norm(arrays, p):
    """(Σ|a|ᵖ)^(1/p) over all elements of the arrays, in float64 -> a 0-d array"""
    xp = array_module(arrays[0])
    sizes = [xp.abs(a).astype(xp.float64) for a in arrays if a.size] or [xp.zeros(1)]
    if p == math.inf:
        return xp.asarray(xp.stack([a.max() for a in sizes]).max())
    sums = [(a * a if p == 2 else a**p).sum() for a in sizes]
    return xp.asarray(xp.stack(sums).sum() ** (1 / p))


def _with_gradient(name, parameters):
    """The parameters that have a gradient, checked."""
    parameters = [parameters] if isinstance(parameters, Tensor) else listed(name, parameters)
    for p in parameters:
        check_parameter(name, p)
    with_grad = [p for p in parameters if p.grad is not None]
    for p in with_grad:
        check_gradient(name, p)
        if not getattr(p.grad.flags, "writeable", True):
            raise GraphError(
                f"{name}: the gradient of a parameter {p.shape} is read-only, so it cannot be clipped in "
                "place; set p.grad to a copy"
            )
    return with_grad
