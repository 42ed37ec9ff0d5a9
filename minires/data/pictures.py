"""One picture file as an array: what is a picture, and what its greys, its alpha and its orientation mean."""

import logging
import re
import stat
import struct
import warnings
from contextlib import contextmanager

import numpy as np

from minires.annotations import PathLike
from minires.data.checks import check_whole
from minires.errors import DataError, OptionError, need
from minires.paths import as_path

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".ppm", ".pgm", ".pbm", ".tif", ".tiff")
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "PPM", "TIFF")  # others may start programs (EPS: Ghostscript)
MOST_PIXELS = 100_000_000  # a larger picture is a mistake or an attack; a decoded pixel takes up to 4 bytes
MOST_BYTES = 8 * MOST_PIXELS  # of a file: 16 bits for each of red, green, blue and alpha
ORIENTATION, BITS, PHOTOMETRIC = 0x0112, 258, 262  # tags of EXIF and TIFF
TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
# Pillow's remarks on odd metadata and large pictures. They are off for good, because warnings.catch_warnings changes
# all threads at once, and pictures are read in the thread of a Loader.
REMARKS = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


def read_image(path: PathLike, size: int = 224) -> np.ndarray:
    """The picture in a file as RGB, uint8 (3,size,size): the centre square, scaled, as an ImageFolder shows it.

    It stands as its EXIF orientation says. Of several frames the first is taken. Alpha is left out, as in torchvision.
    16-bit greys become 8-bit ones (value/257), floats go from 0 (black) to 1 (white).
    Raises DataError, naming the file, for whatever cannot be read.
    """
    check_size(size)
    pillow = _pillow()
    with _opened(path) as picture:
        picture.load()
        greys = _greys(picture, path)
        square = _centre(picture, "F" if greys else "RGB", size, pillow)
        turn = TURNS.get(_orientation(picture))
        pixels = np.asarray(square.transpose(pillow.Transpose[turn]) if turn else square)
    if greys:
        black, white = greys
        pixels = _bytes(pixels, black, white, path)
    return pixels.transpose(2, 0, 1)  # (H,W,C) -> (C,H,W)


def check_image(path):
    """Raise the DataError of read_image for what the beginning of a file shows: nothing is decoded."""
    with _opened(path):
        pass


@contextmanager
def _opened(path):
    """PIL's picture in a file. What goes wrong with it is a DataError that names the file."""
    path = as_path(path, DataError)
    _check_file(path)
    try:
        with _pillow().open(path, formats=FORMATS) as picture:
            W, H = picture.size
            if W * H > MOST_PIXELS:
                raise DataError(f"{path} has {W}×{H} pixels, more than {MOST_PIXELS:,}; remove it or shrink it")
            yield picture
    except DataError:
        raise
    except Exception as error:  # a damaged file makes a decoder raise anything; a MemoryError has no words
        raise DataError(f"{path} cannot be read as a picture: {str(error) or type(error).__name__}") from error


def check_size(size):
    """Raises OptionError for what is no number of pixels."""
    check_whole(size=size)
    if size < 1:
        raise OptionError(f"size must be 1 or more, got {size}")


def _pillow():
    """PIL.Image, which keeps its remarks to itself."""
    pillow = need("PIL.Image", "data", for_what="reading pictures")
    if warnings.filters[:1] != [REMARKS]:
        warnings.filterwarnings("ignore", module=REMARKS[3].pattern)
    log = logging.getLogger("PIL")
    if not log.handlers:
        log.addHandler(logging.NullHandler())
    return pillow


def _check_file(path):
    """Raises DataError for what is no regular file: a pipe would wait for ever, a device would fill the memory."""
    try:
        found = path.stat()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    if not stat.S_ISREG(found.st_mode):
        raise DataError(f"{path} is no regular file, so it is not read as a picture")
    if found.st_size > MOST_BYTES:
        raise DataError(f"{path} has {found.st_size:,} bytes, more than {MOST_BYTES:,}; remove it or shrink it")


def _greys(picture, path):
    """(black, white) of a picture of one channel and more than 8 bits; None for all others."""
    if picture.mode.startswith("I;16"):
        tags = getattr(picture, "tag_v2", {})
        white = (1 << tags.get(BITS, (16,))[0]) - 1
        return (white, 0) if tags.get(PHOTOMETRIC, 1) == 0 else (0, white)
    if picture.mode == "I":
        if picture.format in ("PNG", "PPM"):
            return 0, 65535
        raise DataError(
            f"{path} holds whole numbers of 32 bits or with a sign, which do not say what is white; save "
            "it with 8 or 16 bits"
        )
    if picture.mode == "F":
        low, high = picture.getextrema()
        if not 0 <= low <= high <= 1:
            raise DataError(
                f"{path} holds floats from {low:g} to {high:g} instead of 0 (black) to 1 (white); scale "
                "them, or save it with 8 or 16 bits"
            )
        return 0, 1
    return None


def _centre(picture, mode, size, pillow):
    """The centre square of a picture, scaled. It is cut out on the way: scaled whole, a picture one pixel wide would
    fill the memory."""
    if picture.mode != mode:
        picture = picture.convert(mode)
    W, H = picture.size
    side = min(W, H)
    left, top = (W - side) / 2, (H - side) / 2
    return picture.resize((size, size), pillow.Resampling.BILINEAR, box=(left, top, left + side, top + side))


def _orientation(picture):
    """1 to 8, as EXIF counts them; 1, upright, where there is none or where the EXIF block is damaged."""
    if picture.format == "TIFF":  # Pillow has turned it, and old versions leave the tag as it was
        return 1
    try:
        return picture.getexif().get(ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, struct.error):
        return 1


def _bytes(greys, black, white, path):
    """Greys (H,W) as bytes of red, green and blue."""
    if not np.isfinite(greys).all():
        raise DataError(f"{path} holds NaN or infinite values")
    scaled = np.rint((greys - black) * (255 / (white - black))).astype(np.uint8)
    return np.repeat(scaled[:, :, None], 3, axis=2)  # (H,W) -> (H,W,C)
