"""The networks that came before and after ResNet say on a GPU what they say here, forward and backward."""

import numpy as np
import pytest
from backends import GPUS, host

from minires import Tensor, models
from minires.arrays import channels_last

NETWORKS = {
    "VGG": lambda: models.VGG((1, 1, 1, 1, 1), batch_norm=True, channels=(4, 6, 8, 6, 5), hidden=7, rng=0),
    "ResNeXt": lambda: models.CifarResNeXt(11, groups=4, width_per_group=4, rng=0),
    "wide ResNet": lambda: models.CifarWideResNet(10, 1, rng=0),
    "SE-ResNet": lambda: models.SECifarResNet(8, rng=0),
    "pre-activation ResNet": lambda: models.PreActResNet(models.PreActBottleneck, (1, 1, 1, 1), rng=0),
}


@pytest.mark.parametrize("place", GPUS)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_says_on_a_gpu_what_it_says_here(name, place):
    x = channels_last(np.random.default_rng(0).standard_normal((2, 3, 33, 32)))

    def run(device, move):
        model = NETWORKS[name]().to(np.float64).eval().to(device)
        images = Tensor(move(x), requires_grad=True)
        y = model(images)
        (y * y).sum().backward()
        return [y.data, images.grad, *(p.grad for p in model.parameters())]

    for found, expected in zip(run(place.device, place.array), run("cpu", lambda array: array), strict=True):
        # sums in another order: a rounding, 1.1e-16, in each of some 40 layers, both ways
        assert np.abs(host(found) - expected).max() <= 1e-12 * max(np.abs(expected).max(), 1e-3)
