"""What CONTRIBUTING.md tells people to do works when it is done."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_imports import ROOMS

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
HEADING = re.compile(r"# (\S+?\.py)(?:, (below|in place of): (.+))?\n")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.S)


def add(block, root):
    """Add a block to the file below root that its first line names: at the end, or where the first line says."""
    file, where, line = HEADING.match(block).groups()
    body = block.partition("\n")[2]
    path = root / file
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if line:
        pattern = rf"^ *{re.escape(line)}.*\n"
        if line.startswith("def "):  # the whole function, with its decorators
            pattern = rf"(?:^@.*\n)*{pattern}(?:(?: .*)?\n)*"
        [place] = re.finditer(pattern, before, re.M)
        start = place.end() if where == "below" else place.start()
        path.write_text(before[:start] + body + before[place.end() :], encoding="utf-8")
    else:
        path.write_text(before + "\n\n" * bool(before) + body, encoding="utf-8")


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """run(command) in a copy of the library to which all worked examples were added -> its output"""
    root = tmp_path_factory.mktemp("copy")
    for part in ("minires", "tests", "setup.cfg", "ruff.toml"):
        whole = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        whole(ROOT / part, root / part)
    for block in BLOCKS:
        add(block, root)

    def run(command):
        environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
        _, *arguments = shlex.split(command)
        found = subprocess.run([sys.executable, *arguments], cwd=root, env=environment, capture_output=True, text=True)
        assert found.returncode == 0, found.stdout + found.stderr
        return found.stdout

    return run


def test_the_examples_leave_ruff_content(copy):
    pytest.importorskip("ruff")
    files = sorted({HEADING.match(block)[1] for block in BLOCKS})
    for rule in ("check", "format --check"):
        copy(f"python -m ruff {rule} {' '.join(files)}")


def test_the_op_passes_its_gradient_check_and_the_bug_is_killed(copy):
    commands = re.findall(r"^python -m minires\.gradcheck.*square$", TEXT, re.M)
    checked, killed = map(copy, commands)
    assert checked.rstrip().splitlines()[-1].startswith("9 of 9 cases passed")
    assert "1 of 1 planted bugs killed (100 %)" in killed


def test_the_kernel_is_compared_with_its_page_and_the_model_passes_its_tests(copy):
    printed = copy(
        "python -m pytest -p no:cacheprovider tests/kernels/test_readable.py tests/models/test_lenet.py "
        "-k 'numpy-square or every_readable_kernel or lenet' -rA"
    )
    assert (
        printed.count("PASSED tests/kernels/test_readable.py::test_a_fast_kernel_gives_what_its_readable_version_gives")
        == 4
    )
    assert printed.count("PASSED tests/models/test_lenet.py") == 2


def test_the_op_calls_its_kernel_in_the_end(copy):
    code = "from minires import kernels, ops; kernels.square = print; ops.square.raw('asked')"
    assert copy(f'python -c "{code}"') == "asked\n"


def test_every_block_names_its_file():
    assert len(BLOCKS) == 18
    assert all(HEADING.match(block) for block in BLOCKS)


def test_the_table_of_rooms_is_the_order_that_a_test_holds():
    table = TEXT[TEXT.index("| package or module |") : TEXT.index("## Worked examples")]
    rows = re.findall(r"^\| (`.*?) \|", table, re.M)
    assert re.findall(r"`(\w+)`", " ".join(rows)) == ROOMS


def test_there_are_ten_rules_of_language():
    assert [int(n) for n in re.findall(r"^(\d+)\. ", TEXT, re.M)] == list(range(1, 11))


def test_links_and_named_files_are_there():
    for target in re.findall(r"\]\(((?!http)[^)]+)\)", TEXT):
        assert (ROOT / target).exists(), target
    for file in re.findall(r"`((?:tests|minires|docs|benchmarks|\.ci)/[\w./]*)`", TEXT):
        assert (ROOT / file).exists(), file
