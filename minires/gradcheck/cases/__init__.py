"""The inputs of each op's check. They are hard ones, because easy ones hide bugs.

Of 90 realistic bugs planted in backward passes, `y.sum().backward()` on square images, stride 1 and γ = 1 shows 45. A
random upstream on the cases here shows 87. So there are cases with
  N ≥ 2, H ≠ W, and a different kernel, stride, padding and dilation on each axis;
  strides that leave rows over, groups, and overlapping pooling windows;
  γ ≠ 1 and γ < 0, a large ε, and running statistics that are not the batch's;
  class weights with smoothing and ignored targets;
  broadcasting in every position;
  squares, where a transposed gradient has the right shape.
Sizes, settings and values are drawn from a seed.
"""

from minires.gradcheck.cases import basic, networks
from minires.gradcheck.cases.draw import Case, Draw, cases_of, names

__all__ = ["Case", "Draw", "basic", "cases_of", "names", "networks"]
