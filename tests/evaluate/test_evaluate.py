"""How often a network is right, against counts by hand."""

import csv
import json
import os
import re

import numpy as np
import pytest

from minires import data, models, storage
from minires.errors import OptionError
from minires.evaluate import Evaluation
from minires.evaluate.__main__ import main, matched

pillow = pytest.importorskip("PIL.Image")

TEST_DATA = os.environ.get("MINIRES_TEST_DATA")
CIFAR10 = os.environ.get("MINIRES_CIFAR10")
P = np.array(
    [
        [0.5, 0.3, 0.1, 0.05, 0.04, 0.01],
        [0.1, 0.6, 0.1, 0.1, 0.05, 0.05],
        [0.3, 0.3, 0.2, 0.1, 0.05, 0.05],
        [0.01, 0.04, 0.05, 0.1, 0.3, 0.5],
    ]
)
LABELS = np.array([0, 0, 1, 0])


def test_ranks_confusion_and_rows_are_those_of_a_count_by_hand():
    found = Evaluation(P, LABELS, list("abcdef"))
    assert found.ranks.tolist() == [
        0,
        1,
        1,
        5,
    ]  # of equal probabilities the first comes first; 0.1 thrice is two before
    assert [found.right(n) for n in (1, 2, 5, 6)] == [1, 3, 3, 4]
    expected = np.zeros((6, 6), int)
    for truth, guess in ((0, 0), (0, 1), (1, 0), (0, 5)):
        expected[truth, guess] += 1
    np.testing.assert_array_equal(found.confusion, expected)
    assert list(found.rows()) == [("a", 3, 1, 1 / 3, "b", 1), ("b", 1, 0, 0.0, "a", 1)]


def test_the_calibration_error_is_the_gap_between_confidence_and_success():
    # 0.5 right and 0.5 wrong in one bin: |1 − 0.5 − 0.5| = 0; 0.6 wrong and 0.3 wrong alone in theirs
    assert Evaluation(P, LABELS, list("abcdef")).calibration_error == pytest.approx((0 + 0.6 + 0.3) / 4)
    sure = np.eye(3)[[0, 1, 2, 0]]
    assert Evaluation(sure, np.array([0, 1, 2, 0]), list("abc")).calibration_error == 0
    assert Evaluation(sure, np.array([1, 2, 0, 1]), list("abc")).calibration_error == 1


@pytest.fixture
def photos(tmp_path):
    for name, color, count in (("ants", (250, 0, 0), 3), ("bees", (0, 0, 250), 2)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for k in range(count):
            pillow.new("RGB", (36, 36), color).save(tmp_path / "photos" / name / f"{k}.png")
    return tmp_path / "photos"


@pytest.fixture
def weights(tmp_path):
    """A ResNet-18 of seven classes that sees class 4 in everything, and then class 2."""
    model = models.resnet18(num_classes=7, rng=0)
    model.fc.weight.data[...] = 0
    model.fc.bias.data[...] = [0, 0, 1, 0, 2, 0, 0]
    storage.save(tmp_path / "w.safetensors", model.state_dict())
    (tmp_path / "classes.txt").write_text("a\nb\nbees\nd\nants\nf\ng\n")
    return tmp_path / "w.safetensors"


def test_a_folder_is_measured_and_written(tmp_path, photos, weights, capsys):
    files = [str(tmp_path / name) for name in ("c.csv", "c.png", "n.json")]
    words = ["--weights", str(weights), "--data", str(photos), "--labels", str(tmp_path / "classes.txt")]
    assert main([*words, "--csv", files[0], "--plot", files[1], "--json", files[2]]) == 0
    out = capsys.readouterr().out
    assert "top-1  60.00%  3 of 5 images" in out
    assert "top-5  100.00%  5 of 5 images" in out
    bees = next(line.split() for line in out.splitlines() if line.startswith("bees"))
    assert bees == ["bees", "2", "0", "0.0%", "ants", "(2)"]
    rows = list(csv.reader((tmp_path / "c.csv").read_text().splitlines()))
    assert rows[0][5] == rows[5][0] == "ants"
    assert (rows[5][5], rows[3][5]) == ("3", "2")
    assert (tmp_path / "c.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    numbers = json.loads((tmp_path / "n.json").read_text())
    assert (numbers["images"], numbers["top1"]) == (5, 0.6)
    assert numbers["calibration_error"] == pytest.approx(abs(0.6 - np.exp(2) / (np.exp(2) + np.e + 5)), abs=1e-6)


@pytest.mark.parametrize(
    ("pairs", "top"), [("ants=4,bees=2", "60.00%"), ("ants=2,bees=4", "40.00%"), ("bees=class 4,ants=4", "100.00%")]
)
def test_classes_are_mapped_by_number_or_by_name(photos, weights, capsys, pairs, top):
    assert main(["--weights", str(weights), "--data", str(photos), "--map", pairs]) == 0
    assert f"top-1  {top}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "none is called 'ants': write --map ants=NAME or ants=NUMBER"),
        (["--map", "ants"], "--map ants: write each class once, as in ants=310,bees=309"),
        (["--map", "wasps=1"], "the data has no class 'wasps'; it has ants, bees"),
        (["--map", "ants=7,bees=1"], "none is called '7'"),
        (["--data", "nope"], "there is no data set or folder 'nope'"),
        (["--plot", "c.gif"], "a figure can be png"),
    ],
)
def test_a_wrong_setting_is_one_line(photos, weights, capsys, words, message, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["--weights", str(weights), "--data", str(photos), *words]) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if "has the weights of" not in line]
    assert len(said) == 1
    assert message in said[0]


def test_a_run_of_digits_is_measured_as_its_log_says(tmp_path, capsys):
    model = models.resnet8(in_channels=1, rng=0)
    _, test = data.load("digits")
    seen = {"shape": [1, 8, 8], "classes": list(test.classes), "mean": list(test.mean), "std": list(test.std)}
    state = {"dataset": seen, "config": {"model": "resnet8", "model_options": ""}}
    storage.save_checkpoint(tmp_path / "c", {"model": model.state_dict()}, state)
    assert main(["--weights", str(tmp_path / "c"), "--data", "digits", "--batch-size", "100"]) == 0
    logits = model.eval()(data.normalize(test.mean, test.std)(test.pixels(np.arange(len(test))), None)).data
    right = int((logits.argmax(1) == test.labels).sum())
    assert f"{right} of {len(test)} images" in capsys.readouterr().out


def test_a_folder_with_train_and_val_gives_its_val_images(photos, weights, capsys):
    (photos / "train").mkdir()
    (photos / "val").mkdir()
    for name in ("ants", "bees"):
        (photos / "val" / name).mkdir()
        pillow.new("RGB", (36, 36)).save(photos / "val" / name / "x.png")
        (photos / name).rename(photos / "train" / name)
    assert main(["--weights", str(weights), "--data", str(photos), "--map", "ants=4,bees=2"]) == 0
    assert "1 of 2 images" in capsys.readouterr().out


def test_a_class_of_the_data_must_be_one_of_the_network():
    assert matched(("b", "a"), ["a", "b", "c"], {}) == [1, 0]
    with pytest.raises(OptionError, match=r"none is called 'bee'.*did you mean bees"):
        matched(("bee",), ["ants", "bees"], {})


def test_classes_without_names_are_those_of_the_data_if_they_are_as_many(tmp_path, photos, capsys):
    model = models.resnet18(num_classes=2, rng=0)
    model.fc.weight.data[...] = 0
    model.fc.bias.data[...] = [1, 0]
    storage.save(tmp_path / "w", model.state_dict())
    assert main(["--weights", str(tmp_path / "w"), "--data", str(photos)]) == 0
    assert "3 of 5 images" in capsys.readouterr().out


@pytest.mark.soak
@pytest.mark.skipif(not (TEST_DATA and CIFAR10), reason="set MINIRES_TEST_DATA, and MINIRES_CIFAR10 to a copy of it")
def test_real_weights_are_right_on_cifar_as_often_as_in_torch(capsys):
    flags = ["--weights", os.path.join(TEST_DATA, "resnet20-12fca82f.th"), "--model", "resnet20"]
    assert main([*flags, "--data", "cifar10", "--root", CIFAR10, "--batch-size", "200"]) == 0
    top1 = float(re.search(r"top-1 +([0-9.]+)%", capsys.readouterr().out)[1])
    assert abs(top1 - 81.03) <= 0.02  # of the JPEG copy; the original images give 91.78
