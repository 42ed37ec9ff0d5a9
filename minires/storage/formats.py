"""Weights from files of all formats that are read here, each known by its first bytes, not by its name."""

from minires.annotations import PathLike
from minires.errors import CheckpointError
from minires.paths import as_path
from minires.storage import npz, shards, torch_file, weights
from minires.storage.checkpoint import load_checkpoint
from minires.storage.reading import opened, whole

ENOUGH = 300  # bytes that tell the format


def load(path: PathLike, part: str | None = None) -> tuple[dict, dict[str, str]]:
    """({name: array}, metadata) from safetensors, NumPy's .npz, or PyTorch's .pth, .pt, .th and .tar.

    PyTorch is not needed, and nothing in a file is run. bfloat16 becomes float32. A name that ends in .index.json is
    the list of a model's parts, safetensors files beside it.
    part: which dictionary of a PyTorch file holds the weights, where there are several, such as "state_dict_ema".
    Raises CheckpointError if the file is damaged, of another format, or the checkpoint of a run of minires.train.

    >>> arrays, metadata = storage.load("weights.safetensors")
    >>> model.load_state_dict(arrays)
    """
    arrays, metadata = _read(path, part)
    if "sections" in metadata and "state" in metadata:
        raise CheckpointError(
            f"{path} is the checkpoint of a whole run; its weights are storage.load_checkpoint(path)[0]['model']"
        )
    return arrays, metadata


def load_weights(path: PathLike, part: str | None = None) -> dict:
    """{name: array} from a file that load() reads, or from the checkpoint of a run of minires.train.

    Of a run with --ema these are the averaged weights.
    """
    arrays, metadata = _read(path, part)
    if "sections" in metadata and "state" in metadata:
        sections = load_checkpoint(path)[0]
        return sections.get("ema") or sections["model"]
    return arrays


def _read(path, part):
    path = as_path(path, CheckpointError)
    is_list = path.name.endswith(".index.json")
    with opened(path) as (file, size):
        start = file.read(ENOUGH)
        if torch_file.is_torch(start) and not npz.is_npz(start):
            return torch_file.load(path, whole(path, file, size), part)
        if part is not None:
            raise CheckpointError(f"{path} has no parts, so there is no {part!r}: leave part out")
        if npz.is_npz(start):
            return npz.load(path, whole(path, file, size))
        if is_list:
            return shards.load(path)
        return weights.read_opened(path, file, size)
