"""A Tensor's methods: each calls the op of the same name.

Names and arguments are PyTorch's.
"""

from minires.methods.copies import Copies
from minires.methods.elementwise import Elementwise
from minires.methods.reductions import Reductions
from minires.methods.shapes import Shapes
from minires.operators import Operators


class Methods(Elementwise, Reductions, Shapes, Copies, Operators):
    """The methods and operators of a Tensor."""

    __slots__ = ()
