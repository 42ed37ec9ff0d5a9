"""What came of a submission: on the screen, as JSON, as CSV, and in the form that Gradescope reads."""

import csv
import io
import json
import os
import re
from dataclasses import dataclass, field

from minires.console import OutputError, Table, visible
from minires.storage import atomic_write

CASES = {"case": 42, "error": -7, "wrong": 16}
COULD_NOT_RUN = "could not run"
STATUSES = ("passed", "failed", "timed out", "not done", COULD_NOT_RUN)
LONGEST = 1000  # letters of a line
SEEN = 1e-3  # an error of a case that is seen in the numbers that are quoted
COUNT = re.compile(r"(?<=, )\d+(?=:)")  # of samples, which another case has more of
# A cell that begins so is a formula to a spreadsheet. Many split lines at ; or | too, whatever the file's own comma.
FORMULA = re.compile(r"(^|[;|\t])(?=[=+\-@\t\r＝＋－＠])")


def clean(text):
    """A text in which names of a submission may stand: no letter of it moves a cursor."""
    lines = ("".join(c if c.isprintable() else " " for c in line)[:LONGEST] for line in text.split("\n"))
    return "\n".join(map(visible, lines))


def one_line(text):
    """A sentence in which names may stand that are a student's choice, on one line."""
    return clean(" ".join(text.split("\n")))


def name_of(path):
    """The name of a file or folder, on one line: two names stay different, because marks are looked up by them."""
    return visible(str(path) if os.sep == "\\" else str(path).replace("\\", "\\\\"))


@dataclass
class CaseResult:
    """The verdict on one case. error: the largest, relative to the largest element of its array."""

    name: str
    label: str
    error: float = 0.0
    wrong: list[str] = field(default_factory=list)  # arguments
    problems: list[str] = field(default_factory=list)  # sentences: what is wrong
    differences: list[str] = field(default_factory=list)  # sentences: which number is wrong
    hints: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    y_is_wrong: bool = False
    empty: bool = False  # whether the arrays have no elements, so that there is nothing to earn
    trivial: bool = False  # whether x itself is the right y, and dy the right dx, so that nothing is earned by it
    timed_out: bool = False  # whether nothing else is known to be wrong
    forgetful: bool = False  # whether a later call of the same gives something else, so that no case is earned
    misshapen: list[str] = field(default_factory=list)  # arguments whose gradient has another shape than they have

    @property
    def passed(self):
        return not (self.problems or self.differences or self.wrong)

    def as_dict(self):
        return {
            "name": self.name,
            "passed": self.passed,
            "status": "ok" if self.passed else "timed out" if self.timed_out else "FAILED",
            "error": self.error,
            "wrong": self.wrong,
            "problems": [*self.problems, *self.differences],
            "hints": self.hints,
            "notes": self.notes,
        }

    def __str__(self):
        said = [*self.problems, *self.differences, *self.hints, *self.notes]
        return f"{self.as_dict()['status']:6} {self.name}{'  ' * bool(said)}{'; '.join(dict.fromkeys(said))}"


@dataclass(repr=False)
class Result:
    """What came of one submission: verdicts on its cases, or the sentence that says why there are none."""

    target: str
    like: str = ""
    style: str = ""  # what was recognized
    cases: list = field(default_factory=list)
    passed_over: dict = field(default_factory=dict)  # {reason: how many cases}
    beyond: list = field(default_factory=list)  # cases that no homework need take, and that were not tried
    error: str = ""  # why it could not be run
    not_done: str = ""
    stopped: str = ""  # why no more was called
    timed_out: bool = False  # whether it was too slow
    not_tried: int = 0  # cases left out because of that
    untried: list = field(default_factory=list)  # their labels
    advice: bool = False  # measured by differences: no mark
    unchecked: list = field(default_factory=list)  # gradients that it does not give, as "dbias"
    notes: list = field(default_factory=list)
    seed: int = 0

    @property
    def status(self):
        """One of STATUSES; "timed out" where nothing is known to be wrong, and not all has come back in time."""
        if self.error:
            return COULD_NOT_RUN
        if self.not_done:
            return "not done"
        wrong = [case for case in self.cases if not case.passed]
        if not wrong and self.cases and not self.stopped:
            return "passed"
        late = [case for case in wrong if isinstance(case, CaseResult) and case.timed_out]
        return "timed out" if (late or self.timed_out) and len(late) == len(wrong) else "failed"

    def stop(self, error):
        """Nothing more was called after this StoppedError."""
        self.stopped = str(error)
        self.timed_out = error.timed_out

    @property
    def passed(self):
        return self.status == "passed"

    @property
    def exit_status(self):
        """0 passed, 1 wrong, not done or timed out, 2 could not be run."""
        return {"passed": 0, COULD_NOT_RUN: 2}.get(self.status, 1)

    @property
    def count(self):
        return sum(case.passed for case in self.cases)

    @property
    def total(self):
        """How many cases it was to be tried on."""
        return len(self.cases) + self.not_tried

    @property
    def score(self):
        """The part of a point: samples of one case count once, and nothing is earned where there is nothing to do.

        That is an empty batch, and what gives x itself back, if the function does more in other cases. What is right in
        its first calls only earns nothing at all.
        """
        if self.error or self.not_done or any(getattr(case, "forgetful", False) for case in self.cases):
            return 0
        right = dict.fromkeys(map(_without_sample, self.untried), False)
        does_more = not all(getattr(case, "trivial", False) for case in self.cases)
        for case in self.cases:
            nothing = getattr(case, "empty", False) or (does_more and getattr(case, "trivial", False))
            if not (case.passed and nothing):
                label = _without_sample(getattr(case, "label", case.name))
                right[label] = right.get(label, True) and case.passed
        return round(sum(right.values()) / len(right), 2) if right else 0

    def first_word(self):
        """The sentence that says most, for a table of many submissions."""
        if self.error or self.not_done:
            return one_line(self.error or self.not_done)
        wrong = [case for case in self.cases if not case.passed]
        if not wrong:
            return one_line("; ".join([self.stopped] * bool(self.stopped) + self.notes))
        hints = [hint for case in wrong for hint in case.hints]
        said = [sentence for case in wrong for sentence in (*case.problems, *case.differences)]
        return one_line((hints or said or [""])[0])

    def as_dict(self):
        return {
            "target": self.target,
            "like": self.like,
            "style": self.style,
            "status": self.status,
            "passed": self.passed,
            "error": self.error or self.not_done,
            "cases_passed": self.count,
            "cases": self.total,
            "cases_not_tried": self.not_tried,
            "cases_passed_over": self.passed_over,
            "cases_beyond_homework": self.beyond,
            "notes": self.notes,
            "reports": [case.as_dict() for case in self.cases],
        }

    def __str__(self):
        lines = [f"{self.target}{f', held to {self.like}' if self.like else ''}"]
        table = Table(CASES, False, lambda line, **how: lines.append(line))
        for case in self.cases:
            show_case(table, case)
        return "\n".join([*lines, summary(self)])

    __repr__ = __str__  # as a notebook shows it


def _without_sample(label):
    return re.sub(r", (sample \d+|other numbers)", "", label)


def show_case(table, case):
    """A row of the table of cases."""
    if not isinstance(case, CaseResult):  # of the gradient check
        worst = case.worst
        table.row(case.name, f"{worst.error:.1e}" if worst else "-", _wrong(case), passed=case.passed)
        return
    table.row(
        case.label,
        f"{case.error:.1e}" if case.error or case.passed else "shape" if case.misshapen or case.y_is_wrong else "-",
        _wrong(case),
        passed=case.passed,
    )


def _wrong(case):
    if case.wrong:
        return ", ".join(f"d{name}" for name in dict.fromkeys(case.wrong))
    if case.passed:
        return ""
    return "timed out" if isinstance(case, CaseResult) and case.timed_out else "see below"


def summary(result):
    """What is wrong, each thing once, with the case that shows it best; then the count."""
    if result.error:
        return clean(f"could not check {result.target}: {result.error}")
    lines = [f"  {note}" for note in result.notes]
    if result.style:
        lines.insert(0, f"  recognized: {result.style}")
    if result.not_done:
        return clean("\n".join([*lines, f"not done: {result.not_done}"]))
    said = set()

    def say(sentence, key=None, case=None):
        key = key or re.split(r"[:(\[]", sentence)[0]
        if sentence and key not in said:
            said.add(key)
            lines.append(f"  {f'{case.name}: ' if case else ''}{sentence}")

    for case in telling(result.cases):
        if not isinstance(case, CaseResult):
            _say_report(case, say)
            continue
        for sentence in case.problems:
            say(sentence, case=case)
        for sentence in case.differences:
            say(sentence, sentence.partition(",")[0])
        for sentence in [*case.hints, *case.notes]:
            say(sentence, COUNT.sub("", sentence.partition("(")[0]))
    for reason, count in result.passed_over.items():
        lines.append(f"  {count} case{'s' * (count > 1)} passed over: it {reason}")
    if result.beyond:
        lines.append(f"  not tried, because no homework need take it: {'; '.join(result.beyond)}")
    if result.stopped:
        lines.append(f"  {result.stopped}; cases not tried: {result.not_tried}")
    if result.status == "timed out":
        lines.append("timed out: no case is known to be wrong, but not all came back in time")
    over = sum(result.passed_over.values())
    not_marked = f"; {over} more passed over, and what these look at is not marked"
    lines.append(f"{result.count} of {result.total} cases passed{not_marked * bool(over and result.passed)}")
    if result.advice:
        lines.append(
            "this is advice, not a mark: measured by differences, with nothing of the grader's own to be held to"
        )
    return clean("\n".join(lines))


def telling(cases):
    """The cases that tell most first: with one wrong argument; the plain case, which is easy to repeat; far off."""
    plain = [case for case in cases[:1] if getattr(case, "error", 0.0) >= SEEN]
    return sorted(cases, key=lambda c: (len(c.wrong), c not in plain, -getattr(c, "error", 0.0)))


def _say_report(report, say):
    """What a report of the gradient check says."""
    for sentence in report.problems:
        say(sentence, case=report)
    for worst in report.arguments:
        if worst.argument in report.wrong:
            say(
                f"d{worst.argument} is wrong, in {report.name}: {worst} is {worst.analytic:.9g} by backward, "
                f"{worst.numeric:.9g} measured",
                worst.argument,
            )
    for sentence in [report.jumped, *report.unsure, report.hint, *report.notes]:
        say(sentence, sentence.partition("(")[0])
    if report.kinks:
        say(
            f"{report.kinks} of {report.elements} elements lie at a kink, without a derivative: the gradient there "
            "must be one of the subgradients",
            "kinks",
        )


class Screen:
    """Prints. If that fails it is kept for the end, because the files are still to be written."""

    failure = None

    def show(self, text, **how):
        try:
            try:
                print(text, **how)
            except UnicodeEncodeError:  # where a caller's stream was not prepared by console.entry
                print(text.encode("ascii", "replace").decode(), **how)
        except OutputError as error:
            self.failure = error


class Files:
    """The results in files, written anew after each submission, beside and renamed, so that none is ever half there."""

    def __init__(self, *, json_file=None, csv_file=None, gradescope_file=None, **settings):
        self.files = {json_file: self._json, csv_file: table_of, gradescope_file: self._gradescope}
        self.files.pop(None, None)
        self.settings = settings  # of the run, for the JSON; submissions: how many there are to be
        self.failure = None

    def write(self, results):
        """What there is so far; an OSError is kept, for the others are still to be written."""
        for file, content in self.files.items():
            try:
                atomic_write(file, content(results).encode("utf-8", "replace"))
            except OSError as error:
                self.failure = error

    def _json(self, results):
        whole = {
            "passed": len(results) == self.settings["submissions"] and all(r.passed for r in results),
            **self.settings,
            "results": [r.as_dict() for r in results],
        }
        return json.dumps(_plain(whole), indent=1, ensure_ascii=False)

    def _gradescope(self, results):
        return json.dumps(_plain(gradescope(results)), indent=1, ensure_ascii=False)


def table_of(results):
    """CSV: a line a submission. Its first character tells Excel that it is UTF-8.

    What could not be run has no score, because nothing is known of it.
    """
    text = io.StringIO()
    text.write("\N{BYTE ORDER MARK}")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["submission", "status", "cases_passed", "cases", "cases_passed_over", "score", "seed", "recognized", "said"]
    )
    for r in results:
        row = [r.target, r.status, r.count, r.total, sum(r.passed_over.values())]
        row += ["" if r.status == COULD_NOT_RUN else r.score, r.seed, r.style, r.first_word()]
        writer.writerow([FORMULA.sub(r"\1'", cell) if isinstance(cell, str) else cell for cell in row])
    return text.getvalue()


def gradescope(results):
    """results.json of a Gradescope autograder: a test for each function, of one point, so that the sum is known before.

    A function that is right in some cases only gets their part of the point. Cases that were not tried count as wrong,
    the samples of one case count once, and an empty batch does not count.
    """
    tests = [
        {
            "name": clean(result.target),
            "score": result.score,
            "max_score": 1,
            "status": "passed" if result.passed else "failed",
            "output": f"{result.status}\n{result}",
            "output_format": "text",
            "visibility": "visible",
        }
        for result in results
    ]
    said = [f"{result.target}: {result.status}" for result in results]
    return {"tests": tests, "output": clean("\n".join(said)), "output_format": "text", "visibility": "visible"}


def _plain(value):
    """What JSON can hold and a console can show: texts are cleaned, and an infinite error becomes a string."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {_plain(key): _plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not abs(value) < float("inf"):
        return str(value)
    return value
