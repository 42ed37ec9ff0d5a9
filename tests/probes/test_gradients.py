"""The gradient that reaches each block."""

import numpy as np
import pytest

from minires import Tensor, models, ops
from minires.probes import gradient_norms
from minires.probes.__main__ import main


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    return rng.standard_normal((8, 1, 8, 8)).astype(np.float32), rng.integers(0, 10, 8)


def test_one_norm_a_block_and_the_last_is_that_of_the_pooled_features(batch):
    images, labels = batch
    model = models.resnet20(in_channels=1, rng=0)
    norms = gradient_norms(model, images, labels)
    assert len(norms) == 9
    features = Tensor(np.zeros((8, 64, 2, 2), np.float32))
    removers = [model.layer3.register_forward_hook(lambda m, i, o: features.copy_(o.detach()))]
    model(Tensor(images))
    removers[0]()
    h = Tensor(features.data, requires_grad=True)
    logits = model.linear(ops.flatten(ops.adaptive_avg_pool2d(h, output_size=1), start_dim=1))
    ops.cross_entropy(logits, labels).backward()
    assert norms[-1] == pytest.approx(float(np.linalg.norm(h.grad)), rel=1e-5)


def test_the_first_norm_is_that_behind_the_first_block(batch):
    images, labels = batch
    model = models.resnet8(in_channels=1, rng=0)
    norms = gradient_norms(model, images, labels)
    outputs = []
    remove = model.layer1[0].register_forward_hook(lambda block, inputs, output: outputs.append(output.data))
    model(Tensor(images))
    remove()
    h = Tensor(outputs[0], requires_grad=True)
    features = model.layer3(model.layer2(h))
    logits = model.linear(ops.flatten(ops.adaptive_avg_pool2d(features, output_size=1), start_dim=1))
    ops.cross_entropy(logits, labels).backward()
    assert norms[0] == pytest.approx(float(np.linalg.norm(h.grad)), rel=1e-5)


def test_hooks_are_gone_afterwards(batch):
    model = models.resnet8(in_channels=1, rng=0)
    first = gradient_norms(model, *batch)
    assert len(gradient_norms(model, *batch)) == len(first)


def test_without_shortcuts_the_gradient_explodes_with_depth_and_with_them_it_does_not(batch):
    def spread(name):
        norms = gradient_norms(models.create(name, in_channels=1, rng=0), *batch)
        return norms[0] / norms[-1]

    assert spread("plain56") > 100
    assert spread("resnet56") < 30


def test_the_command_draws_a_figure(tmp_path, capsys):
    path = tmp_path / "gradients.png"
    assert main(["--depths", "20", "--out", str(path)]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")
    assert "plain20" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [["--depths", "0"], ["--depths", "21"], ["--depths", "x"], ["--batch-size", "0"], ["--seed", "-1"], ["--out", ""]],
)
def test_impossible_options_are_refused_in_one_line(arguments, capsys):
    with pytest.raises(SystemExit) as exit:
        main(arguments)
    assert exit.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_batch_may_be_larger_than_the_data(tmp_path, monkeypatch):
    monkeypatch.setattr("minires.probes.__main__.plot_gradients", lambda norms, path: None)
    monkeypatch.setattr("minires.probes.__main__.gradient_norms", lambda model, images, labels: [1.0, len(images)])
    assert main(["--depths", "8", "--batch-size", "100000"]) == 0
