"""The annotations hold: mypy accepts minires and what a user writes, and finds what is wrong."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import minires

pytest.importorskip("mypy", reason="mypy is not installed; it is what checks the types")

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """{path: {line: what mypy says there}} of minires, user.py and wrong.py: one run, because it takes seconds."""
    cache = tmp_path_factory.mktemp("mypy")
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--config-file",
        ROOT / "setup.cfg",
        "--cache-dir",
        cache,
        "--hide-error-context",
        "--no-error-summary",
        ROOT / "minires",
        HERE / "user.py",
        HERE / "wrong.py",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert not done.stderr
    found = {}
    for path, line, text in re.findall(r"^(.+?):(\d+): error: (.*)$", done.stdout, re.MULTILINE):
        found.setdefault((ROOT / path).resolve(), {}).setdefault(int(line), []).append(text)
    assert done.returncode == (1 if found else 0), done.stdout
    return found


def test_mypy_accepts_minires_and_what_a_user_writes(said):
    assert {path.name: lines for path, lines in said.items() if path != HERE / "wrong.py"} == {}


def test_mypy_finds_every_wrong_line_and_says_why(said):
    found = said[HERE / "wrong.py"]
    wanted = {
        number: line.rsplit("  # ", 1)[1]
        for number, line in enumerate((HERE / "wrong.py").read_text(encoding="utf-8").splitlines(), 1)
        if "  # " in line
    }
    assert len(wanted) > 60
    assert [
        (number, words) for number, words in wanted.items() if not any(words in text for text in found.get(number, []))
    ] == []
    assert sorted(found) == sorted(wanted)


def test_a_checker_sees_the_rooms_that_minires_opens_when_asked():
    tree = ast.parse((ROOT / "minires" / "__init__.py").read_text(encoding="utf-8"))
    block = next(
        node for node in tree.body if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
    )
    seen = {alias.name for node in block.body for alias in node.names}
    assert seen == set(minires.__dir__()) - set(minires.__all__)


def test_at_run_time_a_call_is_what_it_was():
    """Annotations are for the reader: what help() shows names the settings with their defaults."""
    assert (
        str(inspect.signature(minires.ops.conv2d))
        == "(x, weight, bias=None, *, stride=1, padding=0, dilation=1, groups=1)"
    )
    assert str(inspect.signature(minires.ops.conv2d)) == str(inspect.signature(minires.ops.conv2d.raw))
    shown = str(inspect.signature(minires.models.plain8))
    assert shown.startswith(
        "(*, num_classes: int = 10, in_channels: int = 3, width: int = 16, zero_init_residual: bool = False, "
        "order: str = "
    )
