"""Impossible settings: each function refuses them with a message of ours, and never with an error of NumPy's."""

import inspect
import math

import numpy as np
import pytest

import minires
from minires import Tensor, models, nn
from minires.errors import MiniresError
from minires.gradcheck import cases_of
from minires.nn import functional, init
from minires.op import registry
from minires.operators import Operators


class Thing:
    def __repr__(self):
        return "a thing"


NAN = math.nan
HUGE = 2**62
THING = Thing()
MASKED = np.ma.masked_array([1.0, 2.0], [0, 1])

# kind of setting: what it cannot be, and what it may be or not, as long as nothing else than our own errors comes of it
NO_FLAG = ["False", None, NAN, 0, 1, 2.0, [], THING, np.array([True, False])]
NO_INTEGER = ["1", None, 1.5, NAN, True, 1j, THING]
NO_NUMBER = ["1", None, True, 1j, [1.0], THING]
KINDS = {
    "flag": (NO_FLAG, []),
    "dim": ([*NO_INTEGER, (0, "1"), 9, -9, HUGE, 2**70], []),
    "dims": ([*NO_INTEGER, 9, ("0",), (0, 0)], []),
    "sizes": ([("2",), (1.5,), (-7,), (True,), (NAN,), "ab", None, THING, (HUGE, HUGE)], [(2**70,), (0,), ()]),
    "window": ([*NO_INTEGER, -1, (1, "2"), (1, 2, 3), -HUGE], [HUGE, 2**70, 2**40]),
    "count": ([*NO_INTEGER, 0, -1, (1, 2)], [HUGE]),
    "whole": ([*NO_INTEGER, (1, 2)], [HUGE, -HUGE]),
    "part": ([*NO_NUMBER, NAN, -0.1, math.inf, -math.inf, 10**400], [0, 1]),
    "part or none": ([v for v in [*NO_NUMBER, NAN, -0.1, 1.1, math.inf, 10**400] if v is not None], []),
    "scale": ([*NO_NUMBER, NAN, -0.1, math.inf, -math.inf, 10**400], [0, 1]),
    "limit": ([*NO_NUMBER, NAN, 10**400], [math.inf, -math.inf]),
    "slope": ([v for v in [*NO_NUMBER, NAN, math.inf, -math.inf, 10**400] if v is not None], []),
    "number": ([*NO_NUMBER, NAN, math.inf, -math.inf, 10**400], [0, -1, 1e300]),
    "value": (["1", None, 1j, [1.0], THING], [NAN, math.inf, 10**400]),
    "word": (["nonsense", None, True, 1, NAN, THING, b"mean"], []),
    "weights": (["a", 3, NAN, [1.0, 2.0], THING, MASKED, np.array(["a"]), np.ones(2) * 1j], []),
    "lengths": ([*NO_INTEGER, 0, -1, (), (1, "2")], [HUGE]),
    "power": (["nonsense", None, True, NAN, THING, 3, 0], []),
    "array": (
        ["a", 3, NAN, [1.0, 2.0], THING, MASKED, np.array(["a"]), np.ones(7), np.ones((2, 2, 2)), np.ones(2) * 1j],
        [],
    ),
    "bound": (["a", [1.0], THING, MASKED, np.array(["a"]), np.ones((7, 7, 7)), 1j], [NAN, math.inf, 10**400]),
    "seed": (["a", -1, NAN, 1.5, True, [1], THING], []),
    "dtype": (["nonsense", "f4,f4", "", {}, THING, HUGE, complex, np.float16, "S3", str, object], []),
    "device": (["nonsense", "cuda:x", "", "cpu:0", HUGE, THING, [], True], []),
    "place": (["nonsense", None, {}, THING, HUGE, "f4,f4", NAN, complex], []),
    "index": (
        ["a", 1.5, THING, 9, 2**70, {}, 1j, [[0], [1, 0]], ["a"], np.array([0.5]), np.array([9]), NAN, (0,) * 9],
        [],
    ),
    "operand": (["a", None, THING, MASKED, np.array(["a"]), np.ones((7, 7, 7)), {}], [10**400, NAN, 1j]),
    "ignored": ([], []),
}
KIND_OF = {
    name: kind
    for kind, names in {
        "flag": "keepdim keepdims training relu is_causal batch_first ceil_mode count_include_pad inplace affine track_running_stats elementwise_affine "
        "requires_grad retain_graph create_graph zero_init_residual unbiased",
        "dim": "dim0 dim1 start_dim end_dim",
        "dims": "dim axis",
        "sizes": "dims shape sizes size pad",
        "window": "kernel_size stride padding dilation output_size",
        "count": "num_classes embed_dim num_heads kdim vdim groups width_per_group num_groups in_channels width out_channels in_features out_features num_features num_channels normalized_shape",
        "whole": "ignore_index",
        "part": "eps momentum p dropout_p dropout label_smoothing beta std stochastic_depth",
        "number": "scale factor negative_slope correction ddof gain a b mean val param",
        "value": "value",
        "word": "reduction approximate padding_mode mode nonlinearity order equation variant shortcut norm branches",
        "array": "attn_mask weight bias pos_weight running_mean running_var",
        "bound": "min max",
        "seed": "rng",
        "dtype": "dtype",
        "device": "device",
        "index": "index",
        "operand": "other exponent",
        "place": "target",
        "ignored": "non_blocking out input x tensor data function",
    }.items()
    for name in names.split()
}
# where one name means something else
SPECIAL = {
    **{
        (name, "dim"): "dim"
        for name in (
            "softmax",
            "log_softmax",
            "cat",
            "stack",
            "unsqueeze",
            "take_along_dim",
            "argmax",
            "argmin",
            "max",
            "min",
            "size",
        )
    },
    ("norm", "p"): "power",
    **{(name, "bias"): "flag" for name in ("Conv2d", "Linear", "LayerNorm", "MultiheadAttention")},
    **{(name, "weight"): "weights" for name in ("CrossEntropyLoss", "NLLLoss", "BCEWithLogitsLoss")},
    ("BCEWithLogitsLoss", "pos_weight"): "weights",
    ("LayerNorm", "normalized_shape"): "lengths",
    ("BatchNorm1d", "momentum"): "part or none",
    ("BatchNorm2d", "momentum"): "part or none",
    **{
        (name, setting): "whole"
        for name in ("Flatten", "Softmax", "LogSoftmax")
        for setting in ("dim", "start_dim", "end_dim")
    },
    **{(name, "std"): "scale" for name in ("normal_", "trunc_normal_")},
    ("constant_", "val"): "value",
    **{(name, "gain"): "scale" for name in ("xavier_normal_", "xavier_uniform_")},
    **{("trunc_normal_", name): "limit" for name in "ab"},
    **{(name, "a"): "slope" for name in ("kaiming_normal_", "kaiming_uniform_")},
    ("max", "other"): "operand",
    ("dropout", "rng"): "seed",
    ("fill_", "value"): "operand",
    ("copy_", "value"): "operand",
    ("maximum", "other"): "operand",
    ("backward", "gradient"): "operand",
}


def kind_of(owner, setting):
    """The kind of a setting; a new name wants a line in the table above."""
    return SPECIAL.get((owner, setting)) or KIND_OF[setting]


def misfits(owner, call, parameter):
    """Call with values that this parameter cannot have -> a line for each value that was not refused by us."""
    wrong, odd = KINDS[kind_of(owner, parameter.name)]
    allowed = (MiniresError, IndexError) if kind_of(owner, parameter.name) == "index" else MiniresError
    found = []
    for value in (*wrong, *odd):
        if value is None and parameter.default is None:
            continue
        try:
            with np.errstate(all="ignore"):
                call(value)
        except allowed as error:
            if "\n" in str(error):
                found.append(f"{owner}({parameter.name}={value!r}): more than one line")
        except Exception as error:
            found.append(f"{owner}({parameter.name}={value!r}): {type(error).__name__}: {error}")
        else:
            if not any(value is one for one in odd):
                found.append(f"{owner}({parameter.name}={value!r}) is accepted")
    return found


def settings_of(function, owner):
    return [
        p
        for p in inspect.signature(function).parameters.values()
        if p.name != "self" and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and kind_of(owner, p.name) != "ignored"
    ]


OPS = [
    pytest.param(name, p, id=f"{name}-{p.name}")
    for name in sorted(registry)
    for p in inspect.signature(registry[name].raw).parameters.values()
    if p.kind is p.KEYWORD_ONLY
]


@pytest.mark.parametrize(("name", "parameter"), OPS)
def test_an_op_refuses_what_a_setting_cannot_be(name, parameter):
    case = next((c for c in cases_of(name) if parameter.name in c.static), cases_of(name)[0])
    inputs = (list(case.arrays),) if name in ("cat", "einsum", "stack") else case.arrays
    assert not misfits(name, lambda value: registry[name](*inputs, **{**case.static, parameter.name: value}), parameter)


# The arguments that a call needs besides the one that is wrong
NEEDED = {
    "softmax": {"dim": 0},
    "log_softmax": {"dim": 0},
    "logsumexp": {"dim": 0},
    "unsqueeze": {"dim": 0},
    "transpose": {"dim0": 0, "dim1": 1},
    "fill_": {"value": 0},
    "copy_": {"value": 0},
    "clip": {"min": 0.0, "max": 1.0},
    "clamp": {"min": 0.0, "max": 1.0},
    "pow": {"exponent": 2},
    "type_as": {"other": Tensor([1.0])},
}
OPERANDS = ("add", "sub", "mul", "div", "matmul", "maximum", "minimum")
SKIPPED = {"register_hook", "register_post_accumulate_grad_hook"}  # which take functions
METHODS = [
    pytest.param(name, p, id=f"{name}-{p.name}")
    for kind in Tensor.__mro__
    if kind is not Operators
    for name, method in vars(kind).items()
    if not name.startswith("_") and inspect.isfunction(method) and name not in SKIPPED
    for p in settings_of(method, name)
]


@pytest.mark.parametrize(("name", "parameter"), METHODS)
def test_a_method_refuses_what_an_argument_cannot_be(name, parameter):
    given = {k: v for k, v in NEEDED.get(name, {}).items() if k != parameter.name}
    if parameter.name == "gradient":
        given = {}

    def call(value):
        x = Tensor(np.arange(6.0).reshape(2, 3) + 1, requires_grad=name in ("backward", "requires_grad_"))
        return getattr(x if name != "backward" else (x * 1).sum() if parameter.name != "gradient" else x * 1, name)(
            **given, **{parameter.name: value}
        )

    assert not misfits(name, call, parameter)


@pytest.mark.parametrize("name", ["view", "reshape", "permute", "expand"])
@pytest.mark.parametrize("spread", [False, True])
def test_a_method_refuses_sizes_that_cannot_be(name, spread):
    def call(value):
        return getattr(Tensor([[1.0, 2.0]]), name)(*(value if spread and isinstance(value, tuple) else (value,)))

    assert not misfits(name, call, inspect.Parameter("sizes", inspect.Parameter.KEYWORD_ONLY))


@pytest.mark.parametrize("wrong", KINDS["index"][0], ids=repr)
def test_an_index_that_cannot_be_is_refused_for_reading_and_writing(wrong):
    x = Tensor(np.ones((2, 3)))
    for call in (lambda: x[wrong], lambda: x.__setitem__(wrong, 1.0)):
        with pytest.raises((MiniresError, IndexError), match="item: "):
            call()


LAYERS = {
    name: getattr(nn, name)
    for name in nn.__all__
    if isinstance(getattr(nn, name), type)
    and issubclass(getattr(nn, name), nn.Module)
    and name not in ("Module", "Sequential", "ModuleList", "ModuleDict")
}
SIZES = {
    "embed_dim": 4,
    "num_heads": 2,
    "in_channels": 4,
    "out_channels": 4,
    "in_features": 4,
    "out_features": 4,
    "num_features": 4,
    "num_channels": 4,
    "num_groups": 2,
    "kernel_size": 3,
    "normalized_shape": 4,
    "dim": 1,
    "p": 0.5,
    "mode": "batch",
}
CONSTRUCTORS = [
    pytest.param(name, p, id=f"{name}-{p.name}") for name, layer in LAYERS.items() for p in settings_of(layer, name)
]


@pytest.mark.parametrize(("name", "parameter"), CONSTRUCTORS)
def test_a_layer_refuses_what_a_setting_cannot_be(name, parameter):
    needed = [p.name for p in inspect.signature(LAYERS[name]).parameters.values() if p.default is p.empty]
    given = {p: SIZES[p] for p in needed if p in SIZES and p != parameter.name}
    assert not misfits(name, lambda value: LAYERS[name](**given, **{parameter.name: value}), parameter)


MODELS = [
    pytest.param(name, p, id=f"{name}-{p.name}")
    for name in ("resnet8", "resnet50", "preact_resnet20")
    for p in inspect.signature(getattr(models, name)).parameters.values()
]


@pytest.mark.parametrize(("name", "parameter"), MODELS)
def test_a_model_refuses_what_an_option_cannot_be(name, parameter, monkeypatch):
    monkeypatch.setitem(KINDS, "word", ([v for v in KINDS["word"][0] if v is not None], [None]))  # None: no shortcut
    assert not misfits(name, lambda value: models.create(name, **{parameter.name: value}), parameter)


WRAPPERS = [
    pytest.param(name, p, id=f"{name}-{p.name}")
    for name in functional.__all__
    if inspect.getmodule(getattr(functional, name)) is functional
    for p in settings_of(getattr(functional, name), name)
    if p.name not in ("weight", "bias", "normalized_shape", "pad", "num_groups")
]


@pytest.mark.parametrize(("name", "parameter"), WRAPPERS)
def test_a_function_of_nn_refuses_what_a_setting_cannot_be(name, parameter):
    x = Tensor(np.random.default_rng(0).standard_normal((3, 2)))
    C = np.ones(2)
    given = {
        "batch_norm": {"running_mean": C, "running_var": C, "training": True},
        "pad": {"pad": (1, 1)},
        "layer_norm": {"normalized_shape": (2,)},
        "group_norm": {"num_groups": 1},
    }.get(name, {})
    assert not misfits(name, lambda value: getattr(functional, name)(x, **{**given, parameter.name: value}), parameter)


FILLERS = [
    pytest.param(name, p, id=f"{name}-{p.name}")
    for name, f in vars(init).items()
    if name.endswith("_") and not name.startswith("_")
    for p in settings_of(f, name)
]


@pytest.mark.parametrize(("name", "parameter"), FILLERS)
def test_a_filler_refuses_what_a_setting_cannot_be(name, parameter):
    w = Tensor(np.ones((2, 3)))
    given = {"val": 0.0} if name == "constant_" and parameter.name != "val" else {}
    assert not misfits(name, lambda value: getattr(init, name)(w, **given, **{parameter.name: value}), parameter)


MAKERS = [
    pytest.param(name, p, id=f"{name}-{p.name}")
    for name in ("tensor", "zeros", "ones", "randn")
    for p in settings_of(getattr(minires, name), name)
]


@pytest.mark.parametrize(("name", "parameter"), MAKERS)
def test_what_makes_tensors_refuses_what_a_setting_cannot_be(name, parameter):
    size = ([1.0, 2.0],) if name == "tensor" else (2,)
    assert not misfits(name, lambda value: getattr(minires, name)(*size, **{parameter.name: value}), parameter)


@pytest.mark.parametrize("name", ["zeros", "ones", "randn"])
def test_what_makes_tensors_refuses_sizes_that_cannot_be(name):
    parameter = inspect.Parameter("sizes", inspect.Parameter.KEYWORD_ONLY)
    assert not misfits(name, lambda value: getattr(minires, name)(value), parameter)
    for size in (HUGE, 2**70, -1):
        with pytest.raises(MiniresError):
            getattr(minires, name)(size)


@pytest.mark.parametrize("wrong", ["a", None, {}, THING, ["a"], [[1], [1, 2]], 1j, MASKED, {1, 2}, [None], 2**70])
def test_a_tensor_is_made_of_numbers_only(wrong):
    for make in (Tensor, minires.tensor, nn.Parameter):
        with pytest.raises(MiniresError):
            make(wrong)
