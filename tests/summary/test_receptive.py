"""A receptive field is what the gradient finds: the pixels that one output depends on."""

import numpy as np
import pytest

from minires import Tensor, kernels, models, nn, ops
from minires.nn import functional
from minires.summary import summary


def linear(model):
    """The network with positive weights and means in place of maxima, so that no part of a gradient is 0 by chance."""
    for module in model.modules():
        if isinstance(module, nn.MaxPool2d):
            window = {"kernel_size": module.kernel_size, "stride": module.stride, "padding": module.padding}
            module.forward = lambda x, window=window: functional.avg_pool2d(x, **window)
    for p in model.parameters():
        if p.ndim > 1:
            p.data = np.full(p.shape, 1 / np.prod(p.shape[1:]))
    return model


def outputs(model, x):
    """{name: output} of all modules that give a map."""
    found = {}
    for name, module in model.named_modules():
        if name:
            module.register_forward_hook(lambda module, inputs, y, name=name: found.setdefault(name, y))
    model(x)
    return {name: y for name, y in found.items() if isinstance(y, Tensor) and y.ndim == 4}


def reached(x, y, row, column):
    """(first row, last row, first column, last column) of the pixels with a gradient from one place of y."""
    dy = np.zeros(y.shape)
    dy[0, :, row, column] = 1
    x.grad = None
    y.backward(dy, retain_graph=True)
    rows, columns = np.nonzero(np.abs(x.grad).sum((0, 1)))
    return rows.min(), rows.max(), columns.min(), columns.max()


def predicted(row, place, size):
    """The same, as the table says it."""
    if row.sees_all:
        return 0, size - 1, 0, size - 1
    found = []
    for at, start, stride, length in zip(place, row.field_start, row.field_stride, row.field_size):
        first = start + at * stride
        found += [max(first, 0), min(first + length - 1, size - 1)]
    return tuple(found)


@pytest.mark.parametrize(
    ("name", "size", "options"),
    [
        ("resnet18", 96, {}),
        ("resnet50", 32, {"variant": "v1"}),
        ("plain20", 32, {}),
        ("resnet20", 32, {"shortcut": "A"}),
        ("preact_resnet20", 32, {}),
        ("se_resnet20", 32, {}),
        ("densenet_bc100", 16, {}),
        ("mobilenet_v2", 64, {}),
        ("efficientnet_b0", 64, {}),
        ("vgg11", 64, {}),
    ],
)
def test_gradients_reach_exactly_the_pixels_of_the_receptive_field(name, size, options):
    model = linear(models.create(name, rng=0, **options).double().eval().requires_grad_(False))
    if name == "mobilenet_v2":  # so that no sum of a residual network reaches the 6 of a ReLU6
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.data = np.full(module.weight.shape, 0.3)
    rows = {row.name: row for row in summary(model, (1, 3, size, size)).rows if row.sees_all is not None}
    x = Tensor(np.ones((1, 3, size, size)), requires_grad=True)
    maps = {key: y for key, y in outputs(model, x).items() if key in rows}
    assert len(maps) >= 8
    for i, (key, y) in enumerate(maps.items()):
        place = (0, 0) if i % 3 == 0 else (y.shape[2] // 2, y.shape[3] - 1)
        assert reached(x, y, *place) == predicted(rows[key], place, size), (key, place)


def test_attention_sees_all_patches_and_a_patch_before_it_sees_itself():
    model = models.vit_tiny_cifar(rng=0).double().eval()
    table = {row.name: row for row in summary(model, (1, 3, 32, 32), depth=4).rows}
    kept = {}
    for name in ("encoder.dropout", "encoder.layers.encoder_layer_0"):
        module = model.get_submodule(name)
        module.register_forward_hook(lambda module, inputs, y, name=name: kept.setdefault(name, y))
    x = Tensor(np.random.default_rng(0).standard_normal((1, 3, 32, 32)), requires_grad=True)
    model(x)
    extents = {}
    for name, y in kept.items():
        dy = np.zeros(y.shape)
        dy[0, 1 + 8 + 2] = np.arange(64)  # the patch in row 1, column 2
        x.grad = None
        y.backward(dy, retain_graph=True)
        rows, columns = np.nonzero(np.abs(x.grad).sum((0, 1)))
        extents[name] = (rows.min(), rows.max(), columns.min(), columns.max())
    before, behind = table["encoder.dropout"], table["encoder.layers.encoder_layer_0"]
    assert extents["encoder.dropout"] == (4, 7, 8, 11)
    assert (before.field_size, before.field_stride, before.sees_all) == ((4, 4), (4, 4), False)
    assert extents["encoder.layers.encoder_layer_0"] == (0, 31, 0, 31)
    assert (behind.field_size, behind.sees_all) == ((4, 4), True)


@pytest.mark.parametrize(
    ("name", "options", "size"),
    [
        ("resnet50", {"variant": "v1"}, 483),
        ("resnet101", {"variant": "v1"}, 1027),
        ("resnet152", {"variant": "v1"}, 1507),
        ("vgg16", {}, 212),
    ],
)
def test_fields_are_those_that_araujo_et_al_list(name, options, size):
    """Araujo et al. 2019, table of "Computing receptive fields": resnet_v1_50 … and vgg_16."""
    with kernels.shapes_only():
        model = models.create(name, **options)
    field = summary(model, (1, 3, 224, 224)).largest_field
    assert (field.size, field.stride) == ((size, size), (32, 32))


@pytest.mark.parametrize("name", models.names())
def test_every_network_has_a_field_at_every_map(name):
    with kernels.shapes_only():
        model = models.create(name)
    table = summary(model, (1, 3, model.image_size, model.image_size), depth=9, receptive_fields=True)
    assert not [row for row in table.rows if row.output_size and len(row.output_size) == 4 and row.sees_all is None]
    assert table.rows[-1].sees_all
    assert max(map(len, str(table).splitlines())) <= 100


def test_rows_and_columns_may_differ_and_what_is_unknown_is_said_to_be():
    class Odd(nn.Module):
        def __init__(self):
            self.conv = nn.Conv2d(1, 2, (3, 5), (2, 1), (0, 2), rng=0)
            self.act = nn.ReLU()

        def forward(self, x):
            x = self.conv(x)
            return self.act(ops.einsum("nchw->ncwh", x))

    rows = summary(Odd(), (1, 1, 9, 9), receptive_fields=True).rows
    assert (rows[0].field_size, rows[0].field_stride, rows[0].field_start) == ((3, 5), (2, 1), (0, -2))
    assert [(row.field_size, row.sees_all) for row in rows[1:]] == [(None, None)] * 2
    assert "3×5" in str(summary(Odd(), (1, 1, 9, 9), receptive_fields=True))


def test_ways_of_unequal_strides_have_no_common_field():
    class Unequal(nn.Module):
        def __init__(self):
            self.conv = nn.Conv2d(1, 1, 3, padding=1, rng=0)

        def forward(self, x):
            return self.conv(x)[:, :, :3, :3] + x[:, :, ::2, ::2]

    rows = summary(Unequal(), (1, 1, 6, 6)).rows
    assert [(row.name, row.field_size, row.field_stride) for row in rows] == [
        ("conv", (3, 3), (1, 1)),
        ("getitem", (3, 3), (1, 1)),
        ("getitem", (1, 1), (2, 2)),
        ("add", None, None),
    ]
