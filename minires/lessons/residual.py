"""The exercises of lesson 6: one plus ∂F/∂x."""

import numpy as np

from minires.lessons.exercise import exercise
from minires.lessons.op_exercise import OpExercise


@exercise("6.1", gives="norms")
def gradient_norms(J, g):
    """The norms ‖∂L/∂H_k‖ for k = n, n − 1, …, 0, with H_k = H_(k−1) + F_k(H_(k−1)).

    J (n,d,d): J[k − 1] is ∂F_k/∂H_(k−1), row i of which belongs to output i; g (d,) is ∂L/∂H_n. -> n + 1 norms
    """
    norms = [np.sqrt(np.sum(g * g))]
    for branch in J[::-1]:
        g = g + branch.T @ g
        norms.append(np.sqrt(np.sum(g * g)))
    return norms


@gradient_norms.draw
def _(rng):
    def blocks(n, d):
        return rng.standard_normal((n, d, d)) / np.sqrt(d), rng.standard_normal(d)

    n, d = rng.integers(4, 7, 2).tolist()
    yield "the three blocks of the example", blocks(3, 2)
    yield "more blocks", blocks(n, d + n)
    yield "one block", blocks(1, d)
    yield "no block", blocks(0, d)
    yield "one number in each block", blocks(n, 1)
    yield "branches that are all zero", (np.zeros((n, d, d)), rng.standard_normal(d))


def _norms(J, g, step, order=-1, norm=np.linalg.norm):
    norms = [norm(g)]
    for branch in J[::order]:
        g = step(branch, g)
        norms.append(norm(g))
    return norms


@gradient_norms.mistake
def _(J, g):
    """you add the number 1 to every element of J: the 1 in 1 + ∂F/∂x is the identity matrix, np.eye(d)"""
    return _norms(J, g, lambda branch, g: g @ (1 + branch))


@gradient_norms.mistake
def _(J, g):
    """your gradient goes through the branches alone: add what the shortcut passes on, the 1 in 1 + ∂F/∂x"""
    return _norms(J, g, lambda branch, g: branch.T @ g)


@gradient_norms.mistake
def _(J, g):
    """your gradient goes through the shortcuts alone: add what comes through the branch, g @ J (or J.T @ g)"""
    return _norms(J, g, lambda branch, g: g)


@gradient_norms.mistake
def _(J, g):
    """you multiply by J, which goes forward: the gradient goes back by the transpose, g @ J (or J.T @ g)"""
    return _norms(J, g, lambda branch, g: g + branch @ g)


@gradient_norms.mistake
def _(J, g):
    """you begin with the first block: the gradient comes from the last one, so go through J in reverse"""
    return _norms(J, g, lambda branch, g: g + branch.T @ g, order=1)


@gradient_norms.mistake
def _(J, g):
    """your norms begin at k = 0: the first is that of g, for k = n"""
    return gradient_norms(J, g)[::-1]


@gradient_norms.mistake
def _(J, g):
    """your norms are squared: take the root of the sum of squares"""
    return np.square(gradient_norms(J, g))


@gradient_norms.mistake
def _(J, g):
    """your norm is the sum of the magnitudes: it is the root of the sum of squares"""
    return _norms(J, g, lambda branch, g: g + branch.T @ g, norm=lambda g: np.abs(g).sum())


@gradient_norms.mistake
def _(J, g):
    """the norm of g itself is missing: the list begins with k = n, and has n + 1 norms"""
    return gradient_norms(J, g)[1:]


@gradient_norms.mistake
def _(J, g):
    """the norm at the input is missing: the list ends with k = 0, and has n + 1 norms"""
    return gradient_norms(J, g)[:-1]


@gradient_norms.mistake
def _(J, g):
    """each of your gradients begins with g again: the gradient at a block is made of that at the next one"""
    return [np.linalg.norm(g), *(np.linalg.norm(g + branch.T @ g) for branch in J[::-1])]


add_relu = OpExercise(
    "6.2",
    op="residual_add_relu",
    call="add_relu(x, f)",
    asks="The block of 2015, H = relu(x + f), with its backward: x and f of one shape -> (H, backward), where "
    "backward(dy) gives the gradients of x and of f.",
)
