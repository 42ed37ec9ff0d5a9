"""Module.load: weights of a file into a network, under whatever names they come."""

import numpy as np
import pytest

from minires import models, nn, storage
from minires.errors import CheckpointError, OptionError


def network(classes=3, seed=0):
    rng = np.random.default_rng(seed)
    return nn.Sequential(nn.Conv2d(2, 4, 3, rng=rng), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, classes, rng=rng))


def same(one, two):
    states = one.state_dict(), two.state_dict()
    return {name for name in states[0] if np.array_equal(states[0][name], states[1][name])}


def test_a_file_of_weights_is_loaded(tmp_path):
    storage.save(tmp_path / "w", network().state_dict())
    other = network(seed=1)
    loaded = other.load(tmp_path / "w")
    assert same(network(), other) == set(other.state_dict())
    assert loaded == ([], [])
    assert repr(loaded) == "<All names of the file and of the network fit>"


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_what_a_wrapper_puts_before_every_name_is_taken_away(tmp_path, prefix):
    storage.save(tmp_path / "w", {prefix + name: array for name, array in network().state_dict().items()})
    other = network(seed=1)
    other.load(tmp_path / "w")
    assert same(network(), other) == set(other.state_dict())


def test_a_name_of_the_network_s_own_that_begins_like_a_wrapper_stays(tmp_path):
    class Wrapped(nn.Module):
        def __init__(self):
            self.module = nn.Linear(2, 2, rng=0)
            self.scale = nn.Parameter(np.ones(2))

    storage.save(tmp_path / "w", Wrapped().state_dict())
    Wrapped().load(tmp_path / "w")


def test_the_checkpoint_of_a_run_gives_its_network(tmp_path):
    storage.save_checkpoint(tmp_path / "c", {"model": network().state_dict(), "optimizer": {"m": np.ones(1)}}, {})
    other = network(seed=1)
    other.load(tmp_path / "c")
    assert same(network(), other) == set(other.state_dict())


def test_for_other_classes_the_head_keeps_its_weights(tmp_path):
    storage.save(tmp_path / "w", network(classes=5).state_dict())
    other = network(seed=1)
    with pytest.raises(CheckpointError, match=r"w: .*3\.weight \(file \(5, 16\), model \(3, 16\)\).*head='new'"):
        other.load(tmp_path / "w")
    assert same(network(seed=1), other) == set(other.state_dict())  # nothing was changed
    loaded = other.load(tmp_path / "w", head="new")
    head = {"3.weight", "3.bias"}
    assert set(loaded.new) == head
    assert "3.weight, 3.bias of the network are not in the file, and stay as they were" in repr(loaded)
    assert same(network(seed=1), other) >= head
    assert same(network(classes=5), other) >= {"0.weight", "0.bias"}


def test_a_head_is_asked_for_by_a_word_and_needs_a_layer(tmp_path):
    storage.save(tmp_path / "w", network().state_dict())
    with pytest.raises(OptionError, match="head must be None or 'new', got 'old'"):
        network().load(tmp_path / "w", head="old")
    storage.save(tmp_path / "c", nn.Conv2d(1, 1, 1, rng=0).state_dict())
    with pytest.raises(OptionError, match="Conv2d has no Linear layer"):
        nn.Conv2d(1, 1, 1, rng=0).load(tmp_path / "c", head="new")


def test_a_missing_name_is_said_with_its_shape_and_the_nearest_of_the_file(tmp_path):
    state = models.resnet8(rng=0).state_dict()
    state = {name.replace("linear.", "fc."): array for name, array in state.items()}
    storage.save(tmp_path / "w", state)
    with pytest.raises(CheckpointError, match=r"missing: linear\.weight \(10, 64\) \(the file has fc\.weight\), "):
        models.resnet8(rng=1).load(tmp_path / "w")
    loaded = models.resnet8(rng=1).load(tmp_path / "w", strict=False)
    assert loaded.new == ["linear.weight", "linear.bias"]
    assert set(loaded.unused) == {"fc.weight", "fc.bias"}


def test_a_network_may_rename_what_a_file_has(tmp_path):
    class Renamed(nn.Module):
        def __init__(self):
            self.fc = nn.Linear(2, 2, rng=0)

        def adapt_state(self, state):
            return {name.replace("classifier", "fc"): array for name, array in state.items()}

    weight = np.ones((2, 2), np.float32)
    storage.save(tmp_path / "w", {"module.classifier.weight": weight, "module.classifier.bias": weight[0]})
    model = Renamed()
    model.load(tmp_path / "w")
    np.testing.assert_array_equal(model.fc.weight.data, weight)


@pytest.mark.parametrize("kind", [True, False])
def test_torch_s_files_are_loaded(tmp_path, kind):
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    run = {"state_dict": torch.nn.DataParallel(model).state_dict(), "epoch": 3}
    torch.save(run, tmp_path / "w.pth.tar", _use_new_zipfile_serialization=kind)
    ours = nn.Sequential(nn.Linear(2, 3, rng=0), nn.BatchNorm1d(3))
    ours.load(tmp_path / "w.pth.tar")
    for name, tensor in model.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            np.testing.assert_array_equal(ours.state_dict()[name], tensor.numpy())
