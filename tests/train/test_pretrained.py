"""Fine-tuning by the command: weights of others, one's own images, and what the other commands make of the result."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from minires import models, storage
from minires.evaluate.__main__ import main as evaluate
from minires.predict import Classifier
from minires.predict.__main__ import main as predict
from minires.storage import load_checkpoint
from minires.train import Config, Run
from minires.train.__main__ import main

pillow = pytest.importorskip("PIL.Image")
COLORS = {"blue": (30, 30, 200), "red": (200, 30, 30)}
TEST_DATA = os.environ.get("MINIRES_TEST_DATA")
QUICK = ["--epochs", "1", "--batch-size", "8", "--processes", "1", "--size", "32", "--out", "run"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A MobileNetV2 for five classes, whose norms have statistics of their own."""
    path = tmp_path_factory.mktemp("weights") / "mobile.safetensors"
    model = models.mobilenet_v2(num_classes=5, rng=1)
    rng = np.random.default_rng(0)
    for name, array in model.state_dict().items():
        if name.endswith("running_mean"):
            array[...] = 0.1 * rng.standard_normal(array.shape)
    storage.save(path, model.state_dict())
    return path


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder photos with train and val, whose images are red or blue."""
    monkeypatch.chdir(tmp_path)
    for part, count in (("train", 8), ("val", 4)):
        for name, color in COLORS.items():
            (tmp_path / "photos" / part / name).mkdir(parents=True)
            for k in range(count):
                pillow.new("RGB", (50 + k, 40), color).save(tmp_path / "photos" / part / name / f"{k}.png")
    return tmp_path


def test_weights_are_recognised_frozen_fine_tuned_and_used_at_once(here, weights, capsys):
    flags = ["--weights", str(weights), "--dataset", "photos", "--freeze", "features", "--head-lr", "0.05", *QUICK]
    assert main([*flags, "--ema", "0.5"]) == 0
    out = capsys.readouterr().out
    assert "mobilenet_v2 on photos: 16 images of 3×32×32, 8 for the test" in out
    assert f"mobilenet_v2 goes on from {weights}; its last layer, classifier.1, is new: 2 classes in place of 5" in out
    assert "frozen: features; trained: 2,562 of 2,226,434 parameters" in out
    assert "averaged  " in out

    sections, state = load_checkpoint("run/checkpoint.safetensors")
    assert state["dataset"]["classes"] == ["blue", "red"]
    assert (state["config"]["model"], state["config"]["lr"], state["config"]["head_lr"]) == ("mobilenet_v2", 0.01, 0.05)
    given, _ = storage.load(weights)
    for name, array in given.items():
        if name.startswith("features"):
            np.testing.assert_array_equal(sections["model"][name], array, err_msg=name)

    assert predict(["photos/val/red/0.png", "--weights", "run/checkpoint.safetensors", "--json"]) == 0
    seen = json.loads(capsys.readouterr().out)["top"]
    assert sorted(entry["class"] for entry in seen) == ["blue", "red"]
    assert evaluate(["--weights", "run/checkpoint.safetensors", "--data", "photos", "--json", "numbers.json"]) == 0
    accuracy = state["history"][-1]["ema_accuracy"]  # the test saw the same pixels, with the same weights
    assert json.loads(Path("numbers.json").read_text())["top1"] == pytest.approx(accuracy)


def test_images_are_cut_as_the_weights_networks_are_trained_and_tested(here, weights):
    run = Run.start(Config(weights=str(weights), dataset="photos", out="run"))
    run.close()
    assert (run.config.model, run.config.size, run.train_set.shape) == ("mobilenet_v2", 224, (3, 224, 224))
    assert (run.train_set.scale, run.test_set.scale, run.test_set.resize) == ((0.08, 1.0), None, 256)
    assert run.test_set.mean == (0.485, 0.456, 0.406)
    plain = Run(Config(dataset="photos", model="mobilenet_v2"))
    assert (plain.train_set.scale, plain.test_set.resize) == (None, None)
    assert Run(Config(weights="w", model="resnet18", dataset="photos", augment=False)).train_set.scale is None


def test_a_stopped_fine_tuning_resumes_to_the_same_bits_without_the_file(here, weights):
    settings = {"dataset": "photos", "size": 32, "batch_size": 8, "epochs": 2, "processes": 1, "optimizer": "adamw"}
    whole = Run.start(Config(**settings, weights=str(weights), out="whole"))
    whole.fit()
    copy = here / "copy.safetensors"
    copy.write_bytes(weights.read_bytes())
    stopped = Run.start(Config(**settings, weights=str(copy), out="stopped"))
    stopped.fit(stop=lambda: stopped.step >= 1)
    copy.unlink()
    resumed = Run.resume("stopped")
    assert resumed.fit()
    for (name, a), b in zip(whole.model.state_dict().items(), resumed.model.state_dict().values(), strict=True):
        assert a.tobytes() == b.tobytes(), name


def test_a_run_goes_on_from_another_runs_checkpoint_with_its_options(here, capsys):
    first = ["--model", "resnet8", "--model-options", "shortcut='B'", "--limit", "32", "--epochs", "1"]
    assert main([*first, "--processes", "1", "--out", "first"]) == 0
    flags = ["--weights", "first/checkpoint.safetensors", "--limit", "32", "--epochs", "1", "--lr", "0"]
    assert main([*flags, "--processes", "1", "--out", "second"]) == 0
    assert "resnet8 goes on from first/checkpoint.safetensors\n" in capsys.readouterr().out
    (a, _), (b, state) = (load_checkpoint(f"{name}/checkpoint.safetensors") for name in ("first", "second"))
    assert state["config"]["model_options"] == "shortcut='B'"
    np.testing.assert_array_equal(a["model"]["linear.weight"], b["model"]["linear.weight"])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--weights", "none.pth"], "none.pth"),
        (["--weights", "photos/val/red/0.png"], "photos/val/red/0.png"),
        (["--model", "resnet18"], "mobile.safetensors: ResNet cannot load this state; missing: conv1.weight"),
        (["--freeze", "feature"], "no part 'feature' with parameters; did you mean features?"),
        (["--dataset", "digits"], "shape differs: features.0.0.weight (file (32, 3, 3, 3), model (32, 1, 3, 3))"),
    ],
)
def test_a_mistake_costs_one_line_and_leaves_no_folder(here, weights, capsys, flags, message):
    assert main(["--weights", str(weights), "--dataset", "photos", *flags]) == 2
    err = capsys.readouterr().err
    assert err.startswith("minires.train: ")
    assert message in err
    assert err.count("\n") == 1
    assert not (here / "runs").exists()


@pytest.mark.skipif(not TEST_DATA, reason="MINIRES_TEST_DATA names no folder with mobilenet_v2 and hymenoptera")
def test_the_test_of_a_run_sees_what_evaluate_sees(tmp_path):
    """With a rate of 0 the new head stays: the network is the same before and after."""
    folder = Path(TEST_DATA) / "hymenoptera"
    settings = {"weights": str(Path(TEST_DATA) / "mobilenet_v2-b0353104.pth"), "dataset": str(folder), "limit": 16}
    run = Run.start(Config(**settings, freeze="features", epochs=1, batch_size=16, lr=0.0, out=str(tmp_path / "run")))
    run.fit()
    seen = Classifier.load(run.checkpoint_path)
    test = run.test_set
    found = seen.probabilities(seen.read(test.dataset.paths[i]) for i in test.indices)
    right = np.log(found[np.arange(16), test.labels])
    assert run.history[-1]["test_loss"] == pytest.approx(-right.mean(), rel=1e-4)
