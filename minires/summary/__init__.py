"""A network as a table: its parts, the sizes of their outputs, their parameters and their multiply-adds.

>>> from minires.summary import summary
>>> print(summary(models.resnet50(), (1, 3, 224, 224)))

`python -m minires.summary resnet50` prints the same, and `--table1` prints the table of the paper
[He et al. 2015, Table 1], computed from the networks.
"""

from minires.summary.network import Row, Summary, summary
from minires.summary.paper import table1

__all__ = ["Row", "Summary", "summary", "table1"]
