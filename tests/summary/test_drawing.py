"""The boxes and arcs that a network's ops make are those of its paper's figure."""

import pytest

from minires import kernels, models, nn, ops
from minires.plots.networks import Arc
from minires.summary.__main__ import main
from minires.summary.drawing import MOST_BOXES, drawing


def drawn(name):
    with kernels.shapes_only():
        model = models.create(name)
    return drawing(model, (1, 3, model.image_size, model.image_size), name)


def labels(network):
    return [box.label for box in network.boxes]


def test_resnet34_is_figure_3_of_he_et_al():
    """He et al. 2015, Fig. 3 right: a 7×7 convolution, 16 blocks of two 3×3, three of whose arcs are dotted."""
    network = drawn("resnet34")
    stages = [("64", 3, 1), ("128", 4, 2), ("256", 6, 2), ("512", 3, 2)]
    expected = ["7×7 conv, 64, /2", "max pool, /2"]
    for channels, blocks, stride in stages:
        first = f"3×3 conv, {channels}" + (f", /{stride}" if stride > 1 else "")
        expected += [first, *[f"3×3 conv, {channels}"] * (2 * blocks - 1)]
    assert labels(network) == [*expected, "avg pool", "fc, 1000"]
    assert [(arc.start, arc.end) for arc in network.arcs] == [(i, i + 2) for i in range(1, 33, 2)]
    dotted = [i for i, arc in enumerate(network.arcs) if arc.kind == "projection"]
    assert dotted == [3, 7, 13]
    assert {arc.kind for arc in network.arcs} == {"identity", "projection"}
    sizes = [box.size for box in network.boxes]
    assert [sizes.count(size) for size in (112, 56, 28, 14, 7, 1)] == [1, 7, 8, 12, 6, 2]


def test_plain34_is_the_same_without_arcs():
    assert labels(drawn("plain34")) == labels(drawn("resnet34"))
    assert drawn("plain34").arcs == []


def test_vgg19_is_the_left_of_the_figure():
    network = drawn("vgg19")
    convolutions = [label for label in labels(network) if "conv" in label]
    assert convolutions == [f"3×3 conv, {c}" for c, n in ((64, 2), (128, 2), (256, 4), (512, 8)) for _ in range(n)]
    assert labels(network)[-3:] == ["fc, 4096", "fc, 4096", "fc, 1000"]


def test_a_shortcut_that_pads_is_dotted_too():
    arcs = drawn("resnet20").arcs
    assert [i for i, arc in enumerate(arcs) if arc.kind == "projection"] == [3, 6]


def test_a_dense_layer_keeps_its_input_beside_its_output():
    network = drawn("densenet121")
    assert {arc.kind for arc in network.arcs} == {"concatenation"}
    assert [times for _, _, times in network.blocks] == [6, 12, 24, 16]


@pytest.mark.parametrize(
    ("name", "block"),
    [
        ("resnet50", ["1×1 conv, 64", "3×3 conv, 64", "1×1 conv, 256"]),
        ("resnext50_32x4d", ["1×1 conv, 128", "3×3 conv, 128, 32 groups", "1×1 conv, 256"]),
        ("se_resnet20", ["3×3 conv, 16", "3×3 conv, 16", "squeeze-excite, 1"]),
        ("mobilenet_v2", ["1×1 conv, 144", "3×3 depthwise, 144", "1×1 conv, 24"]),
        ("efficientnet_b0", ["1×1 conv, 144", "3×3 depthwise, 144", "squeeze-excite, 6", "1×1 conv, 24"]),
        ("vit_b_16", ["attention, 12 heads", "linear, 3072", "linear, 768"]),
    ],
)
def test_a_block_is_what_its_paper_draws(name, block):
    network = drawn(name)
    first, last, _ = network.blocks[0]
    assert labels(network)[first : last + 1] == block
    if name != "vit_b_16":
        assert next((arc.start, arc.end) for arc in network.arcs) == (first - 1, last)


def test_an_encoder_block_has_an_arc_around_attention_and_one_around_the_mlp():
    assert drawn("vit_tiny_digits").arcs[:2] == [Arc(0, 1, "identity"), Arc(1, 3, "identity")]


@pytest.mark.parametrize("name", models.names())
def test_every_network_is_drawn_in_a_column_of_bearable_length(name):
    network = drawn(name)
    assert 4 < len(network.boxes) <= MOST_BOXES + 16
    assert all(-1 <= arc.start < arc.end < len(network.boxes) for arc in network.arcs)
    with kernels.shapes_only():
        model = models.create(name)
    sizes = [box.size for box in network.boxes]
    assert sizes == sorted(sizes, reverse=True)
    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    repeated = {i: times for first, last, times in network.blocks for i in range(first, last + 1)}
    shown = sum(repeated.get(i, 1) for i, box in enumerate(network.boxes) if box.kind == "conv" and "×" in box.label)
    weighing = ("downsample", "se.", "fc1", "fc2", "shortcut", ".block.2.", ".block.1.fc")  # arcs and gates
    hidden = [key for key, m in model.named_modules() if isinstance(m, nn.Conv2d) and any(w in key for w in weighing)]
    assert len(layers) - len(hidden) <= shown <= len(layers)


def test_a_network_of_a_user_with_a_branch_that_is_no_shortcut_is_drawn_whole():
    class Two(nn.Module):
        def __init__(self):
            self.a = nn.Conv2d(3, 4, 3, padding=1, rng=0)
            self.b = nn.Conv2d(3, 4, 5, padding=2, rng=0)

        def forward(self, x):
            return ops.cat([self.a(x), self.b(x)], dim=1)

    network = drawing(Two(), (1, 3, 8, 8), "two")
    assert labels(network) == ["3×3 conv, 4", "5×5 conv, 4"]
    assert network.arcs == []


def test_the_command_draws_what_it_is_told_to(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    file = tmp_path / "networks.png"
    assert main(["resnet8", "plain8", "--plot", str(file)]) == 0
    assert capsys.readouterr().out.endswith(f"\n\n{file}\n")
    assert file.read_bytes().startswith(b"\x89PNG")
    assert main(["resnet8", "--plot", str(tmp_path / "x.doc")]) == 2
    assert "a figure can be png, svg" in capsys.readouterr().err
    assert main(["--plot", str(file)]) == 2
    assert capsys.readouterr().err.startswith("minires.summary: --plot goes with a network")
