"""Module: a function with parameters, made of other modules. tree.py finds these in its attributes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from minires.arrays import check_numbers, is_array, to_device
from minires.errors import DTypeError, OptionError
from minires.nn import state, targets
from minires.nn.advice import why_no_module
from minires.nn.checks import flag
from minires.nn.hooks import ModuleHooks
from minires.nn.parameter import Parameter
from minires.nn.seeds import warn_of_equal_seeds
from minires.nn.tree import ModuleTree, is_saved, parameters_in
from minires.tensor import Tensor, unwrap
from minires.torch_names import OF_MODULES, missing

if TYPE_CHECKING:
    from typing_extensions import Self

    from minires.annotations import Array, DType, PathLike, TensorLike
    from minires.hooks import Handle
    from minires.nn import loading

P = ParamSpec("P")
Y = TypeVar("Y", covariant=True)


class _HasForward(Protocol[P, Y]):
    """Any module, for a type checker: a call has the signature of the module's own forward()."""

    _hooks: Any

    def forward(self, *inputs: P.args, **settings: P.kwargs) -> Y: ...


class Module(ModuleTree):
    """Base of all layers and models: set parameters, buffers and other modules as attributes, and write forward().

    An attribute may also be a list, tuple or dict of Modules and Parameters. The second of self.layers is "layers.1",
    as in a ModuleList.
    """

    training: bool = True
    _hooks: Any = None

    def forward(self, *inputs: Any, **settings: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no forward()")

    def __call__(self: _HasForward[P, Y], *inputs: P.args, **settings: P.kwargs) -> Y:
        if self._hooks:
            return self._hooks.call(self, inputs, settings)
        return self.forward(*inputs, **settings)

    if not TYPE_CHECKING:  # a checker would accept every name

        def __getattr__(self, name):  # Python calls this if it found no such attribute
            if hasattr(type(self), name):
                return object.__getattribute__(self, name)  # a property: its own AttributeError says more
            if name.startswith("_"):  # copy and pickle ask for such names
                raise AttributeError(f"{type(self).__name__} has no {name!r}")
            raise missing(type(self).__name__, name, advice=OF_MODULES, own_names=dir(self))

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(vars(self).get(name), Parameter) and not (value is None or isinstance(value, Parameter)):
            raise DTypeError(
                f"{type(self).__name__}.{name} is a Parameter, and a {type(value).__name__} in its place "
                "would not be trained: write nn.Parameter(…), or copy_ into it under no_grad()"
            )
        if isinstance(value, Module):
            self._check_below(name, value)
        object.__setattr__(self, name, value)
        if isinstance(value, (Module, list, tuple, dict, set, frozenset)):
            warn_of_equal_seeds(self, list(parameters_in(name, value)))

    # Hooks

    def _hook(self, kind, hook, **settings):
        self._hooks = self._hooks or ModuleHooks()
        return self._hooks.add(kind, hook, **settings)

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> Handle:
        """Call hook(module, inputs) before forward. What the hook returns replaces the inputs. Returns a handle.

        with_kwargs: hook(module, inputs, keywords), which returns None or a new (inputs, keywords).
        """
        return self._hook("before", hook, prepend=prepend, with_kwargs=with_kwargs)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> Handle:
        """Call hook(module, inputs, output) after forward. What the hook returns replaces the output. Returns a handle.

        with_kwargs: hook(module, inputs, keywords, output).
        """
        return self._hook("after", hook, prepend=prepend, with_kwargs=with_kwargs)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> Handle:
        """Call hook(module, grad_input, grad_output) on backward: ∂L/∂inputs and ∂L/∂outputs, two tuples of arrays.

        None stands for an input or output without a gradient. What the hook returns replaces grad_input, which comes
        from this call of the module alone, without other uses of the same input. Returns a handle.
        """
        return self._hook("backward", hook, prepend=prepend)

    # Registration

    def register_buffer(self, name: str, array: TensorLike | None, persistent: bool = True) -> None:
        """Add an array that belongs to the state but is not trained. persistent: whether state_dict has it."""
        self._check_name(name, self._buffers)
        flag(persistent, "persistent", "register_buffer")
        if is_array(unwrap(array)):
            check_numbers(unwrap(array), f"register_buffer: {name}")
        elif array is not None:
            raise DTypeError(f"register_buffer: {name} must be an array, a Tensor or None, got {type(array).__name__}")
        setattr(self, name, array)
        self._buffers = {**self._buffers, name: persistent}

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """The same as setting the attribute `name`."""
        if not (parameter is None or isinstance(parameter, Parameter)):
            raise DTypeError(f"register_parameter: {name} must be a Parameter or None, got {type(parameter).__name__}")
        self._check_name(name, vars(self))
        setattr(self, name, parameter)

    def register_module(self, name: str, module: Module | None) -> None:
        """The same as setting the attribute `name`."""
        if not (module is None or isinstance(module, Module)):
            raise DTypeError(f"{name}: {why_no_module(module)}")
        self._check_name(name, vars(self))
        setattr(self, name, module)

    add_module = register_module

    def _check_below(self, name, module):
        """Raise OptionError if `module`, which is to become a part of this one, contains this one."""
        if any(below is self for below in module.modules()):
            raise OptionError(
                f"{type(self).__name__}: {name} would make this {type(self).__name__} a part of itself; "
                "to reach a module from one of its parts, keep weakref.ref(module)"
            )

    def _check_name(self, name, known):
        if not isinstance(name, str):
            raise DTypeError(f"a name must be a string, got {name!r}")
        if not name or "." in name:
            raise OptionError(f"a name must not be empty or hold a dot, got {name!r}")
        if name not in known and (name in vars(self) or hasattr(type(self), name)):
            raise OptionError(f"{type(self).__name__} has an attribute {name!r} already; choose another name")

    # Switches

    def train(self, mode: bool = True) -> Self:
        """Training mode: norms use the statistics of the batch, dropout is on."""
        if not isinstance(mode, bool):
            raise DTypeError(
                f"train: mode must be True or False, got {type(mode).__name__}; train() only sets the mode, "
                "write the loop over the batches yourself"
            )
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Evaluation mode: norms use running statistics, dropout is off."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freeze or unfreeze all parameters."""
        flag(requires_grad, "requires_grad", "requires_grad_")
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set all gradients to None; set_to_none=False fills them with zeros in place."""
        flag(set_to_none, "set_to_none", "zero_grad")
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad[...] = 0

    def to(self, *given: DType, device: str | None = None, dtype: DType = None) -> Self:
        """Move all parameters and buffers to a device ("cpu", "cuda"), change their float type (np.float64), or both.

        Single integers, such as num_batches_tracked, stay on the host, because no kernel needs them.
        """
        device, dtype = targets.parse(given, device, dtype)

        def convert(array):
            if dtype is not None and array.dtype.kind == "f":
                array = array.astype(dtype)
            return to_device(array, device) if device and (array.ndim or array.dtype.kind == "f") else array

        for parameter in self.parameters():
            parameter.data = convert(parameter.data)
            parameter.grad = None if parameter.grad is None else convert(parameter.grad)
        for module in self.modules():
            for name in module._buffers:
                buffer = getattr(module, name, None)
                if isinstance(buffer, Tensor):
                    buffer.data = convert(buffer.data)
                elif buffer is not None:
                    setattr(module, name, convert(buffer))
        return self

    def float(self) -> Self:
        return self.to(dtype="float32")

    def double(self) -> Self:
        return self.to(dtype="float64")

    def half(self) -> Self:
        return self.to(dtype="float16")  # raises, and says which types there are

    def cpu(self) -> Self:
        return self.to("cpu")

    def cuda(self, device: int | str | None = None) -> Self:
        return self.to("cuda" if device is None else f"cuda:{device}" if isinstance(device, int) else device)

    # State

    def state_dict(self) -> dict[str, Array]:
        """{dotted name: array} of parameters and buffers. The arrays are the module's own, not copies."""
        found = {}
        for name, value in self._named(is_saved, "", True, False):
            if name in found:
                raise OptionError(f"{type(self).__name__} has two parts named {name!r}; give one of them another name")
            found[name] = unwrap(value)
        return found

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> state.IncompatibleKeys:
        """Copy arrays or Tensors, torch's too, into the module by name. Nothing is changed unless everything fits.

        num_batches_tracked may be absent. An array with several names needs one of them only.
        strict=False ignores missing and unexpected names, but no wrong shape, and no state without any common name.
        Returns (missing_keys, unexpected_keys). Raises CheckpointError, which names what does not fit.
        """
        return state.load(self, state_dict, flag(strict, "strict", "load_state_dict"))

    def load(
        self, path: PathLike, *, part: str | None = None, head: str | None = None, strict: bool = True
    ) -> loading.Loaded:
        """Copy the weights of a file into the module: safetensors, .npz, PyTorch's files, or a run's checkpoint.

        Prefixes such as "module." and the names of older versions are understood. part: as in storage.load.
        head="new": the last Linear layer keeps its own weights, for a file that was trained for other classes.
        strict=False ignores missing and unexpected names. Returns what was not in the file, or only there.
        Raises CheckpointError, which names what does not fit.

        >>> model = models.resnet18(num_classes=2)
        >>> model.load("resnet18.pth", head="new")
        """
        from minires.nn import loading  # which knows the layers, and these are modules

        return loading.load(self, path, part, head, flag(strict, "strict", "load"))

    def adapt_state(self, state: dict[str, Any]) -> dict[str, Any]:
        """The arrays of a file under this module's own names. Networks whose names have changed do more here."""
        return state

    # Printing

    def extra_repr(self) -> str:
        """The settings to show in print(module)."""
        return ""

    @recursive_repr("...")
    def __repr__(self) -> str:
        lines = [f"({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.named_children()]
        extra = self.extra_repr()
        if not lines:
            return f"{type(self).__name__}({extra})"
        return "\n  ".join([f"{type(self).__name__}(", *filter(None, [extra]), *lines]) + "\n)"


def count_parameters(module: Module) -> int:
    """The number of elements in all parameters."""
    return sum(parameter.numel() for parameter in module.parameters())
