"""A command whose main() has a given body, run in a process of its own."""

import os
import subprocess
import sys
import textwrap

import pytest

posix = pytest.mark.skipif(os.name == "nt", reason="signals and descriptors are POSIX's")


def script(body):
    """A Python command line whose main() has this body."""
    return [
        sys.executable,
        "-c",
        textwrap.dedent("""
        import os, signal, sys, time
        from minires import console
        @console.command("me")
        def main(argv=None):
        """)
        + textwrap.indent(textwrap.dedent(body), "    ")
        + "\nconsole.entry(main)\n",
    ]


def said(body, **options):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(
        script(body), stderr=subprocess.PIPE, text=True, timeout=60, **{"env": environment, **options}
    )
