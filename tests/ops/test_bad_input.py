"""Bad input gets the right class of error and one line that names the op and what is wrong."""

import numpy as np
import pytest
from backends import BACKENDS, GPUS

from minires import Tensor, nn, ops
from minires.errors import DTypeError, OptionError, ShapeError

where = BACKENDS[0]


def t(*shape):
    return Tensor(where.array(np.random.default_rng(0).standard_normal(shape)))


def ones(*arguments):
    return where.array(np.ones(*arguments))


def labels(*values):
    return where.array(np.array(values))


def x():
    return t(2, 4, 6, 5)


def w():
    return t(6, 4, 3, 3)


CASES = [
    (ShapeError, lambda: ops.add(t(2, 3), t(4)), r"add: shapes \(2, 3\) and \(4,\) do not broadcast"),
    (ShapeError, lambda: ops.maximum(t(2, 3), t(3, 3)), r"maximum: shapes \(2, 3\) and \(3, 3\)"),
    (ShapeError, lambda: ops.conv2d(x(), w(), t(5)), r"conv2d: bias has shape \(5,\), 6 output channels need \(6,\)"),
    (ShapeError, lambda: ops.conv2d(x(), t(6, 3, 3, 3)), "conv2d: x has 4 channels, weight expects 3"),
    (ShapeError, lambda: ops.conv2d(x(), w(), stride=0), "conv2d: stride must be at least 1, got 0"),
    (DTypeError, lambda: ops.conv2d(x(), w(), stride=1.5), "conv2d: stride must be an integer or two, got 1.5"),
    (ShapeError, lambda: ops.conv2d(t(2, 4, 2, 2), w()), "conv2d: the kernel reaches over 3×3"),
    (ShapeError, lambda: ops.max_pool2d(x(), kernel_size=2, padding=2), "max_pool2d: padding 2 is more than half"),
    (ShapeError, lambda: ops.conv2d(x(), w(), stride=2, padding="same"), "conv2d: padding='same' needs stride 1"),
    (DTypeError, lambda: ops.conv2d(x(), w(), padding="full"), "padding must be an integer or two, 'same' or 'valid'"),
    (DTypeError, lambda: ops.max_pool2d(x(), 2, padding="same"), "max_pool2d: padding must be an integer or two"),
    (ShapeError, lambda: ops.max_pool2d(x(), 2, dilation=0), "max_pool2d: dilation must be at least 1, got 0"),
    (DTypeError, lambda: ops.adaptive_avg_pool2d(x(), None), "output_size must be an integer or two, got None"),
    (
        ShapeError,
        lambda: ops.adaptive_avg_pool2d(x(), (1, 2, 2)),
        r"output_size must be an integer or two, got \(1, 2, 2\)",
    ),
    (ShapeError, lambda: ops.avg_pool2d(t(4, 6), kernel_size=2), r"avg_pool2d: x must be \(N,C,H,W\)"),
    (
        ShapeError,
        lambda: ops.adaptive_avg_pool2d(x(), output_size=0),
        "adaptive_avg_pool2d: output_size must be at least 1",
    ),
    (ShapeError, lambda: ops.adaptive_avg_pool2d(t(2, 3)), r"adaptive_avg_pool2d: x must be \(N,C,H,W\), got \(2, 3\)"),
    (
        ShapeError,
        lambda: ops.batch_norm(x(), t(3), t(4), training=True),
        r"batch_norm: weight has shape \(3,\), x has 4",
    ),
    (
        ShapeError,
        lambda: ops.batch_norm(x(), t(4), t(4), running_mean=ones(5), running_var=ones(4)),
        r"batch_norm: running_mean has shape \(5,\)",
    ),
    (ShapeError, lambda: ops.batch_norm(x(), t(4), t(4)), "batch_norm: training=False needs running_mean"),
    (
        ShapeError,
        lambda: ops.batch_norm(x(), t(4), t(4), running_mean=ones(4), training=True),
        "batch_norm: running_mean and running_var come together",
    ),
    (ShapeError, lambda: ops.batch_norm(t(1, 4, 1, 1), t(4), t(4), training=True), "more than one value a channel"),
    (ShapeError, lambda: ops.batch_norm(t(0, 4, 2, 2), t(4), t(4), training=True), "more than one value a channel"),
    (
        ShapeError,
        lambda: ops.batch_norm(t(4), t(4), t(4), training=True),
        r"batch_norm: x must be \(N,C,H,W\), \(N,C,L\) or \(N,C\), got \(4,\)",
    ),
    (ShapeError, lambda: ops.batch_norm(t(1, 4), t(4), t(4), training=True), "more than one value a channel"),
    (
        OptionError,
        lambda: ops.layer_norm(x(), t(5), t(5), eps=float("nan")),
        "layer_norm: eps must be a finite number of at least 0, got nan",
    ),
    (DTypeError, lambda: ops.group_norm(x(), num_groups=2.0), "group_norm: num_groups must be an integer, got 2.0"),
    (ShapeError, lambda: ops.group_norm(x(), num_groups=3), "group_norm: num_groups=3 must divide the 4 channels of x"),
    (ShapeError, lambda: ops.group_norm(x(), num_groups=0), "group_norm: num_groups=0 must divide"),
    (ShapeError, lambda: ops.group_norm(t(4), num_groups=1), r"group_norm: x must be \(N,C,…\), got \(4,\)"),
    (ShapeError, lambda: ops.group_norm(t(2, 4, 0), num_groups=2), "group_norm: nothing to take a mean of"),
    (
        ShapeError,
        lambda: ops.group_norm(t(2, 0, 3), num_groups=1),
        r"group_norm: nothing to take a mean of in x \(2, 0, 3\)",
    ),
    (ShapeError, lambda: ops.group_norm(t(2, 0), num_groups=0), "group_norm: num_groups=0 must divide"),
    (
        ShapeError,
        lambda: ops.group_norm(x(), t(2), num_groups=2),
        r"group_norm: weight has shape \(2,\), x has 4 channels",
    ),
    (
        OptionError,
        lambda: ops.group_norm(x(), num_groups=2, eps=-1),
        "group_norm: eps must be a finite number of at least 0, got -1",
    ),
    (
        OptionError,
        lambda: ops.batch_norm(x(), t(4), t(4), training=True, eps=np.inf),
        "eps must be a finite number of at least 0, got inf",
    ),
    (ShapeError, lambda: ops.conv_norm(x(), w(), t(6), t(6), training=True), r"conv_norm: training needs a 1×1 conv"),
    (ShapeError, lambda: ops.conv_norm(x(), t(6, 4, 1, 1), t(6), t(6), training=True, stride=2), "use batch_norm"),
    (ShapeError, lambda: ops.conv_norm(x(), t(6, 2, 1, 1), t(6), t(6), training=True, groups=2), "groups=2"),
    (
        ShapeError,
        lambda: ops.conv_norm(x(), t(6, 4, 1, 1), t(4), t(6), training=True),
        r"conv_norm: gamma has shape \(4,\), y has 6",
    ),
    (
        ShapeError,
        lambda: ops.conv_norm(x(), t(6, 4, 1, 1), t(6), t(4), training=True),
        r"conv_norm: beta has shape \(4,\), y has 6",
    ),
    (ShapeError, lambda: ops.conv_norm(x(), w(), t(6), t(6)), "conv_norm: training=False needs running_mean"),
    (
        ShapeError,
        lambda: ops.conv_norm(x(), t(6, 3, 1, 1), t(6), t(6)),
        "conv_norm: x has 4 channels, weight expects 3",
    ),
    (ShapeError, lambda: ops.conv_norm(t(0, 4, 2, 2), t(6, 4, 1, 1), t(6), t(6), training=True), "more than one value"),
    (ShapeError, lambda: ops.layer_norm(x(), t(4), t(4)), r"layer_norm: x \(2, 4, 6, 5\) does not end with"),
    (ShapeError, lambda: ops.layer_norm(t(2, 0)), r"layer_norm: nothing to take a mean of in x \(2, 0\)"),
    (DTypeError, lambda: ops.cat(3), "cat: needs a list of tensors, got int"),
    (DTypeError, lambda: ops.stack(), "stack: needs a list of tensors, got NoneType"),
    (ShapeError, lambda: ops.layer_norm(x(), t(5), t(4)), r"layer_norm: bias has shape \(4,\)"),
    (ShapeError, lambda: ops.linear(t(2, 3), t(4, 5)), r"linear: x \(2, 3\) and weight \(4, 5\) do not fit"),
    (ShapeError, lambda: ops.linear(t(2, 3), t(4, 3), t(3)), "linear: bias has shape"),
    (ShapeError, lambda: ops.matmul(t(2, 3), t(4, 5)), r"matmul: \(2, 3\) and \(4, 5\) do not fit"),
    (ShapeError, lambda: ops.matmul(t(2, 2, 3), t(4, 3, 5)), "matmul: the leading axes"),
    (ShapeError, lambda: ops.matmul(t(), t(3)), r"matmul: \(\) and \(3,\)"),
    (ShapeError, lambda: ops.reshape(t(2, 3), shape=(4, 2)), "reshape: 6 elements"),
    (ShapeError, lambda: ops.permute(t(2, 3), dims=(0, 0)), r"permute: dims \(0, 0\) must name each"),
    (ShapeError, lambda: ops.transpose(t(2, 3), dim0=0, dim1=2), "transpose: dim 2 is out of range for 2 axes"),
    (ShapeError, lambda: ops.flatten(t(2, 3, 4), start_dim=2, end_dim=1), "flatten: start_dim 2 comes after"),
    (ShapeError, lambda: ops.cat([t(2, 3), t(2, 4)], dim=0), "cat: shapes"),
    (ShapeError, lambda: ops.cat([]), "cat: needs at least one"),
    (ShapeError, lambda: ops.cat([t(), t()]), "cat: a 0-d tensor has no axis"),
    (DTypeError, lambda: ops.cat([t(2, 3), None]), "cat: argument 2 must be a Tensor or an array, got NoneType"),
    (ShapeError, lambda: ops.stack([t(2, 3), t(2, 4)]), "stack: shapes"),
    (ShapeError, lambda: ops.stack([t(2), t(2)], dim=2), "stack: dim 2 is out of range for 2 axes"),
    (ShapeError, lambda: ops.pad(t(2, 3), pad=(1,)), "pad: needs two widths"),
    (ShapeError, lambda: ops.pad(t(2, 3), pad=(1, -1)), "pad: needs two widths >= 0"),
    (ShapeError, lambda: ops.broadcast_to(t(2, 3), shape=(4, 3)), r"broadcast_to: \(2, 3\) does not broadcast"),
    (ShapeError, lambda: ops.sum(t(2, 3), dim=2), "sum: dim 2 is out of range"),
    (ShapeError, lambda: ops.softmax(t(2, 3), dim=-3), "softmax: dim -3 is out of range for 2 axes"),
    (DTypeError, lambda: ops.sum(t(2, 3), dim=1.0), "sum: dim must be an integer, got 1.0"),
    (DTypeError, lambda: ops.softmax(t(2, 3), dim=(0, 1)), r"softmax: dim must be an integer, got \(0, 1\)"),
    (ShapeError, lambda: ops.softmax(t(0, 3), dim=0), r"softmax: nothing to add up along dim 0 of shape \(0, 3\)"),
    (ShapeError, lambda: ops.log_softmax(t(3, 0), dim=1), "log_softmax: nothing to add up along dim 1"),
    (ShapeError, lambda: ops.logsumexp(t(3, 0), dim=1), "logsumexp: nothing to add up along dim 1"),
    (ShapeError, lambda: ops.mean(t(2, 3), dim=(0, -2)), "mean: dim .* names an axis twice"),
    (ShapeError, lambda: ops.max(t(0, 3), dim=0), "max: nothing to choose from"),
    (ShapeError, lambda: ops.var(t(1, 3), dim=0), "var: 1 values along dim 0 leave no degree"),
    (IndexError, lambda: t(2, 3)[5], r"getitem: .*shape \(2, 3\)"),
    (ShapeError, lambda: ops.residual_add(t(2, 3), t(3)), r"residual_add: the shortcut has shape \(2, 3\), the branch"),
    (ShapeError, lambda: ops.mse_loss(t(2, 3), t(3)), "mse_loss: input"),
    (
        OptionError,
        lambda: ops.mse_loss(t(2), t(2), reduction="max"),
        "mse_loss: reduction must be one of mean, sum, none",
    ),
    (ShapeError, lambda: ops.cross_entropy(t(3, 4), labels(0, 1)), r"cross_entropy: logits \(N,K,…\) are \(3, 4\)"),
    (ShapeError, lambda: ops.cross_entropy(t(3), labels(0, 1, 2)), r"cross_entropy: logits \(N,K,…\) are \(3,\)"),
    (ShapeError, lambda: ops.cross_entropy(t(3, 0), labels(0, 1, 2)), r"cross_entropy: logits \(N,K,…\) are \(3, 0\)"),
    (ShapeError, lambda: ops.cross_entropy(t(2, 4, 3), labels(0, 1)), r"are \(2, 4, 3\), target \(N,…\) is \(2,\)"),
    (DTypeError, lambda: ops.cross_entropy(t(3, 4), labels(True, False, True)), "as integers, got bool"),
    (DTypeError, lambda: ops.cross_entropy(t(3, 4), ["a", "b", "c"]), "cross_entropy: target must hold class numbers"),
    (DTypeError, lambda: ops.cross_entropy(t(3, 4), [[0], [1, 2]]), r"as integers, got the list \[\[0\], \[1, 2\]\]"),
    (DTypeError, lambda: ops.cross_entropy(t(3, 4), [0.0, 1.0, 2.0]), "as integers, got float64"),
    (
        ShapeError,
        lambda: ops.cross_entropy(t(4), where.array(np.array(1))),
        r"of one sample give a batch of one: logits\[None\], target\[None\]",
    ),
    (
        ShapeError,
        lambda: ops.nll_loss(t(4), where.array(np.array(1))),
        r"of one sample give a batch of one: log_p\[None\], target\[None\]",
    ),
    (DTypeError, lambda: ops.cross_entropy(t(3, 4), ones((3, 4), np.float32)), "mixes float64 logits and float32 prob"),
    (
        DTypeError,
        lambda: ops.cross_entropy(t(3, 4), ones((4, 3))),
        r"all classes of the logits \(3, 4\); got float64 \(4, 3\)",
    ),
    (
        OptionError,
        lambda: ops.cross_entropy(t(3, 4), ones((3, 4)), ignore_index=0),
        "ignore_index=0 goes with class numbers",
    ),
    (
        DTypeError,
        lambda: ops.cross_entropy(t(3, 4), labels(0, 1, 2), ignore_index=0.5),
        "ignore_index must be an integer",
    ),
    (
        ShapeError,
        lambda: ops.cross_entropy(t(3, 4), ones((3, 4)), weight=ones(3)),
        r"weight has shape \(3,\), 4 classes",
    ),
    (ShapeError, lambda: ops.cross_entropy(t(3, 4), ones((3, 4), int)), r"target \(N,…\) is \(3, 4\)"),
    (IndexError, lambda: ops.nll_loss(t(3, 4), labels(0, 4, 1)), r"nll_loss: target 4 is no class of 0 … 3"),
    (DTypeError, lambda: ops.nll_loss(t(3, 4), ones((3, 4))), "nll_loss: target must hold class numbers as integers"),
    (ShapeError, lambda: ops.nll_loss(t(3, 4), labels(0, 1)), r"nll_loss: log_p \(N,K,…\) are \(3, 4\)"),
    (
        OptionError,
        lambda: ops.nll_loss(t(3, 4), labels(0, 1, 2), reduction="avg"),
        "nll_loss: reduction must be one of",
    ),
    (
        ShapeError,
        lambda: ops.binary_cross_entropy_with_logits(t(3, 1), t(3)),
        r"input \(3, 1\) and target \(3,\) differ",
    ),
    (
        ShapeError,
        lambda: ops.binary_cross_entropy_with_logits(t(3, 2), t(3, 2), pos_weight=ones(3)),
        r"pos_weight \(3,\) does not broadcast to the input \(3, 2\)",
    ),
    (
        ShapeError,
        lambda: ops.binary_cross_entropy_with_logits(t(3), t(3), weight=ones((2, 3))),
        "weight .* does not broadcast",
    ),
    (
        DTypeError,
        lambda: ops.binary_cross_entropy_with_logits(t(3), t(3), pos_weight=2.0),
        "pos_weight must be an array",
    ),
    (OptionError, lambda: ops.binary_cross_entropy_with_logits(t(3), t(3), reduction=None), "reduction must be one of"),
    (ShapeError, lambda: ops.l1_loss(t(3), t(3, 1)), r"l1_loss: input \(3,\) and target \(3, 1\) differ"),
    (OptionError, lambda: ops.l1_loss(t(2), t(2), reduction="max"), "l1_loss: reduction must be one of"),
    (ShapeError, lambda: ops.smooth_l1_loss(t(3), t(2)), "smooth_l1_loss: input"),
    (
        OptionError,
        lambda: ops.smooth_l1_loss(t(2), t(2), beta=-1),
        "smooth_l1_loss: beta must be a finite number of at least 0, got -1",
    ),
    (
        OptionError,
        lambda: ops.smooth_l1_loss(t(2), t(2), beta=float("nan")),
        "beta must be a finite number of at least 0, got nan",
    ),
    (DTypeError, lambda: ops.cross_entropy(t(3, 4), labels(0, 1, 2), weight=[1, 1, 1, 2]), "weight must be an array"),
    (DTypeError, lambda: ops.conv2d(x(), ones((6, 4, 3, 3), np.float32)), "conv2d: mixes float64 and float32"),
    (DTypeError, lambda: ops.conv2d(x(), ones((6, 4, 3, 3), int)), "conv2d: argument 2 is int64"),
    (DTypeError, lambda: ops.linear(t(2, 3), ones((4, 3), complex)), "linear: argument 2 is complex128"),
    (DTypeError, lambda: ops.relu(np.array(["a"])), "relu: argument 1 is <U1"),
    (DTypeError, lambda: ops.exp(np.array([object()])), "exp: argument 1 is object"),
    (DTypeError, lambda: ops.tanh(ones(2, np.float16) * 1j), "tanh: argument 1 is complex"),
    (DTypeError, lambda: ops.cross_entropy(t(3, 4), ones(3)), "cross_entropy: target must hold class numbers"),
    (DTypeError, lambda: ops.cross_entropy(ones((3, 4), int), labels(0, 1, 2)), "cross_entropy: argument 1 is int64"),
    (IndexError, lambda: ops.cross_entropy(t(3, 4), labels(0, 4, 1)), r"cross_entropy: target 4 is no class of 0 … 3"),
    (IndexError, lambda: ops.cross_entropy(t(3, 4), labels(0, -1, 1)), "target -1 is no class"),
    (
        IndexError,
        lambda: ops.cross_entropy(t(3, 4), where.array(np.array([0, 2**64 - 100, 1], np.uint64))),
        r"is no class of 0 … 3",
    ),
    (
        IndexError,
        lambda: ops.cross_entropy(t(3, 4), where.array(np.array([0, 2**64 - 1, 1], np.uint64)), ignore_index=-1),
        r"is no class of 0 … 3",
    ),
    (
        IndexError,
        lambda: ops.nll_loss(t(3, 4), where.array(np.array([0, 2**64 - 100, 1], np.uint64))),
        r"is no class of 0 … 3",
    ),
    (
        OptionError,
        lambda: ops.cross_entropy(t(3, 4), labels(0, 1, 2), label_smoothing=1.5),
        "label_smoothing must be a number of at least 0 and at most 1, got 1.5",
    ),
    (
        OptionError,
        lambda: ops.cross_entropy(t(3, 4), labels(0, 1, 2), label_smoothing="a"),
        "label_smoothing .* got 'a'",
    ),
    (OptionError, lambda: ops.cross_entropy(t(3, 4), labels(0, 1, 2), reduction="avg"), "reduction must be one of"),
    (ShapeError, lambda: ops.cross_entropy(t(3, 4), labels(0, 1, 2), weight=ones(3)), "weight has shape"),
    (
        OptionError,
        lambda: ops.dropout(t(3), p=1.5, rng=0),
        "dropout: p must be a number of at least 0 and at most 1, got 1.5",
    ),
    (OptionError, lambda: ops.dropout(t(3), p=0.5, rng=-1), "a seed must be a whole number of at least 0, got -1"),
    (OptionError, lambda: ops.clip(t(3)), "clip: give min, max or both"),
    (OptionError, lambda: ops.gelu(t(3), approximate="erf"), "gelu: approximate must be"),
    (ShapeError, lambda: nn.Conv2d(4, 6, 3, groups=3), "Conv2d: groups=3 must divide 4"),
    (ShapeError, lambda: nn.Conv2d(4, 6, 0), "Conv2d: kernel_size must be at least 1"),
    (OptionError, lambda: nn.BatchNorm2d(3, momentum=2), "BatchNorm2d: momentum must be a number"),
    (OptionError, lambda: nn.Dropout(-1), "Dropout: p must be a number"),
]


@pytest.mark.parametrize(("error", "call", "message"), CASES, ids=[message[:40] for _, _, message in CASES])
def test_bad_input_is_refused_with_one_clear_line(error, call, message, backend, monkeypatch):
    monkeypatch.setitem(globals(), "where", backend)
    if backend in GPUS and "is no class" in message:
        assert np.isnan(call().item())  # nobody waits for the targets
        return
    with pytest.raises(error, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_no_pictures_are_a_valid_batch():
    x = t(0, 4, 6, 5)
    weight = Tensor(w().data, requires_grad=True)
    y = ops.conv2d(x, weight, padding=1)
    assert y.shape == (0, 6, 6, 5)
    y.sum().backward()
    assert not weight.grad.any()
    assert ops.max_pool2d(x, kernel_size=2).shape == (0, 4, 3, 2)


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[:, :, ::-1],
        lambda a: a.swapaxes(2, 3).copy().swapaxes(2, 3),
        lambda a: np.broadcast_to(a[:1], a.shape),
    ],
)
def test_any_view_is_a_valid_input(view):
    picture = view(x().data)
    straight = np.ascontiguousarray(picture)
    for op in (
        lambda x: ops.conv2d(x, w(), padding=1),
        ops.relu,
        lambda x: ops.max_pool2d(x, kernel_size=2),
        lambda x: ops.batch_norm(x, np.ones(4), np.ones(4), training=True),
    ):
        np.testing.assert_allclose(op(Tensor(picture)).data, op(Tensor(straight)).data, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("place", GPUS)
@pytest.mark.parametrize("where", ["target", "weight", "running_mean", "gradient", "x"])
def test_arrays_on_two_devices_are_refused_with_one_clear_line(place, where):
    x = Tensor(place.array(ones((2, 3), np.float32)), requires_grad=True)
    here = ones(3, np.float32)
    there = place.array(here)
    calls = {
        "target": lambda: ops.cross_entropy(x, np.array([0, 1])),
        "weight": lambda: ops.cross_entropy(x, place.array(np.array([0, 1])), weight=here),
        "running_mean": lambda: ops.batch_norm(
            x.reshape(2, 3, 1, 1), there, there, running_mean=here, running_var=here
        ),
        "gradient": lambda: x.backward(ones((2, 3), np.float32)),
        "x": lambda: x + ones((2, 3), np.float32),
    }
    with pytest.raises(DTypeError, match="cuda:0") as caught:
        calls[where]()
    assert "cpu" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert x[np.array([1, 0])].shape == (2, 3)  # an index may lie anywhere
