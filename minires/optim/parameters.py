"""Checks of what is given as the parameters of a network, with a remedy for usual mistakes."""

from minires.arrays import is_array
from minires.errors import DTypeError, OptionError, ShapeError
from minires.tensor import Tensor


def listed(name, params):
    """params as a list of Tensors or of groups.

    Raises OptionError if it is neither, and if it is empty; DTypeError for a set, which has no order.
    """
    if isinstance(params, Tensor):
        raise OptionError(f"{name}: params must be several Tensors; put a single one into a list: [parameter]")
    if hasattr(params, "parameters"):
        raise OptionError(f"{name}: params must be Tensors, got a {type(params).__name__}; give its parameters()")
    if isinstance(params, dict):
        raise OptionError(
            f"{name}: params must be Tensors or a list of groups, got a dictionary; give its values(), or [group]"
        )
    if isinstance(params, (set, frozenset)):
        raise DTypeError(
            f"{name}: params must have an order, by which a checkpoint knows them, got a {type(params).__name__}; "
            "give model.parameters() or a list"
        )
    try:
        params = list(params)
    except TypeError:
        raise OptionError(f"{name}: params must be Tensors, got {type(params).__name__}") from None
    if not params:
        raise OptionError(
            f"{name}: there are no parameters; model.parameters() is a generator, which is empty after "
            "one loop: call it again"
        )
    return params


def check_parameter(name, p):
    """Raise OptionError or DTypeError unless p is a leaf Tensor of floats. It may be frozen."""
    if isinstance(p, tuple):
        raise OptionError(
            f"{name}: every parameter must be a Tensor, got a pair; give model.parameters(), not named_parameters()"
        )
    if not isinstance(p, Tensor):
        raise OptionError(f"{name}: every parameter must be a Tensor, got {type(p).__name__}")
    if not p.is_leaf:
        raise OptionError(
            f"{name}: every parameter must be a leaf, this one {p.shape} is the result of {p.node.name}; "
            "give the tensors that it was computed from, or its detach()"
        )
    if p.dtype.kind != "f":
        raise DTypeError(f"{name}: every parameter must hold floats, this one {p.shape} is {p.dtype}")


def check_gradient(name, p):
    """Raise DTypeError or ShapeError if a parameter's .grad is no array of its shape and type."""
    if not is_array(p.grad):
        raise DTypeError(f"{name}: a parameter's grad must be an array, got {type(p.grad).__name__}")
    if p.grad.shape != p.shape:
        raise ShapeError(f"{name}: a parameter {p.shape} has a gradient {p.grad.shape}")
    if p.grad.dtype != p.dtype:
        raise DTypeError(f"{name}: a {p.dtype} parameter has a {p.grad.dtype} gradient")
