"""What to write in place of a value that is no module."""

from minires.nn.tree import ModuleTree
from minires.tensor import Tensor

_LAYER_OF = {
    "relu": "ReLU()",
    "leaky_relu": "LeakyReLU()",
    "relu6": "ReLU6()",
    "silu": "SiLU()",
    "gelu": "GELU()",
    "sigmoid": "Sigmoid()",
    "tanh": "Tanh()",
    "softmax": "Softmax(dim=1)",
    "log_softmax": "LogSoftmax(dim=1)",
    "dropout": "Dropout()",
    "flatten": "Flatten()",
    "max_pool2d": "MaxPool2d(2)",
    "avg_pool2d": "AvgPool2d(2)",
    "adaptive_avg_pool2d": "AdaptiveAvgPool2d(1)",
}


def why_no_module(value):
    """Why value is no module, and what to write in its place, for an error message."""
    if isinstance(value, type) and issubclass(value, ModuleTree):
        return f"nn.{value.__name__} is a class; make a layer of it: nn.{value.__name__}()"
    if isinstance(value, type):
        return f"{value.__name__} is a class, and no Module"
    name = getattr(value, "__name__", type(value).__name__)
    if isinstance(value, Tensor) or hasattr(value, "dtype"):
        return f"a {type(value).__name__} is no Module; make it a Parameter of a Module of your own"
    if callable(value):
        return f"{name} is a function, and no Module; " + (
            f"write nn.{_LAYER_OF[name]}" if name in _LAYER_OF else "call it in the forward() of a Module of your own"
        )
    if isinstance(value, (list, tuple, dict)) or hasattr(value, "__next__"):
        return f"a {name} is no Module; put its layers in one by one: Sequential(*layers)"
    return f"{value!r} is no Module"
