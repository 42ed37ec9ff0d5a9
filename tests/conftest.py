"""What all tests share."""

import os
from pathlib import Path

import pytest
from backends import BACKENDS, GPUS
from hypothesis import settings

from minires.op import registry

settings.register_profile("minires", deadline=None)  # another program's load is no fault of the code's
settings.load_profile("minires")


def pytest_collection_modifyitems(items):
    """`-m gpu` chooses what runs on a GPU, whether by a parameter or by its nature; a name says no address in memory."""
    for item in items:
        assert " at 0x" not in item.nodeid, f"{item.nodeid}: give its parameters ids that are the same in every run"
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        if any(parameter is gpu for parameter in parameters for gpu in GPUS):
            item.add_marker("gpu")


@pytest.fixture(params=BACKENDS, ids=repr, scope="session")
def backend(request):
    """NumPy, and CuPy where it works: see backends.py."""
    return request.param


@pytest.fixture
def test_data():
    """test_data(name): the path of a file that this repository does not hold (CONTRIBUTING.md says where it comes from)."""

    def found(name):
        folder = os.environ.get("MINIRES_TEST_DATA")
        if not folder:
            pytest.skip(f"needs {name}: MINIRES_TEST_DATA, which names the folder of such files, is not set")
        path = Path(folder) / name
        if not path.exists():
            pytest.skip(f"needs {name}, which is not in MINIRES_TEST_DATA={folder}")
        return path

    return found


@pytest.fixture
def own_ops():
    """What a test defines with @op is forgotten afterwards."""
    before = dict(registry)
    yield
    registry.clear()
    registry.update(before)
