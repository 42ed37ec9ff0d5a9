"""Ops that compute two or three things at once, for speed, as the calls of the plain ops that they stand for."""

from minires.export.values import Call


def in_parts(calls: list[Call]) -> list[Call]:
    """The calls, with plain ops only."""
    return [part for call in calls for part in PARTS.get(call.op, _itself)(call)]


def _itself(call):
    return [call]


def _between(call, op):
    """What is computed on the way to the output, and has its shape."""
    return call.output._replace(name=f"{call.output.name}.{op}")


def _with_relu(call, op):
    y = _between(call, op)
    return [call._replace(op=op, output=y), call._replace(op="relu", inputs=(y,), settings={})]


def _conv_norm(call):
    x, weight, gamma, beta = call.inputs
    settings = dict(call.settings)
    relu = settings.pop("relu", False)
    of_conv = {key: settings.pop(key) for key in ("stride", "padding", "dilation", "groups") if key in settings}
    z = _between(call, "conv2d")
    norm = call._replace(op="batch_norm", inputs=(z, gamma, beta), settings=settings)
    conv = call._replace(op="conv2d", inputs=(x, weight), settings=of_conv, output=z)
    return [conv, *(_with_relu(norm, "batch_norm") if relu else [norm])]


PARTS = {
    "batch_norm_relu": lambda call: _with_relu(call, "batch_norm"),
    "conv_norm": _conv_norm,
    "residual_add_relu": lambda call: _with_relu(call, "residual_add"),
}
