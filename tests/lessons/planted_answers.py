"""Wrong answers, written as students write them, and the blanks and solutions of the lessons' sources."""

import re
from pathlib import Path

HERE = Path(__file__).parent
TUTORIALS = HERE.parents[1] / "tutorials"
CELL = re.compile(r'^# %% .*?tags=\["(exercise|solution)"\].*? exercise="([\d.]+)"', re.MULTILINE)
planted = []  # (number of the exercise, a word of the hint, the function)


def wrong(number, word):
    """Enter a wrong answer. word: what the hint has to say of it."""

    def enter(function):
        planted.append((number, word, function))
        return function

    return enter


def cells(path):
    """{(tag, exercise): code} of a lesson's source, and "setup" of its first code cell."""
    found = {}
    for part in re.split(r"(?m)^(?=# %%)", path.read_text(encoding="utf-8")):
        head, _, code = part.partition("\n")
        if 'tags=["setup"]' in head:
            found["setup"] = code
        if match := CELL.match(head):
            found[match.groups()] = code
    return found


def written(tag, number):
    """The code of an exercise's blank or solution with its lesson's setup; ours where the lesson has none."""
    for path in [*sorted(TUTORIALS.glob("[0-9][0-9]_*.py")), HERE / "sources" / "solutions.py"]:
        found = cells(path)
        if (tag, number) in found:
            return f"{found['setup']}\n{found[tag, number]}"
    raise AssertionError(f"no lesson has the {tag} of exercise {number}")


def function_of(code, name):
    """The function that some code defines."""
    names = {}
    exec(compile(code, name, "exec"), names)
    return names[name]
