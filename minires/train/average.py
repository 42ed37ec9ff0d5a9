"""The averaged weights of a run: after each step, in its checkpoint, and tested."""

import copy

from minires.errors import CheckpointError
from minires.optim import ExponentialMovingAverage

SECTION = "ema"  # of a checkpoint


class Average:
    """The exponential moving average of a network's weights; none with decay 0."""

    def __init__(self, model, decay):
        self.model = model
        self.kept = ExponentialMovingAverage(model.state_dict(), decay) if decay else None

    def update(self):
        """After a step of the optimizer."""
        if self.kept:
            self.kept.update(self.model.state_dict())

    def sections(self):
        """What a checkpoint holds of it: {section: {name: array}}."""
        return {SECTION: self.kept.arrays} if self.kept else {}

    def restore(self, sections, step):
        """Go on as after this number of steps. Raises CheckpointError if the arrays do not fit."""
        if not self.kept:
            return
        network = self._network(sections[SECTION])
        self.kept = ExponentialMovingAverage(network.state_dict(), self.kept.decay)
        self.kept.n_averaged = step

    def tested(self, evaluate):
        """{"ema_loss": …, "ema_accuracy": …} for a row of the log, by evaluate(network); None if it was stopped."""
        if not self.kept:
            return {}
        found = evaluate(self._network(self.kept.arrays))
        return found and dict(zip(("ema_loss", "ema_accuracy"), found))

    def _network(self, arrays):
        """The network with these arrays."""
        network = copy.deepcopy(self.model)
        try:
            network.load_state_dict(arrays)
        except CheckpointError as error:
            raise CheckpointError(f"{SECTION}: {error}") from error
        return network
