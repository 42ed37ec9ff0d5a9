"""What times are compared with: the rates of a machine, and the least time of a step."""

import numpy as np
import pytest

from minires import kernels
from minires.arrays import device_of
from minires.probes import Cost, machine
from minires.probes.training_step import training_parts
from minires.train import train_step


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    ("measured", "size", "amount"), [(machine.product, 7, 2 * 7**3), (machine.copy, 40, 2 * 40)]
)  # 7 rows, 10 elements of 4 bytes, read and written
def test_the_threads_do_the_whole_work_once(monkeypatch, measured, size, amount, threads):
    before = kernels.get_num_threads()
    done = []
    monkeypatch.setattr(machine, "parallel_for", lambda work, parts: done.extend(parts))
    kernels.set_num_threads(threads)
    try:
        step, counted = measured(size)
        step()
    finally:
        kernels.set_num_threads(before)
    assert counted == amount
    whole = np.arange(7 if measured is machine.product else 10)
    assert np.concatenate([whole[part] for part in done]).tolist() == whole.tolist()
    assert len(done) == threads


def test_a_product_and_a_copy_run_on_every_backend(backend):
    for measured in (machine.product, machine.copy):
        step, _ = measured(16, backend.device)
        step()


def test_an_op_needs_as_long_as_its_products_or_its_bytes_whichever_take_longer():
    assert Cost("conv2d", "forward", 100, 10).seconds(10, 5) == 10
    assert Cost("conv2d", "forward", 10, 100).seconds(10, 5) == 20


def test_the_parts_of_a_training_step_are_the_same_each_time_and_train(backend):
    losses = []
    for _ in range(2):
        parts = training_parts("resnet8", 8, 4, backend.device)
        assert {device_of(parts[2]), device_of(parts[3])} == {backend.device if backend.device == "cpu" else "cuda:0"}
        losses.append([float(train_step(*parts)[0]) for _ in range(3)])
    assert losses[0] == losses[1]
    assert losses[0][2] < losses[0][0]
    assert parts[2].shape == (4, 3, 8, 8)
