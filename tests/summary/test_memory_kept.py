"""The memory that a summary measures is what the process really takes."""

import gc
import tracemalloc

import numpy as np
import pytest

from minires import Tensor, kernels, models, nn, ops
from minires.errors import OptionError
from minires.summary import summary


@pytest.mark.parametrize(
    ("name", "batch"),
    [("resnet20", 16), ("mobilenet_v2", 2), ("se_resnet20", 16), ("densenet_bc100", 4), ("vit_tiny_cifar", 32)],
)
def test_it_is_what_a_forward_pass_takes_from_the_allocator(name, batch):
    model = models.create(name, rng=0)
    shape = (batch, 3, model.image_size, model.image_size)
    table = summary(model, shape, memory=True)
    x = Tensor(np.zeros(shape, np.float32))
    model(x)  # what is made once stays outside of the measurement
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        logits = model(x)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert logits.requires_grad
    # the rest is Python's objects: about 2 kB for the node, the function and the Tensor of each op
    assert 1 <= (after - before) / table.kept_bytes < 1.01


def test_parts_add_up_to_the_whole_and_images_to_a_batch():
    table = summary(models.resnet8(rng=0), (4, 3, 32, 32), memory=True)
    assert sum(row.kept_bytes for row in table.rows if row.depth == 1) == table.kept_bytes
    more = summary(models.resnet8(rng=0), (8, 3, 32, 32), memory=True)
    statistics = table.kept_bytes - (more.kept_bytes - table.kept_bytes)  # as many for any batch
    assert 0 < statistics < 10_000


def test_a_layer_keeps_its_input_or_its_output_once():
    """The first conv keeps the images, which do not count; relu keeps its y, which the second conv keeps, too."""
    net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, rng=0), nn.ReLU(), nn.Conv2d(2, 3, 3, rng=0))
    table = summary(net, (5, 1, 4, 4), memory=True)
    assert [(row.name, row.kept_bytes) for row in table.rows if row.depth == 1] == [
        ("0", 0),
        ("1", 5 * 2 * 16 * 4),
        ("2", 0),
    ]


def test_outputs_that_are_dropped_keep_nothing():
    class Dropping(nn.Module):
        def __init__(self):
            self.fc = nn.Linear(4, 4, rng=0)

        def forward(self, x):
            ops.exp(self.fc(x))
            return {"y": [self.fc(x)]}

    assert summary(Dropping(), (2, 4), memory=True).kept_bytes == 0


def test_measuring_leaves_no_trace():
    model = models.resnet8(rng=0).eval()
    before = [buffer.copy() for buffer in model.buffers()]
    summary(model, (2, 3, 8, 8), memory=True)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.buffers()))
    assert not any(module.training or module._hooks for module in model.modules())


def test_weights_without_values_are_refused():
    with kernels.shapes_only():
        model = models.resnet8()
    with pytest.raises(OptionError, match="make the network outside of shapes_only"):
        summary(model, (1, 3, 8, 8), memory=True)
