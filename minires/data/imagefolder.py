"""Images in folders: ROOT/CLASS/image.jpg, or ROOT/train/CLASS/… and ROOT/val/CLASS/….

A class is all images below its folder. Names are sorted by code points, as in torchvision, so a class has the same
number on every operating system.
"""

import os
import unicodedata
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from minires.annotations import Array
from minires.data.checks import raise_together
from minires.data.crops import random_box
from minires.data.dataset import Dataset, hashed
from minires.data.images import ENDINGS, check_image, check_size, read_image, read_part
from minires.errors import DataError
from minires.paths import as_path

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, as is usual
TRAIN = ("train", "training")  # names of folders, in upper or lower case; the first one found is taken
TEST = ("val", "valid", "validation", "test", "testing")
IGNORED = {"__MACOSX", "__pycache__", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found"}
ANNOTATIONS = "val_annotations.txt"  # Tiny ImageNet: the images of val are in one folder, this file has their classes


class ImageFolder(Dataset):
    """Images that are read when they are used: RGB, upright, the center square scaled to `size`; see read_image.

    resize: the length of the shorter side before the center is cut out, as in read_image.
    scale: a loader takes random parts instead, of at least and at most this share of an image's area; see random_box.
    """

    def __init__(
        self,
        name: str,
        classes: Iterable[Any],
        paths: Sequence[Path],
        labels: Any,
        size: int,
        *,
        resize: int | None = None,
        scale: tuple[float, float] | None = None,
    ) -> None:
        check_size(size)
        super().__init__(name, classes, labels, (3, size, size), MEAN, STD)
        self.paths, self.size = paths, size
        self.resize, self.scale = resize, scale

    def unreadable(self, indices: Any = None) -> list[str]:
        return _faults(lambda i: check_image(self.paths[i]), range(len(self)) if indices is None else indices)

    def digest(self, indices: Any = None) -> str:
        """16 hex digits, which change with the labels, names and file sizes of these indices, and with their order.

        No image is read, so a change that keeps the size of its file goes unnoticed. The folder may have moved.
        """
        indices = np.arange(len(self)) if indices is None else indices
        return hashed(self.labels[indices], (_name_and_size(self.paths[i]) for i in indices))

    def pixels(self, indices: Array) -> np.ndarray:
        return self._images(indices, lambda path: read_image(path, self.size, self.resize))

    def draw(self, indices: Array, rng: Any) -> Any:
        if self.scale is None:
            return self.take(indices)
        box_of = partial(random_box, rng=rng, scale=self.scale)
        return self._images(indices, lambda path: read_part(path, self.size, box_of)), self.labels[indices]

    def _images(self, indices, read):
        """read(path) of these indices, uint8 (n,C,H,W). Raises a DataError that names all that cannot be read."""
        images = np.empty((len(indices), self.size, self.size, 3), np.uint8).transpose(0, 3, 1, 2)

        def read_into(n):
            images[n] = read(self.paths[indices[n]])

        raise_together(_faults(read_into, range(len(indices))))
        return images


def _name_and_size(path):
    try:
        return f"{unicodedata.normalize('NFC', path.name)}/{path.stat().st_size}/".encode(errors="surrogateescape")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def _faults(work, indices):
    """The messages of the DataErrors that work(i) raises."""
    faults = []
    for i in indices:
        try:
            work(i)
        except DataError as error:
            faults.append(str(error))
    return faults


def imagefolder(root, size=224, *, resize=None, scale=None):
    """(train, test) from a folder of class folders. resize and scale (of train) as in ImageFolder.

    Without folders train and val (or valid, validation, test, testing) every fifth image of a class is kept for the
    test; the choice is always the same. Raises DataError for a folder without classes or images, and when train and
    test differ in their classes.
    """
    root = as_path(root, DataError)
    if root.is_file():
        raise DataError(
            f"{root} is a file; unpack it, if it is an archive, and give the folder that holds one folder "
            "of images for each class"
        )
    if not root.is_dir():
        raise DataError(f"there is no folder {str(root)!r}")
    train_root, test_root = _parts(root)
    odd = []  # files that are named as images and are none
    if train_root:
        train = _scan(train_root, odd)
        annotations = test_root / ANNOTATIONS
        together = annotations.is_file() and [entry.name for entry in _folders(test_root)] == ["images"]
        test = _annotated(annotations, train) if together else _scan(test_root, odd)
        _check_same_classes(train_root, train, test_root, test)
    else:
        train, test = _split(root, _scan(root, odd))
    raise_together(odd)
    return _made(root, train, size, resize, scale), _made(root, test, size, resize)


def labelled_images(root, size=224):
    """An ImageFolder of the test images, in a folder with train and val; of all images of other folders.

    Raises DataError as imagefolder does.
    """
    root = as_path(root, DataError)
    if root.is_dir() and _parts(root) == (None, None):
        odd = []
        classes = _scan(root, odd)
        raise_together(odd)
        return _made(root, classes, size)
    return imagefolder(root, size)[1]


def _made(root, classes, size, resize=None, scale=None):
    """The ImageFolder of {class: paths of its images}."""
    labels = np.repeat(np.arange(len(classes)), [len(paths) for paths in classes.values()])
    name = root.name or root.resolve().name or str(root)
    every = [path for paths in classes.values() for path in paths]
    return ImageFolder(name, classes, every, labels, size, resize=resize, scale=scale)


def _entries(folder):
    """The entries of a folder in order, without hidden ones and those that operating systems leave there."""
    try:
        with os.scandir(folder) as found:
            entries = [entry for entry in found if not entry.name.startswith(".") and entry.name not in IGNORED]
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror or error}") from error
    return sorted(entries, key=lambda entry: _order(entry.name))


def _order(name):
    # macOS writes é as two characters, others as one
    return unicodedata.normalize("NFC", name), name


def _holds(test):
    """test(), an entry's is_dir or is_file; False for a link to itself, which raises OSError."""
    try:
        return test()
    except OSError:
        return False


def _folders(folder):
    return [entry for entry in _entries(folder) if _holds(entry.is_dir)]


def _is_image(name):
    return os.path.splitext(name)[1].lower() in ENDINGS


def _identity(folder):
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def _images(folder, odd):
    """The paths of the images in a folder and, after them, in its sub-folders. No folder is entered twice.

    odd gets a line for each that is no regular file.
    """
    folders, paths = [folder], []
    entered = {_identity(above) for above in (folder, *Path(folder).absolute().parents)}  # a link may lead back up
    for folder in folders:
        for entry in _entries(folder):
            if _holds(entry.is_dir):
                identity = _identity(entry.path)
                if identity not in entered:
                    entered.add(identity)
                    folders.append(entry.path)
            elif _is_image(entry.name):
                if not _holds(entry.is_file):
                    odd.append(f"{entry.path} is no regular file but a broken link, a pipe or a device; remove it")
                paths.append(Path(entry.path))
    return paths


def _parts(root):
    """The folders for training and for the test in root; (None, None) if root holds the classes themselves."""
    folders = {}
    for entry in _folders(root):
        folders.setdefault(entry.name.lower(), []).append(Path(entry.path))
    train, test = (_first(root, folders, names) for names in (TRAIN, TEST))
    if train and test:
        return train, test
    for part, missing in ((train, "val (or valid, validation, test, testing)"), (test, "train (or training)")):
        if part and _holds_folders_only(part):
            raise DataError(
                f"{root} holds {part.name} and no folder {missing} beside it; add it, or give {part}: a "
                "fifth of its images is then kept for the test"
            )
    if len(folders) == 1:
        [[only]] = folders.values()
        if _holds_folders_only(only):
            raise DataError(f"{root} holds only {only.name}, which has no images but folders in it; give {only}")
    return None, None


def _first(root, folders, names):
    """The folder with the first of these names, in upper or lower case."""
    found = next((folders[name] for name in names if name in folders), [None])
    if len(found) > 1:
        raise DataError(f"{root} holds both {found[0].name} and {found[1].name}; keep one of them")
    return found[0]


def _holds_folders_only(folder):
    entries = _entries(folder)
    return any(_holds(entry.is_dir) for entry in entries) and not any(_is_image(entry.name) for entry in entries)


def _scan(root, odd):
    """{class: paths of its images}, both in order; odd as in _images."""
    classes = {}
    for entry in _folders(root):
        inner = {folder.name.lower() for folder in _folders(entry.path)}
        if inner.intersection(TRAIN) and inner.intersection(TEST):
            raise DataError(
                f"{root} must hold one folder of images for each class; {entry.name} is a data set of "
                f"its own, with parts for training and for the test: give {entry.path}"
            )
        classes[entry.name] = _images(entry.path, odd)
    empty = [name for name, paths in classes.items() if not paths]
    if empty:
        raise DataError(
            f"{root} must hold one folder of images for each class; "
            f"{'its folder' if len(empty) == 1 else 'its folders'} {', '.join(map(repr, empty[:4]))} "
            f"{'holds' if len(empty) == 1 else 'hold'} none ({' '.join(ENDINGS)} are read)"
        )
    if not classes:
        loose = sum(_is_image(entry.name) for entry in _entries(root))
        raise DataError(
            f"{root} must hold one folder of images for each class; it has no sub-folders"
            + (f", its {loose} images have no class" if loose else "")
        )
    return classes


def _annotated(path, train):
    """{class: paths of its images} from a file of lines "image<tab>class…"; the images are in the folder images."""
    classes = {name: [] for name in train}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(lines, 1):
        name, _, rest = line.partition("\t")
        label = rest.partition("\t")[0]
        image = path.parent / "images" / name
        if label not in classes or Path(name).name != name or not image.is_file():
            raise DataError(
                f"{path}, line {number}: expected the name of an image in images and that of a class in "
                f"train, got {line[:80]!r}"
            )
        classes[label].append(image)
    return classes


def _check_same_classes(train_root, train, test_root, test):
    different = [
        f"{_listed(sorted(only, key=_order))} in {root.name} only"
        for root, only in ((train_root, train.keys() - test), (test_root, test.keys() - train))
        if only
    ]
    if different:
        raise DataError(
            f"{train_root} and {test_root} have different classes: {' and '.join(different)}; give both "
            "the same folders"
        )


def _split(root, classes):
    """(train, test): every fifth image of a class is for the test; the choice is always the same."""
    rng = np.random.default_rng(0)
    train, test = ({name: [] for name in classes} for _ in range(2))
    for name, paths in classes.items():
        for rank, i in enumerate(rng.permutation(len(paths))):
            (test if rank % 5 == 4 else train)[name].append(paths[i])
    if not any(test.values()):
        raise DataError(f"{root} has too few images to keep some for the test; a class needs at least 5")
    return train, test


def _listed(names):
    return f"{names[:4]}" + (f" and {len(names) - 4} more" if len(names) > 4 else "")
