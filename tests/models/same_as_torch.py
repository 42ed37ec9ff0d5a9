"""A network and its twin in PyTorch, with the same weights: the same logits and gradients."""

from contextlib import contextmanager

import numpy as np
import torch

from minires import Tensor, ops


def shapes(module):
    """[(name, shape)] of all parameters and buffers, of a network here or in PyTorch."""
    return [(name, tuple(value.shape)) for name, value in module.state_dict().items()]


def assert_same(ours, theirs, image_shape, *, training=True):
    """Give both the same float64 weights, by name, and compare logits and all gradients: 1e-9 of the largest value.

    γ is between 0.4 and 1.6 and β is not 0, as in a trained network; running statistics are not 0 and 1.
    """
    rng = np.random.default_rng(0)
    ours.to(np.float64).train(training)
    theirs.double().train(training)
    for name, array in ours.state_dict().items():
        if array.ndim == 1 and name.endswith("weight"):
            array[...] = rng.uniform(0.4, 1.6, array.shape)
        elif name.endswith("running_var"):
            array[...] = rng.uniform(0.5, 2, array.shape)
        elif name.endswith(("bias", "running_mean")):
            array[...] = rng.normal(0, 0.2, array.shape)
    theirs.load_state_dict({name: torch.tensor(array.copy(order="C")) for name, array in ours.state_dict().items()})
    images = rng.standard_normal(image_shape)
    x = Tensor(images, requires_grad=True)
    t = torch.tensor(images, requires_grad=True)
    logits = ours(x)
    upstream = rng.standard_normal(logits.shape)
    ops.sum(logits * Tensor(upstream)).backward()
    with one_thread():
        expected = theirs(t)
        (expected * torch.tensor(upstream)).sum().backward()
    _close(logits.data, expected.detach().numpy(), "logits")
    _close(x.grad, t.grad.numpy(), "the gradient of x")
    gradients = {name: p.grad.numpy() for name, p in theirs.named_parameters()}
    assert gradients.keys() == {name for name, _ in ours.named_parameters()}
    for name, p in ours.named_parameters():
        _close(p.grad, gradients[name], f"the gradient of {name}")
    state = ours.state_dict()
    for name, value in theirs.state_dict().items():
        _close(state[name], value.numpy(), name)


@contextmanager
def one_thread():
    """In this block PyTorch has one thread, because on a busy machine several wait for one another, in loops."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _close(found, expected, what):
    assert found.shape == expected.shape, what
    assert np.abs(found - expected).max() <= 1e-9 * max(np.abs(expected).max(), 1e-3), what
