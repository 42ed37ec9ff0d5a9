"""A file is written whole or not at all, whatever it is and whichever process is killed."""

import errno
import os
import signal
import stat
import subprocess
import sys

import numpy as np
import pytest

from minires import storage

ARRAYS = {"a": np.arange(6, dtype=np.float32)}
posix = pytest.mark.skipif(os.name == "nt", reason="links, pipes and locks are POSIX's")


@pytest.mark.parametrize("failing", ["replace", "fsync"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, failing):
    path = tmp_path / "w"
    storage.save(path, {"a": ARRAYS["a"]})
    before = path.read_bytes()

    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match=rf"disk full: '.*{path.name}'"):
        storage.save(path, {"a": ARRAYS["a"] + 1})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["w"]


def test_a_folder_that_cannot_be_synced_does_not_fail_a_write_that_is_done(tmp_path, monkeypatch):
    sync, synced = os.fsync, []

    def files_only(handle):
        synced.append(stat.S_ISDIR(os.fstat(handle).st_mode))
        if synced[-1]:
            raise OSError("Invalid argument")
        sync(handle)

    monkeypatch.setattr(os, "fsync", files_only)
    storage.atomic_write(tmp_path / "w", b"new")
    assert (tmp_path / "w").read_bytes() == b"new"
    assert synced == [False, True]


def test_permissions_are_those_of_other_files_whatever_the_umask_is_said_to_be(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "umask", lambda mask: 0o777)  # what a browser says
    storage.atomic_write(tmp_path / "w", b"x")
    (tmp_path / "plain").write_bytes(b"x")
    assert (tmp_path / "w").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_name_that_is_taken_is_not_used(tmp_path, monkeypatch):
    names = iter(["00000000", "00000000", "11111111"])
    monkeypatch.setattr("secrets.token_hex", lambda n: next(names))
    taken = tmp_path / ".w.00000000.part"
    taken.symlink_to(tmp_path / "elsewhere")
    storage.atomic_write(tmp_path / "w", b"x")
    assert (tmp_path / "w").read_bytes() == b"x"
    assert not (tmp_path / "elsewhere").exists()


def test_folders_are_made_and_permissions_follow_the_umask(tmp_path):
    path = tmp_path / "new" / "folder" / "w"
    storage.atomic_write(path, b"x")
    (tmp_path / "plain").write_bytes(b"x")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("call", ["open", "fsync"])
def test_an_error_names_the_file_that_was_asked_for(tmp_path, monkeypatch, call):
    def fail(*args, **kwargs):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), "/some/other/.part")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="Read-only") as caught:
        storage.atomic_write(tmp_path / "w", b"x")
    assert caught.value.filename == str(tmp_path / "w")
    assert list(tmp_path.iterdir()) == []


@posix
def test_what_is_no_file_is_written_through_and_stays(tmp_path):
    storage.atomic_write("/dev/null", b"x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    os.mkfifo(tmp_path / "pipe")
    content = b"through" * 100_000  # more than a pipe holds
    with open(tmp_path / "read", "wb") as file:
        reader = subprocess.Popen(["cat", tmp_path / "pipe"], stdout=file)
    storage.atomic_write(tmp_path / "pipe", content)
    assert reader.wait(timeout=20) == 0
    assert (tmp_path / "read").read_bytes() == content
    assert stat.S_ISFIFO(os.stat(tmp_path / "pipe").st_mode)
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        storage.atomic_write("/dev/full", b"x")
    with pytest.raises(IsADirectoryError):
        storage.atomic_write(tmp_path, b"x")


@posix
@pytest.mark.parametrize("to", ["file", "pipe"])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_standard_stream_gets_it_between_what_is_printed(tmp_path, stream, to):
    code = (
        f"import sys; from minires import storage; print('before', end=' ', file=sys.{stream}); "
        f"storage.atomic_write('/dev/{stream}', b'content '); print('after', file=sys.{stream})"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with open(tmp_path / "out", "wb") as file:
        found = subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            env=environment,
            **{stream: file if to == "file" else subprocess.PIPE},
        )
    assert (getattr(found, stream) or (tmp_path / "out").read_bytes()) == b"before content after\n"


@posix
def test_a_link_stays_a_link_and_its_target_is_written(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "old").write_bytes(b"old")
    for name in ("old", "new"):
        (tmp_path / name).symlink_to(os.path.join("there", name))
        storage.atomic_write(tmp_path / name, b"content")
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / "there" / name).read_bytes() == b"content"
    assert sorted(p.name for p in (tmp_path / "there").iterdir()) == ["new", "old"]


@pytest.mark.parametrize("name", ["x" * 255, "한" * 85], ids=["ascii", "korean"])
def test_a_name_as_long_as_may_be_can_be_written(tmp_path, name):
    for content in (b"old", b"new"):
        storage.atomic_write(tmp_path / name, content)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [(name, b"new")]


@posix
def test_what_a_killed_process_left_goes_with_the_next_write_and_what_is_in_use_stays(tmp_path):
    code = f"""
import os, time
from minires import storage
def wait(handle):
    print("writing", flush=True)
    time.sleep(60)
os.fsync = wait
storage.atomic_write({str(tmp_path / "w")!r}, b"never")
"""
    writers = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(2)]
    for writer in writers:
        assert writer.stdout.readline() == b"writing\n"
    (tmp_path / ".w.mine.part").write_text("of another name")
    (tmp_path / ".v.abcdefgh.part").write_text("of another file")
    try:
        assert len(list(tmp_path.iterdir())) == 4
        writers[0].kill()
        writers[0].communicate()
        storage.atomic_write(tmp_path / "w", b"new")
        assert len(list(tmp_path.glob(".w.????????.part"))) == 1  # the other is still at work
    finally:
        writers[1].send_signal(signal.SIGKILL)
        writers[1].communicate()
    storage.atomic_write(tmp_path / "w", b"newer")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".v.abcdefgh.part", ".w.mine.part", "w"]
    assert (tmp_path / "w").read_bytes() == b"newer"


@posix
def test_many_writers_of_one_file_take_no_part_from_each_other(tmp_path):
    code = f"""
from minires import storage
for i in range(60):
    storage.atomic_write({str(tmp_path / "w")!r}, b"x" * 1000)
"""
    writers = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(3)]
    assert [writer.communicate(timeout=60)[1] for writer in writers] == [b""] * 3
    assert [p.name for p in tmp_path.iterdir()] == ["w"]
