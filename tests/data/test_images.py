"""One image file: its gray values, its alpha and its orientation."""

import logging
import struct
import subprocess
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from image_files import COLORS, saved
from PIL import Image

from minires.data import images, read_image
from minires.errors import DataError

RAMP = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)


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
        (tag(258, 16), tag(258, 12), 0xFFFF, 255),  # 12 bits a pixel, packed
    ],
)
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


def test_pillow_logs_nothing_to_the_console(tmp_path):
    """Python prints what is logged as an error, unless a logger has a handler."""
    read_image(saved(tmp_path / "a.png", COLORS), 9)
    assert logging.getLogger("PIL").handlers


def test_pillow_is_loaded_when_an_image_is_read():
    code = "import sys; from minires import data; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_middle_of_an_odd_margin_lies_between_two_pixels(tmp_path):
    """Two of three columns, half a pixel from the left: each is the mean of two."""
    image = np.array([[0, 100, 200]] * 2, np.uint8)
    np.testing.assert_array_equal(read_image(saved(tmp_path / "wide.png", image), 2)[0], [[50, 150]] * 2)
    np.testing.assert_array_equal(read_image(saved(tmp_path / "high.png", image.T), 2)[0], [[50, 50], [150, 150]])
