"""Images in folders: where classes and parts are found, and what is said where they are not."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from minires import data
from minires.data.imagefolder import imagefolder
from minires.errors import DataError, OptionError


def paint(path, size=(9, 9), color=(200, 100, 50)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)


def fill(root, *classes, count=5):
    """Class folders of empty files: whether they are images is found out when they are read."""
    for name in classes:
        (root / name).mkdir(parents=True, exist_ok=True)
        for k in range(count):
            (root / name / f"{k}.png").touch()


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
    assert repr(train) == "<ImageFolder pets: 16 images 3×16×16 of 2 classes>"


def test_images_come_scaled_and_cut_to_the_size(folder):
    train, _ = imagefolder(folder, size=16)
    pixels = train.pixels([0, 15])
    assert (pixels.shape, pixels.dtype) == ((2, 3, 16, 16), np.uint8)
    number = int(train.paths[0].stem)
    assert (pixels[0, 0] == number).all()
    image, label = train[0]
    np.testing.assert_array_equal(image, pixels[0])
    assert label == 0


def test_a_limited_folder_holds_all_classes(folder):
    few = imagefolder(folder, size=8)[0].limit(4)
    assert few.labels.tolist() == [0, 0, 1, 1]
    assert few.pixels([3])[0, 1, 0, 0] == few.dataset.pixels([few.indices[3]])[0, 1, 0, 0]


@pytest.mark.parametrize("size", [0, -3, 2.5, True])
def test_a_size_is_a_number_of_pixels(folder, size):
    with pytest.raises(OptionError, match="size must be"):
        imagefolder(folder, size)


@pytest.mark.parametrize(
    ("train_name", "test_name"),
    [
        ("train", "val"),
        ("train", "valid"),
        ("Train", "Val"),
        ("TRAIN", "TEST"),
        ("training", "validation"),
        ("Training", "testing"),
        ("train", "test"),
    ],
)
def test_train_and_test_folders_are_taken_as_they_are(tmp_path, train_name, test_name):
    fill(tmp_path / train_name, "a", "b", count=3)
    fill(tmp_path / test_name, "a", "b", count=2)
    train, test = data.load(str(tmp_path))
    assert (len(train), len(test), train.shape, train.classes) == (6, 4, (3, 224, 224), ("a", "b"))
    assert {path.parts[-3] for path in test.paths} == {test_name}


def test_val_comes_before_test(tmp_path):
    for count, part in enumerate(("train", "test", "val"), 1):
        fill(tmp_path / part, "a", "b", count=count)
    train, test = imagefolder(tmp_path)
    assert (len(train), len(test)) == (2, 6)


def test_a_class_of_one_part_only_is_named(tmp_path):
    fill(tmp_path / "train", "a", "B")
    fill(tmp_path / "val", "a", "b", "c")
    with pytest.raises(DataError, match=r"different classes: \['B'\] in train only and \['b', 'c'\] in val only"):
        imagefolder(tmp_path)
    fill(tmp_path / "val", *"defghi")
    with pytest.raises(DataError, match=r"\['b', 'c', 'd', 'e'\] and 4 more in val only"):
        imagefolder(tmp_path)


def test_images_below_a_class_folder_belong_to_it(tmp_path):
    fill(tmp_path / "a" / "images", "deep")
    fill(tmp_path / "a", "images", count=2)
    fill(tmp_path, "b")
    train, test = imagefolder(tmp_path)
    assert train.classes == ("a", "b")
    assert (np.bincount(train.labels) + np.bincount(test.labels)).tolist() == [7, 5]


def tiny_imagenet(root, lines):
    for name in ("n02", "n01"):
        fill(root / "train" / name, "images")
        (root / "train" / name / f"{name}_boxes.txt").touch()
    fill(root / "val", "images", count=4)
    fill(root / "test", "images", count=3)
    (root / "val" / "val_annotations.txt").write_text("\n".join(lines))


def test_tiny_imagenet_is_read_as_it_lies_there(tmp_path):
    tiny_imagenet(tmp_path, ["2.png\tn02\t0\t1\t2\t3", "0.png\tn01\t0\t1\t2\t3", "1.png\tn02\t0\t1\t2\t3"])
    train, test = imagefolder(tmp_path)
    assert (train.classes, len(train)) == (("n01", "n02"), 10)
    assert [(path.name, label) for path, label in zip(test.paths, test.labels)] == [
        ("0.png", 0),
        ("2.png", 1),
        ("1.png", 1),
    ]


def test_a_tiny_imagenet_whose_val_was_sorted_is_a_usual_folder(tmp_path):
    tiny_imagenet(tmp_path, ["val_0.png\tn02\t0\t1\t2\t3"])
    shutil.rmtree(tmp_path / "val" / "images")
    fill(tmp_path / "val", "n01/images", "n02/images", count=2)
    assert imagefolder(tmp_path)[1].labels.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    "line", ["0.png", "0.png\tn03", "9.png\tn01", "../../train/n01/images/0.png\tn01", "\tn01", "é"]
)
def test_an_odd_line_of_annotations_is_named(tmp_path, line):
    tiny_imagenet(tmp_path, ["1.png\tn01\t0", line])
    with pytest.raises(DataError, match=r"val_annotations.txt, line 2: expected .* got"):
        imagefolder(tmp_path)


@pytest.mark.parametrize("part", ["train", "Val", "test"])
def test_one_part_without_the_other_is_no_class(tmp_path, part):
    fill(tmp_path / part, "cat", "dog")
    fill(tmp_path, "other")
    with pytest.raises(DataError, match=rf"holds {part} and no folder .* add it, or give .*{part}"):
        imagefolder(tmp_path)
    assert imagefolder(tmp_path / part)[0].classes == ("cat", "dog")


def test_a_train_may_be_a_class_of_images(tmp_path):
    fill(tmp_path, "bus", "train")
    assert imagefolder(tmp_path)[0].classes == ("bus", "train")


def test_a_part_given_twice_is_refused(tmp_path):
    for part in ("train", "val"):
        fill(tmp_path / part, "a", "b")
    if (tmp_path / "Train").exists():
        pytest.skip("this file system takes Train for train")
    fill(tmp_path / "Train", "a", "b")
    with pytest.raises(DataError, match="holds both Train and train; keep one"):
        imagefolder(tmp_path)


def test_a_folder_around_the_data_set_is_named(tmp_path):
    for part in ("train", "val"):
        fill(tmp_path / "pets" / part, "a", "b")
    with pytest.raises(DataError, match=r"holds only pets, which has no images but folders in it; give .*pets"):
        imagefolder(tmp_path)


def test_a_folder_of_data_sets_is_no_data_set(tmp_path):
    for name in ("flowers/train", "flowers/val", "pets"):
        fill(tmp_path / name, "a", "b")
    with pytest.raises(DataError, match=r"flowers is a data set of its own, .*: give .*flowers$"):
        imagefolder(tmp_path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: None, "it has no sub-folders$"),
        (lambda root: (root / "cat").mkdir(), "its folder 'cat' holds none"),
        (lambda root: [(root / n).mkdir() for n in ("cat", "dog")], "its folders 'cat', 'dog' hold none"),
        (lambda root: fill(root, "cat", count=1), "too few images"),
        (lambda root: fill(root.parent, root.name, count=3), "it has no sub-folders, its 3 images have no class"),
    ],
)
def test_a_folder_without_images_says_what_it_should_look_like(tmp_path, make, message):
    make(tmp_path)
    with pytest.raises(DataError, match=message):
        imagefolder(tmp_path)


@pytest.mark.parametrize("name", ["pets.zip", "pets.tar.gz", "cat.png"])
def test_a_file_is_no_folder(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(DataError, match=f"{name} is a file; unpack it, if it is an archive"):
        data.load(tmp_path / name)


def test_what_operating_systems_and_editors_leave_is_no_class_and_no_image(tmp_path):
    fill(tmp_path, "cat", "dog")
    fill(tmp_path, "__MACOSX", ".ipynb_checkpoints", "@eaDir", "$RECYCLE.BIN")
    fill(tmp_path / "cat", "@eaDir", "__MACOSX", ".hidden")
    for name in ("._0.png", "Thumbs.db", "desktop.ini", ".DS_Store", "notes.txt", "0.png.part"):
        (tmp_path / "cat" / name).touch()
    train, test = imagefolder(tmp_path)
    assert (train.classes, len(train), len(test)) == (("cat", "dog"), 8, 2)


def test_the_order_is_that_of_the_characters_on_every_operating_system(tmp_path, monkeypatch):
    """As torchvision sorts: capitals first, whatever order the disk gives and however the system compares paths."""
    names = ("Zebra", "ant", "e\u0301mu", "mouse", "yak")  # é as macOS writes it
    for part in ("train", "val"):
        fill(tmp_path / part, *names)
        (tmp_path / part / "ant" / "B.png").touch()
    whole = os.scandir

    class Backwards:
        def __init__(self, path):
            with whole(path) as found:
                self.entries = sorted(found, key=lambda entry: entry.name, reverse=True)

        def __enter__(self):
            return iter(self.entries)

        def __exit__(self, *error):
            pass

    monkeypatch.setattr(os, "scandir", Backwards)
    train, _ = imagefolder(tmp_path)
    assert train.classes == ("Zebra", "ant", "mouse", "yak", "e\u0301mu")
    assert [path.name for path, label in zip(train.paths, train.labels) if label == 1] == [
        "0.png",
        "1.png",
        "2.png",
        "3.png",
        "4.png",
        "B.png",
    ]


def test_links_are_followed_and_loops_are_not(tmp_path):
    fill(tmp_path / "elsewhere", "b", count=5)
    fill(tmp_path / "set", "a", count=5)
    os.symlink(tmp_path / "elsewhere" / "b", tmp_path / "set" / "b")
    os.symlink(tmp_path / "elsewhere" / "b" / "0.png", tmp_path / "set" / "a" / "link.png")
    os.symlink(tmp_path / "set", tmp_path / "set" / "a" / "up")
    os.symlink(tmp_path / "set" / "a", tmp_path / "set" / "a" / "self")
    os.symlink("myself", tmp_path / "set" / "a" / "myself")
    train, test = imagefolder(tmp_path / "set")
    assert (np.bincount(train.labels) + np.bincount(test.labels)).tolist() == [6, 5]


@pytest.mark.parametrize(
    "make",
    [
        lambda path: os.symlink("/dev/zero", path),
        lambda path: os.symlink("gone", path),
        lambda path: os.symlink(path, path),
        pytest.param(
            lambda path: os.mkfifo(path), marks=pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
        ),
    ],
)
def test_what_is_no_regular_file_is_named_at_the_start(tmp_path, make):
    fill(tmp_path, "a", "b")
    make(tmp_path / "a" / "odd.png")
    with pytest.raises(
        DataError, match=r"odd\.png is no regular file but a broken link, a pipe or a device; remove it"
    ):
        imagefolder(tmp_path)


def test_all_files_that_are_no_images_are_named_at_once(tmp_path):
    for part in ("train", "val"):
        fill(tmp_path / part, "a", "b", count=1)
        os.symlink("gone", tmp_path / part / "b" / "odd.png")
    with pytest.raises(
        DataError, match=r"2 images cannot be used: .*train/b/odd\.png is no .*; .*val/b/odd\.png is no"
    ):
        imagefolder(tmp_path)


def test_all_broken_images_are_named_at_once(folder):
    train, _ = imagefolder(folder, size=8)
    broken = sorted(str(train.paths[i]) for i in (1, 5, 10))
    for path in broken:
        shutil.copy(__file__, path)
    shown = "; ".join(f"{path} cannot be read as an image: cannot identify image file" for path in broken)
    for find in (train.check, lambda: train.check([10, 5, 0, 1]), lambda: train.pixels(np.arange(16))):
        with pytest.raises(DataError) as error:
            find()
        assert str(error.value) == f"3 images cannot be used: {shown}"
    with pytest.raises(DataError, match=r"^\S+ cannot be read as an image: cannot identify image file$"):
        train.check([5])


def test_of_many_broken_images_ten_are_named(tmp_path):
    fill(tmp_path, "a", "b", count=10)
    with pytest.raises(DataError, match=r"^16 images cannot be used: .*; and 6 more$") as error:
        imagefolder(tmp_path)[0].check()
    assert str(error.value).count("cannot be read as an image") == 10


def test_a_folder_that_looks_like_an_image_is_a_folder(tmp_path):
    fill(tmp_path, "a", "b")
    fill(tmp_path / "a", "odd.png")
    assert np.bincount(imagefolder(tmp_path)[0].labels).tolist() == [8, 4]


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    fill(tmp_path, "a", "b")
    whole = os.scandir

    def closed(path):
        if str(path).endswith("b"):
            raise PermissionError(13, "Permission denied", str(path))
        return whole(path)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(DataError, match=r"b cannot be read: Permission denied"):
        imagefolder(tmp_path)


def test_pixels_are_those_of_the_indices(tmp_path):
    for name in "ab":
        for i in range(5):
            path = tmp_path / name / f"{i}.png"
            path.parent.mkdir(exist_ok=True)
            Image.new("RGB", (4, 4), (i * 10, 0, "ab".index(name))).save(path)
    train, _ = imagefolder(tmp_path, size=4)
    for i in (5, 0, 3):
        expected = np.asarray(Image.open(train.paths[i])).transpose(2, 0, 1)
        np.testing.assert_array_equal(train.pixels(np.array([i]))[0], expected)
    assert train.unreadable([]) == []


def test_a_class_of_one_broken_link_has_an_image_that_is_faulty_and_is_not_empty(tmp_path):
    fill(tmp_path, "a", "b")
    (tmp_path / "c").mkdir()
    os.symlink("gone", tmp_path / "c" / "odd.png")
    with pytest.raises(DataError, match=r"odd\.png is no regular file"):
        imagefolder(tmp_path)
