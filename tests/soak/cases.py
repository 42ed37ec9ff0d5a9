"""What is done to a run, and what is compared afterwards. Each case gives an Outcome."""

import csv
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from minires.errors import CheckpointError
from minires.storage import load_checkpoint
from minires.train import kept
from minires.train.folder import CHECKPOINT, checkpoints
from tests.soak import child

SETTINGS = ["--model", "resnet8", "--epochs", "3", "--limit", "32", "--batch-size", "16", "--threads", "1"]
STEPS = 6
TIMES = ("seconds", "images_per_second")  # these differ from run to run
PATIENCE = 120  # seconds for one run


@dataclass
class Outcome:
    """how: killed, said (it ended with a sentence), or went on. lost: "" or a sentence that says what was lost."""

    how: str
    lost: str = ""


class Bench:
    """Runs in a scratch folder, and the uninterrupted run with which they are compared."""

    def __init__(self, scratch):
        self.scratch = Path(scratch)
        self.run = self.scratch / "run"
        self.errors = self.scratch / "errors"
        self.saved = self.scratch / "saved"
        self.wholes = {}

    def argv(self, folder=None, processes=1):
        return [*SETTINGS, "--processes", str(processes), "--out", str(folder or self.run)]

    def whole(self, processes=1):
        """The folder of the uninterrupted run."""
        if processes not in self.wholes:
            folder = self.scratch / f"whole-{processes}"
            status, said = self.train(child.Nothing(), self.argv(folder, processes))
            if status != 0:
                raise RuntimeError(f"the uninterrupted run ended with {status}: {said}")
            self.wholes[processes] = folder
        return self.wholes[processes]

    def clear(self):
        shutil.rmtree(self.run, ignore_errors=True)
        for path in (self.errors, self.saved):
            path.unlink(missing_ok=True)

    def train(self, harm, argv):
        """(exit status, below 0 for a signal, what it said on standard error)."""
        return self.wait(child.start(argv, harm, self.errors, self.saved))

    def wait(self, number, kill_after=None):
        began = time.monotonic()
        while True:
            found, status = os.waitpid(number, os.WNOHANG)
            if found:
                return os.waitstatus_to_exitcode(status), self.errors.read_text() if self.errors.exists() else ""
            passed = time.monotonic() - began
            if kill_after is not None and passed > kill_after:
                os.kill(number, signal.SIGKILL)
            if passed > PATIENCE:
                os.kill(number, signal.SIGKILL)
                os.waitpid(number, 0)
                return 99, f"it has not ended after {PATIENCE} seconds"
            time.sleep(0.002)

    def after(self, status, said, processes=1):
        """Resume to the end, without harm, and compare -> the Outcome."""
        how = {0: "went on", 2: "said", -signal.SIGKILL: "killed"}.get(status)
        if how is None or "Traceback" in said:
            return Outcome("failed", f"status {status}: {said[-300:]}")
        if how == "said" and not said.strip():
            return Outcome(how, "it ended with status 2 and without a sentence")
        lost = self.progress_lost()
        go_on = ["--resume", "--out", str(self.run)] if checkpoints(self.run) else self.argv(processes=processes)
        status, said = self.train(child.Nothing(), go_on)  # also a run that has ended must say so, and have its log
        if status != 0:
            return Outcome(how, f"it did not go on: status {status}, {said[-300:]}")
        return Outcome(how, lost or difference(self.whole(processes), self.run))

    def progress_lost(self):
        """A sentence if the newest checkpoint that can be read is from before one that was said to be saved."""
        saved = max(map(int, self.saved.read_text().split()), default=0) if self.saved.exists() else 0
        if saved == 0:
            return ""
        try:
            state = kept.newest_sound(self.run).state
        except CheckpointError as error:
            return f"step {saved} was saved, and now {error}"
        there = state["epoch"] * STEPS // 3 + state["batch"]
        return "" if there >= saved else f"step {saved} was saved, and the newest checkpoint is from step {there}"


def difference(whole, run):
    """A sentence that names the first difference between two finished runs, but for times; "" if there is none."""
    try:
        expected, found = (load_checkpoint(folder / CHECKPOINT) for folder in (whole, run))
    except CheckpointError as error:
        return str(error)
    for section, arrays in expected[0].items():
        for name, array in arrays.items():
            other = found[0].get(section, {}).get(name)
            if other is None or array.dtype != other.dtype or array.tobytes() != other.tobytes():
                return f"{section}/{name} has other bits"
    if {name: set(arrays) for name, arrays in expected[0].items()} != {
        name: set(arrays) for name, arrays in found[0].items()
    }:
        return "there are other arrays"
    states = [plain(state) for _, state in (expected, found)]
    for key, value in states[0].items():
        if states[1].get(key) != value:
            return f"{key} differs: {states[1].get(key)} is not {value}"
    logs = []
    for folder in (whole, run):
        text = (folder / "log.csv").read_text() if (folder / "log.csv").exists() else ""
        logs.append([without_times(row) for row in csv.DictReader(text.splitlines())])
    if logs[0] != logs[1]:
        return f"log.csv differs: {len(logs[1])} rows, not {len(logs[0])}"
    names = {path.name for path in run.iterdir() if not path.name.endswith(".unreadable")}
    extra = names - {CHECKPOINT, "log.csv"} - {path.name for path in checkpoints(run)}
    return f"files were left behind: {sorted(extra)}" if extra else ""


def plain(state):
    """The state of a checkpoint without times, and without what may differ between two runs."""
    config = {key: value for key, value in state["config"].items() if key not in ("out", "processes")}
    history = [without_times(row) for row in state["history"]]
    return {**state, "config": config, "history": history, "totals": without_times(state["totals"])}


def without_times(row):
    return {key: value for key, value in row.items() if key not in TIMES}


# The cases


def harmed(harm, processes=1):
    """A run with harm; then it goes on without. It has the bits of one process, also where it asks for more."""

    def case(bench):
        return bench.after(*bench.train(harm, bench.argv(processes=processes)))

    return case


def killed_after(fraction):
    """SIGKILL after a part of the time that the uninterrupted run takes."""

    def case(bench):
        began = time.monotonic()
        bench.train(child.Nothing(), bench.argv(bench.scratch / "timed"))
        seconds = time.monotonic() - began
        shutil.rmtree(bench.scratch / "timed")
        bench.saved.unlink(missing_ok=True)
        number = child.start(bench.argv(), child.Nothing(), bench.errors, bench.saved)
        return bench.after(*bench.wait(number, fraction * seconds))

    return case


def damaged(damage, step, place):
    """The newest checkpoint of a run that was killed is damaged; place: where in it, from 0 to 1."""

    def case(bench):
        bench.train(child.AtStep(step), bench.argv())
        path = bench.run / CHECKPOINT
        content = bytearray(path.read_bytes())
        at = int(place * (len(content) - 1))
        if damage == "flipped":
            content[at] ^= 1 << at % 8
        path.unlink()
        if damage == "a folder":
            path.mkdir()
        else:
            path.write_bytes({"flipped": content, "truncated": content[:at], "empty": b""}[damage])
        return said_and_went_on(bench, child.Nothing())

    return case


def unreadable(step):
    """The disk gives EIO when the newest checkpoint is read."""

    def case(bench):
        bench.train(child.AtStep(step), bench.argv())
        return said_and_went_on(bench, child.Unreadable())

    return case


def said_and_went_on(bench, harm):
    bench.saved.unlink()  # the newest is gone, so going back by one save is what is promised
    status, said = bench.train(harm, ["--resume", "--out", str(bench.run)])
    if "going on from step" not in said:
        return Outcome("failed", f"it did not say from which checkpoint it goes on: {said[-300:]}")
    return bench.after(status, said)


def read_only(step):
    """A folder that cannot be written, first for a new run and then for one that is resumed."""

    def case(bench):
        bench.run.mkdir()
        for argv in (bench.argv(), ["--resume", "--out", str(bench.run)]):
            bench.run.chmod(0o555)
            status, said = bench.train(child.AnotherUser(), argv)
            bench.run.chmod(0o755)
            if status != 2 or len(said.splitlines()) != 1 or "Permission denied" not in said:
                return Outcome("failed", f"a read-only folder: status {status}, {said[-300:]}")
            if not checkpoints(bench.run):
                bench.train(child.AtStep(step), bench.argv())
        return bench.after(status, said)

    return case


def two_runs(step, then):
    """While one run stands still, two others want its folder; then it goes on, or is killed."""

    def case(bench):
        number = child.start(bench.argv(), child.AtStep(step, child.pause), bench.errors, bench.saved)
        os.waitpid(number, os.WUNTRACED)
        errors = bench.errors
        try:
            for argv in (bench.argv(), ["--resume", "--out", str(bench.run)]):
                bench.errors = bench.scratch / "errors of another"
                status, said = bench.train(child.Nothing(), argv)
                if status != 2 or f"is being written by process {number};" not in said:
                    return Outcome("failed", f"a second run in the folder: status {status}, {said[-300:]}")
        finally:
            bench.errors = errors
            os.kill(number, then)
        return bench.after(*bench.wait(number))

    return case


def full_disk(kilobytes):
    """A disk of its own (tmpfs) is full in the middle of the run; then it has room again."""

    def work(bench):
        bench.run.mkdir()
        with mounted(bench.run, kilobytes):
            status, said = bench.train(child.RoomIsPromised(), bench.argv())
            subprocess.run(["mount", "-o", "remount,size=50m", str(bench.run)], check=True)
            return bench.after(status, said)

    return lambda bench: apart(lambda: work(bench))


def full_shared_memory():
    """/dev/shm is full to the last page, and two processes share each batch."""

    def work(bench):
        with mounted(Path("/dev/shm"), 4):
            Path("/dev/shm/ballast").write_bytes(b"x" * 4096)
            return bench.after(*bench.train(child.Nothing(), bench.argv(processes=2)), processes=2)

    def case(bench):
        bench.whole(2)
        bench.clear()
        return apart(lambda: work(bench))

    return case


@contextmanager
def mounted(folder, kilobytes):
    """A small disk at this folder, for this process and its forks."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


def apart(work):
    """work() in a fork that has its own table of mounted disks -> its Outcome; None if the system does not allow it."""
    reading, writing = os.pipe()
    number = os.fork()
    if number == 0:
        try:
            answer = None
            if own_mounts():
                outcome = work()
                answer = [outcome.how, outcome.lost]
        except BaseException as error:
            answer = ["failed", repr(error)]
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        answer = json.loads(file.read() or "null")
    os.waitpid(number, 0)
    return answer and Outcome(*answer)


def own_mounts():
    """Give this process its own table of mounted disks -> whether the system allows it."""
    import ctypes

    new_namespace = 0x00020000  # CLONE_NEWNS
    unshare = getattr(ctypes.CDLL(None), "unshare", None)
    if os.geteuid() != 0 or unshare is None or unshare(new_namespace) != 0 or not shutil.which("mount"):
        return False
    return subprocess.run(["mount", "--make-rprivate", "/"], check=False, capture_output=True).returncode == 0


def moments(bench, every_step=False):
    """The names of all moments of file calls in a run."""
    seen = bench.scratch / "moments"
    seen.unlink(missing_ok=True)
    bench.train(child.AtCall(-1, None, every_step=every_step, seen=seen), bench.argv())
    bench.clear()
    return seen.read_text().splitlines()


KILLS = 200


def plan(bench, seed):
    """[(name of the row, case)] in the order in which they are done: each row early, then the rest."""
    draw = random.Random(seed)
    usual = moments(bench)
    often = moments(bench, every_step=True)
    file_calls = [(False, at) for at in range(len(usual))] + [(True, at) for at in range(len(often))]
    draw.shuffle(file_calls)
    at_calls = [harmed(child.AtCall(at, lambda name: child.kill(), every_step=every)) for every, at in file_calls[:160]]
    at_steps = [harmed(child.AtStep(half / 2)) for half in range(2 * STEPS)]
    at_times = [killed_after(draw.random()) for _ in range(KILLS - len(at_calls) - len(at_steps))]
    rows = {"SIGKILL at a file call": at_calls, "SIGKILL before or after a step": at_steps}
    rows["SIGKILL at any time"] = at_times
    can_fail = [at for at, name in enumerate(usual) if not name.startswith("after")]
    for name, number in (("full disk, ENOSPC", errno.ENOSPC), ("failing disk, EIO", errno.EIO)):
        for lasting, how in ((False, "at one file call"), (True, "from one on")):
            chosen = draw.sample(can_fail, min(12, len(can_fail)))
            rows[f"{name} {how}"] = [
                harmed(child.AtCall(at, child.fail_with(number), lasting=lasting)) for at in chosen
            ]
    rows["a small disk is full"] = [full_disk(draw.randrange(700, 2500)) for _ in range(4)]
    for damage in ("truncated", "flipped", "empty", "a folder"):
        name = f"newest checkpoint {damage}"
        rows[name] = [damaged(damage, draw.choice([2, 3, 4, 5]), draw.random()) for _ in range(4)]
    rows["newest checkpoint gives EIO"] = [unreadable(step) for step in (2, 4)]
    rows["read-only folder"] = [read_only(step) for step in (2, 5)]
    rows["/dev/shm is full"] = [full_shared_memory()]
    rows["no shared memory at all"] = [harmed(child.NoSharedMemory(), 2)]
    rows["two runs in one folder"] = [two_runs(3, signal.SIGCONT), two_runs(4, signal.SIGKILL)]
    rows["clocks that jump"] = [harmed(child.Clock(draw.random())) for _ in range(6)]
    return interleaved(rows)


def interleaved(rows):
    """One case of each row after another, so that a short soak has done something of everything."""
    longest = max(map(len, rows.values()))
    return [(name, cases[turn]) for turn in range(longest) for name, cases in rows.items() if turn < len(cases)]
