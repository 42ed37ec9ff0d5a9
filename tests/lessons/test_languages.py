"""What a check says in Korean: all of it is there, with the numbers, the code and the names of the English sentence."""

import re

import numpy as np
import pytest
from planted_answers import function_of, written

from minires import lessons
from minires.errors import OptionError
from minires.gradcheck.bugs import catalogue as bugs
from minires.lessons import judge, languages
from minires.lessons.exercise import catalogue
from minires.lessons.outcome import COULD_NOT_RUN, NOT_DONE, RIGHT, TIMED_OUT, WRONG

KOREAN = re.compile("[가-힣]")
KEPT = re.compile(r"`[^`]+`|\d(?:[\d.,]*\d)?")  # code and numbers
ANSWERS = {
    "{name} has shape": ("6.1", lambda J, g: [1.0], "norms의 모양이 (1,)인데, (4,)라야 맞습니다"),
    "has length": ("9.1", lambda n: [1] * n, "counts의 길이가 3인데, 4라야 맞습니다"),
    "the wrong sign": ("6.1", lambda J, g: [-n for n in catalogue["6.1"](J, g)], "norms의 부호가 반대입니다"),
    "a factor": ("6.1", lambda J, g: [3 * n for n in catalogue["6.1"](J, g)], "norms의 값이 3배인 것 말고는 맞습니다"),
    "what it is called": ("9.1", lambda: [1], "path_lengths(n)로 부르는데, 쓰신 함수는 path_lengths()입니다"),
    "another exception": ("9.1", lambda n: {}["x"], "예외가 났습니다, KeyError: 'x'"),
    "a blank": ("9.1", None, "먼저 path_lengths(n) 함수를 쓰세요"),
    "the order of results": ("5.2", lambda a, b: catalogue["5.2"](a, b)[::-1], "학습 오류율의 점수"),
    "the case": ("9.1", lambda n: [1] * n, "예제의 블록 셋, path_lengths(n=3): "),
    "a node": ("1.1", lambda parents: [], "이(가) 빠졌습니다"),
}


@pytest.fixture
def korean(monkeypatch):
    """A notebook that has chosen Korean."""
    monkeypatch.setattr(languages, "_chosen", "en")
    lessons.speak("ko")


def hints():
    """All hints that are whole sentences."""
    for one in lessons.exercises():
        if hasattr(one, "mistakes"):
            yield from (*one.mistakes, *one.signs, *filter(None, [one.too_slow]))
        else:
            yield from (bug.hint for bug in bugs if bug.op == one.op)
    yield from (said for _, _, said in judge.ERRORS)
    yield from (RIGHT, WRONG, NOT_DONE, TIMED_OUT, COULD_NOT_RUN)


def test_every_hint_has_its_korean():
    every = list(hints())
    assert len(every) > 400
    assert [hint for hint in every if not KOREAN.search(languages.say(hint, "ko"))] == []


def test_every_case_and_every_name_of_a_result_has_its_korean():
    of_values = [one for one in lessons.exercises() if hasattr(one, "mistakes")]
    names = {name for one in of_values for name in one.gives if " " in name}
    names |= {
        label for one in of_values for seed in (0, 1) for label, _ in one.cases(seed) if not re.search("[=]", label)
    }
    whole, _ = languages.table("ko")
    assert [name for name in sorted(names) if name not in whole] == []


def test_no_english_sentence_of_the_table_is_forgotten_in_the_code():
    """A hint that was changed leaves its old translation behind."""
    whole, _ = languages.table("ko")
    sentences = set(hints())
    left = [said for said in whole if said.startswith("your ") and "{" not in said and said not in sentences]
    assert left == []


def test_numbers_and_code_carry_over():
    whole, _ = languages.table("ko")
    for english, translated in whole.items():
        assert not set(KEPT.findall(english)) - set(KEPT.findall(translated)), english


def test_a_translation_has_the_gaps_of_its_sentence():
    whole, with_gaps = languages.table("ko")
    for english, translated in whole.items():
        assert set(languages.GAP.findall(english)) - set(languages.VERBS) == set(languages.GAP.findall(translated))
    assert len(with_gaps) > 30


@pytest.mark.parametrize("what", ANSWERS)
def test_an_outcome_is_shown_in_the_language_of_the_notebook(korean, what):
    number, answer, expected = ANSWERS[what]
    shown = lessons.check(number, answer)
    assert expected in repr(shown)
    assert KOREAN.search(shown._repr_html_())
    assert not KOREAN.search(f"{shown.status} {shown.said} {shown.hint}")  # what a program reads stays English


def test_a_right_answer_is_right_in_korean(korean):
    assert repr(lessons.check("9.1", catalogue["9.1"].answer)) == "9.1 path_lengths: 맞습니다"
    answer = function_of(written("solution", "3.1"), "batch_norm")
    assert repr(lessons.check("3.1", answer)) == "3.1 batch_norm: 맞습니다"


def test_a_hint_of_the_grader_is_shown_in_korean(korean):
    def add_relu(x, f):
        return np.maximum(x + f, 0), lambda dy: (dy, dy)

    assert "힌트: 기울기가 어디에서나 dy입니다" in repr(lessons.check("6.2", add_relu))


def test_a_sentence_that_the_table_lacks_stays_english():
    assert languages.say("a sentence of tomorrow", "ko") == "a sentence of tomorrow"
    assert languages.say("your dx has the wrong sign", "en") == "your dx has the wrong sign"


def test_another_language_is_refused_with_those_that_there_are():
    with pytest.raises(OptionError, match="speak: needs 'en' or 'ko', got 'fr'"):
        lessons.speak("fr")
