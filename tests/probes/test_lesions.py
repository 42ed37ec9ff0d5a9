"""A lesion is what it is said to be, and leaves no trace."""

import copy

import numpy as np
import pytest

from minires import Tensor, data, models
from minires.errors import ShapeError
from minires.mode import no_grad
from minires.models.blocks import Block
from minires.probes import Lesions, kendall_tau


@pytest.fixture(scope="module")
def digits():
    train, _ = data.load("digits")
    return next(iter(data.ArrayLoader(train.limit(40), 40)))


def network(name="resnet20"):
    return models.create(name, in_channels=1, rng=0)


def outputs(model, images):
    with no_grad():
        return model.eval()(Tensor(images)).data


def zero_branch(block):
    block.last.weight.data[:] = 0


@pytest.mark.parametrize("name", ["resnet20", "preact_resnet20"])
@pytest.mark.parametrize("shortcut", ["A", "B"])
@pytest.mark.parametrize("i", [1, 3])
def test_a_deleted_block_is_one_whose_branch_gives_zero(name, shortcut, i, digits):
    model = models.create(name, in_channels=1, shortcut=shortcut, rng=0)
    model.train()(Tensor(digits[0]))
    zeroed = copy.deepcopy(model)
    zero_branch([m for m in zeroed.modules() if isinstance(m, Block)][i])
    [m for m in model.modules() if isinstance(m, Block)][i].active = False
    assert np.array_equal(outputs(model, digits[0]), outputs(zeroed, digits[0]))


def test_a_deleted_plain_block_hands_its_input_on():
    x = Tensor(np.abs(np.random.default_rng(0).standard_normal((2, 16, 4, 4), dtype=np.float32)))
    block = network("plain20").layer1[1]
    block.active = False
    assert np.array_equal(block(x).data, x.data)


def test_a_plain_block_that_changes_the_shape_cannot_be_deleted(digits):
    lesions = Lesions(network("plain20"), *digits)
    assert lesions.deletable == lesions.alike == [0, 1, 2, 4, 5, 7, 8]
    assert Lesions(network(), *digits).deletable == list(range(9))
    with pytest.raises(ShapeError):
        lesions.error(deleted=(3,))
    assert lesions.blocks[3].active  # switched on again after the error


def test_error_counts_the_wrong_images(digits):
    images, labels = digits
    model = network()
    predicted = outputs(model, images).argmax(axis=1)
    assert Lesions(model, images, labels).error() == pytest.approx(100 * np.mean(predicted != labels))
    assert Lesions(model, images, predicted).error() == 0


def test_a_lesion_leaves_no_trace(digits):
    images, _ = digits
    model = network()
    before = outputs(model, images)
    model.train()
    lesions = Lesions(model, images, before.argmax(axis=1))
    state = {name: array.copy() for name, array in model.state_dict().items()}
    assert lesions.error(deleted=(0, 4)) > 0
    assert lesions.error(order=[2, 1, 0, 3, 5, 4, 6, 7, 8]) > 0
    assert lesions.error() == 0
    assert model.training
    assert all(np.array_equal(array, state[name]) for name, array in model.state_dict().items())
    assert list(model.state_dict()) == list(state)


def test_blocks_are_deleted_one_after_another(digits):
    lesions = Lesions(network(), digits[0], outputs(network(), digits[0]).argmax(axis=1))
    errors = lesions.errors_without((4, 0))
    assert errors == [0, lesions.error(deleted=(4,)), lesions.error(deleted=(0, 4))]
    assert errors[2] > 0


def test_swapped_blocks_are_computed_in_the_other_order(digits):
    model = network()
    other = network()
    for a, b in (("layer1.0", "layer1.2"), ("layer1.2", "layer1.0")):
        other.get_submodule(a).load_state_dict(model.get_submodule(b).state_dict())
    lesions = Lesions(model, digits[0], outputs(other, digits[0]).argmax(axis=1))
    assert lesions.error(order=[2, 1, 0, 3, 4, 5, 6, 7, 8]) == 0


def test_shuffles_stay_within_a_stage_and_a_shape(digits):
    lesions = Lesions(network(), *digits)
    assert lesions.swappable == [[0, 1, 2], [4, 5], [7, 8]]
    rng = np.random.default_rng(0)
    for _ in range(20):
        order = lesions.shuffled(3, rng)
        assert sorted(order[:3]) == [0, 1, 2]
        assert (order[3], order[6]) == (3, 6)
        assert sorted(order[4:6]) == [4, 5]
    assert len({tuple(lesions.shuffled(1, rng)) for _ in range(50)}) == 5  # each pair of a group can be drawn
    assert lesions.shuffled(0, rng) == list(range(9))
    assert Lesions(network("resnet8"), *digits).shuffled(5, rng) == [0, 1, 2]  # nothing to swap


def test_swaps_do_not_undo_each_other(digits):
    """Of two swaps that are drawn independently, one in five undoes the other in this network."""
    lesions = Lesions(network(), *digits)
    rng = np.random.default_rng(0)
    assert all(lesions.shuffled(2, rng) != list(range(9)) for _ in range(100))


def test_kendall_tau():
    assert kendall_tau([0, 1, 2, 3]) == 1
    assert kendall_tau([3, 2, 1, 0]) == -1
    assert kendall_tau([1, 0, 2]) == pytest.approx(1 / 3)
    assert kendall_tau([0]) == 1
