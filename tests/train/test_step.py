"""One step, the sums of an epoch, and the evaluation, against PyTorch and values computed by hand."""

import math

import numpy as np
import pytest

from minires import nn, optim
from minires.errors import GraphError
from minires.train import evaluate, train_step
from minires.train.step import EpochTotals


class Batches:
    """A loader of these batches; the network returns its input, so the images are the logits."""

    def __init__(self, *batches):
        self.batches = batches

    def epoch(self, number):
        return iter(self.batches)


def test_two_steps_are_those_of_torch():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6, 4))
    labels = np.array([0, 1, 2, 0, 1, 2])
    ours = nn.Linear(4, 3, rng=0).to(np.float64)
    theirs = torch.nn.Linear(4, 3).double()
    theirs.load_state_dict({name: torch.tensor(array) for name, array in ours.state_dict().items()})
    mine = optim.SGD(ours.parameters(), 0.5, momentum=0.9)
    others = torch.optim.SGD(theirs.parameters(), 0.5, momentum=0.9)
    for _ in range(2):
        loss, correct = train_step(ours, mine, x, labels)
        logits = theirs(torch.tensor(x))
        expected = torch.nn.functional.cross_entropy(logits, torch.tensor(labels))
        others.zero_grad()
        expected.backward()
        others.step()
        assert loss == pytest.approx(expected.item(), rel=1e-12)
        assert correct == (logits.argmax(dim=1) == torch.tensor(labels)).sum().item()
    np.testing.assert_allclose(ours.weight.data, theirs.weight.detach().numpy(), rtol=1e-12)


def test_a_loss_that_is_not_finite_changes_nothing():
    model = nn.Linear(4, 3, rng=0)
    before = model.weight.data.copy()
    model.weight.grad = np.ones_like(before)
    with pytest.raises(GraphError, match="the loss is nan"):
        train_step(model, optim.SGD(model.parameters(), 0.5), np.full((2, 4), np.nan, np.float32), np.array([0, 1]))
    np.testing.assert_array_equal(model.weight.data, before)
    np.testing.assert_array_equal(model.weight.grad, 1)


def test_totals_weigh_each_step_by_its_images():
    totals = EpochTotals()
    totals.add(2.0, 3, 4)
    totals.add(1.0, 1, 2)
    assert totals.read() == {"loss": 10.0, "correct": 4, "seen": 6, "seconds": 0.0}
    again = EpochTotals(**totals.read())
    again.add(0.5, 2, 2)
    assert again.read() == {"loss": 11.0, "correct": 6, "seen": 8, "seconds": 0.0}
    again.add(math.nan, 0, 2)
    with pytest.raises(GraphError, match="the loss is nan"):
        again.read()


def test_an_evaluation_weighs_each_image_alike_and_leaves_the_mode():
    """Logits (0, 0) lose log 2 wherever the label is; (log 3, 0) lose log 4/3 with label 0 and log 4 with label 1."""
    logits = np.array([[0, 0], [math.log(3), 0], [math.log(3), 0]])
    model = nn.Identity()
    batches = Batches((logits[:2], np.array([0, 0])), (logits[2:], np.array([1])))
    for training in (True, False):
        model.train(training)
        loss, accuracy = evaluate(model, batches)
        assert loss == pytest.approx((math.log(2) + math.log(4 / 3) + math.log(4)) / 3, rel=1e-12)
        assert accuracy == pytest.approx(2 / 3)
        assert model.training is training


def test_an_evaluation_that_is_to_stop_has_no_numbers():
    asked = []
    batches = Batches(*[(np.zeros((1, 2)), np.array([0]))] * 3)
    assert evaluate(nn.Identity(), batches, stop=lambda: asked.append(None) or len(asked) > 1) is None
    assert len(asked) == 2
