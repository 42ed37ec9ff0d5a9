"""Optimisers and learning-rate schedules, with torch.optim's names and numbers.

>>> optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
>>> schedule = optim.cosine(0.1, T_max=1000)
>>> optimizer.lr = schedule(step); optimizer.step()
"""

from minires.optim.adamw import AdamW
from minires.optim.optimizer import Optimizer
from minires.optim.schedules import constant, cosine, linear_warmup, multistep, one_cycle
from minires.optim.sgd import SGD

__all__ = ["SGD", "AdamW", "Optimizer", "constant", "cosine", "linear_warmup", "multistep", "one_cycle"]
