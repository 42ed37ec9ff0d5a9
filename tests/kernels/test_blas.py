"""Products in pieces against np.matmul, in all sizes that pieces may have."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minires.kernels.cpu import blas

CUTS = blas.cuts  # itself: below it is always true
SIZES = st.integers(1, 70)
SMALL = st.sampled_from([1, 200, 5_000, 1_000_000])


@pytest.fixture(autouse=True)
def _restored(monkeypatch):
    for name in ("SMALL", "LEAST", "MANY", "SUMS"):
        monkeypatch.setattr(blas, name, getattr(blas, name))
    monkeypatch.setattr(blas, "cuts", lambda: True)


def matrix(*shape, seed=0, gap=0):
    """A matrix in memory whose rows are `gap` elements longer."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((*shape[:-1], shape[-1] + gap))[..., : shape[-1]]


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 300),
    SIZES,
    st.one_of(SIZES, st.sampled_from([96, 128, 192])),
    SMALL,
    st.integers(1, 20),
    st.sampled_from([0, 3]),
)
def test_pieces_make_the_same_product(M, K, N, small, least, gap):
    blas.SMALL, blas.LEAST, blas.MANY = small, least, 0
    a = matrix(M, K, gap=gap)
    b = matrix(K, N, seed=1)
    out = np.full((M, N + gap), np.nan)[:, :N]
    blas.matmul(a, b, out)
    np.testing.assert_allclose(out, a @ b, rtol=0, atol=1e-12)

    dy = matrix(M, N, seed=2, gap=gap)
    for sums in (0, 1 << 40):
        blas.SUMS = sums
        np.testing.assert_allclose(blas.matmul_long(a, dy), a.T @ dy, rtol=0, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 50), SIZES, st.one_of(SIZES, st.just(128)), SMALL)
def test_a_stack_of_products_is_cut_alike(M, K, N, small):
    blas.SMALL, blas.LEAST, blas.MANY = small, 1, 0
    a = matrix(3, M, K)
    b = matrix(3, K, N, seed=1)
    out = np.full((3, M, N), np.nan)
    blas.matmul(a, b, out)
    np.testing.assert_allclose(out, a @ b, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("M", "K", "N", "is_cut"),
    [
        (12_544, 147, 64, True),
        (6_144, 27, 16, True),
        (3_072, 576, 64, True),
        (3_136, 64, 256, True),
        (3_136, 512, 128, True),
        (784, 1024, 256, False),
        (196, 512, 2048, False),
    ],
)
def test_pieces_are_small_where_they_should_be(monkeypatch, M, K, N, is_cut):
    sizes = []
    multiply = np.matmul

    def watched(a, b, out=None):
        sizes.append(a.shape[-2] * a.shape[-1] * b.shape[-1])
        return multiply(a, b, out=out)

    monkeypatch.setattr(np, "matmul", watched)
    blas.matmul(matrix(M, K), matrix(K, N), np.empty((M, N)))
    assert max(sizes) <= blas.SMALL if is_cut else max(sizes) == M * K * N
    sizes.clear()
    blas.matmul_long(matrix(M, K), matrix(M, N))
    assert not sizes if K * N > blas.SUMS else max(sizes) <= blas.SMALL


@pytest.mark.parametrize(("M", "N"), [(64, 256), (256, 64)])
def test_sums_over_rows_are_products_of_32_columns_of_the_wider_matrix(monkeypatch, M, N):
    shapes, multiply = [], np.matmul
    monkeypatch.setattr(np, "matmul", lambda a, b: shapes.append((a.shape[-2], b.shape[-1])) or multiply(a, b))
    blas.matmul_long(matrix(9_760, M), matrix(9_760, N))
    assert shapes == [(32, 64)]


@pytest.mark.parametrize(("kernels", "pays"), [("SkylakeX", True), ("Haswell", False), (None, False)])
def test_matrices_are_cut_where_the_blas_has_kernels_for_it(monkeypatch, kernels, pays):
    threadpoolctl = pytest.importorskip("threadpoolctl")
    found = [{"user_api": "openmp"}, {"user_api": "blas"} | ({"architecture": kernels} if kernels else {})]
    monkeypatch.setattr(threadpoolctl, "threadpool_info", lambda: found)
    assert CUTS.__wrapped__() is pays
