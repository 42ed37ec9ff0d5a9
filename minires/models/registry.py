"""Networks by name: define() makes a function from a class and its structure, register() gives it its name."""

import ast
import inspect
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar, overload

from minires.errors import DTypeError, OptionError
from minires.settings import did_you_mean, meant

Options = ParamSpec("Options")
Network = TypeVar("Network")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")

_defined: set[Callable[..., Any]] = set()  # the functions that define() has made
_models: dict[str, Callable[..., Any]] = {}  # {name: function}, of those that register() has seen


@overload
def define(network: Callable[Options, Network], /, **fixed: Any) -> Callable[Options, Network]: ...


@overload
def define(
    network: Callable[Concatenate[A, Options], Network], a: A, /, **fixed: Any
) -> Callable[Options, Network]: ...


@overload
def define(
    network: Callable[Concatenate[A, B, Options], Network], a: A, b: B, /, **fixed: Any
) -> Callable[Options, Network]: ...


@overload
def define(
    network: Callable[Concatenate[A, B, C, Options], Network], a: A, b: B, c: C, /, **fixed: Any
) -> Callable[Options, Network]: ...


def define(network, *structure, **fixed):
    """The function (**options) -> network(*structure, **fixed, **options). register() gives it its name.

    Its options are the keyword-only arguments of the class. If the class takes **others, those of its base class and
    of its blocks are options, too.
    """
    options = [p for p in _options(network, structure) if p.name not in fixed]
    signature = inspect.Signature(options)

    def build(*positional, **given):
        unknown = [option for option in given if option not in signature.parameters]
        if positional or unknown:
            advice = _advice(build.__name__, positional, unknown)
            raise TypeError(f"{build.__name__}: {advice}; it takes {', '.join(signature.parameters)}")
        return network(*structure, **fixed, **given)

    shown = [getattr(part, "__name__", repr(part)) for part in structure]
    shown += [f"{name}={value!r}" for name, value in fixed.items()]
    build.__doc__ = f"{network.__name__}({', '.join(shown)}).\n\n{inspect.getdoc(network)}"
    build.__signature__ = signature
    _defined.add(build)
    return build


def register(module: dict[str, Any]) -> None:
    """Name the networks of a family's file, so that create() finds them, and set the file's __all__.

    module: its globals(). Public are its networks, and the classes that it defines.
    """
    public = module["__all__"] = []  # set here, because a type checker understands only a list that is written out
    for name, value in module.items():
        if inspect.isfunction(value) and value in _defined:
            value.__name__ = value.__qualname__ = name
            value.__module__ = module["__name__"]
            _models[name] = value
        elif not (inspect.isclass(value) and value.__module__ == module["__name__"]):
            continue
        public.append(name)


def _options(network, structure):
    found = {}
    kinds = [kind for part in (network, *structure) if isinstance(part, type) for kind in part.__mro__]
    for kind in kinds:
        init = vars(kind).get("__init__")
        parameters = inspect.signature(init).parameters.values() if init and kind is not object else ()
        found |= {p.name: p for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in found}
        if parameters and not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return sorted(found.values(), key=lambda p: p.name == "rng")  # rng comes last everywhere


def _advice(name, positional, unknown):
    if positional:
        return f"options are given by name, {name}(num_classes={positional[0]!r})"
    if unknown[0] in ("weights", "pretrained"):
        return (
            f"minires brings no trained weights; leave out {unknown[0]} and load a file of yours, "
            "model.load('weights.safetensors')"
        )
    return f"there is no option {unknown[0]!r}"


def read_options(text: str) -> dict[str, Any]:
    """The options of a network from a text: "shortcut='B', zero_init_residual=True" -> a dict for create(name, **dict).

    Values are Python's literals; nothing is run. Raises OptionError for any other text.
    """
    try:
        call = ast.parse(f"f({text})", mode="eval").body
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and not call.args:
            return {option.arg: ast.literal_eval(option.value) for option in call.keywords if option.arg}
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        pass
    raise OptionError(f"model_options are written as in \"shortcut='B', zero_init_residual=True\", got {text!r}")


def names() -> list[str]:
    """The names that create() knows."""
    return sorted(_models)


def create(name: str, **options: Any) -> Any:
    """A new model by name: create("resnet20", num_classes=100, rng=0). "ResNet-20" is understood, too.

    Raises OptionError for an unknown name.
    """
    if not isinstance(name, str):
        raise DTypeError(f"create: a model is named by a string such as 'resnet20', got {name!r}")
    known = meant(name, _models)
    if known is None:
        hint = did_you_mean(name, _models, f"models.names() lists the {len(_models)} that there are")
        raise OptionError(f"there is no model {name!r}; {hint}")
    return _models[known](**options)
