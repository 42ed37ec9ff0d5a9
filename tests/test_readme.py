"""What the README shows is what happens."""

import re
from pathlib import Path

import pytest

from minires.gradcheck.__main__ import main as gradcheck
from minires.nn import count_parameters
from minires.tensor import registry
from minires.train.__main__ import parse

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
PROGRAMS = [block for block in re.findall(r"```python\n(.*?)```", TEXT, re.S) if "import" in block]


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_programs_run_and_print_what_they_say(program, capsys):
    exec(compile(program, "README.md", "exec"), {})
    out = capsys.readouterr().out
    for promised in re.findall(r"^# (FAILED.*)$", program, re.M):
        assert promised in out


def test_the_table_of_the_gradient_check_is_its_own(capsys):
    shown = re.search(r"\$ python -m minires\.gradcheck (.*?)\n(.*?)```", TEXT, re.S)
    assert gradcheck(shown[1].split()) == 0
    columns = [line.split()[:3] for line in capsys.readouterr().out.splitlines()[1:-1]]
    assert columns == [line.split()[:3] for line in shown[2].splitlines()[1:-1]]
    assert f"all {len(registry)} ops" in TEXT


def test_the_training_commands_are_understood():
    commands = re.findall(r"^python -m minires\.train(.*?)(?:#.*)?$", TEXT, re.M)
    assert len(commands) == 3
    for command in commands:
        parse(command.split())


def test_counts_of_parameters_are_the_models_own():
    from minires import models
    table = TEXT[TEXT.index("## Models"):TEXT.index("`models.create(")]
    for name in ("resnet18", "resnet34", "resnet50", "plain18", "plain34", "resnet20", "resnet56", "resnet110"):
        assert f"{count_parameters(models.create(name)):,}" in table


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(((?!http)[^)]+)\)", TEXT):
        assert (ROOT / target).exists(), target
