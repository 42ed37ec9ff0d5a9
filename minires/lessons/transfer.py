"""The exercises of lesson 12 about trained networks: Grad-CAM, and a frozen norm. The last one is in pyramid.py."""

import numpy as np

from minires.lessons.exercise import exercise

EPS = 1e-5
MOMENTUM = 0.1


@exercise("12.1", gives="L")
def cam(A, dA):
    """Grad-CAM of one image: L = ReLU(Σ_k α_k·Aᵏ), α_k = the mean of ∂y/∂Aᵏ over its H·W pixels.

    A (K,H,W): the maps; dA (K,H,W): the gradient of the class's logit y by them -> L (H,W).
    """
    return _relu(_weighted(A, _mean(dA)))


def _relu(a):
    return np.maximum(a, 0)


def _mean(a):
    return a.mean((1, 2), keepdims=True)


def _weighted(A, alpha):
    return (alpha * A).sum(0)


@cam.draw
def _(rng):
    def case(K, H, W):
        dA = rng.standard_normal((K, H, W)) + rng.standard_normal((K, 1, 1))
        dA[-1] -= dA[-1].mean() + 1  # one map that speaks against the class
        return rng.standard_normal((K, H, W)) + 0.5, dA

    yield "3 maps of 4×4 pixels", case(3, 4, 4)
    yield "maps that are no squares", case(4, 2, 5)
    yield "more maps than pixels", case(int(rng.integers(7, 10)), 2, 3)
    yield "maps of one pixel", case(5, 1, 1)
    yield "one map, which speaks against the class", case(1, 3, 3)
    yield "as many maps as rows", case(4, 4, int(rng.integers(2, 4)))


@cam.mistake
def _(A, dA):
    """your L has no ReLU: what speaks against the class is below 0, and eq. 2 makes it 0"""
    return _weighted(A, _mean(dA))


@cam.mistake
def _(A, dA):
    """your ReLU comes before the sum: add up the maps first, those that speak against the class, too"""
    return _relu(_mean(dA) * A).sum(0)


@cam.mistake
def _(A, dA):
    """your ReLU is around α: maps that speak against the class have an α below 0, and count"""
    return _weighted(A, _relu(_mean(dA)))


@cam.mistake
def _(A, dA):
    """your ReLU is around α, and around L: maps that speak against the class have an α below 0, and count"""
    return _relu(_weighted(A, _relu(_mean(dA))))


@cam.mistake
def _(A, dA):
    """your ReLU drops negative gradients before their mean: α is the mean of all gradients of a map"""
    return _relu(_weighted(A, _mean(_relu(dA))))


@cam.mistake
def _(A, dA):
    """your α has no sign: take the mean of the gradients themselves, without abs"""
    return _relu(_weighted(A, _mean(abs(dA))))


@cam.mistake
def _(A, dA):
    """your L has abs in place of the ReLU: what speaks against the class becomes 0"""
    return abs(_weighted(A, _mean(dA)))


@cam.mistake
def _(A, dA):
    """your α is a sum over the pixels: eq. 1 has their mean, so divide by Z = H·W"""
    return _relu(_weighted(A, dA.sum((1, 2), keepdims=True)))


@cam.mistake
def _(A, dA):
    """your α is the largest gradient of a map: eq. 1 has the mean"""
    return _relu(_weighted(A, dA.max((1, 2), keepdims=True)))


@cam.mistake
def _(A, dA):
    """your L is a mean over the maps: eq. 2 adds them up"""
    return _relu((_mean(dA) * A).mean(0))


@cam.mistake
def _(A, dA):
    """you multiply each pixel by its own gradient: α is one number a map, the mean over the pixels"""
    return _relu((dA * A).sum(0))


@cam.mistake
def _(A, dA):
    """your A and your dA are exchanged: α is made of the gradients dA, and weighs the maps A"""
    return _relu(_weighted(dA, _mean(A)))


@cam.mistake
def _(A, dA):
    """your α is made of the maps: it is the mean of the gradients, dA"""
    return _relu(_weighted(A, _mean(A)))


@cam.mistake
def _(A, dA):
    """your maps all count the same: α weighs each of them"""
    return _relu(A.sum(0))


@cam.mistake
def _(A, dA):
    """you add up gradients: L adds up the maps A, each times its α"""
    return _relu(dA.sum(0))


@cam.mistake
def _(A, dA):
    """your L is divided by its largest number: eq. 2 leaves it as it is"""
    L = _relu(_weighted(A, _mean(dA)))
    return L / L.max() if L.max() > 0 else L


@cam.sign
def _(L, A, dA):
    """your result is α, one number a map: give L, the sum of the maps, each times its α"""
    return np.allclose(np.ravel(L), np.ravel(_mean(dA)))


@cam.sign
def _(L, A, dA):
    """your result has K maps: add them up, sum(axis=0)"""
    maps = _mean(dA) * A
    return np.shape(L) == maps.shape and (np.allclose(L, maps) or np.allclose(L, _relu(maps)))


# ---- a norm that is frozen


@exercise("12.2", gives=("y", "the running mean", "the running variance"))
def norm(x, weight, bias, mean, var, frozen):
    """Batch norm in a step of training, where it may be frozen. x (N,C) -> y (N,C), new mean (C), new var (C).

    y = weight·(x − m)/√(v + 1e-5) + bias. Frozen: m, v are the running mean and var, which stay. Else they are those of
    the batch (v divided by N), and running ← 0.9·running + 0.1·batch, where the variance is divided by N − 1.
    """
    return _norm(x, weight, bias, mean, var, by_running=frozen, moves=not frozen)


def _norm(x, weight, bias, mean, var, by_running, moves, momentum=MOMENTUM, ddof=(0, 1), eps=EPS, root=np.sqrt):
    m, v = (mean, var) if by_running else (x.mean(0), x.var(0, ddof=ddof[0]))
    y = weight * (x - m) / root(v + eps) + bias
    if moves:
        mean = mean + momentum * (x.mean(0) - mean)
        var = var + momentum * (x.var(0, ddof=ddof[1]) - var)
    return y, mean, var


@norm.draw
def _(rng):
    def case(N, C, frozen):
        x = 2 * rng.standard_normal((N, C)) + rng.standard_normal(C)
        weight, bias, mean = rng.standard_normal((3, C))
        return x, weight, bias, mean, rng.uniform(0.5, 2, C), frozen

    yield "a norm that is frozen", case(4, 3, True)
    yield "a norm that is trained", case(4, 3, False)
    yield "a large batch, frozen", case(int(rng.integers(8, 12)), 2, True)
    yield "a large batch", case(int(rng.integers(8, 12)), 2, False)
    yield "two images", case(2, 4, False)
    yield "two images, frozen", case(2, 3, True)


@norm.mistake
def _(x, weight, bias, mean, var, frozen):
    """your running statistics move though the norm is frozen: then give mean and var back as they came"""
    return _norm(x, weight, bias, mean, var, by_running=frozen, moves=True)


@norm.mistake
def _(x, weight, bias, mean, var, frozen):
    """your frozen norm uses the batch's statistics: frozen, it uses the running ones, mean and var"""
    return _norm(x, weight, bias, mean, var, by_running=False, moves=not frozen)


@norm.mistake
def _(x, weight, bias, mean, var, frozen):
    """your norm is never frozen: ask `frozen`, for the statistics of y and for the running ones"""
    return _norm(x, weight, bias, mean, var, by_running=False, moves=True)


@norm.mistake
def _(x, weight, bias, mean, var, frozen):
    """your norm is always frozen: without `frozen` y uses the batch's statistics, and the running ones move"""
    return _norm(x, weight, bias, mean, var, by_running=True, moves=False)


@norm.mistake
def _(x, weight, bias, mean, var, frozen):
    """your norm is frozen where it is to be trained, and the other way round: exchange the two"""
    return _norm(x, weight, bias, mean, var, by_running=not frozen, moves=frozen)


@norm.mistake
def _(x, weight, bias, mean, var, frozen):
    """your running statistics never move: without `frozen` they move by a tenth to those of the batch"""
    return _norm(x, weight, bias, mean, var, by_running=frozen, moves=False)


@norm.mistake
def _(x, weight, bias, mean, var, frozen):
    """your y always uses the running statistics: without `frozen` it uses those of the batch"""
    return _norm(x, weight, bias, mean, var, by_running=True, moves=not frozen)


@norm.mistake
def _(x, weight, bias, mean, var, frozen):
    """your y uses the running statistics after they have moved: it uses those of the batch"""
    _, mean, var = _norm(x, weight, bias, mean, var, by_running=frozen, moves=not frozen)
    return _norm(x, weight, bias, mean, var, by_running=True, moves=False)


@norm.mistake
def _(x, weight, bias, mean, var, frozen):
    """your running statistics keep a tenth of what they were: they keep nine tenths, 0.9·running + 0.1·batch"""
    return _norm(x, weight, bias, mean, var, by_running=frozen, moves=not frozen, momentum=1 - MOMENTUM)


@norm.mistake
def _(x, weight, bias, mean, var, frozen):
    """your running statistics become those of the batch: they move by a tenth, 0.9·running + 0.1·batch"""
    return _norm(x, weight, bias, mean, var, by_running=frozen, moves=not frozen, momentum=1)


@norm.mistake
def _(x, weight, bias, mean, var, frozen):
    """your running variance moves to one that is divided by N: here the batch's is divided by N − 1, var(0, ddof=1)"""
    return _norm(x, weight, bias, mean, var, by_running=frozen, moves=not frozen, ddof=(0, 0))


@norm.mistake
def _(x, weight, bias, mean, var, frozen):
    """your y has a variance that is divided by N − 1: in y it is divided by N, x.var(0)"""
    return _norm(x, weight, bias, mean, var, by_running=frozen, moves=not frozen, ddof=(1, 1))


@norm.mistake
def _(x, weight, bias, mean, var, frozen):
    """your y is divided by the variance: divide by its root"""
    return _norm(x, weight, bias, mean, var, by_running=frozen, moves=not frozen, root=lambda v: v)


@norm.mistake
def _(x, weight, bias, mean, var, frozen):
    """your root has no 1e-5 in it: √(v + 1e-5)"""
    return _norm(x, weight, bias, mean, var, by_running=frozen, moves=not frozen, eps=0)


@norm.mistake
def _(x, weight, bias, mean, var, frozen):
    """your y has no weight and no bias: a frozen norm keeps them, and only does not change them"""
    return _norm(x, 1, 0, mean, var, by_running=frozen, moves=not frozen)


@norm.mistake
def _(x, weight, bias, mean, var, frozen):
    """your frozen norm lets x through: it computes as ever, with the running statistics"""
    y, mean, var = norm.answer(x, weight, bias, mean, var, frozen)
    return x if frozen else y, mean, var
