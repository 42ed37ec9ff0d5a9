"""Whatever a forward hands to its backward."""

from submissions.table import Table

TABLE = Table()

SOURCE = """
from collections import namedtuple
Cache = namedtuple("Cache", "x")
def relu_forward(x): return np.maximum(x, 0), Cache(x)
def relu_backward(dout, cache): return dout * (cache.x > 0)
"""
TABLE.add("namedtuple-ish cache object", "relu", "relu_forward,relu_backward", SOURCE)

SOURCE = """
class Cache: pass
def relu_forward(x):
    c = Cache(); c.x = x
    return np.maximum(x, 0), c
def relu_backward(dout, cache): return dout * (cache.x > 0)
"""
TABLE.add("dataclass cache", "relu", "relu_forward,relu_backward", SOURCE)

SOURCE = """
def relu_forward(x): return np.maximum(x, 0), {0: x}
def relu_backward(dout, cache): return dout * (cache[0] > 0)
"""
TABLE.add("cache with int keys", "relu", "relu_forward,relu_backward", SOURCE)

SOURCE = """
def relu_forward(x): return np.maximum(x, 0), x, x.shape
def relu_backward(dout, cache): return dout * (cache[0] > 0)
"""
TABLE.add("cache several values", "relu", "relu_forward,relu_backward", SOURCE)
