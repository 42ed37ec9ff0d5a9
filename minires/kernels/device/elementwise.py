"""Formulas for single elements, computed in their order in memory."""

from minires.arrays import memory_order
from minires.kernels.device.launch import elementwise


def add(a, b, out=None):
    """a + b, of one shape; into out, which may be a."""
    return _in_order(elementwise("T b, T a", "T y", "y = a + b", "add"), b, a, *([] if out is None else [out]))


def add_relu(a, b):
    """max(a + b, 0), of one shape; a NaN stays NaN."""
    return _in_order(elementwise("T b, T a", "T y", "T h = a + b; y = h <= 0 ? T(0) : h", "add_relu"), b, a)


def relu(x):
    """max(x, 0); a NaN stays NaN."""
    return _in_order(elementwise("T x", "T y", "y = x <= 0 ? T(0) : x", "relu"), x)


def relu_dx(dy, y):
    """dy where y > 0, else 0."""
    return _in_order(elementwise("T dy, T y", "T dx", "dx = y > 0 ? dy : T(0)", "relu_dx"), dy, y)


def _in_order(kernel, *arrays):
    order = memory_order(arrays[-1])
    return kernel(*(a.transpose(order) for a in arrays)).transpose([order.index(i) for i in range(len(order))])
