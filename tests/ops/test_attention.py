"""ops/attention.py: what queries see, and what comes of it."""

import math

import numpy as np
import pytest
from against_torch import against_torch, needs_torch, normal
from bad_input import ones, refusals, t

from minires import Tensor, kernels, ops
from minires.errors import DTypeError, GraphError, OptionError, ShapeError

sdpa = ops.scaled_dot_product_attention


def attention(mask=None, **settings):
    """A row's function: for minires and for PyTorch, with the same mask."""

    def call(f, q, k, v):
        attn_mask = None if mask is None else f.array(mask, None if mask.dtype == bool else q)
        return f.scaled_dot_product_attention(q, k, v, attn_mask=attn_mask, **settings)

    return call


rng = np.random.default_rng(5)
SOME = rng.random((4, 5)) < 0.6
BLIND = rng.random((2, 3, 4, 5)) < 0.6
BLIND[0, 1, 2] = BLIND[1, :, 0] = False
ADDED = np.where(BLIND, rng.standard_normal(BLIND.shape), -np.inf)
Q = normal(2, 3, 4, 7)
K = normal(2, 3, 5, 7)
V = normal(2, 3, 5, 6)

TestAgainstTorch = against_torch(
    [
        ("images and heads", attention(), (Q, K, V)),
        ("one head", attention(), (Q[0, 0], K[0, 0], V[0, 0])),
        ("an image", attention(), (Q[0], K[0], V[0])),
        ("another scale", attention(scale=0.3), (Q, K, V)),
        ("scale 0", attention(scale=0.0), (Q, K, V)),
        ("a negative scale", attention(scale=-1.5), (Q, K, V)),
        ("large scores", attention(), (5 * Q, 5 * K, V)),
        ("causal", attention(is_causal=True), (Q, Q, normal(2, 3, 4, 1))),
        ("causal, more keys", attention(is_causal=True), (Q, K, V)),
        ("causal, more queries", attention(is_causal=True), (normal(2, 3, 9, 7), K, V)),
        ("a mask for all", attention(SOME), (Q, K, V)),
        ("a mask for each head", attention(BLIND), (Q, K, V)),
        ("keys that are padding", attention(SOME[:2, None, None, :]), (Q, K, V)),
        ("a mask of floats", attention(ADDED), (Q, K, V)),
        ("a mask of one head", attention(SOME), (Q[0, 0], K[0, 0], V[0, 0])),
        ("no query sees a key", attention(SOME & False), (Q, K, V)),
        ("one key", attention(), (Q, K[:, :, :1], V[:, :, :1])),
        ("one query", attention(), (Q[:, :, :1], K, V)),
        ("one feature", attention(), (Q[..., :1], K[..., :1], V[..., :1])),
        ("heads that share keys", attention(), (Q, K[:, :1], V[:, :1])),
        ("images that share queries", attention(), (Q[:1], K, V)),
        ("no images", attention(), (Q[:0], K[:0], V[:0])),
        ("no queries", attention(), (Q[:, :, :0], K, V)),
    ]
)

test_bad_input = refusals(
    [
        (ShapeError, lambda: sdpa(t(3), t(2, 3), t(2, 3)), r"must be .*, got \(3,\), \(2, 3\), \(2, 3\)"),
        (ShapeError, lambda: sdpa(t(2, 3), t(2, 4), t(2, 3)), "query has 3 features and key has 4"),
        (ShapeError, lambda: sdpa(t(2, 0), t(2, 0), t(2, 3)), "query has 0 features and key has 0"),
        (ShapeError, lambda: sdpa(t(2, 3), t(4, 3), t(5, 3)), "there are 4 keys and 5 values"),
        (ShapeError, lambda: sdpa(t(2, 3), t(0, 3), t(0, 3)), "there are 0 keys and 0 values"),
        (ShapeError, lambda: sdpa(t(2, 4, 3), t(3, 4, 3), t(3, 4, 3)), "the axes in front .* do not broadcast"),
        (ShapeError, lambda: sdpa(t(4, 3), t(5, 3), t(5, 3), attn_mask=ones((4, 4))), r"attn_mask \(4, 4\) does not"),
        (
            ShapeError,
            lambda: sdpa(t(4, 3), t(5, 3), t(5, 3), attn_mask=ones((2, 4, 5))),
            r"does not broadcast to the scores \(4, 5\), queries by keys",
        ),
        (
            DTypeError,
            lambda: sdpa(t(4, 3), t(5, 3), t(5, 3), attn_mask=ones((4, 5), int)),
            "attn_mask must be an array of booleans, True where a query sees a key, or of floats, got int64",
        ),
        (DTypeError, lambda: sdpa(t(4, 3), t(5, 3), t(5, 3), attn_mask=[[True]]), "of floats, got list"),
        (
            OptionError,
            lambda: sdpa(t(4, 3), t(4, 3), t(4, 3), attn_mask=ones((4, 4), bool), is_causal=True),
            "attn_mask and is_causal=True exclude each other; make one mask: attn_mask & ",
        ),
        (
            OptionError,
            lambda: sdpa(t(4, 3), t(4, 3), t(4, 3), dropout_p=1.5),
            "dropout_p must be .* at most 1, got 1.5",
        ),
        (
            OptionError,
            lambda: sdpa(t(4, 3), t(4, 3), t(4, 3), scale=math.inf),
            "scale must be a finite number, got inf",
        ),
        (DTypeError, lambda: sdpa(t(4, 3), t(4, 3), t(4, 3), is_causal=1), "is_causal must be True or False, got 1"),
    ]
)


def test_settings_by_position_have_torchs_order():
    q, k, v = (Tensor(a) for a in (Q, K, V))
    by_name = sdpa(q, k, v, attn_mask=SOME, dropout_p=0.0, is_causal=False, scale=0.4)
    assert (sdpa(q, k, v, SOME, 0.0, False, 0.4) == by_name).all()


def test_a_mask_that_wants_a_gradient_is_refused_because_it_is_a_setting():
    mask = Tensor(np.zeros((4, 5)), requires_grad=True)
    with pytest.raises(GraphError, match="attn_mask is a setting, through which no gradient flows"):
        sdpa(Tensor(Q), K, V, attn_mask=mask)


@pytest.mark.parametrize("choice", ["fastest", "readable"])
class TestProperties:
    """With both kernels, because these hold whatever computes."""

    @pytest.fixture(autouse=True)
    def _choose(self, choice):
        with kernels.use(choice):
            yield

    def test_equal_keys_give_the_mean_of_the_values(self):
        k = np.broadcast_to(K[:, :, :1], K.shape)
        o = sdpa(Tensor(Q), k, V).data
        np.testing.assert_allclose(o, np.broadcast_to(V.mean(axis=2, keepdims=True), o.shape), rtol=1e-14, atol=1e-15)

    def test_a_key_that_fits_far_better_than_all_others_gives_its_value(self):
        k = np.zeros((5, 5))
        k[3] = 1e4
        np.testing.assert_array_equal(sdpa(Tensor(np.ones((2, 5))), k, V[0, 0]).data, V[0, 0, [3, 3]])

    def test_the_order_of_keys_does_not_matter_and_that_of_queries_is_kept(self):
        keys = np.array([3, 0, 4, 1, 2])
        queries = np.array([2, 0, 3, 1])
        o = sdpa(Tensor(Q), K, V, attn_mask=SOME).data
        permuted = sdpa(Tensor(Q[:, :, queries]), K[:, :, keys], V[:, :, keys], attn_mask=SOME[queries][:, keys]).data
        np.testing.assert_allclose(permuted, o[:, :, queries], rtol=1e-13, atol=1e-14)

    def test_a_constant_added_to_the_scores_of_a_query_changes_nothing(self):
        added = rng.standard_normal((4, 1)) * 50
        o = sdpa(Tensor(Q), K, V).data
        np.testing.assert_allclose(sdpa(Tensor(Q), K, V, attn_mask=added).data, o, rtol=1e-12, atol=1e-13)

    def test_a_key_that_nothing_sees_is_as_if_it_were_not_there(self):
        sees = np.array([True, False, True, True, False])
        q, k, v = (Tensor(a, requires_grad=True) for a in (Q, K, V))
        o = sdpa(q, k, v, attn_mask=sees)
        o.backward(np.ones(o.shape))
        np.testing.assert_allclose(o.data, sdpa(Tensor(Q), K[:, :, sees], V[:, :, sees]).data, rtol=1e-13, atol=1e-14)
        assert not k.grad[:, :, ~sees].any()
        assert not v.grad[:, :, ~sees].any()
        assert k.grad[:, :, sees].any()

    @pytest.mark.parametrize("mask", [BLIND, np.where(BLIND, 0, -np.inf)])
    def test_a_query_that_sees_no_key_gives_zeros_and_zero_gradients(self, mask):
        q, k, v = (Tensor(a, requires_grad=True) for a in (Q, K, V))
        o = sdpa(q, k, v, attn_mask=mask)
        o.backward(np.ones(o.shape))
        blind = ~BLIND.any(axis=-1)
        assert blind.sum() == 4
        assert not o.data[blind].any()
        assert not q.grad[blind].any()
        assert q.grad[~blind].any()
        assert np.isfinite(k.grad).all()
        assert np.isfinite(v.grad).all()

    def test_causal_outputs_do_not_change_with_what_comes_later(self):
        q, k, v = Q[0, 0], K[0, 0, :4], V[0, 0, :4]
        whole = sdpa(Tensor(q), k, v, is_causal=True).data
        for n in (1, 2, 3):
            part = sdpa(Tensor(q[:n]), k[:n], v[:n], is_causal=True).data
            np.testing.assert_allclose(part, whole[:n], rtol=1e-13, atol=1e-15)
        np.testing.assert_array_equal(whole[0], v[0])

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_scores_of_ten_thousand_overflow_nowhere(self, dtype):
        q, k, v = (Tensor(a.astype(dtype), requires_grad=True) for a in (100 * Q, 100 * K, V))
        o = sdpa(q, k, v)
        o.backward(np.ones(o.shape, dtype))
        for a in (o.data, q.grad, k.grad, v.grad):
            assert np.isfinite(a).all()

    def test_a_nan_in_a_query_stays_in_its_row(self):
        q = Q.copy()
        q[0, 1, 2, 3] = np.nan
        o = sdpa(Tensor(q), K, V).data
        assert np.isnan(o[0, 1, 2]).all()
        assert np.isnan(o).sum() == o.shape[-1]

    def test_dropout_drops_a_fraction_p_of_the_weights_and_scales_the_rest(self):
        L = 200
        q = k = Tensor(np.zeros((L, 2)))
        o = sdpa(q, k, np.eye(L), dropout_p=0.3, rng=0).data  # equal weights 1/L, each in a column of its own
        np.testing.assert_allclose(np.unique(o), [0, 1 / L / 0.7], rtol=1e-14)
        assert abs((o == 0).mean() - 0.3) < 4 * math.sqrt(0.3 * 0.7 / L**2)
        assert (sdpa(q, k, np.eye(L), dropout_p=0.3, rng=0).data == o).all()
        assert not sdpa(q, k, np.eye(L), dropout_p=1.0, rng=0).data.any()

    def test_heads_that_share_keys_add_up_their_gradients(self):
        def gradients(k, v):
            tensors = [Tensor(a, requires_grad=True) for a in (Q, k, v)]
            o = sdpa(*tensors)
            o.backward(Q[..., :6])
            return [o.data, *(x.grad for x in tensors)]

        shared = gradients(K[:, :1], V[:, :1])
        repeated = gradients(np.repeat(K[:, :1], 3, axis=1), np.repeat(V[:, :1], 3, axis=1))
        repeated[2:] = [dx.sum(axis=1, keepdims=True) for dx in repeated[2:]]
        for a, b in zip(shared, repeated, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-14)


def test_the_output_and_the_gradients_lie_in_memory_as_their_arguments():
    """So the heads of a projection x (N,L,H·E) are views, and what comes back is one without a copy."""
    x = np.random.default_rng(0).standard_normal((2, 4, 3, 5))  # (N,L,H,E)
    q = x.transpose(0, 2, 1, 3)
    o, backward = sdpa.raw(q, q, q)
    for a in (o, *backward(o)):
        assert a.transpose(0, 2, 1, 3).flags.c_contiguous


@needs_torch
def test_torch_gives_zeros_for_a_query_without_keys_too():
    import torch

    o = torch.nn.functional.scaled_dot_product_attention(*map(torch.tensor, (Q, K, V)), torch.tensor(BLIND)).numpy()
    np.testing.assert_allclose(sdpa(Tensor(Q), K, V, attn_mask=BLIND).data, o, rtol=1e-12, atol=1e-14)
