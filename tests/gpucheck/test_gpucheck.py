"""The report for the owner of a GPU: it runs to its end, and names what is wrong on the GPU."""

import json

import pytest
from backends import GPUS, needs_gpu

from minires.gpucheck.__main__ import main

OPS = ["relu", "add"]


@pytest.fixture
def small(monkeypatch):
    """Steps of a small network only."""
    monkeypatch.setattr("minires.gpucheck.__main__.SMALL", {"resnet8": (8, 2)})


@pytest.mark.skipif(bool(GPUS), reason="there is a GPU")
def test_without_a_gpu_one_line_says_what_is_missing(capsys):
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("minires.gpucheck: a GPU is to be checked: it needs CuPy")
    assert err.count("\n") == 1


def test_an_unknown_op_is_named(capsys):
    assert main(["relu", "conv3d"]) == 2
    assert "there is no op 'conv3d'; did you mean conv2d?" in capsys.readouterr().err


@needs_gpu
def test_a_report_holds_what_was_printed(small, tmp_path, capsys):
    assert main([*OPS, "--small", "--json", str(tmp_path / "report.json")]) == 0
    out = capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["machine"]["GPU"] in out
    assert report["failed"] == []
    assert all(report["values"][name]["same bits twice"] for name in OPS)
    assert all(report["gradients"][name]["passed"] for name in OPS)
    step = report["steps"]["resnet8"]
    assert step["launches"]["conv2d forward"] == 2 * 7  # im2col and a product, for each of 7 convolutions
    assert 0 < step["floor"] < step["seconds"]
    assert 0 < step["host seconds"] <= step["seconds"]
    assert "all 5 checks passed" in out
    if report["machine"]["stand-in"]:
        assert report["machine"]["stand-in"] in out
        assert step["counters"]["d2h"] == 0


@needs_gpu
def test_a_wrong_value_and_a_wrong_gradient_are_found(small, tmp_path, monkeypatch, capsys):
    from minires.kernels import device

    right = device.relu_dx
    monkeypatch.setattr(device, "relu_dx", lambda dy, y: right(dy, y) * 1.001)
    assert main([*OPS, "--small", "--json", str(tmp_path / "report.json")]) == 1
    assert "2 of 5 checks failed: values of relu, gradients of relu" in capsys.readouterr().out


@needs_gpu
def test_two_answers_to_one_question_are_found(small, tmp_path, monkeypatch):
    from minires.kernels import device

    right, calls = device.relu, []

    def raced(x):
        calls.append(x)
        return right(x) * (1 + 1e-7 * (len(calls) % 2))

    monkeypatch.setattr(device, "relu", raced)
    assert main(["relu", "--small", "--json", str(tmp_path / "report.json")]) == 1
    assert not json.loads((tmp_path / "report.json").read_text())["values"]["relu"]["same bits twice"]


@needs_gpu
def test_what_a_gpu_refuses_is_reported_and_the_rest_goes_on(small, tmp_path, monkeypatch, capsys):
    from minires.kernels import device

    def refused(*arrays):
        raise RuntimeError("CUDA_ERROR_ILLEGAL_ADDRESS")

    monkeypatch.setattr(device, "relu", refused)
    monkeypatch.setattr(device, "add_relu", refused)  # what a block ends in
    assert main([*OPS, "--small", "--json", str(tmp_path / "report.json")]) == 1
    report = json.loads((tmp_path / "report.json").read_text())
    assert {"values of relu", "a step of resnet8"} <= set(report["failed"])
    assert "ILLEGAL_ADDRESS" in report["errors"]["values of relu"]
    assert report["values"]["add"]["same bits twice"]
    assert "values of relu: FAILED, RuntimeError: CUDA_ERROR_ILLEGAL_ADDRESS" in capsys.readouterr().out


@needs_gpu
def test_a_stopped_check_keeps_what_it_has_found(small, tmp_path, monkeypatch, capsys):

    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("minires.gpucheck.__main__.training_parts", stop)
    assert main(["relu", "--small", "--json", str(tmp_path / "report.json")]) == 130
    assert json.loads((tmp_path / "report.json").read_text())["gradients"]["relu"]["passed"]
    assert "stopped; what was found so far is in" in capsys.readouterr().err


def test_a_report_that_cannot_be_written_is_said_at_once(tmp_path, capsys):
    path = tmp_path / "file" / "report.json"
    path.parent.write_text("")
    assert main(["relu", "--small", "--json", str(path)]) == 2
    assert capsys.readouterr() == ("", f"minires.gpucheck: {path}: Not a directory\n")
