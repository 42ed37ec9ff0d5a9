"""Lesions: the error of a trained network without some of its blocks, or with blocks that have changed places.

Every lesion lasts for one measurement. The weights stay as they are, and nothing is trained again
[Veit et al. 2016, arXiv:1605.06431, §4].
"""

from collections import defaultdict

import numpy as np

from minires.arrays import to_device
from minires.mode import no_grad
from minires.models.blocks import Block
from minires.nn import Sequential
from minires.tensor import Tensor

BATCH = 500  # images at once


class Lesions:
    """A network whose blocks can be deleted and swapped. lesions.error(deleted=(3, 5)) is its error without two.

    images (N,C,H,W), normalized; labels (N,). Blocks are numbered from 0, the first one, to n − 1. The network is
    in evaluation mode while it is measured, so batch norm uses its running statistics.
    """

    def __init__(self, model, images, labels):
        self.model = model
        self.images = images
        self.labels = np.asarray(labels)
        self.blocks = [module for module in model.modules() if isinstance(module, Block)]
        shapes = self._shapes()
        self.alike = [i for i, (x, h) in enumerate(shapes) if x == h]  # what a plain network can lose, too
        self.deletable = [i for i, block in enumerate(self.blocks) if block.residual or i in self.alike]
        self.places = self._places()  # {block: (its stage, its position there)}
        groups = defaultdict(list)
        for i in self.alike:
            if i in self.places:
                groups[id(self.places[i][0]), shapes[i][0]].append(i)
        self.swappable = [group for group in groups.values() if len(group) > 1]

    def error(self, deleted=(), order=None):
        """The share of images, in %, that are classified wrongly.

        deleted: the blocks that are switched off. order: the block at each place; see shuffled().
        """
        try:
            for i in deleted:
                self.blocks[i].active = False
            self._arrange(order)
            return self._error()
        finally:
            for i in deleted:
                self.blocks[i].active = True
            self._arrange(None)

    def errors_without(self, order):
        """[the error without none, the first one, the first two, … of these blocks], in %."""
        return [self.error(deleted=order[:k]) for k in range(len(order) + 1)]

    def shuffled(self, swaps, rng):
        """An order of the blocks after so many swaps, each of two other random blocks of one stage and shape.

        No pair is swapped twice, because a second swap would undo the first. So there are no more swaps than pairs.

        -> a list: the number of the block at each place. Without blocks to swap, the order stays.
        """
        order = list(range(len(self.blocks)))
        pairs = [(i, j) for group in self.swappable for i in group for j in group if i < j]
        for k in rng.permutation(len(pairs))[:swaps] if swaps else ():
            i, j = pairs[k]
            order[i], order[j] = order[j], order[i]
        return order

    def _error(self):
        was_training = self.model.training
        self.model.eval()
        wrong = 0
        try:
            with no_grad():
                for start in range(0, len(self.labels), BATCH):
                    part = slice(start, start + BATCH)
                    predicted = to_device(self.model(Tensor(self.images[part])).data.argmax(axis=1), "cpu")
                    wrong += int((predicted != self.labels[part]).sum())
        finally:
            self.model.train(was_training)
        return 100 * wrong / len(self.labels)

    def _shapes(self):
        """(shape of x, shape of H) of each block, without the batch."""
        shapes = []
        removers = [
            block.register_forward_hook(lambda block, inputs, h: shapes.append((inputs[0].shape[1:], h.shape[1:])))
            for block in self.blocks
        ]
        was_training = self.model.training
        try:
            with no_grad():
                self.model.eval()(Tensor(self.images[:1]))
        finally:
            self.model.train(was_training)
            for remove in removers:
                remove()
        return shapes

    def _places(self):
        number = {id(block): i for i, block in enumerate(self.blocks)}
        return {
            number[id(module)]: (stage, position)
            for stage in self.model.modules()
            if isinstance(stage, Sequential)
            for position, module in enumerate(stage)
            if id(module) in number
        }

    def _arrange(self, order):
        for i, (stage, position) in self.places.items():
            block = self.blocks[order[i] if order is not None else i]
            if stage[position] is not block:
                stage[position] = block


def kendall_tau(order):
    """How far an order is from 0, 1, 2, …: 1 for the same order, −1 for the reverse  [Kendall 1938].

    τ = 1 − 2·(pairs in the wrong order)/(all pairs).
    """
    pairs = [(a, b) for k, a in enumerate(order) for b in order[k + 1 :]]
    wrong = sum(a > b for a, b in pairs)
    return 1 - 2 * wrong / len(pairs) if pairs else 1.0
