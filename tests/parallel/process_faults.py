"""What may happen to one of the processes that share a batch, at each moment at which they meet."""

import faulthandler
import os
import signal
import threading

from minires.errors import ProcessError
from minires.parallel.memory import AllReduce


def fail():
    raise ZeroDivisionError("not today")


def stop():
    os.kill(os.getpid(), signal.SIGSTOP)


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def crash():
    faulthandler.disable()  # pytest's, which would tell of it
    os.kill(os.getpid(), signal.SIGSEGV)


FAULTS = {  # what happens to a process, and what the first one says of it
    "killed": (kill, ProcessError, "was ended by SIGKILL, as Linux does when memo"),
    "crashed": (crash, ProcessError, "was ended by SIGSEGV; parameters and running"),
    "left": (lambda: os._exit(3), ProcessError, r"ended by itself \(exit status 3\)"),
    "failed": (fail, ZeroDivisionError, "not today"),
    "stopped": (stop, ProcessError, "is stopped, by a signal or a debugger"),
    "stuck": (lambda: threading.Event().wait(), ProcessError, "waits for something that does not come"),
}
MOMENTS = 34  # of a batch of this network: two of each all-reduce, for 7 batch norms forward and back and 3 more


def at_moment(monkeypatch, moment, do, rank=1):
    """do() in that process at this moment: 2k when it has written its values for all-reduce k, 2k + 1 when all have."""
    order_memory, passed = AllReduce._order_memory, []

    def pass_moment(all_reduce):
        if all_reduce.rank == rank:
            if len(passed) == moment:
                passed.append(None)
                do()
            passed.append(None)
        order_memory(all_reduce)

    monkeypatch.setattr(AllReduce, "_order_memory", pass_moment)
    return passed
