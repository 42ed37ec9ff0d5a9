"""Modules: finding what they hold, state, switches, hooks; layers and initialization."""

import copy

import numpy as np
import pytest
from backends import GPUS, host

from minires import Tensor, nn
from minires.errors import CheckpointError, OptionError, ShapeError
from minires.nn import init


def net():
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1, rng=0),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(),
        nn.Flatten(),
        nn.Linear(3, 4, rng=1),
    )


X = np.random.default_rng(0).standard_normal((2, 2, 5, 4)).astype(np.float32)


def test_parameters_buffers_and_modules_have_dotted_names_in_order_of_definition():
    model = net()
    assert [name for name, _ in model.named_parameters()] == [
        "0.weight",
        "0.bias",
        "1.weight",
        "1.bias",
        "5.weight",
        "5.bias",
    ]
    assert [name for name, _ in model.named_buffers()] == ["1.running_mean", "1.running_var", "1.num_batches_tracked"]
    assert [name for name, _ in model.named_modules()] == ["", "0", "1", "2", "3", "4", "5"]
    assert len(model) == 6
    assert model[-1] is list(model.children())[5]
    assert nn.count_parameters(model) == 2 * 3 * 9 + 3 + 6 + 16


def test_a_shared_parameter_is_counted_once():
    model = net()
    model.twin = model[5]
    assert nn.count_parameters(model) == nn.count_parameters(net())


def test_the_state_is_the_living_arrays():
    model = net()
    state = model.state_dict()
    assert state["0.weight"] is model[0].weight.data
    assert state["1.running_mean"] is model[1].running_mean


def test_loading_reports_everything_at_once_and_changes_nothing():
    model = net()
    state = {k: v + 1 for k, v in net().state_dict().items()}
    del state["0.bias"]
    state["9.weight"] = np.ones(1)
    state["5.weight"] = np.ones((3, 4))
    before = {k: v.copy() for k, v in model.state_dict().items()}
    with pytest.raises(
        CheckpointError,
        match=r"missing: 0\.bias \(3,\); unexpected: 9\.weight; shape differs: 5\.weight "
        r"\(file \(3, 4\), model \(4, 3\)\)",
    ) as caught:
        model.load_state_dict(state)
    assert "\n" not in str(caught.value)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_loading_loosely_takes_what_fits_but_never_a_wrong_shape():
    model = net()
    model.load_state_dict({"0.bias": np.full(3, 7.0), "other": np.ones(1)}, strict=False)
    np.testing.assert_array_equal(model[0].bias.data, np.full(3, 7, np.float32))
    with pytest.raises(CheckpointError, match="shape differs"):
        model.load_state_dict({"0.bias": np.ones(4)}, strict=False)


def test_counts_of_batches_may_be_absent():
    state = {k: v for k, v in net().state_dict().items() if not k.endswith("num_batches_tracked")}
    net().load_state_dict(state)


def test_loading_keeps_type_and_memory_and_counts_as_a_change():
    model = net()
    weight, version = model[0].weight.data, model[0].weight.version.count
    model.load_state_dict(
        {k: np.asarray(v, float) if v.dtype == np.float32 else v for k, v in net().state_dict().items()}
    )
    assert model[0].weight.data is weight
    assert weight.dtype == np.float32
    assert model[0].weight.version.count > version


def test_train_eval_apply_freeze_and_zero_grad_reach_every_module():
    model = net()
    assert not any(m.training for m in model.eval().modules())
    assert all(m.training for m in model.train().modules())
    names = []
    model.apply(lambda m: names.append(type(m).__name__))
    assert names == ["Conv2d", "BatchNorm2d", "ReLU", "AdaptiveAvgPool2d", "Flatten", "Linear", "Sequential"]
    model(Tensor(X)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())
    model.requires_grad_(False)
    assert not model(Tensor(X)).requires_grad
    model.requires_grad_()(Tensor(X)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_to_float64_converts_parameters_and_buffers_and_gradients_still_arrive():
    model = net().to(np.float64)
    assert model.state_dict()["0.weight"] is model[0].weight.data
    assert {v.dtype for k, v in model.state_dict().items() if "num" not in k} == {np.dtype(float)}
    model(Tensor(X.astype(float))).sum().backward()
    assert model[0].weight.grad.dtype == np.float64
    with pytest.raises(OptionError, match="the type float32 or float64, got"):
        model.to(np.int64)


def test_a_deep_copy_shares_nothing():
    model = net()
    twin = copy.deepcopy(model)
    assert list(twin.state_dict()) == list(model.state_dict())
    assert all(type(p) is nn.Parameter and p.requires_grad for p in twin.parameters())
    for ours, theirs in zip(model.state_dict().values(), twin.state_dict().values(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert not np.shares_memory(ours, theirs)
    twin(Tensor(X)).sum().backward()
    assert all(p.grad is None for p in model.parameters())
    assert model[1].num_batches_tracked == 0


def test_forward_hooks_see_change_and_leave():
    model = net()
    shapes = []
    remove = model[0].register_forward_hook(lambda m, inputs, y: shapes.append((inputs[0].shape, y.shape)))
    change = model[2].register_forward_hook(lambda m, inputs, y: y * 0.0)
    np.testing.assert_array_equal(model(Tensor(X)).data, np.tile(model[5].bias.data, (2, 1)))
    assert shapes == [((2, 2, 5, 4), (2, 3, 5, 4))]
    remove()
    change()
    assert model(Tensor(X)).data.std() > 0
    assert len(shapes) == 1


def test_printing_a_model_shows_its_tree():
    text = repr(net())
    assert "(0): Conv2d(2, 3, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))" in text
    assert text.startswith("Sequential(\n  (0):")
    assert "(5): Linear(in_features=3, out_features=4, bias=True)" in text


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match="Module has no forward"):
        nn.Module()(1)


def test_batch_norm_uses_the_batch_in_training_and_its_memory_in_evaluation():
    norm = nn.BatchNorm2d(2)
    y = norm(Tensor(X))
    np.testing.assert_allclose(y.data.mean(axis=(0, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(norm.running_mean, 0.1 * X.mean(axis=(0, 2, 3)), rtol=1e-5)
    assert norm.num_batches_tracked == 1
    state = norm.running_mean.copy()
    norm.eval()(Tensor(X))
    np.testing.assert_array_equal(norm.running_mean, state)


def test_dropout_draws_from_its_own_generator():
    def masks(seed):
        layer = nn.Dropout(0.5, rng=seed)
        return [layer(Tensor(np.ones(50))).data for _ in range(2)]

    np.testing.assert_array_equal(masks(0), masks(0))
    first, second = masks(0)
    assert (first != second).any()
    x = Tensor(np.ones(5))
    np.testing.assert_array_equal(nn.Dropout(0.5, rng=0).eval()(x).data, x.data)


def test_stochastic_depth_drops_rows_or_the_batch_and_scales_the_rest():
    x = Tensor(np.ones((400, 2, 3)), requires_grad=True)
    rows = nn.StochasticDepth(0.3, "row", rng=0)
    y = rows(x)
    y.backward(np.ones(y.shape))
    np.testing.assert_array_equal(x.grad, y.data)
    assert set(np.unique(y.data)) == {0.0, 1 / 0.7}
    assert (y.data == y.data[:, :1, :1]).all()
    assert abs((y.data[:, 0, 0] == 0).mean() - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 400)
    batch = nn.StochasticDepth(0.3, "batch", rng=0)
    seen = [np.unique(batch(x).data) for _ in range(400)]
    assert {len(values) for values in seen} == {1}
    assert abs(np.mean([values[0] == 0 for values in seen]) - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 400)
    np.testing.assert_array_equal(rows.eval()(x).data, x.data)


@pytest.mark.parametrize("mode", ["batch", "row"])
@pytest.mark.parametrize("p", [0, 0.3, 1])
def test_stochastic_depth_around_a_branch_is_that_of_its_output(mode, p):
    x = Tensor(X)
    after, around = (nn.StochasticDepth(p, mode, rng=0) for _ in range(2))
    calls = []

    def branch(x):
        calls.append(x)
        return x * 2

    for _ in range(20):
        expected = after(x * 2).data
        found = around.around(branch, x)
        assert not expected.any() if found is None else (found.data == expected).all()
    if mode == "row" or p == 0:
        assert len(calls) == 20
    else:
        assert (len(calls) == 0) == (p == 1)
    assert (around.eval().around(branch, x).data == X * 2).all()


@pytest.mark.parametrize("mode", ["batch", "row"])
def test_stochastic_depth_is_torchvisions_in_name_settings_and_evaluation(mode):
    torchvision = pytest.importorskip("torchvision", reason="torchvision is not installed; this test compares with it")
    assert repr(nn.StochasticDepth(0.2, mode)) == repr(torchvision.ops.StochasticDepth(0.2, mode))


LAYERS = [
    (
        lambda: nn.Conv2d(4, 6, (3, 2), stride=2, padding=1, groups=2, rng=0),
        lambda t: t.nn.Conv2d(4, 6, (3, 2), stride=2, padding=1, groups=2),
    ),
    (lambda: nn.Linear(5, 3, rng=0), lambda t: t.nn.Linear(5, 3)),
    (lambda: nn.BatchNorm2d(4), lambda t: t.nn.BatchNorm2d(4)),
    (lambda: nn.LayerNorm((6, 5)), lambda t: t.nn.LayerNorm((6, 5))),
    (nn.SiLU, lambda t: t.nn.SiLU()),
    (nn.GELU, lambda t: t.nn.GELU()),
    (nn.Tanh, lambda t: t.nn.Tanh()),
    (nn.Sigmoid, lambda t: t.nn.Sigmoid()),
    (lambda: nn.LeakyReLU(0.2), lambda t: t.nn.LeakyReLU(0.2)),
    (lambda: nn.MaxPool2d(3, 2, 1), lambda t: t.nn.MaxPool2d(3, 2, 1)),
    (lambda: nn.AvgPool2d(2), lambda t: t.nn.AvgPool2d(2)),
    (lambda: nn.AdaptiveAvgPool2d((2, 3)), lambda t: t.nn.AdaptiveAvgPool2d((2, 3))),
    (nn.Flatten, lambda t: t.nn.Flatten()),
    (nn.Identity, lambda t: t.nn.Identity()),
    (
        lambda: nn.Conv2d(4, 4, (3, 2), padding="same", dilation=(1, 2), bias=False, rng=0),
        lambda t: t.nn.Conv2d(4, 4, (3, 2), padding="same", dilation=(1, 2), bias=False),
    ),
    (lambda: nn.Conv2d(4, 4, 3, padding="valid", rng=0), lambda t: t.nn.Conv2d(4, 4, 3, padding="valid")),
    (lambda: nn.GroupNorm(2, 4), lambda t: t.nn.GroupNorm(2, 4)),
    (lambda: nn.GroupNorm(4, 4, affine=False), lambda t: t.nn.GroupNorm(4, 4, affine=False)),
    (lambda: nn.LayerNorm(5, elementwise_affine=False), lambda t: t.nn.LayerNorm(5, elementwise_affine=False)),
    (lambda: nn.LayerNorm((6, 5), bias=False), lambda t: t.nn.LayerNorm((6, 5), bias=False)),
    (lambda: nn.BatchNorm2d(4, affine=False), lambda t: t.nn.BatchNorm2d(4, affine=False)),
    (lambda: nn.BatchNorm2d(4, momentum=None), lambda t: t.nn.BatchNorm2d(4, momentum=None)),
    (lambda: nn.BatchNorm2d(4, track_running_stats=False), lambda t: t.nn.BatchNorm2d(4, track_running_stats=False)),
    (nn.ReLU6, lambda t: t.nn.ReLU6()),
    (lambda: nn.Softmax(1), lambda t: t.nn.Softmax(1)),
    (lambda: nn.LogSoftmax(-1), lambda t: t.nn.LogSoftmax(-1)),
    (lambda: nn.ReLU(inplace=True), lambda t: t.nn.ReLU()),
    (
        lambda: nn.MaxPool2d((2, 3), ceil_mode=True, stride=3),
        lambda t: t.nn.MaxPool2d((2, 3), ceil_mode=True, stride=3),
    ),
    (lambda: nn.MaxPool2d(2, 1, 0, 2), lambda t: t.nn.MaxPool2d(2, 1, 0, 2)),
    (lambda: nn.AvgPool2d(3, 2, 1, True, False), lambda t: t.nn.AvgPool2d(3, 2, 1, True, False)),
    (lambda: nn.AdaptiveAvgPool2d((None, 2)), lambda t: t.nn.AdaptiveAvgPool2d((None, 2))),
]


@pytest.mark.parametrize(("ours", "theirs"), LAYERS, ids=range(len(LAYERS)))
def test_layers_are_torchs(ours, theirs):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what this test compares with")
    a = ours().to(np.float64)
    b = theirs(torch).double()
    assert list(a.state_dict()) == list(b.state_dict())
    b.load_state_dict({k: torch.tensor(np.ascontiguousarray(v).reshape(v.shape)) for k, v in a.state_dict().items()})
    x = np.random.default_rng(1).standard_normal((3, 4, 6, 5))
    xa = Tensor(x, requires_grad=True)
    xb = torch.tensor(x, requires_grad=True)
    ya = a(xa)
    yb = b(xb)
    np.testing.assert_allclose(ya.data, yb.detach().numpy(), rtol=1e-12, atol=1e-13)
    dy = np.random.default_rng(2).standard_normal(ya.shape)
    ya.backward(dy)
    yb.backward(torch.tensor(dy))
    np.testing.assert_allclose(xa.grad, xb.grad.numpy(), rtol=1e-12, atol=1e-13)
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        np.testing.assert_allclose(p.grad, q.grad.numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("place", GPUS)
@pytest.mark.parametrize(
    "layer",
    [
        *(ours for ours, _ in LAYERS),
        nn.ReLU,
        lambda: nn.Dropout(0.4, rng=0),
        lambda: nn.StochasticDepth(0.4, "row", rng=1),
        net,
    ],
    ids=range(len(LAYERS) + 4),
)
def test_layers_compute_on_a_gpu_what_they_compute_here(layer, place):
    """Output, gradients and a layer's running statistics; Dropout's mask, too, which is drawn on the host."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((3, 2 if layer is net else 4, 6, 5))
    here = layer().to(np.float64)
    there = layer().to(np.float64).to(place.device)
    xa = Tensor(x, requires_grad=True)
    xb = Tensor(x, device=place.device)
    xb.requires_grad = True
    ya = here(xa)
    yb = there(xb)
    dy = rng.standard_normal(ya.shape)
    ya.backward(dy)
    yb.backward(place.array(dy))
    pairs = [
        (ya.data, yb.data),
        (xa.grad, xb.grad),
        *((here.state_dict()[k], v) for k, v in there.state_dict().items()),
        *((p.grad, q.grad) for p, q in zip(here.parameters(), there.parameters(), strict=True)),
    ]
    for a, b in pairs:
        assert isinstance(b, type(place.array(x))) or b.dtype == np.int64  # a count of batches stays on the host
        np.testing.assert_allclose(host(b), a, rtol=1e-12, atol=1e-12)


def test_the_memory_of_batch_norm_after_three_batches_is_torchs():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what this test compares with")
    ours = nn.BatchNorm2d(2, eps=0.01, momentum=0.3)
    theirs = torch.nn.BatchNorm2d(2, eps=0.01, momentum=0.3)
    rng = np.random.default_rng(0)
    for N in (2, 3, 5):
        x = rng.normal(3, 2, (N, 2, 4, 3)).astype(np.float32)
        ours(Tensor(x)), theirs(torch.tensor(x))
    for name, array in ours.state_dict().items():
        np.testing.assert_allclose(array, theirs.state_dict()[name].numpy(), rtol=1e-6)
    y = ours.eval()(Tensor(x)).data
    expected = theirs.eval()(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


def test_default_weights_have_torchs_bound():
    layer = nn.Conv2d(8, 64, 3, rng=0)
    bound = 1 / np.sqrt(8 * 9)
    for tensor in (layer.weight, layer.bias):
        assert np.abs(tensor.data).max() <= bound
    assert layer.weight.data.std() == pytest.approx(bound / np.sqrt(3), rel=0.03)


@pytest.mark.parametrize(("mode", "fan"), [("fan_in", 16 * 9), ("fan_out", 64 * 9)])
@pytest.mark.parametrize(("nonlinearity", "gain2"), [("relu", 2), ("linear", 1), ("leaky_relu", 2 / 1.25)])
def test_kaiming_keeps_the_variance_it_promises(mode, fan, nonlinearity, gain2):
    w = Tensor(np.empty((64, 16, 3, 3), np.float32))
    init.kaiming_normal_(w, rng=0, mode=mode, nonlinearity=nonlinearity, a=0.5)
    assert w.data.std() == pytest.approx(np.sqrt(gain2 / fan), rel=0.03)
    init.kaiming_uniform_(w, rng=0, mode=mode, nonlinearity=nonlinearity, a=0.5)
    assert w.data.std() == pytest.approx(np.sqrt(gain2 / fan), rel=0.03)
    assert np.abs(w.data).max() <= np.sqrt(3 * gain2 / fan) * (1 + 1e-6)
    assert w.dtype == np.float32


@pytest.mark.parametrize(
    "fill",
    [init.kaiming_normal_, init.kaiming_uniform_, lambda w, rng: init.uniform_(w, -0.5, 0.5, rng=rng)],
    ids=["normal", "uniform", "bound"],
)
def test_the_seed_decides_every_bit(fill):
    def bits(seed):
        w = Tensor(np.empty((4, 3, 2, 2), np.float32))
        fill(w, rng=seed)
        return w.data.tobytes()

    assert bits(5) == bits(5) == bits(np.random.default_rng(5))
    assert bits(5) != bits(6)
    rng = np.random.default_rng(5)
    assert bits(rng) != bits(rng)


def test_initialization_refuses_what_it_cannot_do():
    w = Tensor(np.empty((3, 3)))
    with pytest.raises(OptionError, match="mode must be"):
        init.kaiming_normal_(w, rng=0, mode="fan")
    with pytest.raises(OptionError, match="nonlinearity must be one of"):
        init.kaiming_normal_(w, rng=0, nonlinearity="swish")
    with pytest.raises(ShapeError, match="two or more axes"):
        init.kaiming_normal_(Tensor(np.empty(3)), rng=0)
