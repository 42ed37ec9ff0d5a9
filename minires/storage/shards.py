"""A large model in several safetensors files, and the list that says which array is in which.

{"metadata": {"total_size": 4096}, "weight_map": {"conv1.weight": "model-00001-of-00002.safetensors", …}}
"""

from minires.errors import CheckpointError
from minires.storage import weights
from minires.storage.json_text import parse
from minires.storage.reading import opened, whole


def load(path):
    """({name: array}, {}) of the files beside the list. Raises CheckpointError if one lacks an array."""
    with opened(path) as (file, size):
        text = whole(path, file, size)
    try:
        places = parse(text.decode())["weight_map"]
        files = sorted(set(places.values()))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path} is no list of safetensors files: it has no weight_map") from error
    arrays = {}
    for name in files:
        if not isinstance(name, str) or "/" in name or "\\" in name or name in (".", ".."):
            raise CheckpointError(f"{path} names {name!r}, which is not a file beside it")
        found, _ = weights.read(path.parent / name)
        wanted = [array for array, place in places.items() if place == name]
        missing = [array for array in wanted if array not in found]
        if missing:
            raise CheckpointError(f"{path.parent / name} lacks {missing[0]!r}, which {path.name} says is in it")
        arrays |= {array: found[array] for array in wanted}
    return {name: arrays[name] for name in places}, {}
