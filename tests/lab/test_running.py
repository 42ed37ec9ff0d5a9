"""Experiments run alone and in parallel, fail, stop and go on with the same numbers."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from toy import Toy

from minires import lab
from minires.errors import CheckpointError, GraphError, OptionError, ProcessError
from minires.lab.__main__ import make_parser
from minires.lab.place import Place, StoppedError
from minires.lab.running import Watch, run

HERE = Path(__file__).parent


def values(report):
    numbers = report.results.as_dict()
    return {(arm, seed): numbers[arm][seed]["value"] for arm in numbers for seed in numbers[arm]}


@pytest.mark.parametrize("jobs", [1, 3])
def test_the_numbers_do_not_depend_on_how_many_trials_run_at_once(jobs, tmp_path):
    report = run(Toy(), jobs=jobs, out=tmp_path)
    assert values(report) == values(run(Toy()))
    pids = {numbers["pid"] for seeds in report.results.as_dict().values() for numbers in seeds.values()}
    assert (os.getpid() in pids) == (jobs == 1)


def test_the_claim_is_held_refuted_with_swapped_arms_and_undecided_with_the_same_twice():
    assert Toy()().verdict == "held"
    assert Toy()(arms=("b", "a")).verdict == "refuted"
    assert Toy()(arms=("a", "a")).verdict == "undecided"
    assert Toy()(seeds=1).verdict == "undecided"


class StopAfter(Watch):
    def __init__(self, trials):
        self.left = trials
        self.seen = []

    def finished(self, trial, numbers, seconds):
        self.left -= 1
        self.seen.append(trial.name)

    def stop(self):
        return self.left <= 0


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_was_stopped_goes_on_and_measures_nothing_twice(jobs, tmp_path):
    with pytest.raises(StoppedError):
        run(Toy(), jobs=jobs, out=tmp_path, watch=StopAfter(3))
    assert not (tmp_path / "toy.json").exists()
    watch = StopAfter(99)
    report = run(Toy(), jobs=jobs, out=tmp_path, resume=True, watch=watch)
    assert values(report) == values(run(Toy()))
    assert len(watch.seen) <= 7
    assert {path.read_text() for path in tmp_path.glob("toy/*/runs.json")} <= {"1", "2"}


def test_after_a_kill_it_goes_on_with_the_same_numbers(tmp_path):
    """The first process and its workers are separate. When it is killed, its workers notice, and end."""
    program = f"import sys; sys.path.insert(0, {str(HERE)!r})\nfrom toy import Toy\n"
    program += "if __name__ == '__main__':\n    Toy()(jobs=2, out=sys.argv[1], seconds=0.3)"
    (tmp_path / "program.py").write_text(program)
    out = tmp_path / "out"
    process = subprocess.Popen([sys.executable, tmp_path / "program.py", out], start_new_session=True)
    deadline = time.monotonic() + 60
    while len(list(out.glob("toy/*-seed*.json"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    while _in_session(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _in_session(process.pid)
    report = run(Toy(), out=out, resume=True)
    assert values(report) == values(run(Toy()))


def _in_session(leader):
    """The processes of a session, if /proc can tell."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[3] == str(leader) and fields[0] != "Z":
            found.append(stat)
    return found


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_trial_that_fails_ends_the_experiment_and_keeps_the_others(jobs, tmp_path):
    with pytest.raises(GraphError, match="the loss is nan"):
        run(Toy(), jobs=jobs, out=tmp_path, fails="b-seed1")
    assert (tmp_path / "toy" / "a-seed0.json").exists()


def test_a_process_that_dies_is_named_with_what_to_do(tmp_path):
    with pytest.raises(ProcessError, match=r"b-seed1: its process ended \(exit status -9\).*--resume"):
        run(Toy(), jobs=2, out=tmp_path, fails="b-seed1", dies=True)


def test_it_resumes_with_the_settings_it_was_begun_with_and_takes_more_seeds(tmp_path):
    run(Toy(), size="full", out=tmp_path)
    report = run(Toy(), out=tmp_path, resume=True, seeds=4)
    assert (report.size, report.settings.seeds) == ("full", 4)
    assert {path.read_text() for path in tmp_path.glob("toy/*/runs.json")} == {"1"}
    with pytest.raises(OptionError, match=r"begun with arms \('a', 'b'\), not \('b', 'a'\)"):
        run(Toy(), out=tmp_path, resume=True, arms=("b", "a"))
    with pytest.raises(OptionError, match="begun with --size full, not tiny"):
        run(Toy(), size="tiny", out=tmp_path, resume=True)


@pytest.mark.parametrize(
    "changed",
    [{"lr": 0.2}, {"epochs": 9}, {"limit": 8}, {"batch_size": 8}, {"weight_decay": 0.0}, {"depths": (8,)}],
    ids=lambda changed: next(iter(changed)),
)
def test_a_setting_of_the_trials_may_not_change(changed, tmp_path):
    (tmp_path / "degradation").mkdir()
    begun = {"size": "tiny", "settings": asdict(lab.degradation.settings("tiny"))}
    (tmp_path / "degradation" / "settings.json").write_text(json.dumps(begun))
    with pytest.raises(OptionError, match=f"was begun with {next(iter(changed))} "):
        lab.degradation(out=tmp_path, resume=True, **changed)


def test_a_training_goes_on_at_the_step_where_it_was_stopped(tmp_path):
    settings = {"dataset": "digits", "model": "resnet8", "epochs": 2, "limit": 96, "batch_size": 32, "seed": 1}
    before, after = [], []
    stopped = Place(tmp_path / "stopped", before.append, stop=lambda: len(before) == 2)
    with pytest.raises(StoppedError):
        stopped.train(**settings)
    resumed = Place(tmp_path / "stopped", after.append).train(**settings)
    assert [*before, *after] == [k / 6 for k in range(1, 7)]
    whole = Place(tmp_path / "whole").train(**settings)
    for ours, theirs in zip(resumed.model.parameters(), whole.model.parameters(), strict=True):
        assert np.array_equal(ours.data, theirs.data)


def test_a_folder_in_use_is_not_overwritten_and_an_empty_one_cannot_be_resumed(tmp_path):
    with pytest.raises(CheckpointError, match="there is no experiment to resume"):
        run(Toy(), out=tmp_path, resume=True)
    run(Toy(), out=tmp_path)
    before = (tmp_path / "toy.json").read_bytes()
    with pytest.raises(OptionError, match="holds this experiment already; go on with --resume"):
        run(Toy(), out=tmp_path, arms=("b", "a"))
    assert (tmp_path / "toy.json").read_bytes() == before


@pytest.mark.parametrize("content", ["", "{", "[]", '{"numbers": 3, "seconds": 1}', '{"numbers": {}}', "[" * 99_999])
def test_a_damaged_file_is_named_and_can_be_removed(content, tmp_path):
    whole = run(Toy(), out=tmp_path)
    path = tmp_path / "toy" / "a-seed2.json"
    path.write_text(content)
    with pytest.raises(CheckpointError, match=r"a-seed2\.json is damaged .*remove it"):
        run(Toy(), out=tmp_path, resume=True)
    path.unlink()
    assert values(run(Toy(), out=tmp_path, resume=True)) == values(whole)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size": "huge"}, "size must be one of tiny, small, full"),
        ({"arm": ("a",)}, "toy: there is no setting 'arm'; did you mean arms"),
        ({"seeds": 0}, "seeds must be at least 1"),
        ({"seeds": 1.5}, "seeds must be a whole number"),
        ({"arms": ()}, "arms must have at least one value"),
        ({"arms": "ab"}, "arms must be a tuple"),
    ],
)
def test_settings_that_do_not_fit_are_refused_before_a_folder_is_made(given, message, tmp_path):
    with pytest.raises(OptionError, match=message):
        run(Toy(), out=tmp_path / "out", **given)
    assert not (tmp_path / "out").exists()


def test_progress_grows_to_the_total(tmp_path):
    class Listening(Watch):
        def __init__(self):
            self.total, self.done, self.ended = 0, [], False

        def start(self, name, total, done):
            self.total = total

        def progress(self, done):
            self.done.append(done)

        def end(self):
            self.ended = True

    watch = Listening()
    run(Toy(), jobs=2, watch=watch, seconds=0.03)
    assert watch.done == sorted(watch.done)
    assert watch.done[-1] == watch.total == 10
    assert watch.ended


def test_the_report_has_every_number_and_says_what_it_means(tmp_path):
    report = run(Toy(), out=tmp_path)
    content = json.loads((tmp_path / "toy.json").read_text())
    assert content["verdict"] == report.verdict == "held"
    assert content["results"]["a"]["0"]["value"] == report.results["a", 0]["value"]
    assert content["comparisons"][0]["low"] > 0
    assert content["settings"]["seeds"] == 5
    assert {"numpy", "python", "minires", "machine"} <= content["versions"].keys()
    text = (tmp_path / "toy.md").read_text()
    for part in ("# toy: held", "a is larger than b.", "| a | 5", "toy.png", "--size tiny", "not the same number"):
        assert part in text, part
    assert (tmp_path / "toy.png").stat().st_size > 5000
    assert "<svg" in (tmp_path / "toy.svg").read_text()[:500]


@pytest.mark.parametrize(
    ("size", "given", "flags"),
    [
        ("tiny", {}, ""),
        ("small", {"arms": ("b", "a"), "seeds": 3, "seconds": 1e-5}, "--seeds 3 --arms b a --seconds 1e-05"),
        ("full", {"seeds": 3, "data": "my data"}, "--data 'my data'"),
        ("tiny", {"dies": True}, "--dies"),
    ],
)
def test_the_report_tells_the_command_that_measures_it_again(size, given, flags):
    report = run(Toy(), size=size, **given)
    command = f"python -m minires.lab toy --size {size} {flags}".strip()
    assert report.command == command
    assert f"`{command}` measures it again" in report.markdown()
    settings = vars(make_parser(Toy()).parse_args(shlex.split(command)[4:]))
    settings = {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
    assert Toy().settings(size, **{name: value for name, value in settings.items() if name in given}) == report.settings
