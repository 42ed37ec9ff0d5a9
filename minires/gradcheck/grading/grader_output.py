"""Results of somebody's functions: on the screen, as JSON, and in the form that Gradescope reads."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from minires.console import OutputError, Table
from minires.errors import MiniresError, OptionError
from minires.gradcheck.checks.checker import known_op
from minires.gradcheck.grading.sandbox import run_cases
from minires.op import registry
from minires.storage import atomic_write

CASES = {"case": 32, "measured by": 16, "error": -7, "wrong": 10}


@dataclass
class Result:
    """What came of one target: reports of its cases, or the sentence that says why there are none."""

    target: str
    like: str = ""
    reports: list = field(default_factory=list)
    passed_over: dict = field(default_factory=dict)  # {reason: how many cases}
    error: str = ""

    @property
    def passed(self):
        return not self.error and all(report.passed for report in self.reports)

    def as_dict(self):
        return {
            "target": self.target,
            "like": self.like,
            "passed": self.passed,
            "error": self.error,
            "cases_passed": sum(r.passed for r in self.reports),
            "cases": len(self.reports),
            "cases_passed_over": self.passed_over,
            "reports": [r.as_dict() for r in self.reports],
        }


def is_target(text):
    """Whether a word of the command line names a function in a file, as homework.py:my_conv does."""
    return ".py" in text or ".ipynb" in text


def check_targets(targets, like, *, seed=0, samples=1, timeout=10.0, json_file=None, gradescope_file=None, quiet=False):
    """Check functions FILE:NAME, print what comes, write the files. -> exit status 0, 1 or 2"""
    screen = Screen()
    results = [
        check_target(target, like, seed=seed, samples=samples, timeout=timeout, quiet=quiet, show=screen.show)
        for target in targets
    ]
    whole = {
        "passed": all(r.passed for r in results),
        "seed": seed,
        "samples": samples,
        "results": [r.as_dict() for r in results],
    }
    failures = [screen.failure] if screen.failure else []
    for file, content in ((json_file, _plain(whole)), (gradescope_file, gradescope(results))):
        try:
            if file:
                atomic_write(file, json.dumps(content, indent=1, ensure_ascii=False).encode(errors="replace"))
        except OSError as error:
            failures.append(error)
    if failures:
        raise failures[-1]
    return 2 if any(r.error for r in results) else 0 if all(r.passed for r in results) else 1


class Screen:
    """Prints. If that fails it is kept for the end, because the files are still to be written."""

    failure = None

    def show(self, text, **how):
        try:
            print(text, **how)
        except OutputError as error:
            self.failure = error


def check_target(target, like, *, seed, samples, timeout, quiet, show):
    """One function, on the screen as it goes. -> Result"""
    path, colon, name = target.rpartition(":")
    result = Result(target, like or _op_of(name))
    try:
        if not colon or not name.isidentifier():
            raise OptionError("which function? Write FILE.py:FUNCTION")
        if not Path(path).is_file():
            raise OptionError(f"there is no file {path!r}")
        if not result.like:
            raise OptionError("say which op it is to be like: --like OP; --list shows their names")
        known_op(result.like)
        if not quiet:
            show(f"{target}, held to {result.like}")
        events = run_cases(path, name, result.like, seed=seed, samples=samples, timeout=timeout)
        _, _, result.passed_over = next(events)
        table = Table(CASES, quiet, show)
        for label, report in events:
            result.reports.append(report)
            table.row(
                label,
                report.method if report.arguments else "-",
                f"{report.worst.error:.1e}" if report.worst else "-",
                ", ".join(f"d{n}" for n in report.wrong) or ("" if report.passed else "see below"),
                passed=report.passed,
            )
    except MiniresError as error:
        result.error = str(error)
    show(summary(result))
    return result


def _op_of(name):
    """The op that a function is named after: conv2d, conv2d_backward; or ""."""
    return next((op for op in (name, name.removesuffix("_backward")) if op in registry), "")


def summary(result):
    """What is wrong, each thing once, with the case that shows it best; then the count."""
    if result.error:
        return f"could not check {result.target}: {result.error}"
    lines = []
    said = set()
    for report in sorted(result.reports, key=lambda r: len(r.wrong)):  # those with one wrong argument tell most
        for sentence in report.problems:
            if sentence.partition(":")[0] not in said:
                said.add(sentence.partition(":")[0])
                lines.append(f"  {report.name}: {sentence}")
        for worst in report.arguments:
            if worst.argument in report.wrong and worst.argument not in said:
                said.add(worst.argument)
                lines.append(
                    f"  d{worst.argument} is wrong, in {report.name}: {worst} is {worst.analytic:.9g} "
                    f"by backward, {worst.numeric:.9g} measured"
                )
        for sentence in [report.jumped, *report.unsure, report.hint, *report.notes]:
            if sentence and sentence.partition("(")[0] not in said:
                said.add(sentence.partition("(")[0])
                lines.append(f"  {sentence}")
        if report.kinks and "kinks" not in said:
            said.add("kinks")
            kinks = sum(r.kinks for r in result.reports)
            elements = sum(r.elements for r in result.reports)
            lines.append(
                f"  {kinks} of {elements} elements lie at a kink, without a derivative: the gradient "
                "there must be one of the subgradients"
            )
    for reason, count in result.passed_over.items():
        lines.append(f"  {count} case{'s' * (count > 1)} passed over: it {reason}")
    lines.append(f"{sum(r.passed for r in result.reports)} of {len(result.reports)} cases passed")
    return "\n".join(lines)


def gradescope(results):
    """results.json of a Gradescope autograder: one test a case, of one point each."""
    tests = []
    for result in results:
        if result.error:
            tests.append(
                {"name": result.target, "score": 0, "max_score": 1, "status": "failed", "output": result.error}
            )
        for report in result.reports:
            tests.append(
                {
                    "name": f"{result.target}: {report.name}",
                    "score": int(report.passed),
                    "max_score": 1,
                    "status": "passed" if report.passed else "failed",
                    "output": str(report),
                }
            )
    return {"tests": tests, "output": "\n".join(map(summary, results)), "visibility": "visible"}


def _plain(value):
    """What JSON can hold: an infinite error becomes a string."""
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not abs(value) < float("inf"):
        return str(value)
    return value
