"""Module: a function with parameters, made of other modules. What it holds is found by looking at its attributes."""

import numpy as np

from minires.arrays import as_array, to_device
from minires.errors import CheckpointError, OptionError
from minires.graph import no_grad
from minires.tensor import Tensor, unwrap


class Parameter(Tensor):
    """A Tensor that training changes."""

    __slots__ = ()

    def __init__(self, data, requires_grad=True):
        super().__init__(data, requires_grad)


class Module:
    """Base of all layers and models: set parameters, buffers and other modules as attributes, write forward()."""

    training = True
    _buffers = ()  # names of the attributes that are state but not trained, such as running statistics
    _hooks = None

    def forward(self, *inputs):
        raise NotImplementedError(f"{type(self).__name__} has no forward()")

    def __call__(self, *inputs):
        output = self.forward(*inputs)
        for hook in tuple((self._hooks or {}).values()):
            changed = hook(self, inputs, output)
            output = output if changed is None else changed
        return output

    def register_forward_hook(self, hook):
        """Call hook(module, inputs, output) after forward; what it returns replaces the output. Returns a remover."""
        self._hooks = self._hooks or {}
        key = object()
        self._hooks[key] = hook
        return lambda: self._hooks.pop(key, None)

    def register_buffer(self, name, array):
        """Keep an array that belongs to the state but is not trained."""
        setattr(self, name, array)
        self._buffers = (*self._buffers, name)

    # Walking the tree

    def named_children(self):
        """(name, module) for each module held directly, in the order of definition."""
        return [(name, value) for name, value in vars(self).items() if isinstance(value, Module)]

    def named_modules(self, prefix=""):
        """(dotted name, module) for this module ("") and all below it."""
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def modules(self):
        return (module for _, module in self.named_modules())

    def named_parameters(self):
        """(dotted name, parameter), each parameter once."""
        seen = set()
        for prefix, module in self.named_modules():
            for name, value in vars(module).items():
                if isinstance(value, Parameter) and id(value) not in seen:
                    seen.add(id(value))
                    yield f"{prefix}.{name}" if prefix else name, value

    def parameters(self):
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self):
        """(dotted name, array)"""
        for prefix, module in self.named_modules():
            for name in module._buffers:
                yield f"{prefix}.{name}" if prefix else name, getattr(module, name)

    def apply(self, function):
        """Call function(module) on every module below this one, then on this one, as torch does."""
        for _, child in self.named_children():
            child.apply(function)
        function(self)
        return self

    # Switches

    def train(self, mode=True):
        """Training mode: batch statistics, dropout at work."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self):
        """Evaluation mode: running statistics, no dropout."""
        return self.train(False)

    def requires_grad_(self, requires_grad=True):
        """Freeze or unfreeze all parameters."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self):
        for parameter in self.parameters():
            parameter.grad = None

    def to(self, target):
        """Move all parameters and buffers to a device ("cpu", "cuda") or change their float type (np.float64).

        Single integers, such as a count of batches, stay on the host: no kernel needs them.
        """
        if isinstance(target, str):
            def convert(array):
                return to_device(array, target) if array.ndim or array.dtype.kind == "f" else array
        else:
            dtype = np.dtype(target)
            if dtype not in (np.float32, np.float64):
                raise OptionError(f"to: a device name, float32 or float64 is needed, got {target!r}")

            def convert(array):
                return array.astype(dtype) if array.dtype.kind == "f" else array
        for parameter in self.parameters():
            parameter.data = convert(parameter.data)
            parameter.grad = None if parameter.grad is None else convert(parameter.grad)
        for module in self.modules():
            for name in module._buffers:
                setattr(module, name, convert(getattr(module, name)))
        return self

    # State

    def state_dict(self):
        """{dotted name: array} of parameters and buffers; the arrays are the living ones, not copies."""
        state = {}
        for prefix, module in self.named_modules():
            for name, value in vars(module).items():
                if isinstance(value, Parameter) or name in module._buffers:
                    state[f"{prefix}.{name}" if prefix else name] = unwrap(value)
        return state

    def load_state_dict(self, state, *, strict=True):
        """Copy arrays (or Tensors, torch's too) in by name; nothing is changed unless everything fits.

        Counts of batches (num_batches_tracked) may be absent. strict=False ignores missing and unexpected names,
        never a wrong shape. Raises CheckpointError naming what is missing, unexpected or of another shape.
        """
        own = self.state_dict()
        given = {name: as_array(value.data if isinstance(value, Tensor) else np.asarray(value))
                 for name, value in state.items()}
        missing = [name for name in own if name not in given and not name.endswith("num_batches_tracked")]
        unexpected = [name for name in given if name not in own]
        wrong = [f"{name} (file {given[name].shape}, model {own[name].shape})"
                 for name in own if name in given and given[name].shape != own[name].shape]
        faults = [f"{what}: {_some(names)}" for what, names in
                  (("missing", missing), ("unexpected", unexpected), ("shape differs", wrong))
                  if names and (strict or names is wrong)]
        if faults:
            raise CheckpointError(f"{type(self).__name__} cannot load this state; " + "; ".join(faults))
        with no_grad():
            for name, parameter in self.named_parameters():
                if name in given:
                    parameter.copy_(to_device(given[name], parameter.device))
        for name, buffer in self.named_buffers():
            if name in given:
                buffer[...] = given[name] if isinstance(buffer, np.ndarray) else to_device(given[name], "cuda")

    # Looks

    def extra_repr(self):
        """The settings to show in print(module)."""
        return ""

    def __repr__(self):
        lines = [f"({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.named_children()]
        if not lines:
            return f"{type(self).__name__}({self.extra_repr()})"
        return f"{type(self).__name__}({self.extra_repr()}\n  " + "\n  ".join(lines) + "\n)"


def _some(names, most=4):
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def count_parameters(module):
    """How many numbers training changes."""
    return sum(parameter.numel() for parameter in module.parameters())
