import numpy as np
import pytest

from minires import Tensor, export
from minires.errors import OptionError
from minires.export.torch_rows import ROWS
from minires.mode import no_grad
from minires.nn import Module
from tests.export.networks import CASES, FAMILIES, SHAPE, Calls, case, family, images

torch = pytest.importorskip("torch", reason="PyTorch is not installed, which runs these files")

from tests.models.same_as_torch import one_thread  # noqa: E402 - needs PyTorch


def written(model, shape, name="toy_net"):
    trained = [n for n, _ in model.named_parameters()]
    return export.to_torch(export.record(model, shape), model.state_dict(), trained, name=name)


def run(text, kind):
    """The class in the text of a file."""
    names = {}
    exec(compile(text, "twin.py", "exec"), names)
    return names[kind]


def assert_same(model, shape, dtype, tolerance):
    model.to(dtype)
    twin = run(written(model, shape), "ToyNet")().to(getattr(torch, np.dtype(dtype).name)).eval()
    twin.load_state_dict({n: torch.tensor(np.array(a, order="C")) for n, a in model.state_dict().items()}, strict=True)
    for N in (1, 3):
        x = images(shape, N, dtype)
        with no_grad(), torch.no_grad(), one_thread():
            expected = twin(torch.tensor(x)).numpy()
            found = model(Tensor(x)).data
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("name", FAMILIES)
def test_the_twin_gives_the_logits_of_a_network_of_each_family(name):
    model, shape = family(name)
    assert_same(model, shape, np.float32, 1e-4)
    assert_same(model, shape, np.float64, 1e-9)


@pytest.mark.parametrize("name", CASES)
def test_the_twin_gives_what_an_op_gives(name):
    assert_same(case(name), SHAPE, np.float32, 1e-5)


def test_an_index_of_an_array_is_written_down():
    net = Calls(lambda net, x: x[:, np.array([2, 0]), 1:])
    assert_same(net, SHAPE, np.float32, 1e-6)


def test_every_row_of_the_table_is_tried():
    tried = {call.op for name in CASES for call in export.record(case(name), SHAPE).calls}
    assert set(ROWS) - tried == {"to"}


def test_gradients_reach_the_parameters_of_the_twin():
    model, shape = family("resnet20")
    twin = run(written(model, shape), "ToyNet")()
    twin.load_state_dict({n: torch.tensor(np.array(a, order="C")) for n, a in model.state_dict().items()})
    twin(torch.tensor(images(shape, 2))).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in twin.parameters())


def test_a_line_is_an_op_below_the_name_of_its_block():
    model, shape = family("resnet20")
    text = written(model, shape)
    start = text.index("        # layer1.0\n")
    assert text[start:].splitlines()[1:6] == [
        "        f = F.conv2d(x, self.layer1[0].conv1.weight, padding=(1, 1))  # (N,16,32,32)",
        "        f = batch_norm(f, self.layer1[0].bn1)  # (N,16,32,32)",
        "        f = F.relu(f)  # (N,16,32,32)",
        "        f = F.conv2d(f, self.layer1[0].conv2.weight, padding=(1, 1))  # (N,16,32,32)",
        "        f = batch_norm(f, self.layer1[0].bn2)  # (N,16,32,32)",
    ]


def test_an_op_without_a_row_is_named():
    class Odd(Module):
        def forward(self, x):
            return x.var((2, 3))

    net = Calls(lambda self, x: self.body(x))
    net.body = Odd()
    with pytest.raises(
        OptionError, match=r"var in body has no row in the table of PyTorch's functions; they are abs, "
    ):
        written(net, SHAPE)
