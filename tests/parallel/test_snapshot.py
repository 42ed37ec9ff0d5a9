"""Whatever of a network a process has copied is known to be unchanged, or is copied again."""

import array
import collections
import copy
import functools
import os
import sys
import types
import warnings
import weakref

import numpy as np
import pytest
from sharing import batch, network

from minires import Tensor, kernels, nn, ops
from minires.mode import mode, no_grad
from minires.parallel import Replicas
from minires.parallel.snapshot import Snapshot

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux only")


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
    """A module that holds things of every kind, and whose forward() looks at most of them."""

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


@pytest.fixture
def holder():
    forward = Holder.forward
    bias = Holder.bias.copy()
    errors = np.geterr()
    code = {function: function.__code__ for function in (forward, scaled)}
    model = Holder()
    yield model
    model.open.close()
    Holder.forward, Holder.bias[:] = forward, bias
    for function in code:
        function.__code__ = code[function]
    scaled.__defaults__, scaled.__kwdefaults__ = (1.0,), {"shift": 0.0}
    if "added" in vars(nn.BatchNorm2d.__mro__[1]):
        del nn.BatchNorm2d.__mro__[1].added
    mode.complex_step = False
    np.seterr(**errors)
    kernels.use("fastest")


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_seen_and_no_change_is_none(holder, change):
    before = look(holder)
    assert before.difference(look(holder)) == ""
    change(holder)
    after = look(holder)
    assert before.difference(after)
    assert after.difference(look(holder)) == ""


def test_the_place_of_a_change_is_named():
    model = network()
    before = look(model)
    model.layer2[0].bn1.eps = 0.5
    assert before.difference(look(model)) == "layer2.0.bn1.eps"
    holder = Holder()
    before = look(holder)
    holder.config.shifts[0] = 1.0
    assert before.difference(look(holder)) == "config.shifts"
    holder.open.close()
    model = nn.Linear(2, 2, rng=0)
    before = look(model)
    model.last = 1
    assert before.difference(look(model)) == "last"


def test_what_a_step_of_training_changes_is_no_change():
    """Weights lie in shared memory, buffers are copied with each batch, gradients are each process's own."""
    model = network()
    before = look(model)
    for p in model.parameters():
        p.data -= 0.1
        p.grad = np.zeros_like(p.data)
    model.bn1.running_mean += 1
    model.bn1.num_batches_tracked += 1
    model.train()  # which sets attributes that were the class's
    assert before.difference(look(model)) == ""


def test_values_that_are_made_anew_are_no_change():
    model = network()
    values = [
        "slice(1, 9)",
        "range(300)",
        "1e9 + 1j",
        "b'bytes'",
        "(1, 'two')",
        "frozenset({1000})",
        "[1000, None]",
        "{'a': 1000}",
        "{1000}",
    ]
    for i, value in enumerate(values):
        setattr(model, f"value{i}", eval(value))
    before = look(model)
    for i, value in enumerate(values):
        setattr(model, f"value{i}", eval(value))
    assert before.difference(look(model)) == ""


def test_what_takes_the_place_of_something_that_has_gone_is_seen():
    """Python gives the address of an object that has gone to the next one of its size."""

    def change_array(model):
        model.linear.bias.data = np.zeros(10)  # the first array goes
        model.linear.bias.data = np.ones(10)

    def change_buffer(model):
        model.bn1.running_mean = None
        model.bn1.running_mean = np.ones(16)

    def change_method(model):
        type(model).added = None
        type(model).added = lambda self: 2

    def change_object(model):
        model.marker = None
        model.marker = object()

    for change in (change_array, change_buffer, change_method, change_object):
        model = network()
        model.marker = object()
        type(model).added = lambda self: 1
        try:
            before = look(model)
            change(model)
            assert before.difference(look(model)), change.__name__
        finally:
            del type(model).added


def test_a_variable_without_a_value_hides_none_after_it():
    def outer():
        scale = [1.0]
        model.function = lambda: (absent, scale)
        model.scale = scale
        if False:
            absent = None

    model = network()
    outer()
    model.scale, scale = None, model.scale
    before = look(model)
    scale[0] = 2.0
    assert before.difference(look(model)) == "function.scale"


def test_a_library_that_a_module_holds_is_not_looked_into():
    model = network()
    before = len(look(model).fingerprints)
    model.library, model.kind, model.builtin = np, np.float32, len  # of len: its module and the name of that
    assert len(look(model).fingerprints) == before + 5


def test_what_has_many_names_is_looked_at_once():
    model = network()
    before = len(look(model).fingerprints)
    for i in range(100):
        setattr(model, f"again{i}", model.layer1)
    assert len(look(model).fingerprints) == before + 100
    model.layer1[0].bn1.eps = 0.5
    assert len(look(model).fingerprints) == before + 100


def step(model, n=1, replicas=None):
    images, labels = batch(4, np.float32)
    if replicas is None:
        with Replicas(model, n) as replicas:
            return step(model, replicas=replicas)
    loss, correct = replicas.gradients(images, labels)
    return loss, correct, [None if p.grad is None else p.grad.copy() for p in model.parameters()]


def check_equal(found, expected):
    assert found[:2] == (pytest.approx(expected[0], rel=1e-5), expected[1])
    for dw, right in zip(found[2], expected[2], strict=True):
        assert (dw is None) == (right is None)
        if right is not None:
            np.testing.assert_allclose(dw, right, rtol=1e-3, atol=1e-5 * max(1, np.abs(right).max()))


@on_linux
@pytest.mark.parametrize(
    "name",
    [
        "eps",
        "a setting of a convolution",
        "an attribute",
        "a list",
        "an array",
        "a tensor that is no parameter",
        "an object with buckets",
        "what a function closes over",
        "the class's array",
        "a class's forward",
        "an object's forward",
        "a head",
        "a module in a list",
        "a forward hook",
        "a frozen parameter",
        "a buffer",
    ],
)
def test_after_a_change_processes_make_the_step_of_one(holder, name):
    with Replicas(holder, 2) as replicas:
        step(holder, replicas=replicas)
        CHANGES[name](holder)
        for p in holder.parameters():  # both from the same place
            p.grad = None
        buffers = [(buffer, buffer.copy()) for _, buffer in holder.named_buffers()]
        found = step(holder, replicas=replicas)
        for buffer, before in buffers:
            buffer[...] = before
        check_equal(found, step(holder))


@on_linux
def test_freezing_thawing_and_another_dtype_are_seen():
    model = network(np.float32)
    model.requires_grad_(False)
    model.linear.requires_grad_(True)
    with Replicas(model, 2) as replicas:
        for change in (
            lambda: None,
            lambda: model.requires_grad_(True),
            lambda: model.conv1.requires_grad_(False),
            lambda: model.conv1.requires_grad_(True),
        ):
            change()
            expected = step(copy.deepcopy(model))
            check_equal(step(model, replicas=replicas), expected)
        model.to(np.float64)
        images, labels = batch(4)
        expected = Replicas(copy.deepcopy(model), 1).gradients(images, labels)
        assert replicas.gradients(images, labels)[0] == pytest.approx(expected[0], rel=1e-12)


class Counting(nn.Module):
    """forward() keeps how often it was called, what it has seen, and an average of its own."""

    def __init__(self):
        self.fc = nn.Linear(4, 3, rng=0)
        self.calls = 0
        self.seen = []
        self.register_buffer("mean", np.zeros(4))

    def forward(self, x):
        self.calls += 1
        self.seen.append(x)
        self.mean = 0.5 * self.mean + 0.5
        return self.fc(x) * float(self.calls)


@on_linux
def test_what_forward_itself_changes_starts_no_new_processes():
    model = Counting().to(np.float64)
    labels = np.array([0, 1, 2, 0])
    twin = copy.deepcopy(model)
    images = np.random.default_rng(0).standard_normal((4, 4))
    with Replicas(model, 2) as replicas, Replicas(twin, 1) as alone:
        pids = set()
        for _ in range(4):
            assert replicas.gradients(images, labels)[0] == pytest.approx(alone.gradients(images, labels)[0], rel=1e-12)
            np.testing.assert_array_equal(model.mean, twin.mean)
            pids.add(replicas.workers[0].process.pid)
        assert len(pids) == 1
        assert model.calls == 4


@on_linux
def test_a_network_that_changes_between_all_batches_is_named_in_a_warning():
    model = Counting().to(np.float64)
    labels = np.array([0, 1, 2, 0])
    images = np.random.default_rng(0).standard_normal((4, 4))
    with Replicas(model, 2) as replicas:
        for _ in range(5):
            replicas.gradients(images, labels)
            model.calls = 0
        with pytest.warns(RuntimeWarning, match="Replicas: calls of the network changes between batches") as warned:
            replicas.gradients(images, labels)
        assert warned[0].filename == __file__
        model.calls = 0
        replicas.gradients(images, labels)  # it is said once


@on_linux
def test_a_network_that_changes_now_and_then_is_not_warned_of():
    model = Counting().to(np.float64)
    labels = np.array([0, 1, 2, 0])
    images = np.random.default_rng(0).standard_normal((4, 4))
    with Replicas(model, 2) as replicas:
        for i in range(10):
            replicas.gradients(images, labels)
            if i % 4:
                model.calls = 0


@on_linux
def test_a_hook_that_knows_the_replicas_starts_no_new_processes():
    model = network()
    (images, labels) = batch(4)
    with Replicas(model, 2) as replicas:
        model.replicas = replicas
        model.bn1.register_forward_hook(lambda *_: replicas and None)
        replicas.gradients(images, labels)
        pid = replicas.workers[0].process.pid
        replicas.predict(images)
        replicas.gradients(images, labels)
        assert replicas.workers[0].process.pid == pid


@on_linux
def test_processes_forked_inside_no_grad_learn():
    model = network()
    (images, labels) = batch(4)
    with Replicas(model, 2) as replicas:
        with no_grad():
            replicas.predict(images)
        pid = replicas.workers[0].process.pid
        assert replicas.gradients(images, labels)[0] > 0
        with no_grad():
            replicas.predict(images)
        assert replicas.workers[0].process.pid == pid
        assert all(p.grad is not None for p in model.parameters())
