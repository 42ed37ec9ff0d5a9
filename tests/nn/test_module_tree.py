"""What a module holds: in attributes, lists, tuples and dicts; names, switches and conversions that reach all of it."""

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest

from minires import Tensor, models, nn, ops, optim
from minires.errors import DTypeError, OptionError

X = np.random.default_rng(0).standard_normal((2, 4)).astype(np.float32)


class Tower(nn.Module):
    """Modules in every kind of holder that Python has."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.layers = [nn.Linear(4, 4, rng=rng), nn.ReLU()]
        self.layers.append(nn.Linear(4, 3, rng=rng))
        self.branches = {"down": nn.Linear(3, 3, rng=rng), "deep": [(nn.Linear(3, 3, rng=rng),)]}
        self.scales = [nn.Parameter(np.ones(3, np.float32)), 7, "text", None]
        self.history = [1.0, 2.0]

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return (self.branches["down"](x) + self.branches["deep"][0][0](x)) * self.scales[0]


def test_modules_and_parameters_in_lists_tuples_and_dicts_are_found():
    assert [name for name, _ in Tower().named_parameters()] == [
        "scales.0",
        "layers.0.weight",
        "layers.0.bias",
        "layers.2.weight",
        "layers.2.bias",
        "branches.down.weight",
        "branches.down.bias",
        "branches.deep.0.0.weight",
        "branches.deep.0.0.bias",
    ]


def test_a_layer_in_a_list_is_trained_saved_moved_and_switched():
    model = Tower()
    assert not model.eval().layers[2].training
    assert model.double().layers[2].weight.dtype == np.float64
    model.float()(Tensor(X)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    other = Tower()
    for p in other.parameters():
        p.data[...] = 0
    other.load_state_dict(model.state_dict())
    np.testing.assert_array_equal(other(Tensor(X)).data, model(Tensor(X)).data)


def test_a_list_names_its_layers_as_torchs_module_list():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what this test compares with")

    class Theirs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = torch.nn.Linear(2, 3)
            self.layers = torch.nn.ModuleList([torch.nn.Linear(3, 3), torch.nn.ModuleList([torch.nn.Linear(3, 1)])])
            self.paths = torch.nn.ModuleDict({"down": torch.nn.Linear(3, 2)})

    class Ours(nn.Module):
        def __init__(self, lists):
            self.stem = nn.Linear(2, 3)
            inner = [nn.Linear(3, 1)]
            self.layers = [nn.Linear(3, 3), inner] if lists else nn.ModuleList([nn.Linear(3, 3), nn.ModuleList(inner)])
            self.paths = {"down": nn.Linear(3, 2)} if lists else nn.ModuleDict({"down": nn.Linear(3, 2)})

    expected = list(Theirs().state_dict())
    assert list(Ours(True).state_dict()) == list(Ours(False).state_dict()) == expected


def test_a_set_of_modules_is_refused_because_it_has_no_order():
    with pytest.raises(DTypeError, match="layers is a set, which has no order"):
        nn.Module().layers = {nn.ReLU()}
    nn.Module().names = {"a", "b"}


def test_lists_and_modules_that_hold_themselves_are_walked_once():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    model[1].parent = [model]
    model.tags = []
    model.tags.append(model.tags)
    assert [name for name, _ in model.named_modules()] == ["", "0", "1"]
    assert list(model.state_dict()) == ["0.weight", "0.bias"]
    seen = []
    model.apply(lambda m: seen.append(type(m).__name__))
    assert seen == ["Linear", "ReLU", "Sequential"]
    assert "(parent.0): ..." in repr(model)


def test_a_layer_under_two_names_is_one_module_and_is_saved_under_both():
    model = nn.Module()
    model.head = nn.Linear(2, 2)
    model.layers = [model.head]
    assert [name for name, _ in model.named_modules()] == ["", "head"]
    assert [name for name, _ in model.named_parameters()] == ["head.weight", "head.bias"]
    assert list(model.state_dict()) == ["head.weight", "head.bias", "layers.0.weight", "layers.0.bias"]
    norm = nn.BatchNorm2d(2)
    both = nn.Sequential(norm, norm)
    assert [name for name, _ in both.named_buffers()] == ["0.running_mean", "0.running_var", "0.num_batches_tracked"]
    norm.register_buffer("again", norm.running_mean)
    assert len(list(norm.buffers())) == 3
    only_once = {"head.weight": np.eye(2), "head.bias": np.ones(2)}
    assert model.load_state_dict(only_once) == ([], [])  # the array of layers.0.weight has come by its other name
    np.testing.assert_array_equal(model.layers[0].weight.data, np.eye(2))
    model.load_state_dict({"layers.0.weight": np.zeros((2, 2)), "layers.0.bias": np.ones(2)})
    assert not model.head.weight.data.any()


def test_two_parts_with_one_name_are_refused():
    model = nn.Module()
    model.parts = {"1": nn.Linear(2, 2), 1: nn.Linear(2, 3)}
    with pytest.raises(OptionError, match=r"two parts named 'parts\.1\.weight'"):
        model.state_dict()


def test_a_parameter_is_not_replaced_by_what_would_not_be_trained():
    layer = nn.Linear(2, 2)
    for value in (np.ones((2, 2)), Tensor(np.ones((2, 2)), requires_grad=True)):
        with pytest.raises(DTypeError, match=r"Linear\.weight is a Parameter, .* write nn\.Parameter"):
            layer.weight = value
    layer.weight = nn.Parameter(np.ones((3, 2), np.float32))
    layer.bias = None
    assert (layer.out_features, layer.in_features) == (3, 2)
    assert [name for name, _ in layer.named_parameters()] == ["weight"]


def test_children_buffers_and_parts_by_name_are_torchs():
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))
    model.stem = {"pool": nn.BatchNorm2d(3)}
    assert list(model.children()) == [model[0], model[1], model.stem["pool"]]
    assert dict(model.named_children()) == {"0": model[0], "1": model[1], "stem.pool": model.stem["pool"]}
    assert next(model.buffers()) is model[1].running_mean
    assert model.get_submodule("") is model
    assert model.get_submodule("stem.pool") is model.stem["pool"]
    assert model.get_parameter("0.weight") is model[0].weight
    assert model.get_buffer("stem.pool.running_var") is model.stem["pool"].running_var
    assert list(model[1].parameters(recurse=False)) == [model[1].weight, model[1].bias]
    assert list(model.parameters(recurse=False)) == []
    assert next(name for name, _ in model.named_buffers(prefix="net")) == "net.1.running_mean"
    for look in (model.get_submodule, model.get_parameter, model.get_buffer):
        with pytest.raises(AttributeError, match=r"Sequential has no .* 'layer9'"):
            look("layer9")


def test_parts_can_be_registered_by_name():
    model = nn.Module()
    model.register_parameter("w", nn.Parameter(np.ones(2)))
    model.register_parameter("b", None)
    model.add_module("act", nn.ReLU())
    model.register_buffer("mean", np.zeros(2, np.float32))
    model.register_buffer("scratch", np.zeros(2, np.float32), persistent=False)
    model.register_buffer("absent", None)
    model.register_buffer("kept", Tensor(np.ones(2, np.float32)))
    assert list(model.state_dict()) == ["w", "mean", "kept"]
    assert [name for name, _ in model.named_buffers()] == ["mean", "scratch", "kept"]
    model.double()
    assert model.scratch.dtype == model.kept.dtype == model.w.dtype == np.float64
    for bad, error in (("a.b", OptionError), ("", OptionError), ("forward", OptionError), (3, DTypeError)):
        with pytest.raises(error, match="name"):
            model.add_module(bad, nn.ReLU())
    with pytest.raises(DTypeError, match="w2 must be a Parameter or None, got Tensor"):
        model.register_parameter("w2", Tensor([1.0]))
    with pytest.raises(DTypeError, match=r"act2: nn\.ReLU is a class"):
        model.add_module("act2", nn.ReLU)


def test_a_network_can_be_pickled_and_copied_with_its_mode_and_freezing():
    model = nn.Sequential(nn.Conv2d(2, 3, 3, rng=0), nn.BatchNorm2d(3), nn.Dropout(0.5, rng=1), nn.Flatten())
    model.extra = [nn.Linear(4, 4)]
    model.eval()
    model[0].requires_grad_(False)
    for twin in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert [(k, p.requires_grad) for k, p in twin.named_parameters()] == [
            (k, p.requires_grad) for k, p in model.named_parameters()
        ]
        assert not any(m.training for m in twin.modules())
        for ours, theirs in zip(model.state_dict().values(), twin.state_dict().values(), strict=True):
            np.testing.assert_array_equal(ours, theirs)
            assert ours.strides == theirs.strides
            assert not np.shares_memory(ours, theirs)
        x = Tensor(np.ones((3, 2, 5, 5), np.float32))
        np.testing.assert_array_equal(twin.train()[2](x).data, copy.deepcopy(model).train()[2](x).data)


def double_it(module, inputs, output):
    return output * 2.0


def test_hooks_are_part_of_a_pickle_and_a_copy_as_in_torch():
    model = nn.Identity()
    model.register_forward_hook(double_it)
    for twin in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert twin(Tensor([3.0])).item() == 6


def test_to_takes_devices_and_float_types_in_every_form():
    layer = nn.Linear(2, 2)
    for wanted in (np.float64, "float64", "torch.float64", np.dtype(float), float, "double"):
        assert layer.float().to(wanted).weight.dtype == np.float64
    assert layer.to("cpu", np.float32).weight.dtype == np.float32
    assert layer.to(dtype=np.float64, device="cpu").weight.dtype == np.float64
    assert layer.float().cpu().double().weight.dtype == np.float64
    for bad in (None, np.int64, "int8", "float", "gpu", 3, "float16", "torch.bfloat16", [1]):
        with pytest.raises(OptionError, match="the type float32 or float64, got"):
            layer.to(bad)
    for bad in ((), ("cpu", "cpu"), (np.float32, "float64")):
        with pytest.raises(OptionError, match=r"nothing to do|the second"):
            layer.to(*bad)
    with pytest.raises(OptionError, match="32 and 64 bits only"):
        layer.half()


def test_train_and_freezing_refuse_what_is_no_mode():
    with pytest.raises(DTypeError, match="requires_grad must be True or False, got 'no'"):
        nn.ReLU().requires_grad_("no")
    with pytest.raises(DTypeError, match="train: mode must be True or False, got list"):
        nn.ReLU().train([1, 2])


def test_zero_grad_can_keep_the_memory():
    layer = nn.Linear(2, 1)
    layer(Tensor(np.ones((1, 2), np.float32))).sum().backward()
    grad = layer.weight.grad
    layer.zero_grad(set_to_none=False)
    assert layer.weight.grad is grad
    assert not grad.any()
    layer.zero_grad()
    assert layer.weight.grad is None


def test_keywords_reach_forward():
    class Scaled(nn.Module):
        def forward(self, x, *, scale=1.0):
            return x * scale

    assert Scaled()(Tensor([2.0]), scale=3.0).item() == 6
    with pytest.raises(TypeError, match="unexpected keyword argument 'size'"):
        Scaled()(Tensor([2.0]), size=3.0)


def test_a_module_shows_its_settings_and_its_parts():
    class Scaled(nn.Module):
        def __init__(self):
            self.act = nn.ReLU(inplace=True)
            self.parts = [nn.Identity()]

        def extra_repr(self):
            return "scale=2"

    assert repr(Scaled()) == "Scaled(\n  scale=2\n  (act): ReLU(inplace=True)\n  (parts.0): Identity()\n)"


def test_an_op_is_no_child_but_may_be_called():
    class Own(nn.Module):
        def __init__(self):
            self.act = ops.relu

        def forward(self, x):
            return self.act(x)

    assert Own()(Tensor([-1.0])).item() == 0
    assert list(Own().children()) == []


class Net(nn.Module):
    def __init__(self):
        self.linear = nn.Linear(2, 2)

    @property
    def width(self):
        return self.linear.width_of_it


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("fc", "Net has no 'fc': did you mean 'linear'?"),
        ("classifier", "did you mean 'linear'?"),
        ("paramters", "did you mean 'parameters'?"),
        ("register_backward_hook", "use register_full_backward_hook"),
        ("reset_parameters", "make a new layer"),
        ("anything_else", "Net has no 'anything_else'"),
        ("width", "Linear has no 'width_of_it'"),
    ],
)
def test_an_attribute_that_is_not_there_says_what_may_be_meant(name, hint):
    with pytest.raises(AttributeError) as caught:
        getattr(Net(), name)
    assert hint in str(caught.value)
    assert not hasattr(Net(), name)
    assert getattr(Net(), name, 3) == 3


def test_a_walk_looks_into_each_module_once(monkeypatch):
    """A network's modules are listed at each step, so listing one twice costs time."""
    looked, contents = [], nn.Module._contents
    monkeypatch.setattr(nn.Module, "_contents", lambda module: looked.append(1) or contents(module))
    net = nn.Sequential(Net(), nn.ReLU(), Net())
    looked.clear()
    for walk in (net.modules, net.parameters, net.buffers, net.state_dict):
        list(walk())
        assert len(looked) == 6
        looked.clear()


def train(model):
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    ops.cross_entropy(model(Tensor(np.ones((2, 3, 8, 8), np.float32))), np.array([0, 1])).backward()
    optimizer.step()


@pytest.mark.parametrize(
    "use",
    [
        lambda model: None,
        lambda model: list(model.named_modules()),
        lambda model: model.load_state_dict(model.state_dict()),
        lambda model: copy.deepcopy(model),
        repr,
        train,
    ],
    ids=["make", "list", "load", "copy", "print", "train"],
)
def test_a_network_is_freed_when_its_last_name_goes(use):
    """Its weights do not wait for the garbage collector, which counts objects and not bytes."""
    gc.collect()
    gc.disable()
    try:
        model = models.resnet8(rng=0)
        use(model)
        alive = weakref.ref(model)
        del model
        assert alive() is None
    finally:
        gc.enable()
