"""The arguments of .to(): a device, a float type, or both."""

import numpy as np

from minires.arrays import DEVICE
from minires.errors import OptionError

FLOATS = {"float32": np.float32, "float64": np.float64, "double": np.float64}


def parse(given, device, dtype):
    """(device or None, NumPy float type or None) from the arguments of .to(), in any order. Raises OptionError."""
    for value in given:
        is_device = isinstance(value, str) and value.partition(":")[0] in ("cpu", "cuda")
        if (device if is_device else dtype) is not None:
            raise OptionError(f"to: {value!r} is the second {'device' if is_device else 'float type'} given")
        if is_device:
            device = value
        else:
            dtype = _float_type(value)
    if device is not None and not (isinstance(device, str) and DEVICE.fullmatch(device)):
        raise OptionError(f"to: device must be 'cpu', 'cuda' or 'cuda:N', got {device!r}")
    if device is None and dtype is None:
        raise OptionError('to: nothing to do; give a device ("cpu", "cuda") or a float type (np.float64)')
    return device, None if dtype is None else _float_type(dtype)


def _float_type(value):
    """np.float32 or np.float64, of NumPy's types, their names, or another library's ("torch.float64")."""
    name = str(value).removeprefix("torch.")
    try:
        kind = FLOATS[name] if name in FLOATS else np.dtype(value).type if not isinstance(value, str) else None
    except TypeError:
        kind = None
    if value is None or kind not in FLOATS.values():
        half = " (minires computes in 32 and 64 bits only)" if "16" in name else ""
        raise OptionError(
            f"to: the device must be 'cpu', 'cuda' or 'cuda:N', the type float32 or float64, got {value!r}{half}"
        )
    return kind
