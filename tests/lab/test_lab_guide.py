"""docs/lab.md: its experiment runs as it is printed, fits on a page, and its links lead somewhere."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "lab.md").read_text(encoding="utf-8")
DEFINITION, USE = re.findall(r"```python\n(.*?)```", GUIDE, re.S)


def test_the_experiment_runs_as_printed_and_every_verdict_is_the_promised_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(DEFINITION + USE, "lab.md", "exec"), {"__name__": "lab_guide"})
    first, _, *others = capsys.readouterr().out.splitlines()
    assert first.startswith("growth: The claim held on digits")
    assert others == re.findall(r"# (\w+)$", USE, re.M)
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")


def test_the_experiment_has_about_forty_lines():
    assert len([line for line in DEFINITION.splitlines() if line]) <= 40
    assert max(map(len, GUIDE.splitlines())) <= 122


@pytest.mark.parametrize(("file", "name"), re.findall(r"\((\.\./[^()#]+)#?([^()]*)\)", GUIDE))
def test_its_links_lead_to_files_that_define_the_name(file, name):
    text = (DOCS / file).read_text(encoding="utf-8")
    assert not name or re.search(rf"(def|class) {name.rpartition('.')[2]}\b", text)


def test_its_commands_name_experiments_and_settings_that_exist():
    from minires.lab.__main__ import make_parser
    from minires.lab.experiments import EXPERIMENTS

    for words in re.findall(r"^python -m minires\.lab (\w[^#\n]*)", GUIDE, re.M):
        assert words.split()[0] in EXPERIMENTS
    flags = {flag for experiment in EXPERIMENTS.values() for flag in make_parser(experiment)._option_string_actions}
    for flag in re.findall(r"--[a-z-]+", GUIDE):
        assert flag in flags
