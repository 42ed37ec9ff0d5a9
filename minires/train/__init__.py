"""Training: `python -m minires.train`, or train.run(train.Config(epochs=5)).

Run is the run itself: it can be stopped, resumed, and watched step by step.
"""

from minires.train.config import Config
from minires.train.loop import Run
from minires.train.show import run
from minires.train.step import evaluate, train_step

__all__ = ["Config", "Run", "evaluate", "run", "train_step"]
