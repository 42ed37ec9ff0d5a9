"""Layer by layer: each layer gets what the other network gave its own, so that it differs by itself or not at all."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from minires.compare.causes import variations
from minires.errors import DataError, MiniresError
from minires.export.recording import Recording, computed, taken
from minires.export.values import values_of

TOLERANCE = 1e-4  # of a layer's largest value: float32 rounds to 1e-7, and sums of some thousand products to 1e-5
IMAGES = "images"  # the name of what the other network was given


class Difference(NamedTuple):
    """How far a layer is from the other network's. error: of the largest value there; inf where shapes differ.

    op: the last op of the layer. cause: what makes the difference vanish; "" if nothing that was tried does.
    tried: how many variations were.
    """

    layer: str
    op: str
    shape: tuple[int, ...]
    shape_there: tuple[int, ...]
    error: float
    cause: str = ""
    tried: int = 0

    @property
    def differs(self) -> bool:
        return not self.error <= TOLERANCE


def compare(recording: Recording, activations: Mapping[str, Any]) -> list[Difference]:
    """The layers that both networks have, in the order in which they are computed here.

    activations: {name of a module: its output there}, and "images". Raises DataError if no layer has the same name.
    """
    theirs = {recording.parts[layer]: layer for layer in recording.parts if layer in activations}
    if not theirs:
        raise DataError(
            f"no layer there has the name of one here; there are {_few(n for n in activations if n != IMAGES)}, "
            f"here {_few(filter(None, recording.parts))}"
        )
    images = np.asarray(activations[IMAGES], recording.images.dtype)
    arrays = {**recording.arrays, recording.images.name: images}
    found = []
    for i, call in enumerate(recording.calls):
        try:
            y = computed(call.op, *taken(call, arrays, len(images)))
        except MiniresError:  # because a layer before it has another shape there
            break
        layer = theirs.get(call.output.name)
        if layer is not None:
            there = np.asarray(activations[layer])
            difference = Difference(layer, call.op, y.shape, there.shape, error_of(y, there))
            if difference.differs:
                calls = _since(recording.calls[: i + 1], set(theirs))
                difference = _explained(difference, calls, arrays, there, len(images))
            found.append(difference)
            y = there.astype(y.dtype)
        arrays[call.output.name] = y
    return found


def error_of(here: Any, there: Any) -> float:
    """The largest difference, over the largest value there."""
    if here.shape != there.shape:
        return float("inf")
    if not there.size:
        return 0.0
    scale = float(np.abs(there).max()) or 1.0
    return float(np.abs(here.astype(np.float64) - there).max()) / scale


def _since(calls, known):
    """The calls behind the last one, back to what is known of the other network."""
    wanted = {calls[-1].output.name}
    found = []
    for call in reversed(calls):
        if call.output.name in wanted and (call is calls[-1] or call.output.name not in known):
            found.append(call)
            wanted |= {x.name for x in values_of(call)}
    return found[::-1]


def _explained(difference, calls, arrays, there, N):
    """The difference with its cause: the variation of one call with which least is left."""
    best = (TOLERANCE, "")
    tried = 0
    for i, call in enumerate(calls):
        inputs, settings = taken(call, arrays | _results(calls[:i], arrays, N), N)
        for variation in variations(call.op, inputs, settings):
            tried += 1
            try:
                y = variation.compute(inputs, settings)
                results = _results(calls[i + 1 :], {**arrays, call.output.name: y}, N)
                best = min(best, (error_of(results.get(calls[-1].output.name, y), there), variation.cause))
            except MiniresError:  # it does not fit here
                continue
    return difference._replace(cause=best[1], tried=tried)


def _results(calls, arrays, N):
    """{name: array} of what the calls give."""
    arrays = dict(arrays)
    found = {}
    for call in calls:
        y = computed(call.op, *taken(call, arrays, N))
        arrays[call.output.name] = found[call.output.name] = y
    return found


def _few(names, most=4):
    names = list(names)
    return ", ".join(names[:most]) + " …" * (len(names) > most)
