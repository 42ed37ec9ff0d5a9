"""What a process knows of ranks before MPI, and a process that is the only rank."""

import os
import subprocess
import sys

import numpy as np
import pytest

from minires import models, optim, parallel
from minires.train import step

STARTED = {"PMI_RANK": "1", "PMI_SIZE": "3"}


@pytest.fixture(autouse=True)
def without_mpiexec(monkeypatch):
    for name in ("PMI_RANK", "PMI_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, (0, 1)),
        (STARTED, (1, 3)),
        ({"OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_SIZE": "4"}, (2, 4)),
        ({"PMI_RANK": "1"}, (0, 1)),
        ({"PMI_RANK": "one", "PMI_SIZE": "3"}, (0, 1)),
    ],
)
def test_rank_and_size_are_read_from_what_mpiexec_sets(monkeypatch, environment, expected):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert parallel.rank_and_size() == expected


def test_without_mpiexec_mpi4py_is_not_imported():
    code = "import sys; from minires import parallel; print(parallel.connect().size, 'mpi4py' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["1", "False"]


@pytest.mark.parametrize(("rank", "sentences"), [("0", 1), ("1", 0)])
def test_without_mpi4py_the_first_rank_says_what_to_install(tmp_path, rank, sentences):
    missing = tmp_path / "missing"  # not the working folder, from which no command imports
    missing.mkdir()
    (missing / "mpi4py.py").write_text("raise ImportError('none here')")
    found = subprocess.run(
        [sys.executable, "-m", "minires.train", "--epochs", "0"],
        cwd=tmp_path,
        env={**os.environ, **STARTED, "PMI_RANK": rank, "PYTHONPATH": os.pathsep.join([str(missing), *sys.path])},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 2
    assert found.stderr.count('pip install "minires[mpi]"') == sentences
    assert len(found.stderr.splitlines()) == sentences


def test_a_distributed_network_alone_has_the_gradients_of_a_plain_one():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(6, 3, 8, 8)).astype(np.float32)
    labels = rng.integers(0, 4, 6)
    plain, shared = (models.create("resnet8", num_classes=4, rng=0) for _ in range(2))
    expected = step.train_step(plain, optim.SGD(plain.parameters(), 0.1), images, labels)
    with parallel.Distributed(shared, parallel.connect(), sync_norm=True) as distributed:
        found = step.train_step(shared, optim.SGD(shared.parameters(), 0.1), images, labels, distributed)
        assert distributed.predict(images).shape == (6, 4)
    assert found == pytest.approx(expected, rel=1e-5)
    for name, array in plain.state_dict().items():
        np.testing.assert_allclose(shared.state_dict()[name], array, rtol=1e-4, atol=1e-5, err_msg=name)
