"""Wheels: minires's own, built as for PyPI, and of packages that are installed here."""

import importlib.metadata
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tutorials.build.lesson import LessonError

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ("minires", "docs", "setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in")


def build(folder, *others):
    """Put minires's wheel into a folder, and those of other packages, in their installed versions. -> the paths"""
    pinned = [f"{name}=={importlib.metadata.version(name)}" for name in others]
    with tempfile.TemporaryDirectory() as copy:  # because building leaves files behind
        for name in SOURCE:
            put = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            put(ROOT / name, Path(copy, name))
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder]
        done = subprocess.run([*command, copy, *pinned], capture_output=True, text=True)
    if done.returncode:
        raise LessonError("the wheels could not be built", done.stderr)
    return sorted(Path(folder).glob("*.whl"))
