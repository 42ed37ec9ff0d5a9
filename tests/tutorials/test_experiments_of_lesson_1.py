"""What lesson 1 invites to, done as it says: both answers in the engine, and cells that are run twice."""

import re

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from tutorials.build.lesson import lessons, tags_of


@pytest.fixture(scope="module")
def cells():
    """{name: text or code} of lesson 1 with its solutions."""
    (lesson,) = lessons(["01"])
    return {cell.metadata["name"]: cell for cell in lesson.notebook(without="exercise").cells}


def run(cells, *names, into=None):
    """The names that these cells define."""
    defined = {"__name__": "lesson"} if into is None else into
    for name in names:
        code = TransformerManager().transform_cell(cells[name].source)  # the setup has a %pip
        exec(compile(code, name, "exec"), defined)
    return defined


def before(cells, last):
    """The names of all cells of code that stand before a cell, but checks."""
    names = list(cells)
    return [
        name
        for name in names[: names.index(last)]
        if cells[name].cell_type == "code" and "check" not in tags_of(cells[name])
    ]


def test_a_cell_that_runs_backward_may_be_run_twice(cells):
    lesson = run(cells, *before(cells, "figure-graph"))
    y = lesson["y"]
    for run_backward in (lesson["backward"], lesson["backward"]):
        run_backward(y)
        assert (lesson["x1"].grad, round(lesson["x2"].grad, 3)) == (5.5, 1.716)
    run(cells, "impatient", into=lesson)
    for _ in range(2):
        lesson["backward_at_once"](y)
        assert (lesson["x1"].grad, round(lesson["x2"].grad, 3)) == (5.5, 1.716)


def test_both_answers_work_in_the_engine(cells, monkeypatch):
    monkeypatch.setenv("SIZE", "tiny")
    lesson = run(cells, *before(cells, "train"))
    (code,) = re.findall(r"```python\n(.*?)```", cells["what-more"].source, re.DOTALL)
    exec(compile(code, "what-more", "exec"), lesson)
    relu = "relu(matmul(H, W))"
    relu_of_minires = "(H @ W).relu()"
    train = cells["train"].source
    assert train.count(relu) == train.count(relu_of_minires) == 1
    train = train.replace(relu, "tanh_of_values(matmul(H, W))").replace(relu_of_minires, "(H @ W).tanh()")
    exec(compile(train, "train", "exec"), lesson)
    run(cells, "claim-train", "claim-example", "claim-calls", into=lesson)
    assert lesson["ours"][0][-1] < lesson["ours"][0][0]
    bias = lesson["Value"](lesson["np"].zeros(3))
    total = lesson["add"](lesson["Value"](lesson["np"].ones((2, 3))), bias)
    total.grad = lesson["np"].ones((2, 3))
    assert total.backward(total.grad)[1].tolist() == [2, 2, 2]


def test_a_backward_without_a_tuple_is_named(cells):
    lesson = run(cells, "setup", "value", "ops")
    bare = lesson["differentiable"](lambda x: (x, lambda dy: dy))
    with pytest.raises(AssertionError, match="has to return a tuple"):
        bare(lesson["Value"](2.0)).backward(1.0)
