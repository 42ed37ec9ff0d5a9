"""Two neighbours as one op each, which makes and reads fewer feature maps. conv_norm.py has a third pair.

Networks do not call these. They call their layers through nn.chain, which takes one of these ops in their place where
the result is the same.
"""

from minires import kernels
from minires.op import op
from minires.ops.norm import as_feature_map, batch_norm_gradients, statistics
from minires.ops.norm_checks import RunningStats, check_channels
from minires.ops.residual import check_same_shape


@op
def batch_norm_relu(x, weight, bias, *, running_mean=None, running_var=None, training=False, momentum=0.1, eps=1e-5):
    """y = max(γ·x̂ + β, 0): relu(batch_norm(x)) in one pass over memory, to the same bits.

    Its gradients are batch_norm's, with ∂L/∂y taken as 0 where y = 0 (relu_dx of kernels/readable/elementwise.py).
    Shapes, settings and errors are batch_norm's.
    """
    shape = x.shape
    x = as_feature_map("batch_norm_relu", x)
    running = RunningStats(running_mean, running_var, momentum)
    check_channels("batch_norm_relu", x.shape[1], "x", weight=weight, bias=bias)
    mean, inv_std = statistics("batch_norm_relu", x, running, training, eps)
    y = kernels.normalize(x, mean, inv_std, weight, bias, relu=True)

    def backward(dy):
        dy = kernels.relu_dx(dy.reshape(x.shape), y)
        dx, dw, db = batch_norm_gradients(dy, x, mean, inv_std, weight, training, out=dy)  # this dy is new
        return dx.reshape(shape), dw, db

    return y.reshape(shape), backward


@op
def residual_add_relu(x, f):
    """y = max(x + f, 0): relu(residual_add(x, f)) in one pass over memory, to the same bits.

    ∂L/∂x = ∂L/∂f = ∂L/∂y where y > 0, else 0 (kernels/readable/elementwise.py). Shapes and errors are residual_add's.
    """
    check_same_shape("residual_add_relu", x, f)
    y = kernels.add_relu(x, f)

    def backward(dy):
        dh = kernels.relu_dx(dy, y)
        return dh, dh  # as residual_add

    return y, backward
