"""Pre-activation networks: counted by hand, compared with a PyTorch twin, and with nothing after the add."""

import numpy as np
import pytest

from minires import Tensor, models, ops
from minires.errors import OptionError
from minires.models.blocks import Block, PreActBlock
from minires.nn import BatchNorm2d, count_parameters

COUNTS = {
    "preact_resnet20": 269_722,
    "preact_resnet32": 464_154,
    "preact_resnet44": 658_586,
    "preact_resnet56": 853_018,
    "preact_resnet110": 1_727_962,
}


def by_hand(depth, shortcut):
    """What the layers need one by one: k·k·i·o for a convolution, 2·c for a norm, 65·10 for the classifier."""
    n = (depth - 2) // 6
    first = 9 * 3 * 16
    stage1 = n * (2 * 16 + 9 * 16 * 16 + 2 * 16 + 9 * 16 * 16)
    widen2 = 2 * 16 + 9 * 16 * 32 + 2 * 32 + 9 * 32 * 32
    stage2 = widen2 + (n - 1) * (2 * 32 + 9 * 32 * 32 + 2 * 32 + 9 * 32 * 32)
    widen3 = 2 * 32 + 9 * 32 * 64 + 2 * 64 + 9 * 64 * 64
    stage3 = widen3 + (n - 1) * (2 * 64 + 9 * 64 * 64 + 2 * 64 + 9 * 64 * 64)
    projections = (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64) if shortcut == "B" else 0
    return first + stage1 + stage2 + stage3 + projections + 2 * 64 + 65 * 10


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("shortcut", ["A", "B", None])
def test_parameters_are_counted_exactly(name, shortcut):
    depth = int(name.removeprefix("preact_resnet"))
    expected = COUNTS[name] + (2752 if shortcut == "B" else 0)
    assert count_parameters(models.create(name, shortcut=shortcut)) == expected == by_hand(depth, shortcut)
    assert expected == count_parameters(models.create(f"resnet{depth}", shortcut=shortcut))


def test_convolutions_start_with_the_weights_of_the_resnet_of_the_same_seed():
    before, after = (models.create(name, rng=5).state_dict() for name in ("resnet20", "preact_resnet20"))
    shared = [key for key in after if "conv" in key or "linear" in key]
    assert len(shared) == 21
    for key in shared:
        np.testing.assert_array_equal(after[key], before[key])


def random_norms(model, rng):
    """γ ≠ 1, β ≠ 0, as in a trained network; γ well below 1, so that rounding does not grow from block to block."""
    for module in model.modules():
        if isinstance(module, BatchNorm2d):
            module.weight.data[...] = rng.uniform(0.2, 0.6, module.weight.shape)
            module.bias.data[...] = rng.normal(0, 0.1, module.bias.shape)


def make_twin(torch, depth, shortcut):
    """The network in PyTorch; without shortcuts each of its blocks adds 0 to the branch."""
    import torch_twins as twins

    class Nothing(torch.nn.Module):
        def forward(self, x):
            return 0

    theirs = twins.PreActCifarResNet(depth, shortcut or "A").double()
    for module in theirs.modules():
        if shortcut is None and isinstance(module, twins.PreActBlock):
            module.downsample = Nothing()
    return theirs


@pytest.mark.parametrize(("depth", "shortcut"), [(20, "A"), (20, "B"), (20, None), (56, "A")])
def test_logits_gradients_and_statistics_are_torchs(depth, shortcut):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what this test compares with")
    rng = np.random.default_rng(0)
    ours = models.create(f"preact_resnet{depth}", shortcut=shortcut, rng=0).to(np.float64)
    random_norms(ours, rng)
    theirs = make_twin(torch, depth, shortcut)
    assert set(ours.state_dict()) == set(theirs.state_dict())
    theirs.load_state_dict(
        {k: torch.tensor(np.ascontiguousarray(v).reshape(v.shape)) for k, v in ours.state_dict().items()}
    )
    images = rng.standard_normal((4, 3, 12, 16))
    labels = rng.integers(0, 10, 4)
    x = Tensor(images, requires_grad=True)
    t = torch.tensor(images, requires_grad=True)

    def close(found, expected, what):
        expected = expected.detach().numpy()
        assert np.abs(found - expected).max() <= 1e-9 * max(np.abs(expected).max(), 1e-3), what

    logits = ours(x)
    expected = theirs(t)
    close(logits.data, expected, "logits")
    ops.cross_entropy(logits, labels).backward()
    torch.nn.functional.cross_entropy(expected, torch.tensor(labels)).backward()
    close(x.grad, t.grad, "input gradient")
    gradients = dict(theirs.named_parameters())
    for key, p in ours.named_parameters():
        close(p.grad, gradients[key].grad, f"gradient of {key}")
    for key, value in theirs.state_dict().items():
        close(ours.state_dict()[key], value, key)
    ours.eval(), theirs.eval()
    close(ours(Tensor(images)).data, theirs(torch.tensor(images)), "logits in evaluation")


def test_nothing_follows_the_add_so_a_block_can_give_negative_numbers():
    block = PreActBlock(4, 4, rng=0)
    x = Tensor(np.random.default_rng(0).standard_normal((2, 4, 5, 6)).astype(np.float32))
    y = block(x).data
    f = block.branch(x).data
    np.testing.assert_array_equal(y, x.data + f)
    assert (y < 0).any()


@pytest.mark.parametrize("shortcut", ["A", "B"])
def test_the_shortcut_takes_the_blocks_input_itself(shortcut):
    block = PreActBlock(4, 8, stride=2, shortcut=shortcut, rng=0)
    taken = []
    block.downsample.register_forward_hook(lambda module, inputs, y: taken.append(inputs[0]))
    x = Tensor(np.random.default_rng(0).standard_normal((2, 4, 5, 6)).astype(np.float32))
    assert block(x).shape == (2, 8, 3, 3)
    assert taken == [x]


def test_a_plain_block_is_its_branch():
    block = PreActBlock(4, 8, stride=2, shortcut=None, rng=0)
    x = Tensor(np.random.default_rng(0).standard_normal((2, 4, 5, 6)).astype(np.float32))
    np.testing.assert_array_equal(block(x).data, block.branch(x).data)


def test_the_gradient_of_a_silent_network_comes_through_unchanged():
    """With all branches zero, ∂L/∂x of an identity block is ∂L/∂H to the bit: there is no mask."""
    model = models.preact_resnet20(rng=0, zero_init_residual=True)
    blocks = [m for m in model.modules() if isinstance(m, Block)]
    seen = []

    def keep(block, inputs, y):
        y.retain_grad()
        seen.append(y)

    for block in blocks:
        block.register_forward_hook(keep)
    x = Tensor(np.random.default_rng(0).standard_normal((4, 3, 8, 8)).astype(np.float32))
    ops.cross_entropy(model(x), np.array([0, 1, 2, 3])).backward()
    assert len(seen) == 9
    assert np.abs(seen[0].grad).max() > 0
    for a, b in ((0, 1), (1, 2), (3, 4), (4, 5), (6, 7), (7, 8)):  # within each stage
        np.testing.assert_array_equal(seen[a].grad, seen[b].grad)


def test_zero_init_residual_silences_the_last_convolution_and_leaves_it_able_to_learn():
    model = models.preact_resnet20(rng=0, zero_init_residual=True)
    zero = {name for name, p in model.named_parameters() if name.endswith("weight") and not p.data.any()}
    assert zero == {f"layer{stage}.{i}.conv2.weight" for stage in (1, 2, 3) for i in range(3)}
    x = Tensor(np.random.default_rng(0).standard_normal((4, 3, 8, 8)).astype(np.float32))
    ops.cross_entropy(model(x), np.array([0, 1, 2, 3])).backward()
    parameters = dict(model.named_parameters())
    assert all(np.abs(parameters[name].grad).max() > 0 for name in zero)


def test_only_depths_of_6n_plus_2_exist():
    from minires.models.resnet_cifar import PreActCifarResNet

    with pytest.raises(OptionError, match=r"6n \+ 2 layers .* got depth 21"):
        PreActCifarResNet(21)
