"""A network that holds objects of every kind, and CHANGES of each of them."""

import array
import collections
import functools
import os
import types
import warnings
import weakref

import numpy as np

from minires import Tensor, kernels, nn, ops
from minires.mode import mode
from minires.parallel.snapshot import Snapshot


def look(model):
    return Snapshot(model, list(model.parameters()))


class Config:
    def __init__(self):
        self.scale, self.shifts = 1.0, [0.0]


class Settings:
    scale = 1.0


offsets = []
kept_elsewhere = Config()
read_only = {}


def closing(offsets):
    """Two functions of a class, one of which has a variable of this function and the other a default."""

    def forward(self, x, *, offsets=[0.0]):  # noqa: B006
        return self.compute(x) + offsets[0]

    def closed(self):
        return offsets

    return forward, closed


class Slotted:
    __slots__ = ("__hidden", "scale")

    def __init__(self):
        self.scale = self.__hidden = 1.0

    def hide(self):
        self.__hidden = 3.0


class SlottedSub(Slotted):
    __slots__ = "unset"


class Layers(list):
    """A list with attributes of its own."""


def scaled(x, scale=1.0, *, shift=0.0):
    return x * scale + shift


class Holder(nn.Module):
    """A module that holds objects of every kind. Its forward() uses most of them."""

    bias = np.zeros(1, np.float32)
    shared = Config()
    settings = Settings

    @staticmethod
    def static(x, offsets=[]):  # noqa: B006 - one that is changed
        return x

    @property
    def offset(self, offsets=[]):  # noqa: B006
        return 0.0

    def __init__(self):
        self.conv = nn.Conv2d(3, 4, 3, padding=1, rng=0)
        self.norm = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, 10, rng=1)
        self.scale, self.name, self.nothing = 2.0, "holder", None
        self.numbers, self.table = [1, 2.0], {"a": 1.0, "deep": {"b": (2.0, [3.0])}}
        self.mask = np.ones((4, 1, 1), np.float32)
        self.masks = [np.ones((4, 1, 1), np.float32)]
        self.empty = np.zeros((0, 3))
        self.number = np.float32(1)
        self.objects = np.array([1, "two", None], object)
        self.tensor = Tensor(np.ones((4, 1, 1), np.float32))
        self.config = Config()
        self.slotted = Slotted()
        self.space = types.SimpleNamespace(scale=1.0)
        self.kinds = {1, "two"}
        self.queue = collections.deque([1.0])
        self.frozen = frozenset({Config})
        self.own_list = Layers([1.0])
        self.sub = SlottedSub()
        self.scaled = scaled
        self.bound = Config().__init__
        self.fixed = functools.partial(scaled, np.ones(1))
        self.masked = np.ma.masked_array([1.0, 2.0], mask=[False, True])
        self.left = [Config(), Config()]
        self.right = [Config()]
        self.before, self.after = {"a": Config, "b": Slotted}, {"c": Layers}
        self.layout = np.ones((2, 6))
        factor = [1.0]
        self.closure, self.factor = (lambda x: x * factor[0]), factor
        self.method = self.config.__init__
        self.partial = functools.partial(ops.leaky_relu, negative_slope=0.1)
        self.pair = [nn.ReLU(), nn.ReLU()]
        self.pair.append(self.pair[0])
        self.bytes = bytearray(3)
        self.row = array.array("d", [1.0])
        self.view = memoryview(bytearray(3))
        self.shown = types.MappingProxyType(read_only)
        self.weak = weakref.ref(kept_elsewhere)
        self.remembered, self.length = remembered, [1.0].__len__
        self.cycle = []
        self.cycle.append(self.cycle)
        self.layers = [nn.BatchNorm2d(4).requires_grad_(False), {"deep": nn.BatchNorm2d(4).requires_grad_(False)}]
        self.open = open(os.devnull)  # noqa: SIM115 - an object that cannot be copied or sent anywhere

    forward, closed = closing(offsets)

    def compute(self, x):
        x = self.partial(self.layers[0](self.norm(self.conv(x))))
        x = self.layers[1]["deep"](x) * self.tensor * float(self.scale * self.numbers[1] * self.table["a"])
        x = self.closure(x) * float(self.config.scale + self.config.shifts[0] + self.slotted.scale + self.space.scale)
        x = x * Tensor(self.mask * self.masks[0]) + float(self.bias[0])
        return self.fc(ops.flatten(ops.adaptive_avg_pool2d(x), start_dim=1))


def other_forward(self, x):
    return self.fc(ops.flatten(ops.adaptive_avg_pool2d(self.norm(self.conv(x))), start_dim=1))


def replaced(array):
    array.data = array.data * 2


def moved(model):
    model.after = {"b": model.before.pop("b"), **model.after}


def rewritten(array, **attributes):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for name, value in attributes.items():
            setattr(array, name, value)


@functools.lru_cache
def remembered(x):
    return x


CHANGES = {
    "a bytearray": lambda m: m.bytes.__setitem__(0, 3),
    "an array of Python's": lambda m: m.row.__setitem__(0, 3.0),
    "the memory of a view": lambda m: m.view.__setitem__(0, 3),
    "a dictionary that is shown read-only": lambda m: read_only.update(a=3.0),
    "the object of a weak reference": lambda m: setattr(kept_elsewhere, "scale", 3.0),
    "what a cached function remembers": lambda m: m.remembered(3),
    "a default of forward": lambda m: type(m).forward.__kwdefaults__["offsets"].append(3.0),
    "what forward closes over": lambda m: offsets.append(3.0),
    "a default of a static method": lambda m: m.static.__defaults__[0].append(3.0),
    "a default of a property": lambda m: type(m).offset.fget.__defaults__[0].append(3.0),
    "an attribute of an object in the class": lambda m: setattr(m.shared, "scale", 3.0),
    "an attribute of a class in the class": lambda m: setattr(Settings, "scale", 3.0),
    "an attribute of an object's class": lambda m: setattr(Config, "more", 3.0),
    "the object of a method in C": lambda m: m.length.__self__.append(3.0),
    "eps": lambda m: setattr(m.norm, "eps", 0.5),
    "an integer that is a float": lambda m: setattr(m, "numbers", [1.0, 2.0]),
    "momentum": lambda m: setattr(m.norm, "momentum", 0.5),
    "a setting of a convolution": lambda m: setattr(m.conv, "padding", 0),
    "a setting in a dictionary": lambda m: m.table.update(a=3.0),
    "an attribute": lambda m: setattr(m, "scale", 3.0),
    "None": lambda m: setattr(m, "nothing", 0),
    "an attribute's type": lambda m: setattr(m, "scale", 2),
    "an object that moves from a list into the next": lambda m: m.right.insert(0, m.left.pop()),
    "an object that moves from a dictionary into the next": moved,
    "a new attribute": lambda m: setattr(m, "more", 1),
    "an attribute that goes": lambda m: delattr(m, "name"),
    "a list": lambda m: m.numbers.__setitem__(1, 3.0),
    "a list's length": lambda m: m.numbers.append(0),
    "a dictionary's depth": lambda m: m.table["deep"]["b"][1].__setitem__(0, 4.0),
    "a dictionary's key": lambda m: m.table.update(c=1),
    "a key of a dictionary that has as many": lambda m: m.table.update(b=m.table.pop("a")),
    "a queue": lambda m: m.queue.append(2.0),
    "a set that is frozen": lambda m: setattr(m, "frozen", frozenset({Slotted})),
    "an attribute of a list": lambda m: setattr(m.own_list, "scale", 3.0),
    "a set": lambda m: m.kinds.add(3),
    "an array": lambda m: m.mask.__setitem__(0, 0),
    "an array in a list": lambda m: m.masks[0].__setitem__(0, 0),
    "two rows of an array": lambda m: m.mask.__setitem__(slice(None), np.arange(4).reshape(4, 1, 1)[::-1]),
    "an array of objects": lambda m: m.objects.__setitem__(0, 2),
    "a scalar of NumPy's": lambda m: setattr(m, "number", np.float32(2)),
    "a tensor that is no parameter": lambda m: m.tensor.data.__setitem__(0, 3),
    "an object": lambda m: setattr(m.config, "scale", 3.0),
    "a list in an object": lambda m: m.config.shifts.__setitem__(0, 3.0),
    "an array's shape": lambda m: rewritten(m.layout, shape=(3, 4)),
    "an array's type, the bytes staying": lambda m: rewritten(m.layout, dtype=np.int64),
    "an array's mask": lambda m: m.masked.mask.__setitem__(0, True),
    "a tensor that is no parameter and is to learn": lambda m: m.tensor.requires_grad_(True),
    "a private slot": lambda m: m.slotted.hide(),
    "a slot that was empty": lambda m: setattr(m.sub, "unset", 1.0),
    "a slot of a base class": lambda m: setattr(m.sub, "scale", 3.0),
    "the object of a method": lambda m: setattr(m.bound.__self__, "scale", 3.0),
    "a partial's function": lambda m: m.fixed.__setstate__((np.multiply, m.fixed.args, {}, {})),
    "a partial's argument": lambda m: m.fixed.args[0].__setitem__(0, 3.0),
    "a function's default": lambda m: setattr(m.scaled, "__defaults__", (3.0,)),
    "a function's keyword default": lambda m: m.scaled.__kwdefaults__.update(shift=3.0),
    "a function's code": lambda m: setattr(m.scaled, "__code__", (lambda x, scale, *, shift: x).__code__),
    "an object with buckets": lambda m: setattr(m.slotted, "scale", 3.0),
    "a namespace": lambda m: setattr(m.space, "scale", 3.0),
    "what a function closes over": lambda m: m.factor.__setitem__(0, 3.0),
    "another function": lambda m: setattr(m, "closure", lambda x: x * 3.0),
    "a partial's keyword": lambda m: m.partial.keywords.update(negative_slope=0.7),
    "the class's array": lambda m: m.bias.__setitem__(0, 1.0),
    "the code of a class's forward": lambda m: setattr(type(m).forward, "__code__", other_forward.__code__),
    "a base class's method": lambda m: setattr(nn.BatchNorm2d.__mro__[1], "added", lambda self: None),
    "a class's forward": lambda m: setattr(type(m), "forward", other_forward),
    "an object's forward": lambda m: setattr(m, "forward", types.MethodType(other_forward, m)),
    "which of two modules a name stands for": lambda m: m.pair.__setitem__(2, m.pair[1]),
    "a module": lambda m: setattr(m, "norm", nn.BatchNorm2d(4)),
    "a head": lambda m: setattr(m, "fc", nn.Linear(4, 10, rng=5)),
    "a class": lambda m: setattr(m.norm, "__class__", type("Sub", (nn.BatchNorm2d,), {})),
    "a module in a list": lambda m: setattr(m.layers[0], "eps", 0.5),
    "a module deep in a list": lambda m: m.layers[1].update(deep=nn.BatchNorm2d(4, eps=0.5)),
    "a forward hook": lambda m: m.norm.register_forward_hook(lambda module, inputs, y: y * 2.0),
    "a parameter": lambda m: setattr(m.fc, "weight", nn.Parameter(m.fc.weight.data.copy())),
    "a parameter's array": lambda m: replaced(m.fc.weight),
    "a frozen parameter": lambda m: m.conv.requires_grad_(False),
    "a mode": lambda m: m.norm.eval(),
    "a buffer": lambda m: setattr(m.norm, "running_mean", m.norm.running_mean + 1),
    "the chosen kernel": lambda m: kernels.use("readable"),
    "a complex step": lambda m: setattr(mode, "complex_step", True),
    "NumPy's errors": lambda m: np.seterr(under="raise"),
}
