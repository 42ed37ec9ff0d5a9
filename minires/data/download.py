"""Fetching an archive and taking known files out of it, trusting neither the network nor the archive."""

import gzip
import hashlib
import http.client
import os
import shutil
import tarfile
import urllib.error
import urllib.request
import zlib
from pathlib import Path

from minires.errors import DataError, need

CHUNK = 1 << 20


def checksum(path, algorithm):
    """The hexadecimal digest of a file."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def fetch(url, path, *, md5, timeout=30):
    """Download url to path with a progress bar, resuming what an earlier call left, and check its MD5.

    The bytes go to path.part, which is renamed once the checksum is right. Raises DataError without a network, for a
    short download (what came is kept, the same call goes on), for HTML instead of data, and for a wrong checksum.
    """
    path = Path(path)
    if path.is_file() and checksum(path, "md5") == md5:
        return path
    tqdm = need("tqdm", "data", for_what="the download's progress bar").tqdm
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as reply:
            if "text/html" in reply.headers.get("Content-Type", ""):
                raise DataError(f"{url} answered with a web page instead of {path.name}; a proxy or login page is in "
                                "between, or the file has moved")
            if reply.status != 206:  # the server starts from the beginning
                have = 0
            left = int(reply.headers.get("Content-Length") or 0)
            total = have + left or None
            with open(part, "ab" if have else "wb") as file, tqdm(
                    total=total, initial=have, unit="B", unit_scale=True, desc=path.name, disable=None) as bar:
                while chunk := reply.read(CHUNK):
                    file.write(chunk)
                    bar.update(len(chunk))
    except urllib.error.HTTPError as error:
        if error.code != 416:  # 416: there is nothing left to send, the part is complete or longer than the file
            raise DataError(f"{url} cannot be downloaded: the server says {error.code} {error.reason}") from error
        total = None
    except (OSError, http.client.HTTPException) as error:  # no network, no such host, a connection that breaks
        raise DataError(f"{url} cannot be downloaded ({getattr(error, 'reason', error)}); try again, or give a local "
                        "copy with --data") from error
    size = part.stat().st_size
    if total is not None and size < total:
        raise DataError(f"the download of {path.name} ended after {size} of {total} bytes; the same command goes on "
                        "from there")
    found = checksum(part, "md5")
    if found != md5:
        part.unlink()
        raise DataError(f"{path.name} from {url} has the MD5 {found} instead of {md5}; it was thrown away, try again")
    os.replace(part, path)
    return path


def unpack(archive, folder, sizes):
    """Take the files named in sizes {name: bytes, or None for up to a megabyte} out of a .tar.gz archive into folder.

    Each must be a regular file of that size, once; links, devices, names that leave the folder and any file that is not
    expected are refused before anything is written under its own name. Raises DataError.
    """
    archive, folder = Path(archive), Path(folder)
    written = []
    try:
        most = sum(CHUNK if size is None else size for size in sizes.values()) + CHUNK  # the last for headers, padding
        # As a stream: nothing is read twice, sizes are checked on the way.
        with (gzip.open(archive) as stream,
              tarfile.open(fileobj=_Bounded(stream, most, archive), mode="r|") as tar):
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
        raise DataError(f"{archive} cannot be unpacked: {error}") from error
    finally:
        for _, beside in written:
            beside.unlink(missing_ok=True)


class _Bounded:
    """A stream that ends in DataError after `most` bytes: a megabyte of gzip can hold a header of a gigabyte."""

    def __init__(self, stream, most, archive):
        self.stream, self.left, self.most, self.archive = stream, most, most, archive

    def read(self, size):
        content = self.stream.read(size)
        self.left -= len(content)
        if self.left < 0:
            raise DataError(f"{self.archive} unpacks to more than the {self.most:,} bytes that belong there; "
                            "it is not unpacked")
        return content
