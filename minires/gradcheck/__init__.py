"""The gradient check: every backward is held against derivatives that were measured, not derived.

>>> from minires import gradcheck, ops
>>> print(gradcheck.check(ops.conv2d, x, w, b, stride=2))
"""

from minires.gradcheck.cases import Case, cases_of
from minires.gradcheck.checks.checker import check, check_op
from minires.gradcheck.checks.networks import check_module, taylor_test
from minires.gradcheck.checks.report import Report
from minires.gradcheck.grading.grade import grade

__all__ = ["Case", "Report", "cases_of", "check", "check_module", "check_op", "grade", "taylor_test"]
