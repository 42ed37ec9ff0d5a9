"""ops/linear.py: matrix products."""

from against_torch import against_torch, normal
from bad_input import ones, refusals, t

from minires import ops
from minires.errors import DTypeError, OptionError, ShapeError


def matmul(f, a, b):
    return f.matmul(a, b)


def linear(f, *inputs):
    return f.linear(*inputs)


def einsum(equation):
    return lambda f, *operands: f.einsum(equation, *operands)


TestAgainstTorch = against_torch(
    [
        ("matmul", matmul, (normal(2, 1, 3, 4), normal(5, 4, 2))),
        ("matmul, vector first", matmul, (normal(4), normal(5, 4, 2))),
        ("matmul, vector last", matmul, (normal(5, 3, 4), normal(4))),
        ("matmul, two vectors", matmul, (normal(4), normal(4))),
        ("linear", linear, (normal(2, 3, 4), normal(5, 4), normal(5))),
        ("linear of a vector", linear, (normal(4), normal(5, 4), normal(5))),
        ("linear of no samples", linear, (normal(0, 4), normal(5, 4), normal(5))),
        ("linear to nothing", linear, (normal(2, 4), normal(0, 4), normal(0))),
        ("linear of nothing", linear, (normal(2, 0), normal(5, 0), normal(5))),
        ("linear without bias", linear, (normal(3, 4), normal(5, 4))),
        ("einsum, matrices", einsum("ij,jk->ik"), (normal(2, 3), normal(3, 4))),
        ("einsum, attention", einsum("bhqd,bhkd->bhqk"), (normal(2, 2, 3, 4), normal(2, 2, 5, 4))),
        ("einsum, a letter summed alone", einsum("ij,j->j"), (normal(2, 3), normal(3))),
        ("einsum, three, no arrow", einsum("ij,jk,kl"), (normal(2, 3), normal(3, 4), normal(4, 2))),
        ("einsum, axes of length 1", einsum("ij,jk->ik"), (normal(1, 3), normal(3, 1))),
        ("einsum, one", einsum("ijk->kj"), (normal(2, 3, 4),)),
        ("einsum, a diagonal", einsum("ii->i"), (normal(3, 3),)),
        ("einsum, a trace", einsum("ii"), (normal(3, 3),)),
        ("einsum, the trace of a product", einsum("ij,ji"), (normal(2, 3), normal(3, 2))),
        ("einsum, two diagonals", einsum("ijij->ji"), (normal(2, 3, 2, 3),)),
        ("einsum, three letters alike and a product", einsum("iii,ki->k"), (normal(3, 3, 3), normal(2, 3))),
        ("einsum, the diagonal of nothing", einsum("ii->i"), (normal(0, 0),)),
    ]
)

test_bad_input = refusals(
    [
        (ShapeError, lambda: ops.linear(t(2, 3), t(4, 5)), r"linear: x \(2, 3\) and weight \(4, 5\) do not fit"),
        (ShapeError, lambda: ops.linear(t(2, 3), t(4, 3), t(3)), "linear: bias has shape"),
        (DTypeError, lambda: ops.linear(t(2, 3), ones((4, 3), complex)), "linear: argument 2 is complex128"),
        (ShapeError, lambda: ops.matmul(t(2, 3), t(4, 5)), r"matmul: \(2, 3\) and \(4, 5\) do not fit"),
        (ShapeError, lambda: ops.matmul(t(2, 2, 3), t(4, 3, 5)), "matmul: the leading axes"),
        (ShapeError, lambda: ops.matmul(t(), t(3)), r"matmul: \(\) and \(3,\)"),
        (ShapeError, lambda: ops.einsum("ii->i", t(2, 3)), "does not fit"),
        (OptionError, lambda: ops.einsum("ij->ii", t(2, 2)), "the result 'ii' of 'ij->ii' must have each letter once"),
        (OptionError, lambda: ops.einsum("ij->k", t(2, 2)), "only their letters"),
        (ShapeError, lambda: ops.einsum("ij", t(2, 2, 2)), "does not fit"),
        (ShapeError, lambda: ops.einsum("ij,jk->ik", t(2, 3), t(2, 3)), "does not fit"),
        (OptionError, lambda: ops.einsum("ij,jk", t(2, 3)), "operands"),
        (OptionError, lambda: ops.einsum("i...->i", t(2, 3)), "write axes out for '...', as in 'bij,bjk->bik'"),
        (OptionError, lambda: ops.einsum("İ->", t(2)), "must be letters a … z"),
        (OptionError, lambda: ops.einsum("\u212a->", t(2)), "must be letters a … z"),
        (OptionError, lambda: ops.einsum("i->ß", t(2)), "must be letters a … z"),
    ]
)
