"""Training: `python -m minires.train`, or `run(Config(...))`."""

from minires.train.config import Config
from minires.train.loop import Run, evaluate, train_step

__all__ = ["Config", "Run", "evaluate", "train_step"]
