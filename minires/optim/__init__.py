"""Optimizers and learning-rate schedules, with torch.optim's names and results.

>>> optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
>>> schedule = optim.cosine(0.1, T_max=1000)
>>> optimizer.lr = schedule(step); optimizer.step()

clip_grad_norm_(model.parameters(), max_norm) is called between backward() and step().
"""

from typing import TYPE_CHECKING

from minires.optim.adam import Adam, AdamW
from minires.optim.averaging import ExponentialMovingAverage
from minires.optim.clip import clip_grad_norm_, clip_grad_value_
from minires.optim.optimizer import Optimizer
from minires.optim.schedules import constant, cosine, linear_warmup, multistep, one_cycle
from minires.optim.sgd import SGD
from minires.torch_names import missing

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "ExponentialMovingAverage",
    "Optimizer",
    "clip_grad_norm_",
    "clip_grad_value_",
    "constant",
    "cosine",
    "linear_warmup",
    "multistep",
    "one_cycle",
]


if not TYPE_CHECKING:  # a checker would accept every name

    def __getattr__(name):
        raise missing("minires.optim", name)
