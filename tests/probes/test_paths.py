"""The two ways of the gradient through each block add up, and each is what it is said to be."""

import math
from itertools import pairwise

import numpy as np
import pytest
from backends import GPUS, needs_gpu

from minires import Tensor, data, kernels, models, nn, ops
from minires.mode import no_grad
from minires.models import blocks
from minires.models.blocks import BasicBlock, Bottleneck
from minires.models.resnet import ResNet
from minires.op import op
from minires.probes import branch_by_jvp, gradient_norms, residual_paths


def cifar(name, **options):
    return lambda: models.create(name, in_channels=1, rng=0, **options)


def small(block, **options):
    return lambda: ResNet(block, (1, 1, 1, 1), in_channels=1, num_classes=10, rng=0, **options)


NETWORKS = {
    "resnet20": cifar("resnet20"),
    "resnet20 B": cifar("resnet20", shortcut="B"),
    "plain20": cifar("plain20"),
    "preact_resnet20": cifar("preact_resnet20"),
    "preact_resnet20 B": cifar("preact_resnet20", shortcut="B"),
    "preact_resnet20 plain": cifar("preact_resnet20", shortcut=None),
    "basic": small(BasicBlock),
    "bottleneck v1": small(Bottleneck, variant="v1"),
    "bottleneck v1.5": small(Bottleneck, variant="v1.5"),
    "resnet20 in evaluation": lambda: cifar("resnet20")().eval(),
}
RELU, NONE = "·(mask ⊙ g)", "·g"


@pytest.fixture(scope="module")
def digits():
    train, _ = data.load("digits")
    return next(iter(data.ArrayLoader(train.limit(16), 16)))


def norm(a):
    return float(np.linalg.norm(a.ravel()))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_parts_add_up_to_the_whole_networks_gradient_and_jvps_confirm_the_branch(name, digits):
    paths = residual_paths(NETWORKS[name](), *digits)
    assert len(paths) == (9 if "20" in name else 4)
    for i, path in enumerate(paths):
        assert path.rounding <= 1e-13
        assert branch_by_jvp(path, i) <= 1e-13
        assert path.x.dtype == path.m.dtype == path.branch_part.dtype == np.float64
        assert path.branch == pytest.approx(norm(path.branch_part), rel=1e-14)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_gradient_that_leaves_a_block_arrives_at_the_one_before(name, digits):
    paths = residual_paths(NETWORKS[name](), *digits)
    for before, after in pairwise(paths):
        assert after.total == before.upstream


@needs_gpu
@pytest.mark.parametrize("name", ["basic", "bottleneck v1.5"])
def test_on_a_gpu_the_parts_are_those_of_the_cpu(name, digits):
    there = residual_paths(NETWORKS[name]().to("cuda"), *map(GPUS[0].array, digits))
    for ours, path in zip(residual_paths(NETWORKS[name](), *digits), there, strict=True):
        assert path.rounding <= 1e-13
        assert (path.upstream, path.identity, path.branch, path.total, path.cosine) == pytest.approx(
            (ours.upstream, ours.identity, ours.branch, ours.total, ours.cosine), rel=1e-10
        )


def test_what_arrives_is_what_the_other_probe_measures(digits):
    model = models.resnet20(in_channels=1, rng=0)
    found = [path.upstream for path in residual_paths(model, *digits)]
    assert found == pytest.approx(gradient_norms(model, *digits), rel=1e-4)  # that one is in float32


@pytest.mark.parametrize(
    ("name", "plain", "changing", "after"),
    [
        ("resnet20", "(I + J_F)ᵀ", "(P + J_F)ᵀ", RELU),
        ("resnet20 B", "(I + J_F)ᵀ", "(W_s + J_F)ᵀ", RELU),
        ("plain20", "J_Fᵀ", "J_Fᵀ", RELU),
        ("preact_resnet20", "(I + J_F)ᵀ", "(P + J_F)ᵀ", NONE),
        ("preact_resnet20 B", "(I + J_F)ᵀ", "(W_s + J_F)ᵀ", NONE),
        ("preact_resnet20 plain", "J_Fᵀ", "J_Fᵀ", NONE),
    ],
)
def test_the_formula_says_what_stands_beside_the_branch_and_after_the_add(name, plain, changing, after, digits):
    paths = residual_paths(NETWORKS[name](), *digits)
    expected = {
        f"layer{stage}.{i}": (changing if (stage, i) in ((2, 0), (3, 0)) else plain) + after
        for stage in (1, 2, 3)
        for i in range(3)
    }
    assert {path.name: path.formula for path in paths} == expected
    assert [path.name for path in paths] == list(expected)


def test_every_bottleneck_of_one_a_stage_projects(digits):
    assert {p.formula for p in residual_paths(NETWORKS["bottleneck v1"](), *digits)} == {f"(W_s + J_F)ᵀ{RELU}"}


class Gate(nn.Module):
    """x·σ(w): a shortcut that is no projection  [He et al. 2016, Fig. 2c]."""

    def __init__(self):
        self.weight = nn.Parameter(np.zeros(1))

    def forward(self, x):
        return x * ops.sigmoid(self.weight)


@pytest.mark.parametrize(
    ("shortcut", "letter"),
    [
        (Gate, "J_S"),
        (lambda: lambda x: x * 0.5, "J_S"),
        (lambda: nn.Sequential(Gate()), "J_S"),
        (nn.Identity, "I"),
        (lambda: nn.Sequential(nn.Identity()), "I"),
        (lambda: nn.Conv2d(16, 16, 1, bias=False, rng=0), "W_s"),
        (lambda: nn.Sequential(nn.Conv2d(16, 16, 1, bias=False, rng=0), nn.BatchNorm2d(16)), "W_s"),
        (lambda: nn.Sequential(nn.Conv2d(16, 16, 1, bias=False, rng=0), nn.ReLU()), "J_S"),
    ],
)
def test_the_formula_is_that_of_a_shortcut_which_was_replaced(shortcut, letter, digits):
    model = NETWORKS["resnet20"]()
    model.layer1[1].downsample = shortcut()
    path = residual_paths(model, *digits)[1]
    assert (path.name, path.formula) == ("layer1.1", f"({letter} + J_F)ᵀ{RELU}")
    assert path.rounding <= 1e-13


def upstreams(model, images, labels):
    """(block output H, ∂L/∂H) of each block, in float64, by hooks of this test's own."""
    model = model.to(np.float64)
    seen = []

    def keep(block, inputs, y):
        y.retain_grad()
        seen.append(y)

    for stage in (model.layer1, model.layer2, model.layer3):
        for _, block in stage.named_children():
            block.register_forward_hook(keep)
    ops.cross_entropy(model(Tensor(images.astype(float))), labels).backward()
    return [(y.data, y.grad) for y in seen]


def test_through_a_pre_activation_identity_the_gradient_passes_to_the_bit(digits):
    paths = residual_paths(NETWORKS["preact_resnet20"](), *digits)
    same = [
        (path, g)
        for path, (_, g) in zip(paths, upstreams(NETWORKS["preact_resnet20"](), *digits))
        if "I +" in path.formula
    ]
    assert len(same) == 7
    for path, g in same:
        np.testing.assert_array_equal(path.identity_part, g)
        assert path.identity == path.upstream


def test_after_a_relu_only_what_the_mask_lets_through_passes(digits):
    paths = residual_paths(NETWORKS["resnet20"](), *digits)
    for path, (h, g) in zip(paths, upstreams(NETWORKS["resnet20"](), *digits)):
        np.testing.assert_array_equal(path.m, np.where(h > 0, g, 0))
        assert path.identity < path.upstream


def test_option_a_carries_the_gradient_of_its_middle_channels_to_every_other_pixel(digits):
    path = residual_paths(NETWORKS["resnet20"](), *digits)[3]
    expected = np.zeros(path.x.shape)
    expected[:, :, ::2, ::2] = path.m[:, 8:24]  # 16 channels among 32
    np.testing.assert_array_equal(path.identity_part, expected)


def test_the_cosine_is_that_of_the_two_parts(digits):
    for path in residual_paths(NETWORKS["resnet20"](), *digits):
        a = path.identity_part.ravel()
        b = path.branch_part.ravel()
        assert path.cosine == pytest.approx(a @ b / np.sqrt((a @ a) * (b @ b)), rel=1e-12)
        assert path.total**2 == pytest.approx(
            path.identity**2 + path.branch**2 + 2 * path.cosine * path.identity * path.branch, rel=1e-12
        )


def test_a_plain_block_has_a_branch_only(digits):
    for path in residual_paths(NETWORKS["plain20"](), *digits):
        assert path.identity is path.identity_part is path.cosine is None
        assert path.branch == path.total


@pytest.mark.parametrize("name", ["resnet20", "preact_resnet20"])
def test_where_the_branch_is_silent_all_of_the_gradient_comes_through_the_shortcut(name, digits):
    for path in residual_paths(cifar(name, zero_init_residual=True)(), *digits):
        assert path.branch == path.rounding == branch_by_jvp(path, 0) == 0
        assert path.cosine is None
        assert path.identity == path.total > 0


def test_a_plain_network_with_silent_branches_passes_nothing(digits):
    path = residual_paths(cifar("plain20", zero_init_residual=True)(), *digits)[0]
    assert (path.total, path.branch, path.rounding) == (0, 0, 0)


@pytest.mark.parametrize("training", [True, False])
def test_the_users_model_stays_as_it_was(training, digits):
    model = models.resnet20(in_channels=1, rng=0).train(training)
    ops.cross_entropy(model(Tensor(digits[0])), digits[1]).backward()
    state = {key: value.tobytes() for key, value in model.state_dict().items()}
    grads = {key: p.grad.tobytes() for key, p in model.named_parameters()}
    for path in residual_paths(model, *digits):
        branch_by_jvp(path, 0)
    assert {key: value.tobytes() for key, value in model.state_dict().items()} == state
    assert {key: p.grad.tobytes() for key, p in model.named_parameters()} == grads
    assert {p.dtype for p in model.parameters()} == {np.dtype(np.float32)}
    assert model.training is training
    assert not any(m._hooks for m in model.modules())


def test_a_frozen_network_has_paths_too(digits):
    frozen = models.resnet8(in_channels=1, rng=0).requires_grad_(False)
    for a, b in zip(residual_paths(frozen, *digits), residual_paths(models.resnet8(in_channels=1, rng=0), *digits)):
        assert (a.upstream, a.identity, a.branch) == (b.upstream, b.identity, b.branch)


def test_the_block_of_a_path_runs_where_nothing_is_recorded(digits):
    path = residual_paths(models.resnet8(in_channels=1, rng=0), *digits)[0]
    with no_grad():
        y = path.block(Tensor(path.x)).data
    np.testing.assert_array_equal((y > 0) & (path.m != 0), path.m != 0)


def plant_add(monkeypatch, factor):
    """Let the residual add hand on `factor` times ∂L/∂H to the branch."""

    @op
    def residual_add(x, f):
        return x + f, lambda dy: (dy, factor * dy)

    monkeypatch.setattr(blocks, "residual_add", residual_add)


@pytest.mark.parametrize("name", ["resnet20", "preact_resnet20", "bottleneck v1.5"])
def test_a_wrong_add_is_seen_by_rounding(name, monkeypatch, digits):
    plant_add(monkeypatch, 0.999)
    assert min(path.rounding for path in residual_paths(NETWORKS[name](), *digits)) > 1e-5


@pytest.mark.parametrize("name", ["resnet20", "plain20", "preact_resnet20"])
def test_a_wrong_convolution_is_seen_by_jvps_and_by_them_alone(name, monkeypatch, digits):
    right = kernels.conv_dx_dw

    def wrong(*inputs):
        dx, dw = right(*inputs)
        return 1.001 * dx, dw

    monkeypatch.setattr(kernels, "conv_dx_dw", wrong)
    paths = residual_paths(NETWORKS[name](), *digits)
    assert max(path.rounding for path in paths) <= 1e-13  # both sides have the same fault
    assert min(branch_by_jvp(path, 0) for path in paths) > 1e-5


def test_one_wrong_element_and_a_nan_are_seen_by_jvps(digits):
    path = residual_paths(NETWORKS["resnet20"](), *digits)[0]
    at = np.unravel_index(np.abs(path.branch_part).argmax(), path.x.shape)
    path.branch_part[at] *= 1.01
    assert branch_by_jvp(path, 0) > 1e-6
    path.branch_part[at] = np.nan
    assert branch_by_jvp(path, 0) == math.inf


def test_a_nan_in_the_backward_is_no_small_rounding(monkeypatch, digits):
    plant_add(monkeypatch, math.nan)
    assert max(path.rounding for path in residual_paths(NETWORKS["resnet20"](), *digits)) == math.inf
