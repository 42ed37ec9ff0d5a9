"""Processes that share a batch make the step that one process makes."""

import copy
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from sharing import batch, here, network, there

from minires import Tensor, models, nn, ops, optim
from minires.errors import DTypeError, GraphError, ProcessError
from minires.parallel import Replicas, gradients
from minires.parallel import replicas as replicas_module
from minires.parallel.channel import Channel
from minires.parallel.process import Worker, check_workers

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux only")


def train(n, sizes, dtype=np.float64):
    """Losses, counts and everything that a few steps have changed."""
    model = network(dtype)
    optimizer = optim.SGD(model.parameters(), 0.1, momentum=0.9)
    said = []
    with Replicas(model, n) as replicas:
        for i, N in enumerate(sizes):
            said.append(replicas.gradients(*batch(N, dtype, seed=i)))
            optimizer.step()
    return said, {**model.state_dict(), **optimizer.state_dict()}


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("sizes", [(6, 6), (7, 5, 8), (3, 1, 2)], ids=["even", "uneven", "fewer images than processes"])
def test_several_processes_make_the_steps_of_one(n, sizes):
    alone = train(1, sizes)
    together = train(n, sizes)
    for (loss, correct), (expected, expected_correct) in zip(together[0], alone[0], strict=True):
        assert loss == pytest.approx(expected, rel=1e-12)
        assert correct == expected_correct
    assert together[1].keys() == alone[1].keys()
    for name, array in together[1].items():
        np.testing.assert_allclose(array, alone[1][name], rtol=1e-10, atol=1e-12, err_msg=name)


def test_an_image_that_six_processes_have_is_counted_once():
    """Each brings a sixth, and six of these floats are a little less than 1."""
    model = network()
    images = batch(1)[0]
    labels = model.train()(Tensor(images)).data.argmax(axis=1)
    with Replicas(model, 6) as replicas:
        assert replicas.gradients(images, labels)[1] == 1


@pytest.mark.parametrize("N", [6, 5, 1])
def test_processes_share_the_mean_and_variance_that_a_scatter_matrix_gives(N):
    rng = np.random.default_rng(0)
    images = 3 + rng.standard_normal((N, 3, 24, 24)).astype(np.float32)
    labels = rng.integers(0, 10, N)
    images += np.arange(N, dtype=np.float32).reshape(-1, 1, 1, 1)  # each process has images of its own kind

    class Network(nn.Module):
        def __init__(self):
            rng = np.random.default_rng(0)
            self.first = nn.Conv2d(3, 16, 1, bias=False, rng=rng)
            self.norm = nn.BatchNorm2d(16)
            self.fc = nn.Linear(16, 10, rng=rng)

        def forward(self, x):
            x = nn.chain(x, self.first, self.norm, ops.relu)
            assert x.node.name == "conv_norm"
            return self.fc(ops.flatten(ops.adaptive_avg_pool2d(x), start_dim=1))

    found = []
    for n in (1, 2):
        model = Network()
        with Replicas(model, n) as replicas:
            loss, correct = replicas.gradients(images, labels)
            found.append(
                [np.array(loss), np.array(correct), *(p.grad for p in model.parameters()), *model.state_dict().values()]
            )
    for alone, together in zip(*found, strict=True):
        np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-5 * np.abs(alone).max())


def test_the_same_number_of_processes_gives_the_same_bits():
    first, second = (train(2, (6, 5), np.float32) for _ in range(2))
    assert first[0] == second[0]
    for name, array in first[1].items():
        np.testing.assert_array_equal(array, second[1][name], err_msg=name)


def test_a_loss_that_is_not_finite_is_an_error_and_the_next_batch_is_none():
    model = network()
    images, labels = batch(4)
    with Replicas(model, 2) as replicas:
        expected = replicas.gradients(images, labels)
        broken = images.copy()
        broken[3] = np.nan  # an image of the other process
        pid = replicas.workers[0].process.pid
        with pytest.raises(GraphError, match="the loss is nan"):
            replicas.gradients(broken, labels)
        assert all(p.grad is None for p in model.parameters())
        assert replicas.gradients(images, labels) == expected
        assert replicas.workers[0].process.pid == pid


def test_a_process_that_is_killed_is_named_and_replaced():
    model = network()
    images, labels = batch(4)
    with Replicas(model, 2) as replicas:
        expected = replicas.gradients(images, labels)
        remove = model.bn1.register_forward_hook(here(lambda: os.kill(replicas.workers[0].process.pid, signal.SIGKILL)))
        with pytest.raises(
            ProcessError, match="minires replica 1 was ended by SIGKILL, as Linux does when memory runs out"
        ):
            replicas.gradients(images, labels)
        assert not multiprocessing.active_children()
        remove()
        assert replicas.gradients(images, labels) == expected


def test_an_error_in_another_process_is_shown_here():
    model = network()

    def fail():
        raise ZeroDivisionError("not today")

    model.bn1.register_forward_hook(there(fail))
    with Replicas(model, 2) as replicas, pytest.raises(ZeroDivisionError, match="not today") as raised:
        replicas.gradients(*batch(4))
    assert "minires replica 1 failed:\nTraceback" in str(raised.value.__cause__)


@pytest.mark.parametrize("labels", [[0, 1, 2, 99], [99, 1, 2, 3]], ids=["there", "here"])
def test_a_wrong_label_is_the_error_that_it_is_in_one_process(labels, capfd):
    with Replicas(network(), 2) as replicas:
        with pytest.raises(IndexError, match="target 99 is no class of 0 … 9"):
            replicas.gradients(batch(4)[0], np.array(labels))
        assert replicas.gradients(*batch(4))[0] > 0
    assert capfd.readouterr().err == ""


def test_parameters_that_were_replaced_are_seen_by_all():
    model = network()
    images, labels = batch(4)
    with Replicas(model, 2) as replicas:
        replicas.gradients(images, labels)
        model.linear.weight.data = np.zeros_like(model.linear.weight.data)
        model.linear.bias.data = np.zeros_like(model.linear.bias.data)
        loss, _ = replicas.gradients(images, labels)
        assert loss == pytest.approx(np.log(10), rel=1e-12)


def test_layers_that_were_frozen_are_seen_by_all():
    model = network()
    twin = network()
    images, labels = batch(4)
    with Replicas(model, 2) as replicas:
        for each in (model, twin):
            each.bn1.eval()
        Replicas(twin, 1).gradients(images, labels)
        replicas.gradients(images, labels)
        for each in (model, twin):
            each.train()
            each.bn1.eval()
        loss, _ = replicas.gradients(images, labels)
        assert loss == pytest.approx(Replicas(twin, 1).gradients(images, labels)[0], rel=1e-12)
        model.bn1.train()
        twin.bn1.train()
        loss, _ = replicas.gradients(images, labels)
        assert loss == pytest.approx(Replicas(twin, 1).gradients(images, labels)[0], rel=1e-12)


class Branching(nn.Module):
    """A network in which only bright images pass the second layer, and they pass it twice."""

    def __init__(self):
        self.first = nn.Linear(4, 4, rng=0)
        self.second = nn.Linear(4, 4, rng=1)

    def forward(self, x):
        y = self.first(x.reshape(len(x), 4))
        return self.second(self.second(y)) if x.data.mean() > 0 else y


@pytest.mark.parametrize("bright", [(True, True), (False, True), (True, False), (False, False)])
def test_what_one_part_of_a_batch_alone_takes_has_its_gradient(bright):
    model = Branching().to(np.float64)
    labels = np.array([0, 1, 2, 3])
    noise = np.random.default_rng(0).random((4, 1, 2, 2))
    images = noise * np.repeat([1 if b else -1 for b in bright], 2).reshape(4, 1, 1, 1)
    with Replicas(model, 2) as replicas:
        replicas.gradients(noise, labels)  # all layers have gradients now, which the next batch is to forget
        replicas.gradients(images, labels)
        gradients = {name: p.grad for name, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = None
    for part in (slice(0, 2), slice(2, 4)):
        (ops.cross_entropy(model(Tensor(images[part])), labels[part]) * 0.5).backward()
    for name, p in model.named_parameters():
        if p.grad is None:
            assert gradients[name] is None
        else:
            np.testing.assert_allclose(gradients[name], p.grad, rtol=1e-12, err_msg=name)


def test_several_processes_predict_what_one_does_between_steps_of_training():
    model = network()
    twin = network()
    with Replicas(model, 3) as together, Replicas(twin, 1) as alone:
        for i, N in enumerate((6, 1, 7, 3)):  # fewer images than processes, too
            for replicas in (together, alone):
                replicas.gradients(*batch(6, seed=i))
                for p in replicas.parameters:
                    p.data -= 0.1 * p.grad
            images, _ = batch(N, seed=10 + i)
            expected = twin.eval()(Tensor(images)).data
            np.testing.assert_allclose(together.predict(images), expected, rtol=1e-10)
            np.testing.assert_array_equal(alone.predict(images), expected)
            twin.train()
            np.testing.assert_allclose(model.bn1.running_var, twin.bn1.running_var, rtol=1e-10)


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-12)])
@pytest.mark.parametrize("how", ["as made", "taken away", "as a function"])
def test_a_norm_without_running_statistics_predicts_with_those_of_the_whole_batch(how, dtype, rtol):
    """Their values by definition: (x − μ)/√(σ² + ε), μ and σ² over all images."""

    class Norm(nn.Module):
        def forward(self, x):
            return ops.batch_norm(x, Tensor(np.ones(3, dtype)), Tensor(np.zeros(3, dtype)), training=True)

    norm = Norm() if how == "as a function" else nn.BatchNorm2d(3, track_running_stats=how == "taken away")
    if how == "taken away":
        norm.running_mean = norm.running_var = None
    model = nn.Sequential(norm).to(dtype).eval()
    images = batch(7, dtype)[0] * np.arange(1, 8).reshape(7, 1, 1, 1).astype(dtype)
    x = images.astype(np.float64)
    expected = (x - x.mean((0, 2, 3), keepdims=True)) / np.sqrt(x.var((0, 2, 3), keepdims=True) + 1e-5)
    with Replicas(model, 3) as replicas:
        for _ in range(2):
            np.testing.assert_allclose(replicas.predict(images), expected, rtol=rtol, atol=rtol)


def test_a_result_that_arrives_while_others_are_checked_is_kept():
    ours, theirs = Channel.pair()
    other = Worker(SimpleNamespace(is_alive=lambda: True, pid=os.getpid()), ours, None)
    theirs.send(np.arange(3), lambda: None)
    for _ in range(2):
        check_workers([other])
    np.testing.assert_array_equal(other.receive(), [0, 1, 2])
    ours.close()
    theirs.close()


def test_processes_that_come_to_different_norms_while_they_predict_are_told():
    class Norm(nn.Module):
        def __init__(self):
            super().__init__()
            self.bn = nn.BatchNorm2d(3, track_running_stats=False)

        def forward(self, x):
            return self.bn(x) if x.data[0, 0, 0, 0] > 0 else x

    images = np.ones((4, 3, 8, 8))
    for images[0], images[2] in ((1, -1), (-1, 1)):
        with Replicas(Norm().to(np.float64), 2) as replicas, pytest.raises(GraphError, match="with its predictions"):
            replicas.predict(images)


def test_predicting_leaves_modes_and_gradients_as_they_are():
    model = network()
    model.bn1.eval()
    with Replicas(model, 2) as replicas:
        replicas.gradients(*batch(4))
        before = model.linear.weight.grad.copy()
        replicas.predict(batch(4)[0])
        assert [module is not model.bn1 for module in model.modules()] == [m.training for m in model.modules()]
        np.testing.assert_array_equal(model.linear.weight.grad, before)


def test_a_state_that_is_loaded_is_seen_by_all():
    """Running statistics and frozen weights, too, which no step of training changes for the others."""
    model = network()
    other = models.create("resnet8", rng=1).to(np.float64)
    model.conv1.requires_grad_(False)
    images, labels = batch(4)
    other.bn1.running_var += 2
    with Replicas(model, 2) as replicas:
        replicas.gradients(images, labels)
        model.load_state_dict(other.state_dict())
        np.testing.assert_allclose(replicas.predict(images), other.eval()(Tensor(images)).data, rtol=1e-10)
        other.train()
        assert replicas.gradients(images, labels)[0] == pytest.approx(
            Replicas(other, 1).gradients(images, labels)[0], rel=1e-12
        )
        assert model.conv1.weight.grad is None


def test_a_process_that_is_killed_while_predicting_is_named_and_replaced():
    model = network()
    images = batch(4)[0]
    with Replicas(model, 3) as replicas:
        expected = replicas.predict(images)

        def kill():
            os.kill(replicas.workers[1].process.pid, signal.SIGKILL)

        removers = [
            model.bn1.register_forward_hook(here(kill)),
            model.bn1.register_forward_hook(there(lambda: time.sleep(0.2), rank=2)),
        ]
        with pytest.raises(ProcessError, match="minires replica 2 was ended by SIGKILL"):
            replicas.predict(images)
        for remove in removers:
            remove()
        np.testing.assert_array_equal(replicas.predict(images), expected)


@pytest.mark.parametrize("do", [copy.copy, copy.deepcopy, pickle.dumps], ids=["copy", "deepcopy", "pickle"])
@pytest.mark.parametrize("n", [1, 2])
def test_processes_are_not_copied_and_the_network_is_meanwhile(do, n):
    model = network()
    images = batch(4)[0]
    with Replicas(model, n) as replicas:
        expected = replicas.predict(images)
        with pytest.raises(DTypeError, match="cannot be copied or pickled; copy the network"):
            do(replicas)
        with Replicas(copy.deepcopy(model), n) as others:
            np.testing.assert_array_equal(others.predict(images), expected)
        np.testing.assert_array_equal(replicas.predict(images), expected)


def test_no_process_is_left_behind():
    with Replicas(network(), 3) as replicas:
        replicas.gradients(*batch(6))
        assert len(multiprocessing.active_children()) == 2
    assert not multiprocessing.active_children()
    replicas = Replicas(network(), 2)
    replicas.gradients(*batch(4))
    del replicas
    assert not multiprocessing.active_children()


def test_replicas_need_no_closing():
    code = (
        "import os, sys\nsys.path.insert(0, os.path.dirname(sys.argv[1]))\n"
        "from test_replicas import Replicas, batch, network\n"
        "replicas = Replicas(network(), 2)\nreplicas.gradients(*batch(4))\nprint('done')"
    )
    found = subprocess.run([sys.executable, "-c", code, __file__], capture_output=True, text=True, timeout=60)
    assert (found.stdout, found.stderr, found.returncode) == ("done\n", "", 0)


def test_each_process_adds_up_about_as_many_numbers():
    sizes = [9408, 4096, 36864, 16384, 1, 64, 2359296, 1048576, 2048000, 1000]
    owners = gradients._owners(sizes, 2)
    loads = [sum(size for size, owner in zip(sizes, owners, strict=True) if owner == rank) for rank in range(2)]
    assert sum(loads) == sum(sizes)
    assert max(loads) - min(loads) <= max(sizes)
    assert gradients._owners([5] * 6, 3) == [0, 1, 2, 0, 1, 2]


def test_pages_are_joined_once_for_each_kind_of_work_after_a_fork(monkeypatch):
    calls = []
    monkeypatch.setattr(replicas_module, "join_pages", lambda: calls.append(os.getpid()))
    images, labels = batch(4)
    with Replicas(network(), 2) as replicas:
        for expected in (1, 1):
            replicas.gradients(images, labels)
            assert calls == [os.getpid()] * expected
        for expected in (2, 2):
            replicas.predict(images)
            assert calls == [os.getpid()] * expected
        replicas.close()
        replicas.gradients(images, labels)
        assert len(calls) == 3
