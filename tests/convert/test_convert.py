"""The same weights in another format, and what is in a file."""

import numpy as np
import pytest

from minires import storage
from minires.convert.__main__ import main

ARRAYS = {"a.weight": np.arange(6, dtype="f4").reshape(2, 3), "b": np.array(3), "c": np.zeros((0, 2))}


@pytest.fixture
def weights(tmp_path):
    storage.save(tmp_path / "w.safetensors", ARRAYS)
    return tmp_path / "w.safetensors"


def equal(arrays):
    assert set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)


def test_weights_go_from_one_format_into_another_and_back(tmp_path, weights, capsys):
    assert main([str(weights), str(tmp_path / "w.npz")]) == 0
    out = capsys.readouterr().out
    assert ["a.weight", "2×3", "float32"] in [line.split() for line in out.splitlines()]
    assert out.splitlines()[-2:] == ["3 arrays, 7 numbers, 0.0 MB", f"wrote {tmp_path / 'w.npz'}"]
    equal(dict(np.load(tmp_path / "w.npz")))
    assert main([str(tmp_path / "w.npz"), str(tmp_path / "back.safetensors")]) == 0
    back, _ = storage.load(tmp_path / "back.safetensors")
    equal({name: back[name] for name in ARRAYS})


def test_without_a_second_file_only_what_is_inside_is_printed(tmp_path, weights, capsys):
    assert main([str(weights)]) == 0
    assert "wrote" not in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]


def test_a_part_of_a_torch_file_is_chosen(tmp_path, capsys):
    torch = pytest.importorskip("torch")
    torch.save({"model": {"a": torch.ones(1)}, "model_ema": {"b": torch.ones(2)}}, tmp_path / "w.tar")
    assert main([str(tmp_path / "w.tar"), str(tmp_path / "w.npz"), "--part", "model_ema"]) == 0
    assert np.load(tmp_path / "w.npz").files == ["b"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{}/w.safetensors", "{}/w.h5"], "the ending says the format, one of .safetensors, .npz, .pth"),
        (["{}/w.safetensors", "{}/w.safetensors"], "would be written over itself"),
        (["{}/nope.pth", "{}/w.npz"], "nope.pth cannot be read"),
        (["{}/w.safetensors", "{}/w.npz", "--part", "x"], "has no parts"),
    ],
)
def test_a_wrong_setting_is_one_line_and_nothing_is_written(tmp_path, weights, capsys, words, message):
    before = weights.read_bytes()
    assert main([word.format(tmp_path) for word in words]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert weights.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1
