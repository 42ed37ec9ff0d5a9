"""nn.MultiheadAttention, compared with torch's, and what it refuses."""

import numpy as np
import pytest

from minires import Tensor, gradcheck, nn, no_grad, ops
from minires.errors import DTypeError, ShapeError

E, H = 6, 3
N, L, S = 2, 4, 5
rng = np.random.default_rng(0)
X = rng.standard_normal((N, L, E))
OTHER = rng.standard_normal((N, S, E))
PADDING = np.array([[False, False, True, False, True], [True, False, False, False, False]])
HIDDEN = rng.random((L, S)) < 0.4
HIDDEN[:, 1] = False
OF_HEADS = rng.random((N * H, L, S)) < 0.4
OF_HEADS[:, :, 1] = False
ADDED = rng.standard_normal((L, S))


def masks(**given):
    return given


MASKS = {
    "none": masks(),
    "padding": masks(key_padding_mask=PADDING),
    "hidden": masks(attn_mask=HIDDEN),
    "hidden by head": masks(attn_mask=OF_HEADS),
    "both": masks(key_padding_mask=PADDING, attn_mask=HIDDEN & False),
    "both, by head": masks(key_padding_mask=PADDING, attn_mask=OF_HEADS & False),
    "added": masks(attn_mask=ADDED),
    "added to the padding": masks(key_padding_mask=np.where(PADDING, -3.0, 0.5), attn_mask=ADDED),
}


def twins(**options):
    """The same attention here and in torch, in float64, with the same weights; biases are not 0."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what this test compares with")
    ours = nn.MultiheadAttention(E, H, rng=0, **options).double()
    theirs = torch.nn.MultiheadAttention(E, H, **options).double()
    for name, array in ours.state_dict().items():
        if name.endswith("bias"):
            array[...] = np.random.default_rng(1).standard_normal(array.shape)
    theirs.load_state_dict({name: torch.tensor(array) for name, array in ours.state_dict().items()})
    return torch, ours, theirs


def compare(torch, ours, theirs, arrays, settings, tolerance=1e-12):
    """Outputs, weights and the gradients of everything, of arrays that may be one array several times."""
    upstream = np.random.default_rng(2)
    tensors = {id(a): Tensor(a, requires_grad=True) for a in arrays}
    torchs = {id(a): torch.tensor(a, requires_grad=True) for a in arrays}
    found = ours(*(tensors[id(a)] for a in arrays), **settings)
    expected = theirs(
        *(torchs[id(a)] for a in arrays),
        **{k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in settings.items()},
    )
    assert (found[1] is None) == (expected[1] is None)
    losses = []
    for y, t in zip(found, expected, strict=True):
        if y is not None:
            assert y.shape == tuple(t.shape)
            np.testing.assert_allclose(y.data, t.detach().numpy(), rtol=0, atol=tolerance)
            dy = upstream.standard_normal(y.shape)
            losses.append((ops.sum(y * Tensor(dy)), (t * torch.tensor(dy)).sum()))
    sum(loss for loss, _ in losses).backward()
    sum(loss for _, loss in losses).backward()
    for key, x in tensors.items():
        np.testing.assert_allclose(x.grad, torchs[key].grad.numpy(), rtol=0, atol=10 * tolerance)
    theirs_by_name = dict(theirs.named_parameters())
    for name, p in ours.named_parameters():
        np.testing.assert_allclose(p.grad, theirs_by_name[name].grad.numpy(), rtol=0, atol=10 * tolerance)


@pytest.mark.parametrize("need", [False, True, "of each head"])
@pytest.mark.parametrize("mask", MASKS)
def test_cross_attention_is_torchs(mask, need):
    settings = {"need_weights": bool(need), "average_attn_weights": need != "of each head", **MASKS[mask]}
    compare(*twins(batch_first=True), (X, OTHER, OTHER), settings)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_self_attention_is_torchs_with_either_axis_first(batch_first, bias):
    x = X if batch_first else np.ascontiguousarray(X.swapaxes(0, 1))
    compare(*twins(batch_first=batch_first, bias=bias), (x, x, x), {})
    compare(*twins(batch_first=batch_first, bias=bias), (x, x, x), {"need_weights": False})


def test_keys_and_values_of_other_widths_have_weights_of_their_own_as_in_torch():
    torch, ours, theirs = twins(kdim=4, vdim=7, batch_first=True)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    key = rng.standard_normal((N, S, 4))
    value = rng.standard_normal((N, S, 7))
    compare(torch, ours, theirs, (X, key, value), {"need_weights": False})


def test_causal_attention_hides_what_comes_later():
    torch, ours, theirs = twins(batch_first=True)
    later = torch.ones(L, L, dtype=torch.bool).triu(1)
    found, weights = ours(Tensor(X), X, X, is_causal=True)
    expected, _ = theirs(*[torch.tensor(X)] * 3, attn_mask=later, is_causal=True)
    np.testing.assert_allclose(found.data, expected.detach().numpy(), rtol=0, atol=1e-12)
    assert not np.triu(weights.data, 1).any()
    padded = np.array([[False, False, True, False], [False] * 4])
    found, weights = ours(Tensor(X), X, X, key_padding_mask=padded, is_causal=True)
    expected, _ = theirs(*[torch.tensor(X)] * 3, torch.tensor(padded), attn_mask=later)
    np.testing.assert_allclose(found.data, expected.detach().numpy(), rtol=0, atol=1e-12)
    assert not weights.data[0, :, 2].any()


def test_parameters_have_torchs_names_shapes_and_first_weights():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what this test compares with")
    for options in ({}, {"bias": False}, {"kdim": 5}, {"vdim": 9, "bias": False}):
        ours = nn.MultiheadAttention(240, 4, rng=0, **options)
        theirs = torch.nn.MultiheadAttention(240, 4, **options)
        assert [(k, v.shape) for k, v in ours.state_dict().items()] == [
            (k, tuple(v.shape)) for k, v in theirs.state_dict().items()
        ]
        for (name, a), b in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
            if name.endswith("bias"):
                assert not a.any()
                assert not b.any()
            else:  # the bounds of uniform distributions
                assert np.abs(a).max() == pytest.approx(float(b.abs().max()), rel=1e-2), name


def test_a_query_whose_keys_are_all_padding_gives_the_bias_of_the_output():
    """In torch it gives NaN if weights are needed."""
    attention = nn.MultiheadAttention(E, H, batch_first=True, rng=0).double()
    attention.out_proj.bias.data[...] = np.arange(E)
    padding = np.ones((N, S), bool)
    for need in (False, True):
        y, _ = attention(Tensor(X), OTHER, OTHER, key_padding_mask=padding, need_weights=need)
        np.testing.assert_array_equal(y.data, np.broadcast_to(np.arange(E), y.shape))


def test_dropout_is_drawn_from_the_layers_generator_in_training_only():
    attention = nn.MultiheadAttention(E, H, 0.5, batch_first=True, rng=3).double()
    x = Tensor(X)
    with no_grad():
        state = attention.rng.bit_generator.state
        first, _ = attention(x, x, x)
        second, _ = attention(x, x, x)
        attention.rng.bit_generator.state = state
        assert (attention(x, x, x)[0] == first).all()
        again, _ = attention(x, x, x, need_weights=False)  # which multiplies in another order
        np.testing.assert_allclose(again.data, second.data, rtol=0, atol=1e-14)
        assert not (first == second).all()
        attention.eval()
        assert (attention(x, x, x)[0] == attention(x, x, x)[0]).all()


def test_the_gradient_of_an_attention_is_what_is_measured():
    class SelfAttention(nn.Module):
        def __init__(self):
            self.attention = nn.MultiheadAttention(E, H, batch_first=True, rng=0)

        def forward(self, x):
            return self.attention(x, x, x, need_weights=False)[0]

    assert gradcheck.check_module(SelfAttention(), X).passed


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda a: a(X[0], X[0], X[0]),
            ShapeError,
            r"query must be \(N,L,6\), got \(4, 6\); add a batch axis: x\[None\]",
        ),
        (lambda a: a(X, X[..., :5], X), ShapeError, r"key must be \(N,L,6\), got \(2, 4, 5\)"),
        (lambda a: a(X, OTHER[:1], OTHER[:1]), ShapeError, "query, key and value need one batch size, got 2, 1 and 1"),
        (lambda a: a(X, OTHER, X), ShapeError, "there are 5 keys and 4 values"),
        (
            lambda a: a(X, OTHER, OTHER, key_padding_mask=PADDING.T),
            ShapeError,
            r"key_padding_mask must be \(2, 5\), got \(5, 2\)",
        ),
        (
            lambda a: a(X, OTHER, OTHER, attn_mask=HIDDEN[None]),
            ShapeError,
            r"attn_mask must be \(4, 5\) or \(6, 4, 5\), got \(1, 4, 5\)",
        ),
        (
            lambda a: a(X, OTHER, OTHER, key_padding_mask=PADDING.astype(int)),
            DTypeError,
            "key_padding_mask must be an array of booleans, True where a key is not seen, or of floats, got int64",
        ),
        (lambda a: a(X, OTHER, OTHER, attn_mask="causal"), DTypeError, "attn_mask must be an array .* got str"),
        (lambda a: a(X, X, X, None, X), DTypeError, "need_weights must be True or False"),
    ],
)
def test_what_does_not_fit_is_refused_with_one_clear_line(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call(nn.MultiheadAttention(E, H, batch_first=True, rng=0).double())
    assert "\n" not in str(caught.value)


def test_a_wrong_number_of_heads_is_refused():
    with pytest.raises(ShapeError, match="num_heads=4 must divide embed_dim=6"):
        nn.MultiheadAttention(6, 4)
