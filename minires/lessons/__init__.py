"""The exercises of the lessons in tutorials/, and what says of an answer whether it is right.

>>> from minires import lessons
>>> lessons.check("2.1", im2col)
2.1 im2col: right
"""

from minires.lessons.checking import check, exercises, size
from minires.lessons.exercise import Exercise
from minires.lessons.languages import speak
from minires.lessons.outcome import Outcome

__all__ = ["Exercise", "Outcome", "check", "exercises", "size", "speak"]
