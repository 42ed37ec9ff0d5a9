"""What docs/marking.md shows does what it says."""

import re
import shlex
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[3] / "docs" / "marking.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))
COMMANDS = re.findall(r"^minires gradcheck (.*?)(?: +#.*)?$", PAGE, re.MULTILINE)


@pytest.fixture
def page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_convolution_of_the_page_passes_but_for_what_it_does_not_take(page, grade):
    status, out = grade(*shlex.split(COMMANDS[0]))
    assert status == 0, out
    assert "passed over: it takes no padding" in out


def test_the_classifier_of_the_page_is_held_to_itself_and_a_mistake_in_it_is_seen(page, grade):
    (command,) = (words for words in COMMANDS if "6:3" in words)
    (page / "homework.py").write_text(FILES["classifier.py"])
    status, out = grade(*shlex.split(command))
    assert status == 0, out
    (page / "homework.py").write_text(FILES["classifier.py"].replace("-= 1", "+= 1"))
    assert grade(*shlex.split(command))[0] == 1
