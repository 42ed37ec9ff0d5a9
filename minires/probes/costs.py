"""Floating-point operations and bytes that each op of a network needs at least.

Operations are counted for products of matrices only, such as convolutions and linear layers: 2 for each multiplication
with its addition (multiply_adds), in forward, for dx and for dw. Bytes are counted as if each array crossed the memory
once. In forward these are the inputs and y; in backward dy, the arrays in the formula, and the gradients that are
needed. A real op may move less, if an array is still in a cache or if ops are fused.
"""

import inspect
import math
from collections import namedtuple

from minires import ops
from minires.arrays import is_array, owner
from minires.observe import listen
from minires.tensor import Tensor, unwrap


class Cost(namedtuple("Cost", "op direction flops nbytes")):
    """What the forward or the backward of an op needs: floating-point operations and bytes."""

    __slots__ = ()

    def seconds(self, flops_per_second, bytes_per_second):
        """The shortest possible time on a machine with these rates: of its operations or its bytes, the longer one."""
        return max(self.flops / flops_per_second, self.nbytes / bytes_per_second)


def costs(model, images, labels, *, training=True):
    """A Cost for each op of a forward pass on arrays; in training also for each backward and for the optimizer."""
    found = []

    def on_op(*call):
        found.extend(_costs(*call, training))

    with listen(on_op=on_op):
        logits = model(Tensor(images))
        if training:
            ops.cross_entropy(logits, labels)
    if training:  # read: weight, gradient, velocity; written: weight, velocity
        found.append(Cost("optimizer", "update", 0, 5 * sum(p.data.nbytes for p in model.parameters())))
    return found


def multiply_adds(name, inputs, y, backward):
    """How many multiplications with their additions the forward of an op takes. The arguments are those of on_op.

    Convolutions, linear layers, attention, matmul and einsum are counted, without biases. All other ops are 0, and so
    are ops that are not ours, whatever their names.
    """
    if not backward.__module__.startswith("minires."):
        return 0
    shapes = [getattr(unwrap(x), "shape", ()) for x in inputs]
    if name in ("conv2d", "conv_norm", "linear"):
        return y.size * math.prod(shapes[1][1:])  # an element of y is a sum over one filter
    if name == "matmul":
        return y.size * shapes[0][-1]
    if name == "scaled_dot_product_attention":  # an element of P is a sum over the features, one of y over the keys
        S, features = shapes[1][-2], shapes[0][-1]
        return math.prod(y.shape[:-1]) * S * (features + y.shape[-1])
    if name == "einsum":
        kept = inspect.getclosurevars(backward).nonlocals  # because no observer is told the equation
        return _of_einsum(kept["terms"], kept["out"], kept["sizes"])
    return 0


def _of_einsum(terms, out, sizes):
    """The same for einsum, which multiplies two arrays at a time, from the left (kernels/cpu/contraction.py)."""
    count = 0
    letters = set(terms[0])
    for i, term in enumerate(terms[1:], 2):
        later = set(out).union(*terms[i:])
        both = (letters & (set(term) | later)) | (set(term) & (letters | later))  # others are summed before
        count += math.prod(sizes[letter] for letter in both)
        letters = both & later
    return count


def _costs(name, inputs, y, backward, training):
    arrays = [unwrap(t) for t in inputs]
    floats = [a.nbytes for a in arrays if getattr(a, "dtype", None) is not None and a.dtype.kind == "f"]
    wanted = [isinstance(t, Tensor) and t.requires_grad for t in inputs]
    gradients = sum(a.nbytes for a, w in zip(arrays, wanted) if w)
    keeps_y = any(cell.cell_contents is y for cell in backward.__closure__ or ())
    products = 2 * multiply_adds(name, inputs, y, backward)
    if name in ("conv2d", "conv_norm", "linear", "matmul"):
        x, w = arrays[:2]
        needed = x.nbytes * wanted[1] + w.nbytes * wanted[0] + y.nbytes * keeps_y
    elif name == "scaled_dot_product_attention":  # query, key and value, and the weights P
        S = arrays[1].shape[-2]
        needed = sum(floats) + math.prod(y.shape[:-1]) * S * y.itemsize
    else:
        needed = {
            "batch_norm": arrays[0].nbytes,
            "batch_norm_relu": arrays[0].nbytes,
            "relu": y.nbytes,
            "residual_add_relu": y.nbytes,
        }.get(name, 0)
    is_view = is_array(arrays[0]) and owner(y) is owner(arrays[0])
    yield Cost(name, "forward", products, 0 if is_view else sum(floats) + y.nbytes)
    if training and any(wanted):
        # residual_add and a reshape return dy itself
        moves = needed > 0 or (name != "residual_add" and not (is_view and y.size == arrays[0].size))
        yield Cost(name, "backward", products * sum(wanted[:2]), moves * (y.nbytes + needed + gradients))
