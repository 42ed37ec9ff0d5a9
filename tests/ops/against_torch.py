"""How an op is compared with PyTorch's: rows of a table, each of which becomes two tests or three."""

import numpy as np
import pytest

from minires import Tensor, ops
from minires.arrays import channels_last

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed; it is what this test compares with")
rng = np.random.default_rng(0)


def normal(*shape):
    return rng.standard_normal(shape)


def positive(*shape):
    return rng.uniform(0.5, 2, shape)


class Ours:
    """The f of a row's function for minires: f.relu is ops.relu, and f.array(a) is a."""

    ours = True

    def __getattr__(self, name):
        return getattr(ops, name)

    @staticmethod
    def array(a, like=None):
        """The array, in the dtype of `like` if that is given."""
        return np.asarray(a, None if like is None else like.dtype)


class Torchs:
    """The f of a row's function for PyTorch: f.relu is torch.nn.functional.relu, and f.amax is torch.amax."""

    ours = False

    def __getattr__(self, name):
        found = getattr(torch.nn.functional, name, None)
        return getattr(torch, name) if found is None else found

    @staticmethod
    def array(a, like=None):
        return torch.tensor(a, dtype=None if like is None else like.dtype)


def both(function, inputs, dtype=np.float64, laid_out=lambda a: a):
    """[y, gradients…] of function(f, *inputs) for minires and for PyTorch, with the same random upstream gradient."""
    xs = [Tensor(laid_out(a.astype(dtype)), requires_grad=True) for a in inputs]
    ts = [torch.tensor(a.astype(dtype), requires_grad=True) for a in inputs]
    y = function(Ours(), *xs)
    t = function(Torchs(), *ts)
    assert y.shape == tuple(t.shape)
    upstream = np.random.default_rng(1).standard_normal(y.shape).astype(dtype)
    y.backward(upstream)
    t.backward(torch.tensor(upstream))
    return [y.data, *(x.grad for x in xs)], [t.detach().numpy(), *(t.grad.numpy() for t in ts)]


def assert_close(found, right, tolerance):
    """Each array within the tolerance of the other, relative to its largest element or to 1."""
    for a, b in zip(found, right, strict=True):
        assert np.abs(a - b).max(initial=0) <= tolerance * max(1, np.abs(b).max(initial=0))


def against_torch(table):
    """Tests of the rows (name, function, inputs): function(f, *inputs) is called with f for minires and for PyTorch."""
    rows = [pytest.param(function, inputs, id=name) for name, function, inputs in table]
    of_feature_maps = [row for row in rows if row.values[1][0].ndim == 4]

    @needs_torch
    @pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")  # torch says that it copies
    class TestAgainstTorch:
        @pytest.mark.parametrize(("function", "inputs"), rows)
        def test_values_and_gradients_are_torchs(self, function, inputs):
            assert_close(*both(function, inputs), 1e-10)

        @pytest.mark.parametrize(("function", "inputs"), rows)
        def test_float32_values_and_gradients_are_torchs_to_its_precision(self, function, inputs):
            """Both round: 2·100 rounding units of the largest element, because the longest sums have 100 terms."""
            found, right = both(function, inputs, np.float32)
            assert {a.dtype for a in found} == {np.dtype(np.float32)}
            assert_close(found, right, 200 * 2.0**-24)

        if of_feature_maps:

            @pytest.mark.parametrize(("function", "inputs"), of_feature_maps)
            def test_channels_last_memory_gives_the_same(self, function, inputs):
                laid_out = lambda a: channels_last(a) if a.ndim == 4 else a  # noqa: E731
                assert_close(*both(function, inputs, laid_out=laid_out), 1e-10)

    return TestAgainstTorch
