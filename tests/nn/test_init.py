"""Initialization: distributions, torch's names and arguments, refusals."""

import inspect
import math

import numpy as np
import pytest

import minires
from minires import Tensor, nn
from minires.errors import DTypeError, OptionError
from minires.nn import init

FILLS = [
    "normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "trunc_normal_",
]


def weight(*shape):
    return Tensor(np.empty(shape or (64, 16, 3, 3), np.float32))


@pytest.mark.parametrize("name", [*FILLS, "constant_", "zeros_", "ones_"])
def test_names_and_order_of_arguments_are_torchs(name):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what this test compares with")
    theirs = inspect.signature(getattr(torch.nn.init, name)).parameters.values()
    ours = inspect.signature(getattr(init, name)).parameters.values()
    assert [(p.name, p.default) for p in ours if p.name != "rng"] == [
        (p.name, p.default) for p in theirs if p.name != "generator"
    ]


@pytest.mark.parametrize(
    ("fill", "mean", "std", "bounds"),
    [
        (lambda w: init.normal_(w, 2.0, 0.5, rng=0), 2, 0.5, (-math.inf, math.inf)),
        (lambda w: init.normal_(w, rng=0), 0, 1, (-math.inf, math.inf)),
        (lambda w: init.uniform_(w, rng=0), 0.5, 1 / math.sqrt(12), (0, 1)),
        (lambda w: init.uniform_(w, -1.0, 3.0, rng=0), 1, 4 / math.sqrt(12), (-1, 3)),
        # fan_in 16·9, fan_out 64·9: variance 2/(144 + 576)
        (lambda w: init.xavier_normal_(w, rng=0), 0, math.sqrt(2 / 720), (-math.inf, math.inf)),
        (
            lambda w: init.xavier_uniform_(w, gain=2.0, rng=0),
            0,
            2 * math.sqrt(2 / 720),
            (-2 * math.sqrt(6 / 720), 2 * math.sqrt(6 / 720)),
        ),
        # a normal distribution cut at ±σ has the variance σ²·(1 − 2φ(1)/(2Φ(1) − 1)) = 0.2911·σ²
        (lambda w: init.trunc_normal_(w, 1.0, 2.0, -1.0, 3.0, rng=0), 1, 2 * math.sqrt(0.29112), (-1, 3)),
        # of N(0, 1²) 1.46 % lie within [2, 2.4]; their mean is (φ(2) − φ(2.4))/(Φ(2.4) − Φ(2)) = (0.053991 − 0.022395)/0.0145526
        (lambda w: init.trunc_normal_(w, a=2.0, b=2.4, rng=0), 2.1712, 0.1130, (2, 2.4)),
        (
            lambda w: init.trunc_normal_(w, a=0.0, b=math.inf, rng=0),
            math.sqrt(2 / math.pi),
            math.sqrt(1 - 2 / math.pi),
            (0, math.inf),
        ),
    ],
)
def test_numbers_have_the_mean_deviation_and_bounds_they_promise(fill, mean, std, bounds):
    w = weight()
    assert fill(w) is w
    n = w.data.size
    assert w.dtype == np.float32
    assert abs(w.data.mean() - mean) < 5 * std / math.sqrt(n)
    assert w.data.std() == pytest.approx(std, rel=0.03)
    assert bounds[0] * (1 + 1e-6) <= w.data.min()
    assert w.data.max() <= bounds[1] * (1 + 1e-6)


def test_constants():
    w = weight(2, 3)
    assert (init.constant_(w, 3.5).data == 3.5).all()
    assert (init.ones_(w).data == 1).all()
    assert not init.zeros_(w).data.any()


@pytest.mark.parametrize("name", FILLS)
def test_without_rng_the_default_generator_draws(name):
    fill = getattr(init, name)
    w = weight(4, 4)
    minires.manual_seed(1)
    first = fill(w).data.copy()
    assert (fill(w).data != first).any()
    minires.manual_seed(1)
    np.testing.assert_array_equal(fill(w).data, first)
    np.testing.assert_array_equal(fill(w, rng=1).data, first)


def test_filling_counts_as_a_change_and_needs_no_no_grad():
    layer = nn.Linear(2, 2)
    count = layer.weight.version.count
    init.ones_(layer.weight)
    assert layer.weight.version.count > count


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: init.normal_(weight(2), std=-1.0), OptionError, "std must be a finite number of at least 0"),
        (lambda: init.uniform_(weight(2), 1.0, 0.0), OptionError, r"a must be at most b, got a=1\.0 and b=0\.0"),
        (
            lambda: init.trunc_normal_(weight(2), a=5.0, b=6.0),
            OptionError,
            r"only 0\.00% of N\(0\.0, 1\.0²\) is in \[5\.0, 6\.0\]",
        ),
        # Φ(2.4) − Φ(2.2) = 0.57 %
        (lambda: init.trunc_normal_(weight(2), a=2.2, b=2.4), OptionError, r"only 0\.57% of N"),
        (
            lambda: init.trunc_normal_(weight(2), a=np.zeros(2)),
            OptionError,
            "trunc_normal_: a must be a number, got array",
        ),
        (lambda: init.trunc_normal_(weight(2), b=math.nan), OptionError, "trunc_normal_: b must be a number, got nan"),
        (lambda: init.trunc_normal_(weight(2), a=2.0, b=-2.0), OptionError, "needs std > 0 and a < b"),
        (lambda: init.zeros_(nn.Linear(2, 2)), DTypeError, r"got Linear; for a layer give layer\.weight"),
        (lambda: init.ones_(np.zeros(2)), DTypeError, "got ndarray"),
        *[
            (lambda name=name: getattr(init, name)(nn.Linear(2, 2)), DTypeError, "init needs a Tensor or Parameter")
            for name in FILLS
        ],
    ],
)
def test_what_cannot_be_filled_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_single_number_is_filled_too():
    for fill in (init.normal_, init.uniform_, init.trunc_normal_, init.ones_):
        x = Tensor(7.0)
        assert fill(x, **({"rng": 0} if fill is not init.ones_ else {})) is x
        assert x.shape == ()
        assert abs(x.item()) <= 2


def test_scale_multiplies_in_place_and_keeps_the_type():
    w = weight(3, 2)
    w.data[...] = [[1, 2], [3, 4], [5, 6]]
    assert init.scale_(w, 0.5) is w
    np.testing.assert_array_equal(w.data, np.array([[0.5, 1], [1.5, 2], [2.5, 3]], np.float32), strict=True)
    with pytest.raises(OptionError, match="scale_: factor must be a finite number, got nan"):
        init.scale_(w, math.nan)
