"""Each usual cause is planted in a network of PyTorch, and must be named, at the layer where it is."""

import numpy as np
import pytest

from minires import export, models, nn, storage
from minires.compare import compare
from minires.compare.__main__ import SCRIPT, main
from minires.errors import DataError
from minires.ops import flatten, gelu, relu, relu6, sigmoid, silu
from tests.export.networks import trained

torch = pytest.importorskip("torch", reason="PyTorch is not installed, in which the causes are planted")
F = torch.nn.functional


class Toy(nn.Module):
    """conv1 · bn1 · act · pool · conv2 · bn2 · gate · fc, for images (3,13,13)."""

    def __init__(self, act=relu):
        self.conv1 = nn.Conv2d(3, 8, 3, 2, padding=1, rng=0)
        self.bn1 = nn.BatchNorm2d(8)
        self.pool = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(8, 6, 2, rng=1)
        self.bn2 = nn.BatchNorm2d(6)
        self.avgpool = nn.AdaptiveAvgPool2d(2)
        self.fc = nn.Linear(24, 5, rng=2)
        self.act = act

    def forward(self, x):
        x = self.pool(self.act(self.bn1(self.conv1(x))))
        x = self.avgpool(self.bn2(self.conv2(x)))
        return self.fc(flatten(x * sigmoid(x), start_dim=1))


class ToyThere(torch.nn.Module):
    """The same in PyTorch. planted: what is computed otherwise."""

    def __init__(self, act=F.relu, gate=torch.sigmoid, before=lambda x: x, flat=lambda x: x, ceil=False, **eps):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 8, 3, 2, padding=1)
        self.bn1 = torch.nn.BatchNorm2d(8, **eps)
        self.pool = torch.nn.MaxPool2d(2, ceil_mode=ceil)
        self.conv2 = torch.nn.Conv2d(8, 6, 2)
        self.bn2 = torch.nn.BatchNorm2d(6, **eps)
        self.avgpool = torch.nn.AdaptiveAvgPool2d(2)
        self.fc = torch.nn.Linear(24, 5)
        self.act, self.gate, self.before, self.flat = act, gate, before, flat

    def forward(self, x):
        x = self.pool(self.act(self.bn1(self.conv1(self.before(x)))))
        x = self.avgpool(self.bn2(self.conv2(x)))
        return self.fc(self.flat(x * self.gate(x)).flatten(1))


def activations(there, images):
    """What SCRIPT stores, with its network and images in place of those in it."""
    text = SCRIPT.replace("np.savez", "saved = dict")
    assert "saved = dict(" in text
    lines = [line for line in text.splitlines() if not line.startswith(("model =", "images =", "import"))]
    lines = [line.replace('saved = dict("activations.npz", ', "saved = dict(") for line in lines]
    import functools

    names = {"functools": functools, "np": np, "torch": torch, "model": there, "images": torch.tensor(images)}
    exec("\n".join(lines), names)
    return names["saved"]


def found(here, there, images, *, mode=False):
    """compare() of the two with the same weights."""
    trained(here)
    there.load_state_dict({name: torch.tensor(np.array(a, order="C")) for name, a in here.state_dict().items()})
    there.train(mode)
    return compare(export.record(here, images.shape[1:]), activations(there, images))


IMAGES = np.random.default_rng(0).standard_normal((4, 3, 13, 13)).astype(np.float32) * 20
MEAN = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)


def test_equal_networks_agree_in_all_layers():
    differences = found(Toy(), ToyThere(), IMAGES)
    assert [d.layer for d in differences] == ["conv1", "bn1", "pool", "conv2", "bn2", "avgpool", "fc"]
    assert not any(d.differs or d.cause for d in differences)


@pytest.mark.parametrize(
    ("planted", "layer", "cause"),
    [
        ({"eps": 1e-3}, "bn1", "eps is 0.001 there, 1e-05 here"),
        ({"act": F.relu6}, "pool", "ReLU6 in place of ReLU"),
        ({"act": F.silu}, "pool", "SiLU in place of ReLU"),
        ({"ceil": True}, "pool", "ceil_mode is True there, False here"),
        ({"gate": F.hardsigmoid}, "fc", "hard sigmoid"),
        ({"flat": lambda x: x.permute(0, 2, 3, 1)}, "fc", "the map is flattened as (H,W,C) there"),
        ({"before": lambda x: x.flip(1)}, "conv1", "BGR, not RGB"),
        ({"before": lambda x: (x - MEAN) / STD}, "conv1", "normalized once more there"),
        ({"before": lambda x: x * STD + MEAN}, "conv1", "the images are not normalized there"),
        ({"before": lambda x: (x * STD + MEAN) * 255}, "conv1", "values of 0 … 255"),
        ({"before": lambda x: (x * STD + MEAN) * 2 - 1}, "conv1", "mean 0.5 and std 0.5"),
    ],
)
def test_a_planted_cause_is_named_at_its_layer(planted, layer, cause):
    differences = [d for d in found(Toy(), ToyThere(**planted), IMAGES) if d.differs]
    assert differences[0].layer == layer
    assert cause in differences[0].cause


@pytest.mark.parametrize(
    ("here", "there", "cause"),
    [
        (relu6, F.relu, "ReLU in place of ReLU6"),
        (silu, F.relu, "ReLU in place of SiLU"),
        (gelu, lambda x: F.gelu(x, approximate="tanh"), "GELU has approximate='tanh' there, 'none' here"),
    ],
)
def test_the_activation_there_is_named(here, there, cause):
    images = IMAGES / 40 if here is gelu else IMAGES  # beyond ±3 both forms of GELU are the same
    differences = [d for d in found(Toy(here), ToyThere(there), images) if d.differs]
    assert [(d.layer, d.cause) for d in differences] == [("pool", cause)]


def test_training_mode_is_named_at_every_norm():
    differences = [d for d in found(Toy(), ToyThere(), IMAGES, mode=True) if d.differs]
    assert [d.layer for d in differences] == ["bn1", "bn2"]
    assert all("is in training mode" in d.cause for d in differences)


@pytest.mark.parametrize("momentum", [0.1, 0.01])
def test_a_pass_in_training_mode_is_named_with_its_momentum(momentum):
    here = trained(Toy())
    there = ToyThere(momentum=momentum)
    there.load_state_dict({name: torch.tensor(np.array(a, order="C")) for name, a in here.state_dict().items()})
    there.train()(torch.tensor(IMAGES))
    differences = compare(export.record(here, IMAGES.shape[1:]), activations(there.eval(), IMAGES))
    first = next(d for d in differences if d.differs)
    assert first.layer == "bn1"
    assert first.cause.endswith(f"has changed the running statistics there, with momentum {momentum:g}")


def test_padding_as_in_tensorflow_is_named():
    here = trained(Toy())
    images = IMAGES[:, :, :12, :12]
    weight, bias = (torch.tensor(np.array(p.data, order="C")) for p in (here.conv1.weight, here.conv1.bias))
    conv1 = F.conv2d(F.pad(torch.tensor(images), (0, 1, 0, 1)), weight, bias, stride=2)
    (difference,) = compare(export.record(here, images.shape[1:]), {"images": images, "conv1": conv1.numpy()})
    assert "padding is 'same' there as TensorFlow has it" in difference.cause


def test_the_stride_on_another_convolution_is_named():
    """v1 strides in the first 1×1 of a bottleneck, v1.5 in its 3×3: the weights are the same."""
    here = trained(models.ResNet(models.Bottleneck, (1, 1, 1, 1), num_classes=4, rng=0))
    other = trained(models.ResNet(models.Bottleneck, (1, 1, 1, 1), num_classes=4, rng=0, variant="v1"))
    images = np.random.default_rng(1).standard_normal((2, 3, 64, 64)).astype(np.float32)
    stored = {"images": images}
    for name, module in other.named_modules():
        module.register_forward_hook(
            lambda module, inputs, y, name=name: stored.setdefault(name, y.data) is None or None
        )
    other(images)
    differences = [d for d in compare(export.record(here, (3, 64, 64)), stored) if d.differs]
    assert differences[0].layer == "layer2.0.conv1"
    assert "stride is 2 there, 1 here: this convolution strides there" in differences[0].cause
    assert differences[1].layer == "layer2.0.conv2"
    assert "stride is 1 there, 2 here: another convolution strides there" in differences[1].cause


def test_other_weights_are_no_cause_that_is_guessed():
    here = Toy()
    there = ToyThere()
    trained(here)
    state = {name: torch.tensor(np.array(a, order="C")) for name, a in here.state_dict().items()}
    there.load_state_dict({**state, "conv2.weight": state["conv2.weight"] * 1.5})
    differences = compare(export.record(here, IMAGES.shape[1:]), activations(there.eval(), IMAGES))
    (difference,) = [d for d in differences if d.differs]
    assert (difference.layer, difference.cause) == ("conv2", "")
    assert difference.tried > 3


def test_networks_without_a_common_name_are_refused():
    with pytest.raises(DataError, match=r"no layer there has the name of one here; there are stem, here conv1, bn1, "):
        compare(export.record(trained(Toy()), IMAGES.shape[1:]), {"images": IMAGES, "stem": IMAGES})


def test_the_command_says_the_first_layer_and_the_cause(tmp_path, capsys):
    model = trained(models.vit_tiny_digits(rng=0))
    storage.save(tmp_path / "w.pth", model.state_dict())
    C = model.conv_proj.weight.shape[1]
    images = np.random.default_rng(0).standard_normal((2, C, 8, 8)).astype(np.float32)
    stored = {"images": images}
    for name, module in model.named_modules():
        module.register_forward_hook(
            lambda module, i, y, name=name: (
                stored.setdefault(name or "logits", (y[0] if isinstance(y, tuple) else y).data) is None or None
            )
        )
    model(images)
    np.savez(tmp_path / "a.npz", **stored)
    command = [str(tmp_path / "w.pth"), "--activations", str(tmp_path / "a.npz")]
    assert main(command) == 0
    assert capsys.readouterr().out.endswith(" compared, all agree\n")
    first = model.encoder.layers.encoder_layer_0.ln_1
    first.eps = 0.001
    stored["encoder.layers.encoder_layer_0.ln_1"] = first(stored["encoder.dropout"]).data
    np.savez(tmp_path / "a.npz", **stored)
    assert main(command) == 1
    out = capsys.readouterr().out
    assert "encoder.layers.encoder_layer_0.ln_1 is the first layer that differs" in out
    assert "eps is 0.001 there, 1e-06 here" in out


def test_the_script_is_printed_and_a_missing_file_costs_one_line(tmp_path, capsys):
    assert main(["--script"]) == 0
    assert capsys.readouterr().out == SCRIPT
    assert len(SCRIPT.splitlines()) <= 14
    assert main([]) == 2
    assert "--script prints what makes the second" in capsys.readouterr().err
