"""Runs the site's notebooks in Chromium, as a student does who opens the book and clicks on Run it here."""

import contextlib
import importlib.util
import os
import shutil
import time

import nbformat

from tutorials.build.lesson import LessonError
from tutorials.build.lite import INSTALL
from tutorials.build.running import COLORS, refuse_warnings
from tutorials.build.serving import served

LONGEST = 900  # seconds for a lesson, on a busy machine
NAMES = ("chromium", "chromium-browser", "google-chrome")
SANDBOX = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []  # which root cannot have
ALONE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"  # no other machine is found
OPEN = "() => window.jupyterapp?.shell?.currentWidget?.context?.isReady"
IDLE = "() => window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'"
RUN_ALL = """() => {
    window.ended = false;
    window.jupyterapp.commands.execute("notebook:run-all-cells").finally(() => { window.ended = true; });
}"""
MENU = "() => document.querySelector('.lm-MenuBar-itemLabel')?.textContent"
NOTEBOOK = "() => JSON.stringify(window.jupyterapp.shell.currentWidget.context.model.toJSON())"


def run_in_browser(lessons, site, pictures):
    """Open each lesson by the link of its page, run it to its end, and keep a picture. Raises LessonError.

    Of the Korean notebooks, which have the same code, the first is opened only.
    """
    chromium = next(filter(None, map(shutil.which, NAMES)), None)
    if chromium is None or importlib.util.find_spec("playwright") is None:
        raise LessonError('this needs Chromium, and pip install -e ".[browser]"')
    from playwright.sync_api import sync_playwright

    pictures.mkdir(parents=True, exist_ok=True)
    with served(site) as address, sync_playwright() as player:
        browser = player.chromium.launch(executable_path=chromium, args=[*SANDBOX, ALONE])
        for lesson in lessons:
            with _page(browser, lesson.name, pictures) as page:
                _run_one(page, address, lesson.name)
        with _page(browser, f"ko-{lessons[0].name}", pictures) as page:
            _open_in_korean(page, address, lessons[0].name)


@contextlib.contextmanager
def _page(browser, name, pictures):
    """A page of the browser, and a picture of it at the end. Raises LessonError for what the browser cannot do."""
    from playwright.sync_api import Error

    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(LONGEST * 1000)
    try:
        yield page
    except Error as error:
        raise LessonError(f"{name}, in the browser: {error.message.splitlines()[0]}") from None
    finally:
        with contextlib.suppress(Error):
            page.screenshot(path=pictures / f"{name}.png", timeout=60_000)
    page.close()


def _run_one(page, address, name):
    """Run a lesson, and print how long it took. Raises LessonError."""
    begin = time.monotonic()
    watched = _Watched(page, address)
    _open(page, f"{address}/{name}.html")
    opened = time.monotonic()
    book = _run(page)
    ran = time.monotonic()
    refuse_errors(book, name)
    watched.refuse(name)
    print(f"  {name}: open after {opened - begin:.0f} s, and run in {ran - opened:.0f} s", flush=True)


def _open_in_korean(page, address, name):
    """Open the Korean notebook of a lesson. Raises LessonError unless its menus are Korean, too."""
    watched = _Watched(page, address)
    _open(page, f"{address}/ko/{name}.html")
    menu = page.evaluate(MENU)
    if menu != "파일":
        raise LessonError(f"{name}, in the browser: the first menu of the Korean notebook is {menu!r}")
    watched.refuse(f"ko/{name}")
    print(f"  ko/{name}: open, with Korean menus", flush=True)


def _open(page, address):
    """Go to the page of the book, and by its link to the notebook, until its kernel waits."""
    page.goto(address)
    if page.query_selector("a.run") is None:
        raise LessonError(f"the book's page has no 'Run it here'; make the site again, after {INSTALL}")
    page.click("a.run")
    page.wait_for_function(OPEN)
    page.wait_for_function(IDLE)


def _run(page):
    """-> the notebook, as it is after all of its cells have run"""
    page.evaluate(RUN_ALL)
    page.wait_for_function("() => window.ended", polling=500)
    return nbformat.reads(page.evaluate(NOTEBOOK), as_version=4)


def refuse_errors(book, name):
    """Raise LessonError for a cell that failed, warned, or did not run."""
    for cell in book.cells:
        if cell.cell_type == "code":
            for output in cell.outputs:
                if output.output_type == "error":
                    text = COLORS.sub("", "\n".join(output.traceback))
                    raise LessonError(f"{name}, cell {cell.id}: {output.ename}: {output.evalue}", text)
            if not cell.execution_count:
                raise LessonError(f"{name}, cell {cell.id}: it did not run")
    refuse_warnings(book, name)


class _Watched:
    """What a page asks of other machines, and what it logs as an error, from now on."""

    def __init__(self, page, address):
        self.address = address
        self.found = []
        page.context.on("request", self._request)
        page.context.on("console", self._message)
        page.context.on("weberror", lambda error: self.found.append(f"it raised: {error.error}"))

    def _request(self, request):
        if not request.url.startswith((f"{self.address}/", "data:", "blob:")):
            self.found.append(f"it asked for {request.url}")

    def _message(self, message):
        url = message.location.get("url", "")
        if message.type == "error" and url != f"{self.address}/favicon.ico":  # JupyterLite's pages name no icon
            self.found.append(f"it logged: {message.text} ({url})")

    def refuse(self, name):
        if self.found:
            raise LessonError(f"{name}, in the browser: {self.found[0]}", "\n".join(self.found))
