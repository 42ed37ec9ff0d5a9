"""Whole networks against their PyTorch twins, with the same weights."""

import numpy as np
import pytest

from minires import Tensor, models, ops, optim
from minires.arrays import channels_last

torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what these tests compare with")
import torch_twins as twins  # noqa: E402 - it imports torch, so it comes after the check

NETWORKS = {
    "resnet18": (lambda **o: models.resnet18(**o), lambda: twins.ResNet((2, 2, 2, 2), False, 10), (2, 3, 40, 48)),
    "resnet50": (lambda **o: models.resnet50(**o), lambda: twins.ResNet((3, 4, 6, 3), True, 10), (2, 3, 40, 48)),
    "resnet50 v1": (
        lambda **o: models.resnet50(variant="v1", **o),
        lambda: twins.ResNet((3, 4, 6, 3), True, 10, variant="v1"),
        (2, 3, 40, 48),
    ),
    "plain18": (lambda **o: models.plain18(**o), lambda: twins.ResNet((2, 2, 2, 2), False, 10, None), (2, 3, 40, 48)),
    "resnet20": (lambda **o: models.resnet20(**o), lambda: twins.CifarResNet(20), (4, 3, 12, 16)),
    "resnet20 B": (lambda **o: models.resnet20(shortcut="B", **o), lambda: twins.CifarResNet(20, "B"), (4, 3, 12, 16)),
    "plain20": (lambda **o: models.plain20(**o), lambda: twins.CifarResNet(20, None), (4, 3, 12, 16)),
    "preact_resnet20": (lambda **o: models.preact_resnet20(**o), lambda: twins.PreActCifarResNet(20), (4, 3, 12, 16)),
    "preact_resnet20 B": (
        lambda **o: models.preact_resnet20(shortcut="B", **o),
        lambda: twins.PreActCifarResNet(20, "B"),
        (4, 3, 12, 16),
    ),
}


def close(found, expected, what):
    """1e-9 of the largest value. With γ near 1 ResNet-50 on so small a batch is chaotic: two PyTorch copies whose weights
    differ by 1e-15 are 2e-7 apart after three steps. With γ from 0.2 to 0.6 they stay within 1e-11."""
    scale = max(np.abs(expected).max(), 1e-3)
    assert np.abs(found - expected).max() <= 1e-9 * scale, what


STAGES = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


RESNETS = [name for name in models.names() if "resnet" in getattr(models, name).__module__]


@pytest.mark.parametrize("name", [*RESNETS, "resnet20 B"])
def test_names_and_shapes_of_parameters_and_buffers_are_torchs(name):
    catalogue, *option = name.split()
    depth = int("".join(filter(str.isdigit, catalogue)))
    plain = catalogue.startswith("plain")
    with torch.device("meta"):  # shapes without numbers
        theirs = (
            twins.ResNet(STAGES[depth], depth >= 50, 1000, None if plain else "B")
            if depth in STAGES
            else twins.PreActCifarResNet(depth)
            if catalogue.startswith("preact")
            else twins.CifarResNet(depth, None if plain else option[0] if option else "A")
        ).state_dict()
    ours = models.create(catalogue, rng=0, **({"shortcut": option[0]} if option else {})).state_dict()
    assert [(k, v.shape) for k, v in ours.items()] == [(k, tuple(v.shape)) for k, v in theirs.items()]


@pytest.mark.parametrize("laid_out", [np.ascontiguousarray, channels_last])
@pytest.mark.parametrize("name", NETWORKS)
def test_logits_gradients_statistics_and_three_steps_are_torchs(name, laid_out):
    make, twin, shape = NETWORKS[name]
    rng = np.random.default_rng(0)
    ours = make(num_classes=10, rng=0).to(np.float64)
    theirs = twin().double()
    for name_, array in ours.state_dict().items():  # γ ≠ 1, β ≠ 0, as in a trained network
        if ".bn" in f".{name_}" and name_.endswith(("weight", "bias")):
            array[...] = (
                rng.uniform(0.2, 0.6, array.shape) if name_.endswith("weight") else rng.normal(0, 0.1, array.shape)
            )
    theirs.load_state_dict(
        {k: torch.tensor(np.ascontiguousarray(v).reshape(v.shape)) for k, v in ours.state_dict().items()}
    )
    a = optim.SGD(ours.parameters(), 1e-3, momentum=0.9, weight_decay=1e-4)
    b = torch.optim.SGD(theirs.parameters(), 1e-3, momentum=0.9, weight_decay=1e-4)
    for step in range(3):
        images = rng.standard_normal(shape)
        labels = rng.integers(0, 10, shape[0])
        x = Tensor(laid_out(images), requires_grad=True)
        t = torch.tensor(images, requires_grad=True)
        logits = ours(x)
        expected = theirs(t)
        close(logits.data, expected.detach().numpy(), f"logits of step {step}")
        a.zero_grad()
        b.zero_grad()
        ops.cross_entropy(logits, labels).backward()
        torch.nn.functional.cross_entropy(expected, torch.tensor(labels)).backward()
        close(x.grad, t.grad.numpy(), "input gradient")
        gradients = {k: p.grad.numpy() for k, p in theirs.named_parameters()}
        for key, p in ours.named_parameters():
            close(p.grad, gradients[key], f"gradient of {key}")
        a.step()
        b.step()
    for key, value in theirs.state_dict().items():
        close(ours.state_dict()[key], value.numpy(), key)
    ours.eval(), theirs.eval()
    close(ours(Tensor(images)).data, theirs(torch.tensor(images)).detach().numpy(), "logits in evaluation")


def test_a_torch_state_dict_loads_as_it_is():
    theirs = twins.CifarResNet(20)
    model = models.resnet20(rng=0)
    model.load_state_dict(theirs.state_dict())
    np.testing.assert_array_equal(model.conv1.weight.data, theirs.conv1.weight.detach().numpy())


def test_weights_that_others_trained_give_torchs_logits(test_data):
    """ResNet-20 of github.com/akamaster/pytorch_resnet_cifar10, whose names carry the prefix of DataParallel."""
    trained = torch.load(test_data("resnet20-12fca82f.th"), map_location="cpu", weights_only=True)["state_dict"]
    trained = {name.removeprefix("module."): weights for name, weights in trained.items()}
    ours = models.resnet20()
    theirs = twins.CifarResNet(20)
    ours.load_state_dict(trained)
    theirs.load_state_dict(trained)
    images = np.random.default_rng(0).standard_normal((8, 3, 32, 32))
    with torch.no_grad():
        expected = theirs.double().eval()(torch.tensor(images)).numpy()
    close(ours.to(np.float64).eval()(Tensor(images)).detach().numpy(), expected, "logits")
