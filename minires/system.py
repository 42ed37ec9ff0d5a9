"""What not every system can do: start threads and processes, and lock files. Pyodide, the Python of browsers, cannot.

This is the one place that knows. Where there are no threads, the work of a thread is done by the thread that asks for
it. Where there are no processes, what can be done in this one is done here, and the rest is refused in one sentence.
"""

import sys
from typing import Any

WITHOUT = {"emscripten": "in a browser", "wasi": "under WASI"}  # the platforms of WebAssembly


def has_threads():
    """Whether threads can be started at all. A system that has them may still refuse one, with a RuntimeError."""
    built = getattr(sys, "_emscripten_info", None)
    return sys.platform not in WITHOUT or bool(built and built.pthreads)


def why_no_processes():
    """Why no other process can be started here, as a part of a sentence; "" if it can."""
    return f"Python starts no other process {WITHOUT[sys.platform]}" if sys.platform in WITHOUT else ""


def _file_locks():
    """The module fcntl, or None where it locks no files: Windows has none, and JupyterLite an empty one."""
    try:
        import fcntl
    except ImportError:
        return None
    return fcntl if hasattr(fcntl, "flock") else None


fcntl: Any = _file_locks()
