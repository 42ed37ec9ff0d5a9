"""CIFAR-10 and what stands between it and the network: broken downloads, hostile archives."""

import gzip
import hashlib
import io
import socket
import tarfile
import threading
import tracemalloc
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import tqdm

from minires import data
from minires.data import cifar10 as module
from minires.data import download
from minires.data.download import fetch, unpack
from minires.errors import DataError

PAYLOAD = np.random.default_rng(0).bytes(300_000)
MD5 = hashlib.md5(PAYLOAD, usedforsecurity=False).hexdigest()


@pytest.fixture
def server():
    """A web server on this machine, told by its attributes how to misbehave."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if behavior["error"]:
                self.send_error(behavior["error"])
                return
            asked.append(self.headers.get("Range"))
            start = 0
            if self.headers.get("Range") and behavior["ranges"]:
                start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
                if start >= len(PAYLOAD):
                    self.send_error(416)
                    return
                self.send_response(206)
            else:
                self.send_response(200)
            self.send_header("Content-Type", behavior["type"])
            self.send_header("Content-Length", str(len(PAYLOAD) - start))
            self.end_headers()
            self.wfile.write(behavior["change"](PAYLOAD[start : start + behavior["most"]]))

        def log_message(self, *args):
            pass

    asked, behavior = (
        [],
        {"error": None, "ranges": True, "type": "application/gzip", "most": 1 << 30, "change": lambda b: b},
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/archive", behavior, asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_download_arrives_and_is_not_repeated(server, tmp_path):
    url, _, asked = server
    for _ in range(2):
        assert fetch(url, tmp_path / "new" / "file", md5=MD5).read_bytes() == PAYLOAD
    assert asked == [None]
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["file"]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_cut_short_is_kept_and_resumed(server, tmp_path, ranges):
    url, behavior, asked = server
    behavior.update(most=100_000, ranges=ranges)
    with pytest.raises(DataError, match="ended after 100000 of 300000 bytes; the same command goes on from there"):
        fetch(url, tmp_path / "file", md5=MD5)
    behavior["most"] = 1 << 30
    assert fetch(url, tmp_path / "file", md5=MD5).read_bytes() == PAYLOAD
    assert asked == [None, "bytes=100000-"]


def test_a_complete_part_is_used_without_another_byte(server, tmp_path):
    url, _, _ = server
    (tmp_path / "file.part").write_bytes(PAYLOAD)
    assert fetch(url, tmp_path / "file", md5=MD5).read_bytes() == PAYLOAD


def test_wrong_bytes_are_thrown_away(server, tmp_path):
    url, behavior, _ = server
    behavior["change"] = lambda b: b[:-1] + b"x"
    with pytest.raises(DataError, match=f"instead of {MD5}; it was thrown away"):
        fetch(url, tmp_path / "file", md5=MD5)
    assert list(tmp_path.iterdir()) == []


def test_a_web_page_is_no_archive(server, tmp_path):
    url, behavior, _ = server
    behavior["type"] = "text/html; charset=utf-8"
    with pytest.raises(DataError, match="answered with a web page"):
        fetch(url, tmp_path / "file", md5=MD5)


def test_without_a_network_the_way_out_is_named(tmp_path):
    with pytest.raises(DataError, match=r"cannot be downloaded .* give a local copy with --data"):
        fetch("http://127.0.0.1:9/nothing", tmp_path / "file", md5=MD5, timeout=2)


def test_a_server_that_refuses_is_quoted(server, tmp_path):
    url, behavior, _ = server
    behavior["error"] = 404
    with pytest.raises(DataError, match="cannot be downloaded: the server says 404 Not Found"):
        fetch(url, tmp_path / "file", md5=MD5)


def test_ctrl_c_keeps_what_has_come_and_the_next_call_goes_on(server, tmp_path, monkeypatch):
    url, _, asked = server
    monkeypatch.setattr(download, "CHUNK", 100_000)
    whole, parts = tqdm.tqdm.update, []

    def interrupted(bar, n=1):
        parts.append(n)
        if len(parts) == 2:
            raise KeyboardInterrupt
        return whole(bar, n)

    monkeypatch.setattr(tqdm.tqdm, "update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch(url, tmp_path / "file", md5=MD5)
    assert (tmp_path / "file.part").read_bytes() == PAYLOAD[:200_000]
    assert fetch(url, tmp_path / "file", md5=MD5).read_bytes() == PAYLOAD
    assert asked == [None, "bytes=200000-"]


def test_two_downloads_at_once_wait_for_each_other(server, tmp_path, capfd):
    pytest.importorskip("fcntl")
    url, behavior, asked = server
    begun = threading.Event()
    go_on = threading.Event()

    def slow(content):
        begun.set()
        go_on.wait(10)
        return content

    behavior["change"] = slow
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(fetch(url, tmp_path / "file", md5=MD5).read_bytes()))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    assert begun.wait(10)
    while capfd.readouterr().err.count("waiting for another process that writes to") < 1:
        assert not found
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert found == [PAYLOAD] * 3
    assert asked == [None]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


class FullDisk(io.FileIO):
    def write(self, content):
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("spoil", ["open", "write", "replace", "mkdir"])
def test_a_disk_that_refuses_is_named_with_the_path(server, tmp_path, monkeypatch, spoil):
    url, _, _ = server
    path = tmp_path / "new" / "file"

    def refuse(*args, **kwargs):
        raise OSError(30, "Read-only file system")

    if spoil in ("open", "write"):
        monkeypatch.setattr(download, "open", refuse if spoil == "open" else FullDisk, raising=False)
    else:
        monkeypatch.setattr(*((download.os, "replace") if spoil == "replace" else (download.Path, "mkdir")), refuse)
    said = "No space left on device" if spoil == "write" else "Read-only file system"
    with pytest.raises(DataError, match=rf"{tmp_path}.* cannot be written: {said}; MINIRES_DATA names another folder"):
        fetch(url, path, md5=MD5)


def test_an_archive_that_finds_no_room_says_where(tmp_path, monkeypatch):
    path = archive(tmp_path / "t.tar.gz", GOOD, NOTE)
    monkeypatch.setattr(download, "open", FullDisk, raising=False)
    with pytest.raises(DataError, match=r"t\.tar\.gz cannot be unpacked into .*out: .*No space left"):
        unpack(path, tmp_path / "out", SIZES)


def test_a_cache_folder_that_cannot_be_made_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MINIRES_DATA", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError, match="cache cannot be written: Not a directory; MINIRES_DATA names another folder"):
        data.load("cifar10")


def test_without_a_home_folder_the_way_out_is_named(monkeypatch):
    def home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("MINIRES_DATA", raising=False)
    monkeypatch.setattr(module.Path, "home", home)
    with pytest.raises(DataError, match="name a folder in MINIRES_DATA"):
        data.load("cifar10")


def archive(path, *members):
    """A tar.gz of (name, content, attributes) members."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content, attributes in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in attributes.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(content))
    return path


GOOD = ("f/a.bin", b"12345", {})
SIZES = {"f/a.bin": 5, "f/note.txt": None}
NOTE = ("f/note.txt", b"words", {})


def test_known_files_are_unpacked(tmp_path):
    unpack(archive(tmp_path / "t.tar.gz", ("f", b"", {"type": tarfile.DIRTYPE}), GOOD, NOTE), tmp_path / "out", SIZES)
    assert (tmp_path / "out/f/a.bin").read_bytes() == b"12345"
    assert sorted(p.name for p in (tmp_path / "out/f").iterdir()) == ["a.bin", "note.txt"]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([GOOD, NOTE, ("../evil", b"x", {})], "'../evil', which does not belong there"),
        ([GOOD, NOTE, ("/tmp/evil", b"x", {})], "'/tmp/evil', which does not belong"),
        ([GOOD, NOTE, ("f/other", b"x", {})], "'f/other', which does not belong"),
        ([NOTE, ("f/a.bin", b"", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"})], "is no regular file"),
        ([NOTE, ("f/a.bin", b"", {"type": tarfile.LNKTYPE, "linkname": "f/note.txt"})], "is no regular file"),
        ([NOTE, ("f/a.bin", b"", {"type": tarfile.CHRTYPE})], "is no regular file"),
        ([NOTE, ("f/a.bin", b"123456", {})], "another size than it should"),
        ([GOOD, ("f/note.txt", bytes(2_000_000), {})], "another size than it should"),
        ([GOOD, GOOD, NOTE], "'f/a.bin' twice"),
        ([GOOD], "lacks f/note.txt"),
    ],
)
def test_a_hostile_or_wrong_archive_leaves_nothing_behind(tmp_path, members, message):
    with pytest.raises(DataError, match=message):
        unpack(archive(tmp_path / "t.tar.gz", *members), tmp_path / "out", SIZES)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [tmp_path / "t.tar.gz"]


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b" + bytes(50)])
def test_what_is_no_archive_is_a_data_error(tmp_path, content):
    (tmp_path / "t.tar.gz").write_bytes(content)
    with pytest.raises(DataError, match="cannot be unpacked"):
        unpack(tmp_path / "t.tar.gz", tmp_path, SIZES)


def test_a_truncated_archive_is_a_data_error(tmp_path):
    path = archive(tmp_path / "t.tar.gz", ("f/a.bin", np.random.default_rng(0).bytes(50_000), {}), NOTE)
    path.write_bytes(path.read_bytes()[:30_000])
    with pytest.raises(DataError, match="cannot be unpacked"):
        unpack(path, tmp_path / "out", {"f/a.bin": 50_000, "f/note.txt": None})


@pytest.fixture
def tiny(monkeypatch):
    """A CIFAR-10 of 4 records a file."""
    monkeypatch.setattr(module, "BATCH", 4)

    def write(root):
        folder = root / module.FOLDER
        folder.mkdir(parents=True)
        for k, name in enumerate(module.TRAIN + module.TEST):
            records = np.random.default_rng(k).integers(0, 256, (4, module.RECORD), dtype=np.uint8)
            records[:, 0] = [k, 9, 0, 5]
            (folder / name).write_bytes(records.tobytes())
        return folder

    return write


def test_a_local_copy_is_found_by_its_folder_or_by_what_holds_it(tiny, tmp_path):
    folder = tiny(tmp_path)
    for root in (tmp_path, folder):
        train, test = data.load("cifar10", root)
        assert (len(train), len(test), train.shape) == (20, 4, (3, 32, 32))
        np.testing.assert_array_equal(test.labels, [5, 9, 0, 5])
    record = np.frombuffer((folder / "test_batch.bin").read_bytes(), np.uint8)[: module.RECORD]
    image = test.pixels([0])[0]
    assert image[0, 0, 1] == record[2]  # red, first row, second pixel
    assert image[2, 31, 31] == record[-1]  # blue, last


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda b: b[:-1], "instead of 4 records of 3073"),
        (lambda b: b"", "has 0 bytes"),
        (lambda b: b[:3073], "has 3073 bytes"),
        (lambda b: b + b[:3073], "has 15365 bytes"),
        (lambda b: b"\xff" + b[1:], "holds the label 255"),
    ],
)
def test_a_damaged_batch_is_noticed(tiny, tmp_path, spoil, message):
    path = tiny(tmp_path) / "data_batch_3.bin"
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DataError, match=message):
        data.load("cifar10", tmp_path)


def test_a_local_copy_may_be_named_by_its_archive(tiny, tmp_path, monkeypatch):
    folder = tiny(tmp_path / "made")
    (folder / "batches.meta.txt").write_text("names")
    with tarfile.open(tmp_path / module.ARCHIVE, "w:gz") as tar:
        tar.add(folder, arcname=module.FOLDER)
    content = (tmp_path / module.ARCHIVE).read_bytes()
    monkeypatch.setattr(module, "MD5", hashlib.md5(content, usedforsecurity=False).hexdigest())
    monkeypatch.setattr(module, "SIZES", {k: v and 4 * module.RECORD for k, v in module.SIZES.items()})
    assert len(data.load("cifar10", tmp_path / module.ARCHIVE)[0]) == 20


def test_a_batch_of_gigabytes_is_not_read(tiny, tmp_path, monkeypatch):
    with open(tiny(tmp_path) / "data_batch_3.bin", "ab") as file:
        file.truncate(1 << 40)
    monkeypatch.setattr(
        np,
        "fromfile",
        lambda path, dtype: np.zeros(4 * module.RECORD, dtype) if "3" not in path.name else pytest.fail("it was read"),
    )
    with pytest.raises(DataError, match="has 1099511627776 bytes instead of"):
        data.load("cifar10", tmp_path)


def test_a_folder_without_cifar10_says_what_was_looked_for(tmp_path):
    with pytest.raises(DataError, match=r"neither cifar-10-batches-bin/data_batch_1\.bin nor cifar-10-binary\.tar\.gz"):
        data.load("cifar10", tmp_path)


def test_a_local_archive_must_be_the_official_one(tmp_path):
    archive(tmp_path / module.ARCHIVE, GOOD)
    with pytest.raises(DataError, match="not the official archive"):
        data.load("cifar10", tmp_path)


def test_an_archive_is_downloaded_unpacked_and_read(tiny, server, tmp_path, monkeypatch):
    folder = tiny(tmp_path / "made")
    (folder / "batches.meta.txt").write_text("names")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        tar.add(folder, arcname=module.FOLDER)
    content = (tmp_path / "a.tar.gz").read_bytes()
    url, behavior, _ = server
    monkeypatch.setitem(globals(), "PAYLOAD", content)
    monkeypatch.setattr(module, "URL", url)
    monkeypatch.setattr(module, "MD5", hashlib.md5(content, usedforsecurity=False).hexdigest())
    monkeypatch.setattr(module, "SIZES", {k: v and 4 * module.RECORD for k, v in module.SIZES.items()})
    monkeypatch.setenv("MINIRES_DATA", str(tmp_path / "cache"))
    assert len(data.load("cifar10")[0]) == 20
    behavior["type"] = "text/html"
    assert len(data.load("cifar10")[0]) == 20  # from the cache


@pytest.mark.parametrize(
    "reply", [b"", b"not HTTP\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nabc"]
)
def test_a_server_that_breaks_the_protocol_is_a_data_error(tmp_path, reply):
    def answer():
        connection, _ = listener.accept()
        with connection:
            connection.recv(1 << 16)
            connection.sendall(reply)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(DataError, match="cannot be downloaded"):
            fetch(f"http://127.0.0.1:{listener.getsockname()[1]}/archive", tmp_path / "file", md5=MD5, timeout=5)
        thread.join()


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.REGTYPE])
def test_a_bomb_is_left_before_it_goes_off(tmp_path, kind):
    info = tarfile.TarInfo("readme.html")
    info.type, info.size = kind, 64 << 20
    with gzip.open(tmp_path / "t.tar.gz", "wb", 1) as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(64):
            file.write(bytes(1 << 20))
    tracemalloc.start()
    with pytest.raises(DataError, match="unpacks to more than the 2,097,157 bytes that belong there"):
        unpack(tmp_path / "t.tar.gz", tmp_path / "out", SIZES)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20
