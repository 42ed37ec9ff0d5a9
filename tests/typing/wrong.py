"""Each line below is wrong, and mypy says so: its message must contain the words after the line's last #."""
# ruff: noqa: B018 - none of them is run

import numpy as np

import minires
import minires.nn.functional as F
from minires import Tensor, data, gradcheck, models, nn, ops, optim, storage


class Net(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x


x = minires.randn(2, 3)
net = Net()
layer = nn.Linear(3, 2)

x + "a"  # Unsupported operand types for +
[1.0, 2.0] - x  # Unsupported operand types for -
np.ones(3) * x + None  # Unsupported operand types for +
x.shape + 1  # No overload variant of "__add__" of "tuple" matches argument type "int"
x.shape = (3, 2)  # Property "shape" defined in "Tensor" is read-only
x.shap  # "Tensor" has no attribute "shap"; maybe "shape"
x.cumsum(0)  # "Tensor" has no attribute "cumsum"
x.backward(x, True)  # Too many positional arguments for "backward"
x.backward(retain_grph=True)  # Unexpected keyword argument "retain_grph"
x.sum(dims=0)  # Argument "dims" to "__call__" of "Reduction" has incompatible type "int"; expected "None"
x.reshape("2", 3)  # Argument 1 to "reshape" of "Shapes" has incompatible type "str"
x.transpose(0)  # Missing positional argument "dim1"
x.numpy().grad  # has no attribute "grad"
Tensor([1.0], requires_grad="yes")  # Argument "requires_grad" to "Tensor" has incompatible type "str"; expected "bool"
minires.zeros(2, 3.0)  # Argument 2 to "zeros" has incompatible type "float"
minires.zeross(2)  # Module has no attribute "zeross"
minires.randn(2, rng="0")  # Argument "rng" to "randn" has incompatible type "str"
with minires.no_grad() as nothing:
    nothing.x  # "None" has no attribute "x"

ops.conv2d(x)  # No overload variant of "__call__" of "Op" matches argument type "Tensor"
ops.conv2d(x, x, strid=2)  # Unexpected keyword argument "strid" for overloaded function "__call__" of "Op"; did you mean "stride"?
ops.relu(x) + "a"  # Unsupported operand types for +
ops.relu.raw(x, x)  # Too many arguments
ops.relu.row(x)  # has no attribute "row"
ops.rleu(x)  # Module has no attribute "rleu"
ops.einsum(x, "ij->i")  # Argument 1 to "einsum" has incompatible type "Tensor"; expected "str"
minires.op(3)  # No overload variant of "op" matches argument type "int"
F.leaky_relu(x, "0.1")  # Argument 2 to "leaky_relu" has incompatible type "str"; expected "float"
F.max_pool2d(x)  # No overload variant of "__call__" of "Op" matches argument type "Tensor"
F.hardswish(x)  # Module has no attribute "hardswish"

nn.Conv2d(1, 2)  # Missing positional argument "kernel_size"
nn.Conv2d(1, 2, 3, strides=2)  # Unexpected keyword argument "strides" for "Conv2d"; did you mean "stride"?
nn.Conv2d(1, 2, "3")  # Argument 3 to "Conv2d" has incompatible type "str"
nn.Linear(3, 2, rng=0.5)  # Argument "rng" to "Linear" has incompatible type "float"
nn.BatchNorm2d(3.0)  # Argument 1 to "BatchNorm2d" has incompatible type "float"; expected "int"
nn.Dropout("0.5")  # Argument 1 to "Dropout" has incompatible type "str"; expected "float"
nn.Sequential([layer])  # Argument 1 to "Sequential" has incompatible type "list[Linear]"
nn.Lineer(3, 2)  # Module has no attribute "Lineer"
layer("x")  # Argument 1 to "__call__" of "Module" has incompatible type "str"
layer(x, x)  # Too many arguments for "__call__" of "Module"
net(x, 2)  # Too many arguments for "__call__" of "Module"
net(x) + "a"  # Unsupported operand types for +
net.foward(x)  # "Net" has no attribute "foward"; maybe "forward"?
layer.wieght  # "Linear" has no attribute "wieght"; maybe "weight"?
net.train("yes")  # Argument 1 to "train" of "Module" has incompatible type "str"; expected "bool"
next(net.parameters()).datum  # "Parameter" has no attribute "datum"
net.load_state_dict([x])  # Argument 1 to "load_state_dict" of "Module" has incompatible type "list[Tensor]"
nn.CrossEntropyLoss(reduction=None)  # Argument "reduction" to "CrossEntropyLoss" has incompatible type "None"; expected "str"
nn.init.normal_(np.ones(3))  # Argument 1 to "normal_" has incompatible type

models.resnet18(10)  # Too many positional arguments
models.resnet18(num_class=10)  # Unexpected keyword argument "num_class"
models.resnet20(num_classes="10")  # Argument "num_classes" has incompatible type "str"; expected "int"
models.preact_resnet20(classes=10)  # Unexpected keyword argument "classes"
models.resnet19()  # Module has no attribute "resnet19"; maybe "resnet1
models.resnet20()(x, x)  # Too many arguments for "__call__" of "Module"

optim.SGD(net.parameters(), lr="0.1")  # Argument "lr" to "SGD" has incompatible type "str"; expected "float"
optim.SGD(net)  # Argument 1 to "SGD" has incompatible type "Net"
optim.SGD(net.named_parameters())  # Argument 1 to "SGD" has incompatible type "Iterator[tuple[str, Parameter]]"
optim.Adam(net.parameters(), momentum=0.9)  # Unexpected keyword argument "momentum" for "Adam"
optim.SGD(net.parameters()).lr = "0.1"  # Incompatible types in assignment
optim.cosine(0.1, T_max=0.5)  # Argument "T_max" to "cosine" has incompatible type "float"; expected "int"
optim.RMSprop(net.parameters())  # Module has no attribute "RMSprop"

train, test = data.load("digits")
data.DataLoader(5)  # Argument 1 to "DataLoader" has incompatible type "int"
data.DataLoader(train, batch_size="64")  # Argument "batch_size" to "DataLoader" has incompatible type "str"; expected "int"
next(iter(data.DataLoader(train)))[0].imgs  # "Tensor" has no attribute "imgs"
storage.save({}, "weights.safetensors")  # Argument 1 to "save" has incompatible type "dict[Never, Never]"
storage.save("weights.safetensors", net)  # Argument 2 to "save" has incompatible type "Net"
storage.load("weights.safetensors").keys()  # has no attribute "keys"

gradcheck.check(ops.relu, x).pased  # "Report" has no attribute "pased"; maybe "passed"
gradcheck.check(ops.relu, x, seed="0")  # Argument "seed" to "check" has incompatible type "str"; expected "int"
gradcheck.check_op(ops.relu)  # Argument 1 to "check_op" has incompatible type "Op[[Any]]"; expected "str"
gradcheck.check_module(ops.relu, x)  # Argument 1 to "check_module" has incompatible type "Op[[Any]]"
