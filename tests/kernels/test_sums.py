"""kernels/cpu/sums.py: sums along any axes lose no digits, however the array lies in memory."""

from itertools import combinations

import numpy as np
import pytest

from minires import Tensor, kernels, ops
from minires.kernels.cpu.channel_stats import TILE
from minires.kernels.cpu.sums import _in_a_row

U = 2.0**-24  # half the distance from 1 to the next float32
ROWS = 1 << 18  # the error of a plain sum of so many rows of 0.1 is 0.3 %


def bound(x, axes):
    """The error that sums() promises."""
    m = np.prod([x.shape[i] for i in axes])
    return (TILE + 20 + np.log2(m)) * U * np.abs(x).astype(float).sum(axis=axes)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((ROWS, 2), (0,)),
        ((ROWS + 61, 2), (0,)),
        ((3, ROWS // 2, 2), (0, 1)),
        ((ROWS // 8, 3, 8), (0, 2)),
        ((ROWS // 2, 1, 4), (0, 1)),
        ((127, 129, 3, 5), (0, 1, 3)),
        ((ROWS, 2), (0, 1)),
    ],
    ids=str,
)
def test_a_sum_of_many_rows_has_the_digits_of_its_bound(shape, axes):
    x = np.full(shape, 0.1, np.float32)
    x += np.random.default_rng(0).random(shape, np.float32) / 8
    for a in (x, x[::-1], np.asfortranarray(x), np.repeat(x, 2, axis=-1)[..., ::2], np.broadcast_to(x[:1], shape)):
        found = kernels.sums(a, axes)
        assert found.dtype == np.float32
        assert found.shape == a.sum(axis=axes).shape
        assert kernels.sums(a, axes, keepdims=True).shape == a.sum(axis=axes, keepdims=True).shape
        assert (np.abs(found - a.astype(float).sum(axis=axes)) <= bound(a, axes)).all()


@pytest.mark.parametrize("n", [300, 4096, 8192, 1 << 14])
@pytest.mark.parametrize("value", [0.1, 0.7])
def test_a_sum_of_equal_rows_has_the_digits_of_its_bound(value, n):
    """Each addition of a plain sum rounds to the same side here."""
    x = np.full((n, 2), value, np.float32)
    assert (np.abs(kernels.sums(x, (0,)) - x.astype(float).sum(axis=0)) <= bound(x, (0,))).all()


@pytest.mark.parametrize("shape", [(), (0, 3), (3, 0), (1, 1), (2, 1, 3), (300, 1, 2)], ids=str)
def test_sums_over_every_choice_of_axes_are_numpys(shape):
    x = np.random.default_rng(0).standard_normal(shape)
    for count in range(len(shape) + 1):
        for axes in combinations(range(len(shape)), count):
            for keepdims in (False, True):
                expected = x.sum(axis=axes, keepdims=keepdims)
                found = kernels.sums(x, axes, keepdims)
                assert found.shape == expected.shape
                np.testing.assert_allclose(found, expected, atol=1e-12)


def test_only_other_axes_than_the_last_in_memory_are_added_one_after_another():
    x = np.zeros((30, 20, 10))
    assert [_in_a_row(x, axes) for axes in [(0,), (1,), (2,), (0, 2), (1, 2), (0, 1, 2)]] == [30, 20, 1, 30, 1, 1]
    assert [_in_a_row(x.T, axes) for axes in [(0,), (0, 1), (2,)]] == [1, 1, 30]
    assert _in_a_row(x[:, ::2], (1, 2)) == 10  # rows of ten neighbours, which do not follow each other


def gradient(function, *arrays):
    """The gradients of the sum of function(*arrays)."""
    leaves = [Tensor(a, requires_grad=True) for a in arrays]
    y = function(*leaves)
    y.backward(np.ones(y.shape, np.float32) / 10)  # 0.1 is no float, so that a sum is rounded
    return [leaf.grad for leaf in leaves]


X = np.ones((ROWS, 4), np.float32)
V = np.ones(4, np.float32)


def test_the_gradient_of_what_many_rows_share_keeps_its_digits():
    for found in (
        gradient(lambda v: Tensor(X) + v, V)[0],
        gradient(lambda v: Tensor(X) * v, V)[0],
        gradient(lambda b: ops.linear(Tensor(X), Tensor(np.eye(4, dtype=np.float32)), b), V)[0],
        gradient(lambda b: ops.layer_norm(Tensor(X), Tensor(V), b), V)[0],
        gradient(lambda b: ops.group_norm(Tensor(X), Tensor(V), b, num_groups=2), V)[0],
    ):
        np.testing.assert_allclose(found, ROWS / 10, rtol=1e-5)


def test_mean_var_std_and_norm_of_many_rows_keep_their_digits():
    x = Tensor(X * np.float32(0.1))
    np.testing.assert_allclose(x.sum(0).data, ROWS / 10, rtol=1e-5)
    np.testing.assert_allclose(x.mean(0).data, 0.1, rtol=1e-5)
    np.testing.assert_allclose(x.norm(dim=0).data, 0.1 * ROWS**0.5, rtol=1e-5)
    y = Tensor(X * np.float32(0.1) * np.where(np.arange(ROWS) % 2, 1, -1).astype(np.float32)[:, None])
    np.testing.assert_allclose(y.var(0).data, 0.01, rtol=2e-5)
    np.testing.assert_allclose(y.std(0).data, 0.1, rtol=1e-5)


@pytest.mark.parametrize(
    ("equation", "operands"),
    [
        ("ij->j", (X,)),
        ("ij,ij->j", (X, X)),
        ("ij,i->j", (X, X[:, 0])),
        ("ij,ik->jk", (X, X)),
        ("ij,jk,il->kl", (X, np.eye(4, dtype=np.float32), X)),
        ("i,i,i->", (X[:, 0], X[:, 1], X[:, 2])),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_einsum_keeps_its_digits_over_many_rows(equation, operands):
    first, *others = operands
    np.testing.assert_allclose(ops.einsum(equation, first * np.float32(0.1), *others).data, ROWS / 10, rtol=1e-5)


def test_the_gradient_of_an_einsum_keeps_its_digits_over_many_rows():
    for equation in ("ij,j->ij", "ij,k->ijk", "ij,jk->ik"):
        operand = np.eye(4, dtype=np.float32) if equation == "ij,jk->ik" else V
        found = gradient(lambda v, equation=equation: ops.einsum(equation, X, v), operand)[0]
        np.testing.assert_allclose(found, found.flat[0], rtol=1e-6)
        np.testing.assert_allclose(found.flat[0], ROWS / 10 * (4 if equation == "ij,k->ijk" else 1), rtol=1e-5)


def test_the_mean_of_a_large_image_keeps_its_digits():
    x = np.full((1, 2, 512, 513), 0.1, np.float32)
    for size in (1, (1, 3), (2, 27)):
        np.testing.assert_allclose(ops.adaptive_avg_pool2d(x, output_size=size).data, 0.1, rtol=1e-5)


@pytest.mark.parametrize("in_memory", [np.ascontiguousarray, np.asfortranarray])
def test_the_loss_of_many_classes_keeps_its_digits(in_memory):
    p = np.full((2, ROWS), 0.1, np.float32)
    x = in_memory(p * np.arange(2, dtype=np.float32)[:, None])
    expected = np.log(ROWS)
    np.testing.assert_allclose(ops.cross_entropy(x, np.zeros(2, int)).data, expected, rtol=1e-6)
    np.testing.assert_allclose(ops.cross_entropy(x, np.zeros(2, int), label_smoothing=1.0).data, expected, rtol=1e-6)
    np.testing.assert_allclose(ops.cross_entropy(x, in_memory(p)).data, expected * ROWS / 10, rtol=1e-5)
