"""Checks of a layer's settings, made when the layer is made."""

from minires import settings
from minires.errors import DTypeError, OptionError, ShapeError
from minires.settings import is_whole


def whole(value, name, layer, least=1):
    """value as an int >= least, or any int if least is None. Raises DTypeError or ShapeError, with the name."""
    if not is_whole(value):
        raise DTypeError(f"{layer}: {name} must be an integer, got {value!r}")
    if least is not None and value < least:
        raise ShapeError(f"{layer}: {name} must be at least {least}, got {value}")
    return int(value)


def one_of(value, choices, name, layer):
    """value, if it is one of the choices. Raises OptionError."""
    if not isinstance(value, str) or value not in choices:
        raise OptionError(f"{layer}: {name} must be one of {', '.join(choices)}, got {value!r}")
    return value


def flag(value, name, layer):
    """value, if it is True or False. An array or Tensor there means ReLU(x) in place of ReLU()(x), and is told so."""
    if getattr(value, "shape", ()):
        raise DTypeError(
            f"{layer}: {name} must be True or False, got {type(value).__name__}; a layer is made first "
            f"and then called: {layer}()(x)"
        )
    return settings.flag(f"{layer}: {name}", value)
