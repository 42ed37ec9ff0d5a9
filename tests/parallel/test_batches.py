"""Labels that count for nothing, inputs that are refused, hooks on gradients: as in one process."""

import copy
import re
import sys

import numpy as np
import pytest
from sharing import batch, network

from minires import Tensor, nn
from minires.errors import DTypeError, GraphError, MiniresError, OptionError, ShapeError
from minires.mode import no_grad
from minires.parallel import Replicas
from minires.parallel.gradients import ReduceScatter

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux only")

# An all-ignored mean is 0/0, of which NumPy warns.
nothing_to_divide = pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")


@pytest.mark.parametrize("ignored", [[0], [0, 1, 2], [3, 4, 5], [0, 2, 4], [1, 2, 3, 4, 5]], ids=str)
@pytest.mark.parametrize("n", [2, 3])
def test_labels_that_are_ignored_weigh_nothing(ignored, n):
    torch = pytest.importorskip("torch")
    model = network()
    images, labels = batch(6)
    labels[ignored] = -100
    model.train()
    logits = copy.deepcopy(model)(Tensor(images)).data
    there = torch.tensor(logits, requires_grad=True)
    torch.nn.functional.cross_entropy(there, torch.tensor(labels)).backward()
    with Replicas(model, n) as replicas:
        loss, correct = replicas.gradients(images, labels)
        bias = model.linear.bias.grad.copy()
    expected = torch.nn.functional.cross_entropy(torch.tensor(logits), torch.tensor(labels)).item()
    assert loss == pytest.approx(expected, rel=1e-12)
    assert correct == (logits.argmax(axis=1) == labels).sum()
    np.testing.assert_allclose(bias, there.grad.sum(axis=0).numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("N", [6, 1])
def test_ignored_labels_give_the_gradients_of_one_process(N):
    found = []
    for n in (1, 3):
        model = network()
        images, labels = batch(N)
        labels[2:5] = -100
        with Replicas(model, n) as replicas:
            found.append([*replicas.gradients(images, labels), *(p.grad.copy() for p in model.parameters())])
    for alone, together in zip(*found, strict=True):
        np.testing.assert_allclose(together, alone, rtol=1e-9, atol=1e-12)


@nothing_to_divide
def test_a_batch_whose_labels_are_all_ignored_has_no_loss_and_the_next_has():
    for n in (1, 2):
        model = network()
        images, labels = batch(4)
        with Replicas(model, n) as replicas:
            with pytest.raises(GraphError, match="the loss is nan"):
                replicas.gradients(images, np.full(4, -100))
            assert all(p.grad is None for p in model.parameters())
            assert replicas.gradients(images, labels)[0] > 0


def test_each_image_may_have_labels_for_its_places():
    class Dense(nn.Module):
        def __init__(self):
            self.conv = nn.Conv2d(3, 4, 1, rng=0)

        def forward(self, x):
            return self.conv(x)

    images = batch(5)[0]
    labels = np.random.default_rng(0).integers(0, 4, (5, 8, 8))
    labels[:3, :4] = -100
    found = []
    for n in (1, 2):
        model = Dense().to(np.float64)
        with Replicas(model, n) as replicas:
            found.append([*replicas.gradients(images, labels), *(p.grad.copy() for p in model.parameters())])
    for alone, together in zip(*found, strict=True):
        np.testing.assert_allclose(together, alone, rtol=1e-9, atol=1e-12)


REFUSED = {
    "too many labels": (lambda x, t: (x, np.append(t, 0)), ShapeError, r"\(4, 3, 8, 8\), labels \(N,\) are \(5,\)"),
    "too few labels": (lambda x, t: (x, t[:-1]), ShapeError, r"\(4, 3, 8, 8\), labels \(N,\) are \(3,\)"),
    "one label": (lambda x, t: (x, t[:1]), ShapeError, r"labels \(N,\) are \(1,\)"),
    "a label without an axis": (lambda x, t: (x, np.array(0)), ShapeError, r"labels \(N,\) are \(\)"),
    "labels of more axes": (lambda x, t: (x, t.reshape(4, 1)), ShapeError, "cross_entropy: logits"),
    "no images": (lambda x, t: (x[:0], t[:0]), ShapeError, "give at least one image, and a label for each"),
    "float labels": (lambda x, t: (x, t.astype(float)), DTypeError, "labels must be an array .* got float64"),
    "labels that are booleans": (lambda x, t: (x, t > 4), DTypeError, "labels must be an array .* got bool"),
    "one number an image": (lambda x, t: (x[:, 0, 0, 0], t), ShapeError, r"images \(N,C,H,W\) are \(4,\)"),
    "labels in a list": (lambda x, t: (x, t.tolist()), DTypeError, "labels must be an array .* got list"),
    "no labels": (lambda x, t: (x, None), DTypeError, "labels must be an array .* got NoneType"),
    "a label beyond the classes": (lambda x, t: (x, np.where(t == t[3], 99, t)), IndexError, "target 99 is no class"),
    "a label below the classes": (lambda x, t: (x, np.array([-1, 0, 1, 2])), IndexError, "target -1 is no class"),
    "images without channels": (lambda x, t: (x[:, 0], t), ShapeError, "conv2d"),
    "images in a row": (lambda x, t: (x.reshape(4, -1), t), ShapeError, "conv2d"),
    "one image": (lambda x, t: (x[0], t[:3]), ShapeError, "conv2d"),
    "a number": (lambda x, t: (1.0, t), ShapeError, r"images \(N,C,H,W\) are \(\)"),
    "too many channels": (lambda x, t: (np.concatenate([x, x], axis=1), t), ShapeError, "channels"),
    "another float type": (lambda x, t: (x.astype(np.float32), t), DTypeError, "mixes float32 and float64"),
    "integer images": (lambda x, t: (x.astype(np.int64), t), DTypeError, "int64"),
    "complex images": (lambda x, t: (x.astype(complex), t), DTypeError, "complex128"),
    "objects": (lambda x, t: (x.astype(object), t), DTypeError, "object"),
    "text": (lambda x, t: ("images", t), DTypeError, "a Tensor holds"),
    "nothing": (lambda x, t: (None, t), DTypeError, "a Tensor holds"),
    "images that are no numbers": (lambda x, t: (x * np.nan, t), GraphError, "the loss is nan"),
    "images without an end": (lambda x, t: (np.where(x > 1, np.inf, x), t), GraphError, "the loss is nan"),
}


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize(("change", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_what_one_process_refuses_several_refuse_alike(change, error, message):
    found = []
    for n in (1, 2):
        model = network()
        with Replicas(model, n) as replicas:
            expected = replicas.gradients(*batch(4))
            with pytest.raises(error, match=message) as raised:
                replicas.gradients(*change(*batch(4)))
            assert isinstance(raised.value, MiniresError | IndexError)
            found.append((raised.type, re.sub(r"\(\d+", "(N", str(raised.value))))  # a part has fewer images
            assert replicas.gradients(*batch(4)) == expected
    assert found[0] == found[1]


@pytest.mark.parametrize("images", [1.0, [1.0, 2.0, 3.0]], ids=str)
def test_what_one_process_refuses_to_predict_several_refuse_alike(images):
    for n in (1, 2):
        with Replicas(network(), n) as replicas:
            with pytest.raises(ShapeError, match=r"x must be \(N,C,H,W\)"):
                replicas.predict(np.array(images))
            assert not replicas.workers


def test_gradients_inside_no_grad_are_refused_alike():
    for n in (1, 2):
        model = network()
        with Replicas(model, n) as replicas:
            with no_grad(), pytest.raises(GraphError, match=r"call gradients\(\) outside of it"):
                replicas.gradients(*batch(4))
            replicas.gradients(*batch(4))


def test_lists_and_tensors_are_taken_as_one_process_takes_them():
    images, labels = batch(4, np.float32)
    found = []
    for n in (1, 2):
        model = network(np.float32)
        with Replicas(model, n) as replicas:
            found.append(
                [
                    replicas.gradients(images, labels)[0],
                    replicas.gradients(images.tolist(), labels)[0],
                    replicas.gradients(Tensor(images), Tensor(labels))[0],
                    replicas.gradients(images[::-1], labels[::-1].astype(np.uint8))[0],
                ]
            )
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5)


def test_vectors_are_shared_as_images_are():
    images = np.random.default_rng(0).standard_normal((5, 4))
    labels = np.array([0, 1, 2, 0, 1])
    found = []
    for n in (1, 2):
        model = nn.Sequential(nn.Linear(4, 6, rng=0), nn.ReLU(), nn.Linear(6, 3, rng=1)).to(np.float64)
        with Replicas(model, n) as replicas:
            found.append(
                [
                    *replicas.gradients(images, labels),
                    replicas.predict(images),
                    *(p.grad.copy() for p in model.parameters()),
                ]
            )
    for alone, together in zip(*found, strict=True):
        np.testing.assert_allclose(together, alone, rtol=1e-9, atol=1e-12)


def clipped(dw):
    return dw / max(1.0, 10 * float(np.sqrt((dw * dw).sum())))


@pytest.mark.parametrize("when", ["before", "between"])
def test_hooks_on_parameters_get_the_whole_gradient_once(when):
    found = []
    for n in (1, 3):
        model = network()
        calls = []

        def register(model=model, calls=calls):
            for name, p in model.named_parameters():
                p.register_hook(clipped)
                p.register_hook(lambda dw: None)
                p.register_post_accumulate_grad_hook(lambda p, name=name: calls.append((name, p.grad.copy())))

        if when == "before":
            register()
        with Replicas(model, n) as replicas:
            replicas.gradients(*batch(6))
            if when == "between":
                register()
            calls.clear()
            replicas.gradients(*batch(6))
            found.append(dict(calls))
            assert len(calls) == sum(1 for _ in model.parameters())
            for name, p in model.named_parameters():
                np.testing.assert_array_equal(p.grad, found[-1][name])
    assert found[0].keys() == found[1].keys()
    for name, dw in found[0].items():
        np.testing.assert_allclose(found[1][name], dw, rtol=1e-9, atol=1e-12, err_msg=name)
        assert np.sqrt((dw * dw).sum()) <= 0.1 + 1e-12


def test_a_hook_on_a_parameter_that_takes_the_gradient_away_is_heard():
    model = network()
    model.linear.weight.register_post_accumulate_grad_hook(lambda p: setattr(p, "grad", None))
    with Replicas(model, 2) as replicas:
        replicas.gradients(*batch(4))
        assert model.linear.weight.grad is None
        assert model.linear.bias.grad is not None


def test_a_hook_may_remove_itself_and_others():
    model = network()
    calls = []
    handles = []

    def once(_):
        calls.append("once")
        for handle in handles:
            handle.remove()

    p = model.linear.weight
    for register in (p.register_hook, p.register_post_accumulate_grad_hook):
        handles += [register(once), register(lambda _: calls.append("another"))]
        with Replicas(model, 2) as replicas:
            replicas.gradients(*batch(4))
            replicas.gradients(*batch(4))
        handles.clear()
    assert calls == ["once", "another"] * 2


@pytest.mark.parametrize("n", [1, 2])
def test_a_hook_that_makes_a_gradient_of_another_shape_is_refused_alike(n):
    model = network()
    handle = model.linear.bias.register_hook(lambda dw: dw[:3])
    with Replicas(model, n) as replicas:
        with pytest.raises(ShapeError, match="hook"):
            replicas.gradients(*batch(4))
        handle.remove()
        assert replicas.gradients(*batch(4))[0] > 0


def test_hooks_on_parameters_are_called_from_the_loss_back():
    found = []
    for n in (1, 2):
        model = nn.Sequential(*(nn.Linear(4, 4, bias=False, rng=i) for i in range(4))).to(np.float64)
        calls = []
        for name, p in model.named_parameters():
            p.register_hook(lambda dw, name=name, calls=calls: calls.append(name))
        with Replicas(model, n) as replicas:
            replicas.gradients(np.ones((4, 4)), np.array([0, 1, 2, 0]))
        found.append(calls)
    assert found[0] == found[1] == [f"{i}.weight" for i in (3, 2, 1, 0)]


class Listening(nn.Module):
    def __init__(self, listen):
        self.first = nn.Linear(4, 4, rng=0)
        self.second = nn.Linear(4, 3, rng=1)
        self.listen = listen

    def forward(self, x):
        h = self.first(x)
        self.listen(self, h)
        return self.second(h)


@pytest.mark.parametrize(
    "listen",
    [
        lambda m, h: h.register_hook(clipped),
        lambda m, h: (h.retain_grad(), setattr(m, "kept", h)),
        lambda m, h: m.first.weight.register_hook(clipped),
        lambda m, h: m.first.weight.register_post_accumulate_grad_hook(lambda p: None),
    ],
    ids=["a hook", "a gradient that is kept", "a hook on a parameter in forward", "another hook in forward"],
)
def test_a_gradient_of_a_part_that_is_asked_for_is_refused(listen):
    model = Listening(listen).to(np.float64)
    images = np.random.default_rng(0).standard_normal((4, 4))
    labels = np.array([0, 1, 2, 0])
    with Replicas(model, 2) as replicas:
        with pytest.raises(GraphError, match=r"the gradient at \w+ is asked for .* use one process, or a hook"):
            replicas.gradients(images, labels)
        model.listen = lambda m, h: None
        replicas.gradients(images, labels)
    assert not model.first.weight.node.hooks


@pytest.mark.skipif(not hasattr(nn.Module, "register_full_backward_hook"), reason="modules have no backward hooks")
def test_a_backward_hook_on_a_module_is_refused():
    model = network()
    with Replicas(model, 2) as replicas:
        replicas.gradients(*batch(4))
        handle = model.layer1.register_full_backward_hook(lambda module, given, dy: None)
        with pytest.raises(OptionError, match=r"a backward hook on layer1 needs gradients, .*use one process"):
            replicas.gradients(*batch(4))
        handle.remove()
        replicas.gradients(*batch(4))


def test_a_tensor_that_is_no_parameter_and_requires_a_gradient_is_refused():
    model = Listening(lambda m, h: None).to(np.float64)
    model.scale = Tensor(np.ones(4), requires_grad=True)
    model.forward = lambda x: model.second(model.first(x) * model.scale)
    with Replicas(model, 2) as replicas, pytest.raises(GraphError, match="the gradient at leaf is asked for"):
        replicas.gradients(np.ones((4, 4)), np.array([0, 1, 2, 0]))


def test_a_gradient_that_no_tensor_can_show_is_no_reason_to_refuse():
    model = Listening(lambda m, h: None).to(np.float64)
    model.forward = lambda x: model.second(model.first(x) * Tensor(np.ones(4), requires_grad=True))
    with Replicas(model, 2) as replicas:
        replicas.gradients(np.ones((4, 4)), np.array([0, 1, 2, 0]))


def test_a_graph_of_many_paths_is_looked_at_once():
    """Each residual connection doubles the paths: 2⁶⁰ of them are too many to follow."""

    class Deep(nn.Module):
        def __init__(self):
            self.fc = nn.Linear(4, 3, rng=0)

        def forward(self, x):
            x = self.fc(x)
            for _ in range(60):
                x = (x + x) * 0.5
            return x

    images = np.random.default_rng(0).standard_normal((4, 4))
    labels = np.array([0, 1, 2, 0])
    expected = Replicas(Deep().to(np.float64), 1).gradients(images, labels)
    with Replicas(Deep().to(np.float64), 2) as replicas:
        assert replicas.gradients(images, labels)[0] == pytest.approx(expected[0], rel=1e-12)


def test_frozen_parameters_need_no_memory_for_gradients():
    model = network()
    model.conv1.requires_grad_(False)
    reduce_scatter = ReduceScatter(list(model.parameters()), 2)
    assert reduce_scatter.buckets[0][0] is reduce_scatter.buckets[1][0] is None
    assert all(
        (reduce_scatter.buckets[rank][i] is None) == (reduce_scatter.owners[i] == rank)
        for rank in range(2)
        for i in range(1, len(reduce_scatter.parameters))
    )
