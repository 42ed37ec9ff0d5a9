"""The Hessian times a vector: against a dense Hessian by hand, torch, and the two ends of known spectra."""

import numpy as np
import pytest

from minires import Tensor, models, nn
from minires.probes import LossSurface, extreme_eigenvalues, hessian_product, power_iteration

N, I, K = 6, 4, 3  # images, pixels, hidden units


def two_layers(activation):
    rng = np.random.default_rng(0)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(I, K, bias=False, rng=rng), activation, nn.Linear(K, 2, bias=False, rng=rng)
    )


@pytest.fixture
def batch():
    rng = np.random.default_rng(1)
    return rng.standard_normal((N, 1, 2, 2)), rng.integers(0, 2, N)


def dense_hessian(f, w):
    """H of a scalar function of w, by the complex step and a difference: Im (f(w + ih·eᵢ + k·eⱼ) − f(… − k·eⱼ))/2hk."""
    n = len(w)
    H = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            up = w.astype(complex)
            down = w.astype(complex)
            up[i] += 1e-20j
            down[i] += 1e-20j
            up[j] += 1e-5
            down[j] -= 1e-5
            H[i, j] = (f(up).imag - f(down).imag) / 2e-25
    return H


def by_hand(batch, activation):
    """L(w) of two_layers, written in NumPy only."""
    images, labels = batch
    x = images.reshape(N, I)

    def f(w):
        W1 = w[: K * I].reshape(K, I)
        W2 = w[K * I :].reshape(2, K)
        z = activation(x @ W1.T) @ W2.T
        z = z - z.real.max(axis=1, keepdims=True)
        return (np.log(np.exp(z).sum(axis=1)) - z[np.arange(N), labels]).mean()

    return f


KINDS = {"tanh": (nn.Tanh, np.tanh), "relu": (nn.ReLU, lambda a: a * (a.real > 0))}


@pytest.mark.parametrize("kind", KINDS)
def test_the_product_is_that_of_the_dense_hessian(kind, batch):
    layer, function = KINDS[kind]
    surface = LossSurface(two_layers(layer()), *batch)
    f = by_hand(batch, function)
    w = surface.w0
    assert surface.loss(w) == pytest.approx(f(w), rel=1e-14)
    H = dense_hessian(f, w)
    assert np.abs(H - H.T).max() < 1e-9  # the check itself
    for v in np.eye(len(w)):
        assert hessian_product(surface.gradient, w, v) == pytest.approx(H @ v, abs=1e-4 * np.abs(H).max())
    eigenvalues = np.linalg.eigvalsh(H)
    lowest, highest = extreme_eigenvalues(
        lambda v: hessian_product(surface.gradient, w, v), len(w), steps=len(w), rng=0
    )
    assert (lowest, highest) == pytest.approx((eigenvalues[0], eigenvalues[-1]), abs=1e-4 * eigenvalues[-1])


def test_the_product_does_not_depend_on_the_length_of_v_and_is_symmetric(batch):
    surface = LossSurface(models.resnet8(in_channels=1, rng=0), batch[0].repeat(4, 2).repeat(4, 3), batch[1])
    rng = np.random.default_rng(0)
    n = len(surface.w0)
    u, v = rng.standard_normal((2, n))

    def product(v):
        return hessian_product(surface.gradient, surface.w0, v)

    Hv = product(v)
    assert product(1e6 * v) == pytest.approx(1e6 * Hv, abs=1e-3 * np.abs(Hv).max() * 1e6)
    assert u @ Hv == pytest.approx(v @ product(u), abs=1e-4 * np.linalg.norm(u) * np.linalg.norm(Hv))
    assert not product(0 * v).any()


def test_the_product_is_torchs():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(2)
    images = rng.standard_normal((5, 1, 6, 6))
    labels = rng.integers(0, 3, 5)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, rng=0), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3, rng=1)
    )
    model(Tensor(images.astype(np.float32)))  # running statistics that are not 0 and 1
    surface = LossSurface(model, images, labels)
    bn = surface.model[1]
    shapes = [p.data.shape for p in surface.parameters]

    def loss(w):
        conv, b, gamma, beta, linear, c = (
            part.reshape(shape) for part, shape in zip(w.split([int(np.prod(s)) for s in shapes]), shapes)
        )
        x = torch.nn.functional.conv2d(torch.tensor(images), conv, b)
        mean, var = (torch.tensor(a) for a in (bn.running_mean, bn.running_var))
        x = torch.relu(torch.nn.functional.batch_norm(x, mean, var, gamma, beta, eps=bn.eps))
        return torch.nn.functional.cross_entropy(x.flatten(1) @ linear.T + c, torch.tensor(labels))

    v = rng.standard_normal(len(surface.w0))
    value, product = torch.autograd.functional.hvp(loss, torch.tensor(surface.w0), torch.tensor(v))
    assert surface.loss(surface.w0) == pytest.approx(float(value), rel=1e-13)
    ours = hessian_product(surface.gradient, surface.w0, v)
    assert ours == pytest.approx(product.numpy(), abs=1e-4 * float(product.abs().max()))


def test_the_step_is_so_small_that_no_relu_changes_its_sign(batch):
    """With the best step of a smooth function, u^(1/3), some do, and the product is wrong: see hessian.py."""
    images = np.random.default_rng(3).standard_normal((32, 1, 8, 8))
    surface = LossSurface(models.plain8(in_channels=1, rng=0), images, np.arange(32) % 10)
    w = surface.w0
    v = np.random.default_rng(4).standard_normal(len(w))
    v *= np.linalg.norm(w) / np.linalg.norm(v)

    def difference(h):
        return (surface.gradient(w + h * v) - surface.gradient(w - h * v)) / (2 * h)

    def error(Hv):
        return np.linalg.norm(Hv - exact) / np.linalg.norm(exact)

    exact = difference(2.0**-33)
    ours = error(hessian_product(surface.gradient, w, v))
    assert ours < 1e-4
    assert error(difference(2 ** (-53 / 3))) > 10 * ours


def symmetric(eigenvalues):
    rng = np.random.default_rng(0)
    Q, _ = np.linalg.qr(rng.standard_normal((len(eigenvalues),) * 2))
    return Q @ np.diag(eigenvalues) @ Q.T


@pytest.mark.parametrize("ends", [(-2.0, 5.0), (-5.0, 2.0), (0.5, 3.0)])
def test_both_ends_of_a_known_spectrum_are_found(ends):
    A = symmetric([ends[0], *np.linspace(*ends, 50)[10:-10], ends[1]])
    lowest, highest = extreme_eigenvalues(lambda v: A @ v, len(A), steps=25, rng=1)
    assert (lowest, highest) == pytest.approx(ends, rel=1e-3)
    assert ends[0] - 1e-12 <= lowest <= highest <= ends[1] + 1e-12
    assert power_iteration(lambda v: A @ v, len(A), steps=60, rng=1) == pytest.approx(max(ends, key=abs), rel=1e-3)


def test_a_matrix_of_low_rank_ends_the_iteration_early():
    A = symmetric([3.0, *[0.0] * 19])
    assert extreme_eigenvalues(lambda v: A @ v, 20, steps=20, rng=0) == pytest.approx((0, 3), abs=1e-9)
    assert extreme_eigenvalues(lambda v: 0 * v, 20, steps=20, rng=0) == (0, 0)
    assert power_iteration(lambda v: 0 * v, 20, rng=0) == 0


def test_the_cross_entropy_of_a_linear_network_is_convex(batch):
    surface = LossSurface(nn.Sequential(nn.Flatten(), nn.Linear(I, 2, rng=0)), *batch)
    lowest, highest = extreme_eigenvalues(
        lambda v: hessian_product(surface.gradient, surface.w0, v), len(surface.w0), rng=0
    )
    assert highest > 0.01
    assert lowest > -1e-4 * highest
