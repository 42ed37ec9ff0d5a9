"""python -m minires.train on a folder of images, and names and numbers as people write them."""

import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from minires import data, models
from minires.errors import DataError, OptionError
from minires.parallel import MAX_PROCESSES, Replicas
from minires.storage import load_checkpoint, save_checkpoint
from minires.train import Config, Run
from minires.train.__main__ import main

COLOURS = {"blue": (30, 30, 200), "green": (30, 200, 30), "red": (200, 30, 30)}
QUICK = ["--model", "resnet8", "--epochs", "1", "--size", "16", "--processes", "1"]


def paint(root, *classes, count=10):
    for name in classes:
        (root / name).mkdir(parents=True, exist_ok=True)
        for k in range(count):
            Image.new("RGB", (20 + k, 24), COLOURS[name]).save(root / name / f"{k}.jpg")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with photos/blue and photos/red, 10 images each."""
    monkeypatch.chdir(tmp_path)
    paint(tmp_path / "photos", "blue", "red")
    return tmp_path


def state_of(folder):
    return load_checkpoint(folder / "checkpoint.safetensors")[1]


def test_images_are_scaled_to_the_size_that_is_asked_for_and_a_resumed_run_keeps_it(here, capsys):
    flags = ["--dataset", "photos", "--model", "resnet8", "--epochs", "1", "--schedule", "constant", "--processes", "1"]
    assert main([*flags, "--size", "17", "--out", "run"]) == 0
    assert "16 images of 3×17×17, 4 for the test\n" in capsys.readouterr().out
    state = state_of(here / "run")
    assert (state["config"]["size"], state["dataset"]["shape"]) == (17, [3, 17, 17])
    assert main(["--resume", "--out", "run", "--epochs", "2"]) == 0
    assert main(["--resume", "--out", "run", "--epochs", "3", "--size", "17"]) == 0
    assert "16 images of 3×17×17" in capsys.readouterr().out
    assert main(["--resume", "--out", "run", "--epochs", "4", "--size", "18"]) == 2
    assert "the checkpoint was made with --size 17, not 18; leave --size out" in capsys.readouterr().err


def test_without_a_size_images_are_224_and_the_checkpoint_says_so(here):
    run = Run(Config(dataset="photos", model="resnet8"))
    assert (run.config.size, run.train_set.shape) == (224, (3, 224, 224))
    assert Run(Config(model="resnet8")).config.size == 8


def test_a_checkpoint_without_a_size_is_of_224(here):
    """As the first versions wrote them."""
    run = Run.start(Config(dataset="photos", model="resnet8", processes=1, out="run"))
    run.save()
    run.close()
    sections, state = load_checkpoint(run.checkpoint_path)
    del state["config"]["size"]
    save_checkpoint(run.checkpoint_path, sections, state)
    resumed = Run.resume("run")
    assert resumed.config.size == 224
    resumed.close()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--size", "-1"], "size must be at least 0, got -1"),
        (["--size", "10001"], "size must be at most 10000, got 10001"),
        (
            ["--dataset", "digits", "--size", "64"],
            "the images of digits have 8×8 pixels; a size (64) is for folders of images",
        ),
        (["--dataset", "CIFAR10", "--size", "64"], "the images of cifar10 have 32×32 pixels; a size (64)"),
        (["--dataset", "photos", "--batch-size", "65"], "batch_size must be from 1 to the 16 images of photos, got 65"),
        (["--model", "resnet18", "--limit", "1"], "resnet18 cannot train on one image of (1, 8, 8) at a time"),
        (["--dataset", "photos", "--model", "ResNet21"], "there is no model 'ResNet21'; did you mean resnet"),
    ],
)
def test_a_mistake_costs_one_line_and_leaves_no_folder(here, capsys, flags, message):
    assert main(flags) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"minires.train: {message}")
    assert err.count("\n") == 1
    assert not (here / "runs").exists()


def test_the_size_of_digits_may_be_said():
    assert data.load("digits", size=8)[0].shape == (1, 8, 8)


@pytest.mark.parametrize("size", ["1", "2", "3"])
def test_tiny_images_are_trained_on(here, capsys, size):
    """A border of 4 pixels around images of 3×3 made most crops black, and the loss NaN."""
    assert main(["--dataset", "photos", "--epochs", "8", "--batch-size", "4", "--size", size, "--processes", "1"]) == 0
    assert "test accuracy" in capsys.readouterr().out


@pytest.mark.parametrize("where", ["train", "test"])
def test_a_broken_image_is_found_before_a_folder_is_made(here, capsys, where):
    for part in ("train", "test"):
        shutil.copytree(here / "photos", here / "parts" / part)
    broken = here / "parts" / where / "red" / "9.jpg"
    broken.write_text("<html>not found</html>")
    assert main(["--dataset", "parts", *QUICK]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"minires.train: parts/{where}/red/9.jpg cannot be read as an image: ")
    assert err.count("\n") == 1
    assert not (here / "runs").exists()


def test_the_broken_images_of_both_parts_are_one_message(here, capsys):
    for part in ("train", "test"):
        shutil.copytree(here / "photos", here / "parts" / part)
        (here / "parts" / part / "red" / "9.jpg").write_text("<html>not found</html>")
    assert main(["--dataset", "parts", *QUICK]) == 2
    err = capsys.readouterr().err
    assert err.startswith("minires.train: 2 images cannot be used: parts/test/red/9.jpg cannot be read as an image: ")
    assert "; parts/train/red/9.jpg cannot be read as an image: " in err


def test_images_beyond_the_limit_are_not_looked_at(here):
    paths = data.load("photos")[0].paths
    few = data.load("photos")[0].limit(4)
    for i in set(range(len(paths))) - set(few.indices.tolist()):
        paths[i].write_text("broken")
    few.check()
    with pytest.raises(DataError, match="cannot be read as an image"):
        few.dataset.check()


def cut(path):
    """An image whose beginning is sound."""
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:900])


def test_an_image_that_breaks_off_leaves_nothing_if_it_comes_before_the_first_step(here, capsys):
    for path in (here / "photos").rglob("*.jpg"):
        cut(path)
    assert main(["--dataset", "photos", *QUICK, "--out", "run"]) == 2
    err = capsys.readouterr().err
    assert "cannot be read as an image: " in err
    assert err.endswith("; stopped before the first step\n")
    assert err.count("\n") == 1
    assert not (here / "run").exists()


def test_an_image_that_breaks_off_later_costs_no_step_and_the_way_on_is_shown(here, capsys):
    paint(here / "parts" / "train", "blue", "red")
    paint(here / "parts" / "val", "blue", "red")
    cut(here / "parts" / "val" / "red" / "3.jpg")
    assert main(["--dataset", "parts", *QUICK, "--batch-size", "10", "--out", "run"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("minires.train: parts/val/red/3.jpg cannot be read as an image: ")
    assert err.endswith("; stopped, and saved at step 2; go on with: python -m minires.train --resume --out run\n")
    paint(here / "parts" / "val", "red")
    assert state_of(here / "run")["images"]["test"] == {"counts": [10, 10], "digest": ""}
    assert main(["--resume", "--out", "run"]) == 0
    assert len(state_of(here / "run")["images"]["test"]["digest"]) == 16


def test_a_single_class_is_remarked(here, capsys):
    paint(here / "one", "red")
    assert main(["--dataset", "one", *QUICK]) == 0
    assert capsys.readouterr().err == (
        "minires.train: all images for training are of one class, 'red': there is nothing to "
        "learn, and an accuracy of 100% means nothing\n"
    )
    assert main(["--dataset", "photos", *QUICK]) == 0
    assert capsys.readouterr().err == ""


def test_fewer_images_than_the_usual_batch_are_one_batch(here, capsys):
    assert main(["--dataset", "photos", *QUICK, "--out", "run"]) == 0
    out = capsys.readouterr().out
    assert "16 images of 3×16×16, 4 for the test\n1 epoch of 1 step, all 16 images at once -> run\n" in out
    assert state_of(here / "run")["config"]["batch_size"] == 16


def test_numbers_and_nouns_agree(here, capsys):
    assert main(["--dataset", "photos", *QUICK[:2], "--epochs", "2", "--batch-size", "8", "--size", "8"]) == 0
    assert "16 images of 3×8×8, 4 for the test\n2 epochs of 2 steps -> " in capsys.readouterr().out
    assert main([*QUICK[:4], "--limit", "1"]) == 0
    assert "resnet8 on digits: 1 image of 1×8×8, 1 for the test\n1 epoch of 1 step -> " in capsys.readouterr().out


@pytest.mark.parametrize("spelling", ["ResNet8", "resnet-8", "RESNET_8"])
def test_a_model_in_any_usual_spelling_is_the_same_run(here, capsys, spelling):
    flags = ["--epochs", "1", "--limit", "64", "--schedule", "constant", "--processes", "1"]
    assert main([*flags, "--model", spelling, "--dataset", "Digits"]) == 0
    assert "resnet8 on digits: " in capsys.readouterr().out
    config = state_of(here / "runs" / "digits-resnet8")["config"]
    assert (config["model"], config["dataset"]) == ("resnet8", "digits")
    assert main(["--resume", "--model", spelling.upper(), "--dataset", "DIGITS", "--epochs", "2"]) == 0


def test_a_folder_may_have_a_name_like_a_known_data_set(here):
    (here / "photos").rename(here / "Digits")
    assert Config(dataset="Digits").dataset == "Digits"
    assert Config(dataset="DIGITS").dataset == "digits"


def test_there_is_one_limit_of_processes():
    assert Config(processes=MAX_PROCESSES).processes == MAX_PROCESSES
    with pytest.raises(OptionError, match=f"processes must be at most {MAX_PROCESSES}, got {MAX_PROCESSES + 1}"):
        Config(processes=MAX_PROCESSES + 1)
    network = models.resnet8(in_channels=1)
    Replicas(network, MAX_PROCESSES)
    with pytest.raises(OptionError, match=f"at most {MAX_PROCESSES}, "):
        Replicas(network, MAX_PROCESSES + 1)


def test_more_processes_than_images_in_a_batch_are_refused_at_the_start(here, capsys):
    assert main([*QUICK[:4], "--limit", "64", "--batch-size", "8", "--processes", "9"]) == 2
    assert capsys.readouterr().err == (
        "minires.train: processes must be at most the batch_size, 8, because each takes an image or more, got 9\n"
    )
    assert not (here / "runs").exists()


def test_no_more_processes_are_chosen_than_are_allowed():
    assert Config(threads=1000, batch_size=100_000).processes_for(models.resnet8()) == MAX_PROCESSES


def test_a_single_image_is_no_reason_for_a_larger_batch(capsys):
    assert main(["--model", "resnet18", "--limit", "1"]) == 2
    assert capsys.readouterr().err.endswith("; train on more than one\n")


def test_a_run_that_diverges_is_one_line(tmp_path):
    """What NumPy remarks on the way, in each process, says neither what nor where."""
    found = subprocess.run(
        [
            sys.executable,
            "-m",
            "minires.train",
            "--model",
            "resnet8",
            "--limit",
            "256",
            "--lr",
            "1e38",
            "--processes",
            "2",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert found.returncode == 2
    assert re.fullmatch(
        r"minires\.train: .* at step 1 \(epoch 1, .*; try a smaller --lr, with another --out\n", found.stderr
    )


def test_a_file_in_the_place_of_a_folder_is_said_to_be_one(here, capsys):
    (here / "file").touch()
    assert main([*QUICK[:4], "--limit", "8", "--out", "file"]) == 2
    (here / "runs").touch()
    assert main([*QUICK[:4], "--limit", "8"]) == 2
    assert capsys.readouterr().err == "minires.train: file: Not a directory\nminires.train: runs: Not a directory\n"


def test_help_says_when_processes_pay(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "faster if as many cores are idle, slower on a busy machine" in " ".join(capsys.readouterr().out.split())
