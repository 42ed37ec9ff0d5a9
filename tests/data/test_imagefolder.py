"""Pictures in folders."""

import numpy as np
import pytest
from PIL import Image

from minires import data
from minires.data import imagefolder as module
from minires.data.imagefolder import imagefolder
from minires.errors import DataError


def paint(path, size, color=(200, 100, 50)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)


@pytest.fixture
def folder(tmp_path):
    for k in range(10):
        paint(tmp_path / "pets" / "cat" / f"{k}.png", (40 + k, 30), (k, 0, 0))
        paint(tmp_path / "pets" / "dog" / f"{k}.jpg", (30, 50), (0, k, 0))
    return tmp_path / "pets"


def test_classes_are_the_folders_in_alphabetical_order_and_a_fifth_is_for_the_test(folder):
    train, test = imagefolder(folder, size=16)
    assert (train.classes, len(train), len(test)) == (("cat", "dog"), 16, 4)
    assert np.bincount(test.labels).tolist() == [2, 2]
    assert not set(train.paths) & set(test.paths)
    assert imagefolder(folder, size=16)[0].paths == train.paths


def test_pictures_come_scaled_and_cut_to_the_size(folder):
    train, _ = imagefolder(folder, size=16)
    pixels = train.pixels([0, 15])
    assert (pixels.shape, pixels.dtype) == ((2, 3, 16, 16), np.uint8)
    number = int(train.paths[0].stem)
    assert (pixels[0, 0] == number).all()


def test_the_centre_is_cut_out(tmp_path):
    picture = np.zeros((8, 24, 3), np.uint8)
    picture[:, 8:16] = 255
    paths = [tmp_path / "c" / f"{k}.png" for k in range(5)]
    paint(paths[0], (1, 1))
    for path in paths:
        Image.fromarray(picture).save(path)
    train, _ = imagefolder(tmp_path, size=8)
    assert (train.pixels([0]) == 255).all()


def test_grey_and_transparent_pictures_become_rgb(tmp_path):
    for k, mode in enumerate(("L", "RGBA", "P", "1", "LA")):
        path = tmp_path / "c" / f"{k}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new(mode, (9, 9)).save(path)
    train, test = imagefolder(tmp_path, size=8)
    assert train.pixels(range(len(train))).shape == (4, 3, 8, 8)
    assert test.pixels([0]).shape == (1, 3, 8, 8)


def test_train_and_val_folders_are_taken_as_they_are(folder, tmp_path):
    for part, count in (("train", 3), ("val", 2)):
        for k in range(count):
            paint(tmp_path / "s" / part / "a" / f"{k}.png", (9, 9))
            paint(tmp_path / "s" / part / "b" / f"{k}.png", (9, 9))
    train, test = data.load(str(tmp_path / "s"))
    assert (len(train), len(test), train.shape) == (6, 4, (3, 224, 224))
    paint(tmp_path / "s" / "val" / "c" / "0.png", (9, 9))
    with pytest.raises(DataError, match=r"different classes: \['c'\]"):
        data.load(str(tmp_path / "s"))


def test_an_unreadable_picture_is_named(folder):
    (folder / "cat" / "0.png").write_bytes(b"no picture")
    (folder / "cat" / "1.png").write_bytes((folder / "cat" / "2.png").read_bytes()[:40])
    train, test = imagefolder(folder, size=8)
    for dataset in (train, test):
        for i, path in enumerate(dataset.paths):
            if path.name in ("0.png", "1.png"):
                with pytest.raises(DataError, match=rf"cat.{path.name} cannot be read as a picture"):
                    dataset.pixels([i])


def test_an_oversized_picture_is_refused_before_it_is_decoded(folder, monkeypatch):
    monkeypatch.setattr(module, "MOST_PIXELS", 100)
    with pytest.raises(DataError, match=r"more than 100; remove it or shrink it"):
        imagefolder(folder, size=8)[0].pixels([0])


@pytest.mark.parametrize(("make", "message"), [
    (lambda root: None, "it has no sub-folders"),
    (lambda root: (root / "cat").mkdir(), "its folders cat hold none"),
    (lambda root: paint(root / "cat" / "0.png", (9, 9)), "too few pictures"),
])
def test_a_folder_without_pictures_says_what_it_should_look_like(tmp_path, make, message):
    make(tmp_path)
    with pytest.raises(DataError, match=message):
        imagefolder(tmp_path)


def test_a_long_thin_picture_is_cut_before_it_is_scaled(tmp_path, monkeypatch):
    for k in range(5):
        paint(tmp_path / "c" / f"{k}.png", (1, 500))
    whole, asked = Image.Image.resize, []
    monkeypatch.setattr(Image.Image, "resize", lambda picture, size, *args, **kwargs:
                        asked.append(tuple(size)) or whole(picture, size, *args, **kwargs))
    assert (imagefolder(tmp_path, size=16)[0].pixels([0])[0, :, 0, 0] == (200, 100, 50)).all()
    assert asked == [(16, 16)]


@pytest.mark.parametrize("second", ["valid", None])
def test_train_without_val_is_no_class(tmp_path, second):
    for part in filter(None, ("train", second)):
        for k in range(5):
            paint(tmp_path / part / "cat" / f"{k}.png", (9, 9))
    with pytest.raises(DataError, match=r"its folders train.* hold none"):
        imagefolder(tmp_path)


def test_hidden_files_are_no_pictures(folder):
    (folder / "cat" / "._0.png").write_bytes(b"what macOS leaves")
    train, test = imagefolder(folder, size=16)
    assert (len(train), len(test)) == (16, 4)
