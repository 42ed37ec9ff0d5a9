"""A network here beside the same network in another program: where they begin to differ, and why.

layers.py compares layer by layer, causes.py changes an op in a way that is often meant, and pictures.py does the same
with how an image is prepared. A cause is named only if the difference vanishes with it.
"""

from minires.compare.layers import Difference, compare

__all__ = ["Difference", "compare"]
