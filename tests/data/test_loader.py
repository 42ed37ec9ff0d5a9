"""The loader: every image once an epoch, any batch by its number, and threads that end."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from minires import data
from minires.arrays import is_channels_last
from minires.errors import OptionError


@pytest.fixture
def dataset():
    images = np.arange(50, dtype=np.uint8).reshape(50, 1, 1, 1) * np.ones((1, 2, 4, 3), np.uint8)
    return data.ArrayDataset("numbers", range(50), images, np.arange(50), (0.0, 0.0), (1 / 255, 1 / 255))


def noisy(images, rng):
    return images.astype(np.float32) + rng.random(images.shape, dtype=np.float32)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("drop_last", [False, True])
def test_an_epoch_holds_every_image_once_with_its_label(dataset, shuffle, drop_last):
    loader = data.ArrayLoader(dataset, 8, shuffle=shuffle, drop_last=drop_last)
    batches = list(loader)
    assert len(batches) == len(loader) == (6 if drop_last else 7)
    labels = np.concatenate([labels for _, labels in batches])
    for images, numbers in batches:
        assert (images.dtype, numbers.dtype, images.shape[1:]) == (np.float32, np.int64, (2, 4, 3))
        assert is_channels_last(images)
        np.testing.assert_allclose(images[:, 0, 0, 0], numbers, rtol=1e-6)
    assert len(set(labels)) == len(labels) == (48 if drop_last else 50)
    assert (list(labels) == sorted(labels)) is not shuffle


def test_epochs_differ_and_the_seed_repeats_them(dataset):
    def orders(seed):
        loader = data.ArrayLoader(dataset, 50, shuffle=True, seed=seed)
        return [next(iter(loader))[1].tolist() for _ in range(3)]

    first = orders(0)
    assert first[0] != first[1] != first[2]
    assert orders(0) == first
    assert orders(1) != first


@pytest.mark.parametrize("prefetch", [0, 1, 3])
def test_any_batch_can_be_made_again_without_those_before_it(dataset, prefetch):
    whole = list(data.ArrayLoader(dataset, 8, shuffle=True, seed=5, transform=noisy, prefetch=0).epoch(2))
    part = list(
        data.ArrayLoader(dataset, 8, shuffle=True, seed=5, transform=noisy, prefetch=prefetch).epoch(2, start=4)
    )
    assert len(part) == 3
    for (a, b), (c, d) in zip(part, whole[4:], strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)


def test_every_batch_has_randomness_of_its_own_and_the_order_another():
    """Each batch's transform says what its generator draws; the order of the epoch is drawn from none of these."""
    drawn = []

    def note(images, rng):
        drawn.append(rng.integers(0, 2**63, 4).tolist())
        return images

    images = np.zeros((12, 1, 1, 1), np.uint8)
    numbers = data.ArrayDataset("numbers", range(12), images, np.arange(12), (0.0,), (1.0,))
    loader = data.ArrayLoader(numbers, 4, shuffle=True, seed=3, transform=note, prefetch=0)
    for epoch in range(2):
        orders = [labels for _, labels in loader.epoch(epoch)]
        for n in range(3):
            spawned = np.random.default_rng(np.random.SeedSequence(3, spawn_key=(epoch, n)))
            assert spawned.permutation(12).tolist() != np.concatenate(orders).tolist()
    assert len({tuple(numbers) for numbers in drawn}) == 6


def loader_threads():
    return [thread for thread in threading.enumerate() if thread.name == "minires loader"]


def test_leaving_early_ends_the_thread(dataset):
    iterator = iter(data.ArrayLoader(dataset, 2))
    next(iterator)
    assert loader_threads()
    iterator.close()
    assert not loader_threads()


def test_an_exception_in_the_thread_reaches_the_loop(dataset):
    def fail(images, rng):
        raise KeyError("transform")

    with pytest.raises(KeyError, match="transform"):
        list(data.ArrayLoader(dataset, 8, transform=fail))
    assert not loader_threads()


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("place", ["transform", "data set"])
def test_an_iterator_of_ones_own_that_ends_within_a_batch_is_told_and_ends_no_epoch(dataset, place, prefetch):
    class Ending(list):
        def __getitem__(self, i):
            return next(iter(()))

    loader = (
        data.DataLoader(Ending([1, 2, 3]), 2, prefetch=prefetch)
        if place == "data set"
        else data.ArrayLoader(dataset, 8, transform=lambda images, rng: next(iter(())), prefetch=prefetch)
    )
    with pytest.raises(
        OptionError, match=r"batch 0 cannot be made, because the data set or the transform .* raised Stop"
    ):
        list(loader)


def test_batches_are_made_ahead_but_not_without_bound(dataset):
    made = []

    def count(images, rng):
        made.append(1)
        return images

    iterator = iter(data.ArrayLoader(dataset, 1, transform=count, prefetch=2))
    next(iterator)
    time.sleep(0.2)
    assert 2 <= len(made) <= 4
    iterator.close()


@pytest.mark.parametrize("batch_size", [0, -1, 51])
def test_a_batch_must_fit_the_data_set(dataset, batch_size):
    with pytest.raises(OptionError, match=f"from 1 to the 50 images of numbers, got {batch_size}"):
        data.ArrayLoader(dataset, batch_size)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda dataset: data.ArrayLoader(dataset, 8, seed=-1), "must be 0 or more, got -1 and 2"),
        (lambda dataset: data.ArrayLoader(dataset, 8, prefetch=-1), "must be 0 or more, got 0 and -1"),
        (lambda dataset: data.ArrayLoader(dataset, 8).epoch(-1), "got -1 and 0"),
        (
            lambda dataset: data.ArrayLoader(dataset, 8).epoch(0, start=-1),
            "within 0 and the 7 batches of an epoch, got 0 and -1",
        ),
        (
            lambda dataset: data.ArrayLoader(dataset, 8).epoch(0, start=8),
            "within 0 and the 7 batches of an epoch, got 0 and 8",
        ),
    ],
)
def test_an_epoch_a_start_or_a_seed_out_of_range_is_refused(dataset, make, message):
    with pytest.raises(OptionError, match=message):
        make(dataset)


def test_a_start_at_the_end_of_the_epoch_yields_nothing(dataset):
    assert list(data.ArrayLoader(dataset, 8).epoch(0, start=7)) == []


def test_order_and_augmentation_never_share_a_stream(dataset):
    first = {}
    for seed in (0, 1, 2**32):
        loader = data.ArrayLoader(dataset, 25, seed=seed)
        for key in [(e,) for e in range(3)] + [(e, b) for e in range(3) for b in range(2)]:
            first[seed, key] = loader._rng(*key).random()
    assert len(set(first.values())) == len(first)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 2.0}, "batch_size must be a whole number, got 2.0"),
        ({"batch_size": True}, "got True"),
        ({"batch_size": "8"}, "got '8'"),
        ({"batch_size": None}, "got None"),
        ({"seed": 0.5}, "seed must be a whole number, got 0.5"),
        ({"seed": True}, "seed .* got True"),
        ({"seed": None}, "seed .* got None"),
        ({"prefetch": 1.5}, "prefetch must be a whole number, got 1.5"),
        ({"prefetch": False}, "prefetch .* got False"),
        ({"shuffle": "no"}, "shuffle must be True or False, got 'no'"),
        ({"shuffle": np.nan}, "shuffle .* got nan"),
        ({"shuffle": 0}, "shuffle .* got 0"),
        ({"drop_last": "x"}, "drop_last must be True or False, got 'x'"),
        ({"drop_last": None}, "drop_last .* got None"),
        ({"transform": 3}, r"called as transform\(images, rng\), got 3"),
        ({"transform": lambda images: images}, r"called as transform\(images, rng\), .*\(images\) cannot be: too many"),
    ],
)
def test_a_setting_of_the_wrong_kind_is_refused(dataset, settings, message):
    with pytest.raises(OptionError, match=message):
        data.ArrayLoader(dataset, **{"batch_size": 8, **settings})


def test_numbers_of_numpy_are_whole_numbers(dataset):
    loader = data.ArrayLoader(dataset, np.int64(8), seed=np.uint32(3), prefetch=np.int8(1))
    assert len(list(loader.epoch(np.int32(0), start=np.int64(5)))) == 2
    for epoch, start in ((0.0, 0), (0, 1.0), (True, 0)):
        with pytest.raises(OptionError, match="must be a whole number"):
            loader.epoch(epoch, start)


def test_a_loader_is_called_as_in_torch(dataset):
    assert [len(labels) for _, labels in data.DataLoader(dataset)] == [1] * 50
    shuffled = next(iter(data.DataLoader(dataset, 50, True, seed=0)))[1].tolist()
    assert shuffled != sorted(shuffled)
    np.testing.assert_array_equal(shuffled, next(iter(data.ArrayLoader(dataset, batch_size=50, shuffle=True)))[1])


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "it returned None"),
        ([1, 2], r"it returned \[1, 2\]"),
        (np.zeros(7), r"it returned an array \(7,\)"),
        (np.float32(1), r"an array \(\)"),
    ],
)
def test_a_transform_that_returns_no_batch_is_named(dataset, prefetch, returned, message):
    def broken(images, rng):
        return returned

    with pytest.raises(OptionError, match=rf"the transform .*broken must return an array of 8 images .*{message}"):
        next(iter(data.ArrayLoader(dataset, 8, transform=broken, prefetch=prefetch)))


def test_where_no_thread_can_start_the_batches_are_the_same(dataset, monkeypatch):
    """As in a browser."""
    loader = data.ArrayLoader(dataset, 8, shuffle=True, transform=noisy)
    whole = list(loader.epoch(1))

    def start(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    for (a, b), (c, d) in zip(loader.epoch(1), whole, strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)


def test_an_exception_in_the_thread_keeps_its_traceback(dataset):
    def divide(images, rng):
        return 1 / 0

    with pytest.raises(ZeroDivisionError) as error:
        list(data.ArrayLoader(dataset, 8, transform=divide))
    assert error.traceback[-1].name == "divide"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked there")
@pytest.mark.parametrize("taken", [0, 1, 3, 7])
def test_a_process_that_is_forked_within_an_epoch_gets_the_rest_of_the_batches(dataset, taken):
    """A data set of 50 in batches of 8: the forked process tells by a pipe which labels it got."""
    code = (
        f"import os\nimport numpy as np\nfrom minires import data\nimages = np.zeros((50, 1, 1, 1), np.uint8)\n"
        f"iterator = iter(data.DataLoader((images, np.arange(50)), 8))\n"
        f"for _ in range({taken}): next(iterator)\n"
        "pid = os.fork()\nif pid: os.waitpid(pid, 0)\n"
        "print([label for _, labels in iterator for label in labels.tolist()], flush=True)\n"
        "if not pid: os._exit(0)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.stdout, done.stderr) == (f"{list(range(8 * taken, 50))}\n" * 2, "")


IMPATIENT = """
import os, signal, sys, threading, time
import numpy as np
from minires import data

def slow(images, rng):
    if images[0, 0, 0, 0]:  # the first batch comes at once, the second never
        time.sleep(60)
    return images

numbers = np.arange(9, dtype=np.uint8).reshape(9, 1, 1, 1)
loader = data.ArrayLoader(data.ArrayDataset("n", range(9), numbers, range(9), (0,), (1,)), 1, transform=slow)
try:
    for images, labels in loader:
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()  # while the iterator is thrown away
        began = time.monotonic()
        raise KeyboardInterrupt
except KeyboardInterrupt:
    pass
del loader
sys.exit("slow" if time.monotonic() - began > 5 else 0)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send itself Ctrl-C there")
def test_a_second_ctrl_c_is_quick_and_quiet():
    done = subprocess.run([sys.executable, "-c", IMPATIENT], capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
