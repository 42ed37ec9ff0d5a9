"""Files that save() writes for PyTorch: torch.load is the oracle, and storage.load reads them back."""

import zipfile

import numpy as np
import pytest

from minires import Tensor, models, storage
from minires.errors import DTypeError, OptionError

rng = np.random.default_rng(0)
ARRAYS = {
    "layer.0.weight": rng.standard_normal((3, 4, 2)).astype(np.float32),
    "transposed": rng.standard_normal((5, 7)).T,
    "half": rng.standard_normal((9,)).astype(np.float16),
    "one number": np.array(3.5, np.float32),
    "count": np.array(7),
    "empty": np.zeros((2, 0, 3), np.float32),
    "no elements": np.zeros(0, np.int16),
    "flags": np.array([[True, False, True]]),
    "bytes": np.arange(256, dtype=np.uint8),
    "signed": np.array([-128, 127], np.int8),
    "int32": np.array([-(2**31), 2**31 - 1], np.int32),
    "int64": np.array([-(2**63), 2**63 - 1]),
    "uint16": np.array([0, 65535], np.uint16),
    "uint32": np.array([0, 2**32 - 1], np.uint32),
    "uint64": np.array([0, 2**64 - 1], np.uint64),
    "complex": np.array([1 + 2j], np.complex64),
    "not finite": np.array([np.nan, np.inf, -0.0]),
    "가중치": np.ones(300, np.float32),
}


def assert_bits(found, expected):
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert np.ascontiguousarray(found).tobytes() == np.ascontiguousarray(expected).tobytes()


def test_torch_reads_every_type_and_shape_to_the_bit(tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed, which reads these files")
    storage.save(tmp_path / "w.pth", ARRAYS)
    found = torch.load(tmp_path / "w.pth", weights_only=True)
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].is_contiguous()
        assert_bits(found[name].numpy(), array)
    mapped = torch.load(tmp_path / "w.pth", weights_only=True, mmap=True)
    assert_bits(mapped["transposed"].numpy(), ARRAYS["transposed"])
    assert all(t.data_ptr() % 8 == 0 for t in mapped.values())


def test_strides_of_empty_tensors_are_pytorch_s(tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed, which reads these files")
    storage.save(tmp_path / "w.pth", ARRAYS)
    found = torch.load(tmp_path / "w.pth", weights_only=True)["empty"]
    assert found.stride() == torch.zeros(2, 0, 3).stride()


def test_what_is_written_is_read_back_to_the_bit(tmp_path):
    storage.save(tmp_path / "w.pt", ARRAYS)
    found, metadata = storage.load(tmp_path / "w.pt")
    assert (list(found), metadata) == (list(ARRAYS), {})
    for name, array in ARRAYS.items():
        assert_bits(found[name], array)


def test_bfloat16_of_pytorch_keeps_its_values_through_here(tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed, which writes bfloat16")
    given = torch.randn(50, generator=torch.Generator().manual_seed(0)).bfloat16()
    torch.save({"w": given}, tmp_path / "in.pth")
    storage.save(tmp_path / "out.pth", storage.load(tmp_path / "in.pth")[0])
    found = torch.load(tmp_path / "out.pth", weights_only=True)["w"]
    assert torch.equal(found.bfloat16().view(torch.int16), given.view(torch.int16))


def test_the_same_arrays_give_the_same_bytes(tmp_path):
    contents = set()
    for folder in ("a", "b"):
        storage.save(
            tmp_path / folder / "w.pth", {name: Tensor(a) if a.dtype == np.float32 else a for name, a in ARRAYS.items()}
        )
        contents.add((tmp_path / folder / "w.pth").read_bytes())
    assert len(contents) == 1


def test_numbers_begin_where_torch_save_lets_them_begin(tmp_path):
    storage.save(tmp_path / "w.pth", ARRAYS)
    content = (tmp_path / "w.pth").read_bytes()
    with zipfile.ZipFile(tmp_path / "w.pth") as archive:
        assert archive.testzip() is None
        for info in archive.infolist():
            name, extra = (int.from_bytes(content[info.header_offset + at :][:2], "little") for at in (26, 28))
            assert (info.header_offset + 30 + name + extra) % 64 == 0, info.filename


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "mobilenet_v2", "efficientnet_b0"])
def test_torchvision_loads_the_weights_of_a_network_strictly(tmp_path, name):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed, which reads these files")
    torchvision = pytest.importorskip("torchvision", reason="torchvision is not installed, whose networks load them")
    model = models.create(name, rng=0, num_classes=3)
    storage.save(tmp_path / "w.pth", model.state_dict())
    theirs = getattr(torchvision.models, name)(num_classes=3)
    theirs.load_state_dict(torch.load(tmp_path / "w.pth", weights_only=True), strict=True)
    for key, array in model.state_dict().items():
        np.testing.assert_array_equal(theirs.state_dict()[key].numpy(), array)


def test_timm_loads_the_weights_of_a_squeeze_excitation_network_strictly(tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed, which reads these files")
    timm = pytest.importorskip("timm", reason="timm is not installed, whose networks load them")
    model = models.se_resnet18(rng=0, num_classes=3)
    storage.save(tmp_path / "w.pth", model.state_dict())
    theirs = (
        timm.create_model("seresnet18", num_classes=3)
        if "seresnet18" in timm.list_models()
        else timm.create_model("legacy_seresnet18", num_classes=3)
    )
    theirs.load_state_dict(torch.load(tmp_path / "w.pth", weights_only=True), strict=True)


def test_what_pytorch_s_format_cannot_hold_is_refused(tmp_path):
    path = tmp_path / "w.pth"
    with pytest.raises(OptionError, match="PyTorch's files have no metadata"):
        storage.save(path, {"a": np.ones(1)}, {"made": "here"})
    with pytest.raises(DTypeError, match="a name must be a string, got 3"):
        storage.save(path, {3: np.ones(1)})
    with pytest.raises(DTypeError):
        storage.save(path, {"a": np.array(["text"])})
    assert not path.exists()
