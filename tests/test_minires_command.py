"""python -m minires, and the command minires of an installation."""

import os
import subprocess
import sys

import pytest

import minires
from minires.__main__ import COMMANDS
from minires.__main__ import main as minires_command


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_python_m_minires_says_what_it_is_and_lists_the_commands(capsys, arguments):
    assert minires_command(arguments) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"minires {minires.__version__}: ResNet from the gradient up")
    assert all(f"python -m {name} " in out for name in COMMANDS)
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("flag", ["--version", "-V", "-v"])
def test_the_version_is_one_line(capsys, flag):
    assert minires_command([flag]) == 0
    assert capsys.readouterr() == (f"minires {minires.__version__}\n", "")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("trian", "did you mean python -m minires.train?"),
        ("GradCheck", "did you mean python -m minires.gradcheck?"),
        ("benchmark", "did you mean python -m benchmarks?"),
        ("benchmarks", "did you mean python -m benchmarks?"),
        ("-x", "see python -m minires --help"),
        ("", "see python -m minires --help"),
        ("minires", "see python -m minires --help"),
        ("nn", "see python -m minires --help"),
    ],
)
def test_a_word_that_is_no_command_is_one_line_with_what_was_meant(capsys, word, meant):
    assert minires_command([word]) == 2
    assert capsys.readouterr() == ("", f"minires: there is no command {word!r} here; {meant}\n")


@pytest.mark.parametrize("spelling", ["minires.{}", "{}"])
def test_a_command_runs_as_a_word_of_minires(capsys, spelling):
    assert minires_command([spelling.format("gradcheck"), "--list"]) == 0
    assert "residual_add\n" in capsys.readouterr().out
    assert minires_command([spelling.format("gradcheck"), "conv3d"]) == 2
    assert capsys.readouterr().err == "minires.gradcheck: there is no op 'conv3d'; did you mean conv2d?\n"
    with pytest.raises(SystemExit) as ended:
        minires_command([spelling.format("train"), "--epoch", "x"])
    assert ended.value.code == 2


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_that_is_listed_runs_as_a_word(capsys, name):
    with pytest.raises(SystemExit) as ended:
        minires_command([name.removeprefix("minires."), "--help"])
    assert ended.value.code == 0
    assert f"python -m {name}" in capsys.readouterr().out


@pytest.fixture
def installed(tmp_path):
    """The command `minires` as an installation makes it."""
    place = tmp_path / "bin" / "minires"
    place.parent.mkdir()
    place.write_text(
        "import sys\nfrom minires.__main__ import script\nif __name__ == '__main__':\n    sys.exit(script())\n"
    )
    return [sys.executable, str(place)]


def test_the_command_minires_prepares_its_process(installed, tmp_path):
    """Neighbours of a function are found, files named as modules hide none, and no letter is too much for a console."""
    for name in ("random", "json"):
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('this is {name}')\n")
    (tmp_path / "helper.py").write_text("def larger(x):\n    return x * (x > 0)\n")
    (tmp_path / "homework.py").write_text(
        "import helper\n\ndef relu(x):\n    return helper.larger(x), lambda dy: dy * (x > 0)\n"
    )
    found = subprocess.run(
        [*installed, "gradcheck", "homework.py:relu"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert (found.returncode, found.stderr) == (0, ""), found.stdout
    assert "passed" in found.stdout


def test_the_command_minires_is_stopped_in_one_line_while_it_imports(installed, tmp_path):
    (tmp_path / "numpy.py").write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    found = subprocess.run(
        [*installed, "train"], capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": path}
    )
    assert (found.returncode, found.stdout, found.stderr) == (130, "", "\nstopped\n")
