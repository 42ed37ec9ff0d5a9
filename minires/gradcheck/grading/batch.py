"""Many submissions: files, folders and patterns, one after another or several at a time, in a stable order."""

import contextlib
import functools
import importlib.metadata
import importlib.util
import itertools
import os
import queue
import sys
import threading
import weakref
from concurrent.futures import Future, wait
from pathlib import Path

from minires import console
from minires.console import GREEN, RED, Table, colored
from minires.errors import MiniresError, MissingDependencyError, OptionError, describe, need
from minires.gradcheck.grading.as_function import function_of, of_reference
from minires.gradcheck.grading.box import Box
from minires.gradcheck.grading.errors import CouldNotRunError
from minires.gradcheck.grading.folders import hidden_from_all, mentions, submissions
from minires.gradcheck.grading.grade import grade_source, op_of, standard_of
from minires.gradcheck.grading.process import (
    MINIRES,
    packages,
    refuse_without_processes,
    remove_old_scratch_folders,
    within_shown,
)
from minires.gradcheck.grading.results import CASES, STATUSES, Files, Result, Screen, name_of, show_case, summary
from minires.gradcheck.grading.source import read
from minires.settings import did_you_mean

COMMON = ("torch", "jax", "autograd", "tensorflow", "keras", "cupy", "scipy", "sklearn")  # what is often forbidden
LEAVING = 2.0  # seconds granted after Ctrl-C to the threads, which remove their folders
SAID = 500  # letters of a submission's line


def check_targets(
    words,
    like,
    *,
    function="",
    reference="",
    shapes=None,
    seed=None,
    samples=1,
    timeout=10.0,
    forbid=(),
    helpers=(),
    allow_minires=False,
    jobs=1,
    json_file=None,
    csv_file=None,
    gradescope_file=None,
    quiet=False,
    numbers_only=False,
    open_child=None,
):
    """Grade functions of files, print what comes, write the files. -> exit status 0, 1 or 2"""
    refuse_without_processes()
    refuse_modules_here()
    remove_old_scratch_folders()
    forbid = forbidden_modules(forbid)
    screen = Screen()
    helpers = [helper_file(file) for file in helpers]
    teachers = Path(reference.rpartition(":")[0])
    work = submissions(words, function, helpers, [teachers] * bool(reference))
    check_all(work, function, forbid)
    teacher = function_of(reference) if reference else None
    marks = json_file or csv_file or gradescope_file or len(work) > 1
    if marks and shapes and not (like or reference):
        raise OptionError(
            "marks need something to be held to: --like OP or --reference FILE.py:FUNCTION; a function that is only "
            "measured by differences gets advice, without --json, --csv, --gradescope or a folder"
        )
    if not shapes and not like and not reference:
        for _, _, names, why in work:
            if not why and not any(map(op_of, names)):
                standard_of("", None, None, names)  # says what to add
    if like or reference:
        if teacher and shapes:
            teacher = of_reference(teacher, shapes)
        standard_of(like, teacher, shapes)  # what is wrong with these is said once
    outputs = {Path(f) for f in (json_file, csv_file, gradescope_file) if f}
    check_outputs(outputs, [file for _, file, _, _ in work if file] + helpers + [teachers] * bool(reference))
    hidden = hidden_from_all(words, work) | outputs
    if reference:
        hidden |= {teachers, teachers.parent}  # of a submission beside it the folder is its own, and stays visible
    files = Files(
        json_file=json_file,
        csv_file=csv_file,
        gradescope_file=gradescope_file,
        submissions=len(work),
        seed=seed,
        samples=samples,
    )
    advice = shapes and not (like or reference)  # no mark, but a look at a gradient of one's own
    absent = () if advice or allow_minires or "minires" in forbid else ("minires",)
    folders = {file.parent for _, file, _, _ in work if file}
    behind = within_shown(hidden | folders | (own_clone() if absent else set()))
    children = Children(open_child or functools.partial(box, absent=absent, hidden=behind))
    grade_one = functools.partial(
        _grade_one,
        like=like,
        teacher=teacher,
        shapes=shapes,
        seed=seed,
        samples=samples,
        timeout=timeout,
        forbid=forbid,
        numbers_only=numbers_only,
        open_child=children,
        hidden=hidden,
        helpers=helpers,
    )
    one_line = len(work) > 1
    if one_line and not quiet:
        screen.show(f"seed {seed}")
    results = []
    futures = in_threads(grade_one, work, jobs)
    try:
        for future in futures:
            results.append(future.result())
            files.write(results)
            if one_line:
                _line(results[-1], screen, quiet)
            else:
                _whole(results[-1], screen, quiet, seed)
    except KeyboardInterrupt:
        results += [future.result() for future in futures[len(results) :] if future.done()]
        files.write(results)
        children.stop()
        left = wait([future for future in futures if not future.cancel()], LEAVING).not_done
        said = f"stopped; {len(results)} of {len(work)} submissions were marked"
        return console.stopped("minires.gradcheck", said, threads_left=bool(left))
    finally:
        for future in futures:
            future.cancel()
    if one_line:
        counts = {s: sum(r.status == s for r in results) for s in STATUSES}
        screen.show(f"{len(results)} submissions: " + ", ".join(f"{n} {s}" for s, n in counts.items() if n))
    failures = [f for f in (screen.failure, files.failure) if f]
    if failures:
        raise failures[-1]
    return max((r.exit_status for r in results), default=2)


def in_threads(do, all, count):
    """A Future of do(one) for each of `all`, in order; so many at a time.

    The threads are daemons, because Python waits for others at its end, and Ctrl-C is to end a command whatever hangs.
    """
    futures = [Future() for _ in all]
    waiting = queue.SimpleQueue()
    for pair in zip(futures, all):
        waiting.put(pair)

    def work():
        while not waiting.empty():
            with contextlib.suppress(queue.Empty):  # another thread was faster
                future, one = waiting.get_nowait()
                if future.set_running_or_notify_cancel():
                    try:
                        future.set_result(do(one))
                    except BaseException as error:  # for the one who asks for the result
                        future.set_exception(error)

    for _ in range(min(count, len(futures))):
        threading.Thread(target=work, daemon=True).start()
    return futures


def forbidden_modules(words):
    """The modules of --forbid torch jax, or torch,jax. Raises OptionError for what is no name of a module."""
    modules = [name for word in words for name in word.split(",")]
    for name in modules:
        if not all(part.isidentifier() for part in name.split(".")):
            raise OptionError(f"--forbid {name}: that is no name of a module; write --forbid torch jax, at the end")
        if name.partition(".")[0] == "numpy":
            raise OptionError("--forbid numpy: it cannot be forbidden, because arrays are what a submission is handed")
    return modules


def check_all(work, function, forbid):
    """Say once what is wrong with all: no package that reads notebooks, a name that no file has, a misspelt module."""
    files = [file for _, file, _, _ in work if file]
    notebooks = [file for file in files if file.suffix == ".ipynb"]
    try:
        if notebooks:
            need("nbformat", "notebooks", for_what="reading notebooks")
            need("IPython", "notebooks", for_what="reading notebooks")
    except MissingDependencyError as error:
        if len(notebooks) == len(files):
            raise
        console.say("gradcheck", error)  # the others can be marked
    name = function.partition(",")[0]
    if name and len(files) > 1 and not any(mentions(file, name) for file in files):
        raise OptionError(f"--function {function}: none of the {len(files)} files has that name")
    for module in forbid:
        top = module.partition(".")[0]
        known = top in COMMON or top in sys.stdlib_module_names or importlib.util.find_spec(top) or packages([top])
        if not known:
            installed = {*COMMON, *importlib.metadata.packages_distributions()}
            meant = did_you_mean(top, installed, did_you_mean(top, sys.stdlib_module_names, most=1), most=1)
            console.say("gradcheck", f"--forbid {module}: no such module is installed here; is the name right? {meant}")


def check_outputs(outputs, inputs):
    """Raise OptionError for marks that would be written over homework: over a link's target, or a submission itself."""
    kept = set(map(os.path.realpath, inputs))
    for file in outputs:
        is_device = file.parts[:2] in (("/", "dev"), ("/", "proc"))  # /dev/stdout is a link, too
        if file.is_symlink() and not is_device and (file.is_file() or not file.exists()):
            raise OptionError(f"{file} is a link, and its target would be overwritten: name another file")
        if os.path.realpath(file) in kept:
            raise OptionError(f"{file} is a submission, and would be overwritten: name another file")


class Children:
    """open(source, …) of processes, all of which one call can end: those that are open, and those that would be."""

    def __init__(self, open):
        self.open = open
        self.opened = weakref.WeakSet()
        self.lock = threading.Lock()
        self.stopped = False

    def __call__(self, source, **how):
        child = self.open(source, **how)
        with self.lock:
            if self.stopped:
                raise CouldNotRunError("it was stopped")
            self.opened.add(child)
        return child

    def stop(self):
        """End them all; none is opened after that."""
        with self.lock:
            self.stopped = True
            for child in self.opened:
                child.stop()


def refuse_modules_here():
    """Raise OptionError where python -m may have taken a file of the working folder for one of Python's modules."""
    words = sys.orig_argv
    by_module = any(a == "-m" and b.partition(".")[0] == "minires" for a, b in itertools.pairwise(words))
    if not by_module or getattr(sys.flags, "safe_path", False):
        return
    known = {*sys.stdlib_module_names, "numpy", "minires"}
    here = Path(__file__).parents[3]
    for entry in sorted(Path().iterdir()):
        is_module = entry.suffix == ".py" or (entry.is_dir() and any(entry.glob("*.py")))
        if is_module and entry.stem in known and entry.resolve() != here / "minires":
            raise OptionError(
                f"{entry.name} in this folder may stand in for Python's own module {entry.stem}: mark with the command "
                "minires gradcheck …, or start python -m from another folder"
            )


def _line(result, screen, quiet):
    if quiet and result.passed:
        return
    said = result.first_word()
    name = result.target if len(result.target) <= 40 else "…" + result.target[-39:]
    status = colored(f"{result.status:13}", GREEN if result.passed else RED)
    over = sum(result.passed_over.values())
    counts = f"{result.count:>3} of {result.total:<3}  {f'{over:>2} passed over' if over else '':14}"
    line = f"{name:40}  {status}  {counts}"
    screen.show(f"{line}  {said[:SAID]}".rstrip(), flush=True)


def _whole(result, screen, quiet, seed):
    if not (quiet and result.passed):
        held = f", held to {result.like}" if result.like else ", measured by differences" if result.advice else ""
        screen.show(f"{result.target}{held}, seed {seed}")
    if not result.error and not result.not_done:
        table = Table(CASES, quiet, screen.show)
        for case in result.cases:
            show_case(table, case)
    screen.show(summary(result))


def helper_file(path):
    """A file or folder of --helper. Raises OptionError where there is none."""
    if not os.path.isfile(path) and not os.path.isdir(path):
        raise OptionError(f"--helper {path}: there is no such file or folder")
    return Path(path)


def own_clone():
    """Where the answers of minires lie: its package, and the clone that it is in."""
    return {MINIRES} if MINIRES.parent.name.endswith("-packages") else {MINIRES, MINIRES.parent}


def box(source, **settings):
    """A process of its own for a Source, which sees what lies beside it."""
    return Box(source, folder=source.path.parent, **settings)


def _grade_one(
    work, *, like, teacher, shapes, seed, samples, timeout, forbid, numbers_only, open_child, hidden, helpers
):
    shown, file, names, why = work
    result = Result(name_of(shown), seed=seed or 0)
    try:
        own = like or ("" if shapes or teacher else next(filter(None, map(op_of, names)), ""))
        if why:
            result.like = own
            raise OptionError(why)
        held_to = standard_of(own, teacher, shapes, names)
        result.like = held_to.name if held_to else ""
        source = read(file)
        return grade_source(
            source,
            names,
            held_to,
            shapes,
            lambda: open_child(source, timeout=timeout, forbid=forbid, without=hidden - {file}, helpers=helpers),
            result,
            seed=seed,
            samples=samples,
            numbers_only=numbers_only,
        )
    except MiniresError as error:
        result.error = str(error)
    except Exception as error:  # an error that we did not foresee costs this submission its result, and no other
        result.error = f"the grader itself failed at it: {describe(error)}"
    return result
