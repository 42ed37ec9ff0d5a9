"""The residual add: why a deep network can be trained."""

from minires.errors import ShapeError
from minires.op import op


@op
def residual_add(x, f):
    """H(x) = x + F(x): ∂L/∂x = ∂L/∂H · (1 + ∂F/∂x)  [He et al. 2016, arXiv:1603.05027, eq. 5].

    The op does not know F; its y is H. The derivative of x + f by x is 1, the identity matrix, and by f it is 1.
    So dy = ∂L/∂H goes to both, unchanged. The dy that goes to x is ∂L/∂H · 1. The backward of F turns what goes to f
    into ∂L/∂H · ∂F/∂x, and the engine adds both at x (graph.py). However small ∂F/∂x becomes, the 1 stays.

    x and f = F(x) of one shape -> H of that shape. Raises ShapeError otherwise: nothing is broadcast here.
    """
    check_same_shape("residual_add", x, f)
    return x + f, lambda dy: (dy, dy)


def check_same_shape(op, x, f):
    """Raise ShapeError unless the shortcut's end x and the branch's end f have one shape."""
    if x.shape != f.shape:
        raise ShapeError(
            f"{op}: the shortcut has shape {x.shape}, the branch {f.shape}; where a block changes "
            "them, project x first (a strided 1×1 convolution, or option A's padding)"
        )
