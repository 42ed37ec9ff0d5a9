"""python -m tutorials.build: make notebooks, the book and the Korean edition of the lessons' sources."""

import argparse
import time
from pathlib import Path

from tutorials.build import editions, korean
from tutorials.build.lesson import HERE, LessonError, lessons
from tutorials.build.running import run

from minires import console

WHAT = {
    "student": "notebooks to hand out: no solutions, no outputs",
    "solutions": "notebooks for the teacher: solutions and outputs",
    "korean": "both in Korean",
    "figures": "the figures as PNG files, for slides",
    "notebooks": "run the lessons, and write the notebooks beside their sources",
    "check": "run the lessons at tiny size; fail on an error, a warning, a failed claim, a stale notebook or a dead link",
}
USUAL = ("student", "solutions", "korean", "figures")
EPILOG = (
    "Without WHAT it makes "
    + ", ".join(USUAL)
    + ". Each lesson has one source, tutorials/NN_name.py."
)


def make_parser():
    listed = "\n".join(f"  {name:<10} {text}" for name, text in WHAT.items())
    parser = console.Parser(
        prog="python -m tutorials.build",
        usage="python -m tutorials.build [WHAT ...] [--lessons N ...] [--out DIR]",
        description=f"Make what students and teachers use of the lessons' sources.\n\nWHAT may be:\n{listed}",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", nargs="*", choices=[*WHAT, []], metavar="WHAT", help="what to make")
    parser.add_argument(
        "--lessons",
        nargs="+",
        default=(),
        metavar="N",
        help="these lessons only, by number or name",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=HERE / "out",
        metavar="DIR",
        help="folder of what is made (default: tutorials/out)",
    )
    return parser


@console.command("tutorials.build")
def main(argv=None):
    args = make_parser().parse_args(argv)
    for what in args.what or USUAL:
        for lesson in lessons(args.lessons):
            begin = time.monotonic()
            try:
                make(what, lesson, args.out)
            except LessonError as error:
                print(error.details)
                raise
            print(f"{what:<9} {lesson.name} ({time.monotonic() - begin:.0f} s)", flush=True)


def make(what, lesson, out):
    if what == "notebooks":
        editions.beside(lesson)
    elif what == "check":
        check(lesson)
    elif what == "korean":
        editions.student(lesson, out / "ko" / "student", "ko")
        editions.solutions(lesson, out / "ko" / "solutions", "ko")
    elif what == "figures":
        editions.figures(lesson, out / "figures")
    else:
        {"student": editions.student, "solutions": editions.solutions}[what](lesson, out / what)


def check(lesson):
    """Raise LessonError unless the lesson keeps its word."""
    editions.current(lesson)
    dead = editions.dead_links(lesson)
    if dead:
        raise LessonError(
            f"{lesson.path.name}: dead links: "
            + ", ".join(f"{link} (cell {cell})" for cell, link in dead)
        )
    for name in korean.stale(lesson):
        print(
            f"{lesson.name}.ko.md: the cell {name} is stale, because its English text has changed"
        )
    korean.texts(lesson)
    run(lesson.notebook(without="exercise"), lesson.name, "tiny", HERE)


if __name__ == "__main__":
    console.entry(main)
