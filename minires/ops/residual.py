"""The residual add: why a deep network can be trained."""

from minires import kernels
from minires.errors import ShapeError
from minires.op import op


@op
def residual_add(x, f, *, relu=False):
    """H(x) = x + F(x): ∂L/∂x = ∂L/∂H · (1 + ∂F/∂x)  [He et al. 2016, arXiv:1603.05027, eq. 5].

    The sum hands ∂L/∂H on twice, unchanged: once to x, which is the 1, and once to f, from where it travels back
    through the branch and reaches x as ∂L/∂H · ∂F/∂x. However small the branch's part becomes, the 1 stays.

    relu: y = max(H, 0), the ReLU that ends the blocks of 2015, in the same pass over memory; what is handed on twice is
    then ∂L/∂y where y > 0, else 0.

    x and f = F(x) of one shape -> y of that shape. Raises ShapeError otherwise: nothing is broadcast here.
    """
    if x.shape != f.shape:
        raise ShapeError(f"residual_add: the shortcut has shape {x.shape}, the branch {f.shape}; where a block changes "
                         "them, project x first (a strided 1×1 convolution, or option A's padding)")
    if relu:
        y = kernels.add_relu(x, f)
        return y, lambda dy: (kernels.relu_dx(dy, y),) * 2
    return kernels.add(x, f), lambda dy: (dy, dy)
