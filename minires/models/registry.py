"""Every model by its name."""

import difflib

from minires.errors import OptionError

_models = {}


def register(name, build):
    """Make build(**options) reachable as create(name, **options), and give it that name."""
    build.__name__ = build.__qualname__ = name
    _models[name] = build
    return build


def names():
    """The names that create() knows."""
    return sorted(_models)


def create(name, **options):
    """A new model by name: create("resnet20", num_classes=100, rng=0). Raises OptionError for an unknown name."""
    if name not in _models:
        near = difflib.get_close_matches(str(name), _models, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names())}"
        raise OptionError(f"there is no model {name!r}; {hint}")
    return _models[name](**options)
