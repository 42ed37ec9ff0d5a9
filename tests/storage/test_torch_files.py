"""PyTorch's files are read as PyTorch reads them."""

import os
import zipfile

import numpy as np
import pytest

from minires import storage
from minires.errors import CheckpointError

FORMATS = ["zip", "stream"]


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def written(torch, path, value, kind):
    torch.save(value, path, _use_new_zipfile_serialization=kind == "zip")
    return path


def tensors(torch):
    shared = torch.arange(12.0)
    return {
        "float32": torch.randn(2, 3),
        "float64": torch.randn(3, dtype=torch.float64),
        "float16": torch.randn(3).half(),
        "int64": torch.tensor([2**40, -1]),
        "int32": torch.tensor([7], dtype=torch.int32),
        "int16": torch.tensor([-7], dtype=torch.int16),
        "int8": torch.tensor([-7], dtype=torch.int8),
        "uint8": torch.tensor([200], dtype=torch.uint8),
        "bool": torch.tensor([True, False]),
        "complex64": torch.randn(2, dtype=torch.complex64),
        "no axis": torch.tensor(3.5),
        "empty": torch.zeros(0, 3),
        "transposed": torch.randn(2, 3).t(),
        "every other": torch.arange(20)[3:17:2],
        "shared, first": shared[:6].view(2, 3),
        "shared, second": shared[3:],
        "repeated": torch.arange(3.0).expand(2, 3),
        "parameter": torch.nn.Parameter(torch.randn(2)),
    }


@pytest.mark.parametrize("kind", FORMATS)
def test_every_type_and_view_comes_back(tmp_path, torch, kind):
    state = tensors(torch)
    arrays, _ = storage.load(written(torch, tmp_path / "w.pth", state, kind))
    assert list(arrays) == list(state)
    for name, tensor in state.items():
        expected = tensor.detach().numpy()
        assert arrays[name].dtype == expected.dtype
        np.testing.assert_array_equal(arrays[name], expected)
    arrays["shared, first"][1, 0] = -1  # number 3 of the storage, which the second begins with
    assert arrays["shared, second"][0] == -1


@pytest.mark.parametrize("kind", FORMATS)
def test_bfloat16_becomes_float32_in_torch_files(tmp_path, torch, kind):
    tensor = torch.randn(5).bfloat16()
    arrays, _ = storage.load(written(torch, tmp_path / "w", {"a": tensor}, kind))
    assert arrays["a"].dtype == np.float32
    np.testing.assert_array_equal(arrays["a"], tensor.float().numpy())


def test_types_without_a_storage_of_their_own_come_back(tmp_path, torch):
    state = {"a": torch.arange(3).to(torch.uint16), "b": torch.arange(3).to(torch.uint64)}
    arrays, _ = storage.load(written(torch, tmp_path / "w", state, "zip"))
    assert [array.dtype for array in arrays.values()] == ["uint16", "uint64"]
    state = {"a": torch.zeros(2).to(torch.float8_e4m3fn)}
    with pytest.raises(CheckpointError, match=r"it names torch\.float8_e4m3fn"):
        storage.load(written(torch, tmp_path / "w", state, "zip"))


def test_a_file_of_the_other_byte_order_comes_back(tmp_path, torch):
    state = {name: tensor for name, tensor in tensors(torch).items() if name not in ("parameter", "complex64")}
    with zipfile.ZipFile(written(torch, tmp_path / "little", state, "zip")) as little:
        members = {name: little.read(name) for name in little.namelist()}
    sizes = {"float64": 8, "int64": 8, "every other": 8, "float16": 2, "int16": 2, "int8": 1, "uint8": 1, "bool": 1}
    orders = iter(sizes.get(name, 4) for name in state if name != "shared, second")
    with zipfile.ZipFile(tmp_path / "big", "w") as big:
        for name, data in members.items():
            if "/data/" in name:
                data = np.frombuffer(data, f"u{next(orders)}").byteswap().tobytes()
            big.writestr(name, b"big" if name.endswith("byteorder") else data)
    arrays, _ = storage.load(tmp_path / "big")
    for name, tensor in state.items():
        np.testing.assert_array_equal(arrays[name], tensor.numpy())
        assert arrays[name].dtype.isnative


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("part", ["state_dict", "model", "anything"])
def test_the_weights_of_a_training_run_are_found(tmp_path, torch, kind, part):
    run = {
        part: {"a": torch.ones(2)},
        "optimizer": {"state": {0: {"momentum_buffer": torch.zeros(2)}}, "param_groups": [{"lr": 0.1, "params": [0]}]},
        "epoch": 3,
        "arch": "resnet18",
        "best": np.float64(91.5),
    }
    arrays, texts = storage.load(written(torch, tmp_path / "w.pth.tar", run, kind))
    np.testing.assert_array_equal(arrays["a"], np.ones(2))
    assert texts == {"epoch": "3", "arch": "resnet18", "best": "91.5"}


def test_of_several_parts_one_is_chosen_by_name(tmp_path, torch):
    run = {"one": {"a": torch.ones(2)}, "state_dict_ema": {"a": torch.zeros(2)}, "state_dict": {"a": torch.ones(1)}}
    path = written(torch, tmp_path / "w", run, "zip")
    assert storage.load(path)[0]["a"].shape == (1,)
    assert storage.load(path, part="state_dict_ema")[0]["a"].sum() == 0
    with pytest.raises(CheckpointError, match="it has no weights called 'two'; it has 'one', 'state_dict_ema', 'state"):
        storage.load(path, part="two")
    path = written(torch, tmp_path / "w", {"one": {"a": torch.ones(2)}, "two": {"a": torch.ones(2)}}, "zip")
    with pytest.raises(CheckpointError, match="it has 'one', 'two': choose by part="):
        storage.load(path)


@pytest.mark.parametrize("value", [[1, 2], 5, {"epoch": 3}, {}], ids=str)
def test_a_file_without_weights_says_so(tmp_path, torch, value):
    with pytest.raises(CheckpointError, match="no dictionary"):
        storage.load(written(torch, tmp_path / "w", value, "zip"))


@pytest.mark.parametrize("name", ["mobilenet_v2-b0353104.pth", "resnet20-12fca82f.th"])
def test_real_weights_are_read_as_torch_reads_them(torch, name):
    folder = os.environ.get("MINIRES_TEST_DATA")
    if not folder:
        pytest.skip("set MINIRES_TEST_DATA to a folder with real weights")
    path = os.path.join(folder, name)
    expected = torch.load(path, map_location="cpu", weights_only=True)
    expected = expected.get("state_dict", expected)
    arrays, _ = storage.load(path)
    assert list(arrays) == list(expected)
    for key, tensor in expected.items():
        np.testing.assert_array_equal(arrays[key], tensor.detach().numpy())


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("step", [37, pytest.param(1, marks=pytest.mark.soak)], ids=["some", "every"])
def test_a_cut_or_changed_byte_is_refused_or_changes_numbers_only(tmp_path, torch, kind, step):
    path = written(torch, tmp_path / "w", {"a": torch.arange(6.0).view(2, 3), "b": torch.arange(3)}, kind)
    content = path.read_bytes()
    for length in range(0, len(content), step):
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError):
            storage.load(path)
    for i in range(0, len(content), step):
        for bit in (1, 128):
            path.write_bytes(content[:i] + bytes([content[i] ^ bit]) + content[i + 1 :])
            try:
                arrays, _ = storage.load(path)
            except CheckpointError:
                continue
            assert all(array.size <= 6 for array in arrays.values())
