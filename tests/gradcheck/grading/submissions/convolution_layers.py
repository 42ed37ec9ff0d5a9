"""conv2d as a class: where its arrays come from, and where its gradients stay."""

from submissions.convolution import CONV
from submissions.table import Table

TABLE = Table()

LAYER = """
class Conv:
    def __init__(self, W, b, stride=1, pad=0):
        self.W, self.b, self.stride, self.pad = W, b, stride, pad
        self.dW = self.db = None
    def forward(self, x):
        self.y, self.back = conv2d(x, self.W, self.b, self.stride, self.pad)
        return self.y
    def backward(self, dout):
        dx, self.dW, self.db = self.back(dout)
        return dx
"""
BLANK = """
class Conv:
    def __init__(self, W, b, stride=1, pad=0):
        pass
    def forward(self, x):
        pass
    def backward(self, dout):
        pass
"""
TABLE.with_mistakes(
    "class, arrays given, dw kept",
    "conv2d",
    "Conv",
    CONV + LAYER,
    ("dx, self.dW, self.db = self.back(dout)", "dx, self.dW, self.db = self.back(dout)\n        self.dW = self.dW / 2"),
    BLANK,
)

SIZED = """
class Conv2d:
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        self.weight = np.random.randn(out_channels, in_channels, kernel_size, kernel_size)
        self.bias = np.zeros(out_channels)
        self.stride, self.padding, self.grads = stride, padding, {}
    def forward(self, x):
        y, self.back = conv2d(x, self.weight, self.bias, self.stride, self.padding)
        return y
    def backward(self, dout):
        dx, self.grads["weight"], self.grads["bias"] = self.back(dout)
        return dx
"""
BLANK = """
class Conv2d:
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        raise NotImplementedError
    def forward(self, x): ...
    def backward(self, dout): ...
"""
TABLE.with_mistakes(
    "class, sizes given, dict kept",
    "conv2d",
    "Conv2d",
    CONV + SIZED,
    ('self.grads["bias"] = self.back(dout)', 'self.grads["bias"] = self.back(dout * (dout > 0))'),
    BLANK,
)

SOURCE = """
class Conv:
    def __init__(self, stride=1, padding=0):
        self.stride, self.padding = stride, padding
    def forward(self, x, w, b):
        y, self.back = conv2d(x, w, b, self.stride, self.padding)
        return y
    def backward(self, dy):
        return self.back(dy)
"""
TABLE.add("class all in forward", "conv2d", "Conv", CONV + SOURCE)

IN_A_DICT = """
class Conv:
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        k = kernel_size
        self.params = {"W": np.zeros((out_channels, in_channels, k, k)), "b": np.zeros(out_channels)}
        self.grads = {}
        self.stride, self.padding = stride, padding
    def forward(self, x):
        y, self.back = conv2d(x, self.params["W"], self.params["b"], self.stride, self.padding)
        return y
    def backward(self, dout):
        dx, self.grads["W"], self.grads["b"] = self.back(dout)
        return dx
"""
TABLE.add("params dict", "conv2d", "Conv", CONV + IN_A_DICT)

OBJECTS = """
class Parameter:
    def __init__(self, data): self.data, self.grad = data, None
class Conv:
    def __init__(self, c_in, c_out, k, stride=1, padding=0):
        self.weight, self.bias = Parameter(np.zeros((c_out, c_in, k, k))), Parameter(np.zeros(c_out))
        self.stride, self.padding = stride, padding
    def forward(self, x):
        y, self.back = conv2d(x, self.weight.data, self.bias.data, self.stride, self.padding)
        return y
    def backward(self, dout):
        dx, self.weight.grad, self.bias.grad = self.back(dout)
        return dx
"""
TABLE.add("Parameter objects", "conv2d", "Conv", CONV + OBJECTS)

SOURCE = """
class Conv:
    def __init__(self, w, b, stride=1, padding=0):
        self.w, self.b, self.s, self.p = w, b, stride, padding
    def forward(self, x):
        y, self.back = conv2d(x, self.w, self.b, self.s, self.p)
        return y
    def backward(self, dout):
        self.dx, self.dw, self.db = self.back(dout)
"""
TABLE.add("keeps dx dw db returns none", "conv2d", "Conv", CONV + SOURCE)

NEEDS_BIAS = """
class Conv:
    def __init__(self, stride=1, pad=0):
        self.W, self.stride, self.pad = None, stride, pad
        self.b = None
    def forward(self, x):
        if getattr(self, "b", None) is None:
            raise ValueError("no bias")
        y, self.back = conv2d(x, self.W, self.b, self.stride, self.pad)
        return y
    def backward(self, dout):
        dx, self.dW, self.db = self.back(dout)
        return dx
"""
TABLE.with_mistakes(
    "class, arrays set, no place for a bias where there is a stride or padding",
    "conv2d",
    "Conv",
    CONV + NEEDS_BIAS,
    ("        self.b = None", "        if (stride, pad) == (1, 0): self.b = None"),
)

# PyTorch's layers begin with random biases. A case without a bias must not see them.
RANDOM = "np.random.randn(out_channels)"
TABLE.with_mistakes(
    "class, sizes given, a random bias",
    "conv2d",
    "Conv2d",
    CONV + SIZED.replace("np.zeros(out_channels)", RANDOM),
    ('self.grads["bias"] = self.back(dout)', 'self.grads["bias"] = self.back(dout * (dout > 0))'),
)
for name, source in (("params dict", IN_A_DICT), ("Parameter objects", OBJECTS)):
    source = source.replace("np.zeros(out_channels)", RANDOM).replace("np.zeros(c_out)", "np.random.randn(c_out)")
    TABLE.add(f"{name}, a random bias", "conv2d", "Conv", CONV + source)
