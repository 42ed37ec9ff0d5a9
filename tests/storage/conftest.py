"""Files are written and read by the library safetensors, and by what stands in for it where it is not installed."""

import sys

import pytest

try:
    from safetensors import numpy as library
except ImportError:  # a browser
    library = None


@pytest.fixture
def the_library():
    """safetensors.numpy, also where minires does without it."""
    if library is None:
        pytest.skip("the library safetensors is not installed")
    return library


@pytest.fixture(params=["library", "plain"])
def file_format(request, monkeypatch):
    """Which of the two minires writes and reads with."""
    if request.param == "plain":
        monkeypatch.setitem(sys.modules, "safetensors", None)
    else:
        request.getfixturevalue("the_library")
    return request.param
