"""The lessons in a browser: what a site is made of, and what the runner refuses. The run itself is in .ci/run."""

import json
import urllib.request
from types import SimpleNamespace

import nbformat
import pytest

from tutorials.build import lite, site
from tutorials.build.__main__ import main
from tutorials.build.browser import refuse_errors
from tutorials.build.lesson import LessonError, lessons
from tutorials.build.serving import served

SETUP = """\
import sys

if "google.colab" in sys.modules or sys.platform == "emscripten":  # not at home
    %pip install -q minires[data,plots]
    pass
"""


@pytest.mark.parametrize("lesson", lessons(), ids=str)
def test_every_lesson_installs_minires_where_it_is_not_at_home(lesson):
    [setup] = [cell for cell in lesson.cells if "setup" in cell.metadata.get("tags", [])]
    assert setup.source.startswith(SETUP)
    compile(lesson.text, lesson.path, "exec")  # the magic is a comment of the program


@pytest.fixture
def pyodide(tmp_path):
    """A folder like Pyodide's: each package needs the one before it, and there is one that nothing needs."""
    folder = tmp_path / "pyodide"
    folder.mkdir()
    names = [*lite.PACKAGES, "matplotlib-inline", "scipy"]
    packages = {name: {"file_name": f"{name}.whl", "depends": []} for name in names}
    packages["ipython"]["depends"] = ["matplotlib_inline"]  # as Pyodide writes it
    (folder / "pyodide-lock.json").write_text(json.dumps({"info": {"version": "0.27.7"}, "packages": packages}))
    for file in ("pyodide.js", "pyodide.asm.wasm", "python_stdlib.zip", *(f"{name}.whl" for name in names)):
        (folder / file).write_text(file)
    return folder


def test_of_pyodide_only_what_lessons_use_is_copied(pyodide, tmp_path):
    lite.copy_pyodide(pyodide, tmp_path / "copy")
    lock = json.loads((tmp_path / "copy" / "pyodide-lock.json").read_text())
    wanted = {*lite.PACKAGES, "matplotlib-inline"}
    assert lock["info"] == {"version": "0.27.7"}
    assert set(lock["packages"]) == wanted
    there = {file.name for file in (tmp_path / "copy").iterdir()}
    others = {"pyodide.js", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json"}
    assert there == {f"{name}.whl" for name in wanted} | others


def test_a_folder_without_pyodide_or_without_a_package_is_refused(pyodide, tmp_path):
    with pytest.raises(LessonError, match=r"copy is no folder of Pyodide: it has no pyodide-lock\.json"):
        lite.copy_pyodide(tmp_path / "copy", tmp_path / "other")
    lock = json.loads((pyodide / "pyodide-lock.json").read_text())
    del lock["packages"]["matplotlib-inline"]
    (pyodide / "pyodide-lock.json").write_text(json.dumps(lock))
    with pytest.raises(LessonError, match="pyodide lacks the package matplotlib-inline"):
        lite.copy_pyodide(pyodide, tmp_path / "copy")


def test_without_jupyterlite_the_book_is_made_and_says_what_it_lacks(tmp_path, monkeypatch, capsys):
    languages = []
    monkeypatch.setattr(lite, "is_installed", lambda: False)
    monkeypatch.setattr(site, "write_source", lambda *arguments: None)
    monkeypatch.setattr(site, "_run_sphinx", lambda source, folder, language, runs: languages.append((language, runs)))
    site.site([], tmp_path / "site")
    assert languages == [("en", False), ("ko", False)]
    assert capsys.readouterr().out == (
        "the book is without 'Run it here', which needs JupyterLite: pip install -e \".[lite]\"\n"
    )


def test_without_jupyterlite_an_offline_site_is_refused(pyodide, tmp_path, monkeypatch):
    monkeypatch.setattr(lite, "is_installed", lambda: False)
    with pytest.raises(LessonError, match=r'need more packages: pip install -e "\.\[lite\]"'):
        lite.build([], {"en": tmp_path / "site"}, pyodide)


@pytest.mark.parametrize("offline", [True, False], ids=["offline", "from the CDN"])
def test_the_korean_notebooks_have_korean_menus_and_both_languages_one_pyodide(offline, pyodide, tmp_path, monkeypatch):
    found = {}

    def run(command, cwd, **settings):
        kernel = json.loads((cwd / "jupyter-lite.json").read_text())["jupyter-config-data"]["litePluginSettings"]
        menus = json.loads((cwd / "overrides.json").read_text()).get(lite.TRANSLATION)
        there = (cwd / "static" / "pyodide" / "pyodide.js").exists()
        found[cwd.name] = kernel[lite.KERNEL].get("pyodideUrl"), menus, there
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(lite, "is_installed", lambda: True)
    monkeypatch.setattr(lite, "_kernel", lambda: tmp_path)
    monkeypatch.setattr(lite.wheels, "build", lambda *arguments: [])
    monkeypatch.setattr(lite.subprocess, "run", run)
    folders = {"en": tmp_path / "lite", "ko": tmp_path / "ko" / "lite"}
    lite.build(lessons(["6"]), folders, pyodide if offline else None)
    assert found == {
        "en": (None, None, offline),
        "ko": ("./../../lite/static/pyodide/pyodide.js" if offline else None, {"locale": "ko_KR"}, False),
    }


def test_the_site_is_served_as_it_is(tmp_path):
    (tmp_path / "index.html").write_text("a lesson")
    with served(tmp_path) as address, urllib.request.urlopen(f"{address}/") as answer:
        assert answer.read() == b"a lesson"


def test_a_site_that_is_not_there_is_refused_with_the_command(tmp_path, capsys):
    assert main(["serve", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.endswith("site has no site; make it: python -m tutorials.build site\n")


def cell(outputs=(), count=1):
    made = nbformat.v4.new_code_cell("1", execution_count=count, id="claim")
    made.outputs = [nbformat.from_dict(output) for output in outputs]
    return nbformat.v4.new_notebook(cells=[made])


def stderr(text):
    return {"output_type": "stream", "name": "stderr", "text": text}


FAILED = {"output_type": "error", "ename": "AssertionError", "evalue": "0.5 > 1", "traceback": ["line 1"]}


@pytest.mark.parametrize(
    ("book", "message"),
    [
        (cell([FAILED]), "07_x, cell claim: AssertionError: 0.5 > 1"),
        (cell([stderr("RuntimeWarning: overflow\n")]), "07_x, cell claim: it warns"),
        (cell(count=None), "07_x, cell claim: it did not run"),
    ],
)
def test_an_error_a_warning_and_a_cell_that_did_not_run_fail_a_lesson(book, message):
    with pytest.raises(LessonError) as error:
        refuse_errors(book, "07_x")
    assert str(error.value) == message


def test_a_bar_and_the_fonts_of_the_first_figure_fail_nothing():
    book = cell([stderr("Matplotlib is building the font cache; this may take a moment.\n"), stderr("100%|####|\r")])
    refuse_errors(book, "07_x")
    assert book.cells[0].outputs == []
