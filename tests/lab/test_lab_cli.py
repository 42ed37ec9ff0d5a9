"""python -m minires.lab: every experiment is listed, runs by one command, and ends with one line for a mistake."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from minires import lab
from minires.lab.__main__ import main
from minires.lab.experiment import SIZES, Experiment

QUICK = ["--depths", "8", "14", "--epochs", "1", "--limit", "200", "--seeds", "2", "--jobs", "1"]


def run_main(capsys, *argv):
    """(exit status, standard output, standard error)"""
    try:
        status = main(list(argv))
    except SystemExit as end:
        status = end.code
    return status or 0, *capsys.readouterr()


def test_without_a_name_all_experiments_are_listed_with_their_claims(capsys):
    status, out, _ = run_main(capsys)
    assert status == 0
    flat = " ".join(out.split())
    for name, experiment in lab.EXPERIMENTS.items():
        assert name in flat
        assert " ".join(experiment.claim.split()) in flat
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("name", lab.EXPERIMENTS)
def test_an_experiment_says_its_claim_and_source_and_has_every_size(name, capsys):
    status, out, _ = run_main(capsys, name, "--help")
    experiment = lab.EXPERIMENTS[name]
    flat = " ".join(out.split())
    assert status == 0
    for part in (experiment.claim, experiment.source, experiment.method, experiment.refuted_by):
        assert " ".join(part.split()) in flat
    assert re.search(r"arXiv:\d{4}\.\d{4,5}", experiment.source)
    assert {size: experiment.settings(size) for size in SIZES} == experiment.sizes
    assert f"tiny: --dataset {experiment.sizes['tiny'].dataset}, --seeds {experiment.sizes['tiny'].seeds}," in flat
    assert ("--test-images" in out) == (name in ("lesion", "ensembles", "effective-depth"))
    assert experiment.sizes["tiny"].seeds >= 5
    assert experiment.sizes["small"].seeds >= 5
    assert getattr(lab, name.replace("-", "_")) is experiment
    for method in ("trials", "measure", "compare", "table", "panels"):
        assert getattr(type(experiment), method) is not getattr(Experiment, method)


def test_the_command_writes_four_files_and_prints_the_verdict(capsys, tmp_path):
    status, out, _ = run_main(capsys, "degradation", *QUICK, "--out", str(tmp_path))
    assert status == 0
    assert "claim " in out
    assert re.search(r"verdict +(held|refuted|undecided)", out)
    assert {path.name for path in tmp_path.iterdir()} == {"degradation"} | {
        f"degradation.{ending}" for ending in ("json", "md", "png", "svg")
    }
    content = json.loads((tmp_path / "degradation.json").read_text())
    assert content["settings"]["depths"] == [8, 14]
    status, out, _ = run_main(capsys, "report", "--out", str(tmp_path))
    assert status == 0
    page = (tmp_path / "report.html").read_text()
    assert "data:image/png;base64," in page
    assert content["claim"] in page
    assert "degradation" in (tmp_path / "report.md").read_text()


def test_the_verdict_does_not_change_the_exit_status(capsys, tmp_path):
    swapped = ["--plain", "resnet", "--residual", "plain"]
    status, _, _ = run_main(capsys, "degradation", *QUICK, *swapped, "--out", str(tmp_path))
    assert status == 0


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["degradaton"], "there is no experiment 'degradaton'; did you mean degradation"),
        (["degradation", "--sise", "tiny"], "did you mean --size"),
        (["degradation", "--size", "huge"], "invalid choice: 'huge'"),
        (["degradation", "--depths", "9"], "there is no model 'plain9'"),
        (["degradation", "--depths", "8"], "give two depths or more"),
        (["batchnorm", "--limit", "3"], "batch_size must be at most the limit, 3"),
        (["degradation", "--depths", "3"], r"depths\[0\] must be at least 8"),
        (["degradation", "--seeds", "0"], "seeds must be at least 1"),
        (["degradation", "--jobs", "0"], "at least 1"),
        (["degradation", "--dataset", "digit"], "did you mean digits"),
        (["degradation", "--out", ""], "it is empty"),
        (["degradation", "--resume"], "there is no experiment to resume"),
        (["report"], "there is no experiment in"),
        (["--seeds", "3"], "name the experiment before its settings"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_folder(argv, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, err = run_main(capsys, *argv)
    assert status == 2
    assert re.search(message, err), err
    assert "Traceback" not in err
    assert not (tmp_path / "runs" / "lab" / "degradation").exists()


def test_a_misspelled_network_is_named_beside_an_earlier_run_too(capsys, tmp_path):
    (tmp_path / "degradation").mkdir()
    status, _, err = run_main(capsys, "degradation", "--plain", "nope", "--out", str(tmp_path))
    assert status == 2
    assert "there is no model 'nope8'" in err


def test_ctrl_c_saves_and_resume_ends_with_the_same_numbers(tmp_path):
    root = Path(lab.__file__).parents[2]
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    program += "from minires.lab.__main__ import main; from minires import console; console.entry(main)"
    settings = ["--depths", "8", "14", "--epochs", "3", "--limit", "400", "--seeds", "2"]

    def command(*argv):
        return [sys.executable, "-c", program, "degradation", *argv, "--jobs", "2"]

    def start(*argv):
        environment = {**os.environ, "PYTHONPATH": str(root)}
        return subprocess.Popen(
            command(*argv), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    stopped = start(*settings, "--out", str(tmp_path / "a"))
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("a/degradation/*/checkpoint.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.05)
    stopped.send_signal(signal.SIGINT)
    said, _ = stopped.communicate(timeout=120)
    assert stopped.returncode == 130, said
    assert "stopped and saved; go on with: python -m minires.lab degradation" in said
    resumed = start("--resume", "--out", str(tmp_path / "a"))
    whole = start(*settings, "--out", str(tmp_path / "b"))
    for process in (resumed, whole):
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 0, said
    results = [json.loads((tmp_path / part / "degradation.json").read_text())["results"] for part in "ab"]
    assert results[0] == results[1]


def test_a_flag_that_is_the_beginning_of_another_is_not_taken_for_it(capsys, tmp_path):
    status, _, err = run_main(capsys, "degradation", "--seed", "3", "--out", str(tmp_path / "out"))
    assert status == 2
    assert "did you mean --seeds" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("flag", "kind"), [("--lr", "a number"), ("--epochs", "a whole number")])
def test_a_setting_that_is_no_number_is_refused_in_the_words_of_all_commands(flag, kind, capsys):
    with pytest.raises(SystemExit):
        main(["degradation", flag, "fast"])
    assert f"argument {flag}: it must be {kind}, got 'fast'" in capsys.readouterr().err
