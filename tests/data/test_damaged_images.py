"""A damaged image file is read or named, and nothing else happens."""

import io
import warnings

import numpy as np
import pytest
from image_files import COLORS, RNG
from PIL import Image

from minires.data import read_image
from minires.errors import DataError


def samples():
    """{name: bytes} of small images: every format, and the kinds of each that are decoded in ways of their own."""
    rgb = Image.fromarray(COLORS)
    gray = COLORS[:, :, 0]
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    made = {}

    def add(name, image, kind, **options):
        file = io.BytesIO()
        image.save(file, kind, **options)
        made[name] = file.getvalue()

    more = {"save_all": True, "append_images": [rgb.rotate(180)]}
    add("exif.jpg", rgb, "JPEG", exif=exif)
    add("progressive.jpg", rgb, "JPEG", progressive=True)
    add("cmyk.jpg", rgb.convert("CMYK"), "JPEG")
    add("exif.png", rgb, "PNG", exif=exif)
    add("16.png", Image.fromarray(gray.astype(np.uint16) * 257), "PNG")
    add("palette.png", rgb.convert("P"), "PNG", transparency=b"\1\2\3")
    add("animated.png", rgb, "PNG", **more)
    add("1.png", rgb.convert("1"), "PNG")
    add("24.bmp", rgb, "BMP")
    add("palette.bmp", rgb.convert("P"), "BMP")
    add("animated.gif", rgb, "GIF", **more)
    add("lossy.webp", rgb, "WEBP", exif=exif)
    add("lossless.webp", rgb, "WEBP", lossless=True)
    add("animated.webp", rgb, "WEBP", **more)
    add("rgb.ppm", rgb, "PPM")
    add("gray.pgm", rgb.convert("L"), "PPM")
    add("1.pbm", rgb.convert("1"), "PPM")
    for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        add(f"{compression}.tif", rgb, "TIFF", compression=compression)
    add("fax.tif", rgb.convert("1"), "TIFF", compression="group4")
    add("float.tif", Image.fromarray((gray / 255).astype(np.float32)), "TIFF")
    add("16.tif", Image.fromarray(gray.astype(np.uint16) * 257), "TIFF")
    return made


def damaged(content, rng):
    """content cut short, with other bytes, with bytes more or with bytes less."""
    content = bytearray(content)
    kind = rng.integers(5)
    at = int(rng.integers(len(content)))
    if kind == 0:
        return content[:at]
    if kind == 1:  # in the header
        content[at % min(len(content), 200)] = rng.choice([0, 1, 127, 128, 255])
    elif kind == 2:
        for i in rng.integers(0, len(content), rng.integers(1, 8)):
            content[i] = rng.integers(256)
    elif kind == 3:
        content[at:at] = rng.bytes(int(rng.integers(1, 40)))
    else:
        del content[at : at + int(rng.integers(1, 30))]
    return content


@pytest.mark.parametrize(("count", "seed"), [(600, 0), pytest.param(50_000, 1, marks=pytest.mark.soak)])
def test_a_damaged_image_is_read_or_named_and_nothing_else_happens(tmp_path, count, seed, caplog, recwarn):
    rng = RNG(seed)
    whole = samples()
    warnings.simplefilter("always")
    read = 0
    for name, content in whole.items():
        (tmp_path / name).write_bytes(content)
        assert read_image(tmp_path / name, 8).shape == (3, 8, 8)
    for number in range(count):
        name = list(whole)[number % len(whole)]
        path = tmp_path / name
        path.write_bytes(damaged(whole[name], rng))
        try:
            pixels = read_image(path, 8)
        except DataError as error:
            said = str(error)
        else:
            said = f"{path} was read"
            assert (pixels.shape, pixels.dtype) == ((3, 8, 8), np.uint8)
            read += 1
        assert str(path) in said
        assert not said.endswith(": ")
    assert count / 5 < read < count / 2  # both ends were met
    assert not recwarn.list
