"""What the README shows is what happens."""

import inspect
import re
from pathlib import Path

import pytest

from minires import ops
from minires.gradcheck.__main__ import main as gradcheck
from minires.gradcheck.bugs import catalogue
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


CONSOLES = re.findall(r"\$ python -m minires\.gradcheck ([^\n]*)\n(.*?)```", TEXT, re.S)


def words(line):
    """A line without its numbers, which another machine rounds otherwise."""
    return re.sub(r"-?\d+(\.\d+)?(e[-+]\d+)?", "#", line).split()


@pytest.mark.parametrize(("arguments", "shown"), CONSOLES, ids=[arguments for arguments, _ in CONSOLES])
def test_consoles_show_what_is_printed(arguments, shown, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for program in PROGRAMS:
        if program.startswith("# homework.py"):
            (tmp_path / "homework.py").write_text(program)
    gradcheck(arguments.split())
    printed = list(map(words, capsys.readouterr().out.splitlines()))
    for line in shown.splitlines():
        assert line == "…" or words(line) in printed


def test_the_readmes_counts_are_right():
    assert len(CONSOLES) == 4
    assert f"all {len(registry)} ops" in TEXT
    assert f"of {len(catalogue)} mistakes" in TEXT


def test_the_residual_add_that_is_shown_is_the_one_that_runs():
    assert inspect.getsource(ops.residual_add.raw) in TEXT


@pytest.mark.parametrize("op", [op for op in registry.values() if op.__module__.startswith("minires.")],
                         ids=lambda op: op.__name__)
def test_an_op_that_calls_kernels_names_their_page(op):
    """From the README to the op, and from there to the page: two steps."""
    file = ROOT / (op.__module__.replace(".", "/") + ".py")
    calls = "kernels." in inspect.getsource(op.raw).replace("kernels.readable", "")
    pages = re.findall(r"kernels/readable/\w+\.py", inspect.getdoc(op) + file.read_text().split('"""')[1])
    assert pages or not calls
    for page in pages:
        assert (ROOT / "minires" / page).exists()


def test_the_training_commands_are_understood():
    commands = re.findall(r"^python -m minires\.train(.*?)(?:#.*)?$", TEXT, re.M)
    assert len(commands) == 4
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
