"""What all tests share."""

import pytest
from backends import BACKENDS, GPUS


def pytest_configure(config):
    config.addinivalue_line("markers", "soak: takes minutes; runs only where asked for, with -m soak")


def pytest_collection_modifyitems(config, items):
    """`-m gpu` chooses what runs on a GPU, whether by a parameter or by its nature; `-m soak` what takes minutes."""
    for item in items:
        if item.get_closest_marker("soak") and "soak" not in config.option.markexpr:
            item.add_marker(pytest.mark.skip(reason="takes minutes; -m soak runs it"))
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        if any(parameter is gpu for parameter in parameters for gpu in GPUS):
            item.add_marker("gpu")


@pytest.fixture(params=BACKENDS, ids=repr, scope="session")
def backend(request):
    """NumPy, and CuPy where it works: see backends.py."""
    return request.param
