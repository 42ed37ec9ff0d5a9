"""Layers as they are made: what they refuse, what they show, which of their attributes count."""

import math

import numpy as np
import pytest

from minires import Tensor, gradcheck, models, nn, ops
from minires.errors import DTypeError, OptionError, ShapeError


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nn.Linear(0, 5), ShapeError, "Linear: in_features must be at least 1, got 0"),
        (lambda: nn.Linear(5, -1), ShapeError, "Linear: out_features must be at least 1, got -1"),
        (lambda: nn.Linear(5.0, 5), DTypeError, r"Linear: in_features must be an integer, got 5\.0"),
        (lambda: nn.Linear("5", 5), DTypeError, "in_features must be an integer, got '5'"),
        (lambda: nn.Conv2d(0, 4, 3), ShapeError, "Conv2d: in_channels must be at least 1, got 0"),
        (lambda: nn.Conv2d(4, 0, 3), ShapeError, "Conv2d: out_channels must be at least 1"),
        (lambda: nn.Conv2d(4, 2.5, 3), DTypeError, "out_channels must be an integer"),
        (lambda: nn.Conv2d(4, 4, 0), ShapeError, "Conv2d: kernel_size must be at least 1"),
        (lambda: nn.Conv2d(4, 4, 1.5), DTypeError, "Conv2d: kernel_size must be an integer"),
        (lambda: nn.Conv2d(4, 4, 3, stride=0), ShapeError, "Conv2d: stride must be at least 1"),
        (lambda: nn.Conv2d(4, 4, 3, padding=-1), ShapeError, "Conv2d: padding must be at least 0"),
        (lambda: nn.Conv2d(4, 4, 3, dilation=0), ShapeError, "Conv2d: dilation must be at least 1"),
        (lambda: nn.Conv2d(4, 4, 3, groups=0), ShapeError, "Conv2d: groups must be at least 1"),
        (lambda: nn.Conv2d(4, 4, 3, groups=3), ShapeError, "groups=3 must divide 4 input and 4 output"),
        (lambda: nn.Conv2d(4, 4, 3, padding="full"), OptionError, "padding must be one of same, valid, got 'full'"),
        (lambda: nn.Conv2d(4, 4, 3, stride=2, padding="same"), OptionError, "padding='same' needs stride 1, got 2"),
        (
            lambda: nn.Conv2d(4, 4, 3, padding_mode="reflect"),
            OptionError,
            "padding_mode must be 'zeros', got 'reflect'; make",
        ),
        (lambda: nn.BatchNorm2d(0), ShapeError, "BatchNorm2d: num_features must be at least 1"),
        (lambda: nn.BatchNorm1d(2.0), DTypeError, "BatchNorm1d: num_features must be an integer"),
        (lambda: nn.BatchNorm2d(4, eps=-1), OptionError, "eps must be a finite number of at least 0, got -1"),
        (
            lambda: nn.BatchNorm2d(4, momentum=1.5),
            OptionError,
            r"BatchNorm2d: momentum must be a number of at least 0 and at most 1, got 1\.5",
        ),
        (lambda: nn.LayerNorm(0), ShapeError, "LayerNorm: normalized_shape must be at least 1"),
        (lambda: nn.LayerNorm(4, eps="x"), OptionError, "eps must be a finite number"),
        (lambda: nn.GroupNorm(3, 4), ShapeError, "num_groups=3 must divide num_channels=4"),
        (lambda: nn.Dropout(1.5), OptionError, r"Dropout: p must be a number of at least 0 and at most 1, got 1\.5"),
        (lambda: nn.Dropout(math.nan), OptionError, "Dropout: p must be a number"),
        (lambda: nn.Dropout("0.5"), OptionError, "Dropout: p must be a number"),
        (lambda: nn.StochasticDepth(1.5, "row"), OptionError, "StochasticDepth: p must be a number of at least 0"),
        (
            lambda: nn.StochasticDepth(0.5, "rows"),
            OptionError,
            "StochasticDepth: mode must be one of batch, row, got 'rows'",
        ),
        (
            lambda: nn.ReLU(Tensor([1.0])),
            DTypeError,
            r"ReLU: inplace must be True or False, got Tensor; .* ReLU\(\)\(x\)",
        ),
        (lambda: nn.LeakyReLU("0.1"), OptionError, "negative_slope must be a finite number"),
        (lambda: nn.GELU("erf"), OptionError, "approximate must be one of none, tanh, got 'erf'"),
        (lambda: nn.Softmax("channels"), DTypeError, "Softmax: dim must be an integer"),
        (lambda: nn.Flatten(1.0), DTypeError, "start_dim must be an integer"),
        (lambda: nn.MaxPool2d(0), ShapeError, "MaxPool2d: kernel_size must be at least 1"),
        (lambda: nn.MaxPool2d(2, 0), ShapeError, "MaxPool2d: stride must be at least 1"),
        (lambda: nn.MaxPool2d(2, dilation=0), ShapeError, "MaxPool2d: dilation must be at least 1"),
        (lambda: nn.AvgPool2d(2, padding=2), ShapeError, "AvgPool2d: padding 2 is more than half of kernel_size 2"),
        (lambda: nn.AdaptiveAvgPool2d(0), ShapeError, "output_size must be at least 1"),
        (lambda: nn.AdaptiveAvgPool2d((None, 1.5)), DTypeError, "output_size must be an integer"),
        (
            lambda: nn.CrossEntropyLoss(reduction="avg"),
            OptionError,
            "CrossEntropyLoss: reduction must be one of mean, sum, none",
        ),
        (
            lambda: nn.CrossEntropyLoss(label_smoothing=2),
            OptionError,
            "label_smoothing must be a number of at least 0 and at most 1",
        ),
        (
            lambda: nn.CrossEntropyLoss("sum"),
            DTypeError,
            "weight must be an array of numbers, got str; a reduction is given by name",
        ),
        (lambda: nn.CrossEntropyLoss(ignore_index=0.5), DTypeError, "ignore_index must be an integer"),
        (lambda: nn.MSELoss(reduction=None), OptionError, "MSELoss: reduction must be one of"),
        (lambda: nn.SmoothL1Loss(beta=-1), OptionError, "beta must be a finite number of at least 0"),
    ],
)
def test_what_cannot_be_is_refused_when_the_layer_is_made(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda n: n.Conv2d(2, 4, 3, padding=1, groups=2, bias=False),
        lambda n: n.Conv2d(2, 4, (3, 1), 2, dilation=(2, 1)),
        lambda n: n.Linear(2, 3),
        lambda n: n.Linear(2, 3, bias=False),
        lambda n: n.MaxPool2d(3, 2, 1),
        lambda n: n.MaxPool2d((3, 2), ceil_mode=True),
        lambda n: n.AvgPool2d(2),
        lambda n: n.AdaptiveAvgPool2d((2, None)),
        lambda n: n.ReLU(),
        lambda n: n.ReLU(inplace=True),
        lambda n: n.LeakyReLU(0.2, True),
        lambda n: n.ReLU6(),
        lambda n: n.SiLU(True),
        lambda n: n.GELU(),
        lambda n: n.Softmax(1),
        lambda n: n.LogSoftmax(dim=-1),
        lambda n: n.Dropout(0.2),
        lambda n: n.Flatten(0, 1),
        lambda n: n.Identity(3, unused=4),
        lambda n: n.CrossEntropyLoss(),
        lambda n: n.BCEWithLogitsLoss(),
        lambda n: n.SmoothL1Loss(),
        lambda n: n.Sigmoid(),
        lambda n: n.Sequential(),
        lambda n: n.Sequential(n.Linear(2, 3), n.Sequential(n.ReLU())),
        lambda n: n.ModuleDict({"a": n.ReLU()}),
    ],
    ids=lambda make: "",
)
def test_a_layer_prints_as_in_torch(make):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what this test compares with")
    assert repr(make(nn)) == repr(make(torch.nn))


def test_settings_are_attributes_as_in_torch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what this test compares with")
    pairs = [
        (
            lambda n: n.Conv2d(2, 4, (3, 1), 2, "valid", groups=2),
            "in_channels out_channels kernel_size stride padding dilation groups padding_mode",
        ),
        (lambda n: n.Conv2d(2, 4, 3, 2, 1), "kernel_size stride padding dilation"),
        (lambda n: n.Linear(2, 3), "in_features out_features"),
        (lambda n: n.BatchNorm2d(3, 1e-3, None), "num_features eps momentum affine track_running_stats"),
        (lambda n: n.GroupNorm(2, 4), "num_groups num_channels eps affine"),
        (lambda n: n.Dropout(0.3), "p inplace"),
        (lambda n: n.MaxPool2d(2), "kernel_size stride padding dilation ceil_mode"),
        (lambda n: n.AvgPool2d(3, 1), "kernel_size stride padding ceil_mode count_include_pad"),
        (lambda n: n.LayerNorm(3), "normalized_shape eps elementwise_affine"),
    ]
    for make, names in pairs:
        ours = make(nn)
        theirs = make(torch.nn)
        for name in names.split():
            assert getattr(ours, name) == getattr(theirs, name), (ours, name)


def test_a_setting_that_is_changed_counts_from_the_next_call_on():
    x = Tensor(np.random.default_rng(0).standard_normal((2, 2, 6, 6)).astype(np.float32))
    conv = nn.Conv2d(2, 2, 3, rng=0)
    conv.stride, conv.padding = 2, 1
    np.testing.assert_array_equal(conv(x).data, ops.conv2d(x, conv.weight, conv.bias, stride=2, padding=1).data)
    assert "stride=2, padding=1" in repr(conv)
    pool = nn.MaxPool2d(2)
    pool.kernel_size, pool.stride = 3, 3
    assert pool(x).shape == (2, 2, 2, 2)
    norm = nn.BatchNorm2d(2).eval()
    norm.eps = 3.0
    np.testing.assert_allclose(norm(x).data, x.data / 2, rtol=1e-6)
    leaky = nn.LeakyReLU(0.5)
    leaky.negative_slope = 0.0
    assert leaky(Tensor([-1.0])).item() == 0


def test_what_follows_from_the_weight_follows_a_new_weight():
    model = models.resnet8(rng=0)
    model.conv1.weight = nn.Parameter(model.conv1.weight.data.sum(axis=1, keepdims=True))  # gray images
    assert (model.conv1.in_channels, model.conv1.kernel_size) == (1, (3, 3))
    assert model.eval()(Tensor(np.zeros((1, 1, 8, 8), np.float32))).shape == (1, 10)
    with pytest.raises(AttributeError):
        model.conv1.in_channels = 3  # it would be said twice


@pytest.mark.parametrize("shape", [(5, 3), (4, 3, 6)])
@pytest.mark.parametrize("options", [{}, {"affine": False}, {"momentum": None}, {"track_running_stats": False}])
def test_batch_norm_of_vectors_and_series_is_torchs(shape, options):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what this test compares with")
    ours = nn.BatchNorm1d(3, **options).double()
    theirs = torch.nn.BatchNorm1d(3, **options).double()
    rng = np.random.default_rng(0)
    for mode in ("train", "train", "eval"):
        getattr(ours, mode)(), getattr(theirs, mode)()
        x = rng.normal(2, 3, shape)
        dy = rng.standard_normal(shape)
        a = Tensor(x, requires_grad=True)
        b = torch.tensor(x, requires_grad=True)
        ya = ours(a)
        yb = theirs(b)
        ya.backward(dy)
        yb.backward(torch.tensor(dy))
        np.testing.assert_allclose(ya.data, yb.detach().numpy(), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(a.grad, b.grad.numpy(), rtol=1e-11, atol=1e-12)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for name, value in ours.state_dict().items():
        np.testing.assert_allclose(value, theirs.state_dict()[name].numpy(), rtol=1e-12)


def test_a_batch_norm_refuses_maps_of_another_rank():
    with pytest.raises(ShapeError, match=r"BatchNorm2d: x must be \(N,C,H,W\), got \(2, 3\)"):
        nn.BatchNorm2d(3)(Tensor(np.zeros((2, 3), np.float32)))
    with pytest.raises(ShapeError, match=r"BatchNorm1d: x must be \(N,C\) or \(N,C,L\), got \(2, 3, 4, 4\)"):
        nn.BatchNorm1d(3)(Tensor(np.zeros((2, 3, 4, 4), np.float32)))


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda: nn.BatchNorm1d(3), (5, 3)),
        (lambda: nn.BatchNorm1d(3, affine=False), (2, 3, 4)),
        (lambda: nn.GroupNorm(2, 4), (2, 4, 3)),
        (lambda: nn.Softmax(1), (3, 4)),
        (lambda: nn.LogSoftmax(0), (3, 4)),
        (lambda: nn.ReLU6(), (4, 5)),
        (lambda: nn.Conv2d(2, 3, (2, 3), padding="same", rng=0), (2, 2, 4, 5)),
        (lambda: nn.MaxPool2d(2, 3, ceil_mode=True), (2, 2, 7, 5)),
        (lambda: nn.AvgPool2d(2, 2, 1, True, False), (2, 2, 4, 5)),
        (lambda: nn.AdaptiveAvgPool2d((None, 2)), (2, 2, 4, 5)),
        (lambda: nn.BatchNorm2d(2, momentum=None, affine=False), (3, 2, 4, 5)),
        (lambda: nn.BatchNorm2d(2, track_running_stats=False).eval(), (3, 2, 4, 5)),
    ],
    ids=lambda v: "",
)
def test_gradients_of_the_layers_are_measured(layer, shape):
    report = gradcheck.check_module(
        layer(), np.random.default_rng(0).permutation(math.prod(shape)).reshape(shape) * 0.37 - 3
    )
    assert report.passed, str(report)


LOGITS = np.random.default_rng(0).standard_normal((5, 3)) * 2
CLASSES = np.array([0, 2, -1, 1, 2])
WEIGHT = np.array([0.5, 1.0, 2.0])
OTHER = np.random.default_rng(1).random((5, 3))


@pytest.mark.parametrize(
    ("name", "options", "target"),
    [
        ("CrossEntropyLoss", {"ignore_index": -1}, CLASSES),
        (
            "CrossEntropyLoss",
            {"weight": WEIGHT, "ignore_index": -1, "label_smoothing": 0.1, "reduction": "sum"},
            CLASSES,
        ),
        ("CrossEntropyLoss", {"reduction": "none"}, OTHER / OTHER.sum(axis=1, keepdims=True)),
        ("NLLLoss", {"weight": WEIGHT, "ignore_index": -1}, CLASSES),
        ("MSELoss", {}, OTHER),
        ("MSELoss", {"reduction": "none"}, OTHER),
        ("L1Loss", {}, OTHER),
        ("L1Loss", {"reduction": "sum"}, OTHER),
        ("SmoothL1Loss", {}, OTHER),
        ("SmoothL1Loss", {"beta": 0.3, "reduction": "sum"}, OTHER),
        ("BCEWithLogitsLoss", {}, OTHER),
        ("BCEWithLogitsLoss", {"weight": WEIGHT, "pos_weight": WEIGHT, "reduction": "none"}, OTHER),
    ],
)
def test_losses_are_torchs_and_their_gradients_are_measured(name, options, target):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what this test compares with")
    theirs = getattr(torch.nn, name)(
        **{k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    )
    for given in (options, {k: Tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}):
        ours = getattr(nn, name)(**given)
        x = Tensor(LOGITS, requires_grad=True)
        t = torch.tensor(LOGITS, requires_grad=True)
        y = ours(x, target)
        expected = theirs(t, torch.tensor(target))
        dy = np.random.default_rng(2).standard_normal(y.shape)
        y.backward(dy)
        expected.backward(torch.tensor(dy))
        np.testing.assert_allclose(y.data, expected.detach().numpy(), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(x.grad, t.grad.numpy(), rtol=1e-12, atol=1e-14)
        assert list(ours.state_dict()) == list(theirs.state_dict())
    report = gradcheck.check_module(ours, LOGITS, target)
    assert report.passed, str(report)


def test_class_weights_follow_the_network():
    loss = nn.CrossEntropyLoss(WEIGHT.astype(np.float32))
    assert loss.double().weight.dtype == np.float64


def test_functional_has_torchs_names_and_order_of_arguments():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what this test compares with")
    import minires.nn.functional as F

    T = torch.nn.functional
    assert F is nn.functional
    x = np.random.default_rng(0).standard_normal((2, 3, 5, 6)) * 4
    w = np.random.default_rng(1).random((4, 3, 2, 2))
    v = WEIGHT
    mean = np.array([0.1, -0.2, 0.3])
    rows = x[:, :, 0, 0]
    calls = [
        ("relu", x, True),
        ("relu6", x, False),
        ("leaky_relu", x, 0.2, True),
        ("silu", x, True),
        ("sigmoid", x),
        ("tanh", x),
        ("gelu", x),
        ("softmax", x, 1),
        ("log_softmax", x, -1),
        ("max_pool2d", x, 2, 1, 1),
        ("avg_pool2d", x, 3, 2, 1, True, False),
        ("adaptive_avg_pool2d", x, (1, 2)),
        ("conv2d", x, w, None, 2, 1),
        ("linear", rows, w[:, :, 0, 0], w[:, 0, 0, 0]),
        ("batch_norm", x, mean, v, v, mean),
        ("batch_norm", x, mean, v),
        ("layer_norm", x, (6,), w[0, 0, 0, 0] * np.ones(6)),
        ("group_norm", x, 3, v, mean),
        ("dropout", x, 0.5, False),
        ("scaled_dot_product_attention", x, x + 1, x - 1, None, 0.0, True),
        ("pad", x, (1, 2)),
        ("mse_loss", x, x + 1),
        ("l1_loss", x, x + 2),
        ("smooth_l1_loss", x, x + 3),
        ("binary_cross_entropy_with_logits", rows, v * np.ones((2, 3))),
        ("cross_entropy", rows, np.array([0, 2])),
        ("nll_loss", rows, np.array([0, 2])),
    ]
    assert {name for name, *_ in calls} == set(F.__all__)
    for name, *arguments in calls:
        given = [torch.tensor(a) if isinstance(a, np.ndarray) else a for a in arguments]
        expected = getattr(T, name)(*given).numpy()
        found = getattr(F, name)(Tensor(arguments[0]), *arguments[1:])
        np.testing.assert_allclose(found.data, expected, rtol=1e-10, atol=1e-12, err_msg=name)


def test_functional_dropout_draws_from_the_default_generator():
    import minires
    import minires.nn.functional as F

    x = Tensor(np.ones(64))
    minires.manual_seed(0)
    first = F.dropout(x, 0.5).data
    minires.manual_seed(0)
    np.testing.assert_array_equal(F.dropout(x, 0.5, True, False).data, first)
    np.testing.assert_array_equal(F.dropout(x, 0.5, rng=3).data, F.dropout(x, 0.5, rng=3).data)
    assert (first != F.dropout(x, 0.5).data).any()
