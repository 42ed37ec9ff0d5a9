"""A network as a Python file for PyTorch: parameters by their names, and one line for each op."""

import inspect
from collections.abc import Sequence

import numpy as np

from minires.errors import OptionError
from minires.export.recording import Recording
from minires.export.torch_rows import ROWS
from minires.export.values import Batch, Value, values_of
from minires.op import registry

MOST = 4096  # numbers of a constant that is no parameter, which are written into the file
NAMES = ("x", "f", "g", "h")  # of what is computed; further ones are h1, h2, …

FILE = '''\
"""{title}, as minires computes it in evaluation, for PyTorch. Written by python -m minires.export.

>>> {imports}
>>> from {module} import {kind}
>>> model = {kind}().eval()
>>> model.load_state_dict({load})

Its parameters have the names and shapes of the file of weights. Comments give the shape of what a line computes.
"""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812


class Part(nn.Module):
    """What holds parameters and other parts: part[0] and part.conv1 are the parts "0" and "conv1"."""

    def __getitem__(self, name):
        return getattr(self, str(name))

    def find(self, path):
        """The part with this dotted name, made if it is not there yet."""
        found = self
        for name in filter(None, path.split(".")):
            if name not in found._modules:
                found.add_module(name, Part())
            found = found[name]
        return found


def batch_norm(x, part, eps=1e-5):
    return F.batch_norm(x, part.running_mean, part.running_var, part.weight, part.bias, eps=eps)


class {kind}(Part):
    """images {images} -> logits {logits}; N is any number of images."""

    PARAMETERS = {{
{parameters}
    }}
    BUFFERS = {{
{buffers}
    }}

    def __init__(self):
        super().__init__()
        for name, shape in self.PARAMETERS.items():
            path, _, last = name.rpartition(".")
            self.find(path).register_parameter(last, nn.Parameter(torch.zeros(shape)))
        for name, (shape, dtype) in self.BUFFERS.items():
            path, _, last = name.rpartition(".")
            self.find(path).register_buffer(last, torch.zeros(shape, dtype=dtype))
{constants}
    def forward(self, x):
{lines}
'''


def to_torch(
    recording: Recording, state: dict, trained: Sequence[str], *, name: str, module: str = "twin", load: str = "…"
) -> str:
    """The text of a Python file, which needs PyTorch only.

    state: all names and arrays of the network's state_dict. trained: the names among them that are parameters.
    load: what the file says of loading its weights. Raises OptionError for an op that has no row.
    """
    writer = _Writer(recording)
    lines = writer.lines()
    kind = "".join(word[:1].upper() + word[1:] for word in name.split("_"))
    buffers = {n: f"({_tuple(a.shape)}, torch.{a.dtype})" for n, a in state.items() if n not in trained}
    return FILE.format(
        imports="from safetensors.torch import load_file" if load.startswith("load_file") else "import torch",
        title=name,
        kind=kind,
        module=module,
        load=load,
        images=_shape(recording.images.shape),
        logits=_shape(recording.logits.shape),
        parameters=_rows({n: _tuple(state[n].shape) for n in trained}),
        buffers=_rows(buffers),
        constants=writer.constants(),
        lines="\n".join(lines),
    )


def _rows(texts):
    return "\n".join(f'        "{name}": {text},' for name, text in texts.items())


def _tuple(shape):
    return repr(tuple(int(n) for n in shape))


def _shape(shape):
    return f"({','.join(str(size).replace(' ', '') for size in shape)})"


class _Writer:
    """The lines of forward(). A name is used again once its value is needed no more, so that memory is free again."""

    def __init__(self, recording):
        self.recording = recording
        self.names = {recording.images.name: "x"}
        self.last = {x.name: i for i, call in enumerate(recording.calls) for x in values_of(call)}
        self.last[recording.logits.name] = len(recording.calls)
        self.call = None

    def lines(self):
        """A line for each op, below a comment that names the part of the network."""
        calls = self.recording.calls
        lines = ["        N = len(x)"] * any(_has_batch(call.settings) for call in calls)
        block = None
        for i, call in enumerate(calls):
            self.call = call
            if call.op not in ROWS:
                raise OptionError(
                    f"export: {call.op} in {call.where or 'the network'} has no row in the table of PyTorch's "
                    f"functions; they are {', '.join(sorted(ROWS))}"
                )
            if call.block != block:
                block = call.block
                lines += [""] * bool(lines) + [f"        # {block}"] * bool(block)
            text = ROWS[call.op](self, *call.inputs, **call.settings)
            for x in values_of(call):
                if self.last[x.name] == i:
                    self.names.pop(x.name, None)
            name = self._free()
            self.names[call.output.name] = name
            lines.append(f"        {name} = {text}  # {_shape(call.output.shape)}")
        return [*lines, f"        return {self.names[self.recording.logits.name]}"]

    def _free(self):
        taken = set(self.names.values())
        return next(name for name in (*NAMES, *(f"h{k}" for k in range(1, len(taken) + 2))) if name not in taken)

    def __call__(self, x, *inputs, **settings):
        """The text of a Value or setting, or of the call of a function."""
        if inputs:
            defaults = inspect.signature(registry[self.call.op].raw).parameters
            given = {
                k: v for k, v in settings.items() if k not in defaults or defaults[k].default != _number_of_pair(v)
            }
            return f"{x}({', '.join([*map(self, inputs), *(f'{k}={self(v)}' for k, v in given.items())])})"
        if isinstance(x, Value):
            return self.names[x.name] if x.kind in ("images", "result") else _attribute(x.name)
        if isinstance(x, Batch):
            return str(x)
        if isinstance(x, tuple):
            return f"({', '.join(map(self, x))}{',' * (len(x) == 1)})"
        return repr(x)

    def part(self, name):
        """The text of a part of the network."""
        return _attribute(name)

    @property
    def dtype(self):
        return f"torch.{np.dtype(self.call.output.dtype)}"

    def constants(self):
        """The lines of __init__ for the arrays that are no parameters."""
        lines = []
        for call in self.recording.calls:
            for x in values_of(call):
                array = self.recording.arrays.get(x.name)
                if x.kind != "constant" or any(f'"{x.name}"' in line for line in lines):
                    continue
                if array.size > MOST:
                    raise OptionError(
                        f"export: {call.op} in {call.where or 'the network'} takes an array of {array.size:,} numbers "
                        "that is neither a parameter nor a buffer; register_buffer makes it one"
                    )
                numbers = repr(array.tolist()).replace("inf", "float('inf')").replace("nan", "float('nan')")
                tensor = f"torch.tensor({numbers}, dtype=torch.{array.dtype})"
                lines.append(f'        self.register_buffer("{x.name}", {tensor}, persistent=False)\n')
        return "".join(lines)


def _has_batch(setting):
    if isinstance(setting, dict):
        return any(map(_has_batch, setting.values()))
    if isinstance(setting, slice):
        return any(map(_has_batch, (setting.start, setting.stop, setting.step)))
    if isinstance(setting, Value):
        return False
    return isinstance(setting, Batch) or (isinstance(setting, tuple) and any(map(_has_batch, setting)))


def _number_of_pair(value):
    """(1, 1) as 1, as defaults say it."""
    return value[0] if isinstance(value, tuple) and len(value) == 2 and value[0] == value[1] else value


def _attribute(name):
    """self.layer1[0].conv1.weight, for layer1.0.conv1.weight."""
    return "self" + "".join(f".{part}" if part.isidentifier() else f"[{part}]" for part in name.split("."))
