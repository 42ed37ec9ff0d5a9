"""Pictures in folders: ROOT/CLASS/picture.jpg, or ROOT/train/CLASS/… and ROOT/val/CLASS/…."""

from pathlib import Path

import numpy as np

from minires.arrays import channels_last
from minires.data.dataset import Dataset
from minires.errors import DataError, need

ENDINGS = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".ppm", ".tif", ".tiff"}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, as everybody uses them
MOST_PIXELS = 100_000_000  # a larger picture is a mistake or an attack


class ImageFolder(Dataset):
    """Pictures decoded when they are asked for: RGB, the shorter side scaled to `size`, the centre cut out."""

    def __init__(self, name, classes, paths, labels, size):
        super().__init__(name, classes, labels, (3, size, size), MEAN, STD)
        self.paths, self.size = paths, size

    def pixels(self, indices):
        return channels_last(np.stack([self._decode(self.paths[i]) for i in indices]))

    def _decode(self, path):
        image_module = need("PIL.Image", "data", for_what="reading pictures")
        size = self.size
        try:
            with image_module.open(path) as picture:
                W, H = picture.size
                if W * H > MOST_PIXELS:
                    raise DataError(f"{path} has {W}×{H} pixels, more than {MOST_PIXELS:,}; remove it or shrink it")
                side = min(W, H)
                left, top = (W - side) / 2, (H - side) / 2
                # The centre is cut out on the way: scaled whole, a picture one pixel wide would fill the memory.
                pixels = np.asarray(picture.convert("RGB").resize(
                    (size, size), image_module.Resampling.BILINEAR, box=(left, top, left + side, top + side)))
        except (OSError, ValueError, SyntaxError, image_module.DecompressionBombError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{path} cannot be read as a picture: {error}") from error
        return pixels.transpose(2, 0, 1)  # (H,W,C) -> (C,H,W)


def imagefolder(root, size=224):
    """(train, test) from a folder of class folders.

    Without folders train and val (or test) in it, every fifth picture of a class, chosen once for all, is for the test.
    Raises DataError for a folder without classes or pictures, and when train and test differ in their classes.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"there is no data set or folder {str(root)!r}; data sets are digits and cifar10")
    test_root = next((root / name for name in ("val", "test") if (root / name).is_dir()), None)
    if (root / "train").is_dir() and test_root:
        (classes, train), (test_classes, test) = _scan(root / "train"), _scan(test_root)
        if classes != test_classes:
            raise DataError(f"{root / 'train'} and {test_root} have different classes: "
                            f"{sorted(set(classes) ^ set(test_classes))}")
    else:
        classes, every = _scan(root)
        rng = np.random.default_rng(0)
        train, test = [], []
        for label in range(len(classes)):
            members = [pair for pair in every if pair[1] == label]
            for rank, i in enumerate(rng.permutation(len(members))):
                (test if rank % 5 == 4 else train).append(members[i])
        if not test:
            raise DataError(f"{root} has too few pictures to keep some for the test; 5 in a class are the least")
    return tuple(ImageFolder(root.name, classes, [path for path, _ in part], [label for _, label in part], size)
                 for part in (train, test))


def _scan(root):
    """The class names, and (path, label) of every picture, both in alphabetical order."""
    folders = sorted(folder for folder in root.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    found = [(path, label) for label, folder in enumerate(folders)
             for path in sorted(folder.iterdir())
             if path.suffix.lower() in ENDINGS and not path.name.startswith(".")]  # macOS leaves ._cat.jpg everywhere
    empty = [folder.name for label, folder in enumerate(folders) if label not in {label for _, label in found}]
    if not folders or empty:
        what = f"its folders {', '.join(empty[:4])} hold none" if empty else "it has no sub-folders"
        raise DataError(f"{root} must hold one folder of pictures for each class; {what}")
    return [folder.name for folder in folders], found
