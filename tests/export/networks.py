"""Networks to be exported: one of each family, as small as its images allow, and small ones that call the ops."""

import numpy as np

from minires import Tensor, models, ops
from minires.nn import BatchNorm2d, Conv2d, Module, Sequential

FAMILIES = {  # name: (images' size, options)
    "resnet18": (33, {}),
    "resnet20": (32, {"shortcut": "A"}),
    "preact_resnet20": (32, {}),
    "wide_resnet16_4": (16, {}),
    "resnext11": (16, {}),
    "se_resnet20": (16, {}),
    "vgg11_bn": (32, {"hidden": 32, "channels": (16, 16, 32, 32, 32)}),
    "densenet_bc100": (16, {}),
    "mobilenet_v2": (32, {}),
    "efficientnet_b0": (40, {}),
    "vit_tiny_cifar": (32, {}),
}


def trained(model, seed=0):
    """The model with weights as if it were trained: norms that are not the identity, and a head that is not 0."""
    rng = np.random.default_rng(seed)
    for name, array in model.state_dict().items():
        if array.ndim == 1 and name.endswith("weight"):
            array[...] = rng.uniform(0.7, 1.3, array.shape)
        elif name.endswith("running_var"):
            array[...] = rng.uniform(0.5, 2, array.shape)
        elif name.endswith(("bias", "running_mean")):
            array[...] = rng.normal(0, 0.2, array.shape)
        elif name.endswith("head.weight"):
            array[...] = rng.normal(0, 0.1, array.shape)
    return model.eval()


def family(name):
    """(the network, the shape of its images)."""
    size, options = FAMILIES[name]
    if name == "resnext11":
        model = models.CifarResNeXt(11, groups=4, width_per_group=8, rng=0)
    else:
        model = models.create(name, num_classes=10, rng=0, **options)
    return trained(model), (3, size, size)


def images(shape, N, dtype=np.float32):
    return np.random.default_rng(N).standard_normal((N, *shape)).astype(dtype)


class Calls(Module):
    """A network that is a function of (self, x): self.weight has the channels of the images, and self.mask is fixed."""

    def __init__(self, function):
        self.function = function
        self.conv = Conv2d(4, 6, 3, padding="same", rng=0)
        self.body = Sequential(Conv2d(4, 6, 3, rng=1), BatchNorm2d(6))
        self.mask = np.tri(5, dtype=bool)
        self.factors = np.linspace(0.5, 2, 6, dtype=np.float32).reshape(6, 1, 1)

    def forward(self, x):
        return self.function(self, x)


SHAPE = (4, 5, 6)  # of the images of these networks
CASES = {
    "abs exp log sqrt neg": lambda net, x: ops.log(ops.sqrt(ops.exp(-abs(x))) + 1),
    "sub, a number first": lambda net, x: 1 - x / 3,
    "pow div": lambda net, x: x**2 / (x**2 + 0.5),
    "maximum minimum": lambda net, x: ops.minimum(ops.maximum(x, -0.3), x * 0.5),
    "maximum, a number first": lambda net, x: ops.maximum(0.2, x),
    "clip": lambda net, x: x.clip(-0.5, 0.25),
    "clip, one bound": lambda net, x: ops.clip(x, min=0.1),
    "relu6 leaky_relu": lambda net, x: ops.relu6(4 * x) + ops.leaky_relu(x, negative_slope=0.2),
    "sigmoid tanh silu": lambda net, x: ops.sigmoid(x) * ops.tanh(x) + ops.silu(x),
    "gelu": lambda net, x: ops.gelu(x),
    "gelu, tanh": lambda net, x: ops.gelu(x, approximate="tanh"),
    "softmax log_softmax": lambda net, x: ops.softmax(x, dim=1) + ops.log_softmax(x, dim=-1),
    "logsumexp": lambda net, x: ops.logsumexp(x, dim=(2, 3)),
    "sum mean": lambda net, x: x.mean((2, 3), keepdim=True) * x.sum(1, keepdim=True),
    "sum, of all but the images": lambda net, x: x.sum(dim=(1, 2, 3)),
    "amax amin": lambda net, x: x.amax(3) - x.amin(3),
    "conv2d, same": lambda net, x: net.conv(x),
    "conv2d, dilated groups": lambda net, x: ops.conv2d(
        x, net.conv.weight[:, :2], groups=2, dilation=2, padding=3, stride=(2, 1)
    ),
    "conv_norm": lambda net, x: ops.conv_norm(
        x, net.body[0].weight, *net.body[1].affine_of(x), relu=True, **net.body[1].op_settings()
    ),
    "batch_norm_relu": lambda net, x: ops.batch_norm_relu(
        net.conv(x), *net.body[1].affine_of(x), **net.body[1].op_settings()
    ),
    "residual_add_relu": lambda net, x: ops.residual_add_relu(x, 2 * x),
    "residual_add": lambda net, x: ops.residual_add(x, 2 * x),
    "layer_norm": lambda net, x: ops.layer_norm(x, normalized_shape=(5, 6), eps=1e-3),
    "group_norm": lambda net, x: ops.group_norm(net.conv(x), net.body[1].weight, net.body[1].bias, num_groups=3),
    "max_pool2d": lambda net, x: ops.max_pool2d(x, kernel_size=3, stride=2, padding=1),
    "max_pool2d, ceil_mode": lambda net, x: ops.max_pool2d(x, kernel_size=2, stride=2, ceil_mode=True),
    "max_pool2d, ceil_mode, windows past the end": lambda net, x: ops.max_pool2d(
        x, kernel_size=(2, 3), stride=(3, 4), padding=1, ceil_mode=True
    ),
    "max_pool2d, dilated": lambda net, x: ops.max_pool2d(x, kernel_size=2, stride=1, dilation=2),
    "avg_pool2d": lambda net, x: ops.avg_pool2d(x, kernel_size=3, stride=2, padding=1),
    "avg_pool2d, ceil_mode": lambda net, x: ops.avg_pool2d(x, kernel_size=2, stride=2, ceil_mode=True),
    "avg_pool2d, ceil_mode and padding": lambda net, x: ops.avg_pool2d(
        x, kernel_size=3, stride=2, padding=1, ceil_mode=True
    ),
    "avg_pool2d, padding left out": lambda net, x: ops.avg_pool2d(
        x, kernel_size=3, stride=2, padding=1, ceil_mode=True, count_include_pad=False
    ),
    "adaptive_avg_pool2d": lambda net, x: ops.adaptive_avg_pool2d(x, output_size=(None, 3)),
    "adaptive_avg_pool2d, finer": lambda net, x: ops.adaptive_avg_pool2d(x, output_size=(7, 4)),
    "cat stack": lambda net, x: ops.cat([ops.stack([x, 2 * x], dim=1), ops.stack([x, x], dim=1)], dim=-1),
    "stack, dim=-1": lambda net, x: ops.stack([x, 2 * x], dim=-1),
    "getitem": lambda net, x: x[:, 1:, ::2, -1],
    "getitem, an ellipsis and a new axis": lambda net, x: x[..., None, 1:-1],
    "getitem, an image's row": lambda net, x: x[:, -1, 0],
    "permute transpose": lambda net, x: x.permute(0, 2, 3, 1).transpose(-1, 1),
    "flatten": lambda net, x: ops.flatten(x, start_dim=1) + x.flatten(1, 2).reshape(len(x), -1),
    "reshape, two images a row": lambda net, x: x.reshape(len(x) * 4, 30),
    "squeeze unsqueeze": lambda net, x: x[:, :1].squeeze(1).unsqueeze(-1),
    "pad": lambda net, x: ops.pad(x, pad=(1, 2, 0, 1), value=-1.5),
    "expand": lambda net, x: ops.cat([net.body[1].weight[:4].reshape(1, 4, 1, 1).expand(len(x), -1, 5, 6), x], dim=1),
    "broadcast_to": lambda net, x: ops.broadcast_to(x[:, :1], shape=(len(x), 4, 5, 6)),
    "matmul": lambda net, x: x @ x.transpose(2, 3),
    "einsum": lambda net, x: ops.einsum("ncij,nckj->nik", x, x),
    "linear": lambda net, x: ops.linear(x, net.conv.weight[:, 0, 0, :2].reshape(2, 6), net.conv.bias[:2]),
    "attention": lambda net, x: ops.scaled_dot_product_attention(x, x, x, is_causal=True, scale=0.5),
    "attention, a mask": lambda net, x: ops.scaled_dot_product_attention(x, x, x, attn_mask=net.mask),
    "a constant": lambda net, x: net.conv(x) * net.factors,
    "where": lambda net, x: ops.where(net.mask[:, :1], x, x * 0.5),
    "clone": lambda net, x: x.clone() + ops.dropout(x, training=False),
}


def case(name):
    net = trained(Calls(CASES[name]))
    assert isinstance(net(Tensor(images(SHAPE, 2))), Tensor)
    return net
