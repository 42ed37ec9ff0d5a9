"""A summary counts as torchvision and as by hand, of any network, and leaves no trace."""

import copy
import threading

import numpy as np
import pytest
from backends import needs_gpu

from minires import Tensor, kernels, models, nn, ops
from minires.errors import DTypeError, OptionError, ShapeError
from minires.models import Bottleneck
from minires.summary import Row, summary

IMAGE = (1, 3, 224, 224)


@pytest.mark.parametrize(
    ("name", "parameters", "buffers", "giga"),  # of torchvision's networks
    [
        ("resnet18", 11_689_512, 9_620, 1.814),
        ("resnet34", 21_797_672, 17_060, 3.664),
        ("resnet50", 25_557_032, 53_173, 4.089),
        ("resnet101", 44_549_160, 105_448, 7.801),
        ("resnet152", 60_192_808, 151_579, 11.514),
    ],
)
def test_counts_are_those_of_torchvision(name, parameters, buffers, giga):
    with kernels.shapes_only():
        model = models.create(name)
    table = summary(model, IMAGE)
    assert (table.parameters, table.trainable_parameters, table.buffers) == (parameters, parameters, buffers)
    assert round(table.multiply_adds / 1e9, 3) == giga
    assert sum(row.parameters for row in table.rows if row.depth == 1) == parameters
    assert sum(row.multiply_adds for row in table.rows if row.depth == 1) == table.multiply_adds


def test_a_bottleneck_is_counted_as_by_hand():
    """layer2.0 of ResNet-50: 256 channels at 28×28 become 512 at 14×14, by 128 in between."""
    rows = summary(Bottleneck(256, 128, stride=2, rng=0), (1, 256, 28, 28), depth=9).rows
    large, small = 28 * 28, 14 * 14
    norm = {channels: 2 * channels for channels in (128, 512)}
    assert [row[:7] for row in rows] == [
        ("conv1", "Conv2d 1×1", 1, (1, 128, 28, 28), 256 * 128, large * 256 * 128, ""),
        ("bn1", "BatchNorm2d", 1, (1, 128, 28, 28), norm[128], 0, ""),
        ("relu", "", 1, (1, 128, 28, 28), 0, 0, ""),
        ("conv2", "Conv2d 3×3, stride 2", 1, (1, 128, 14, 14), 128 * 128 * 9, small * 128 * 128 * 9, ""),
        ("bn2", "BatchNorm2d", 1, (1, 128, 14, 14), norm[128], 0, ""),
        ("relu", "", 1, (1, 128, 14, 14), 0, 0, ""),
        ("conv3", "Conv2d 1×1", 1, (1, 512, 14, 14), 128 * 512, small * 128 * 512, ""),
        ("bn3", "BatchNorm2d", 1, (1, 512, 14, 14), norm[512], 0, ""),
        ("downsample", "Sequential", 1, (1, 512, 14, 14), 256 * 512 + norm[512], small * 256 * 512, ""),
        ("downsample.0", "Conv2d 1×1, stride 2", 2, (1, 512, 14, 14), 256 * 512, small * 256 * 512, ""),
        ("downsample.1", "BatchNorm2d", 2, (1, 512, 14, 14), norm[512], 0, ""),
        ("residual_add_relu", "", 1, (1, 512, 14, 14), 0, 0, ""),
    ]


@pytest.mark.parametrize("name", models.names())
def test_every_network_can_be_summed_up_and_its_parts_add_up(name):
    with kernels.shapes_only():
        model = models.create(name)
    table = summary(model, (2, 3, model.image_size, model.image_size))
    assert table.parameters == nn.count_parameters(model)
    parts = [row for row in table.rows if row.depth == 1]
    beside_parts = sum(p.numel() for key, p in model.named_parameters() if "." not in key)  # the class token
    assert sum(row.parameters for row in parts) + beside_parts == table.parameters
    assert sum(row.multiply_adds for row in parts) == table.multiply_adds
    assert table.rows[-1].output_size == (2, 10 if model.image_size <= 32 else 1000)
    assert not [row for row in table.rows if row.note]


def test_depth_says_how_deep_the_rows_go():
    model = models.resnet8(rng=0)
    names = {depth: [row.name for row in summary(model, (1, 3, 8, 8), depth=depth).rows] for depth in (1, 2, 3)}
    assert "layer1" in names[1]
    assert "layer1.0" not in names[1]
    assert "layer1.0" in names[2]
    assert "layer1.0.conv1" not in names[2]
    assert "layer1.0.conv1" in names[3]


def test_two_images_multiply_twice_as_much_with_the_same_parameters():
    one = summary(models.resnet8(rng=0), (1, 3, 8, 8))
    two = summary(models.resnet8(rng=0), (2, 3, 8, 8))
    assert (two.multiply_adds, two.parameters) == (2 * one.multiply_adds, one.parameters)


class Attention(nn.Module):
    """Parameters and products of its own, an output of two Tensors, and two inputs."""

    def __init__(self):
        self.scale = nn.Parameter(np.ones((1,), np.float32))
        self.query = nn.Linear(8, 4, bias=False, rng=0)

    def forward(self, x, y):
        scores = self.query(x) @ self.query(y).transpose(1, 2)
        return scores * self.scale, ops.einsum("nij,nj->ni", scores, scores[:, 0])


def test_a_network_of_a_user_may_have_several_inputs_and_outputs_and_products_of_its_own():
    table = summary(Attention(), [(2, 5, 8), (2, 5, 8)])
    query = 2 * 5 * 8 * 4
    assert table.input_size == ((2, 5, 8), (2, 5, 8))
    assert (table.parameters, table.multiply_adds) == (8 * 4 + 1, 2 * query + 2 * 5 * 5 * 4 + 2 * 5 * 5)
    assert [(row.name, row.output_size, row.multiply_adds, row.note) for row in table.rows] == [
        ("query", (2, 5, 4), query, ""),
        ("query", (2, 5, 4), query, "shared"),
        ("transpose", (2, 4, 5), 0, ""),
        ("matmul", (2, 5, 5), 2 * 5 * 5 * 4, ""),
        ("mul", (2, 5, 5), 0, ""),
        ("getitem", (2, 5), 0, ""),
        ("einsum", (2, 5), 2 * 5 * 5, ""),
    ]


def test_a_layer_alone_is_one_row():
    table = summary(nn.Linear(3, 2, rng=0), (4, 3))
    assert table.rows == [Row("", "Linear", 0, (4, 2), 8, 4 * 3 * 2, "")]
    assert str(table).splitlines()[1].split() == ["Linear", "4×2", "8", "24"]


def test_outputs_in_lists_and_dicts_have_their_sizes():
    class Several(nn.Module):
        def __init__(self):
            self.act = nn.ReLU()

        def forward(self, x):
            return {"a": self.act(x), "b": [x, 3]}

    class Outer(nn.Module):
        def __init__(self):
            self.several = Several()

        def forward(self, x):
            return self.several(x)["a"]

    [row] = summary(Outer(), (2, 3), depth=1).rows
    assert row.output_size == ((2, 3), ((2, 3), None))
    assert "2×3, 2×3, -" in str(summary(Outer(), (2, 3)))


def test_a_parameter_under_two_names_counts_once():
    model = nn.Sequential(nn.Linear(4, 4, bias=False, rng=0), nn.Linear(4, 4, rng=1))
    model[1].weight = model[0].weight
    table = summary(model, (1, 4))
    assert table.parameters == 4 * 4 + 4
    assert [row.parameters for row in table.rows] == [16, 4]
    model = nn.Sequential(model[0], nn.ReLU(), model[0])
    table = summary(model, (1, 4))
    assert [(row.parameters, row.note) for row in table.rows] == [(16, ""), (0, ""), (0, "shared")]
    assert (table.parameters, table.multiply_adds) == (16, 2 * 16)
    assert str(table).splitlines()[3].split() == ["0", "Linear", "1×4", "shared", "16"]


def test_what_a_forward_leaves_out_is_named():
    class Forgetful(nn.Module):
        def __init__(self):
            self.used = nn.ModuleList([nn.Linear(2, 2, rng=0), nn.Linear(2, 2, rng=1)])
            self.forgotten = nn.Sequential(nn.Linear(2, 3, rng=2), nn.ReLU())
            self.act = nn.ReLU()  # has nothing to count

        def forward(self, x):
            return self.used[0](x)

    table = summary(Forgetful(), (1, 2))
    assert [(row.name, row.parameters, row.note) for row in table.rows] == [
        ("used.0", 6, ""),
        ("used.1", 6, "not called"),
        ("forgotten", 9, "not called"),
    ]
    assert table.parameters == 21
    assert str(table).splitlines()[2].split() == ["used.1", "Linear", "not", "called", "6", "-"]


def test_frozen_parameters_are_told_from_trained_ones():
    model = models.resnet8(rng=0).requires_grad_(False)
    model.linear.requires_grad_(True)
    table = summary(model, (1, 3, 8, 8))
    assert table.trainable_parameters == 650
    assert f": 650 are trained, {table.parameters - 650:,} are frozen" in str(table)


def test_it_leaves_no_trace():
    model = models.resnet8(rng=0, stochastic_depth=0.5)
    model.layer2.eval()
    rng = np.random.default_rng(0)
    images = rng.standard_normal((4, 3, 8, 8)).astype(np.float32)
    twin = copy.deepcopy(model)
    before = [module.training for module in model.modules()]
    summary(model, (2, 3, 8, 8))
    assert [module.training for module in model.modules()] == before
    assert not any(module._hooks for module in model.modules())
    assert kernels.chosen() == "fastest"
    np.testing.assert_array_equal(model(images).data, twin(images).data)
    assert all(np.array_equal(a, b) for a, b in zip(model.buffers(), twin.buffers()))


def test_convolutions_are_not_computed_because_they_take_most_of_the_time():
    conv = nn.Conv2d(1, 1, 3, bias=False, rng=0)
    given = []
    model = nn.Sequential(conv, nn.ReLU())
    conv.register_forward_hook(lambda module, inputs, output: given.append(output.data))
    images = np.ones((1, 1, 4, 4), np.float32)
    assert summary(model, input_data=images).multiply_adds == 4 * 9
    model(images)
    assert not given[0].any()
    assert given[1].any()


def test_a_network_that_fails_is_left_as_it_was():
    model = models.resnet8(rng=0)
    with pytest.raises(ShapeError, match="x has 4 channels, weight expects 3"):
        summary(model, (1, 4, 8, 8))
    assert all(module.training and not module._hooks for module in model.modules())
    assert kernels.chosen() == "fastest"


def test_hooks_of_a_user_are_called_and_stay():
    model = nn.Sequential(nn.Linear(2, 3, rng=0))
    seen = []
    model[0].register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    summary(model, (1, 2))
    assert seen == [(1, 3)]
    assert model[0]._hooks


def test_ops_of_another_thread_are_not_counted():
    class Beside(nn.Module):
        def __init__(self):
            self.fc = nn.Linear(2, 2, rng=0)

        def forward(self, x):
            thread = threading.Thread(target=lambda: ops.matmul(np.ones((9, 9)), np.ones((9, 9))))
            thread.start()
            thread.join()
            return self.fc(x)

    assert summary(Beside(), (1, 2)).multiply_adds == 4


def test_a_network_in_float64_gets_float64():
    assert summary(models.resnet8(rng=0).double(), (1, 3, 8, 8)).nbytes == 8 * 75_290


@needs_gpu
def test_a_network_on_a_gpu_has_the_same_table():
    model = models.resnet8(rng=0)
    on_cpu = str(summary(model, (1, 3, 8, 8), depth=4))
    assert str(summary(model.to("cuda"), (1, 3, 8, 8), depth=4)) == on_cpu


def test_data_may_be_given_in_place_of_a_size():
    class Lookup(nn.Module):
        def __init__(self):
            self.table = nn.Parameter(np.ones((10, 4), np.float32))

        def forward(self, numbers):
            return self.table[numbers]

    table = summary(Lookup(), input_data=np.array([[1, 2, 3]]))
    assert table.rows == [Row("", "Lookup", 0, (1, 3, 4), 40, 0, "")]
    two = summary(Attention(), input_data=[Tensor(np.ones((2, 5, 8), np.float32)), np.ones((2, 5, 8), np.float32)])
    assert two.multiply_adds == summary(Attention(), [(2, 5, 8), (2, 5, 8)]).multiply_adds


@pytest.mark.parametrize(
    ("given", "settings", "error", "message"),
    [
        (nn.ReLU, {"input_size": (1, 2)}, DTypeError, "summary: "),
        (nn.ReLU(), {}, OptionError, "summary: give either input_size, such as (1, 3, 224, 224), or input_data"),
        (nn.ReLU(), {"input_size": (1,), "input_data": np.ones(1)}, OptionError, "summary: give either"),
        (nn.ReLU(), {"input_size": 5}, OptionError, "summary: input_size must be a shape such as"),
        (nn.ReLU(), {"input_size": (1, -2)}, OptionError, "or a list of shapes, got (1, -2)"),
        (nn.ReLU(), {"input_size": (1, 2.0)}, OptionError, "or a list of shapes, got (1, 2.0)"),
        (nn.ReLU(), {"input_size": [(1, 2), 3]}, OptionError, "or a list of shapes, got [(1, 2), 3]"),
        (nn.ReLU(), {"input_size": (1, 2), "depth": 0}, OptionError, "summary: depth must be a whole number of at least 1"),
        (nn.ReLU(), {"input_data": "x"}, DTypeError, "input_data must be an array, a Tensor or a list of them, got str"),
    ],
)  # fmt: skip
def test_what_cannot_be_summed_up_is_refused(given, settings, error, message):
    with pytest.raises(error) as caught:
        summary(given, **settings)
    assert message in str(caught.value)


SHOWN = """\
layer                                        output    parameters  multiply-adds
conv1  Conv2d 3×3                            1×16×8×8         432         27,648
bn1  BatchNorm2d                             1×16×8×8          32              -
relu                                         1×16×8×8           -              -
layer1  Sequential                           1×16×8×8       4,672        294,912
  0  BasicBlock                              1×16×8×8       4,672        294,912
layer2  Sequential                           1×32×4×4      13,952        221,184
  0  BasicBlock                              1×32×4×4      13,952        221,184
layer3  Sequential                           1×64×2×2      55,552        221,184
  0  BasicBlock                              1×64×2×2      55,552        221,184
adaptive_avg_pool2d                          1×64×1×1           -              -
flatten                                      1×64               -              -
linear  Linear                               1×10             650            640

total                                                      75,290        765,568

75,290 parameters (0.3 MB), all trained
487 numbers in buffers, such as running statistics, are no parameters
766 k multiply-adds for an input of 1×3×8×8
only convolutions, linear layers and products of matrices are counted
indented rows are parts of the row above them"""


def test_it_prints_as_a_table_of_80_columns_also_in_a_notebook():
    table = summary(models.resnet8(rng=0), (1, 3, 8, 8))
    assert str(table) == repr(table) == SHOWN
    assert max(map(len, SHOWN.splitlines())) == 80


def test_a_network_without_parameters_has_a_table_too():
    lines = str(summary(nn.Sequential(nn.ReLU(), nn.MaxPool2d((2, 1), stride=(2, 1))), (1, 3, 8, 8))).splitlines()
    assert lines[2].split() == ["1", "MaxPool2d", "2×1,", "stride", "2×1", "1×3×4×8", "-", "-"]
    assert lines[-3:] == [
        "no parameters",
        "0 multiply-adds for an input of 1×3×8×8",
        "only convolutions, linear layers and products of matrices are counted",
    ]


def test_numbers_are_never_cut_however_large_they_are():
    table = str(summary(nn.Conv2d(512, 512, 3, bias=False, rng=0), (100, 512, 66, 66)))
    assert f"{100 * 64 * 64 * 512 * 512 * 9:,}" in table
    assert "966 G multiply-adds" in table
    assert "…" not in table
