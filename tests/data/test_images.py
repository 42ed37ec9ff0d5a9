"""One image file: its gray values, its alpha, the way it stands, and everything that is no image."""

import io
import logging
import os
import struct
import subprocess
import sys
import warnings
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from minires.data import images, read_image
from minires.errors import DataError, OptionError

RNG = np.random.default_rng
RAMP = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
COLORS = RNG(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)


def saved(path, image, **options):
    """The path of an image, written from an array or a PIL image."""
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
    return path


def test_an_image_comes_as_bytes_of_red_green_and_blue(tmp_path):
    square = COLORS[:20]
    pixels = read_image(saved(tmp_path / "a.png", square), 20)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, square.transpose(2, 0, 1))
    np.testing.assert_array_equal(read_image(str(tmp_path / "a.png"), 20), pixels)
    assert read_image(tmp_path / "a.png").shape == (3, 224, 224)


def test_the_center_is_cut_out(tmp_path):
    image = np.zeros((8, 24, 3), np.uint8)
    image[:, 8:16] = 255
    assert (read_image(saved(tmp_path / "wide.png", image), 8) == 255).all()
    assert (read_image(saved(tmp_path / "high.png", image.transpose(1, 0, 2)), 8) == 255).all()


def test_a_long_thin_image_is_cut_before_it_is_scaled(tmp_path, monkeypatch):
    path = saved(tmp_path / "thin.png", Image.new("RGB", (1, 500), (200, 100, 50)))
    whole, asked = Image.Image.resize, []
    monkeypatch.setattr(
        Image.Image,
        "resize",
        lambda image, size, *args, **kwargs: asked.append(tuple(size)) or whole(image, size, *args, **kwargs),
    )
    assert (read_image(path, 16)[:, 0, 0] == (200, 100, 50)).all()
    assert asked == [(16, 16)]


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("16.png", RAMP),
        ("16.tif", RAMP),
        ("big-endian.tif", RAMP.astype(">u2")),
        ("8.png", (RAMP >> 8).astype(np.uint8)),
        ("float.tif", (RAMP / 65535).astype(np.float32)),
    ],
)
def test_gray_values_stay_what_they_are(tmp_path, name, image):
    pixels = read_image(saved(tmp_path / name, image), 64).astype(float)
    assert np.abs(pixels - RAMP / 257).max() <= 1
    assert (pixels[0] == pixels[1]).all()
    assert (pixels[0] == pixels[2]).all()


@pytest.mark.parametrize(("stored", "shown"), [(100 * 257 + 128, 100), (100 * 257 + 129, 101), (0, 0), (65535, 255)])
def test_gray_values_of_16_bits_go_to_the_nearest_of_8(tmp_path, stored, shown):
    assert (read_image(saved(tmp_path / "a.png", np.full((8, 8), stored, np.uint16)), 8) == shown).all()


def test_gray_values_of_a_portable_map_stay_what_they_are(tmp_path):
    (tmp_path / "16.pgm").write_bytes(b"P5 64 64 65535\n" + RAMP.astype(">u2").tobytes())
    assert np.abs(read_image(tmp_path / "16.pgm", 64) - RAMP / 257).max() <= 1


def tag(number, value):
    """An entry of a little-endian TIFF: one number of 16 bits."""
    return struct.pack("<HHIHH", number, 3, 1, value, 0)


@pytest.mark.parametrize(
    ("old", "new", "stored", "shown"),
    [
        (tag(262, 1), tag(262, 0), 0xFFFF, 0),
        (tag(262, 1), tag(262, 0), 0, 255),  # photometric 0: white is zero
        (tag(258, 16), tag(258, 12), 0xFFFF, 255),
    ],
)  # 12 bits a pixel, packed
def test_a_tiff_says_itself_which_gray_is_white(tmp_path, old, new, stored, shown):
    path = saved(tmp_path / "a.tif", np.full((8, 8), stored, np.uint16))
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))
    assert (read_image(path, 8) == shown).all()


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.full((9, 9), 7, np.int32), "whole numbers of 32 bits or with a sign"),
        (np.full((9, 9), 200, np.float32), r"floats from 200 to 200 instead of 0 \(black\) to 1 \(white\); scale"),
        (np.full((9, 9), -0.1, np.float32), "floats from -0.1"),
        (np.full((9, 9), np.nan, np.float32), "odd.tif holds"),
        (np.where(np.eye(9) > 0, np.nan, 0.5).astype(np.float32), "odd.tif holds"),
        (
            np.where(np.arange(81).reshape(9, 9) == 40, np.nan, 0.5).astype(np.float32),
            "odd.tif holds NaN or infinite values",
        ),
    ],
)
def test_gray_values_that_do_not_say_what_is_white_are_refused(tmp_path, image, message):
    with pytest.raises(DataError, match=message):
        read_image(saved(tmp_path / "odd.tif", image), 9)


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("L", "a.png"),
        ("RGBA", "a.png"),
        ("LA", "a.png"),
        ("P", "a.png"),
        ("P", "a.gif"),
        ("1", "a.png"),
        ("1", "a.pbm"),
        ("CMYK", "a.tif"),
        ("YCbCr", "a.jpg"),
        ("CMYK", "a.jpg"),
        ("RGB", "a.bmp"),
        ("RGB", "a.webp"),
        ("RGB", "a.tiff"),
        ("RGB", "a.JPEG"),
        ("RGB", "a.ppm"),
    ],
)
def test_every_kind_of_color_becomes_rgb_as_torchvision_makes_it(tmp_path, mode, name):
    """torchvision's default loader: image.convert("RGB"); so alpha is left out, not laid on white."""
    path = saved(tmp_path / name, Image.fromarray(COLORS[:20]).convert(mode))
    with Image.open(path) as image:
        expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(read_image(path, 20), expected.transpose(2, 0, 1))


def test_a_palette_with_alpha_says_nothing(tmp_path, recwarn):
    path = saved(tmp_path / "p.png", Image.fromarray(COLORS).convert("P"), transparency=bytes([0, 9, 200]))
    warnings.simplefilter("always")
    assert read_image(path, 9).shape == (3, 9, 9)
    assert not recwarn.list


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp"])
def test_an_image_stands_as_its_camera_was_held(tmp_path, orientation, name):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / name, COLORS[:20], exif=exif, **({"lossless": True} if name == "a.webp" else {}))
    stored = COLORS[:20]
    shown = {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.transpose(1, 0, 2),
        6: np.rot90(stored, -1),
        7: stored[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(stored),
    }
    np.testing.assert_array_equal(read_image(path, 20), shown[orientation].transpose(2, 0, 1))


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_tall_photograph_stands_upright(tmp_path, orientation):
    """As the sensor stored it, the sky is below (3) or at the left (6): shown, it is above."""
    pixels = np.zeros((60, 90, 3), np.uint8)
    sky = {3: np.s_[30:], 6: np.s_[:, :45]}[orientation]
    pixels[sky] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    shown = read_image(saved(tmp_path / "phone.jpg", pixels, exif=exif, quality=95), 30)
    assert shown[:, :12].min() > 240
    assert shown[:, -12:].max() < 15


def test_a_damaged_exif_block_spoils_no_image(tmp_path):
    path = saved(tmp_path / "a.jpg", COLORS, exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x7fjunk")
    assert read_image(path, 9).shape == (3, 9, 9)


@pytest.mark.parametrize("error", [OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, struct.error])
def test_whatever_a_damaged_exif_block_raises_the_image_is_shown_as_stored(tmp_path, monkeypatch, error):
    def damaged(image):
        raise error("damaged")

    monkeypatch.setattr(Image.Image, "getexif", damaged)
    np.testing.assert_array_equal(
        read_image(saved(tmp_path / "a.ppm", COLORS[:20]), 20), COLORS[:20].transpose(2, 0, 1)
    )


@pytest.mark.parametrize(("kind", "orientation"), [("TIFF", 1), ("JPEG", 6), ("PNG", 6)])
def test_a_tiff_whose_orientation_pillow_has_applied_is_left_alone(kind, orientation):
    """Pillow turns TIFFs when it loads them. Old versions leave the tag that told them to."""
    image = SimpleNamespace(format=kind, getexif=lambda: {0x0112: 6})
    assert images._orientation(image) == orientation


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.tif", "a.png"])
def test_of_several_frames_the_first_is_taken(tmp_path, name):
    frames = [Image.new("RGB", (9, 9), (value, value, value)) for value in (40, 200)]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
    assert np.abs(read_image(tmp_path / name, 9).astype(int) - 40).max() <= 2


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"])
def test_what_is_no_image_is_named(tmp_path, content):
    (tmp_path / "odd.png").write_bytes(content)
    with pytest.raises(DataError, match=r"odd\.png cannot be read as an image: ."):
        read_image(tmp_path / "odd.png")


def test_formats_that_start_other_programs_are_no_images(tmp_path, monkeypatch):
    def start(*args, **kwargs):
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setattr(os, "system", start)
    path = saved(tmp_path / "a.eps", COLORS)
    path.rename(tmp_path / "a.jpg")
    with pytest.raises(DataError, match="cannot be read as an image: cannot identify"):
        read_image(tmp_path / "a.jpg")


def test_an_image_behind_a_link_is_read(tmp_path):
    os.symlink(saved(tmp_path / "a.png", COLORS), tmp_path / "link.png")
    assert read_image(tmp_path / "link.png", 9).shape == (3, 9, 9)


def test_what_is_no_regular_file_is_never_opened(tmp_path):
    os.symlink("/dev/zero", tmp_path / "zero.png")
    os.symlink("/dev/stdin", tmp_path / "stdin.png")
    (tmp_path / "folder.png").mkdir()
    for make in [name for name in ("mkfifo",) if hasattr(os, name)]:
        getattr(os, make)(tmp_path / "pipe.png")
    for path in tmp_path.iterdir():
        if path.name != "stdin.png" or not path.is_file():
            with pytest.raises(DataError, match="is no regular file"):
                read_image(path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "odd.png cannot be read: No such file"),
        (lambda path: os.symlink(path, path), "odd.png cannot be read: Too many levels"),
    ],
)
def test_a_missing_file_is_named(tmp_path, make, message):
    make(tmp_path / "odd.png")
    with pytest.raises(DataError, match=message):
        read_image(tmp_path / "odd.png")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "MemoryError"),
        (RecursionError("deep"), "deep"),
        (AssertionError(), "AssertionError"),
        (PermissionError(13, "Permission denied"), r"\[Errno 13\] Permission denied"),
    ],
)
@pytest.mark.parametrize("step", ["open", "load", "resize"])
def test_whatever_a_decoder_raises_names_the_file(tmp_path, monkeypatch, step, error, said):
    path = saved(tmp_path / "a.png", COLORS)

    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(*((Image, step) if step == "open" else (PngImageFile, step)), fail)
    with pytest.raises(DataError, match=rf"a\.png cannot be read as an image: {said}$"):
        read_image(path)


@pytest.mark.parametrize("mode", ["L", "RGB", "I;16", "F"])
def test_an_oversized_image_is_refused_before_it_is_decoded(tmp_path, monkeypatch, mode):
    path = saved(tmp_path / "big.tif", Image.new(mode, (11, 10)))
    monkeypatch.setattr(images, "MOST_PIXELS", 100)
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("it was decoded"))
    with pytest.raises(DataError, match=r"big\.tif has 11×10 pixels, more than 100; remove it or shrink it"):
        read_image(path)


def test_a_file_of_too_many_bytes_is_not_opened(tmp_path, monkeypatch):
    path = tmp_path / "sparse.webp"
    with open(path, "wb") as file:
        file.truncate(images.MOST_BYTES + 1)
    monkeypatch.setattr(Image, "open", lambda *args, **kwargs: pytest.fail("it was opened"))
    with pytest.raises(DataError, match="has 800,000,001 bytes, more than 800,000,000"):
        read_image(path)


def png(width, height, *chunks):
    """A PNG header for an image of 8-bit gray values, and chunks after it."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(kind, content)
        for kind, content in ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), *chunks, (b"IEND", b""))
    )


@pytest.mark.parametrize(("width", "height"), [(9_470, 9_470), (12_000, 12_000), (30_000, 30_000)])
def test_an_image_of_too_many_pixels_says_so_once_and_warns_of_nothing(tmp_path, width, height, recwarn):
    """Pillow itself warns from 89 million pixels on and refuses from 179 million on; minires' limit lies between."""
    path = tmp_path / "bomb.png"
    path.write_bytes(png(width, height, (b"IDAT", zlib.compress(b"short"))))
    with pytest.raises(DataError, match=r"bomb\.png (has .* pixels|cannot be read as an image)"):
        read_image(path)
    assert not recwarn.list


def test_text_that_unpacks_to_gigabytes_is_refused(tmp_path):
    bomb = zlib.compressobj(9)
    packed = b"".join(bomb.compress(bytes(1 << 20)) for _ in range(100)) + bomb.flush()
    (tmp_path / "bomb.png").write_bytes(png(9, 9, (b"zTXt", b"note\0\0" + packed), (b"IDAT", zlib.compress(bytes(90)))))
    with pytest.raises(DataError, match=r"(?i)cannot be read as an image: decompressed data too large"):
        read_image(tmp_path / "bomb.png")


@pytest.mark.parametrize("size", [0, -1, 1.5, True, "9"])
def test_a_size_is_a_whole_number(size):
    with pytest.raises(OptionError, match="size must be"):
        read_image("a.png", size)


# Damaged files


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


def test_pillow_logs_nothing_to_the_console(tmp_path):
    """Python prints what is logged as an error, unless a logger has a handler."""
    read_image(saved(tmp_path / "a.png", COLORS), 9)
    assert logging.getLogger("PIL").handlers


def test_pillow_is_loaded_when_an_image_is_read():
    code = "import sys; from minires import data; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
