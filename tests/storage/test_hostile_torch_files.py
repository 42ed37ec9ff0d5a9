"""Hostile PyTorch files: nothing in them is run, and they take no more memory and time than their bytes allow.

A pickle is put together from its opcodes here, as an attacker would.
"""

import os
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from minires import storage
from minires.errors import CheckpointError
from minires.storage import torch_file
from minires.storage.torch_pickle import PickleError

PROTO = b"\x80\x02"


def name(called):
    module, function = called.rsplit(".", 1)
    return f"c{module}\n{function}\n".encode()


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def integer(value):
    data = value.to_bytes(16, "little", signed=True)
    return b"\x8a\x10" + data


def numbers(*values):
    return b"(" + b"".join(map(integer, values)) + b"t"


def tensor_of(shape, stride, offset=0, length=4, key="0", kind="FloatStorage", count=None):
    """The opcodes of a tensor."""
    identity = b"(" + text("storage") + name(f"torch.{kind}") + text(key) + text("cpu") + integer(length) + b"tQ"
    arguments = identity + integer(offset) + numbers(*shape) + numbers(*stride) + b"\x89" + b"Nt"
    return name("torch._utils._rebuild_tensor_v2") + b"(" + arguments + b"R"


def archive(path, pickle, data=bytes(16), compression=zipfile.ZIP_STORED, **more):
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("archive/data.pkl", pickle)
        file.writestr("archive/data/0", data)
        for member, content in more.items():
            file.writestr(f"archive/{member}", content)
    return path


def state_with(value):
    return PROTO + b"}" + text("a") + value + b"s."


def test_a_pickle_put_together_by_hand_is_read(tmp_path):
    path = archive(tmp_path / "w", state_with(tensor_of((2, 2), (2, 1))), np.arange(4, dtype="f4").tobytes())
    np.testing.assert_array_equal(storage.load(path)[0]["a"], [[0, 1], [2, 3]])


@pytest.mark.parametrize(
    "called",
    ["os.system", "posix.system", "builtins.eval", "builtins.exec", "builtins.__import__", "subprocess.Popen"]
    + ["torch.load", "torch.hub.load", "numpy.load", "collections.OrderedDict.__reduce__", "importlib.import_module"]
    + ["operator.attrgetter", "functools.partial", "webbrowser.open", "torch._utils.os.system"],
)
@pytest.mark.parametrize("way", ["GLOBAL", "STACK_GLOBAL"])
def test_no_function_of_a_file_is_run(tmp_path, called, way):
    mark = tmp_path / "mark"
    module, function = called.rsplit(".", 1)
    named = name(called) if way == "GLOBAL" else text(module) + text(function) + b"\x93"
    path = archive(tmp_path / "w", state_with(named + b"(" + text(f"touch {mark}") + b"tR"))
    with pytest.raises(CheckpointError, match=rf"it names {called}, .*nothing of it was run"):
        storage.load(path)
    assert not mark.exists()


@pytest.mark.parametrize("opcode", [b"i", b"o", b"\x81", b"\x92", b"\x82\x01", b"P0\n", b"L1\n", b"2", b"0", b"\x97"])
def test_opcodes_that_tensors_do_not_need_are_refused(tmp_path, opcode):
    with pytest.raises(CheckpointError, match="what tensors do not need"):
        storage.load(archive(tmp_path / "w", PROTO + opcode))


@pytest.mark.parametrize(
    ("shape", "stride", "more"),
    [
        ((5,), (1,), {}),
        ((2, 2), (3, 1), {}),
        ((10**12,), (0,), {}),
        ((10**30,), (1,), {}),
        ((2**63, 2), (0, 0), {}),
        ((-1,), (1,), {}),
        ((2,), (-1,), {"offset": 1}),
        ((2,), (1,), {"offset": -1}),
        ((2,), (1,), {"offset": 3}),
        ((2,), (1, 1), {}),
        ((1,) * 40, (1,) * 40, {}),
        ((2,), (1,), {"length": -4}),
        ((2,), (1,), {"length": 10**12}),
        ((2,), (1,), {"length": 3}),
        ((2,), (1,), {"key": "1"}),
        ((2,), (1,), {"key": "../data.pkl"}),
        ((0, 2**62, 2**62), (1, 1, 1), {}),
    ],
    ids=str,
)
def test_a_tensor_beyond_its_numbers_is_refused(tmp_path, shape, stride, more):
    with pytest.raises(CheckpointError, match="cannot be read"):
        storage.load(archive(tmp_path / "w", state_with(tensor_of(shape, stride, **more))))


@pytest.mark.parametrize(
    "pickle",
    [
        b"",
        PROTO,
        PROTO + b".",
        PROTO + b"}",
        PROTO + b"}}.",
        PROTO + b"(}.",
        PROTO + b"t.",
        PROTO + b"\x85.",
        PROTO + b"h\x05.",
        PROTO + b"q\x05.",
        PROTO + b"}" + text("a") + b"s.",
        PROTO + b"]" + text("a") + text("b") + b"s.",
        PROTO + b"}" + b"]" + text("b") + b"s.",
        PROTO + b"}" + integer(2**61) + text("b") + b"s.",
        PROTO + b"}" + text("a") + b"a.",
        PROTO + b"Q.",
        PROTO + b"NQ.",
        PROTO + text("a") + b"R.",
        PROTO + text("a") + b")R.",
        PROTO + name("torch.FloatStorage") + b")R.",
        PROTO + name("torch.Size") + b")R.",
        PROTO + name("torch.Size") + b"]\x85R.",
        PROTO + name("collections.OrderedDict") + b"N\x85R}b.",
        PROTO + name("numpy.dtype") + text("O8") + b"\x85R.",
        PROTO + name("numpy._core.multiarray.scalar") + text("f8") + text("x") + b"\x86R.",
        PROTO + b"X\xff\xff\xff\xffabc.",
        PROTO + b"\x8b\xff\xff\xff\x7f.",
        PROTO + b"]}b.",
        b"\x80\xff}.",
        b"c\n.",
        b"cos\nsystem",
        b"\xff\xfe",
    ],
    ids=range(32),
)
def test_a_damaged_pickle_is_refused(tmp_path, pickle):
    with pytest.raises(CheckpointError):
        storage.load(archive(tmp_path / "w", pickle))


def test_nesting_without_end_is_no_harm(tmp_path):
    deep = PROTO + b"]" * 50_000 + b"a" * 49_999 + b"."
    inside_itself = PROTO + b"}q\x00" + text("a") + b"h\x00s."
    for pickle in (deep, inside_itself):
        with pytest.raises(CheckpointError, match="no dictionary"):
            storage.load(archive(tmp_path / "w", pickle))


def run_limited(path, megabytes=300, seconds=20):
    """Load the file in a process that may take little more memory than Python itself."""
    code = (
        "import resource, sys\nfrom minires import storage\nfrom minires.errors import CheckpointError\n"
        "import numpy\n"
        f"used = int(open('/proc/self/statm').read().split()[0]) * {os.sysconf('SC_PAGE_SIZE')}\n"
        f"resource.setrlimit(resource.RLIMIT_AS, (used + {megabytes} * 2**20,) * 2)\n"
        "try:\n    storage.load(sys.argv[1])\nexcept CheckpointError as error:\n    print('refused:', error)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, timeout=seconds, check=True
    )


def bombs():
    big = b"(" + b"K\x01" * 100_000 + b"l"
    many = 20_000
    yield (
        "a list copied again and again",
        PROTO + b"]q\x00" + big[:-1] + b"e" + (name("collections.OrderedDict") + b"h\x00\x85R") * many + b".",
    )
    yield (
        "a shape copied again and again",
        PROTO + b"]q\x00" + big[:-1] + b"e" + (name("torch.Size") + b"h\x00\x85R") * many + b".",
    )
    yield (
        "a text encoded again and again",
        PROTO
        + text("x" * 10**6)
        + b"q\x00"
        + (name("_codecs.encode") + b"h\x00" + text("latin1") + b"\x86R") * many
        + b".",
    )
    tensors = b"".join(text(str(i)) + tensor_of((4096,), (1,), length=4096) for i in range(many))
    yield "one storage under many names", PROTO + b"}(" + tensors + b"u."
    keys = b"".join(integer((2**61 - 1) * i) + b"N" for i in range(many))
    yield "keys of one hash", PROTO + b"}(" + keys + b"u."
    yield (
        "billion laughs",
        PROTO + b"]" + b"".join(b"q" + bytes([i]) + b"]" + (b"h" + bytes([i]) + b"a") * 10 for i in range(100)) + b"t.",
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit on memory is Linux's")
@pytest.mark.parametrize(("pickle"), [bomb for _, bomb in bombs()], ids=[label for label, _ in bombs()])
def test_a_bomb_is_refused_in_little_memory_and_time(tmp_path, pickle):
    path = archive(tmp_path / "w", pickle, bytes(4 * 4096))
    assert run_limited(path).stdout.startswith("refused:")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit on memory is Linux's")
def test_a_compressed_archive_is_refused_before_it_is_unpacked(tmp_path):
    zeros = bytes(2**26)
    path = archive(tmp_path / "w", state_with(tensor_of((1,), (1,))), zeros, zipfile.ZIP_DEFLATED)
    assert "which PyTorch never does" in run_limited(path, megabytes=50).stdout


def test_members_that_overlap_are_read_once(tmp_path):
    """Each of thirty members claims the same bytes, which together are more than the file."""
    value = b"".join(text(str(i)) + tensor_of((1,), (1,), length=1000, key=str(i)) for i in range(30))
    path = archive(tmp_path / "w", PROTO + b"}(" + value + b"u.", bytes(4000))
    content = path.read_bytes()
    central = content.index(b"PK\x01\x02")
    end = content.index(b"PK\x05\x06")
    entries = content[central:end].split(b"PK\x01\x02")[1:]
    twin = next(entry for entry in entries if entry.endswith(b"archive/data/0"))
    more = [
        b"PK\x01\x02" + twin[:24] + struct.pack("<H", 13 + len(str(i))) + twin[26:42] + f"archive/data/{i}".encode()
        for i in range(1, 30)
    ]
    table = b"".join([content[central:end], *more])
    tail = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 2 + len(more), 2 + len(more), len(table), central, 0)
    path.write_bytes(content[:central] + table + tail)
    with pytest.raises(CheckpointError, match=r"damaged|which PyTorch never does"):
        storage.load(path)


def test_no_more_is_read_of_an_archive_than_it_has_bytes(tmp_path):
    """Python before 3.12 reads members that overlap, each of them anew."""
    path = archive(tmp_path / "w", PROTO + b"}.", bytes(1000))
    opened = torch_file._Archive(path.read_bytes())
    assert opened.member("data/0") == bytes(1000)
    with pytest.raises(PickleError, match="which PyTorch never does"):
        opened.member("data/0")
