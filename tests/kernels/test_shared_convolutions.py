"""Convolutions are shared among the workers if they are worth it."""

import numpy as np
import pytest

from minires import kernels
from minires.kernels import Window
from minires.kernels.cpu import convolution, depthwise
from minires.kernels.cpu import threads as workers


@pytest.mark.parametrize("kernel", convolution.FASTEST, ids=lambda kernel: kernel.__name__.rpartition(".")[2])
def test_a_convolution_shares_its_work_if_it_is_enough(monkeypatch, kernel):
    groups = 16 if kernel is depthwise else 1
    w = np.ones((16, 16 // groups, 3, 3), np.float32)
    win = Window.of((4, 16, 8, 8), w.shape, 1, 1, groups=groups)
    work = win.products * (depthwise.SLOWER if kernel is depthwise else 1)
    x = np.ones(win.x_shape, np.float32)
    before = kernels.get_num_threads()
    shared = []
    call = workers._Part.__call__
    monkeypatch.setattr(workers._Part, "__call__", lambda part: shared.append(part) or call(part))
    kernels.set_num_threads(2)
    try:
        for least, is_shared in ((work + 1, False), (work, True)):
            monkeypatch.setattr(workers, "WORTH_SHARING", least)
            kernel.conv(x, w, win)
            assert bool(shared) is is_shared
            shared.clear()
            kernel.conv_dx_dw(x, x, w, win)
            assert bool(shared) is is_shared
            shared.clear()
    finally:
        kernels.set_num_threads(before)
