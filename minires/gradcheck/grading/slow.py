"""Why a call was not answered in time, in a sentence for its author.

Shortly before its time is up the submission's process prints where it is (faulthandler, in runner.py). That is what the
submission says of itself, so it is shown, and decides nothing.
"""

import ast
import re

from minires.gradcheck.grading.source import nodes_of

PLACE = re.compile(r'File "(.*)", line (\d+) in (\S+)')
PLACES = 50  # innermost functions that are looked at
OPTION = "--timeout {:g}"  # what allows more
FULL = 10_000  # characters of output that drive the place out of what is kept


def why_slow(seconds, output, cells):
    """(the sentence, whether nothing would end it). output: the last that was printed; cells: the code that was run."""
    return why_slow_at(seconds, _places(output, cells), len(output) > FULL)


def why_slow_at(seconds, places, printed=False, option=OPTION):
    """The same. places: [(cell, line, function)], innermost first; printed: whether it printed all the time."""
    said = f"did not finish within {seconds:g} s"
    more = f"{option.format(3 * seconds)} allows more"
    if not places:
        return said + (", and printed all the time: does it print without end?" if printed else f"; {more}"), False
    cell, line, function = places[0]
    said += f": it was in line {line} of {cell.name}"
    if function in ("__str__", "__repr__"):
        return f"{said}, in a {function} that does not end", True
    for cell, line, _ in places:
        loop = endless_loop(cell.text, line)
        if loop is not None:
            return f"{said}, an endless loop: nothing ends the `while` of line {loop}", True
    return f"{said}. Is it a loop without end, or only slow? {more}", False


def _places(output, cells):
    """[(cell, line, function)] of the submission's own code, innermost first."""
    names = {cell.name.encode("ascii", "backslashreplace").decode(): cell for cell in cells}
    last = output.rpartition("(most recent call first)")[2]
    found = PLACE.findall(last)[:PLACES]
    return [(names[file], int(line[:9]), function) for file, line, function in found if file in names]


def endless_loop(text, line):
    """The line of a `while True` around this line which has no break, return, raise or yield; None if there is none."""
    around = [loop for loop in nodes_of(text, ast.While) if loop.lineno <= line <= loop.end_lineno]
    always = [loop for loop in around if isinstance(loop.test, ast.Constant) and loop.test.value]
    ends = (ast.Break, ast.Return, ast.Raise, ast.Yield, ast.YieldFrom, ast.Try)  # what a try catches may end it, too
    return next((loop.lineno for loop in always if not any(isinstance(n, ends) for n in ast.walk(loop))), None)
