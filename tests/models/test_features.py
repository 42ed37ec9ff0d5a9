"""A network as a backbone: its maps, their gradients, and a pyramid on top."""

import numpy as np
import pytest

from minires import kernels, models, ops
from minires.errors import OptionError, ShapeError
from minires.gradcheck import check_module
from minires.models.features import FeaturePyramidNetwork, enlarged, features
from minires.nn import Module

STAGES = ["layer1", "layer2", "layer3", "layer4"]


def test_a_resnet_gives_the_maps_of_its_stages():
    model = models.resnet18(rng=0).eval()
    x = np.random.default_rng(0).standard_normal((1, 3, 64, 96), dtype=np.float32)
    maps = features(model, STAGES)(x)
    assert [maps[name].shape for name in STAGES] == [(1, 64, 16, 24), (1, 128, 8, 12), (1, 256, 4, 6), (1, 512, 2, 3)]
    pooled = ops.adaptive_avg_pool2d(maps["layer4"], output_size=1)
    logits = model.fc(ops.flatten(pooled, start_dim=1)).data
    np.testing.assert_allclose(logits, model(x).data, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "layer", "size"),
    [
        ("mobilenet_v2", "features.3", 64),
        ("densenet_bc100", "features.denseblock2", 32),
        ("efficientnet_b0", "features.2", 64),
        ("vgg11_bn", "features.10", 32),
        ("vit_tiny_cifar", "encoder.layers.encoder_layer_2", 32),
        ("se_resnet20", "layer2", 32),
        ("preact_resnet20", "layer2.1", 32),
    ],
)
def test_any_network_gives_any_of_its_modules(name, layer, size):
    with kernels.shapes_only():
        model = models.create(name).eval()
        x = np.broadcast_to(np.float32(0), (1, 3, size, size))
        assert features(model, [layer])(x)[layer].shape[0] == 1


def test_nothing_behind_the_last_map_is_computed_and_no_hook_stays():
    model = models.resnet8(rng=0)
    called = []

    class Watched(Module):
        def forward(self, x):
            called.append(x.shape)
            return x

    model.layer3 = Watched()
    part = features(model, ["layer1", "layer2"])
    x = np.zeros((2, 3, 16, 16), np.float32)
    assert set(part(x)) == {"layer1", "layer2"}
    assert not called
    assert not any(module._hooks for module in model.modules())


def test_gradients_flow_into_the_body_and_not_behind():
    model = models.resnet8(rng=0)
    maps = features(model, ["layer2"])(np.random.default_rng(0).standard_normal((2, 3, 16, 16), dtype=np.float32))
    (maps["layer2"] * maps["layer2"]).sum().backward()
    assert np.abs(model.conv1.weight.grad).max() > 0
    assert model.layer3[0].conv1.weight.grad is None


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["layer9"], "ResNet has no module 'layer9'; did you mean layer"),
        (["layer1", "layer1"], "names must be different"),
        ([], "names must be different"),
        ("layer1", r"names must be a list, as in features\(model, \['layer1'\]\)"),
    ],
)
def test_wrong_names_are_refused(names, message):
    with pytest.raises(OptionError, match=message):
        features(models.resnet18(rng=0), names)


def test_an_enlarged_map_is_that_of_torch():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    for size in ((8, 10), (7, 9), (4, 5), (12, 5)):
        expected = torch.nn.functional.interpolate(torch.from_numpy(x), size, mode="nearest").numpy()
        np.testing.assert_array_equal(enlarged(x, size), expected)


def test_a_pyramid_equals_torchvision_s():
    torch = pytest.importorskip("torch")
    theirs = pytest.importorskip("torchvision.ops").FeaturePyramidNetwork([4, 6, 8], 5).double()
    ours = FeaturePyramidNetwork([4, 6, 8], 5, rng=0).to(np.float64)
    ours.load_state_dict(theirs.state_dict())
    rng = np.random.default_rng(0)
    maps = {name: rng.standard_normal((2, C, n, n + 1)) for name, C, n in (("a", 4, 8), ("b", 6, 4), ("c", 8, 2))}
    expected = theirs({name: torch.from_numpy(x) for name, x in maps.items()})
    for name, y in ours(maps).items():
        np.testing.assert_allclose(y.data, expected[name].detach().numpy(), atol=1e-12)


def test_a_pyramid_passes_the_gradient_check():
    class Pyramid(Module):
        def __init__(self):
            self.pyramid = FeaturePyramidNetwork([2, 3], 2, rng=0)

        def forward(self, x):
            fine = x[:, :2]
            coarse = ops.avg_pool2d(x, kernel_size=2)
            found = self.pyramid({"fine": fine, "coarse": coarse})
            return found["fine"].sum() + (found["coarse"] * found["coarse"]).sum()

    assert check_module(Pyramid(), np.random.default_rng(0).standard_normal((2, 3, 6, 4)))
    with pytest.raises(ShapeError, match="it is made for 2 maps, got 1"):
        FeaturePyramidNetwork([2, 3], 2, rng=0)({"a": np.zeros((1, 2, 4, 4), np.float32)})
