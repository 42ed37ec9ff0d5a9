"""Whether a file can be written is known before the work whose results it is to hold."""

import os
import subprocess
import sys
import threading

import pytest

from minires import storage
from minires.storage import check_writable

posix = pytest.mark.skipif(os.name == "nt", reason="links, pipes and devices are POSIX's")


def files(folder):
    return sorted((str(path), path.lstat().st_mtime_ns) for path in folder.rglob("*"))


@posix
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("folder", "Is a directory"),
        ("file/x.json", "Not a directory"),
        ("n" * 300, "File name too long"),
        ("folder/" + "n" * 300 + "/x.json", "File name too long"),
        ("loop", "Too many levels of symbolic links"),
        ("lost", "No such file or directory"),
        ("/proc/x.json", "directory|Permission"),
        ("/proc/no/x.json", "directory|Permission"),
    ],
)
def test_what_cannot_be_written_is_refused_by_its_name_and_stays(tmp_path, monkeypatch, name, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("old")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "lost").symlink_to("no/such/folder/file")
    before = files(tmp_path)
    with pytest.raises(OSError, match=said) as checked:
        check_writable("fine.json", name)
    assert checked.value.filename == name
    with pytest.raises(OSError):  # noqa: PT011 - in its own words
        storage.atomic_write(name, b"new")
    assert files(tmp_path) == before


@posix
def test_a_folder_without_the_right_to_write_is_refused(tmp_path, monkeypatch):
    def denied(*args, dir, **kwargs):
        raise PermissionError(13, "Permission denied", f"{dir}/tmp")

    monkeypatch.setattr("tempfile.TemporaryFile", denied)  # root may write everywhere
    with pytest.raises(PermissionError, match=r"Permission denied: '.*new/x.json'"):
        check_writable(tmp_path / "new" / "x.json")
    (tmp_path / "x.json").touch()  # which is replaced, and not written into
    with pytest.raises(PermissionError):
        check_writable(tmp_path / "x.json")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError, match="/dev/null"):
        check_writable("/dev/null")


def test_what_can_be_written_is_left_as_it_is(tmp_path):
    (tmp_path / "old.json").write_text("old")
    (tmp_path / "target").touch()
    if os.name != "nt":
        (tmp_path / "link").symlink_to("target")
    before = files(tmp_path)
    check_writable(
        None,
        tmp_path / "old.json",
        tmp_path / "new.json",
        tmp_path / "new" / "folder" / "x.json",
        tmp_path / "link",
        os.devnull,
    )
    assert files(tmp_path) == before


@posix
def test_a_pipe_is_not_opened_and_does_not_wait_for_a_reader(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    thread = threading.Thread(target=check_writable, args=(tmp_path / "pipe",), daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()


@posix
def test_the_file_that_is_printed_into_may_lie_in_a_folder_without_the_right_to_write(tmp_path):
    code = """if True:
        import os, sys, tempfile
        from minires.storage import atomic_write, check_writable
        def denied(*args, **kwargs):
            raise PermissionError(13, "Permission denied")
        tempfile.TemporaryFile = os.open = denied
        check_writable(sys.argv[1], "/dev/stdout")
        atomic_write(sys.argv[1], b"written")
        """
    with open(tmp_path / "out", "w") as out:
        subprocess.run([sys.executable, "-c", code, tmp_path / "out"], stdout=out, check=True)
    assert (tmp_path / "out").read_text() == "written"
