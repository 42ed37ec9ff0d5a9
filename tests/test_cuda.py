"""Whether there is a GPU, and the one line that says what is missing."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from backends import GPUS, needs_gpu

from minires import Tensor, cuda
from minires.errors import MissingDependencyError, OptionError
from minires.gpucheck import settings, speed
from minires.gradcheck.__main__ import main as gradcheck
from minires.train.__main__ import main as train


@pytest.fixture
def machine(monkeypatch):
    """machine(version=…, count=…, compiles=…): a CuPy that behaves like this; machine(None): no CuPy."""
    cuda.why_not.cache_clear()

    class CUDARuntimeError(RuntimeError):
        pass

    def make(version="14.2.0", count=1, compiles=True):
        def get_count():
            if isinstance(count, str):
                raise CUDARuntimeError(count)
            return count

        def kernel(*parts):
            if not compiles:
                raise RuntimeError('catastrophic error: cannot open source file "cuda_fp16.h"\n1 error')
            return lambda x: x

        runtime = SimpleNamespace(getDeviceCount=get_count, CUDARuntimeError=CUDARuntimeError)
        fake = SimpleNamespace(
            __version__=version,
            cuda=SimpleNamespace(runtime=runtime),
            zeros=np.zeros,
            ElementwiseKernel=kernel,
            ndarray=type("ndarray", (), {}),
        )
        monkeypatch.setitem(sys.modules, "cupy", None if version is None else fake)

    yield make
    monkeypatch.undo()
    cuda.why_not.cache_clear()


CASES = {
    "no CuPy": ({"version": None}, 'it needs CuPy.*install it with: pip install "minires'),
    "old CuPy": ({"version": "12.3.0"}, "it needs CuPy 13.0 or later, found 12.3.0; renew it with"),
    "no driver": ({"count": "cudaErrorInsufficientDriver: too old"}, "no usable NVIDIA driver .*nvidia-smi"),
    "no GPU": ({"count": 0}, "CuPy finds no GPU: look at `nvidia-smi`"),
    "no headers": ({"compiles": False}, r"cannot compile a kernel .*cuda_fp16.*pip install \"cupy-cuda12x\[ctk\]"),
}


@pytest.mark.parametrize(("state", "line"), CASES.values(), ids=CASES)
def test_what_is_missing_is_said_in_one_line_with_what_to_do(machine, state, line):
    machine(**state)
    assert not cuda.is_available()
    assert cuda.device_count() == 0
    with pytest.raises(MissingDependencyError, match=f"^device 'cuda:0': .*{line}") as caught:
        Tensor([1.0], device="cuda")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("state", "line"), CASES.values(), ids=CASES)
@pytest.mark.parametrize(
    "command", [(gradcheck, "relu", "--backend", "cupy"), (train, "--device", "cuda")], ids=["gradcheck", "train"]
)
def test_a_command_prints_that_line_and_exits_with_2(machine, state, line, command, capsys):
    machine(**state)
    main, *arguments = command
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert ("--backend cupy: " if main is gradcheck else "device 'cuda:0': ") in err


@pytest.fixture
def stand_in(monkeypatch):
    """stand_in(file): MINIRES_CUPY_STAND_IN names it, and nothing was imported from it so far."""
    before = set(sys.modules)

    def name(file):
        monkeypatch.setenv("MINIRES_CUPY_STAND_IN", str(file))
        cuda.stand_in.cache_clear()

    yield name
    monkeypatch.undo()
    cuda.stand_in.cache_clear()
    for module in set(sys.modules) - before:
        del sys.modules[module]


def test_what_stands_in_for_cuda_is_imported_before_cupy(machine, stand_in, tmp_path, monkeypatch):
    file = tmp_path / "imitation.py"
    file.write_text("import sys\nsys.modules['cupy'].made = True\ndef snapshot():\n    return {'launch': 7}\n")
    machine(count=0)
    stand_in(file)
    cuda.why_not()
    assert sys.modules["cupy"].made
    assert cuda.stand_in() is sys.modules["imitation"]
    assert speed.counters() == {"launch": 7}
    assert settings.stands_in()


def test_without_the_variable_nothing_stands_in(stand_in, monkeypatch):
    stand_in("")
    assert cuda.stand_in() is None
    assert speed.counters() == {}
    assert settings.stands_in() == ""


@pytest.mark.parametrize("name", ["gone.py", "folder"])
def test_a_stand_in_that_is_not_there_is_said_in_one_line(machine, stand_in, tmp_path, name):
    (tmp_path / "folder").mkdir()
    machine()
    stand_in(tmp_path / name)
    assert cuda.why_not().startswith("MINIRES_CUPY_STAND_IN must name a Python file that can be read: ")
    assert name in cuda.why_not()


def test_a_machine_that_has_everything_is_told_so(machine):
    machine()
    assert cuda.why_not() == ""
    assert cuda.is_available()
    assert cuda.device_count() == 1


def test_a_gpu_that_is_not_there_is_named(machine):
    machine(count=2)
    with pytest.raises(OptionError, match="device 'cuda:2': there are 2 GPUs, numbered from 0"):
        Tensor([1.0], device="cuda:2")


def test_tf32_is_for_a_gpu():
    from minires.train import Config, Run

    with pytest.raises(OptionError, match="tf32 is for a GPU: add --device cuda"):
        Run(Config(tf32=True))


@needs_gpu
def test_matrix_products_take_tf32_only_when_allowed():
    from cupy._core import _routines_linalg as linalg

    try:
        for allowed, compute_type in ((True, linalg.COMPUTE_TYPE_TF32), (False, linalg.COMPUTE_TYPE_DEFAULT)):
            cuda.allow_tf32(allowed)
            assert linalg.get_compute_type("float32") == compute_type
    finally:
        cuda.allow_tf32(False)


@pytest.mark.parametrize("place", GPUS)
def test_an_array_keeps_its_order_in_memory_on_its_way(place):
    for order in ((0, 1, 2, 3), (0, 2, 3, 1), (2, 3, 1, 0), (3, 1, 0, 2)):
        x = np.arange(120.0).reshape(2, 3, 4, 5).transpose(order)
        there = place.array(x)
        assert there.strides == x.strides
        assert there.get().tobytes() == x.tobytes()
        assert Tensor(there).numpy().strides == x.strides


@pytest.mark.parametrize("place", GPUS)
def test_the_memory_of_the_gpu_is_told_in_one_line(place):
    kept = place.array(np.zeros(1 << 20))
    line = cuda.memory_summary()
    assert line.startswith("GPU memory: ")
    assert int(line.split()[2]) >= kept.nbytes >> 20
    assert cuda.get_device_name()
