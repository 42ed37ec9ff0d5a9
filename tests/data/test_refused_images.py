"""What is no image, or too large a one, is refused with one line that names the file."""

import os
import struct
import subprocess
import zlib

import pytest
from image_files import COLORS, saved
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from minires.data import images, read_image
from minires.errors import DataError, OptionError


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
