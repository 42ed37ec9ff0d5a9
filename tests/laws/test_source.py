"""What holds of every source file, seen in its syntax tree."""

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[2]
FILES = [
    f for room in ("minires", "tests", "benchmarks", "tutorials", "docs") for f in sorted((ROOT / room).rglob("*.py"))
]


def says_several_things(node):
    """Whether this is `a, b = f(), g()`: several values for several names, of which one is called for."""
    return (
        isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Tuple)
        and isinstance(node.value, ast.Tuple)
        and len(node.value.elts) > 1
        and any(isinstance(part, ast.Call) for part in ast.walk(node.value))
    )


def several(source):
    """The lines of a source whose statement says several things."""
    return [node.lineno for node in ast.walk(ast.parse(source)) if says_several_things(node)]


def test_files_are_found():
    assert len(FILES) > 300


def test_no_two_files_of_tests_have_one_name():
    """pytest imports them by their names alone, and would collect none of them."""
    names = [file.name for file in FILES if file.name.startswith("test_")]
    assert sorted(names) == sorted(set(names))


def test_a_statement_that_says_several_things_is_seen():
    source = "a, b = x.shape\na, b = b, a\na, b = f()\na, b = f(), 1\nself.a, b = 1, [c for c in g()]"
    assert several(source) == [4, 5]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_one_statement_says_one_thing(file):
    lines = several(file.read_text(encoding="utf-8"))
    assert not lines, f"{file}: one statement a value, please, in the lines {lines}"


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/guide.md"])
def test_one_statement_says_one_thing_in_the_code_of_a_page(page):
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert blocks
    for block in blocks:
        if not block.partition("\n")[2].startswith("    "):  # a line of a list, as CONTRIBUTING adds it
            assert not several(block), block


@pytest.mark.parametrize(
    "file",
    [f for f in FILES if f.relative_to(ROOT).parts[0] == "minires"],
    ids=lambda f: f.relative_to(ROOT).as_posix(),
)
def test_no_person_stands_for_a_variable_or_a_process(file):
    persons = re.findall(r"\b(?:[Nn]obody|[Ss]omebody|[Ww]hoever)\b", file.read_text(encoding="utf-8"))
    assert not persons, f"{file}: say what it is, not {persons[0]}"
