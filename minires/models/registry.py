"""Every model by its name, as a function whose signature shows its options."""

import inspect
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar, overload

from minires.errors import DTypeError, OptionError
from minires.settings import did_you_mean, meant

Options = ParamSpec("Options")
Network = TypeVar("Network")
_models: dict[str, Callable[..., Any]] = {}


@overload
def define(
    name: str, network: Callable[Concatenate[Any, Options], Network], structure: int, /, **fixed: Any
) -> Callable[Options, Network]: ...


@overload
def define(
    name: str,
    network: Callable[Concatenate[Any, Any, Options], Network],
    block: type,
    blocks: tuple[int, ...],
    /,
    **fixed: Any,
) -> Callable[Options, Network]: ...


def define(name, network, *structure, **fixed):
    """The function name(**options) = network(*structure, **fixed, **options), reachable by create(), too.

    Its options are the keyword-only ones of the network and, where that passes **others on, of its base and its blocks.
    """
    options = [p for p in _options(network, structure) if p.name not in fixed]
    signature = inspect.Signature(options)

    def build(*positional, **given):
        unknown = [option for option in given if option not in signature.parameters]
        if positional or unknown:
            raise TypeError(f"{name}: {_advice(name, positional, unknown)}; it takes {', '.join(signature.parameters)}")
        return network(*structure, **fixed, **given)

    build.__name__ = build.__qualname__ = name
    build.__module__ = network.__module__
    shown = [getattr(part, "__name__", str(part)) for part in structure] + [f"{key}={fixed[key]}" for key in fixed]
    build.__doc__ = f"{network.__name__}({', '.join(shown)}).\n\n{inspect.getdoc(network)}"
    build.__signature__ = signature
    _models[name] = build
    return build


def _options(network, structure):
    found = {}
    for kind in (*network.__mro__, *structure):
        init = vars(kind).get("__init__") if isinstance(kind, type) else None
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
            "model.load_state_dict(storage.load('weights.safetensors')[0])"
        )
    return f"there is no option {unknown[0]!r}"


def names() -> list[str]:
    """The names that create() knows."""
    return sorted(_models)


def create(name: str, **options: Any) -> Any:
    """A new model by name: create("resnet20", num_classes=100, rng=0); "ResNet-20" is understood, too.

    Raises OptionError for an unknown name.
    """
    if not isinstance(name, str):
        raise DTypeError(f"create: a model is named by a string such as 'resnet20', got {name!r}")
    known = meant(name, _models)
    if known is None:
        hint = did_you_mean(name, _models, f"there are {', '.join(names())}")
        raise OptionError(f"there is no model {name!r}; {hint}")
    return _models[known](**options)
