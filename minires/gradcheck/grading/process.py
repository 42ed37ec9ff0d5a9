"""The process of a submission as the grader starts and ends it, and what this system lets us hold it back from."""

import contextlib
import functools
import json
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from minires.errors import OptionError
from minires.gradcheck.grading import wire
from minires.gradcheck.grading.keeper import PARTS, others_can_read, seen_from_inside
from minires.gradcheck.grading.removal import remove_tree
from minires.system import fcntl, why_no_processes

SCRATCH = "minires-homework-"  # how the names of scratch folders begin
YOUNG = 60.0  # seconds in which a scratch folder may have no lock yet
STARTING = 30.0  # seconds granted for starting Python and importing NumPy
ENDING = 5.0  # seconds in which the keeper ends everything; then it is killed itself
HERE = Path(__file__).parent
MINIRES = HERE.parents[1]  # this package
PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT")  # of the grader's environment
SET = {"MPLBACKEND": "Agg", **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")}


@dataclass(frozen=True)
class Limits:
    """What a submission may use, in bytes where nothing else is said."""

    memory: int = 4 * 2**30  # addresses; NumPy alone has some 0.5 · 2³⁰
    disk: int = 256 * 2**20  # of its scratch folder, where that lies in memory
    file: int = 64 * 2**20
    files: int = 256  # open at once
    processes: int = 64  # and threads
    seconds: int = 1200  # of computing, in all; Box's timeout limits one answer
    answer: int = wire.LIMIT
    neighbours: int = 64 * 2**20  # copied from beside the homework


def refuse_without_processes():
    """Raise OptionError where no process can be started."""
    why = why_no_processes()
    if why:
        raise OptionError(
            f"a file is marked in a process of its own, but {why}; in a notebook give the function itself: "
            "gradcheck.grade(conv2d)"
        )


class Process:
    """One runner and its keeper. socket: messages to it and from it."""

    def __init__(self, file, scratch, limits, forbid=(), marker="", timeout=None, absent=(), package="", hidden=()):
        refuse_without_processes()
        config = _config(file, scratch, limits, list(forbid), marker, timeout, list(absent))
        config["hidden"] = outermost([*config["hidden"], *hidden])
        config["runner"]["package"] = package
        config["walls"] = kind_of_walls()
        self.marker = marker
        starts = _start_by_port if os.name == "nt" else _start_by_keeper
        self.process, self.socket = starts(config)

    def end(self, patience=0.0):
        """End the runner and all that it started. -> {"code", "output"} or {"error"}, as far as it is known

        patience: seconds granted to a runner that has closed its socket, so that its own exit code is what is told.
        """
        self.socket.close()
        if self.process.stdin is None:  # Windows: there is no keeper, this is the runner itself
            return {"code": self._end_runner(patience), "output": ""}
        try:
            select.select([self.process.stdout], [], [], patience)
            said, _ = self.process.communicate(timeout=ENDING)  # closes the keeper's input, which is the sign
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            said = b""
            self.process.stdout.close()
        if self.process.returncode != 0 and sys.platform == "linux":  # the keeper was killed
            _end_marked(self.marker)
        text = said.decode("utf-8", "replace")
        try:
            return dict(json.loads(text.splitlines()[-1]))
        except (ValueError, IndexError, TypeError):
            return {"error": text[-500:]}

    def _end_runner(self, patience):
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def _end_marked(marker):
    """End what has this box's marker in its environment, and that we may end."""
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            if marker and f"MINIRES_BOX={marker}".encode() in Path("/proc", process, "environ").read_bytes():
                os.kill(int(process), signal.SIGKILL)
        except OSError:
            continue


def _config(file, scratch, limits, forbid, marker, timeout=None, absent=()):
    """What the keeper is told, and within it what the runner is told."""
    homework = os.path.join(scratch, "homework")
    root = os.path.join(scratch, "root")
    os.makedirs(homework, exist_ok=True)
    os.makedirs(root, exist_ok=True)
    resources = {
        "RLIMIT_AS": limits.memory,
        "RLIMIT_NPROC": limits.processes,
        "RLIMIT_FSIZE": limits.file,
        "RLIMIT_NOFILE": limits.files,
        "RLIMIT_CPU": limits.seconds,
        "RLIMIT_CORE": 0,
    }
    environment = {k: os.environ[k] for k in PASSED_ON if k in os.environ} | SET | {"MINIRES_BOX": marker}
    return {
        "keeper": str(HERE / "keeper.py"),
        "command": [sys.executable, "-I", "-B", str(HERE / "runner.py")],
        "environment": environment,
        "scratch": scratch,
        "folder": homework,
        "root": root,
        "libraries": shown(),
        "hidden": packages([*forbid, *absent]),
        "disk": limits.disk,
        "runner": {
            "file": file,
            "folder": homework,
            "forbid": forbid,
            "absent": absent,
            "user": None,
            "limits": resources,
            "timeout": timeout,
        },
    }


def _start_by_keeper(config):
    ours, theirs = socket.socketpair()
    config["runner"]["socket"] = config["socket"] = theirs.fileno()
    outside = _bubblewrap(config) if config["walls"] == "bwrap" else []
    with theirs:
        keeper = subprocess.Popen(
            [*outside, sys.executable, "-I", "-S", "-B", config["keeper"], json.dumps(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
            cwd="/",
        )
    return keeper, ours


def _bubblewrap(config):
    """The command that starts the keeper within walls of bwrap's: the same ones, but for the scratch folder on disk."""
    words = [shutil.which("bwrap"), "--unshare-all", "--die-with-parent", "--new-session", "--dev", "/dev"]
    words += ["--tmpfs", "/tmp"]
    for path in seen_from_inside(config["libraries"]):
        words += ["--symlink", os.readlink(path), path] if os.path.islink(path) else ["--ro-bind", path, path]
    for path in config["hidden"]:
        words += ["--perms", "0000", "--tmpfs", path] if os.path.isdir(path) else ["--ro-bind", os.devnull, path]
    for file in ("keeper.py", "runner.py", "watched.py", "wire.py"):
        words += ["--ro-bind", str(HERE / file), f"/runner/{file}"]
    words += ["--bind", config["folder"], "/homework"]
    config["folder"] = "/homework"
    config["keeper"] = "/runner/keeper.py"
    config["command"] = [word.replace(str(HERE), "/runner") for word in config["command"]]
    return words


def _start_by_port(config):
    """On Windows, where there is no keeper: the runner calls back, and says a secret word."""
    token = secrets.token_hex(16)
    with socket.create_server(("127.0.0.1", 0)) as server:
        config["runner"] |= {"port": server.getsockname()[1], "token": token}
        process = subprocess.Popen(
            [*config["command"], json.dumps(config["runner"])],
            env=config["environment"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        server.settimeout(STARTING)
        ours, _ = server.accept()
    ours.settimeout(STARTING)
    if ours.recv(len(token)) != token.encode():
        raise OSError("another process has answered")
    return process, ours


# ---- its scratch folder


@contextlib.contextmanager
def scratch_folder():
    """A new folder, removed at the end. A lock on it says that its grader is alive."""
    path = tempfile.mkdtemp(prefix=SCRATCH)
    lock = None
    try:
        if fcntl:
            lock = os.open(path, os.O_RDONLY)
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield path
    finally:
        remove_tree(path)
        if lock is not None:
            os.close(lock)


def remove_old_scratch_folders():
    """Remove what graders of this user have left that were killed together with their keepers."""
    for path in Path(tempfile.gettempdir()).glob(f"{SCRATCH}*") if fcntl else ():
        with contextlib.suppress(OSError):  # another grader's lock; or it is gone
            number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
            try:
                about = os.fstat(number)
                if about.st_uid == os.geteuid() and time.time() - about.st_mtime > YOUNG:
                    fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    remove_tree(path)
            finally:
                os.close(number)


# ---- what this system allows


@functools.cache
def python_folders():
    """(the folders in which Python is installed, those in which it looks for packages), started without any wishes."""
    ask = "import json, sys; print(json.dumps([[sys.prefix, sys.base_prefix, sys.exec_prefix], sys.path]))"
    said = subprocess.run([sys.executable, "-I", "-c", ask], capture_output=True, check=True, timeout=STARTING).stdout
    return json.loads(said)


@functools.cache
def libraries():
    """All folders that Python needs, and in which it looks for packages."""
    own = [os.path.dirname(sys.executable), os.path.dirname(os.path.realpath(sys.executable))]
    prefixes, places = python_folders()
    return [folder for folder in dict.fromkeys([*prefixes, *places, *own]) if os.path.isdir(folder)]


def shown():
    """What a submission sees of them. A virtual environment may lie in the folder of a course, with its solutions."""
    found = []
    for folder in libraries():
        if folder in python_folders()[0]:
            found += [os.path.join(folder, part) for part in PARTS]
        elif Path(folder) == MINIRES.parent and not folder.endswith("-packages"):
            found.append(str(MINIRES))  # a clone's tests and lessons hold right answers, too
        else:
            found.append(folder)
    return [path for path in dict.fromkeys(found) if os.path.exists(path)]


def outermost(paths):
    """These paths without those that lie in another one of them."""
    found = []
    for path in sorted(set(paths), key=len):
        if not any(path.startswith(folder + os.sep) for folder in found):
            found.append(path)
    return found


def within_shown(paths):
    """Those of these files and folders that a submission would see, to be hidden; not what holds a part of Python."""
    seen = [path + os.sep for path in seen_from_inside(shown())]
    needed = [os.path.realpath(folder) + os.sep for folder in libraries() if folder not in python_folders()[0]]
    inside = [path for path in map(os.path.realpath, paths) if path.startswith(tuple(seen))]
    return outermost(path for path in inside if not any(folder.startswith(path + os.sep) for folder in needed))


def packages(names):
    """Where these packages lie, compiled too; not what the runner itself needs, NumPy and the standard library."""
    names = [name for name in names if name.partition(".")[0] not in {"numpy", *sys.stdlib_module_names}]
    places = [Path(folder, *name.split(".")) for folder in [*libraries(), *other_packages()] for name in names]
    patterns = ("{}", "{}.py", "{}.pyc", "{}.so", "{}.pyd", "{}.*.so", "{}.*.pyd", "__pycache__/{}.*.pyc")
    found = [path for place in places for p in patterns for path in place.parent.glob(p.format(place.name))]
    return list(dict.fromkeys(map(os.path.realpath, found)))


@functools.cache
def other_packages():
    """The folders of packages of other Pythons that are to be seen, which a submission can add to its path.

    Among them are those of the Python that a virtual environment was made of, and conda's other environments.
    """
    parents = {os.path.realpath(f) for f in ("/usr", "/usr/local", "/nix/store", *libraries()) if os.path.isdir(f)}
    patterns = [f"{lib}python3*/{kind}-packages" for lib in ("", "lib/", "lib64/") for kind in ("dist", "site")]
    patterns += ["envs/*/lib/python3*/site-packages", "pkgs/*/lib/python3*/site-packages", "pkgs/*/site-packages"]
    return sorted({str(path) for parent in parents for pattern in patterns for path in Path(parent).glob(pattern)})


@functools.cache
def kind_of_walls():
    """ "namespaces" where the keeper can build walls, "bwrap" where only that program can, or "". Tried once."""
    return next((kind for kind in ("namespaces", "bwrap") if sys.platform == "linux" and _stands(kind)), "")


def _stands(kind):
    """Whether walls can be built, tried with a process that does nothing."""
    if kind == "bwrap" and (not shutil.which("bwrap") or os.geteuid() == 0):  # a root within could take them down
        return False
    with scratch_folder() as scratch:
        config = _config("nothing.py", scratch, Limits(), [], "")
        config |= {"walls": kind, "command": [sys.executable, "-I", "-S", "-c", "pass"]}
        process, ours = _start_by_keeper(config)
        with ours:
            said = process.stdout.read()  # not communicate(), which closes its input before it has ended
            process.communicate()
    try:
        return json.loads(said) == {"code": 0, "output": ""}
    except ValueError:
        return False


def protections():
    """What holds on this system, by sentence."""
    posix = os.name == "posix"
    walls = kind_of_walls() != ""
    user = posix and os.geteuid() == 0 and (walls or others_can_read([*shown(), tempfile.gettempdir()]))
    return {
        "nothing that a submission says is run": True,
        "an answer has a deadline and a length": True,
        "the number of processes, and the memory and open files of each, are limited": posix,
        "the grader cannot be signalled or read": walls or user,
        "installed files cannot be written": walls or user,
        "daemons end, too": walls or user or sys.platform == "linux",
        "files of others are hidden": walls,
        "forbidden packages are hidden": walls,
        "the disk cannot be filled": kind_of_walls() == "namespaces",
        "there is no network": walls,
    }
