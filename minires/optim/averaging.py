"""An average of the weights along the way, which is often better than the weights at its end."""

from collections.abc import Mapping

from minires.annotations import Array
from minires.errors import CheckpointError
from minires.settings import in_range


class ExponentialMovingAverage:
    """w̄ ← β·w̄ + (1 − β)·w after each step, with the decay β: an average over some 1/(1 − β) steps.

    arrays: a network's state_dict(). Its running statistics are averaged too, and its counters are copied.
    The first update copies w, as in torch's AveragedModel with get_ema_multi_avg_fn(β)  [Polyak & Juditsky 1992].

    >>> average = optim.ExponentialMovingAverage(model.state_dict(), 0.99)
    >>> optimizer.step(); average.update(model.state_dict())
    """

    def __init__(self, arrays: Mapping[str, Array], decay: float = 0.999) -> None:
        self.decay = in_range("ExponentialMovingAverage: decay", decay, 0, 1, open_above=True)
        self.arrays = {name: array.copy() for name, array in arrays.items()}
        self.n_averaged = 0

    def update(self, arrays: Mapping[str, Array]) -> None:
        """Add the arrays of one more step. Raises CheckpointError if their names are not those of the first."""
        if arrays.keys() != self.arrays.keys():
            other = sorted(arrays.keys() ^ self.arrays.keys())[0]
            raise CheckpointError(
                f"ExponentialMovingAverage: {other!r} is in one state and not in the other; give the same network's"
            )
        for name, w in arrays.items():
            average = self.arrays[name]
            if self.n_averaged == 0 or w.dtype.kind != "f":
                average[...] = w
            else:
                average += (1 - self.decay) * (w - average)
        self.n_averaged += 1
