"""Wrong work that would be passed over, or let pass, where it is wrong."""

from submissions.convolution import CONV
from submissions.table import Table

TABLE = Table()

ATTRIBUTE = """
class Conv:
    def __init__(self, stride=1, pad=0):
        self.W, self.b = np.zeros((4, 3, 3, 3)), np.zeros(4)
        self.stride, self.pad = stride, pad
        if (stride, pad) != (1, 0): del self.b
    def forward(self, x):
        if getattr(self, "b", None) is None: raise ValueError("no bias")
        y, self.back = conv2d(x, self.W, self.b)
        return y
    def backward(self, dy):
        dx, self.dW, self.db = self.back(dy)
        return dx
"""
IN_DICT = """
class Conv:
    def __init__(self, stride=1, pad=0):
        self.params = {"W": np.zeros((4, 3, 3, 3)), "b": np.zeros(4)}
        self.stride, self.pad = stride, pad
        if (stride, pad) != (1, 0): del self.params["b"]
    def forward(self, x):
        y, self.back = conv2d(x, self.params["W"], self.params["b"])
        return y
    def backward(self, dy):
        dx, self.dW, self.db = self.back(dy)
        return dx
"""
TABLE.add("a bias that is an attribute for stride 1 only", "conv2d", "Conv", CONV + ATTRIBUTE, "failed")
TABLE.add("a bias that is in a dict for stride 1 only", "conv2d", "Conv", CONV + IN_DICT, "failed")

SOURCE = """
def relu(x):
    return np.maximum(x, 0), lambda dy: dy * (x > 0) + 1j * dy * (x == 0)
"""
TABLE.add("imaginary at the kink, wrong", "relu", "relu", SOURCE, "failed")
TABLE.add("complex and real, right", "relu", "relu", SOURCE.replace("1j", "0j"))
