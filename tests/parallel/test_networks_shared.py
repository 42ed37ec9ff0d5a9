"""Networks of every kind, and what may be done with one whose parameters lie in shared memory."""

import copy
import sys
import threading

import numpy as np
import pytest
from sharing import batch, here, network

from minires import Tensor, kernels, nn, ops, optim
from minires.errors import GraphError, ProcessError
from minires.parallel import Replicas

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux only")

vectors = np.random.default_rng(0).standard_normal((6, 4))
classes = np.array([0, 1, 2, 0, 1, 2])


class Tied(nn.Module):
    """One parameter under two names, one array under two parameters, and parameters without axes and without elements."""

    def __init__(self):
        self.first, self.second, self.third = (nn.Linear(4, 4, rng=i) for i in range(3))
        self.second.weight = self.first.weight
        self.third.weight.data = self.first.weight.data
        self.fc = nn.Linear(4, 3, rng=3)
        self.scale = nn.Parameter(np.array(1.5, np.float32))
        self.nothing = nn.Parameter(np.zeros((0, 4), np.float32))
        self.unused = nn.Parameter(np.ones(3, np.float32))

    def forward(self, x):
        x = ops.relu(self.second(ops.relu(self.third(ops.relu(self.first(x))))))
        return self.fc(x) * self.scale + ops.matmul(x, ops.permute(self.nothing, dims=(1, 0))).sum()


def tied(dtype):
    model = Tied().to(dtype)
    model.third.weight.data = model.first.weight.data
    return model


@pytest.mark.parametrize("n", [2, 3, 7])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_parameters_that_are_tied_scalar_empty_or_unused_learn_as_in_one_process(n, dtype):
    found = []
    for processes in (1, n):
        model = tied(dtype)
        optimizer = optim.SGD(model.parameters(), 0.1, momentum=0.9)
        with Replicas(model, processes) as replicas:
            for _ in range(3):
                said = replicas.gradients(vectors.astype(dtype), classes)
                optimizer.step()
                assert model.first.weight.data is model.third.weight.data
        assert model.first.weight.data is model.third.weight.data
        assert model.unused.grad is None
        assert model.scale.grad.shape == ()
        found.append([*said, *(p.data for p in model.parameters())])
    for alone, together in zip(*found, strict=True):
        np.testing.assert_allclose(together, alone, rtol=1e-9 if dtype == np.float64 else 1e-4, atol=1e-6)


class Plain(nn.Module):
    def forward(self, x):
        return x * 2.0


@pytest.mark.parametrize("n", [1, 2])
def test_a_network_with_nothing_to_learn_predicts_and_has_no_gradient(n):
    frozen = network()
    frozen.requires_grad_(False)
    for model, (images, labels) in ((Plain(), (vectors, classes)), (frozen, batch(6))):
        with Replicas(model, n) as replicas:
            with pytest.raises(GraphError, match="this tensor depends on nothing that requires a gradient"):
                replicas.gradients(images, labels)
            assert replicas.predict(images).shape[0] == 6


def test_a_network_in_shared_memory_is_copied_into_memory_of_its_own():
    model = network()
    (images, labels) = batch(4)
    with Replicas(model, 2) as replicas:
        replicas.gradients(images, labels)
        twin = copy.deepcopy(model)
        shallow = {name: copy.copy(a) for name, a in model.state_dict().items()}
        model.linear.weight.data += 1
        assert not np.array_equal(twin.linear.weight.data, model.linear.weight.data)
        assert not np.array_equal(shallow["linear.weight"], model.linear.weight.data)
        assert not np.shares_memory(twin.linear.weight.data, model.linear.weight.data)


def test_a_network_is_used_on_after_close():
    model = network()
    twin = network()
    optimizer = optim.SGD(model.parameters(), 0.1)
    with Replicas(model, 2) as replicas:
        before = model.linear.weight.data
        replicas.gradients(*batch(4))
        optimizer.step()
    assert not np.shares_memory(before, model.linear.weight.data)
    np.testing.assert_array_equal(before, model.linear.weight.data)
    optimizer.zero_grad()
    ops.cross_entropy(model(Tensor(batch(4)[0])), batch(4)[1]).backward()
    optimizer.step()
    others = optim.SGD(twin.parameters(), 0.1)
    for _ in range(2):
        Replicas(twin, 1).gradients(*batch(4))
        others.step()
    np.testing.assert_allclose(model.linear.weight.data, twin.linear.weight.data, rtol=1e-10)
    replicas.gradients(*batch(4))  # closed replicas start anew
    replicas.close()


def test_parameters_lie_in_memory_as_they_did_whether_shared_or_not():
    """A convolution's weights may lie in another order than their axes; its bits depend on that."""
    model = network()
    model.conv1.weight.data = np.ascontiguousarray(model.conv1.weight.data.transpose(2, 3, 1, 0)).transpose(3, 2, 0, 1)
    strides = {name: p.data.strides for name, p in model.named_parameters()}
    with Replicas(model, 2) as replicas:
        replicas.gradients(*batch(4))
        assert {name: p.data.strides for name, p in model.named_parameters()} == strides
    assert {name: p.data.strides for name, p in model.named_parameters()} == strides


def test_new_processes_find_the_weights_in_the_same_memory():
    """An optimizer may keep views of them, and a second copy of a large network may not fit."""
    model = network()
    with Replicas(model, 2) as replicas:
        before = [p.data for p in model.parameters()]
        for N in (4, 6):
            replicas.gradients(*batch(N))
            assert all(p.data is data for p, data in zip(model.parameters(), before, strict=True))


def test_a_parameter_that_was_given_another_array_keeps_it_after_close():
    model = network()
    with Replicas(model, 2):
        own = np.zeros_like(model.linear.bias.data)
        model.linear.bias.data = own
    assert model.linear.bias.data is own


def test_a_buffer_that_cannot_be_written_is_left_as_it_is():
    class Scaled(nn.Module):
        def __init__(self):
            self.fc = nn.Linear(4, 3, rng=0)
            self.register_buffer("scale", np.broadcast_to(np.float64(2.0), (3,)))
            self.register_buffer("absent", None)

        def forward(self, x):
            return self.fc(x) * Tensor(self.scale.copy())

    found = []
    for n in (1, 2):
        with Replicas(Scaled().to(np.float64), n) as replicas:
            replicas.model.scale = np.broadcast_to(np.float64(2.0), (3,))
            found.append([replicas.gradients(vectors, classes)[0] for _ in range(2)])
    assert found[1] == pytest.approx(found[0], rel=1e-12)


def test_as_many_images_as_processes_are_predicted_one_by_each():
    model = network()
    calls = []
    model.bn1.register_forward_hook(here(lambda: calls.append(None)))
    model.conv1.register_forward_hook(lambda module, inputs, y: calls.append(len(y)))
    with Replicas(model, 3) as replicas:
        assert replicas.predict(batch(3)[0]).shape == (3, 10)
        assert replicas.predict(batch(2)[0]).shape == (2, 10)
    assert calls == [1, None, 2, None]


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_running_mean_that_is_not_finite_gives_what_one_process_gives(value):
    model = nn.Sequential(nn.Conv2d(3, 4, 1, rng=0), nn.BatchNorm2d(4)).to(np.float64)
    model[1].running_mean[1] = value
    images = batch(6)[0]
    expected = model.eval()(Tensor(images)).data
    with Replicas(model, 3) as replicas:
        y = replicas.predict(images)
    np.testing.assert_allclose(y, expected, atol=1e-12)
    np.testing.assert_array_equal(y[:, 1], np.full((6, 8, 8), -value))


def test_two_replicas_of_one_network_take_turns():
    model = network()
    (images, labels) = batch(6)
    expected, _ = Replicas(network(), 1).gradients(images, labels)
    with Replicas(model, 2) as first, Replicas(model, 3) as second:
        for replicas in (first, second, first):
            assert replicas.gradients(images, labels)[0] == pytest.approx(expected, rel=1e-12)
    assert Replicas(model, 1).gradients(images, labels)[0] == pytest.approx(expected, rel=1e-12)


# Threads


def in_threads(*tasks):
    found = [None] * len(tasks)
    errors = []

    def call(i):
        try:
            found[i] = tasks[i]()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=call, args=(i,), daemon=True) for i in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    if errors:
        raise errors[0]
    return found


def losses(n, steps, kernel="fastest"):
    model = network()
    with kernels.use(kernel), Replicas(model, n) as replicas:
        optimizer = optim.SGD(model.parameters(), 0.05)
        found = []
        for seed in range(steps):
            found.append(replicas.gradients(*batch(6, seed=seed))[0])
            optimizer.step()
    return found


def test_replicas_and_other_networks_train_beside_each_other_in_threads():
    expected = {n: losses(n, 8) for n in (1, 2, 3)}
    for found, n in zip(in_threads(*(lambda n=n: losses(n, 8) for n in (2, 1, 3, 1))), (2, 1, 3, 1), strict=True):
        assert found == expected[n]


def test_replicas_compute_with_the_kernel_of_their_thread():
    images, labels = (a.astype(np.float32) if a.dtype == np.float64 else a for a in batch(6))

    def loss(kernel):
        model = network(np.float32)
        with kernels.use(kernel), Replicas(model, 2) as replicas:
            replicas.gradients(images, labels)
            return model.conv1.weight.grad.copy()

    expected = [loss("readable"), loss("fastest")]
    found = in_threads(lambda: loss("readable"), lambda: loss("fastest"))
    for dw, right in zip(found, expected, strict=True):
        np.testing.assert_array_equal(dw, right)


def test_replicas_are_handed_from_one_thread_to_another():
    replicas = Replicas(network(), 2)
    expected = in_threads(lambda: replicas.gradients(*batch(4)))
    for _ in range(2):
        assert in_threads(lambda: replicas.gradients(*batch(4))) == expected
    assert [replicas.gradients(*batch(4))] == expected
    replicas.close()


def test_replicas_that_are_closed_in_the_middle_of_a_batch_say_so():
    model = network()
    with Replicas(model, 2) as replicas:
        model.bn1.register_forward_hook(here(replicas.close))
        with pytest.raises(ProcessError, match="closed in the middle of a batch"):
            replicas.gradients(*batch(4))


def test_one_batch_at_a_time_is_carried():
    model = network()
    with Replicas(model, 2) as replicas:
        found = []

        def again():
            with pytest.raises(
                GraphError, match="compute another batch already, in another thread or around this call"
            ):
                in_threads(lambda: replicas.predict(batch(4)[0]))
            with pytest.raises(GraphError, match="compute another batch already"):
                replicas.predict(batch(4)[0])
            found.append(True)

        model.bn1.register_forward_hook(here(again))
        replicas.gradients(*batch(4))
        assert found == [True]
