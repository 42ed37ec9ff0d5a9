"""The attention of a CPU divides any stack of heads, and the parts give what the whole gives."""

from importlib import import_module

import numpy as np
import pytest

from minires.kernels import cpu, readable


@pytest.mark.parametrize("largest", [1, 60, 1 << 19])
@pytest.mark.parametrize("stack", [(), (1,), (5,), (1, 7), (6, 2), (2, 3, 4), (1, 1, 3), (0, 3), (3, 0)], ids=str)
def test_all_heads_of_a_stack_are_computed_once(stack, largest, monkeypatch):
    monkeypatch.setattr(import_module("minires.kernels.cpu.attention"), "LARGEST", largest)
    rng = np.random.default_rng(0)
    q, k, v, do = (rng.standard_normal((*stack, *sizes)) for sizes in ((4, 3), (5, 3), (5, 2), (4, 2)))
    found = cpu.attention(q, k, v, 0.7)
    for a, b in zip(found, readable.attention(q, k, v, 0.7), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-15)
    _, e, r = found
    gradients = cpu.attention_dq_dk_dv(do, q, k, v, e, r, 0.7)
    for a, b in zip(gradients, readable.attention_dq_dk_dv(do, q, k, v, e, r, 0.7), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)
