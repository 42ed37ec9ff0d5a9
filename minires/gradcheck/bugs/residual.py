"""Bugs of the residual add: dy goes to x and to f, unchanged."""

from minires.gradcheck.bugs.bug import bug


@bug("residual_add", "identity dropped")
def _(call):
    """your dx is zero: dy goes to x unchanged, this is the 1 in 1 + ∂F/∂x"""
    return 0 * call.dy, call.dy


@bug("residual_add", "branch dropped")
def _(call):
    """your df is zero: dy goes to the branch f unchanged too"""
    return call.dy, 0 * call.dy


@bug("residual_add", "gradient halved")
def _(call):
    """your gradients are dy/2: y = x + f is a sum, so both x and f receive all of dy"""
    return call.dy / 2, call.dy / 2


@bug("residual_add", "identity twice")
def _(call):
    """your dx is 2·dy: dx = dy, the engine adds the gradient that comes back through the branch"""
    return 2 * call.dy, call.dy


@bug("residual_add", "ReLU's mask on the identity")
def _(call):
    """your dx is masked as by a ReLU, but there is no ReLU in this op: dx = dy"""
    return call.dy * (call.y > 0), call.dy


@bug("residual_add", "product's")
def _(call):
    """your gradients are those of the product x·f: y = x + f is a sum, so both are dy"""
    x, f = call.arrays
    return call.dy * f, call.dy * x


@bug("residual_add", "no gradient for x")
def _(call):
    """your dx is None: the shortcut has a gradient, dx = dy"""
    return None, call.dy


@bug("residual_add_relu", "mask forgotten")
def _(call):
    """your gradients are dy everywhere: the ReLU comes after the add, so its mask is y > 0"""
    return call.dy, call.dy


@bug("residual_add_relu", "mask on the branch only")
def _(call):
    """your dx is dy everywhere: the ReLU comes after the add, so its mask y > 0 holds for x too"""
    return call.dy, call.right[1]
