"""What calls were given and have returned, and whether a later call changes it. A part of runner.py: NumPy only."""

import numpy as np

WATCHED = 8  # forwards whose arrays are kept to be looked at again


class Watched:
    """The arrays that calls were given and have returned, to see whether later calls change them."""

    def __init__(self):
        self.kept = {}

    def add(self, number, label, given, value):
        """Keep those of a call. given: [(position or name, value)]; number: of all calls that belong together."""
        y = value[0] if isinstance(value, tuple | list) and value else value
        places = [([label, place], array) for place, array in given] + [(["y", 0], y)]
        self.kept.setdefault(number, []).extend((place, array, bits(array)) for place, array in places)
        while len(self.kept) > WATCHED:
            del self.kept[next(iter(self.kept))]

    def find(self, number, label, place):
        """What the last call was given at a place, as it is now; what it returned is its y, at 0."""
        return next(value for at, value, _ in reversed(self.kept[number]) if at == [label, place])

    def changed(self, number):
        """[[label, position or name]] of the arrays that are not what they were."""
        return [place for place, array, old in self.kept.get(number, ()) if bits(array) != old]


def bits(value):
    """The bytes of an array, or of the arrays in a list, tuple or dict."""
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, dict):
        value = list(value.values())
    return [bits(v) for v in value] if isinstance(value, list | tuple) else None


class Kept:
    """A value that is told by a handle, even if it has a form in a message."""

    def __init__(self, value):
        self.value = value


def kept(value):
    """(y, cache, …) with a Kept for each cache; the cache comes back as the same object, and not as a copy."""
    if not isinstance(value, tuple | list) or len(value) < 2:
        return value
    return (value[0], *(v if v is None or v is Ellipsis else Kept(v) for v in value[1:]))
