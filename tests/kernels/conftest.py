"""Kernels are tested on small arrays, so here even small work is divided among the workers."""

import pytest

from minires.kernels.cpu import threads as workers


@pytest.fixture(autouse=True)
def _any_work_is_worth_sharing(monkeypatch):
    monkeypatch.setattr(workers, "WORTH_SHARING", 0)
