"""Each exercise: its solution passes, its blank is not done, and wrong answers are named."""

import runpy
from collections import Counter

import numpy as np
import pytest
from planted_answers import HERE, function_of, planted, written

from minires import lessons
from minires.lessons.exercise import catalogue

for file in sorted((HERE / "wrong").glob("*.py")):
    runpy.run_path(str(file))

NUMBERS = [one.number for one in lessons.exercises()]
SEEDS = 0, 1, 7


@pytest.mark.parametrize("number", NUMBERS)
def test_the_solution_passes(number):
    answer = function_of(written("solution", number), catalogue[number].function)
    for seed in SEEDS:
        said = lessons.check(number, answer, seed=seed)
        assert (said.passed, said.points) == (True, catalogue[number].points), said
        assert repr(said) == f"{number} {catalogue[number].function}: right"


@pytest.mark.parametrize("number", NUMBERS)
def test_the_blank_is_not_done_yet_and_nothing_else(number):
    said = lessons.check(number, function_of(written("exercise", number), catalogue[number].function))
    assert (said.status, said.points, said.hint) == ("not done yet", 0, ""), said
    assert catalogue[number].call in repr(said)


@pytest.mark.parametrize("nothing", [None, ..., NotImplemented])
@pytest.mark.parametrize("number", NUMBERS)
def test_nothing_is_not_done_yet(number, nothing):
    assert lessons.check(number, nothing).status == "not done yet"


@pytest.mark.parametrize(("number", "word", "answer"), planted, ids=[f"{n}-{word}" for n, word, _ in planted])
def test_a_wrong_answer_is_rejected_with_a_hint_that_names_the_mistake(number, word, answer):
    for seed in SEEDS:
        said = lessons.check(number, answer, seed=seed)
        assert said.status == "wrong", said
        assert word in said.hint, said
        assert said.said
        assert said.points == 0


def test_every_exercise_has_three_planted_answers_with_three_hints():
    hints = {(number, word) for number, word, _ in planted}
    counts = Counter(number for number, _ in hints)
    assert {number: counts[number] >= 3 for number in NUMBERS} == dict.fromkeys(NUMBERS, True)
    assert all(answer.__name__ == catalogue[number].function for number, _, answer in planted)


OF_VALUES = [number for number in NUMBERS if hasattr(catalogue[number], "mistakes")]


@pytest.mark.parametrize("number", OF_VALUES)
def test_no_mistake_of_the_table_is_right_in_all_cases_and_each_is_named_for_what_it_is(number):
    exercise = catalogue[number]
    for hint, mistake in exercise.mistakes.items():
        mistake.__name__ = exercise.function
        for seed in SEEDS:
            said = lessons.check(number, mistake, seed=seed)
            assert (said.status, said.hint) == ("wrong", hint)


@pytest.mark.parametrize("number", OF_VALUES)
def test_the_cases_follow_from_the_seed_and_the_first_has_the_sizes_of_the_example(number):
    exercise = catalogue[number]
    a, b, c = (exercise.cases(seed) for seed in (3, 3, 4))
    assert len(a) == len(b) == len(c) >= 5
    np.testing.assert_equal(a, b)
    assert [shapes(x) for x in a[0][1]] == [shapes(x) for x in c[0][1]]
    assert any(str(s) != str(t) for (_, s), (_, t) in zip(a, c))


def shapes(argument):
    """The shape of an argument, or those of a list's entries, which may differ."""
    return [np.shape(one) for one in argument] if isinstance(argument, list) else np.shape(argument)


def test_columns_are_those_of_the_library():
    from minires.kernels.readable.im2col import im2col
    from minires.kernels.window import Window

    for seed in SEEDS:
        for _, (x, kernel_size, stride) in catalogue["2.1"].cases(seed):
            window = Window.of((1, *x.shape), (1, len(x), kernel_size, kernel_size), stride, 0, 1, 1)
            rows = im2col(x[None], window)  # (R,K·K·C)
            ours = rows.reshape(len(rows), -1, len(x)).transpose(2, 1, 0).reshape(-1, len(rows))
            assert np.array_equal(catalogue["2.1"](x, kernel_size, stride), ours)


def test_col2im_is_the_adjoint_of_im2col_on_integers():
    rng = np.random.default_rng(0)
    for _, (columns, shape, kernel_size, stride) in catalogue["2.2"].cases(0):
        x = rng.integers(-9, 10, shape).astype(float)
        left = np.sum(catalogue["2.1"](x, kernel_size, stride) * columns)
        assert left == np.sum(x * catalogue["2.2"](columns, shape, kernel_size, stride))


def test_gradient_norms_are_those_of_a_chain_of_residual_adds():
    from minires import ops, tensor

    for _, (J, g) in catalogue["6.1"].cases(0):
        h = [tensor(np.ones((1, len(g))), requires_grad=True)]
        for branch in J:
            h.append(ops.residual_add(h[-1], h[-1] @ branch.T))
        for one in h:
            one.retain_grad()
        h[-1].backward(g[None])
        measured = [np.linalg.norm(one.grad) for one in reversed(h)]
        assert np.allclose(catalogue["6.1"](J, g), measured, rtol=1e-12)


def test_path_lengths_are_counted_along_all_paths():
    import itertools

    for n in range(8):
        lengths = Counter(sum(path) for path in itertools.product((0, 1), repeat=n))
        assert catalogue["9.1"](n) == [lengths[k] for k in range(n + 1)]


def test_a_right_answer_in_float32_is_right():
    def gradient_norms(J, g):
        norms = np.zeros(len(J) + 1, np.float32)
        J = J.astype(np.float32)
        g = g.astype(np.float32)
        for k in range(len(J)):
            norms[k] = np.linalg.norm(g)
            g = g + J[len(J) - 1 - k].T @ g
        norms[-1] = np.linalg.norm(g)
        return norms

    def im2col(x, kernel_size, stride):
        return catalogue["2.1"](x, kernel_size, stride).astype(np.float32)

    for seed in range(20):
        assert lessons.check("6.1", gradient_norms, seed=seed).passed
        assert lessons.check("2.1", im2col, seed=seed).passed


def test_a_grouped_convolution_is_that_of_the_library():
    from minires import ops

    for _, (x, w, groups) in catalogue["11.1"].cases(0):
        y, _ = ops.conv2d.raw(x[None], w[:, :, None, None], groups=groups)
        assert np.allclose(catalogue["11.1"](x, w, groups), y[0], rtol=1e-12)


def test_squeeze_and_excitation_is_that_of_the_library():
    from minires.models.squeeze_excitation import SqueezeExcitation

    for _, (x, f, *weights) in catalogue["11.2"].cases(0):
        layer = SqueezeExcitation(len(f), len(weights[0])).to(np.float64)
        for parameter, given in zip(layer.parameters(), weights):
            parameter.data[...] = given.reshape(parameter.shape)
        assert np.allclose(catalogue["11.2"](x, f, *weights), x + layer(f[None]).data[0], rtol=1e-12)


def test_attention_is_that_of_the_library():
    from minires import ops

    for _, (x, Wq, Wk, Wv) in catalogue["11.4"].cases(0):
        seen, _ = ops.scaled_dot_product_attention.raw(x @ Wq, x @ Wk, x @ Wv)
        assert np.allclose(catalogue["11.4"](x, Wq, Wk, Wv), x + seen, rtol=1e-12)


def test_grad_cam_is_that_of_the_library():
    from minires import explain, ops
    from minires.nn import Conv2d, Module

    class Net(Module):
        def __init__(self):
            self.maps = Conv2d(2, 3, 3, padding=1, rng=0)

        def forward(self, x):
            A = self.maps(x)
            self.A = A
            return (ops.exp(A) * A).sum((2, 3))  # so that each pixel has a gradient of its own

    net = Net().to(np.float64)
    for seed in SEEDS:
        x = np.random.default_rng(seed).standard_normal((1, 2, 4, 5))
        for c in range(3):
            found = explain.grad_cam(net, x, c, "maps")
            assert np.allclose(catalogue["12.1"](net.A.data[0], net.A.grad[0]), found, rtol=1e-12)


@pytest.mark.parametrize("frozen", [False, True])
def test_a_norm_that_may_be_frozen_is_that_of_pytorch(frozen):
    torch = pytest.importorskip("torch")

    for _, (x, weight, bias, mean, var, is_frozen) in catalogue["12.2"].cases(0):
        if is_frozen == frozen:
            layer = torch.nn.BatchNorm1d(x.shape[1], dtype=torch.float64).train(not frozen)
            for name, given in {"weight": weight, "bias": bias, "running_mean": mean, "running_var": var}.items():
                getattr(layer, name).data.copy_(torch.tensor(given))
            y = layer(torch.tensor(x)).detach()
            right = y, layer.running_mean, layer.running_var
            for ours, theirs in zip(catalogue["12.2"](x, weight, bias, mean, var, frozen), right):
                assert np.allclose(ours, theirs.numpy(), rtol=1e-12)


def test_a_step_down_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    F = torch.nn.functional

    for _, arguments in catalogue["12.3"].cases(0):
        C, P, w, b = (torch.tensor(one) for one in arguments)
        right = F.conv2d(C[None], w[:, :, None, None], b) + F.interpolate(P[None], scale_factor=2, mode="nearest")
        assert np.allclose(catalogue["12.3"](*arguments), right[0].numpy(), rtol=1e-12)
