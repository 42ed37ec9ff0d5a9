"""Ranks that mpiexec starts train as one process does, and end together."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from minires import Tensor, models, ops
from minires.train import Run

PROGRAM = Path(__file__).parent / "mpi_program.py"
MPIEXEC = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")
FLAGS = ("--model", "resnet8", "--limit", "160", "--batch-size", "32", "--epochs", "2", "--threads", "1")
EXACT = 1e-12
PATIENCE = 3  # seconds
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(Path(__file__).parents[2]),
    "OPENBLAS_NUM_THREADS": "1",
    # what Open MPI wants to hear from root, and where there are fewer cores than ranks
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}

pytestmark = pytest.mark.skipif(
    not (MPIEXEC and importlib.util.find_spec("mpi4py")), reason="needs mpi4py and an mpiexec: pip install mpi4py mpich"
)


def mpiexec(n, *command, cwd, seconds=300):
    """What `mpiexec -n N python COMMAND` prints, its exit status, and when it ended."""
    found = subprocess.run(
        [MPIEXEC, "-n", str(n), sys.executable, *map(str, command)],
        cwd=cwd,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    found.ended = time.time()
    return found


def trained(n, task, folder, *flags):
    """The arrays that each of n ranks has at the end of a task of mpi_program.py."""
    folder.mkdir()
    found = mpiexec(n, PROGRAM, task, folder, *flags, cwd=folder)
    assert found.returncode == 0, found.stderr
    return [dict(np.load(folder / f"{rank}.npz")) for rank in range(n)]


@pytest.mark.parametrize(("accumulate", "numbers"), [(1, (2, 3, 4)), (2, (3,))])
def test_with_sync_norm_any_number_of_ranks_gives_the_losses_and_weights_of_one(tmp_path, accumulate, numbers):
    (one,) = trained(1, "sync_norm", tmp_path / "1", accumulate, 4)
    assert len(one["losses"]) == 20
    for n in numbers:
        ranks = trained(n, "sync_norm", tmp_path / str(n), accumulate, 4)
        for rank in ranks[1:]:
            assert all(np.array_equal(rank[name], ranks[0][name]) for name in one)
        for name, expected in one.items():
            error = np.abs(ranks[0][name] - expected).max()
            assert error <= EXACT * np.abs(expected).max(), f"{n} ranks: {name} is wrong by {error:.1e}"


def test_ranks_without_sync_norm_stay_the_same_to_the_bit(tmp_path):
    ranks = trained(3, "local_norm", tmp_path / "3", 1, 1)
    assert all(np.array_equal(ranks[0][name], rank[name]) for rank in ranks[1:] for name in ranks[0])
    (one,) = trained(1, "local_norm", tmp_path / "1", 1, 1)
    assert not np.allclose(ranks[0]["losses"], one["losses"], rtol=1e-6)  # because their norms see fewer images


def test_without_sync_norm_gradients_and_statistics_are_means_weighted_by_true_counts(tmp_path):
    found, _ = trained(2, "one_batch", tmp_path / "2")
    rng = np.random.default_rng(0)
    images = rng.normal(size=(5, 3, 8, 8))
    labels = np.array([0, 1, 2, 1, 0])
    gradients = {}
    statistics = {}
    loss = 0.0
    for part in (slice(0, 2), slice(2, 5)):
        network = models.create("resnet8", num_classes=3, rng=0).double()
        sum_of_losses = ops.cross_entropy(network(Tensor(images[part])), labels[part], reduction="sum")
        (sum_of_losses / 5).backward()
        loss += sum_of_losses.item() / 5
        share = (part.stop - part.start) / 5
        for name, p in network.named_parameters():
            gradients[name] = gradients.get(name, 0) + p.grad
        for name, array in network.state_dict().items():
            if "running" in name:
                statistics[name] = statistics.get(name, 0) + share * array
    assert found["found"][0] == pytest.approx(loss, rel=EXACT)
    for name, expected in gradients.items():
        np.testing.assert_allclose(found[f"grad/{name}"], expected, rtol=1e-9, atol=1e-13)
    assert statistics
    for name, expected in statistics.items():
        np.testing.assert_allclose(found[name], expected, rtol=EXACT)


@pytest.mark.parametrize(
    ("how", "rank", "said"),
    [("raise", 1, "RuntimeError: a bug in one rank"), ("kill", 1, ""), ("kill", 0, ""), ("stop", 1, "rank 1 did not")],
)
def test_a_rank_that_fails_ends_all_and_the_run_resumes_with_another_number(tmp_path, how, rank, said):
    found = mpiexec(3, PROGRAM, how, rank, *FLAGS, "--patience", PATIENCE, "--out", "run", cwd=tmp_path)
    assert found.returncode != 0
    noticed = float((tmp_path / "failed_at").read_text()) + (PATIENCE if how == "stop" else 0)
    assert found.ended - noticed < 10
    assert found.stderr.count("Traceback") == (how == "raise")
    assert found.stderr.count(said) == 1 or not said
    with closing(Run.resume(tmp_path / "run")) as run:
        pass
    assert run.step == run.saved_step >= 2  # the checkpoint of step 2 stands, or a later one
    resumed = mpiexec(2, "-m", "minires.train", "--resume", "--out", "run", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert f"resumed at epoch 1, step {run.step}" in resumed.stdout
    assert resumed.stdout.count("test accuracy") == 1


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--model", "resnet21"), "resnet21"),
        (("--nonsense",), "unrecognized arguments: --nonsense"),
        (("--data", "nowhere", "--dataset", "cifar10"), "nowhere"),
        (("--resume", "nowhere"), "no run to resume in nowhere"),
        (("--batch-size", "5"), "mpiexec starts 3 ranks"),
        (("--processes", "2"), "processes must be 1"),
        (("--model", "efficientnet_b0"), "draws random numbers"),
    ],
    ids=["model", "flag", "data", "resume", "batch", "processes", "random"],
)
def test_a_mistake_is_one_sentence_once(tmp_path, flags, said):
    found = mpiexec(3, "-m", "minires.train", *flags, cwd=tmp_path)
    assert found.returncode == 2
    assert found.stderr.count(said) == 1, found.stderr
    assert "Traceback" not in found.stderr
    assert "MPI_Abort" not in found.stderr
    assert not found.stdout


def test_ctrl_c_saves_once_and_all_ranks_stop(tmp_path):
    """A terminal sends SIGINT to mpiexec, which hands it on to the ranks."""
    if "Open MPI" in subprocess.run([MPIEXEC, "--version"], capture_output=True, text=True).stdout:
        pytest.skip("Open MPI's mpiexec ends the ranks itself, and shows nothing that they print then")
    flags = [*FLAGS, "--epochs", "1000", "--out", "run"]
    started = subprocess.Popen(
        [MPIEXEC, "-n", "2", sys.executable, "-m", "minires.train", *flags],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while not started.stdout.readline().startswith("epoch   1"):
            assert started.poll() is None
        started.send_signal(signal.SIGINT)
        out, err = started.communicate(timeout=100)
    finally:
        started.kill()
    assert started.returncode == 130
    assert out.count("stopped and saved; go on with: mpiexec -n 2 python -m minires.train --resume --out run") == 1
    assert err.count("stopping after this step") == 1
    with closing(Run.resume(tmp_path / "run")) as run:
        assert run.epoch >= 1


def test_a_folder_with_a_run_in_it_is_refused_once(tmp_path):
    flags = ("-m", "minires.train", *FLAGS, "--epochs", "0", "--out", "run")
    first = mpiexec(2, *flags, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert first.stdout.count("no epoch to train") == 1
    second = mpiexec(2, *flags, cwd=tmp_path)
    assert (second.returncode, second.stderr.count("run holds a run already")) == (2, 1)
    assert "MPI_Abort" not in second.stderr


def test_the_program_of_the_documentation_runs_on_two_ranks(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "ranks.md").read_text(encoding="utf-8")
    (tmp_path / "program.py").write_text(page.partition("```python\n")[2].partition("```")[0] + "print(loss < 1.5)\n")
    found = mpiexec(2, "program.py", cwd=tmp_path)
    assert (found.returncode, found.stdout.split()) == (0, ["True", "True"]), found.stderr
