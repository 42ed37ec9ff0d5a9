"""python -m tutorials.grade: mark the exercises in notebooks that students hand in."""

import argparse
import functools
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from minires import console, lessons
from minires.console import new_file, seconds, whole
from minires.errors import MiniresError, OptionError, describe
from minires.gradcheck.grading.batch import Children, box, check_outputs
from minires.gradcheck.grading.errors import CouldNotRunError, StoppedError
from minires.gradcheck.grading.folders import hidden_from_all, submissions
from minires.gradcheck.grading.process import remove_old_scratch_folders
from minires.gradcheck.grading.results import one_line
from minires.gradcheck.grading.session import Session
from minires.gradcheck.grading.source import read
from minires.lessons.judge import outcome
from minires.lessons.outcome import COULD_NOT_RUN
from minires.storage import check_writable
from tutorials.grade.marks import Files, Marks
from tutorials.grade.submission import defined_names, taken

ABSENT = ("minires", "tutorials", "tests")  # which know the answers
DESCRIPTION = """\
Mark the exercises of a lesson in notebooks. Of a notebook the functions that
the exercises ask for are taken, with what these need; experiments do not run.
Each notebook computes in a process of its own, on arguments drawn from a seed
that is printed. That is no jail: see docs/marking.md."""


def make_parser():
    """The command line."""
    parser = console.Parser(
        prog="python -m tutorials.grade",
        description=DESCRIPTION,
        epilog="exit status: 0 all right, 1 not all, 2 something could not run, 130 stopped",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("notebooks", nargs="+", metavar="NOTEBOOK", help="notebooks, or folders of notebooks")
    parser.add_argument(
        "--lesson", type=whole(1), metavar="N", help="the lesson (default: the one whose functions a notebook has)"
    )
    parser.add_argument("--csv", type=new_file, metavar="FILE", help="write a line a notebook")
    parser.add_argument("--json", type=new_file, metavar="FILE", help="write all that is said, for a script")
    parser.add_argument("--gradescope", type=new_file, metavar="FILE", help="write a Gradescope results.json")
    parser.add_argument("--jobs", type=whole(1), default=1, metavar="N", help="notebooks at a time (default 1)")
    parser.add_argument("--seed", type=whole(0), metavar="S", help="of the arguments (default: a random one)")
    parser.add_argument("--timeout", type=seconds, default=10.0, metavar="S", help="seconds for each call (default 10)")
    return parser


@console.command("tutorials.grade")
def main(argv=None):
    args = make_parser().parse_args(argv)
    check_writable(args.csv, args.json, args.gradescope)
    remove_old_scratch_folders()
    exercises = lessons.exercises(args.lesson)
    if not exercises:
        known = sorted({one.lesson for one in lessons.exercises()})
        raise OptionError(f"--lesson {args.lesson} has no exercises; these have: {', '.join(map(str, known))}")
    work = submissions(args.notebooks, " or ".join(one.function for one in exercises))
    outputs = {Path(file) for file in (args.csv, args.json, args.gradescope) if file}
    check_outputs(outputs, [file for _, file, _, _ in work if file])
    hidden = hidden_from_all(args.notebooks, work) | outputs
    seed = secrets.randbits(32) if args.seed is None else args.seed
    files = Files(seed, csv_file=args.csv, json_file=args.json, gradescope_file=args.gradescope)
    children = Children(functools.partial(box, absent=ABSENT, timeout=args.timeout))
    mark = functools.partial(_marked, lesson=args.lesson, seed=seed, open_child=children, hidden=hidden)
    print(f"seed {seed}")
    marks = []
    with ThreadPoolExecutor(args.jobs) as executor:
        futures = [executor.submit(mark, shown, file, why) for shown, file, _, why in work]
        try:
            for future in futures:
                marks.append(future.result())
                files.write(marks)
                print(_line(marks[-1]) if len(work) > 1 else str(marks[-1]), flush=True)
        except KeyboardInterrupt:
            children.stop()
            return console.stopped("tutorials.grade", f"stopped; {len(marks)} of {len(work)} notebooks were marked")
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
    return max((one.exit_status for one in marks), default=2)


def _line(marks):
    name = marks.target if len(marks.target) <= 40 else "…" + marks.target[-39:]
    return f"{name:40}  {marks.points:>3g} of {marks.out_of:<3g}  {marks.said}".rstrip()


def _marked(shown, file, why, *, lesson, seed, open_child, hidden):
    """The Marks of one notebook."""
    marks = Marks(one_line(shown), lesson)
    try:
        if why:
            raise OptionError(why)
        source = read(file)
        marks.lesson = lesson or lesson_of(source)
        exercises = lessons.exercises(marks.lesson)
        part, hidden_names = taken(source, [one.function for one in exercises])
        marks.outcomes = outcomes(
            exercises, lambda: open_child(part, without=hidden - {file}), marks.target, seed, hidden_names
        )
    except MiniresError as error:
        marks.error = str(error)
    except Exception as error:  # an error that we did not foresee costs this notebook its marks, and no other
        marks.error = f"the grader itself failed at it: {describe(error)}"
    if marks.error and marks.lesson:  # so that the points of a class add up to the same
        marks.outcomes = [outcome(one, COULD_NOT_RUN, [marks.error]) for one in lessons.exercises(marks.lesson)]
    return marks


def lesson_of(source):
    """The lesson of whose functions a notebook defines most. Raises OptionError where that is not one lesson."""
    defined = defined_names(source)
    counts = {}
    for one in lessons.exercises():
        counts[one.lesson] = counts.get(one.lesson, 0) + (one.function in defined)
    most = max(counts.values())
    found = [lesson for lesson, count in counts.items() if count == most]
    if not most:
        raise OptionError("it has none of the functions that the exercises ask for")
    if len(found) > 1:
        raise OptionError(f"it may be of the lessons {', '.join(map(str, found))}: say which, --lesson {found[0]}")
    return found[0]


def outcomes(exercises, open_child, name, seed, hidden_names=()):
    """The Outcome of each exercise. They share a process, as long as none ends it, or takes its time."""
    found = []
    session = Session(open_child, name)
    try:
        for exercise in exercises:
            if _is_spent(session):
                session.close()
                session = Session(open_child, name)
            found.append(_outcome(exercise, session, seed, hidden_names))
    finally:
        session.close()
    return found


def _is_spent(session):
    late = time.monotonic() - session.begin > session.timeout
    return bool(late or session.stopped or session.timeouts or session.ends)


def _outcome(exercise, session, seed, hidden_names):
    try:
        said = exercise.judged(session, seed)
    except (CouldNotRunError, StoppedError) as error:
        return outcome(exercise, COULD_NOT_RUN, [str(error)])
    except Exception as error:  # an error that we did not foresee costs this exercise, and no other
        return outcome(exercise, COULD_NOT_RUN, [f"the check itself failed: {describe(error)}"])
    for name in hidden_names:
        if any(f"name '{name}' is not defined" in sentence for sentence in said.said):
            said.hint = f"{name} is minires, which is hidden here, because it knows the answers: use NumPy"
    return said


if __name__ == "__main__":
    console.entry(main)
