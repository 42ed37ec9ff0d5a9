"""Standard output that is full, closed, or without some letters ends a command in one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_lines import posix, said, script

ROOT = Path(__file__).parents[2]


@posix
def test_a_full_output_is_told_once_and_what_follows_is_done(tmp_path):
    body = f"""
        try:
            for _ in range(10_000):
                print("a line")
        finally:
            print("and another")
            open({str(tmp_path / "kept")!r}, "w").close()
        """
    with open("/dev/full", "w") as full:
        found = said(body, stdout=full)
    assert (found.returncode, found.stderr) == (2, "me: standard output cannot be written: No space left on device\n")
    assert (tmp_path / "kept").exists()


@pytest.fixture
def left():
    """A pipe whose reader has left."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@posix
@pytest.mark.parametrize("status", [0, 1, 2])
@pytest.mark.parametrize("words", ["'a line'", "'few words, which stay in the buffer until the end', end=''"])
def test_a_reader_that_leaves_changes_no_status_and_is_no_noise(left, tmp_path, words, status):
    body = f"print({words}); print('more'); open({str(tmp_path / 'done')!r}, 'w').close(); return {status}"
    found = said(body, stdout=left)
    assert (found.returncode, found.stderr) == (status, "")
    assert (tmp_path / "done").exists()


@posix
def test_a_reader_that_leaves_what_needs_one_is_a_mistake(left):
    found = said("console.need_reader(); print('a line')", stdout=left)
    assert (found.returncode, found.stderr) == (2, "me: standard output cannot be written: Broken pipe\n")


@posix
@pytest.mark.parametrize(
    "command",
    [
        ["minires"],
        ["minires.train", "--list-models"],
        ["minires.train", "--help"],
        ["minires.gradcheck", "--list"],
        ["minires.gradcheck", "relu"],
        ["minires.gradcheck", "--bugs", "relu"],
        ["minires.lab"],
        ["benchmarks", "--list"],
    ],
)
def test_a_reader_that_leaves_a_command_is_no_mistake(left, command):
    found = subprocess.run(
        [sys.executable, "-m", *command], stdout=left, stderr=subprocess.PIPE, text=True, cwd=ROOT, timeout=60
    )
    assert (found.returncode, found.stderr) == (0, "")


@posix
def test_help_that_cannot_be_shown_is_status_2():
    with open("/dev/full", "w") as full:
        found = said("console.Parser(prog='me').parse_args(['--help'])", stdout=full)
    assert (found.returncode, found.stderr) == (2, "me: standard output cannot be written: No space left on device\n")


@posix
@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_closed_stream_ends_nothing_and_no_file_takes_its_place(tmp_path, closed):
    """The descriptor closed; the file that is opened must not get it, or prints would land in it."""
    body = f"""
        with open({str(tmp_path / "file")!r}, "w") as file:
            print("out"); print("err", file=sys.stderr); os.write(1, b""); os.write(2, b"")
            file.write(str(file.fileno() > 2))
        """
    found = subprocess.run(
        ["bash", "-c", f'"$@" {closed}{"<" if closed == 0 else ">"}&-', "-", *script(body)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert found.returncode == 0, found.stderr
    assert (tmp_path / "file").read_text() == "True"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_a_console_without_the_letters_shows_question_marks(encoding):
    found = said(
        "print('∂L/∂x of ü: done')",
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        encoding=encoding,
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout == f"?L/?x of {'?' if encoding == 'ascii' else 'ü'}: done\n"
