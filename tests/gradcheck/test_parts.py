"""The gradient check has four parts, cases, checks, bugs and grading: each imports only from those before it."""

import re
from pathlib import Path

import pytest

from minires import gradcheck

ROOT = Path(gradcheck.__file__).parent
PARTS = ["cases", "checks", "bugs", "grading"]
FILES = sorted(path for path in ROOT.glob("*/*.py"))


def test_every_folder_is_one_of_the_parts():
    assert {path.parent.name for path in FILES} == set(PARTS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_part_imports_only_from_the_parts_before_it(path):
    later = PARTS[PARTS.index(path.parent.name) + 1 :]
    imported = re.findall(r"minires\.gradcheck\.(\w+)", path.read_text(encoding="utf-8"))
    assert not set(imported) & {*later, "paths", "__main__"}
