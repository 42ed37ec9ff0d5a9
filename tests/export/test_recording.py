import numpy as np
import pytest

from minires import Tensor, export
from minires.errors import GraphError, ShapeError
from minires.export.values import Batch
from tests.export.networks import SHAPE, Calls, family, images


def record(function):
    return export.record(Calls(function), SHAPE)


def test_a_recording_computes_the_logits_of_any_number_of_images():
    model, shape = family("vit_tiny_cifar")
    recording = export.record(model, shape)
    for N in (1, 5):
        x = images(shape, N)
        np.testing.assert_allclose(recording(x), model(Tensor(x)).data, atol=1e-5)


def test_sizes_that_grow_with_the_batch_are_marked():
    recording = record(lambda net, x: x.reshape(len(x) * 4, 30))
    assert recording.calls[0].settings["shape"] == (Batch(4), 30)
    assert recording.logits.shape == (Batch(4), 30)


def test_a_call_says_which_part_of_the_network_made_it():
    model, shape = family("resnet20")
    calls = {call.output.name: call for call in export.record(model, shape).calls}
    assert (calls["layer2.0.conv1"].where, calls["layer2.0.conv1"].block) == ("layer2.0.conv1", "layer2.0")
    assert (calls["linear"].op, calls["linear"].block) == ("linear", "")


def test_only_plain_ops_are_left():
    model, shape = family("resnet20")
    found = {call.op for call in export.record(model, shape).calls}
    assert found == {
        "conv2d",
        "batch_norm",
        "relu",
        "residual_add",
        "getitem",
        "pad",
        "adaptive_avg_pool2d",
        "flatten",
        "linear",
    }


def test_modes_hooks_and_statistics_are_left_as_they_were():
    model, shape = family("resnet20")
    model.train()
    model.layer1.eval()
    modes = [module.training for module in model.modules()]
    state = {name: array.copy() for name, array in model.state_dict().items()}
    export.record(model, shape)
    assert [module.training for module in model.modules()] == modes
    assert not any(module._hooks for module in model.modules())
    assert all(np.array_equal(array, state[name]) for name, array in model.state_dict().items())


def test_a_decision_that_depends_on_the_images_is_refused():
    with pytest.raises(GraphError, match="calls other ops on other images"):
        record(lambda net, x: x * 2 if len(x) == 2 else x + 1)


def test_a_decision_within_the_same_ops_is_refused():
    with pytest.raises(ShapeError, match="mul in the network depends on the number of images"):
        record(lambda net, x: x * (2.5 if len(x) == 2 else 7.5))


def test_an_array_that_is_computed_without_ops_is_refused():
    with pytest.raises(GraphError, match="computes the array 'constant' from the images without an op"):
        record(lambda net, x: x * (x.data > 0).astype(np.float32))


def test_a_change_in_place_is_refused():
    def forward(net, x):
        y = x * 2
        y.data[...] = np.sort(y.data)
        return y + 1

    with pytest.raises(GraphError, match="give other logits than it does, by "):
        record(forward)


def test_a_network_without_ops_is_refused():
    with pytest.raises(GraphError, match="must give one Tensor"):
        record(lambda net, x: x)


def test_a_size_that_is_no_multiple_of_the_batch_is_refused():
    with pytest.raises(ShapeError, match="getitem in the network depends on the number of images in a way"):
        record(lambda net, x: x[:, : len(x) + 1].sum((1, 2, 3)))
