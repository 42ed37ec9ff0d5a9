"""What a system can do is asked in one place."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from minires import system


@pytest.mark.parametrize(
    ("platform", "built", "threads", "why"),
    [
        ("linux", None, True, ""),
        ("win32", None, True, ""),
        ("emscripten", SimpleNamespace(pthreads=False), False, "Python starts no other process in a browser"),
        ("emscripten", SimpleNamespace(pthreads=True), True, "Python starts no other process in a browser"),
        ("wasi", None, False, "Python starts no other process under WASI"),
    ],
    ids=["linux", "windows", "browser", "browser with threads", "wasi"],
)
def test_threads_and_processes_are_known_by_the_platform(monkeypatch, platform, built, threads, why):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(sys, "_emscripten_info", built, raising=False)
    assert (system.has_threads(), system.why_no_processes()) == (threads, why)


@pytest.mark.parametrize("module", [None, ModuleType("fcntl")], ids=["absent", "empty"])
def test_a_system_without_locks_is_known_by_its_module(monkeypatch, module):
    """JupyterLite has a module fcntl with nothing in it."""
    monkeypatch.setitem(sys.modules, "fcntl", module)
    assert system._file_locks() is None


def test_a_system_with_locks_locks():
    fcntl = pytest.importorskip("fcntl", reason="Windows has no module fcntl")
    assert system.fcntl is (fcntl if hasattr(fcntl, "flock") else None)
