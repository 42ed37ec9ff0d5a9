"""A browser, which has no threads and no processes. In Pyodide it is real; elsewhere the fixture takes them away."""

import multiprocessing
import os
import socket
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from minires import kernels


@pytest.fixture
def browser(monkeypatch):
    """Starting a thread or a process raises what it raises there, and opening a server's socket ends the test."""
    if sys.platform == "emscripten":
        yield
        return
    before = kernels.get_num_threads()
    kernels.set_num_threads(1)

    def no_thread(*arguments, **settings):
        raise RuntimeError("can't start new thread")

    def no_process(*arguments, **settings):
        raise OSError(138, "Function not implemented")

    def no_server(*arguments, **settings):
        raise SystemExit("a server's socket ends the interpreter of a browser")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        patch.setattr(subprocess.Popen, "__init__", no_process)
        patch.setattr(multiprocessing.process.BaseProcess, "start", no_process)
        patch.setattr(os, "fork", no_process, raising=False)
        patch.setattr(os, "umask", lambda mask: 0o777)  # though files get the permissions that are asked for
        patch.setattr(socket, "create_server", no_server)
        patch.setattr(socket, "socketpair", no_process)
        patch.setattr(sys, "platform", "emscripten")
        patch.setattr(sys, "_emscripten_info", SimpleNamespace(pthreads=False), raising=False)
        patch.setitem(sys.modules, "safetensors", None)  # which has no wheel there
        yield
    kernels.set_num_threads(before)
