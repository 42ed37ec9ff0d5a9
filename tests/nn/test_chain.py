"""Layers in a row: computed together they give what they give one by one, and hooks and subclasses are called."""

import numpy as np
import pytest

from minires import Tensor, kernels, models, nn, no_grad, ops
from minires.arrays import channels_last
from minires.errors import DTypeError, MiniresError, ShapeError

X = channels_last(np.maximum(np.random.default_rng(0).standard_normal((4, 8, 20, 20), dtype=np.float32), 0))


def layers(kernel=1, out=32, seed=0):
    rng = np.random.default_rng(seed)
    conv = nn.Conv2d(8, out, kernel, padding=kernel // 2, bias=False, rng=rng)
    norm = nn.BatchNorm2d(out)
    norm.weight.data[...] = rng.uniform(0.5, 2, out)
    norm.bias.data[...] = rng.standard_normal(out)
    norm.running_mean[...] = rng.standard_normal(out)
    norm.running_var[...] = rng.uniform(0.5, 2, out)
    return conv, norm


def everything(make, conv, norm):
    """y, all gradients and the norm's running statistics."""
    x = Tensor(X, requires_grad=True)
    y = make(conv, norm, x)
    y.backward(np.random.default_rng(1).standard_normal(y.shape, dtype=np.float32))
    return y, [y.data, x.grad, conv.weight.grad, norm.weight.grad, norm.bias.grad, *norm.state_dict().values()]


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(
    ("training", "kernel", "out", "name"),
    [
        (True, 1, 32, "conv_norm"),
        (True, 3, 32, "batch_norm"),
        (True, 1, 16, "batch_norm"),
        (False, 1, 32, "conv_norm"),
        (False, 3, 32, "conv_norm"),
    ],
)
def test_one_op_does_what_two_do(training, kernel, out, name, relu):
    def two(conv, norm, x):
        y = norm(conv(x))
        return ops.relu(y) if relu else y

    def one(conv, norm, x):
        return nn.chain(x, conv, norm, *[ops.relu] * relu)

    y, found = everything(one, *(layer.train(training) for layer in layers(kernel, out)))
    assert y.node.name == name + "_relu" * (relu and name == "batch_norm")
    _, expected = everything(two, *(layer.train(training) for layer in layers(kernel, out)))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5 * np.abs(b).max())


@pytest.mark.parametrize("choice", ["direct", "readable"])
def test_in_training_only_the_fastest_kernels_go_by_way_of_the_scatter_matrix(choice):
    with kernels.use(choice):
        assert nn.chain(Tensor(X, requires_grad=True), *layers()).node.name == "batch_norm"
    conv, norm = (layer.to(np.float64) for layer in layers())
    assert nn.chain(Tensor(X.astype(float), requires_grad=True), conv, norm).node.name == "batch_norm"


def test_layers_with_hooks_are_called():
    for listened in (0, 1):
        pair = [layer.eval() for layer in layers()]
        seen = []
        pair[listened].register_forward_hook(lambda module, inputs, y, seen=seen: seen.append(y))
        nn.chain(Tensor(X), *pair, ops.relu)
        assert len(seen) == 1


def test_other_layers_are_called_too():
    conv, norm = (layer.eval() for layer in layers())
    np.testing.assert_array_equal(nn.chain(Tensor(X), conv, nn.Identity()).data, conv(Tensor(X)).data)
    np.testing.assert_array_equal(
        nn.chain(Tensor(X), nn.Identity(), nn.BatchNorm2d(8).eval(), ops.relu).data,
        ops.relu(nn.BatchNorm2d(8).eval()(Tensor(X))).data,
    )
    biased = nn.Conv2d(8, 32, 1, rng=0)
    np.testing.assert_array_equal(nn.chain(Tensor(X), biased, norm).data, norm(biased(Tensor(X))).data)


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnet20", "plain20"])
def test_networks_say_in_evaluation_what_their_layers_say_one_by_one(name):
    model = models.create(name, rng=0)
    x = Tensor(np.random.default_rng(0).standard_normal((2, 3, 64, 64), dtype=np.float32))
    with no_grad():
        model(x)  # running statistics of their own
        together = model.eval()(x).data
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.register_forward_hook(lambda module, inputs, y: None)
        apart = model(x).data
    np.testing.assert_allclose(together, apart, rtol=0, atol=1e-5 * np.abs(apart).max())


def scaled(conv, x):
    return ops.conv2d(x, conv.weight * 0.5, stride=conv.stride, padding=conv.padding)


class OwnForward(nn.Conv2d):
    def forward(self, x):
        return scaled(self, x)


class OwnCall(nn.Conv2d):
    def __call__(self, x):
        return scaled(self, x)


class OwnNorm(nn.BatchNorm2d):
    def forward(self, x):
        return super().forward(x) * 0.5


class OwnNormCall(nn.BatchNorm2d):
    def __call__(self, x):
        return super().__call__(x) * 0.5


class Renamed(nn.Conv2d):
    """A subclass that changes nothing."""


def patched(conv):
    conv.forward = lambda x: scaled(conv, x)
    return conv


def patched_norm(norm):
    norm.forward = lambda x: nn.BatchNorm2d.forward(norm, x) * 0.5
    return norm


def hooked(register, hook):
    def change(module):
        getattr(module, register)(hook)
        return module

    return change


HALVES = [
    hooked("register_forward_hook", lambda m, inputs, y: y * 0.5),
    hooked("register_forward_pre_hook", lambda m, inputs: inputs[0] * 0.5),
]
CONVS = [
    lambda **o: OwnForward(8, 32, 1, bias=False, **o),
    lambda **o: OwnCall(8, 32, 1, bias=False, **o),
    lambda **o: patched(nn.Conv2d(8, 32, 1, bias=False, **o)),
    *[lambda half=half, **o: half(nn.Conv2d(8, 32, 1, bias=False, **o)) for half in HALVES],
]
NORMS = [
    lambda: OwnNorm(32),
    lambda: OwnNormCall(32),
    lambda: patched_norm(nn.BatchNorm2d(32)),
    lambda: HALVES[0](nn.BatchNorm2d(32)),
]


def prepared(norm):
    rng = np.random.default_rng(1)
    norm.running_mean[...] = rng.standard_normal(32)
    norm.running_var[...] = rng.uniform(0.5, 2, 32)
    return norm


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("conv", CONVS, ids=["forward", "call", "patched", "hook", "pre-hook"])
@pytest.mark.parametrize("way", [nn.chain, lambda x, *layers: nn.Sequential(*layers)(x)], ids=["chain", "Sequential"])
def test_a_convolution_that_is_not_plain_is_called(conv, training, way):
    conv = conv(rng=0).train(training)
    norm = prepared(nn.BatchNorm2d(32)).train(training)
    plain = nn.Conv2d(8, 32, 1, bias=False, rng=0)
    plain.weight.data *= 0.5
    other = prepared(nn.BatchNorm2d(32)).train(training)
    found = way(Tensor(X), conv, norm)
    np.testing.assert_allclose(found.data, other(plain(Tensor(X))).data, rtol=0, atol=2e-5)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("norm", NORMS, ids=["forward", "call", "patched", "hook"])
@pytest.mark.parametrize("together", [3, 2])
def test_a_norm_that_is_not_plain_is_called(norm, training, together):
    norm = prepared(norm()).train(training)
    other = prepared(nn.BatchNorm2d(32)).train(training)
    conv = nn.Conv2d(8, 32, 1, bias=False, rng=0).train(training)
    x = Tensor(X)
    found = nn.chain(x, conv, norm, ops.relu) if together == 3 else nn.chain(conv(x), norm, ops.relu)
    expected = np.maximum(other(conv(x)).data, 0) * 0.5
    np.testing.assert_allclose(found.data, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", ["forward", "__call__"])
def test_a_class_that_was_patched_is_called(name, monkeypatch):
    conv = nn.Conv2d(8, 32, 1, bias=False).eval()
    norm = nn.BatchNorm2d(32).eval()
    calls = []
    before = getattr(nn.Conv2d, name)
    monkeypatch.setattr(nn.Conv2d, name, lambda self, x: (calls.append(1), before(self, x))[1])
    nn.chain(Tensor(X), conv, norm)
    assert calls == [1]


def test_a_full_backward_hook_is_called_behind_a_fused_pair():
    conv = nn.Conv2d(8, 32, 1, bias=False)
    norm = nn.BatchNorm2d(32)
    seen = []
    conv.register_full_backward_hook(lambda m, dx, dy: seen.append(dy[0].shape))
    nn.chain(Tensor(X), conv, norm).sum().backward()
    assert seen == [(4, 32, 20, 20)]


def test_a_subclass_that_changes_nothing_is_still_fused():
    x = Tensor(X, requires_grad=True)
    assert nn.chain(x, Renamed(8, 32, 1, bias=False).eval(), nn.BatchNorm2d(32).eval()).node.name == "conv_norm"


def test_a_norm_without_running_statistics_or_weights_is_itself_when_fused():
    for options in ({"affine": False}, {"track_running_stats": False}, {"momentum": None}):
        for training in (True, False):
            both = []
            for fuse in (True, False):
                conv = nn.Conv2d(8, 32, 1, bias=False, rng=0)
                norm = nn.BatchNorm2d(32, **options)
                conv.train(training), norm.train(training)
                y = nn.chain(Tensor(X), conv, norm, ops.relu) if fuse else ops.relu(norm(conv(Tensor(X))))
                both.append([y.data, *norm.state_dict().values()])
            for a, b in zip(*both, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("place", ["conv1", "layer2.0.conv1", "layer2.0.downsample.0", "layer1.0.conv2"])
def test_train_and_eval_are_one_network_with_a_layer_of_ones_own(place):
    """A network with a subclassed layer, and a plain one with the weights that the subclass computes."""
    ours, other = (models.resnet8(shortcut="B", rng=0) for _ in range(2))
    layer = ours.get_submodule(place)
    own = OwnForward(layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding, bias=False)
    own.weight.data[...] = layer.weight.data
    parent, _, name = place.rpartition(".")
    setattr(ours.get_submodule(parent), name, own)
    other.get_parameter(place + ".weight").data *= 0.5
    x = Tensor(np.random.default_rng(0).standard_normal((2, 3, 16, 16)).astype(np.float32))
    for mode in ("eval", "train", "eval"):
        np.testing.assert_allclose(getattr(ours, mode)()(x).data, getattr(other, mode)()(x).data, rtol=0, atol=1e-4)


def test_a_projection_that_was_changed_does_what_its_layers_say():
    block = models.BasicBlock(4, 8, 2, rng=0).eval()
    x = Tensor(np.random.default_rng(0).standard_normal((1, 4, 6, 6)).astype(np.float32))
    before = block.downsample(x).data
    block.downsample.append(nn.ReLU())
    np.testing.assert_allclose(block.downsample(x).data, np.maximum(before, 0), rtol=0, atol=1e-6)
    del block.downsample[1:]
    np.testing.assert_array_equal(block.downsample(x).data, block.downsample[0](x).data)


def test_a_setting_that_is_changed_counts_in_both_forms():
    conv = nn.Conv2d(8, 32, 3, padding=1, bias=False).eval()
    norm = nn.BatchNorm2d(32).eval()
    conv.stride, norm.eps = 2, 0.5
    fused = nn.chain(Tensor(X), conv, norm).data
    assert fused.shape == (4, 32, 10, 10)
    np.testing.assert_allclose(fused, norm(conv(Tensor(X))).data, atol=1e-5)
    np.testing.assert_allclose(fused, conv(Tensor(X)).data / np.sqrt(1.5), atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_a_norm_and_its_relu_in_one_pass_give_the_same_bits(training):
    rng = np.random.default_rng(0)
    arrays = []
    for one_pass in (True, False):
        norm = nn.BatchNorm2d(3).train(training)
        norm.bias.data[:] = [0.3, -0.3, 0]
        x = Tensor(np.random.default_rng(1).standard_normal((4, 3, 5, 6), dtype=np.float32), requires_grad=True)
        y = nn.chain(x, norm, ops.relu) if one_pass else ops.relu(norm(x))
        y.backward(rng.permutation(np.ones(y.shape, np.float32)))
        arrays.append([y.data, x.grad, norm.weight.grad, norm.bias.grad, norm.running_var])
    for a, b in zip(*arrays, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_hook_on_a_norm_sees_what_comes_before_the_relu():
    x = Tensor(np.array([[-1.0, 2.0]]).reshape(1, 2, 1, 1).astype(np.float32))
    np.testing.assert_array_equal(nn.chain(x, nn.Identity(), ops.relu).data.ravel(), [0, 2])
    norm = nn.BatchNorm2d(2).eval()
    seen = []
    norm.register_forward_hook(lambda module, inputs, y: seen.append(y.data))
    y = nn.chain(x, norm, ops.relu)
    assert seen[0].min() < 0  # what a hook sees is batch norm's, before the ReLU
    assert y.data.min() == 0


@pytest.mark.parametrize("relu", [ops.relu, nn.functional.relu, nn.ReLU(), nn.ReLU(inplace=True)])
def test_every_way_to_say_relu_is_computed_together_with_what_stands_before_it(relu):
    x = Tensor(X, requires_grad=True)
    norm = nn.BatchNorm2d(8)
    assert nn.chain(x, norm, relu).node.name == "batch_norm_relu"
    assert nn.chain((x, x), ops.residual_add, relu).node.name == "residual_add_relu"
    np.testing.assert_array_equal(nn.chain((x, x), ops.residual_add, relu).data, np.maximum(2 * X, 0))


@pytest.mark.parametrize(
    "listen",
    [
        lambda relu: relu.register_forward_hook(lambda m, inputs, y: y * 0.5),
        lambda relu: setattr(relu, "forward", lambda x: ops.relu(x) * 0.5),
    ],
)
def test_a_relu_that_is_changed_is_called(listen):
    relu = nn.ReLU()
    listen(relu)
    found = nn.chain((Tensor(X), Tensor(X)), ops.residual_add, relu).data
    np.testing.assert_array_equal(found, np.maximum(X, 0))
    np.testing.assert_array_equal(
        nn.chain(Tensor(X), nn.BatchNorm2d(8), relu).data, 0.5 * ops.relu(nn.BatchNorm2d(8)(Tensor(X))).data
    )


def test_a_chain_of_nothing_is_its_input_and_of_functions_their_composition():
    x = Tensor(X)
    assert nn.chain(x) is x
    assert nn.Sequential()(x) is x
    np.testing.assert_array_equal(nn.chain(x, lambda x: x + 1, lambda x: x * 2).data, (X + 1) * 2)


def test_a_sequential_hands_a_tuple_on_as_it_is():
    class First(nn.Module):
        def forward(self, pair):
            return pair[0]

    x = Tensor(X)
    assert nn.Sequential(First())((x, "anything")) is x


@pytest.mark.parametrize(
    "make",
    [
        lambda x: nn.chain(x, nn.BatchNorm2d(8), ops.relu),
        lambda x: nn.chain(x, nn.Conv2d(8, 4, 1, bias=False).eval(), nn.BatchNorm2d(4).eval()),
    ],
)
@pytest.mark.parametrize("x", [X[0], X[0, 0], [1.0], None])
def test_what_layers_refuse_alone_they_refuse_together(make, x):
    with pytest.raises(MiniresError, match=r"BatchNorm2d|batch_norm|conv2d"):
        make(Tensor(x) if isinstance(x, np.ndarray) else x)


def test_a_convolution_of_three_axes_is_refused_under_its_own_name():
    conv = nn.Conv2d(8, 4, 3, bias=False).eval()
    with pytest.raises(MiniresError, match=r"^conv2d: "):
        nn.chain(Tensor(X[0]), conv, nn.BatchNorm2d(4).eval())


def test_a_norm_of_images_refuses_three_axes_before_a_relu_too():
    """The op that computes both takes (N,C,L)."""
    with pytest.raises(MiniresError, match="BatchNorm2d"):
        nn.chain(Tensor(X.reshape(*X.shape[:2], -1)), nn.BatchNorm2d(X.shape[1]), ops.relu)


def test_a_tuple_is_several_inputs_and_a_list_is_one():
    x = Tensor(X)
    assert nn.chain((x, x), ops.add).shape == x.shape
    assert nn.chain([x, x], ops.cat).shape == (2 * x.shape[0], *x.shape[1:])


def test_models_of_others_are_fused_without_knowing_of_it():
    """A network as torch's users write one, of modules in a row."""
    net = nn.Sequential(
        nn.Conv2d(8, 32, 1, bias=False, rng=0),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Conv2d(32, 8, 3, padding=1, bias=False, rng=0),
        nn.BatchNorm2d(8),
        nn.ReLU(),
    )
    y = net(Tensor(X))
    names = []
    node = y.node
    while node is not None:
        names.append(node.name)
        node = node.inputs[0] if node.inputs else None
    assert names == ["batch_norm_relu", "conv2d", "conv_norm"]


@pytest.mark.parametrize("kernel", [1, 3])
def test_a_norm_without_running_statistics_has_those_of_the_batch_in_evaluation_too(kernel):
    """conv_norm computes those of a 1×1 convolution only."""
    conv = nn.Conv2d(8, 32, kernel, padding=kernel // 2, bias=False, rng=0).eval()
    norm = nn.BatchNorm2d(32, track_running_stats=False).eval()
    found = nn.chain(Tensor(X), conv, norm, ops.relu)
    np.testing.assert_allclose(found.data, ops.relu(norm(conv(Tensor(X)))).data, rtol=1e-5, atol=2e-5)


def test_a_sum_that_broadcasts_is_not_taken_for_a_residual_add():
    x = np.ones((2, 3, 1, 1)), np.ones((1, 3, 2, 2))
    assert nn.chain(tuple(map(Tensor, x)), ops.add, ops.relu).shape == (2, 3, 2, 2)


def test_gradients_through_a_fused_pair_of_fixed_layers_are_those_of_the_layers_one_by_one():
    """In training the batch's statistics depend on x, whether or not the weights are trained."""
    found = []
    for fuse in (True, False):
        conv, norm = layers()
        for parameter in (*conv.parameters(), *norm.parameters()):
            parameter.requires_grad = False
        x = Tensor(X, requires_grad=True)
        y = nn.chain(x, conv, norm) if fuse else norm(conv(x))
        y.backward(np.random.default_rng(1).standard_normal(y.shape, dtype=np.float32))
        found.append(x.grad)
    np.testing.assert_allclose(*found, rtol=2e-5, atol=2e-5 * np.abs(found[1]).max())


def test_a_chain_says_which_step_is_no_function_and_that_an_input_is_missing():
    with pytest.raises(DTypeError, match="chain: step 2 must be a module or a function, got NoneType"):
        nn.chain(Tensor(X), ops.relu, None)
    with pytest.raises(ShapeError, match="chain: x is an empty tuple"):
        nn.chain((), ops.relu)


def test_a_norm_of_another_length_than_the_convolution_before_it_is_refused_in_its_own_words():
    conv = nn.Conv2d(8, 4, 1, bias=False).eval()
    with pytest.raises(ShapeError, match=r"^batch_norm: weight has shape \(5,\), x has 4 channels"):
        nn.chain(Tensor(X), conv, nn.BatchNorm2d(5).eval())


def test_a_pointwise_convolution_of_groups_is_not_merged_in_training():
    """conv_norm refuses groups in training; everything else here would make it pay."""
    x = Tensor(np.random.default_rng(0).standard_normal((16, 4, 16, 16)).astype(np.float32))
    conv = nn.Conv2d(4, 16, 1, groups=2, bias=False, rng=0)
    norm = nn.BatchNorm2d(16)
    np.testing.assert_array_equal(nn.chain(x, conv, norm).data, norm(conv(x)).data)
