"""Two answers to the question which part of an image speaks for a class: one by a gradient, one by covering parts.

Grad-CAM asks one gradient. It is fast, and as coarse as the map of the layer. Occlusion asks the network again for each
place. It is slow, and needs no gradient, so it is right for any network.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minires.annotations import TensorLike
from minires.errors import OptionError
from minires.nn import Module
from minires.settings import did_you_mean
from minires.summary.calls import record
from minires.tensor import Tensor, unwrap

GRAY = 128  # of the square that covers a part of an image


def grad_cam(model: Module, image: TensorLike, target: int, layer: str) -> np.ndarray:
    """L = ReLU(Σ_k α_k·Aᵏ) with α_k = (1/Z)·Σ_ij ∂y_c/∂Aᵏ_ij  [Selvaraju et al. 2017, eq. 1 and 2].

    A (1,K,H,W) is the output of the module `layer`, Z = H·W, and y_c the logit of the class c = target.
    image (1,C,·,·) as the model takes it -> L (H,W). The gradients of the parameters stay what they were.
    Raises OptionError for a layer that gives no map.
    """
    before = [(p, p.grad) for p in model.parameters()]
    found = []
    handle = _layer(model, layer).register_forward_hook(lambda module, inputs, output: found.append(output))
    try:
        logits = model(Tensor(unwrap(image), requires_grad=True))
    finally:
        handle.remove()
    A: Any = found[-1] if found else None
    if getattr(A, "ndim", 0) != 4:
        raise OptionError(f"grad_cam: {layer} gives no map (N,C,H,W) of features; name a convolution or a stage")
    A.retain_grad()
    logits[:, target].sum().backward()
    for p, grad in before:
        p.grad = grad
    alpha = A.grad.mean(axis=(2, 3), keepdims=True)  # (1,K,1,1)
    return np.maximum((alpha * A.data).sum(axis=1)[0], 0)


def occlusion(
    predict: Callable[[list[np.ndarray]], np.ndarray],
    image: np.ndarray,
    target: int,
    size: int,
    stride: int,
    done: Callable[[int], object] = lambda count: None,
) -> np.ndarray:
    """p_c of the image with a gray square on it, for each place of the square  [Zeiler & Fergus 2014, §4.2].

    predict: N images -> probabilities (N, classes). image: uint8 (C,H,W) -> (rows, columns) of squares().
    done: is told how many places have been asked since the last time.
    """
    places = [
        (top, left) for top in squares(image.shape[1], size, stride) for left in squares(image.shape[2], size, stride)
    ]
    found: list[float] = []
    for first in range(0, len(places), 16):
        batch = []
        for top, left in places[first : first + 16]:
            covered = image.copy()
            covered[:, top : top + size, left : left + size] = GRAY
            batch.append(covered)
        found.extend(predict(batch)[:, target])
        done(len(batch))
    return np.array(found).reshape(len(squares(image.shape[1], size, stride)), -1)


def squares(length: int, size: int, stride: int) -> list[int]:
    """Where squares begin along an axis: from 0 to length − size, at most `stride` apart."""
    count = -(-(length - size) // stride) + 1
    return [round(place) for place in np.linspace(0, length - size, count)]


def last_map(model: Module, shape: tuple[int, ...]) -> str | None:
    """The part of a network whose output is its last map of more than one pixel, as layer4; None without one.

    A network that has attention behind its last map has none: there the map is not what the classes are made of.
    """
    call = record(model, (np.zeros(shape, np.float32),))
    names = [
        part.name
        for part in call.modules
        if part.output_size and len(part.output_size) == 4 and max(part.output_size[2:]) > 1
    ]
    has_attention = any(part.name == "scaled_dot_product_attention" for part in _below(call))
    return names[-1] if names and not has_attention else None


def _below(call) -> Iterator:
    for part in call.parts:
        yield part
        yield from _below(part)


def _layer(model, name):
    modules = dict(model.named_modules())
    if name not in modules or not name:
        hint = did_you_mean(name, modules, "python -m minires.summary shows them", most=1)
        raise OptionError(f"grad_cam: {type(model).__name__} has no module {name!r}; {hint}")
    return modules[name]
