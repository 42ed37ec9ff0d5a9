"""Maps are those of PyTorch's hooks and of a plain loop, on the same weights."""

import numpy as np
import pytest

from minires import Tensor, models, nn
from minires.errors import OptionError
from minires.explain import grad_cam, last_map, occlusion, squares

IMAGE = np.random.default_rng(0).standard_normal((1, 3, 20, 24))


def network():
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2, padding=1, rng=0),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Conv2d(6, 5, 3, padding=1, rng=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(5, 4, rng=2),
    )


@pytest.mark.parametrize("layer", ["0", "3", "4"])
def test_grad_cam_is_that_of_pytorch_s_hooks(layer):
    torch = pytest.importorskip("torch")
    twin = torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, 3, stride=2, padding=1),
        torch.nn.BatchNorm2d(6),
        torch.nn.ReLU(),
        torch.nn.Conv2d(6, 5, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(5, 4),
    )
    model = network().double().eval().requires_grad_(False)
    twin.double().eval().load_state_dict({key: torch.tensor(value) for key, value in model.state_dict().items()})
    kept = {}
    module = dict(twin.named_modules())[layer]
    module.register_forward_hook(lambda module, inputs, output: kept.update(A=output))
    module.register_full_backward_hook(lambda module, inputs, outputs: kept.update(dA=outputs[0]))
    for target in range(4):
        twin.zero_grad()
        twin(torch.tensor(IMAGE, requires_grad=True))[0, target].backward()
        weighed = (kept["dA"].mean((2, 3), keepdim=True) * kept["A"]).sum(1)
        expected = torch.relu(weighed)[0].detach().numpy()
        found = grad_cam(model, IMAGE, target, layer)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
        assert found.shape == (10, 12)
    assert expected.any() or layer != "4"


def test_grad_cam_leaves_no_hook_and_the_gradients_that_were_there():
    model = network().double().eval()
    model(Tensor(IMAGE))[:, 0].sum().backward()
    before = [p.grad.copy() for p in model.parameters()]
    grad_cam(model, Tensor(IMAGE), 1, "3")
    assert not any(module._hooks for module in model.modules())
    for p, grad in zip(model.parameters(), before):
        np.testing.assert_array_equal(p.grad, grad)


def test_occlusion_is_what_a_plain_loop_measures():
    rng = np.random.default_rng(1)
    weights = rng.standard_normal((3, 9, 11))
    image = rng.integers(0, 256, (3, 9, 11)).astype(np.uint8)

    def predict(images):
        return np.array([[0.5, (weights * one).sum()] for one in images])

    told = []
    found = occlusion(predict, image, 1, 3, 2, told.append)
    assert found.shape == (4, 5)
    for i in range(4):
        for j in range(5):
            total = 0.0
            for c in range(3):
                for y in range(9):
                    for x in range(11):
                        hidden = 2 * i <= y < 2 * i + 3 and 2 * j <= x < 2 * j + 3
                        total += weights[c, y, x] * (128 if hidden else int(image[c, y, x]))
            assert found[i, j] == pytest.approx(total, rel=1e-12)
    assert sum(told) == 20


def test_squares_reach_both_edges():
    assert squares(224, 32, 16) == list(range(0, 193, 16))
    assert squares(10, 4, 4) == [0, 3, 6]
    assert squares(4, 4, 2) == [0]


@pytest.mark.parametrize(
    ("name", "layer"),
    [("resnet8", "layer3"), ("mobilenet_v2", "features"), ("preact_resnet20", "bn"), ("vit_tiny_cifar", None)],
)
def test_the_last_map_is_that_before_the_average(name, layer):
    model = models.create(name, rng=0)
    assert last_map(model, (1, 3, model.image_size, model.image_size)) == layer


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("nothing", "grad_cam: Sequential has no module 'nothing'"),
        ("", "grad_cam: Sequential has no module ''"),
        ("7", "grad_cam: 7 gives no map"),
    ],
)
def test_a_layer_without_a_map_is_refused(layer, message):
    with pytest.raises(OptionError, match=message):
        grad_cam(network().double().requires_grad_(False), IMAGE, 0, layer)
