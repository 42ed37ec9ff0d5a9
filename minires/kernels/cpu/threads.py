"""A few workers that each own a core: NumPy lets go of the interpreter inside a loop or a matrix product.

parallel_for() gives every worker one contiguous part of the jobs, and parallel_sum() adds up in their order, so that
the same number of workers always does the same sums in the same order. The thread that calls is the first worker,
because waking another thread and being woken by it takes 20–100 µs each. The BLAS under NumPy is held to one thread:
each worker calls it by itself. A BLAS that has threads of its own keeps them spinning on the cores that workers need.
Without threadpoolctl, which does the holding, or with MINIRES_TUNE=0, there is one worker, and the BLAS keeps its
threads.
"""

import math
import operator
import os
import threading
import warnings
from contextlib import contextmanager
from itertools import pairwise
from queue import SimpleQueue

import numpy as np

from minires.errors import OptionError
from minires.kernels.cpu.memory import may_tune

MOST = 1024  # threads: more are a slip, and would be started one by one until the system has no more

_starting = threading.Lock()
_sharing = threading.Lock()  # held by the thread whose jobs are being done
_inside = threading.local()  # .number of the worker that runs this thread's code; absent outside
_count = None
_queues = ()  # of the workers that are threads, all but the first
_limit = None


def _cores():
    """The cores that this thread may use, as numbers; none are known on systems that cannot pin threads."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def _default_count():
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):  # what people set to say how many threads they want
        if os.environ.get(name, "").isdigit() and int(os.environ[name]) > 0:
            return min(int(os.environ[name]), MOST)
    return len(_cores()) or os.cpu_count() or 1


def get_num_threads():
    """How many threads compute."""
    _start()
    return _count


# Work is counted in multiplications of a matrix product, of which a core makes 50 (Zen 4) in a nanosecond. With less
# than this two threads took longer than one, as measured on convolutions on a virtual machine, where waking another
# thread and being woken by it costs 200 µs in all.
WORTH_SHARING = 16_000_000


def workers(work=math.inf):
    """Among how many so much work is shared out here: one, for a worker and a process that is alone()."""
    if hasattr(_inside, "number"):
        return 1
    n = get_num_threads()
    return n if work >= WORTH_SHARING else 1


def number_of(what, name, n, most):
    """n as an int. Raises OptionError, in the words of who is called `name`, for what is no number of these."""
    if isinstance(n, bool) or not hasattr(n, "__index__") or not 1 <= operator.index(n) <= most:
        raise OptionError(f"{name}: needs at least 1 {what} and at most {most}, as a whole number, got {n!r}")
    return operator.index(n)


def set_num_threads(n):
    """Compute with n threads from now on, in all threads of this process: they take turns at sharing out their work.

    What another thread shares out at this moment is finished first. Raises OptionError for what is no number of threads
    and inside of work that is shared out already.
    """
    count = number_of("thread", "set_num_threads", n, MOST)
    if hasattr(_inside, "number"):
        raise OptionError(
            "set_num_threads: this thread is at work on its part of what threads or processes share; "
            "call it before or after"
        )
    with _sharing, _starting:
        _begin(count)


def _start():
    if _count is None:
        with _starting:
            if _count is None:
                _begin(_default_count())


def _threadpool_limits():
    """threadpoolctl's function, or None where that is not installed."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return None
    return threadpool_limits


def _begin(n):
    """In place of the workers of before start n, or as many as the system lets start."""
    global _count, _queues, _limit
    for queue in _queues:
        queue.put(None)
    if _limit is not None:
        _limit.unregister() if hasattr(_limit, "unregister") else _limit.restore_original_limits()
        _limit = None
    limits = _threadpool_limits() if may_tune() else None
    if limits is None:
        n = 1
    else:
        _limit = limits(1, user_api="blas")
    queues, refused = [], None
    for number in range(1, n):
        queue = SimpleQueue()
        try:
            threading.Thread(target=_serve, args=(number, n, queue), name=f"minires {number}", daemon=True).start()
        except RuntimeError as error:
            refused = error
            break
        queues.append(queue)
    _queues = tuple(queues)
    _count = len(queues) + 1
    if refused is not None:
        warnings.warn(
            f"minires computes with {_count} of {n} threads, because the system starts no more: {refused}",
            RuntimeWarning,
            stacklevel=4,
        )


def _serve(number, n, queue):
    with _worker(number, n):
        while (part := queue.get()) is not None:
            part()
            del part  # and with it the arrays


@contextmanager
def _worker(number, n):
    """This thread is worker `number` of n, and runs on the core of that number, if there are so many."""
    before = vars(_inside).get("number")
    cores = _cores()
    pinned = n <= len(cores)
    if pinned:
        os.sched_setaffinity(0, {cores[number]})  # 0 is this thread
    try:
        with short_buffers():
            _inside.number = number
            yield
    finally:
        if before is None:
            del _inside.number
        else:
            _inside.number = before
        if pinned:
            os.sched_setaffinity(0, cores)


@contextmanager
def alone(number, n):
    """In this block this process is worker `number` of n processes, and does by itself what it else would share."""
    with _worker(number, n):
        yield


def forked():
    """In a process that was forked to be alone(): it has no threads, and the BLAS keeps what the parent told it."""
    global _count
    _count = 1


def _forget():
    """After a fork the other threads exist in the parent only."""
    global _count, _queues, _starting, _sharing
    _count, _queues = None, ()
    _starting = threading.Lock()
    _sharing = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


ROW = 1 << 11  # numbers of a loop of NumPy's from which on it works in place


@contextmanager
def short_buffers():
    """Let NumPy's loops over ROW numbers or more work where these lie.

    In arrays that are not one piece of memory it copies what a loop shorter than its buffer takes, though no number
    needs converting; the buffer has 8192 numbers by default. Rows of 2048 are added in 0.15 ns a number, not in 0.26.
    """
    if hasattr(_inside, "number"):  # it has been said already
        yield
        return
    before = np.setbufsize(ROW)
    try:
        yield
    finally:
        np.setbufsize(before)


class _Part:
    """The jobs of one worker; called by it, and waited for by the thread that shared them."""

    def __init__(self, task, jobs):
        self.task, self.jobs, self.result, self.error = task, jobs, None, None
        self.done = threading.Lock()
        self.done.acquire()

    def __call__(self):
        try:
            self.result = _do(self.task, self.jobs)
        except BaseException as error:  # to be raised where parallel_for() was called
            self.error = error
        finally:
            self.done.release()


def _do(task, jobs):
    """task(job) for all jobs, added up into the first one; None if they give nothing."""
    total = None
    for job in jobs:
        result = task(job)
        if total is None:
            total = result
        else:
            total += result
    return total


_forth = True  # whether the last jobs done began with the first one


def parallel_for(task, jobs, work=math.inf):
    """Call task(job), which gives nothing, for every job in any order: worker k does the k-th part of the list.

    Of jobs that are too little work together the first worker does all.

    What one call has left in the caches is what it did last, and the next one is most often about the same pictures. So
    every other call goes through its part from the last job to the first.
    """
    global _forth
    _forth = not _forth
    _share(task, jobs, workers(work), slice(None) if _forth else slice(None, None, -1))


def parallel_sum(task, jobs):
    """The sums of task(job), each over the part of the list that one worker has done, in its order -> a list."""
    global _forth
    _forth = True
    return _share(task, jobs, workers())


def _share(task, jobs, most, order=slice(None)):
    if hasattr(_inside, "number"):
        return [_do(task, jobs[order])]
    if min(most, len(jobs)) < 2:
        with short_buffers():
            return [_do(task, jobs[order])]
    with _sharing, _worker(0, _count):
        n = min(most, len(jobs), _count)  # asked here, because another thread may have changed their number
        bounds = [len(jobs) * k // n for k in range(n + 1)]
        parts = [_Part(task, jobs[a:b][order]) for a, b in pairwise(bounds)]
        for queue, part in zip(_queues, parts[1:]):
            queue.put(part)
        parts[0]()
        for part in parts:
            part.done.acquire()
    for part in parts:
        if part.error is not None:
            raise part.error
    return [part.result for part in parts]


def scratch(key, shape, dtype):
    """An array of zeros that this worker keeps under `key`: what was written into it is still there the next time."""
    kept = vars(_inside).setdefault("scratch", {})
    if (key, shape, dtype) not in kept:
        if len(kept) >= 64:  # the shapes are ever new ones
            kept.clear()
        kept[key, shape, dtype] = np.zeros(shape, dtype)
    return kept[key, shape, dtype]


def buffer(key, shape, dtype):
    """A part of the largest array that this worker has needed under `key`; what lies in it is left from before."""
    kept = vars(_inside).setdefault("buffers", {})
    size = math.prod(shape)
    if (key, dtype) not in kept or kept[key, dtype].size < size:
        kept[key, dtype] = np.empty(size, dtype)
    return kept[key, dtype][:size].reshape(shape)
