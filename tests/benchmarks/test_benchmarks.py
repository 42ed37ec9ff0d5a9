"""The benchmark command at toy sizes: it runs, counts right, and times the same work on all sides."""

import io
import json
import os
import sys
from contextlib import redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from benchmarks import floor, machine
from benchmarks.__main__ import installed, main
from benchmarks.run import number, print_results
from benchmarks.timing import interleave, ratio, seconds_a_step
from benchmarks.workloads import Workload, catalogue, resnet50_convolutions, select
from minires import kernels
from minires.errors import OptionError
from minires.probes import Cost

sys.path.append(str(Path(__file__).parents[2]))  # benchmarks/ is no part of the installed package


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """What `--tiny` prints for minires alone, and the file that it writes."""
    folder = tmp_path_factory.mktemp("benchmarks")
    threads = kernels.get_num_threads()
    with redirect_stdout(io.StringIO()) as said:
        assert main(["--tiny", "--json", str(folder / "all.json"), "--against"]) == 0
    assert kernels.get_num_threads() == threads
    assert [path.name for path in folder.iterdir()] == ["all.json"]
    return said.getvalue().splitlines(), json.loads((folder / "all.json").read_text())


def test_every_workload_has_a_row_and_no_line_is_wider_than_the_page(tiny):
    lines, report = tiny
    first_words = [line.split(" ")[0] for line in lines]
    for workload in catalogue(tiny=True):
        assert first_words.count(workload.name) >= 1
    assert max(map(len, lines)) <= 100
    assert [r["name"] for r in report["results"]] == [w.name for w in catalogue(tiny=True)]


def test_names_at_full_size_fit_their_column():
    assert max(len(w.name) for w in catalogue()) <= 32
    assert len({w.name for w in catalogue()}) == len(catalogue())


def test_the_json_file_holds_every_timing_and_what_it_was_taken_on(tiny):
    report = tiny[1]
    assert json.loads(json.dumps(report)) == report
    assert {"system", "cpu", "cores", "versions"} <= set(report["machine"])
    assert report["threads"] >= 1
    assert report["date"]
    for result in report["results"]:
        assert all(len(values) == 1 and values[0] > 0 for values in result["measured"].values())
        assert "minires" in result["measured"]


def test_memory_is_that_of_a_process_not_the_time_it_takes(tiny):
    (result,) = (r for r in tiny[1]["results"] if r["name"] == "memory")
    assert 20 < result["values"]["minires"] < 500


def test_variables_that_tune_one_side_are_recorded(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("HOME", "/nowhere")
    monkeypatch.setenv("KMP_DUPLICATE_LIB_OK", "True")  # as threadpoolctl does
    found = machine.describe([])["environment"]
    assert found["OPENBLAS_CORETYPE"] == "Haswell"
    assert not {"HOME", "KMP_DUPLICATE_LIB_OK"} & set(found)


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="needs /proc/stat")
def test_the_work_of_other_programs_is_noticed_and_our_own_is_not_counted(monkeypatch):
    spent = iter([(100.0, 50.0, 7.0), (110.0, 65.0, 15.0)])  # in 10 s: 15 s of work, 8 s of it ours
    monkeypatch.setattr(machine, "_spent", lambda contenders: next(spent))
    with machine.OtherPrograms([]) as others:
        pass
    assert others.cores == pytest.approx(0.7)
    spent = iter([(100.0, 50.0, 7.0), (100.1, 50.2, 7.1)])
    with machine.OtherPrograms([]) as others:
        pass
    assert others.cores is None  # too short to tell
    monkeypatch.undo()
    assert len(machine._spent([])) == 3


def result_of(cores):
    return {"name": "a", "unit": "s", "values": {"minires": 1.0}, "ratios": {}, "cores_taken_by_others": cores}


@pytest.mark.parametrize(("cores", "warned"), [(None, False), (0.05, False), (0.9, True)])
def test_a_busy_machine_brings_a_warning(cores, warned, capsys):
    print_results([result_of(cores)])
    assert ("WARNING: other programs took up to 0.9 cores" in capsys.readouterr().out) is warned


def test_a_profile_adds_up_to_its_step(tiny):
    for result in tiny[1]["results"]:
        if result["name"].endswith("/train"):
            found = result["floor"]
            assert sum(found["profile"].values()) == pytest.approx(found["profiled_step"])
            assert min(found["profile"].values()) >= 0
            assert {
                "conv forward",
                "conv dx + dw",
                "batch norm, ReLU",
                "add, ReLU",
                "pool",
                "linear + loss",
                "optimizer",
                floor.REST,
            } <= set(found["profile"])


def test_torch_takes_part_in_all_that_it_has_and_its_ratios_are_drawn(tmp_path, capsys):
    pytest.importorskip("torch")
    pytest.importorskip("matplotlib")
    chosen = ["resnet20", "conv/3x3-512*", "batch_norm", "data"]
    assert main(["--tiny", *chosen, "--pairs", "2", "--plot", str(tmp_path / "ratios.png")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert sum("  torch  " in line for line in lines) == 2 + 3 + 4 == len(select(chosen, catalogue(tiny=True))) - 1
    assert (tmp_path / "ratios.png").read_bytes().startswith(b"\x89PNG")


def test_the_floor_takes_the_slower_of_products_and_bytes_for_each_op():
    costs = [Cost("conv2d", "forward", 100, 10), Cost("conv2d", "forward", 10, 100), Cost("relu", "forward", 0, 50)]
    assert floor.seconds_by_kind(costs, 10, 5) == {"conv forward": 10 + 20, "ReLU": 10}


def test_an_op_that_the_profile_does_not_know_has_a_line_of_its_own():
    assert floor.kind("an_op_of_ones_own", "forward") == "an_op_of_ones_own"


def test_ratios_are_taken_pair_by_pair():
    assert ratio([2.0, 2.0, 9.0], [1.0, 2.0, 3.0]) == (2.0, 1.0, 3.0)
    assert ratio([4.0], [8.0]) == (0.5, 0.5, 0.5)


def test_contenders_take_turns_after_a_warm_up():
    calls = []

    def timer(name, seconds):
        return lambda repeats: calls.append((name, repeats)) or seconds

    assert interleave({"a": timer("a", 3.0), "b": timer("b", 5.0)}, 3, quick=True) == {"a": [3.0] * 3, "b": [5.0] * 3}
    assert calls == [("a", 1), ("b", 1)] * 3
    calls.clear()
    assert interleave({"a": timer("a", 3.0), "b": timer("b", 5.0)}, 2) == {"a": [3.0] * 2, "b": [5.0] * 2}
    assert calls == [("a", 1), ("b", 1)] * 3


def test_the_time_of_a_step_is_the_mean_of_its_repeats(monkeypatch):
    clock = iter([10.0, 16.0])
    monkeypatch.setattr("benchmarks.timing.time.perf_counter", lambda: next(clock))
    assert seconds_a_step(lambda: None, 3) == 2.0


def test_short_steps_are_repeated(monkeypatch):
    monkeypatch.setattr("benchmarks.timing.LEAST", 1.0)
    monkeypatch.setattr("benchmarks.timing.SETTLE", 0)
    repeats = []
    assert interleave({"a": lambda n: repeats.append(n) or 0.25}, 2) == {"a": [0.25] * 2}
    assert repeats == [1, 1, 1, 4, 1, 4]  # twice to warm up; before each measurement once, to fill the cache


def test_rates_count_what_a_step_gets_through_and_times_stay():
    assert Workload("a", "images/s", "x", amount=128).value(0.5) == 256
    assert Workload("a", "s", "x").value(0.5) == 0.5
    assert Workload("a", "MB", "x").value(300.0) == 300.0
    assert [number(v) for v in (0.012345, 3.14159, 99.94, 1234.5)] == ["0.0123", "3.14", "99.9", "1234"]


def test_names_parts_and_patterns_choose():
    workloads = catalogue(tiny=True)
    assert [w.name for w in select(["resnet20"], workloads)] == ["resnet20/train", "resnet20/inference"]
    assert [w.name for w in select(["memory", "resnet50/train"], workloads)] == ["resnet50/train", "memory"]
    assert len(select(["conv"], workloads)) == 3 * len(select(["conv/*/dx"], workloads)) == 69
    assert len(select(["conv/3x3*/dw"], workloads)) == 7
    assert len(select(["dx"], workloads)) == 23 + 1  # and the depthwise one
    assert select([], workloads) == workloads
    with pytest.raises(OptionError, match="no workload 'resnet21'; did you mean resnet20"):
        select(["resnet21"], workloads)


@pytest.mark.parametrize(
    "arguments",
    [["resnt20"], ["resnet20", "--pairs", "0"], ["--threads", "0"], ["resnet20", "--against", "tensorflow"]],
)
def test_what_cannot_be_done_is_said_and_the_exit_status_is_2(arguments, capsys):
    try:
        status = main(["--tiny", *arguments])
    except SystemExit as exit:
        status = exit.code
    assert status == 2
    assert capsys.readouterr().err.strip()


@pytest.mark.parametrize("flag", ["--json", "--plot"])
def test_a_file_that_cannot_be_written_is_named_before_the_work(tmp_path, capsys, monkeypatch, flag):
    monkeypatch.setattr("benchmarks.__main__.measure", lambda *args, **kwargs: pytest.fail("it measures"))
    assert main(["--tiny", "batch_norm", "--against", flag, str(tmp_path)]) == 2
    assert capsys.readouterr() == ("", f"benchmarks: {tmp_path}: Is a directory\n")


@pytest.mark.parametrize("against", [[], ["torch"]])
def test_ratios_without_a_library_are_not_drawn_and_that_is_said_before_the_work(
    tmp_path, capsys, monkeypatch, against
):
    monkeypatch.setattr("benchmarks.__main__.find_spec", lambda name: None)
    monkeypatch.setattr("benchmarks.__main__.measure", lambda *args, **kwargs: pytest.fail("it measures"))
    assert main(["--tiny", "batch_norm", "--against", *against, "--plot", str(tmp_path / "ratios.png")]) == 2
    assert (
        "benchmarks: --plot draws ratios, and there is no library to compare with; name an" in capsys.readouterr().err
    )


def test_a_library_that_has_none_of_the_workloads_leaves_nothing_to_draw_and_that_is_said(
    tmp_path, capsys, monkeypatch
):
    class Alone:
        def __init__(self, *args):
            pass

        def stop(self):
            pass

    for name, stand_in in (
        ("find_spec", lambda name: name),
        ("Contender", Alone),
        ("describe", lambda rivals: {}),
        ("print_heading", lambda *args: None),
        ("print_results", lambda results: None),
        ("measure", lambda workload, *args, **kwargs: {"name": workload.name, "values": {}, "ratios": {}}),
    ):
        monkeypatch.setattr(f"benchmarks.__main__.{name}", stand_in)
    path = tmp_path / "ratios.png"
    assert main(["--tiny", "memory", "--against", "dezero", "--plot", str(path)]) == 0
    assert f"benchmarks: {path} is not drawn: of these workloads only minires was measured\n" in capsys.readouterr().err
    assert not path.exists()


def test_a_library_that_is_named_twice_is_compared_with_once(monkeypatch):
    monkeypatch.setattr("benchmarks.__main__.find_spec", lambda name: name)
    assert installed(["torch", "mygrad", "torch"]) == ["torch", "mygrad"]


def test_an_ending_that_no_figure_has_is_refused_before_the_work(capsys):
    assert main(["--tiny", "--plot", "ratios.txt"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("benchmarks: ratios.txt: a figure can be png, svg, pdf, jpg, jpeg or webp")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a full disk is Linux's /dev/full")
def test_a_disk_that_is_full_in_the_end_costs_nothing_that_was_measured(capsys):
    assert main(["--tiny", "batch_norm", "--against", "--json", "/dev/full"]) == 2
    said = capsys.readouterr()
    assert "/dev/full: No space left on device" in said.err
    assert "batch_norm/16@8" in said.out


def test_threads_hold_for_the_scaling_with_threads_too(capsys):
    before = kernels.get_num_threads()
    try:
        assert main(["scaling", "--threads", "4", "--list"]) == 0
    finally:
        kernels.set_num_threads(before)
    assert capsys.readouterr().out.split()[-3:] == ["scaling/threads1", "scaling/threads2", "scaling/threads4"]


def test_an_unknown_name_costs_one_line(capsys):
    assert main(["--tiny", "resnt20"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("benchmarks: there is no workload 'resnt20'; did you mean resnet20")


def test_a_missing_library_is_left_out_with_a_line_that_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setattr("benchmarks.__main__.find_spec", lambda name: None)
    assert main(["--tiny", "resnet20/inference", "--against", "torch"]) == 0
    said = capsys.readouterr()
    assert "torch is not installed and is left out; install it with: pip install torch" in said.err
    assert "resnet20/inference" in said.out


def test_resnet50_has_23_shapes_of_convolution():
    shapes = resnet50_convolutions(224)
    assert len(shapes) == len(set(shapes)) == 23
    assert shapes[0] == (3, 64, 7, 2, 3, 224)
    assert (128, 128, 3, 2, 1, 56) in shapes
    assert shapes[-1] == (512, 512, 3, 1, 1, 7)


@pytest.mark.parametrize("library", ["torch", "dezero", "mygrad"])
def test_all_sides_compute_the_same_losses(library):
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    losses = []
    for contender in ("minires", library):
        step = import_module(f"benchmarks.in_{contender}").train_step("resnet20", 16, 4)
        losses.append([float(step()) for _ in range(3)])
    np.testing.assert_allclose(*losses, rtol=1e-4)
    assert losses[0][2] < losses[0][0]


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_torch_infers_the_same_from_the_copied_weights(name):
    pytest.importorskip("torch")
    from benchmarks import in_minires, in_torch

    ours, theirs = (side.inference(name, 33, 1)() for side in (in_minires, in_torch))
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)
