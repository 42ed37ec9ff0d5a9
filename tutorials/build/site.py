"""The book: the lessons as a site with search, in English and in Korean, which needs no network.

Sphinx and MyST-NB make it of the notebooks beside the sources, so nothing is run. MathJax lies in the site itself.
Where JupyterLite is installed, each page links to its notebook, which runs in the browser.
"""

import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat

from tutorials.build import editions, korean, lite
from tutorials.build.lesson import LessonError
from tutorials.build.pages import COURSE, GLOSSARY

BOOK = Path(__file__).parent / "book"
LANGUAGES = {"en": "", "ko": "ko"}  # where each stands in the site
QUESTION = re.compile(r"\*\*(Before you run|Your guess)")
OTHER = re.compile(r"\[(한국어|English)\]\([^)]*\)")
MATHJAX = "tex-svg.js"  # MathJax 3 in one file, without fonts
LITE = "lite"  # the folder of JupyterLite beside the pages of a language


def site(lessons, folder, pyodide=None):
    """Build the book into a folder, whose content is deleted. Raises LessonError for what Sphinx warns of.

    pyodide: a folder of Pyodide for the notebooks that run in the browser; None for Pyodide's CDN.
    """
    shutil.rmtree(folder, ignore_errors=True)
    runs = lite.is_installed() or pyodide is not None
    for language, place in LANGUAGES.items():
        with tempfile.TemporaryDirectory() as source:
            write_source(lessons, language, Path(source))
            _run_sphinx(Path(source), folder / place, language, runs)
    if runs:
        lite.build(lessons, {language: folder / place / LITE for language, place in LANGUAGES.items()}, pyodide)
    else:
        print(f"the book is without 'Run it here', which needs JupyterLite: {lite.INSTALL}")
    check_links(folder)
    return folder / "index.html"


def write_source(lessons, language, source):
    """Write what Sphinx reads: the first page, a notebook for each lesson, and the glossary."""
    shutil.copytree(BOOK, source, dirs_exist_ok=True)
    shutil.copy(_mathjax(), source / "_static" / MATHJAX)
    inside = {lesson.beside: lesson.beside.name for lesson in lessons}
    for page, name in ((COURSE, "index"), (GLOSSARY, "glossary")):
        inside |= {page.path: f"{name}.md", korean.path_of(page): f"{name}.md"}
    listed = "\n".join([*(lesson.name for lesson in lessons), "glossary"])
    first = f"{_page(COURSE, language, inside)}\n\n```{{toctree}}\n:hidden:\n\n{listed}\n```\n"
    (source / "index.md").write_text(first, encoding="utf-8")
    (source / "glossary.md").write_text(_page(GLOSSARY, language, inside), encoding="utf-8")
    for lesson in lessons:
        book = lesson.notebook(without="solution", text=editions.text_in(language, lesson))
        editions.give_outputs(book, editions.outputs_of(editions.current(lesson)))
        _fold(book, lesson.texts)
        for cell in book.cells:
            if cell.cell_type == "markdown":  # an anchor of one name in all languages
                cell.source = f"(l{lesson.number}-{cell.id})=\n{cell.source}"
        nbformat.write(book, source / f"{lesson.name}.ipynb")


def _page(page, language, inside):
    """The text of a page, without the link to its other language, which each page of the book has anyway."""
    texts = page.text_in(language)
    parts = [
        f"(page-{name})=\n{text}" if text.startswith("#") else text  # an anchor of one name in all languages
        for name, text in texts.items()
        if not OTHER.fullmatch(text)
    ]
    return editions.with_links("\n\n".join(parts), page.path.parent, inside)


def _fold(book, texts):
    """Fold what a reader opens after a guess of their own: outputs below a question, and the code of figures.

    A question stands in the English text (texts) above the cell.
    """
    asked = False
    for cell in book.cells:
        if cell.cell_type == "markdown":
            asked = bool(QUESTION.search(texts[cell.id]))
            continue
        tags = cell.metadata.setdefault("tags", [])
        tags += ["hide-output"] * asked + ["hide-input"] * cell.id.startswith("figure")


def _mathjax():
    found = importlib.util.find_spec("sphinx-mathjax-offline")
    if found is None:
        raise LessonError('the book needs more packages: pip install -e ".[lessons]"')
    return Path(found.origin).parent / "static" / "mathjax" / MATHJAX


def _run_sphinx(source, folder, language, runs):
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    command += ["-A", f"lite={LITE}"] if runs else []  # for run.html
    command += ["-D", f"language={language}", "-d", str(source / ".doctrees"), str(source), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.replace(str(source), "").strip().splitlines()
        raise LessonError(f"Sphinx: {lines[0] if lines else 'failed'}", done.stderr)


def check_links(folder):
    """Raise LessonError for a link or a file that is not in the site, and for anything loaded from elsewhere."""
    own = {"_static", LITE}  # a theme and JupyterLite keep templates there
    pages = [page for page in folder.rglob("*.html") if not own & set(page.relative_to(folder).parts)]
    for page in pages:
        text = re.sub("(?s)<pre.*?</pre>", "", page.read_text(encoding="utf-8"))
        for attribute, target in re.findall(r'<(?:a|link|img|script)\b[^>]*?\b(href|src)="([^"#?]*)', text):
            if re.match("mailto:|data:", target) or not target:
                continue
            if re.match(r"(\w+:)?//", target):
                if attribute == "src":
                    raise LessonError(f"{page.relative_to(folder)} loads {target} from elsewhere")
            elif not (page.parent / target).resolve().exists():
                raise LessonError(f"{page.relative_to(folder)} links to {target}, which is not in the site")
