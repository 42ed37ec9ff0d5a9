"""Loading a state: what is returned, and what a message tells of a state that does not fit."""

import pickle

import numpy as np
import pytest

from minires import Tensor, models, nn, storage
from minires.errors import CheckpointError


def net(classes=4):
    return nn.Sequential(nn.Linear(2, 3, rng=0), nn.BatchNorm1d(3), nn.Linear(3, classes, rng=1))


def test_the_pair_is_torchs():
    model = net()
    state = net().state_dict()
    assert model.load_state_dict(state) == ([], [])
    assert repr(model.load_state_dict(state)) == "<All keys matched successfully>"
    del state["0.bias"]
    state["9.weight"] = np.ones(1)
    result = model.load_state_dict(state, strict=False)
    assert result.missing_keys == ["0.bias"]
    assert result.unexpected_keys == ["9.weight"]
    missing, unexpected = model.load_state_dict(state, False)
    assert (missing, unexpected) == (["0.bias"], ["9.weight"])
    assert "0.bias" in repr(result)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: {"module." + k: v for k, v in state.items()}, r"DataParallel.*name\.removeprefix\('module\.'\)"),
        (
            lambda state: {"model/" + k: v for k, v in state.items()},
            r"load storage\.load_checkpoint\(path\)\[0\]\['model'\]",
        ),
        (lambda state: {"state_dict": state, "epoch": 3}, r"load the state inside, state\['state_dict'\]"),
        (lambda state: {"epoch": 3, "net": state}, r"load the state inside, state\['net'\]"),
        (lambda state: {"encoder." + k: v for k, v in state.items()}, "no name of the state is one of the model's"),
        (lambda state: {}, "no name of the state"),
        (lambda state: "weights.safetensors", r"got a str, read the file first: storage\.load\(path\)\[0\]"),
        (lambda state: net(), r"got a Sequential, pass its state_dict\(\)"),
        (
            lambda state: (state, {}),
            r"got a tuple, storage\.load\(path\) gives \(arrays, meta\): pass its first, \[0\]",
        ),
        (lambda state: list(state), "got a list"),
        (lambda state: None, "got a NoneType"),
        (lambda state: net().state_dict, r"got a method, call it: state_dict\(\)"),
        (
            lambda state: {**state, "1.num_batches_tracked": np.array(np.nan)},
            r"cannot hold: 1\.num_batches_tracked \(file float64, model int64\)",
        ),
        (lambda state: {**state, "1.num_batches_tracked": np.array(3.0, np.float32)}, r"file float32, model int64"),
        (lambda state: {**state, "1.num_batches_tracked": np.array(2**63, np.uint64)}, r"file uint64, model int64"),
        (lambda state: {**state, "1.num_batches_tracked": np.array(True)}, r"file bool, model int64"),
        (lambda state: {**state, "0.bias": np.full(3, 1e300)}, r"cannot hold: 0\.bias \(file float64, model float32\)"),
        (lambda state: {**state, "0.bias": "text"}, "0.bias is no array that can be read here"),
        (lambda state: {**state, "0.bias": np.ones(3, complex)}, "0.bias is no array that can be read here"),
        (
            lambda state: {**state, "2.weight": np.ones((9, 3)), "2.bias": np.ones(9)},
            r"2 is made for another number of classes: .* not name\.startswith\('2\.'\)\} and strict=False",
        ),
    ],
)
def test_a_state_that_does_not_fit_says_what_to_do_and_changes_nothing(change, message, strict):
    model = net()
    before = {k: v.copy() for k, v in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=message) as caught:
        model.load_state_dict(change(net().state_dict()), strict=strict)
    assert "\n" not in str(caught.value)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_the_advice_about_another_number_of_classes_works():
    model = net(classes=7)
    state = net().state_dict()
    rest = {name: array for name, array in state.items() if not name.startswith("2.")}
    assert model.load_state_dict(rest, strict=False).missing_keys == ["2.weight", "2.bias"]
    np.testing.assert_array_equal(model[0].weight.data, state["0.weight"])


def test_the_advice_about_a_checkpoint_works(tmp_path):
    model = net()
    storage.save_checkpoint(tmp_path / "c", {"model": model.state_dict()}, {})
    with pytest.raises(CheckpointError, match=r"storage\.load_checkpoint\(path\)\[0\]\['model'\]"):
        net().load_state_dict(storage.load(tmp_path / "c")[0])
    assert net().load_state_dict(storage.load_checkpoint(tmp_path / "c")[0]["model"]) == ([], [])


def test_a_module_without_state_takes_an_empty_one():
    assert nn.ReLU().load_state_dict({}) == ([], [])


def test_nan_and_infinity_are_loaded_as_torch_loads_them():
    layer = nn.Linear(1, 2)
    layer.load_state_dict({"weight": [[np.nan], [np.inf]], "bias": Tensor([1.0, 2.0])})
    np.testing.assert_array_equal(layer.weight.data, [[np.nan], [np.inf]])


def test_a_count_of_any_integer_type_is_loaded_where_it_fits():
    for kind in (np.uint8, np.int32, np.uint64):
        model = net()
        model.load_state_dict({**model.state_dict(), "1.num_batches_tracked": np.array(7, kind)})
        assert (model[1].num_batches_tracked.dtype, int(model[1].num_batches_tracked)) == (np.int64, 7)


def test_parameters_of_torch_are_taken_with_their_graph():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what this test compares with")
    theirs = torch.nn.Linear(2, 3)
    ours = nn.Linear(2, 3)
    ours.load_state_dict(dict(theirs.named_parameters()))
    np.testing.assert_array_equal(ours.weight.data, theirs.weight.detach().numpy())
    with pytest.raises(CheckpointError, match="weight is no array that can be read here"):
        ours.load_state_dict({"weight": theirs.weight.to(torch.bfloat16)}, strict=False)


def test_a_pickled_network_says_what_the_first_says():
    model = models.resnet8(rng=0).eval()
    x = Tensor(np.random.default_rng(0).standard_normal((2, 3, 8, 8)).astype(np.float32))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model))(x).data, model(x).data)
