"""What a checkpoint says of its data set, and checkpoints of the first versions, which said nothing."""

import numpy as np
import pytest
from PIL import Image

from minires import data
from minires.errors import CheckpointError
from minires.train import Config, Run


def test_checkpoints_of_before_resume(saved, resumed):
    """The first versions wrote neither the data set's description nor these settings."""
    sections, state = saved
    config = {key: value for key, value in state["config"].items() if key not in ("size", "tf32", "processes")}
    old = {key: value for key, value in state.items() if key not in ("dataset", "images")}
    assert resumed(sections, {**old, "config": config}).step == 3
    other = {**old, "config": {**config, "limit": 64}}
    with pytest.raises(CheckpointError, match=r"must be .*, got .*; if the images have changed, bring back those from"):
        resumed(sections, other)


def test_a_checkpoint_says_what_a_prediction_needs(saved):
    assert saved[1]["dataset"] == {
        "name": "digits",
        "classes": [str(i) for i in range(10)],
        "shape": [1, 8, 8],
        "mean": [pytest.approx(0.3, abs=0.1)],
        "std": [pytest.approx(0.4, abs=0.1)],
    }


def test_other_classes_than_at_the_start_are_refused(saved, resumed):
    sections, state = saved
    other = {**state["dataset"], "classes": [*"1023456789"]}
    with pytest.raises(CheckpointError, match=r"dataset\.classes was \['1', '0', .* and is \['0', '1', .* in digits"):
        resumed(sections, {**state, "dataset": other})


def test_the_same_images_under_another_name_are_taken(saved, resumed):
    """A folder of images may have been renamed."""
    sections, state = saved
    assert resumed(sections, {**state, "dataset": {**state["dataset"], "name": "renamed"}}).step == 3


def paint(folder, colors, size=9):
    """An image of each color in the folder: two of one color are files of one size."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, color in enumerate(colors):
        Image.fromarray(np.full((size, size, 3), color, np.uint8)).save(folder / f"{number}.bmp")


@pytest.fixture
def stopped(tmp_path, monkeypatch):
    """The folder of a run on ten images of each of two classes, stopped after its first step."""
    monkeypatch.chdir(tmp_path)
    for name in ("blue", "red"):
        paint(tmp_path / "photos" / name, range(10))
    run = Run.start(Config(dataset="photos", model="resnet8", size=8, epochs=3, batch_size=16, out="run", processes=1))
    assert not run.fit(stop=lambda: True)
    return tmp_path


def resume():
    Run.resume("run").close()


def test_the_same_images_in_a_new_copy_of_their_folder_are_taken(stopped):
    before = data.load("photos", size=8)[0]
    (stopped / "photos").rename(stopped / "moved")
    (stopped / "moved").rename(stopped / "photos")
    for path in (stopped / "photos").rglob("*.bmp"):
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
    assert data.load("photos", size=8)[0].digest() == before.digest()
    resume()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda red: paint(red, range(15)),
            r"class 'red' had 8 images for training and has 12 in photos: bring back the images from before, or",
        ),
        (lambda red: paint(red, range(11)), r"class 'red' had 8 images for training and has 9 in photos"),
        (lambda red: [(red / f"{i}.bmp").unlink() for i in range(5)], r"class 'red' had 8 images for training and has"),
        (lambda red: (red / "3.bmp").rename(red / "33.bmp"), r"images .* in photos are as many as before, but not the"),
        (lambda red: paint(red, range(10), size=11), r"the 16 images for training in photos are as many as before, bu"),
        (lambda red: paint(red.parent / "violet", range(10)), r"dataset\.classes was \['blue', 'red'\] and is \['blue"),
        (lambda red: red.rename(red.parent / "violet"), r"dataset\.classes was \['blue', 'red'\] and is \['blue', 'vi"),
    ],
    ids=["more", "one more", "fewer than a batch", "a new name", "other sizes", "a new class", "a renamed class"],
)
def test_images_that_have_changed_since_are_refused_with_what_has_changed(stopped, change, message):
    change(stopped / "photos" / "red")
    with pytest.raises(CheckpointError, match=message):
        resume()


def test_images_for_the_test_that_have_changed_are_refused(stopped):
    """The numbers of earlier epochs in the log were measured on others."""
    for part in ("train", "val"):
        for name in ("blue", "red"):
            paint(stopped / "parts" / part / name, range(10))
    config = Config(dataset="parts", model="resnet8", size=8, epochs=3, batch_size=16, out="parts-run", processes=1)
    Run.start(config).fit(stop=lambda: True)
    paint(stopped / "parts" / "val" / "red", range(12))
    with pytest.raises(CheckpointError, match=r"class 'red' had 10 images for the test and has 12 in parts"):
        Run.resume("parts-run")


def test_other_pixels_or_labels_in_the_same_number_are_another_digest():
    pixels = np.random.default_rng(0).integers(0, 255, (6, 1, 4, 4), dtype=np.uint8)

    def digest(pixels, labels=(0, 1, 0, 1, 0, 1)):
        return data.ArrayDataset("six", "ab", pixels, labels, 0.5, 0.5).digest()

    changed = pixels.copy()
    changed[5, 0, 3, 3] ^= 1
    found = [digest(pixels), digest(changed), digest(pixels[::-1]), digest(pixels, (1, 0, 0, 1, 0, 1))]
    assert len(set(found)) == 4
    assert digest(pixels.copy()) == found[0]


def test_the_digest_of_a_part_is_that_of_its_images():
    train, _ = data.load("digits")
    part = train.limit(40)
    assert part.digest() == train.digest(part.indices) != train.digest()
    assert data.Subset(part, [3, 1]).digest() == part.digest(np.array([3, 1])) != part.digest(np.array([1, 3]))
