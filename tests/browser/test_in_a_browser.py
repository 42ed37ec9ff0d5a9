"""minires in a browser: what one thread of one process can do works, and the rest is refused in one sentence.

These tests run twice: here, where a fixture takes threads, processes and some packages away, and in Pyodide
(test_pyodide.py).
"""

import hashlib
import os
import warnings

import numpy as np
import pytest

from minires import Tensor, data, gradcheck, kernels, lab, models, nn, ops, optim, storage, train
from minires.console import progress_bar
from minires.errors import OptionError
from minires.gradcheck.__main__ import main as gradcheck_command
from minires.parallel import Replicas
from minires.plots import Line, Panel, plot_panels
from minires.train.folder import CHECKPOINT

pytestmark = pytest.mark.usefixtures("browser")

SMALL = {"model": "resnet8", "epochs": 2, "limit": 48, "batch_size": 16}
LOSSES = [2.607189, 2.083015, 1.465722]


def test_no_warning_and_one_thread_whatever_number_is_asked_for():
    kernels.set_num_threads(4)
    assert kernels.get_num_threads() == 1


@pytest.mark.parametrize("name", ["conv2d", "batch_norm", "residual_add", "linear", "cross_entropy", "max_pool2d"])
def test_the_gradient_of_an_op_is_what_is_measured(name):
    assert all(report.passed for report in gradcheck.check_op(name))


def three_steps():
    """The losses of three steps of ResNet-8 on digits."""
    train_set, _ = data.load("digits")
    model = models.resnet8(num_classes=10, in_channels=1, rng=0)
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for images, labels in data.DataLoader(train_set.limit(96), batch_size=32, shuffle=True, seed=0):
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_training_has_the_losses_that_it_has_elsewhere():
    np.testing.assert_allclose(three_steps(), LOSSES, rtol=1e-4)  # float32, added up in another order


def test_batches_are_the_same_whether_they_should_be_made_ahead_or_not():
    numbers = [np.arange(10.0), np.arange(10)]
    ahead, now = (list(data.DataLoader(tuple(numbers), 4, True, seed=3, prefetch=n)) for n in (2, 0))
    for one, other in zip(ahead, now, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a.data, b.data)


def test_a_progress_bar_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with open(os.devnull, "w") as file, progress_bar()(total=2, file=file) as bar:
            bar.update(2)


def test_integers_have_64_bits():
    ints = Tensor([1, 2])
    assert ints.dtype == np.int64
    assert Tensor(np.ones((2, 3))).argmax(dim=1).dtype == np.int64
    assert data.load("digits")[0].labels.dtype == np.int64
    assert ops.where(np.array([True]), 1, 2).dtype == np.int64
    assert ints.to(int).dtype == np.int64
    assert (ints == [1, 2]).data.all()
    assert (ints * 2**40).data.tolist() == [2**40, 2**41]


@pytest.mark.parametrize(
    "compute",
    [
        lambda b: b + 2,
        lambda b: 2 - b,
        lambda b: b * 2**40,
        lambda b: 2**b,
        lambda b: b**2,
        lambda b: ops.maximum(b, 2),
        lambda b: ops.where(b, b, 2),
        lambda b: ops.where(b, 2, b),
        lambda b: b // 2,
        lambda b: b % 2,
        lambda b: b & 2,
        lambda b: b | 2**40,
        lambda b: b ^ [2, 3],
        lambda b: np.left_shift(b, 2),
    ],
)
def test_booleans_beside_an_integer_have_64_bits(compute):
    assert compute(Tensor([True, False])).dtype == np.int64
    assert (Tensor([True]) + True).dtype == np.bool_
    assert (Tensor(np.array([1], np.int8)) + 2).dtype == np.int8


def test_weights_are_written_and_read(tmp_path):
    one = models.resnet8(rng=0)
    two = models.resnet8(rng=1)
    storage.save(tmp_path / "w.safetensors", one.state_dict())
    assert (tmp_path / "w.safetensors").stat().st_mode & 0o600 == 0o600  # root reads it anyway
    two.load_state_dict(storage.load(tmp_path / "w.safetensors")[0])
    for name, array in one.state_dict().items():
        assert two.state_dict()[name].tobytes() == array.tobytes()


def test_a_training_stops_and_goes_on_with_the_same_bits(tmp_path, capsys):
    whole = train.run(train.Config(**SMALL, out=str(tmp_path / "whole")))
    run = train.Run.start(train.Config(**SMALL, out=str(tmp_path / "run")))
    assert run.fit(stop=lambda: run.step == 4) is False
    again = train.Run.resume(tmp_path / "run")
    assert again.fit()
    assert [row["train_loss"] for row in again.history] == [row["train_loss"] for row in whole]
    weights = [storage.load_checkpoint(tmp_path / name / CHECKPOINT)[0]["model"] for name in ("whole", "run")]
    digests = [hashlib.sha256(b"".join(array.tobytes() for array in arrays.values())).digest() for arrays in weights]
    assert digests[0] == digests[1]
    assert (tmp_path / "whole" / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_experiment_runs_its_trials_one_after_the_other(jobs, tmp_path):
    report = lab.degradation(depths=(8, 14), seeds=2, epochs=1, limit=64, jobs=jobs, out=tmp_path)
    assert report.verdict
    assert len(report.comparisons) == 3
    assert (tmp_path / "degradation.png").read_bytes().startswith(b"\x89PNG")


def test_a_figure_is_drawn(tmp_path):
    plot_panels([Panel("x", "y", [Line("a", range(3), [[1, 2, 3]], "residual")])], tmp_path / "figure.svg")
    assert "<svg" in (tmp_path / "figure.svg").read_text()


def test_a_function_of_the_notebook_is_marked_in_this_process():
    def relu(x):
        return np.maximum(x, 0), lambda dy: dy

    result = gradcheck.grade(relu, seed=0)
    assert not result.passed
    assert result.count < result.total


def test_a_file_is_refused_with_the_way_to_mark_a_function(tmp_path, capsys):
    (tmp_path / "homework.py").write_text("def relu(x): return x, lambda dy: dy\n")
    assert gradcheck_command([f"{tmp_path / 'homework.py'}:relu"]) == 2
    assert capsys.readouterr().err == (
        "minires.gradcheck: a file is marked in a process of its own, but Python starts no other process in a "
        "browser; in a notebook give the function itself: gradcheck.grade(conv2d)\n"
    )


def test_several_processes_are_refused_in_one_sentence():
    with pytest.raises(OptionError, match=r"^Replicas: Python starts no other process in a browser; use one process$"):
        Replicas(models.resnet8(rng=0), 2)
