"""The networks of the paper as it prints them, computed from ours  [He et al. 2015, Table 1 and §4.2]."""

from itertools import zip_longest

from minires import models
from minires.console import Table
from minires.kernels import shapes_only
from minires.models import Bottleneck
from minires.nn import Conv2d
from minires.summary.network import size_text, summary, window

IMAGENET = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
CIFAR = ("resnet20", "resnet32", "resnet44", "resnet56", "resnet110")
# What the paper says of them, to stand beside our numbers: the last row of Table 1, and the parameters in Table 6.
FLOPS = ("1.8", "3.6", "3.8", "7.6", "11.3")
PARAMETERS = ("0.27 M", "0.46 M", "0.66 M", "0.85 M", "1.7 M")

BLOCKS = """\
Each line in brackets is a convolution: its kernel size and its channels. ×3: so
many blocks one after another. The first block of conv3_x, conv4_x and conv5_x
has stride 2. The paper lists a softmax, too, which is a part of our loss."""
VARIANTS = """\
The paper's FLOPs are multiply-adds. v1 and v1.5 are two kinds of bottleneck: in
the paper the first 1×1 convolution has the stride (v1), in torchvision the 3×3
has it (v1.5). minires takes v1.5 unless you ask for variant="v1"."""
LAYERS = """\
n: the blocks of a stage, of two layers each. The first convolution is the 1 in
1 + 2n. After an average pool comes one layer more, the fc: 6n + 2 in all."""


def table1() -> str:
    """Table 1 of the paper, and its networks for CIFAR-10 (§4.2), computed from our networks: a text to print."""
    return "\n".join([*_imagenet(), "", "", *_cifar()])


# ImageNet


def _imagenet():
    networks = _built(IMAGENET)
    headings = [f"{name.removeprefix('resnet')}-layer" for name in IMAGENET]
    tables = [summary(network, (1, 3, 224, 224)) for network in networks]
    yield "ImageNet, from images of 224×224  [He et al. 2015, Table 1]"
    yield ""
    yield from _architecture(networks, headings, tables[0])
    yield ""
    yield BLOCKS
    yield ""
    for network in networks:
        _exchange_strides(network)
    first = [summary(network, (1, 3, 224, 224)) for network in networks]
    yield from _numbers(
        headings,
        {
            "parameters": [f"{table.parameters:,}" for table in tables],
            "10⁹ FLOPs, paper": FLOPS,
            "10⁹ here, v1": [f"{table.multiply_adds / 1e9:.2f}" for table in first],
            "10⁹ here, v1.5": [f"{table.multiply_adds / 1e9:.2f}" for table in tables],
        },
    )
    yield ""
    yield VARIANTS


def _architecture(networks, headings, table):
    sizes = {row.name: size_text(row.output_size[2:]) for row in table.rows}
    stages = [[_block(network, i) for network in networks] for i in (1, 2, 3, 4)]
    widths = [max(len(line) for cell in column for line in cell) for column in zip(*stages)]
    stem = _common(_convolution(network.conv1, with_stride=True) for network in networks)
    pool = _common(window(network.maxpool).replace(",", " max pool,") for network in networks)
    end = _common(f"average pool, {network.fc.out_features}-d fc" for network in networks)

    def row(left, *cells, above=""):
        """The lines of a row: name over output size, a text for all networks, below it a cell for each."""
        middle = [above.center(sum(widths) + len(widths) - 1)] * bool(above)
        for lines in zip_longest(*cells, fillvalue=""):
            middle.append(" ".join(line.ljust(width) for line, width in zip(lines, widths)))
        return [f"{a:<9}{b}".rstrip() for a, b in zip_longest(left, middle, fillvalue="")]

    yield from row(["layer", "output"], *([heading] for heading in headings))
    yield from row(["conv1", sizes["conv1"]], above=stem)
    for i, cells in enumerate(stages, 1):
        yield from row([f"conv{i + 1}_x", sizes[f"layer{i}"]], *cells, above=pool if i == 1 else "")
    yield from row(["fc", sizes["adaptive_avg_pool2d"]], above=end)


def _common(texts):
    """The text that all networks have in common."""
    [text] = set(texts)
    return text


def _convolution(conv, with_stride=False):
    """ "7×7, 64, stride 2": the kernel size, the channels and, if asked for, the stride."""
    kernel, comma, stride = window(conv).partition(",")
    return f"{kernel}, {conv.out_channels}" + (comma + stride) * with_stride


def _block(network, i):
    """The lines of stage i: the convolutions of a block's branch in brackets, and how many blocks there are."""
    blocks = getattr(network, f"layer{i}")
    layers = [_convolution(conv) for _, conv in blocks[0].named_children() if isinstance(conv, Conv2d)]
    width = max(map(len, layers))
    lines = [f"[{layer:<{width}}]" for layer in layers]
    lines[1] += f"×{len(blocks)}"
    return lines


def _exchange_strides(network):
    """Make variant v1 of v1.5. This takes less time than a second network with new weights."""
    for block in network.modules():
        if isinstance(block, Bottleneck):
            block.conv1.stride, block.conv2.stride = block.conv2.stride, block.conv1.stride


# CIFAR-10


def _cifar():
    networks = _built(CIFAR)
    tables = [summary(network, (1, 3, 32, 32)) for network in networks]
    ns = [len(network.layer1) for network in networks]
    lines = []
    layers = Table({"output": 6, "filters": -7, "layers": 6, **dict.fromkeys(CIFAR, -9)}, show=_into(lines))
    for i in (1, 2, 3):
        counts = [_convolutions(getattr(network, f"layer{i}")) + (i == 1) for network in networks]
        [row] = [row for row in tables[0].rows if row.name == f"layer{i}"]
        _, filters, *size = row.output_size
        layers.row(size_text(size), filters, _formula(ns, counts), *counts)
    yield "CIFAR-10, from images of 32×32: 6n + 2 layers  [§4.2]"
    yield ""
    yield from lines
    yield ""
    yield LAYERS
    yield ""
    yield from _numbers(
        CIFAR,
        {
            "n": ns,
            "parameters": [f"{table.parameters:,}" for table in tables],
            "in the paper": PARAMETERS,
            "10⁶ multiply-adds": [f"{table.multiply_adds / 1e6:.1f}" for table in tables],
        },
    )


def _convolutions(module):
    return sum(isinstance(part, Conv2d) for part in module.modules())


def _formula(ns, counts):
    """The line through these counts, as "1 + 2n"."""
    slope = (counts[1] - counts[0]) // (ns[1] - ns[0])
    start = counts[0] - slope * ns[0]
    return f"{start} + {slope}n" if start else f"{slope}n"


# Both


def _built(names):
    """The networks of these names, without values."""
    with shapes_only():
        return [models.create(name) for name in names]


def _numbers(headings, rows):
    """The lines of a table with a column for each network."""
    lines = []
    table = Table({"": 20, **dict.fromkeys(headings, -10)}, show=_into(lines))
    for name, numbers in rows.items():
        table.row(name, *numbers)
    return lines


def _into(lines):
    """What a Table shows its lines by, so that they are added to a list."""
    return lambda line, **how: lines.append(line)
