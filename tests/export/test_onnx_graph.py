import json

import numpy as np
import pytest

from minires import Tensor, export, ops
from minires.errors import OptionError
from minires.export.onnx_rows import ROWS
from minires.mode import no_grad
from minires.nn import Module, MultiheadAttention
from tests.export.networks import CASES, FAMILIES, SHAPE, Calls, case, family, images

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'minires[export]'")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed, which is the oracle")


def logits(made, x):
    """What onnxruntime computes."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"images": x})[0]


def assert_same(model, shape, **options):
    made = export.to_onnx(export.record(model, shape), **options)
    for N in (1, 3):
        x = images(shape, N)
        with no_grad():
            expected = model(Tensor(x)).data
        np.testing.assert_allclose(logits(made, x), expected, rtol=0, atol=1e-4 * max(1, np.abs(expected).max()))
    return made


@pytest.mark.parametrize("name", FAMILIES)
def test_onnxruntime_gives_the_logits_of_a_network_of_each_family(name):
    assert_same(*family(name))


@pytest.mark.parametrize("name", CASES)
def test_onnxruntime_gives_what_an_op_gives(name):
    assert_same(case(name), SHAPE)


@pytest.mark.parametrize("opset", [18, 20, 22])
def test_operators_of_other_versions_give_the_same(opset):
    made = assert_same(*family("vit_tiny_cifar"), opset=opset)
    assert made.opset_import[0].version == opset


def test_attention_between_projections_is_exported():
    class Attention(Module):
        def __init__(self):
            self.attention = MultiheadAttention(6, 2, batch_first=True, rng=0)

        def forward(self, x):
            x = x.reshape(len(x), -1, 6)
            y, weights = self.attention(x, x, x, average_attn_weights=False)
            return y.flatten(1) + weights.sum((1, 2, 3)).unsqueeze(1)

    assert_same(Attention(), SHAPE)


def test_every_row_of_the_table_is_tried():
    tried = {call.op for name in CASES for call in export.record(case(name), SHAPE).calls}
    assert set(ROWS) - tried == {"to"}  # between float types, which the first network of float64 has


def test_names_in_the_file_are_those_of_the_weights_and_parts():
    model, shape = family("resnet20")
    made = assert_same(model, shape)
    used = {name for name in model.state_dict() if not name.endswith("num_batches_tracked")}
    assert used <= {array.name for array in made.graph.initializer}
    by_name = {node.name: node for node in made.graph.node}
    assert by_name["layer1.0.conv1"].op_type == "Conv"
    assert list(by_name["layer1.0.bn1"].input)[1:] == [
        f"layer1.0.bn1.{n}" for n in ("weight", "bias", "running_mean", "running_var")
    ]
    (entry,) = made.graph.input
    assert entry.name == "images"
    assert [d.dim_param or d.dim_value for d in entry.type.tensor_type.shape.dim] == ["N", 3, 32, 32]
    assert [d.dim_param or d.dim_value for d in made.graph.output[0].type.tensor_type.shape.dim] == ["N", 10]


def test_the_same_network_gives_the_same_bytes():
    first, second = (
        export.to_onnx(export.record(*family("vit_tiny_cifar"))).SerializeToString(deterministic=True) for _ in range(2)
    )
    assert first == second


def test_metadata_are_texts_or_json():
    made = export.to_onnx(export.record(*family("resnet20")), metadata={"model": "resnet20", "mean": [0.5, 0.25]})
    found = {entry.key: entry.value for entry in made.metadata_props}
    assert found["model"] == "resnet20"
    assert json.loads(found["mean"]) == [0.5, 0.25]


def test_an_op_without_a_row_is_named_with_its_place():
    class Odd(Module):
        def forward(self, x):
            return x.var((2, 3))

    net = Module.__new__(Calls)
    net.function = lambda self, x: self.odd(x)
    net.odd = Odd()
    with pytest.raises(OptionError, match=r"var in odd has no row in the table of ONNX operators; they are abs, "):
        export.to_onnx(export.record(net, SHAPE))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda net, x: x[:, np.array([0, 2])], "getitem with an array as an index"),
        (
            lambda net, x: ops.batch_norm(x, np.ones(4, np.float32), np.zeros(4, np.float32), training=True),
            "sees the batch",
        ),
    ],
)
def test_what_has_no_counterpart_in_onnx_is_refused(function, message):
    with pytest.raises(OptionError, match=message):
        export.to_onnx(export.record(Calls(function), SHAPE))


@pytest.mark.parametrize("opset", [17, 999])
def test_opsets_that_the_table_does_not_know_are_refused(opset):
    with pytest.raises(OptionError, match="opset must be 18"):
        export.to_onnx(export.record(*family("vit_tiny_cifar")), opset=opset)
