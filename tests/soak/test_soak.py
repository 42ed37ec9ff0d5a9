"""Some cases of the soak; `python -m tests.soak` does them all. The page of promises names tests that exist."""

import errno
import re
from pathlib import Path

import pytest

from minires.system import fcntl

pytestmark = pytest.mark.skipif(fcntl is None, reason="processes are forked and killed the POSIX way")

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "nothing-lost.md"


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    from tests.soak.cases import Bench

    scratch = tmp_path_factory.mktemp("soak")
    for folder in (scratch, scratch.parent, scratch.parent.parent):
        folder.chmod(0o755)  # another user is to find the read-only folder
    return Bench(scratch)


@pytest.fixture
def outcome(bench, monkeypatch):
    """outcome(case): what became of it."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")

    def of(case):
        bench.whole()
        bench.clear()
        return case(bench)

    return of


@pytest.fixture(scope="module")
def harms(bench):
    from tests.soak import cases, child

    return cases, child, cases.moments(bench)


@pytest.mark.parametrize("call", ["before replace", "after replace", "middle of write", "before fsync", "after link"])
def test_a_run_killed_around_a_file_call_resumes_to_the_same_bits(outcome, harms, call):
    cases, child, moments = harms
    at = [i for i, name in enumerate(moments) if name == call][-1]
    found = outcome(cases.harmed(child.AtCall(at, lambda name: child.kill())))
    assert (found.how, found.lost) == ("killed", "")


@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_run_whose_disk_fails_says_so_or_goes_on_and_resumes_to_the_same_bits(outcome, harms, number, lasting):
    cases, child, moments = harms
    at = [i for i, name in enumerate(moments) if name == "middle of write"][-4]  # of the checkpoint of epoch 2
    found = outcome(cases.harmed(child.AtCall(at, child.fail_with(number), lasting=lasting)))
    assert (found.how, found.lost) == ("said" if lasting else "went on", "")


def test_a_read_only_folder_is_refused_in_one_line(outcome, harms):
    found = outcome(harms[0].read_only(2))
    assert (found.how, found.lost) == ("said", "")


def test_without_shared_memory_a_run_goes_on_or_says_so(outcome, harms):
    cases, child, _ = harms
    found = outcome(cases.harmed(child.NoSharedMemory(), 2))
    assert found.how in ("went on", "said")
    assert found.lost == ""


@pytest.mark.parametrize("seed", range(2))
def test_clocks_that_jump_change_no_bit_and_no_checkpoint(outcome, harms, seed):
    cases, child, _ = harms
    found = outcome(cases.harmed(child.Clock(seed)))
    assert (found.how, found.lost) == ("went on", "")


def test_another_bit_in_a_checkpoint_a_lost_row_and_a_part_left_behind_are_found(bench, tmp_path):
    import shutil

    from minires import storage
    from tests.soak import cases

    whole = bench.whole()

    def copy(name):
        return Path(shutil.copytree(whole, tmp_path / name))

    assert cases.difference(whole, copy("same")) == ""
    bits = copy("bits")
    row = copy("row")
    part = copy("part")
    sections, state = storage.load_checkpoint(bits / "checkpoint.safetensors")
    sections["optimizer"]["steps"] = sections["optimizer"]["steps"] + 1
    storage.save_checkpoint(bits / "checkpoint.safetensors", sections, state)
    assert cases.difference(whole, bits) == "optimizer/steps has other bits"
    lines = (row / "log.csv").read_text().splitlines(keepends=True)
    (row / "log.csv").write_text("".join(lines[:-1]))
    assert cases.difference(whole, row) == "log.csv differs: 2 rows, not 3"
    (part / ".log.csv.12345678.part").write_text("")
    assert cases.difference(whole, part) == "files were left behind: ['.log.csv.12345678.part']"


def test_each_promise_names_a_test_that_exists():
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 14
    for row in rows:
        (name,) = re.findall(r"`(tests/[\w/]+\.py::test_\w+)`", row)
        file, _, test = name.partition("::")
        text = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"^def {test}\(", text, re.M), name
        decorators = re.search(rf"((?:^@.*\n)*)^def {test}\(", text, re.M)[1]
        assert "mark.soak" not in decorators or "pytest.param" in decorators, f"{name} is not collected as a rule"
