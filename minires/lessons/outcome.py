"""What is said of an answer to an exercise: in a notebook, in a console, and to the grader."""

import html
from dataclasses import dataclass, field

from minires.lessons.languages import say

RIGHT, WRONG, NOT_DONE = "right", "wrong", "not done yet"
TIMED_OUT, COULD_NOT_RUN = "timed out", "could not be run"
COLORS = {RIGHT: "#1a7f37", WRONG: "#cf222e", TIMED_OUT: "#cf222e", COULD_NOT_RUN: "#9a6700"}
GREY = "#6e7781"  # of what is not done yet, and of all borders


@dataclass(repr=False)
class Outcome:
    """The verdict on one answer. status: one of the five above; said: sentences; hint: the mistake by its name.

    It has them in English. It shows them in the language of the notebook (languages.py).
    """

    number: str
    function: str
    status: str
    said: list[str] = field(default_factory=list)
    hint: str = ""
    points: float = 0  # earned
    out_of: float = 0

    @property
    def passed(self):
        return self.status == RIGHT

    @property
    def first_word(self):
        """The sentence that says most."""
        return self.hint or next(iter(self.said), "")

    @property
    def title(self):
        return f"{self.number} {self.function}: {say(self.status)}"

    def __repr__(self):
        hint = [f"{say('hint')}: {say(self.hint)}"] if self.hint else []
        return "\n  ".join([self.title, *map(say, self.said), *hint])

    def _repr_html_(self):
        color = COLORS.get(self.status, GREY)
        lines = [f'<strong style="color: {color}">{html.escape(self.title)}</strong>']
        lines += [html.escape(say(sentence)) for sentence in self.said]
        lines += [f"<em>{say('hint').capitalize()}:</em> {html.escape(say(self.hint))}"] if self.hint else []
        style = f"border-left: 4px solid {color}; padding: 2px 10px; margin: 4px 0"
        return f'<div style="{style}">{"<br>".join(lines)}</div>'
