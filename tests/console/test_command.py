"""What a command raises is one line and the right exit status."""

import pytest
from command_lines import said

from minires import console
from minires.errors import OptionError


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OptionError("lr must be\nat least 0"), "me: lr must be at least 0\n"),
        (OSError(28, "No space left on device", "runs/x"), "me: runs/x: No space left on device\n"),
        (OSError(18, "Invalid cross-device link", "a", None, "b"), "me: a -> b: Invalid cross-device link\n"),
        (PermissionError("no"), "me: no\n"),
        (TimeoutError(), "me: TimeoutError\n"),
        (
            MemoryError("Unable to allocate 7 GiB"),
            "me: out of memory (Unable to allocate 7 GiB); fewer or smaller images at once need less\n",
        ),
    ],
)
def test_a_users_mistake_is_one_line_and_status_2(capsys, error, line):
    @console.command("me")
    def main(argv=None):
        raise error

    assert main() == 2
    assert capsys.readouterr().err == line


def test_control_c_is_one_line_and_status_130(capsys):
    @console.command("me")
    def main(argv=None):
        raise KeyboardInterrupt

    assert main() == 130
    assert capsys.readouterr().err == "\nme: stopped\n"


def test_a_bug_of_ours_keeps_its_traceback():
    found = said("raise RuntimeError('ours')")
    assert found.returncode == 1
    assert "Traceback" in found.stderr
