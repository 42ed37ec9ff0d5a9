"""How often a trained network is right, and whether its probabilities can be believed."""

from minires.evaluate.measure import Evaluation

__all__ = ["Evaluation"]
