"""Which networks processes can share: those that draw no random numbers in training."""

import sys

import numpy as np
import pytest
from sharing import network

from minires import models, nn
from minires.errors import OptionError
from minires.parallel import Replicas, unsupported_reason

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux only")


def test_dropout_with_probability_0_draws_nothing_until_it_is_changed():
    model = nn.Sequential(nn.Linear(4, 4, rng=0), nn.Dropout(0.0, rng=1), nn.Linear(4, 3, rng=2)).to(np.float64)
    images = np.random.default_rng(0).standard_normal((4, 4))
    labels = np.array([0, 1, 2, 0])
    with Replicas(model, 2) as replicas:
        for _ in range(2):
            replicas.gradients(images, labels)
        assert replicas.changes == 0
        model[1].p = 0.5
        with pytest.raises(OptionError, match="1 draws random numbers"):
            replicas.gradients(images, labels)
    model[1].p = 0.0
    model[1].noise = np.random.default_rng(0)
    assert "1 draws random numbers" in unsupported_reason(model)
    assert unsupported_reason(nn.Sequential(nn.StochasticDepth(0.0, "row"), nn.MultiheadAttention(4, 2))) == ""


def test_a_vision_transformer_is_shared_as_a_resnet_is():
    rng = np.random.default_rng(0)
    images = rng.standard_normal((5, 1, 8, 8))
    labels = rng.integers(0, 10, 5)
    found = []
    for n in (1, 2):
        model = models.vit_tiny_digits(in_channels=1, rng=0).to(np.float64)
        model.heads.head.weight.data[...] = np.random.default_rng(1).standard_normal((10, 64))
        with Replicas(model, n) as replicas:
            for _ in range(2):
                replicas.gradients(images, labels)
            assert replicas.changes == 0
        found.append({name: p.grad for name, p in model.named_parameters()})
    for name, gradient in found[0].items():
        np.testing.assert_allclose(found[1][name], gradient, rtol=1e-9, atol=1e-12, err_msg=name)


def test_what_cannot_be_shared_is_refused_with_the_reason():
    dropping = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    assert "1 draws random numbers in training" in unsupported_reason(dropping)
    assert "drop draws random numbers in training" in unsupported_reason(models.resnet8(stochastic_depth=0.5))
    attention = nn.MultiheadAttention(4, 2, 0.1)
    assert "MultiheadAttention draws random numbers in training" in unsupported_reason(attention)
    assert unsupported_reason(network()) == ""
    with pytest.raises(OptionError, match=r"draws random numbers.*use one process"):
        Replicas(dropping, 2)
    with pytest.raises(OptionError, match="at least 1 process and at most"):
        Replicas(network(), 0)
    Replicas(dropping, 1)
