"""The table of the paper is what the paper prints, and its numbers are those of our networks."""

import pytest

from minires import models, nn
from minires.kernels import shapes_only
from minires.summary import summary, table1


@pytest.fixture(scope="module")
def text():
    return table1()


# He et al. 2015, Table 1
ARCHITECTURE = """\
layer    18-layer     34-layer     50-layer      101-layer      152-layer
output
conv1                              7×7, 64, stride 2
112×112
conv2_x                          3×3 max pool, stride 2
56×56    [3×3, 64]    [3×3, 64]    [1×1, 64 ]    [1×1, 64 ]     [1×1, 64 ]
         [3×3, 64]×2  [3×3, 64]×3  [3×3, 64 ]×3  [3×3, 64 ]×3   [3×3, 64 ]×3
                                   [1×1, 256]    [1×1, 256]     [1×1, 256]
conv3_x  [3×3, 128]   [3×3, 128]   [1×1, 128]    [1×1, 128]     [1×1, 128]
28×28    [3×3, 128]×2 [3×3, 128]×4 [3×3, 128]×4  [3×3, 128]×4   [3×3, 128]×8
                                   [1×1, 512]    [1×1, 512]     [1×1, 512]
conv4_x  [3×3, 256]   [3×3, 256]   [1×1, 256 ]   [1×1, 256 ]    [1×1, 256 ]
14×14    [3×3, 256]×2 [3×3, 256]×6 [3×3, 256 ]×6 [3×3, 256 ]×23 [3×3, 256 ]×36
                                   [1×1, 1024]   [1×1, 1024]    [1×1, 1024]
conv5_x  [3×3, 512]   [3×3, 512]   [1×1, 512 ]   [1×1, 512 ]    [1×1, 512 ]
7×7      [3×3, 512]×2 [3×3, 512]×3 [3×3, 512 ]×3 [3×3, 512 ]×3  [3×3, 512 ]×3
                                   [1×1, 2048]   [1×1, 2048]    [1×1, 2048]
fc                              average pool, 1000-d fc
1×1
"""


def row(text, name):
    """The cells of a row, whose name stands once."""
    [line] = [line for line in text.splitlines() if line.startswith(f"{name}  ")]
    return line.removeprefix(name).split()


def test_the_architectures_are_the_papers(text):
    assert ARCHITECTURE in text


def test_multiply_adds_are_the_papers_where_the_stride_is_the_papers(text):
    paper = [float(cell) for cell in row(text, "10⁹ FLOPs, paper")]
    ours = [float(cell) for cell in row(text, "10⁹ here, v1")]
    assert paper == [1.8, 3.6, 3.8, 7.6, 11.3]
    # the paper cuts off some digits and rounds others
    assert all(abs(a - b) < 0.1 for a, b in zip(paper, ours))
    for name, count in zip(("resnet50", "resnet101", "resnet152"), ours[2:]):
        with shapes_only():
            model = models.create(name, variant="v1")
        table = summary(model, (1, 3, 224, 224))
        assert round(table.multiply_adds / 1e9, 2) == count


def test_multiply_adds_of_torchvisions_networks_are_there_too(text):
    assert row(text, "10⁹ here, v1.5") == ["1.81", "3.66", "4.09", "7.80", "11.51"]


def test_a_networks_name_is_its_number_of_layers(text):
    """Convolutions and the fc, without projections of shortcuts, which the paper does not count."""
    for name in ("resnet18", "resnet34", "resnet50", "resnet20", "resnet56"):
        with shapes_only():
            model = models.create(name)
        layers = [
            n for n, m in model.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear)) and "downsample" not in n
        ]
        assert name == f"resnet{len(layers)}"


def test_the_networks_for_cifar_are_the_papers(text):
    """§4.2: 1 + 2n, 2n and 2n layers with 16, 32 and 64 filters at 32×32, 16×16 and 8×8."""
    below = text[text.index("CIFAR-10") :]
    assert row(below, "32×32") == ["16", "1", "+", "2n", "7", "11", "15", "19", "37"]
    assert row(below, "16×16") == ["32", "2n", "6", "10", "14", "18", "36"]
    assert row(below, "8×8") == ["64", "2n", "6", "10", "14", "18", "36"]
    assert row(below, "n") == ["3", "5", "7", "9", "18"]


def test_parameters_for_cifar_are_those_of_the_papers_table_6(text):
    below = text[text.index("CIFAR-10") :]
    ours = [int(cell.replace(",", "")) for cell in row(below, "parameters")]
    paper = [float(cell) for cell in row(below, "in the paper") if cell != "M"]
    assert ours == [269_722, 464_154, 658_586, 853_018, 1_727_962]
    assert paper == [0.27, 0.46, 0.66, 0.85, 1.7]
    assert all(abs(a / 1e6 - b) < 0.05 for a, b in zip(ours, paper))


def test_it_fits_80_columns(text):
    assert max(map(len, text.splitlines())) <= 80
    assert not [line for line in text.splitlines() if line != line.rstrip()]
