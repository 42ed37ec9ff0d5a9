"""What is done to whole batches of images and labels: mixup, and targets that are no longer a single class."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minires.annotations import Array, DType
from minires.data.checks import check_images
from minires.settings import in_range, whole

Mix = Callable[[Array, Array, Any], tuple[Array, Array]]  # (images, labels, rng) -> images, targets


def soft_targets(labels: Array, num_classes: int, label_smoothing: float = 0.0, dtype: DType = np.float32) -> Array:
    """t_k = (1 − ε)·[k = label] + ε/K with K classes: labels (N,) -> t (N,K)  [Szegedy et al. 2016, §7].

    The cross-entropy with t is that of the labels with label_smoothing=ε. dtype: that of the logits.
    """
    K = whole("soft_targets: num_classes", num_classes)
    smoothing = in_range("soft_targets: label_smoothing", label_smoothing, 0, 1)
    rest = smoothing / K
    targets = np.full((len(labels), K), rest, dtype)
    targets[np.arange(len(labels)), labels] = 1 - smoothing + rest
    return targets


def mixup(alpha: float, num_classes: int, label_smoothing: float = 0.0) -> Mix:
    """x = λ·x_i + (1 − λ)·x_j and t = λ·t_i + (1 − λ)·t_j, with λ ~ Beta(α, α)  [Zhang et al. 2018, eq. 1].

    j is the image before i in the batch, as in torchvision; in a shuffled batch that is any. One λ serves a batch.
    alpha=0 mixes nothing. t_i are soft_targets() of the labels.
    """
    alpha = in_range("mixup: alpha", alpha, 0)

    def apply(images, labels, rng):
        check_images("mixup", images)
        dtype = images.dtype if images.dtype.kind == "f" else np.dtype(np.float32)
        targets = soft_targets(labels, num_classes, label_smoothing, dtype)
        if not alpha:
            return images, targets
        share = float(rng.beta(alpha, alpha))
        return mixed(images, share), mixed(targets, share)

    return apply


def mixed(values: Array, share: float) -> Array:
    """share·values[i] + (1 − share)·values[i − 1] for each i, in the memory format of the values."""
    others = np.empty_like(values)
    others[0] = values[-1]
    others[1:] = values[:-1]
    others *= 1 - share
    others += share * values
    return others
