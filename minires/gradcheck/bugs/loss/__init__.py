"""Bugs of losses, of the softmax family, and of dropout."""

from minires.gradcheck.bugs.loss import all_losses, cross_entropy, elementwise, softmax_dropout

__all__ = ["all_losses", "cross_entropy", "elementwise", "softmax_dropout"]
