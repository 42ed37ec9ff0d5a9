"""A thread pool with one worker for each core: NumPy releases the interpreter inside a loop or a matrix product.

parallel_for() gives every worker one contiguous part of the jobs, and parallel_sum() adds up in their order. So the
same number of workers always adds up in the same order. The calling thread is the first worker, because waking another
thread and being woken by it takes 20–100 µs each. The BLAS under NumPy is limited to one thread, and each worker calls
it. Otherwise the BLAS's own threads would keep the cores busy that workers need.
threadpoolctl sets this limit. Without it, or with MINIRES_TUNE=0, there is one worker, and the BLAS keeps its threads.
Where there are no threads, as in a browser, there is one worker, too.
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
from minires.system import has_threads

MOST = 1024  # threads: more are a mistake, and would be started one by one until the system has no more

_starting = threading.Lock()
_sharing = threading.Lock()  # locked by the thread whose jobs are being done
_inside = threading.local()  # .number is that of the worker which this thread is; absent in other threads
_count = None
_queues = ()  # of all workers but the first
_limit = None


def _cores():
    """The numbers of the cores that this thread may use; none on systems that cannot pin threads."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def _default_count():
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):  # the user's number of threads
        if os.environ.get(name, "").isdigit() and int(os.environ[name]) > 0:
            return min(int(os.environ[name]), MOST)
    return len(_cores()) or os.cpu_count() or 1


def get_num_threads():
    """How many threads compute."""
    _start()
    return _count


# Work is counted in multiplications of a matrix product; a core (Zen 4) does 50 in a nanosecond. With less work than
# this, two threads took longer than one. That was measured with convolutions on a virtual machine, where waking another
# thread and being woken by it takes 200 µs together.
WORTH_SHARING = 16_000_000


def workers(work=math.inf):
    """How many workers divide so much work: one inside a worker and in a process that is alone()."""
    if hasattr(_inside, "number"):
        return 1
    n = get_num_threads()
    return n if work >= WORTH_SHARING else 1


def number_of(what, name, n, most):
    """n as an int. Raises OptionError, which begins with `name`, if n is no integer from 1 to `most`."""
    if isinstance(n, bool) or not hasattr(n, "__index__") or not 1 <= operator.index(n) <= most:
        raise OptionError(f"{name}: needs at least 1 {what} and at most {most}, as a whole number, got {n!r}")
    return operator.index(n)


def set_num_threads(n):
    """Compute with n threads from now on. All threads of this process use them in turn.

    Work of another thread that is being done is finished first. Raises OptionError if n is no number of threads, and
    when called inside parallel work.
    """
    count = number_of("thread", "set_num_threads", n, MOST)
    if hasattr(_inside, "number"):
        raise OptionError(
            "set_num_threads: this thread is computing its part of work that threads or processes share; "
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
    """Replace the workers by n new ones, or by as many as the system starts."""
    global _count, _queues, _limit
    for queue in _queues:
        queue.put(None)
    if _limit is not None:
        _limit.unregister() if hasattr(_limit, "unregister") else _limit.restore_original_limits()
        _limit = None
    limits = _threadpool_limits() if may_tune() and has_threads() else None
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
    """In this block this thread is worker `number` of n, on the core of that number if there are n cores."""
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
    """In this block this process is worker `number` of n processes, and does all its work in this thread."""
    with _worker(number, n):
        yield


def forked():
    """Say that this process was forked to be alone(): it has no threads, and the BLAS keeps the parent's limit."""
    global _count
    _count = 1


def _forget():
    """Forget the other threads after a fork, because they exist in the parent only."""
    global _count, _queues, _starting, _sharing
    _count, _queues = None, ()
    _starting = threading.Lock()
    _sharing = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


ROW = 1 << 11  # elements of a loop of NumPy from which on it works without a buffer


@contextmanager
def short_buffers():
    """Let NumPy's loops over ROW elements or more work without a buffer.

    If arrays are not one piece of memory, NumPy copies the operands of a loop that is shorter than its buffer, 8192
    elements by default. Rows of 2048 elements are added in 0.15 ns per element instead of 0.26.
    """
    if hasattr(_inside, "number"):  # a worker has done it already
        yield
        return
    before = np.setbufsize(ROW)
    try:
        yield
    finally:
        np.setbufsize(before)


class _Part:
    """The jobs of one worker, which calls this object. The thread that calls parallel_for() waits for `done`."""

    def __init__(self, task, jobs):
        self.task, self.jobs, self.result, self.error = task, jobs, None, None
        self.done = threading.Lock()
        self.done.acquire()

    def __call__(self):
        try:
            self.result = _do(self.task, self.jobs)
        except BaseException as error:  # raised again where parallel_for() was called
            self.error = error
        finally:
            self.done.release()


def _do(task, jobs):
    """The sum of task(job) over all jobs, added up into the first result; None if they return None."""
    total = None
    for job in jobs:
        result = task(job)
        if total is None:
            total = result
        else:
            total += result
    return total


_forward = True  # whether the last call began with the first job


def parallel_for(task, jobs, work=math.inf):
    """Call task(job), which returns nothing, for every job in any order: worker k does the k-th part of the list.

    If all jobs together are too little work, the first worker does them.

    Every other call begins with the last job: a call leaves its last images in the caches, and the next call often
    reads the same images.
    """
    global _forward
    _forward = not _forward
    _run(task, jobs, workers(work), slice(None) if _forward else slice(None, None, -1))


def parallel_sum(task, jobs):
    """One sum of task(job) for each worker, over its part of the list in order -> a list."""
    global _forward
    _forward = True
    return _run(task, jobs, workers())


def _run(task, jobs, most, order=slice(None)):
    if hasattr(_inside, "number"):
        return [_do(task, jobs[order])]
    if min(most, len(jobs)) < 2:
        with short_buffers():
            return [_do(task, jobs[order])]
    with _sharing, _worker(0, _count):
        n = min(most, len(jobs), _count)  # again, because another thread may have changed the number
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
    """An array that this worker keeps under `key`: first zeros, later with what was written into it."""
    kept = vars(_inside).setdefault("scratch", {})
    if (key, shape, dtype) not in kept:
        if len(kept) >= 64:  # there are always new shapes
            kept.clear()
        kept[key, shape, dtype] = np.zeros(shape, dtype)
    return kept[key, shape, dtype]


def buffer(key, shape, dtype):
    """An array of this worker's memory under `key`. Its elements are left over from earlier use."""
    kept = vars(_inside).setdefault("buffers", {})
    size = math.prod(shape)
    if (key, dtype) not in kept or kept[key, dtype].size < size:
        kept[key, dtype] = np.empty(size, dtype)
    return kept[key, dtype][:size].reshape(shape)
