"""Work divided among threads gives what one thread gives, in the same order every time."""

import math
import multiprocessing
import os
import subprocess
import sys
import threading
import time
import weakref

import numpy as np
import pytest

from minires import kernels
from minires.arrays import channels_last, is_channels_last
from minires.errors import OptionError
from minires.kernels.cpu import partition as blocks
from minires.kernels.cpu import threads as workers
from minires.kernels.sync import shared_batch


@pytest.fixture(params=[1, 2, 3])
def threads(request):
    before = kernels.get_num_threads()
    kernels.set_num_threads(request.param)
    yield request.param
    kernels.set_num_threads(before)


def test_every_job_is_done_once(threads):
    done = []
    workers.parallel_for(done.append, list(range(50)))
    assert sorted(done) == list(range(50))


def test_each_worker_adds_up_one_contiguous_part_in_order(threads):
    parts = workers.parallel_sum(lambda job: [job], list(range(10)))
    assert len(parts) == threads
    assert [job for part in parts for job in part] == list(range(10))


def test_a_process_that_was_alone_shares_its_work_again_even_after_an_error(threads):
    def alone():
        with workers.alone(0, 2):
            assert workers.workers() == 1
            workers.parallel_for(lambda job: 1 / job, [0])

    with pytest.raises(ZeroDivisionError):
        alone()
    assert workers.workers() == threads


def test_a_process_stays_alone_until_the_last_block_that_says_so_ends():
    with workers.alone(0, 2):
        with workers.alone(1, 3):
            assert workers.workers() == 1
        assert workers.workers() == 1
    assert workers.workers() == kernels.get_num_threads()


def test_every_other_call_goes_back_over_what_the_last_one_did():
    forth, back, again = [], [], []
    with workers.alone(0, 1):
        assert workers.parallel_sum(lambda job: [job], [1, 2, 3]) == [[1, 2, 3]]  # sums are made in one order
        for done in (back, forth, back, forth):
            workers.parallel_for(done.append, [1, 2, 3])
        assert workers.parallel_sum(lambda job: [job], [1, 2, 3]) == [[1, 2, 3]]
        workers.parallel_for(again.append, [1, 2, 3])
    assert (back, forth, again) == ([3, 2, 1] * 2, [1, 2, 3] * 2, [3, 2, 1])


def test_work_shared_from_inside_a_worker_is_done_there(threads):
    def outer(job):
        here = threading.get_ident()
        workers.parallel_for(lambda _: seen.append(threading.get_ident() == here), [1, 2, 3])

    seen = []
    workers.parallel_for(outer, [1, 2])
    assert seen == [True] * 6


@pytest.mark.parametrize(("work", "is_shared"), [(0, False), (99, False), (100, True), (math.inf, True)])
def test_too_little_work_is_done_where_it_is(threads, monkeypatch, work, is_shared):
    monkeypatch.setattr(workers, "WORTH_SHARING", 100)
    seen = set()
    workers.parallel_for(lambda _: seen.add(threading.get_ident()), range(6), work)
    assert threading.get_ident() in seen
    assert len(seen) == (threads if is_shared else 1)
    assert workers.workers(work) == (threads if is_shared else 1)
    assert len(blocks.chunks(6, 8, 8, 10**6, work)) == (threads if is_shared else 1)


def test_an_exception_in_a_worker_reaches_the_caller_and_the_workers_live_on(threads):
    with pytest.raises(ZeroDivisionError):
        workers.parallel_for(lambda job: 1 / job, [1, 2, 0, 4])
    assert sum(workers.parallel_sum(lambda job: job, [1, 2, 3])) == 6


def test_several_threads_may_share_at_once(threads):
    sums = []
    jobs = list(range(100))
    callers = [
        threading.Thread(target=lambda: sums.extend(sum(workers.parallel_sum(int, jobs)) for _ in range(20)))
        for _ in range(4)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sums == [sum(jobs)] * 80


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="threads cannot be pinned on this system")
def test_the_caller_may_run_where_it_could_before(threads):
    before = os.sched_getaffinity(0)
    seen = []
    workers.parallel_for(lambda _: seen.append(os.sched_getaffinity(0)), list(range(threads)))
    assert os.sched_getaffinity(0) == before
    if 1 < threads <= len(before):
        assert sorted(map(sorted, seen)) == [[core] for core in sorted(before)[:threads]]


def test_what_the_jobs_held_is_let_go(threads):
    class Big:
        pass

    big = Big()
    reference = weakref.ref(big)
    workers.parallel_for(lambda _, big=big: None, [1, 2, 3])
    del big
    for _ in range(1000):  # the other workers let go a moment after the call
        if reference() is None:
            return
        time.sleep(0.001)
    raise AssertionError("a worker still holds what it worked on")


def test_blockwise_equals_the_formula_on_whole_arrays(threads):
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((7, 256, 32, 32), dtype=np.float32) for _ in range(2))
    v = rng.standard_normal((1, 256, 1, 1), dtype=np.float32)
    assert len(blocks.blocks(x)) == 4  # of 7 MB
    np.testing.assert_array_equal(blocks.blockwise(lambda x, y, out: np.add(x * y, v, out=out), x, y), x * y + v)


def test_blockwise_may_write_over_what_it_reads(threads):
    x, y = (np.full((7, 256, 32, 32), value, np.float32) for value in (1, 2))
    assert blocks.blockwise(lambda x, y, out: np.add(x, y, out=out), x, y, into=x) is x
    assert np.all(x == 3)


def test_numpys_buffer_is_as_long_as_before(threads):
    before = np.setbufsize(4096)
    seen = []

    def job(n):
        seen.append(np.getbufsize())
        if n == 3:
            raise ZeroDivisionError

    workers.parallel_for(job, [1, 2])
    with pytest.raises(ZeroDivisionError):
        workers.parallel_for(job, [3])
    blocks.blockwise(lambda x, out: job(0), np.zeros(3))
    assert seen == [workers.ROW] * 4
    assert np.setbufsize(before) == 4096


def test_blockwise_keeps_the_memory_format(threads):
    x = channels_last(np.ones((7, 64, 32, 32), np.float32))
    assert is_channels_last(blocks.blockwise(np.negative, x))


def test_blocks_cover_the_first_axis_once():
    for images in (0, 1, 2, 7, 64, 300):
        x = np.zeros((images, 1 << 16), np.float32)
        covered = [n for part in blocks.blocks(x) for n in range(part.start, part.stop)]
        assert covered == list(range(images))


def test_what_is_small_is_one_block_and_what_is_not_gives_each_worker_one(threads):
    assert len(blocks.blocks(np.zeros((64, 1000), np.float32))) == 1
    assert len(blocks.blocks(np.zeros((64, 1 << 15), np.float32))) >= kernels.get_num_threads()
    assert max(part.stop - part.start for part in blocks.blocks(np.zeros((64, 1 << 18), np.float32))) == 2  # of 1 MB


def test_scratch_is_kept_by_key_and_starts_as_zeros():
    a = workers.scratch("key", (3, 2), np.float32)
    assert not a.any()
    a[...] = 1
    assert workers.scratch("key", (3, 2), np.float32) is a
    assert not workers.scratch("key", (3, 2), np.float64).any()
    assert not workers.scratch("other", (3, 2), np.float32).any()


def test_a_buffer_is_a_part_of_the_largest_so_far():
    large = workers.buffer("parts", (5, 4), np.float32)
    small = workers.buffer("parts", (2, 3), np.float32)
    assert np.shares_memory(large, small)
    assert small.flags.c_contiguous
    assert not np.shares_memory(workers.buffer("parts", (7, 3), np.float32), large)
    assert not np.shares_memory(workers.buffer("parts", (2, 3), np.float64), large)
    assert sum(key == "parts" for key, _ in workers._inside.buffers) == 2


def test_scratch_does_not_grow_without_end():
    for n in range(1, 500):
        workers.scratch("growing", (n,), np.float32)
    assert len(workers._inside.scratch) <= 64


@pytest.mark.parametrize("n", [0, -1, 2.0, True, "2", None, 10**6], ids=repr)
def test_what_is_no_number_of_threads_is_an_error_and_changes_nothing(n):
    before = kernels.get_num_threads()
    with pytest.raises(OptionError, match=f"at least 1 thread and at most 1024, as a whole number, got {n!r}"):
        kernels.set_num_threads(n)
    assert kernels.get_num_threads() == before
    kernels.set_num_threads(np.int64(before))


def in_threads(*tasks, seconds=60):
    """Call each task in a thread of its own -> what they return. Fails for a task that raises or does not end."""
    found = [None] * len(tasks)
    errors = []

    def call(i):
        try:
            found[i] = tasks[i]()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=call, args=(i,), daemon=True) for i in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds)
    assert not any(thread.is_alive() for thread in threads)
    if errors:
        raise errors[0]
    return found


def test_the_number_of_threads_may_change_while_another_thread_computes():
    before = kernels.get_num_threads()
    jobs = list(range(40))

    def change():
        for k in range(300):
            kernels.set_num_threads(1 + k % 3)

    try:
        sums, _ = in_threads(lambda: [sum(workers.parallel_sum(int, jobs)) for _ in range(2000)], change)
    finally:
        kernels.set_num_threads(before)
    assert sums == [sum(jobs)] * 2000


def test_fewer_threads_than_were_counted_do_all_jobs(threads, monkeypatch):
    """Between counting the threads and giving them work, another thread may have ended some of them."""
    monkeypatch.setattr(workers, "workers", lambda work=math.inf: 7)
    assert in_threads(lambda: sum(workers.parallel_sum(int, list(range(10)))), seconds=10) == [45]


def test_the_number_of_threads_cannot_change_inside_of_work_that_is_shared():
    before = kernels.get_num_threads()
    kernels.set_num_threads(2)
    for divide in (workers.parallel_for, workers.parallel_sum):
        with pytest.raises(OptionError, match="call it before or after"):
            in_threads(lambda divide=divide: divide(lambda _: kernels.set_num_threads(2), [1, 2, 3]), seconds=10)
    with workers.alone(0, 2), pytest.raises(OptionError, match="call it before or after"):
        kernels.set_num_threads(1)
    assert kernels.get_num_threads() == 2
    kernels.set_num_threads(before)


def test_where_no_thread_can_be_started_the_others_compute(monkeypatch):
    before = kernels.get_num_threads()
    start = threading.Thread.start
    started = []

    def refuse(thread):
        if started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.warns(RuntimeWarning, match="with 2 of 4 threads, because the system starts no more: can't start"):
            kernels.set_num_threads(4)
    assert kernels.get_num_threads() == 2
    assert sum(workers.parallel_sum(int, list(range(10)))) == 45
    kernels.set_num_threads(before)


def test_the_kernel_chosen_in_one_thread_is_not_that_of_another():
    inside = threading.Barrier(2, timeout=20)
    seen = {}

    def in_a_block():
        with kernels.use("readable"):
            inside.wait()
            inside.wait()  # the other thread has entered its block, and left it
            seen["block"] = kernels.chosen()
        seen["after"] = kernels.chosen()

    def beside():
        inside.wait()
        seen["beside"] = kernels.chosen()
        with kernels.use("direct"):
            seen["own"] = kernels.chosen()
        kernels.use("direct")
        inside.wait()

    in_threads(in_a_block, beside)
    assert seen == {"block": "readable", "after": "fastest", "beside": "fastest", "own": "direct"}
    assert kernels.chosen() == "fastest"


def test_what_other_threads_compute_is_no_part_of_a_batch_that_is_shared():
    x = np.random.default_rng(0).standard_normal((4, 3, 5, 5))
    meets = []
    expected = x.sum(axis=(0, 2, 3))

    def add_up(sums):
        meets.append(threading.get_ident())
        in_threads(lambda: np.testing.assert_allclose(kernels.channel_sums(x), expected))
        assert in_threads(lambda: kernels.batch_count(10)) == [10]
        return np.asarray(sums) * 2

    with shared_batch(0.5, 0.25, add_up):
        assert kernels.batch_count(10) == 40
        np.testing.assert_allclose(kernels.channel_sums(x), expected)
    assert meets == [threading.get_ident()]


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, text=True, check=True, capture_output=True
    ).stdout.split()


def test_the_number_of_threads_asked_for_in_the_environment_is_used():
    code = "from minires import kernels; print(kernels.get_num_threads())"
    assert run(code, OPENBLAS_NUM_THREADS="3") == ["3"]
    assert run(code, OPENBLAS_NUM_THREADS="1") == ["1"]


def test_without_threadpoolctl_one_worker_computes():
    code = (
        "import sys; sys.modules['threadpoolctl'] = None\nfrom minires import kernels; print(kernels.get_num_threads())"
    )
    assert run(code) == ["1"]


def test_importing_starts_no_thread_and_leaves_the_blas_alone():
    assert run("import threading, minires; print(threading.active_count())") == ["1"]


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="there is no fork on this system")
def test_a_forked_child_starts_its_own_workers():
    code = (
        "import os, numpy as np\n"
        "from minires.kernels.cpu.partition import blockwise\n"
        "x = np.ones((8, 64, 32, 32), np.float32)\n"
        "double = lambda: float(blockwise(lambda x, out: np.add(x, x, out=out), x).sum())\n"
        "first = double()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(0 if double() == first else 1)\n"
        "print(os.waitpid(child, 0)[1])\n"
    )
    assert run(code) == ["0"]
