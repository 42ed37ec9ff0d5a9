"""lessons.check, as a notebook calls it: it always answers, whatever it is handed."""

import subprocess
import sys
import time

import numpy as np
import pytest

from minires import lessons
from minires.lessons.deadline import Timed
from minires.lessons.exercise import catalogue


def im2col(x, kernel_size, stride):
    return catalogue["2.1"](x, kernel_size, stride)


def test_a_number_that_no_exercise_has_is_said_with_those_that_there_are():
    said = lessons.check("2.9", im2col)
    assert said.status == "could not be run"
    assert "2.1, 2.2" in repr(said) or "did you mean 2." in repr(said)
    assert not said.passed


@pytest.mark.parametrize("value", [3, "im2col", np.zeros(3), [im2col]])
def test_what_is_no_function_is_said_with_the_right_call(value):
    said = lessons.check("2.1", value)
    assert said.status == "could not be run"
    assert 'lessons.check("2.1", im2col)' in repr(said)


def test_a_function_of_another_name_is_called_by_no_name():
    assert lessons.check("9.1", lambda n: catalogue["9.1"](n)).passed


@pytest.mark.parametrize(
    "function", [lambda x: x, lambda x, kernel_size, stride, padding: x, lambda x, *, kernel_size, stride: x, lambda: 0]
)
def test_another_form_is_said_with_the_right_one(function):
    said = lessons.check("2.1", function)
    assert said.status == "could not be run"
    assert "it is called im2col(x, kernel_size, stride)" in repr(said)


def test_settings_of_ones_own_and_star_arguments_are_taken():
    assert lessons.check("2.1", lambda x, kernel_size, stride=1, padding=0: im2col(x, kernel_size, stride)).passed
    assert lessons.check("2.1", lambda *arguments: im2col(*arguments)).passed


@pytest.mark.parametrize(
    "value",
    [
        "text",
        object(),
        iter([1]),
        {"columns": np.ones(3)},
        [[1], [1, 2]],
        np.array(["a"]),
        np.array([None]),
        1j,
        np.nan,
        set(),
        [im2col],
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("number", [one.number for one in lessons.exercises()])
def test_a_value_of_any_kind_is_wrong_and_no_error_of_the_check(number, value):
    said = lessons.check(number, lambda *arguments: value)
    assert not said.passed
    assert said.said
    assert "check itself" not in repr(said)


def test_a_function_that_raises_is_told_its_line():
    def raises(x, kernel_size, stride):
        return x[:, 100]

    said = lessons.check("2.1", raises)
    assert said.status == "could not be run"
    assert "IndexError" in repr(said)
    assert "test_check.py, line" in repr(said)


def test_a_function_that_raises_in_some_cases_is_wrong():
    def raises(x, kernel_size, stride):
        assert stride == 1, "only stride 1"
        return im2col(x, kernel_size, stride)

    said = lessons.check("2.1", raises)
    assert said.status == "wrong"
    assert "only stride 1" in repr(said)


def test_a_part_that_is_not_done_is_wrong():
    def part(x, kernel_size, stride):
        if stride > 1:
            raise NotImplementedError
        return im2col(x, kernel_size, stride)

    assert lessons.check("2.1", part).status == "wrong"


def test_a_call_that_does_not_end_is_ended_with_its_line(monkeypatch):
    monkeypatch.setattr(Timed, "timeout", 0.2)

    def loops(x, kernel_size, stride):
        try:
            while True:
                pass
        except Exception:
            return x

    if sys.gettrace() is not None:
        pytest.skip("a debugger or coverage asks already")
    begin = time.monotonic()
    said = lessons.check("2.1", loops)
    assert time.monotonic() - begin < 5
    assert said.status == "timed out"
    first = loops.__code__.co_firstlineno
    assert any(f"line {line}" in repr(said) for line in (first + 2, first + 3))
    assert sys.gettrace() is None
    said = lessons.check("3.1", lambda x, weight, bias, eps=1e-5: [0 for _ in iter(int, 1)])
    assert (said.status, said.points) == ("timed out", 0)
    assert "0.2 s" in repr(said)


def test_all_paths_of_a_deep_network_are_too_many_to_walk(monkeypatch):
    import itertools

    monkeypatch.setattr(Timed, "timeout", 0.5)

    def path_lengths(n):
        counts = [0] * (n + 1)
        for path in itertools.product((0, 1), repeat=n):
            counts[sum(path)] += 1
        return counts

    said = lessons.check("9.1", path_lengths)
    assert said.status == "timed out"
    assert "the blocks of a ResNet-110" in repr(said)
    assert "C(n, k)" in said.hint


def test_ctrl_c_ends_the_check_and_no_cell():
    def stopped(n):
        raise KeyboardInterrupt

    said = lessons.check("9.1", stopped)
    assert (said.status, said.said) == ("could not be run", ["you stopped it before it was done"])


def test_what_a_notebook_shows_is_text_and_no_html_of_the_answer():
    def bad(n):
        raise ValueError("<script>alert(1)</script>")

    shown = lessons.check("9.1", bad)._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "Hint:" in lessons.check("9.1", lambda n: [1])._repr_html_() or lessons.check("9.1", lambda n: [1]).said


def test_what_a_function_is_given_is_a_copy():
    def path(parents):
        parents.clear()
        return []

    assert lessons.check("1.1", path).status == "wrong"
    assert lessons.check("1.1", catalogue["1.1"].answer).passed


def test_a_function_that_changes_what_it_is_given_is_told_so():
    def gradient_norms(J, g):
        norms = catalogue["6.1"](J, g)
        g *= 2
        return norms

    said = lessons.check("6.1", gradient_norms)
    assert said.status == "wrong"
    assert "it changes its argument g" in repr(said)
    assert "work on a copy" in said.hint


def test_batch_norm_without_bias_is_not_right():
    def batch_norm(x, weight, eps=1e-5):
        axes = (0, 2, 3)
        gamma = weight.reshape(1, -1, 1, 1)
        inv_std = 1 / np.sqrt(x.var(axes, keepdims=True) + eps)
        x_hat = (x - x.mean(axes, keepdims=True)) * inv_std

        def backward(dy):
            means = dy.mean(axes, keepdims=True) + x_hat * (dy * x_hat).mean(axes, keepdims=True)
            return gamma * inv_std * (dy - means), (dy * x_hat).sum(axes)

        return gamma * x_hat, backward

    said = lessons.check("3.1", batch_norm)
    assert said.status == "could not be run"
    assert "dbias" in repr(said)


def test_the_exercises_are_in_order_and_by_lesson():
    numbers = [one.number for one in lessons.exercises()]
    assert numbers == sorted(numbers, key=lambda n: [int(part) for part in n.split(".")])
    assert [one.number for one in lessons.exercises(2)] == [n for n in numbers if n.startswith("2.")]
    assert lessons.exercises(99) == []


def test_every_exercise_says_what_it_asks_in_one_line_for_a_table():
    for one in lessons.exercises():
        assert one.asks
        assert one.call.startswith(f"{one.function}(")
        assert one.points > 0


def test_the_size_is_that_of_the_environment(monkeypatch):
    monkeypatch.delenv("SIZE", raising=False)
    assert lessons.size() == "small"
    monkeypatch.setattr(sys, "platform", "emscripten")
    assert lessons.size() == "tiny"
    monkeypatch.setenv("SIZE", "small")
    assert lessons.size() == "small"
    monkeypatch.setenv("SIZE", "huge")
    with pytest.raises(ValueError, match="SIZE must be tiny or small, got 'huge'"):
        lessons.size()


def test_a_blank_that_the_next_line_fills_is_not_done_yet():
    def im2col(x, kernel_size, stride):
        columns = None  # make an array of the right shape
        columns[:, 0] = x[:, :kernel_size, :kernel_size].ravel()
        return columns

    def batch_norm(x, weight, bias, eps=1e-5):
        x_hat = None
        y = x_hat.reshape(x.shape)
        return y, lambda dy: None

    assert lessons.check("2.1", im2col).status == "not done yet"
    assert lessons.check("3.1", batch_norm).status == "not done yet"
    assert lessons.check("2.1", lambda x, kernel_size, stride: None + 1).status == "could not be run"


@pytest.mark.parametrize("answer", [lambda x: (1 - x, x), lambda x: x])
def test_an_op_without_a_backward_is_told_of_in_words_of_a_notebook(answer):
    said = repr(lessons.check("1.2", answer))
    assert "return (y, backward)" in said
    assert "FILE" not in said


@pytest.mark.parametrize(
    ("before", "printed"),
    [
        ("", "9.1 path_lengths: wrong"),
        ("get_ipython = print\n", ""),  # a notebook shows the value itself
        ("__name__ = 'imported'\n", ""),
    ],
)
def test_a_script_prints_what_is_said_of_an_answer(tmp_path, before, printed):
    script = tmp_path / "lesson.py"
    script.write_text(
        f"from minires.lessons import check\n{before}def path_lengths(n):\n    return [n]\n\n"
        'check("9.1", path_lengths)\n'
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout.partition("\n")[0] == printed
    assert done.stderr == ""
