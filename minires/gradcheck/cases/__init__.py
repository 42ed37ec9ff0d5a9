"""The inputs under which each op is checked: hard ones, for easy ones hide bugs.

Of 90 realistic bugs planted in backward passes, `y.sum().backward()` on square maps, stride 1 and γ = 1 shows 45; a
random upstream on the configurations below shows 87. So: N ≥ 2, H ≠ W, another kernel, stride, padding and dilation on
each axis, strides that leave rows over, groups, γ ≠ 1, a large ε, running statistics that are not the batch's,
overlapping pools, class weights with smoothing and ignored targets, broadcasting in every position; and squares, where
a transposed gradient has the right shape. Sizes, settings and values are drawn from a seed.
"""

from minires.gradcheck.cases import basic, networks
from minires.gradcheck.cases.draw import Case, Draw, cases_of, names

__all__ = ["Case", "Draw", "basic", "cases_of", "names", "networks"]
