"""The marks of notebooks: on the screen, as CSV, as JSON, and in the form that Gradescope reads."""

import csv
import io
import json
from dataclasses import dataclass, field

from minires.gradcheck.grading.results import FORMULA, clean, one_line
from minires.lessons.outcome import COULD_NOT_RUN
from minires.storage import atomic_write


@dataclass
class Marks:
    """What came of one notebook. lesson: None where it is not known which one it is."""

    target: str
    lesson: int | None = None
    outcomes: list = field(default_factory=list)
    error: str = ""  # why nothing could be marked

    @property
    def points(self):
        return sum(one.points for one in self.outcomes)

    @property
    def out_of(self):
        return sum(one.out_of for one in self.outcomes)

    @property
    def exit_status(self):
        """0 all right, 1 not all, 2 something could not be run."""
        if self.error or any(one.status == COULD_NOT_RUN for one in self.outcomes):
            return 2
        return 0 if all(one.passed for one in self.outcomes) else 1

    @property
    def said(self):
        """One line: the first thing that is wrong."""
        wrong = [one for one in self.outcomes if not one.passed]
        first = f"{wrong[0].number} {wrong[0].status}: {wrong[0].first_word}" if wrong else ""
        return one_line(self.error or first)

    def __str__(self):
        if self.error:
            return clean(f"could not mark {self.target}: {self.error}")
        lines = [*map(repr, self.outcomes), f"{self.points:g} of {self.out_of:g} points"]
        return clean("\n".join(lines))


class Files:
    """The marks in files, written anew after each notebook, so that none is ever half there."""

    def __init__(self, seed, *, csv_file=None, json_file=None, gradescope_file=None):
        self.seed = seed
        self.files = {csv_file: self._csv, json_file: self._json, gradescope_file: self._gradescope}
        self.files.pop(None, None)

    def write(self, marks):
        for file, content in self.files.items():
            atomic_write(file, content(marks).encode("utf-8", "replace"))

    def _csv(self, marks):
        """A line a notebook, a column an exercise. Its first character tells Excel that it is UTF-8."""
        found = {one.number for each in marks for one in each.outcomes}
        numbers = sorted(found, key=lambda number: [int(part) for part in number.split(".")])
        text = io.StringIO()
        text.write("\N{BYTE ORDER MARK}")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["submission", "lesson", "points", "out_of", *numbers, "seed", "said"])
        for each in marks:
            earned = {one.number: f"{one.points:g}" for one in each.outcomes}
            row = [each.target, each.lesson or "", f"{each.points:g}", f"{each.out_of:g}"]
            row += [earned.get(number, "") for number in numbers] + [str(self.seed), each.said]
            writer.writerow([FORMULA.sub(r"\1'", cell) if isinstance(cell, str) else cell for cell in row])
        return text.getvalue()

    def _json(self, marks):
        whole = [
            {
                "submission": clean(each.target),
                "lesson": each.lesson,
                "points": each.points,
                "out_of": each.out_of,
                "error": clean(each.error),
                "exercises": [
                    {
                        "number": one.number,
                        "function": one.function,
                        "status": one.status,
                        "points": one.points,
                        "out_of": one.out_of,
                        "said": [clean(sentence) for sentence in one.said],
                        "hint": clean(one.hint),
                    }
                    for one in each.outcomes
                ],
            }
            for each in marks
        ]
        return json.dumps({"seed": self.seed, "results": whole}, indent=1, ensure_ascii=False)

    def _gradescope(self, marks):
        tests = [
            {
                "name": clean(f"{each.target} {one.number} {one.function}" if len(marks) > 1 else one.title),
                "score": one.points,
                "max_score": one.out_of,
                "status": "passed" if one.passed else "failed",
                "output": clean(repr(one)),
                "output_format": "text",
                "visibility": "visible",
            }
            for each in marks
            for one in each.outcomes
        ]
        said = clean("\n".join(str(each) for each in marks))
        return json.dumps({"tests": tests, "output": said, "output_format": "text", "visibility": "visible"}, indent=1)
