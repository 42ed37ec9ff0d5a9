"""Downloading an archive and unpacking known files from it. Neither the network nor the archive is trusted."""

import contextlib
import gzip
import hashlib
import http.client
import os
import shutil
import sys
import tarfile
import urllib.error
import urllib.request
import zlib
from pathlib import Path

from minires.console import progress_bar
from minires.errors import DataError
from minires.system import fcntl

CHUNK = 1 << 20


def checksum(path, algorithm):
    """The hexadecimal digest of a file."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def writing(path):
    """Turns an OSError inside the block into a DataError that names the path."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{path} cannot be written: {error.strerror or error}; MINIRES_DATA names another folder for downloads"
        ) from error


@contextlib.contextmanager
def locked(folder):
    """Makes the folder and locks it: one process or thread at a time is inside such a block."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    if fcntl is None:  # Windows and the browser
        yield
        return
    with writing(folder):
        lock = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network drives have no locks
            _lock(lock, folder)
        yield
    finally:
        os.close(lock)


def _lock(lock, folder):
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with contextlib.suppress(OSError):  # the terminal may be gone
            print(f"waiting for another process that writes to {folder} ...", file=sys.stderr, flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)


def fetch(url, path, *, md5, timeout=30):
    """Download url to path with a progress bar, continue an interrupted download, and check the MD5.

    The bytes go to path.part, which is renamed once the checksum is right. A short download is kept for the next call.
    Raises DataError without a network, for a short download, for HTML instead of data, and for a wrong checksum.
    """
    path = Path(path)
    with locked(path.parent):
        if not (path.is_file() and checksum(path, "md5") == md5):
            _fetch(url, path, md5, timeout)
    return path


def _fetch(url, path, md5, timeout):
    part = path.with_name(path.name + ".part")
    tqdm = progress_bar("the download's progress bar")
    have = part.stat().st_size if part.exists() else 0
    total = None
    with _request(url, have, timeout) as reply:
        if reply is not None:
            if "text/html" in reply.headers.get("Content-Type", ""):
                raise DataError(
                    f"{url} answered with a web page instead of {path.name}; a proxy or login page is in "
                    "between, or the file has moved"
                )
            if reply.status != 206:  # the server starts from the beginning
                have = 0
            with _network(url):
                total = have + int(reply.headers.get("Content-Length") or 0) or None
            with (
                writing(part),
                open(part, "ab" if have else "wb") as file,
                tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=path.name, disable=None) as bar,
            ):
                while chunk := _read(reply, url):
                    file.write(chunk)
                    bar.update(len(chunk))
    size = part.stat().st_size
    if total is not None and size < total:
        raise DataError(
            f"the download of {path.name} ended after {size} of {total} bytes; the same command goes on from there"
        )
    found = checksum(part, "md5")
    with writing(path):
        if found != md5:
            part.unlink()
            raise DataError(
                f"{path.name} from {url} has the MD5 {found} instead of {md5}; it was thrown away, try again"
            )
        os.replace(part, path)


@contextlib.contextmanager
def _network(url):
    """Turns an error of the network or the server inside the block into a DataError that names the remedy."""
    try:
        yield
    except urllib.error.HTTPError as error:
        raise DataError(f"{url} cannot be downloaded: the server says {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:  # no host, a broken connection, no HTTP
        raise DataError(
            f"{url} cannot be downloaded ({getattr(error, 'reason', error)}); try again, or give a local "
            "copy with --data"
        ) from error


def _read(reply, url):
    with _network(url):
        return reply.read(CHUNK)


def _request(url, have, timeout):
    """The server's reply to a request for all but the first `have` bytes; None within if there are no more."""
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with _network(url):
        try:
            return urllib.request.urlopen(request, timeout=timeout)
        except urllib.error.HTTPError as error:
            if error.code != 416:  # 416: the part is complete, or longer than the file
                raise
    return contextlib.nullcontext()


def unpack(archive, folder, sizes):
    """Unpack the files named in sizes {name: bytes, or None for up to a megabyte} from a .tar.gz archive into folder.

    Each must be there once, as a regular file of that size. Links, devices, names that leave the folder and unexpected
    files are refused before any file has its final name. Raises DataError.
    """
    archive = Path(archive)
    folder = Path(folder)
    with locked(folder):
        _unpack(archive, folder, sizes)


def _unpack(archive, folder, sizes):
    written = []
    try:
        most = sum(CHUNK if size is None else size for size in sizes.values()) + CHUNK  # and headers
        # A stream reads nothing twice, and lets the sizes be checked before a file is written.
        with gzip.open(archive) as stream, tarfile.open(fileobj=_Bounded(stream, most, archive), mode="r|") as tar:
            for member in tar:
                name = os.path.normpath(member.name)
                if member.isdir() and not (os.path.isabs(name) or name.startswith("..")):
                    continue
                if name not in sizes:
                    if member.isreg() and Path(name).name == "readme.html":
                        continue  # the official archive has one
                    raise DataError(f"{archive} holds {member.name!r}, which does not belong there; it is not unpacked")
                limit = sizes[name]
                if not member.isreg() or (member.size != limit if limit is not None else member.size > CHUNK):
                    kind = "has another size than it should" if member.isreg() else "is no regular file"
                    raise DataError(f"{archive}: {member.name!r} {kind} ({member.size} bytes); it is not unpacked")
                if name in (n for n, _ in written):
                    raise DataError(f"{archive} holds {member.name!r} twice; it is not unpacked")
                beside = folder / f"{name}.part"
                written.append((name, beside))
                beside.parent.mkdir(parents=True, exist_ok=True)
                with tar.extractfile(member) as source, open(beside, "wb") as target:
                    shutil.copyfileobj(source, target, CHUNK)
        missing = set(sizes) - {name for name, _ in written}
        if missing:
            raise DataError(f"{archive} lacks {', '.join(sorted(missing))}")
        for name, beside in written:
            os.replace(beside, folder / name)
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise DataError(f"{archive} cannot be unpacked into {folder}: {error}") from error
    finally:
        for _, beside in written:
            with contextlib.suppress(OSError):
                beside.unlink()


class _Bounded:
    """A stream that ends in DataError after `most` bytes: a megabyte of gzip can hold a header of a gigabyte."""

    def __init__(self, stream, most, archive):
        self.stream, self.left, self.most, self.archive = stream, most, most, archive

    def read(self, size):
        content = self.stream.read(size)
        self.left -= len(content)
        if self.left < 0:
            raise DataError(
                f"{self.archive} unpacks to more than the {self.most:,} bytes that belong there; it is not unpacked"
            )
        return content
