"""Values that a Tensor cannot hold or meet: each is refused at once, by name, and what was there stays."""

import numpy as np
import pytest

import minires
from minires import Tensor, nn, ops
from minires.errors import DTypeError, GraphError, OptionError, OutOfMemoryError, ShapeError

INTS = [1, 2]
BYTES = np.array([1, 2], np.uint8)
BITS = [True, False]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Tensor(INTS) ** -1, OptionError, r"pow: integers have no negative powers.*\.float\(\)"),
        (lambda: 2 ** Tensor([-1]), OptionError, "pow: integers have no negative powers"),
        (lambda: Tensor(INTS) ** Tensor([-1, 1]), OptionError, "pow: integers have no negative powers"),
        (lambda: Tensor(BYTES) + 300, OptionError, r"add: 300 does not fit into uint8; convert .*\.to\(np\.int64\)"),
        (lambda: Tensor(BYTES) * -1, OptionError, "mul: -1 does not fit into uint8"),
        (lambda: 300 - Tensor(BYTES), OptionError, "sub: 300 does not fit into uint8"),
        (lambda: Tensor(BYTES).maximum(256), OptionError, "maximum: 256 does not fit into uint8"),
        (lambda: Tensor(INTS) + 2**63, OptionError, "add: 9223372036854775808 does not fit into int64"),
        (lambda: Tensor(BITS) + 2**70, OptionError, "add: .* does not fit into int64"),
        (lambda: Tensor([1.0]) * 10**400, OptionError, "mul: 10{49}… does not fit into float32"),
        (lambda: ops.where(np.array(BITS), 2**70, 0), OptionError, "where: .* does not fit into int64"),
        (lambda: ops.where(np.array(BITS), Tensor(BYTES), 300), OptionError, "where: 300 does not fit into uint8"),
        (
            lambda: Tensor([1.0, 2.0]) < Tensor([1.0, 2.0, 3.0]),
            ShapeError,
            r"lt: shapes \(2,\) and \(3,\) do not broadcast",
        ),
        (lambda: Tensor([1.0, 2.0]) == np.ones(3), ShapeError, r"eq: shapes \(2,\) and \(3,\)"),
        (lambda: np.ones(3) >= Tensor([1.0, 2.0]), ShapeError, r"shapes \(3,\) and \(2,\)"),
        (lambda: Tensor(BITS) & Tensor([True] * 3), ShapeError, r"and: shapes \(2,\) and \(3,\)"),
        (lambda: Tensor([1.0]) & Tensor([1.0]), DTypeError, "and: cannot be computed of float32 and float32"),
        (lambda: ~Tensor([1.0]), DTypeError, "~: cannot be computed of float32"),
        (lambda: Tensor([1.0]) < "a", DTypeError, "lt: needs a number, an array or a Tensor beside a Tensor, got 'a'"),
        (
            lambda: Tensor([1.0]).eq(None),
            DTypeError,
            "eq: needs a number, an array or a Tensor beside a Tensor, got None",
        ),
        (lambda: Tensor([1.0, 2.0]) == [[1], [1, 2]], ShapeError, "rows of equal length"),
        (lambda: Tensor([1.0, 2.0]) == np.ma.masked_array([1.0, 2.0], [0, 1]), DTypeError, "eq: MaskedArray"),
        (lambda: Tensor([1.0]).any(dim=9), ShapeError, "any: dim 9 is out of range for 1 axes"),
        (lambda: Tensor([1.0]).all(dim=9), ShapeError, "all: dim 9 is out of range for 1 axes"),
        (lambda: Tensor([1.0]).all(keepdim="False"), DTypeError, "all: keepdim must be True or False, got 'False'"),
        (lambda: Tensor([1.0]).max(0, "False"), DTypeError, "max: keepdim must be True or False, got 'False'"),
        (lambda: Tensor([1.0]).size(3), ShapeError, "size: dim 3 is out of range"),
        (lambda: Tensor(1.0).size(0), ShapeError, "size: a 0-d tensor has no axis"),
        (lambda: Tensor([1.0, 2.0]).item(), ShapeError, r"item: a tensor of shape \(2,\) has 2 elements.*tolist"),
        (lambda: float(Tensor([1.0, 2.0])), ShapeError, "item: "),
        (
            lambda: bool(Tensor([1.0, 2.0])),
            ShapeError,
            r"shape \(2,\) is not true or false as a whole; use \.any\(\) or \.all",
        ),
        (
            lambda: minires.zeros(2**62),
            OutOfMemoryError,
            r"not enough memory for an array of shape \(4611686018427387904,\)",
        ),
        (lambda: minires.randn(2**31, 2**31), OutOfMemoryError, "not enough memory for an array of shape"),
        (lambda: minires.randn(2, dtype=int), DTypeError, "randn: random numbers are float32 or float64, got int64"),
        (lambda: nn.BatchNorm2d(2**62), OutOfMemoryError, "not enough memory for an array"),
        (
            lambda: ops.adaptive_avg_pool2d(Tensor(np.ones((1, 1, 2, 2))), 2**31 - 1),
            OutOfMemoryError,
            "adaptive_avg_pool2d: ",
        ),
        (lambda: Tensor([1.0], requires_grad="False"), DTypeError, "requires_grad must be True or False, got 'False'"),
        (lambda: Tensor([1.0]).type_as(np.float64), DTypeError, "type_as: needs a Tensor"),
        (lambda: Tensor([1.0])[[[0], [0, 0]]], ShapeError, "getitem: a list in an index"),
        (
            lambda: (Tensor([1.0], requires_grad=True) * 1).backward([[1.0], [1.0, 2.0]]),
            ShapeError,
            "rows of equal length",
        ),
        (
            lambda: (Tensor([1.0], requires_grad=True) * 1).backward(np.ma.masked_array([1.0], [1])),
            DTypeError,
            "MaskedArray",
        ),
        (lambda: nn.BatchNorm2d(2)(3), ShapeError, r"BatchNorm2d: x must be \(N,C,H,W\), got \(\)"),
        (
            lambda: nn.BatchNorm1d(2, affine=False)([[1.0, 2.0]]),
            DTypeError,
            "batch_norm: x must be a Tensor or an array, got list",
        ),
        (
            lambda: nn.chain("x", nn.Conv2d(1, 1, 1, bias=False), nn.BatchNorm2d(1)),
            DTypeError,
            "conv2d: argument 1 must be",
        ),
        (
            lambda: nn.functional.batch_norm("x", None, None),
            DTypeError,
            "batch_norm: x must be a Tensor or an array, got str",
        ),
        (lambda: nn.ModuleList(3), DTypeError, "ModuleList: needs a list of modules, got int"),
        (lambda: nn.ModuleDict([1, 2]), DTypeError, "ModuleDict: needs a dict of modules, got list"),
        (lambda: nn.ReLU().apply(3), DTypeError, "apply: needs a function of a module, got int"),
        (
            lambda: nn.ReLU().load_state_dict({}, strict="False"),
            DTypeError,
            "load_state_dict: strict must be True or False",
        ),
        (lambda: nn.ReLU().to(device="gpu"), OptionError, "to: device must be 'cpu', 'cuda' or 'cuda:N', got 'gpu'"),
        (
            lambda: minires.models.ResNet(minires.models.BasicBlock, 2),
            OptionError,
            "ResNet: blocks must be four numbers",
        ),
        (lambda: minires.kernels.use(["direct"]), OptionError, "kernels.use: choose one of"),
        (lambda: minires.op(3), DTypeError, "op: needs a function of arrays, got int"),
    ],
)
def test_what_numpy_would_complain_of_is_refused_in_our_words(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "write", "error", "message"),
    [
        ([1.0, 2.0], lambda x: x.__setitem__(0, "a"), DTypeError, "holds float32, float64, integers or booleans"),
        ([1.0, 2.0], lambda x: x.__setitem__(0, None), DTypeError, "holds float32, float64, integers or booleans"),
        (
            [1.0, 2.0],
            lambda x: x.__setitem__(0, np.array(["a"])),
            DTypeError,
            "setitem must be an array of numbers, got <U1",
        ),
        (
            [1.0, 2.0],
            lambda x: x.__setitem__(slice(None), np.ma.masked_array([3.0, 4.0], [0, 1])),
            DTypeError,
            "MaskedArray",
        ),
        (
            [1.0, 2.0],
            lambda x: x.__setitem__(slice(None), [1.0, 2.0, 3.0]),
            ShapeError,
            r"setitem: a value of shape \(3,\)",
        ),
        ([1.0, 2.0], lambda x: x.__setitem__(5, 1.0), IndexError, r"setitem: .*shape \(2,\)"),
        (
            [1.0, 2.0],
            lambda x: x.copy_(np.ones((3, 2, 2))),
            ShapeError,
            r"copy_: .*\(3, 2, 2\) does not broadcast to \(2,\)",
        ),
        ([1.0, 2.0], lambda x: x.fill_([1.0, 2.0]), ShapeError, r"fill_: needs one number, got list; copy_\(\)"),
        (INTS, lambda x: x.fill_(float("nan")), OptionError, "fill_: int64 cannot hold nan"),
        (INTS, lambda x: x.__setitem__(0, 2**70), OptionError, "setitem: int64 cannot hold"),
        (BYTES, lambda x: x.__setitem__(0, 300), OptionError, "setitem: uint8 cannot hold 300"),
        ([1.0, 2.0], lambda x: x.fill_(1j), OptionError, "fill_: float32 cannot hold 1j"),
    ],
)
def test_what_does_not_fit_is_not_written(values, write, error, message):
    x = Tensor(values)
    before = x.tolist()
    count = x.version.count
    with pytest.raises(error, match=message):
        write(x)
    assert (x.tolist(), x.version.count) == (before, count)


def test_a_number_that_fits_is_computed_with():
    for number in (255, 0, 128):
        assert (Tensor(np.zeros(1, np.uint8)) + number).item() == number
    assert (Tensor(BITS) + 300).tolist() == [301, 300]
    assert (Tensor(INTS) - 2**62).tolist() == [1 - 2**62, 2 - 2**62]
    assert (Tensor([2.0]) ** -1).item() == 0.5
    assert (Tensor([2]) ** 3).item() == 8


def test_a_list_is_written_and_compared_with_all_its_digits():
    x = Tensor(np.zeros(2))
    x[...] = [0.1, 0.2]
    assert x.tolist() == [0.1, 0.2]
    assert (x == [0.1, 0.2]).all()
    x[1] = Tensor(0.3, dtype=np.float64)
    assert x[1].item() == 0.3


def test_what_is_no_number_is_not_equal_as_in_torch():
    x = Tensor([1.0, 2.0])
    assert [x == None, x != None, x == "a", x in (None, x)] == [False, True, False, True]  # noqa: E711
    assert (x == [1.0, 3.0]).tolist() == [True, False]


def test_booleans_of_numpy_are_flags():
    assert Tensor([[1.0]]).sum(0, keepdim=np.bool_(True)).shape == (1, 1)
    assert nn.Linear(2, 3, bias=np.bool_(False)).bias is None


# .data and .grad


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize(
    "make", [lambda: np.ma.masked_array([1.0, 2.0], [0, 1]), lambda: np.matrix([[1.0, 2.0]])], ids=["masked", "matrix"]
)
def test_arrays_that_compute_otherwise_are_not_assigned(make):
    x = Tensor(np.ones(2), requires_grad=True)
    for name in ("data", "grad"):
        with pytest.raises(DTypeError, match=rf"Tensor\.{name}: .* computes in its own way"):
            setattr(x, name, make())
    with pytest.raises(DTypeError, match="computes in its own way"):
        nn.Module().register_buffer("mask", make())
    with pytest.raises(DTypeError, match=r"Tensor\.data must be an array, got list"):
        x.data = [1.0, 2.0]
    assert (x.data.tolist(), x.grad) == ([1, 1], None)


def test_a_tensor_or_a_scalar_of_numpys_is_assigned_as_an_array():
    x = Tensor(2.0, requires_grad=True)
    x.data = x.data - np.float32(0.5)  # which NumPy makes a scalar of
    x.grad = Tensor(1.0)
    assert isinstance(x.data, np.ndarray)
    assert isinstance(x.grad, np.ndarray)
    (x * x).backward()
    assert x.grad == 4  # 1 + 2·1.5


@pytest.mark.parametrize("wrong", ["text", 3, [np.ones(2)]])
def test_a_buffer_is_an_array(wrong):
    with pytest.raises(DTypeError, match="register_buffer: state must be an array, a Tensor or None"):
        nn.Module().register_buffer("state", wrong)


# Hooks


@pytest.mark.parametrize(
    "register",
    [
        lambda hook: Tensor([1.0], requires_grad=True).register_hook(hook),
        lambda hook: Tensor([1.0]).register_hook(hook),
        lambda hook: Tensor([1.0], requires_grad=True).register_post_accumulate_grad_hook(hook),
        lambda hook: nn.ReLU().register_forward_hook(hook),
        lambda hook: nn.ReLU().register_forward_pre_hook(hook),
        lambda hook: nn.ReLU().register_full_backward_hook(hook),
    ],
    ids=["tensor", "constant", "leaf", "after", "before", "backward"],
)
def test_what_cannot_be_called_is_no_hook(register):
    with pytest.raises(DTypeError, match="a hook must be a function, got int"):
        register(3)


def test_settings_of_hooks_are_true_or_false():
    for setting in ("prepend", "with_kwargs"):
        with pytest.raises(DTypeError, match=f"hook: {setting} must be True or False, got 'False'"):
            nn.ReLU().register_forward_hook(print, **{setting: "False"})


def test_gradients_that_are_cut_are_still_the_first_thing_said():
    x = Tensor([1.0], requires_grad=True)
    with pytest.raises(GraphError, match="in place"):
        x[0] = 2.0
