"""Names that people mistype."""

import ast
from pathlib import Path

import pytest

import minires
from minires.settings import did_you_mean


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("conv3d", "did you mean conv2d?"),
        ("Batch-Nrm", "did you mean batch_norm?"),
        ("relu_", "did you mean relu?"),
        ("xyz", "there are three"),
        (3, "there are three"),
    ],
)
def test_a_mistyped_name_gets_those_that_are_near_in_any_spelling(name, hint):
    assert did_you_mean(name, ["relu", "conv2d", "batch_norm"], "there are three") == hint


def test_several_near_names_are_all_said_the_nearest_first():
    assert did_you_mean("resnet21", ["vgg", "resnet101", "resnet20"], most=2) == "did you mean resnet20 or resnet101?"


def test_one_module_alone_decides_which_names_are_near():
    def imported(path):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)

    package = Path(minires.__file__).parent
    assert [path.name for path in package.rglob("*.py") if "difflib" in imported(path)] == ["settings.py"]
