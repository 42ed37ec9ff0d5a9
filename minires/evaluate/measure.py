"""What probabilities and labels say of a network: errors, confusion, and calibration."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

BINS = 15  # of confidence, as in Guo et al. 2017


@dataclass
class Evaluation:
    """probabilities (N,K) of N images, labels (N,) from 0 to K − 1, and the names of the K classes."""

    probabilities: np.ndarray
    labels: np.ndarray
    classes: list

    @cached_property
    def ranks(self):
        """How many classes are more probable than the right one, for each image; an equal one before it counts, too."""
        right = self.probabilities[np.arange(len(self.labels)), self.labels]
        above = (self.probabilities > right[:, None]).sum(axis=1)
        places = np.arange(len(self.classes))
        equal = (self.probabilities == right[:, None]) & (places < self.labels[:, None])
        return above + equal.sum(axis=1)

    def right(self, n=1):
        """How many images have the right class among the n most probable."""
        return int((self.ranks < n).sum())

    @cached_property
    def guesses(self):
        """The most probable class of each image; of equal ones the first."""
        return self.probabilities.argmax(axis=1)

    @cached_property
    def confusion(self):
        """counts[i, j]: images of class i in which the network sees class j, (K,K)."""
        counts = np.zeros((len(self.classes),) * 2, int)
        np.add.at(counts, (self.labels, self.guesses), 1)
        return counts

    @cached_property
    def calibration_error(self):
        """Σ_b |right_b − confidence_b|·n_b/N over bins b of confidence  [Guo et al. 2017, eq. 3].

        confidence: the probability of the guess. 0 means: of the guesses made with 80 %, 80 % are right.
        """
        confidence = self.probabilities.max(axis=1)
        is_right = self.guesses == self.labels
        bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
        difference = np.bincount(bins, is_right - confidence, BINS)  # of the sums, so the n_b cancel
        return float(np.abs(difference).sum() / len(self.labels))

    def rows(self):
        """(class, images, right, share, what it is most often taken for, how often) of each class that has images."""
        for k, counts in enumerate(self.confusion):
            images = int(counts.sum())
            if not images:
                continue
            others = counts.copy()
            others[k] = 0
            other = int(others.argmax())
            name = self.classes[other] if others[other] else ""
            yield self.classes[k], images, int(counts[k]), counts[k] / images, name, int(others[other])

    def as_dict(self):
        """All numbers but the images' own, for JSON."""
        n = len(self.labels)
        return {
            "images": n,
            "top1": self.right(1) / n,
            "top5": self.right(5) / n,
            "calibration_error": self.calibration_error,
            "classes": [
                {"class": name, "images": images, "right": right, "taken_for": other, "times": times}
                for name, images, right, _, other, times in self.rows()
            ],
        }
