import json

import numpy as np
import pytest

from minires import Tensor, data, models, storage
from minires.export.__main__ import main
from minires.train.__main__ import main as train
from tests.export.networks import images, trained


@pytest.fixture
def weights(tmp_path):
    """The weights of a small Vision Transformer for three classes."""
    model = trained(models.vit_tiny_digits(num_classes=3, rng=0))
    storage.save(tmp_path / "w.safetensors", model.state_dict())
    return tmp_path / "w.safetensors", model


def run_onnx(path, x):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed, which is the oracle")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"images": x})[0], session.get_modelmeta().custom_metadata_map


def shape_of(model):
    return (model.conv_proj.weight.shape[1], 8, 8)


def test_weights_become_an_onnx_file_with_what_is_known_of_them(tmp_path, weights, capsys):
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'minires[export]'")
    path, model = weights
    assert main([str(path), str(tmp_path / "o.onnx")]) == 0
    said = capsys.readouterr()
    C = shape_of(model)[0]
    assert said.out == f"wrote {tmp_path / 'o.onnx'}: vit_tiny_digits, (N,{C},8,8) -> (N,3), ONNX with opset 18\n"
    assert said.err == f"export: {path} has the weights of vit_tiny_digits\n"
    x = images(shape_of(model), 3)
    found, metadata = run_onnx(tmp_path / "o.onnx", x)
    np.testing.assert_allclose(found, model(Tensor(x)).data, atol=1e-4)
    assert (metadata["model"], metadata["image_size"]) == ("vit_tiny_digits", "8")
    assert json.loads(metadata["mean"]) == [0.485, 0.456, 0.406]
    assert "classes" not in metadata  # the file has no names for them


def test_a_vision_transformer_is_exported_for_images_of_another_size(tmp_path):
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'minires[export]'")
    model = trained(models.vit_tiny_cifar(rng=0))
    storage.save(tmp_path / "w.safetensors", model.state_dict())
    assert main([str(tmp_path / "w.safetensors"), str(tmp_path / "o.onnx"), "--image-size", "40"]) == 0
    larger = models.vit_tiny_cifar(image_size=40).eval()
    larger.load(tmp_path / "w.safetensors")
    x = images((3, 40, 40), 2)
    np.testing.assert_allclose(run_onnx(tmp_path / "o.onnx", x)[0], larger(Tensor(x)).data, atol=1e-4)


def test_the_python_file_loads_the_weights_that_it_names(tmp_path, weights, monkeypatch, capsys):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed, which runs these files")
    safetensors = pytest.importorskip("safetensors.torch")
    path, model = weights
    assert main([str(path), "--torch", str(tmp_path / "twin_of_digits.py")]) == 0
    assert capsys.readouterr().out == f"wrote {tmp_path / 'twin_of_digits.py'}: vit_tiny_digits for PyTorch\n"
    monkeypatch.syspath_prepend(tmp_path)
    import twin_of_digits

    twin = twin_of_digits.VitTinyDigits().eval()
    assert f"load_file({str(path)!r})" in twin_of_digits.__doc__
    twin.load_state_dict(safetensors.load_file(path))
    x = images(shape_of(model), 3)
    with torch.no_grad():
        np.testing.assert_allclose(twin(torch.tensor(x)).numpy(), model(Tensor(x)).data, atol=1e-4)


def test_weights_under_other_names_are_written_beside_the_python_file(tmp_path, weights, capsys):
    _, model = weights
    prefixed = tmp_path / "prefixed.safetensors"
    storage.save(prefixed, {f"module.{name}": array for name, array in model.state_dict().items()})
    assert main([str(prefixed), "--torch", str(tmp_path / "t.py")]) == 0
    beside = tmp_path / "t.pth"
    assert f"wrote {beside}: the weights for it\n" in capsys.readouterr().out
    found, _ = storage.load(beside)
    assert {n: a.tolist() for n, a in found.items()} == {n: a.tolist() for n, a in model.state_dict().items()}


def test_the_name_of_a_network_exports_its_first_weights(tmp_path, capsys):
    assert main(["resnet8", "--torch", str(tmp_path / "t.py"), "--image-size", "16"]) == 0
    said = capsys.readouterr()
    assert "there is no file resnet8, so the network of this name has its first weights" in said.err
    assert "# (N,16,16,16)" in (tmp_path / "t.py").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resnet8"], "name a file to write: OUT.onnx, --torch FILE.py, or both"),
        (["resnet8", "o.pb"], "o.pb must end in .onnx"),
        (["resnet8", "--torch", "o.txt"], "o.txt must end in .py"),
        (["resnet8", "--torch", "my-net.py"], "Python imports a file whose name has letters, digits and _ only"),
        (["there_is_no.pth", "--torch", "o.py"], "there is no file there_is_no.pth"),
        (["resnet9", "--torch", "o.py"], "there is no model 'resnet9'; did you mean"),
    ],
)
def test_a_mistake_costs_one_line_and_writes_nothing(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert len(said.err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_without_the_package_onnx_the_remedy_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    assert main(["resnet8", str(tmp_path / "o.onnx")]) == 2
    assert 'pip install "minires[export]"' in capsys.readouterr().err


def test_a_checkpoint_of_minires_train_is_exported_with_its_classes_and_pixels(tmp_path, monkeypatch):
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'minires[export]'")
    torch = pytest.importorskip("torch", reason="PyTorch is not installed, which runs these files")
    run = tmp_path / "run"
    assert train(["--model", "resnet8", "--epochs", "1", "--limit", "64", "--processes", "1", "--out", str(run)]) == 0
    given = [str(run / "checkpoint.safetensors"), str(tmp_path / "o.onnx"), "--torch", str(tmp_path / "twin_of_run.py")]
    assert main(given) == 0
    model = models.resnet8(in_channels=1).eval()
    model.load_state_dict(storage.load_checkpoint(run / "checkpoint.safetensors")[0]["model"])
    x = images((1, 8, 8), 3)
    logits = model(Tensor(x)).data
    found, metadata = run_onnx(tmp_path / "o.onnx", x)
    np.testing.assert_allclose(found, logits, atol=1e-4)
    assert json.loads(metadata["classes"]) == list("0123456789")
    (mean,) = json.loads(metadata["mean"])
    pixels = data.load("digits")[0].mean
    assert mean == pytest.approx(float(pixels[0]))
    monkeypatch.syspath_prepend(tmp_path)
    import twin_of_run

    twin = twin_of_run.Resnet8().eval()
    twin.load_state_dict(torch.load(tmp_path / "twin_of_run.pth", weights_only=True))
    with torch.no_grad():
        np.testing.assert_allclose(twin(torch.tensor(x)).numpy(), logits, atol=1e-4)
