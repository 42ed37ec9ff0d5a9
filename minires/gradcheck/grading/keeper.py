"""Keeps a submission's process: walls around it, one end for it and all that it starts, and an end with the grader.

Started by box.py as a program, with the standard library only (POSIX). The grader holds the other end of its standard
input: when that closes, because the grader wants it or because the grader was killed, everything here ends.

    grader ── keeper ── runner                  without walls, or within those of bwrap
    grader ── keeper ── first ── runner         with walls: `first` is process 1 of a namespace; when it ends, all end

The walls are Linux namespaces: a file system that shows Python's own folders (not writable) and a scratch folder in
memory, no other processes, no network. process.py tries once whether this system lets us build them; where only the
program bwrap may, that builds them, and the keeper starts within.
"""

import contextlib
import ctypes
import errno
import json
import os
import select
import shutil
import signal
import stat
import sys

OUTPUT = 16_000  # bytes of what was printed last
NOBODY = 65534
FIRST_USER = 1_900_000_000  # users that no system hands out; the keeper's process number makes one of them
# linux/sched.h, linux/mount.h, linux/prctl.h
NEW_MOUNTS, NEW_IPC, NEW_USER, NEW_PROCESSES, NEW_NETWORK = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
READ_ONLY, NO_SETUID, NO_DEVICES, BIND, RECURSIVE, PRIVATE = 1, 2, 4, 4096, 16384, 1 << 18
AT_FDCWD, AT_RECURSIVE, DETACH = -100, 0x8000, 2
SYS_MOUNT_SETATTR = 442  # the same number on every processor since Linux 5.12
SYS_KEYCTL = {"x86_64": 250, "aarch64": 219, "riscv64": 219, "armv7l": 311, "i686": 288, "ppc64le": 271, "s390x": 280}
JOIN_SESSION_KEYRING = 1
DIES_WITH_PARENT, NO_NEW_PRIVILEGES, CHILD_SUBREAPER = 1, 38, 36
# What is seen of a folder in which programs are installed. Beside these a course may be kept.
PARTS = ["bin", "sbin", "lib", "lib32", "lib64", "libx32", "libexec", "include", "share", "etc", "ssl", "pyvenv.cfg"]
# What programs outside Python's folders are needed for: libraries in C, fonts, the time zone.
SYSTEM = [f"{prefix}/{part}" for prefix in ("/usr", "/usr/local") for part in PARTS]
SYSTEM += ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store"]
SYSTEM += ["/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts", "/etc/localtime", "/etc/passwd", "/etc/group"]


def main():
    config = json.loads(sys.argv[1])
    beside = where_scratch_lies(config)
    try:
        report = keep(config)
    except OSError as error:
        report = {"error": f"{error.strerror}: {error.filename}"}
    if beside is not None:
        os.fchdir(beside)  # open since before the walls, which hide it
        with contextlib.suppress(RecursionError):  # too deep for it; the grader removes it
            shutil.rmtree(os.path.basename(config["scratch"]), ignore_errors=True)
    print(json.dumps(report), flush=True)


def where_scratch_lies(config):
    """The folder that the scratch folder is in, opened; None where it is not to be seen, within bwrap's walls.

    The keeper removes the scratch folder, because a grader that was killed cannot.
    """
    return None if config["walls"] == "bwrap" else os.open(os.path.dirname(config["scratch"]), os.O_RDONLY)


def keep(config):
    """Run the runner to its end, or to the grader's. -> {"code", "output"}"""
    os.umask(0o022)  # the mode of the scratch folder keeps other users out
    on_linux(lambda: prctl(CHILD_SUBREAPER, 1))
    on_linux(lambda: prctl(NO_NEW_PRIVILEGES, 1))
    on_linux(leave_keyring)
    on_linux(end_first)
    user = new_user(config)
    if config["walls"] == "namespaces":
        build_walls(config)
        give(config["folder"], user)
    elif not config["walls"]:
        give(os.path.dirname(config["folder"]), user)
        if user is None:  # the limit counts what its user runs elsewhere, too
            config["runner"]["limits"]["RLIMIT_NPROC"] += on_linux(lambda: len(tasks_of(os.geteuid()))) or 0
    said, output = os.pipe()
    child = os.fork()
    if child == 0:
        on_linux(lambda: prctl(DIES_WITH_PARENT, signal.SIGKILL))
        become = be_first if config["walls"] == "namespaces" else start
        become(config, user, output)
    os.close(output)
    close(config)
    status, last = watch(child, said)
    end_others(config, user, child)
    code = os.waitstatus_to_exitcode(status)
    if config["walls"] == "namespaces" and code > 128:  # first says a signal as a shell does
        code = 128 - code
    return {"code": code, "output": last.decode("utf-8", "replace")}


def start(config, user, output):
    """Become the runner: no input, its output to the keeper, its socket, and nothing else that was open."""
    try:
        os.setpgid(0, 0)
        silence = os.open(os.devnull, os.O_RDWR)
        os.dup2(silence, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        if "socket" in config:
            os.set_inheritable(config["socket"], True)
        environment = config["environment"] | {"HOME": config["folder"], "TMPDIR": config["folder"]}
        command = [*config["command"], json.dumps(config["runner"] | {"folder": config["folder"], "user": user})]
        os.execve(command[0], command, environment)
    except BaseException as error:
        print(f"{config['command'][0]} cannot be started: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(127)


def be_first(config, user, output):
    """Process 1 of the namespace: start the runner, bury orphans, end with the runner."""
    runner = os.fork()
    if runner == 0:
        start(config, user, output)
    os.close(output)
    close(config)
    while True:
        ended, status = os.wait()
        if ended == runner:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def close(config):
    """The runner alone holds the socket: when it ends, the grader sees it at once."""
    if "socket" in config:
        os.close(config["socket"])


def watch(child, said):
    """(the child's exit status, the last that was printed); the child is killed when the grader closes our input."""
    open_files = [0, said]
    last = b""
    while True:
        ready, _, _ = select.select(open_files, [], [], 0.02)
        if 0 in ready:
            open_files.remove(0)
            os.kill(child, signal.SIGKILL)
        if said in ready:
            more = os.read(said, 65536)
            last = (last + more)[-OUTPUT:]
            if not more:
                open_files.remove(said)
        while True:
            ended, status = os.waitpid(-1, os.WNOHANG)  # orphans are ours, too
            if ended == child:
                return status, last + drained(said)
            if ended == 0:
                break


def drained(said):
    """What is left in a pipe, without waiting for its other end to close."""
    os.set_blocking(said, False)
    try:
        return os.read(said, 65536)[-OUTPUT:]
    except BlockingIOError:
        return b""


# ---- the end of everything that was started


def end_others(config, user, child):
    """Kill what the runner has left behind. Within walls the kernel does so when process 1 ends."""
    if config["walls"]:
        return
    if user is not None:
        helper = os.fork()
        if helper == 0:
            try:
                os.setuid(user)
                os.kill(-1, signal.SIGKILL)  # all processes of that user at once, so that none can start another
            finally:
                os._exit(0)
    elif sys.platform == "linux":
        stopped = set()
        while family := descendants() - stopped:  # whatever lost its parent has become a child of ours
            for process in family:
                send(process, signal.SIGSTOP)  # first, so that none can start another meanwhile
            stopped |= family
        for process in stopped:
            send(process, signal.SIGKILL)
    else:
        send(-child, signal.SIGKILL)  # its group
    bury()


def bury():
    """Wait for all children that there are."""
    try:
        while True:
            os.wait()
    except ChildProcessError:
        return


def send(process, what):
    try:
        os.kill(process, what)
    except (ProcessLookupError, PermissionError):  # it has just ended
        return


def descendants():
    """The set of processes that descend from this one, zombies left out."""
    children = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", errors="replace") as file:
                state, parent = file.read().rpartition(")")[2].split()[:2]
        except OSError:  # it has just ended
            continue
        if state != "Z":
            children.setdefault(int(parent), []).append(int(name))
    found = set()
    parents = [os.getpid()]
    while parents:
        own = children.get(parents.pop(), [])
        found.update(own)
        parents += own
    return found


# ---- another user


def new_user(config):
    """A user id that is used nowhere else, which can neither read, write nor signal; None if we may choose none."""
    temporary = os.path.dirname(os.path.dirname(config["folder"]))
    if os.geteuid() != 0 or not (config["walls"] or others_can_read([*config["libraries"], temporary])):
        return None
    for user in (FIRST_USER + os.getpid(), NOBODY):  # the second in a container that knows few users
        try:
            os.chown(config["folder"], user, user)
            return user
        except OSError:
            continue
    return None


def others_can_read(folders):
    """Whether another user could go on importing: every folder on the way may be entered."""
    for folder in folders:
        while True:
            if not os.stat(folder).st_mode & stat.S_IXOTH:
                return False
            if folder == os.path.dirname(folder):
                break
            folder = os.path.dirname(folder)
    return True


def tasks_of(user):
    """The threads that a user has."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{name}").st_uid == user:
                found += os.listdir(f"/proc/{name}/task")
        except OSError:  # it has just ended
            continue
    return found


def give(folder, user):
    """The scratch folder and all in it belong to the user."""
    if user is None:
        return
    for place, _, files in os.walk(folder):
        for path in (place, *(os.path.join(place, name) for name in files)):
            os.chown(path, user, user, follow_symlinks=False)


# ---- walls


def build_walls(config):
    """Go into namespaces of our own; the folder, the runner and the libraries are where they are seen from inside."""
    outside = (os.geteuid(), os.getegid())
    new = NEW_MOUNTS | NEW_PROCESSES | NEW_NETWORK | NEW_IPC
    check("unshare", libc().unshare(new if outside[0] == 0 else new | NEW_USER))
    if outside[0] != 0:
        for file, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{NOBODY} {outside[0]} 1"),
            ("gid_map", f"{NOBODY} {outside[1]} 1"),
        ):
            with open(f"/proc/self/{file}", "w") as map:
                map.write(text)
    mount("none", "/", RECURSIVE | PRIVATE)
    root = config["root"]
    mount("minires", root, NO_SETUID | NO_DEVICES, "tmpfs", f"size={config['disk']},nr_inodes=20000,mode=755")
    libraries = seen_from_inside(config["libraries"])
    for path in libraries:
        show(path, root)
    for path in ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"):
        show(path, root, read_only=False)
    for path in config["hidden"]:
        hide(path, root)
    for folder in ("tmp", "dev/shm"):
        os.makedirs(os.path.join(root, folder), exist_ok=True)
        os.chmod(os.path.join(root, folder), 0o1777)
    shutil.copytree(config["folder"], os.path.join(root, "homework"))
    os.mkdir(os.path.join(root, "runner"), 0o755)
    for file in ("runner.py", "watched.py", "wire.py"):
        shutil.copy(os.path.join(os.path.dirname(__file__), file), os.path.join(root, "runner", file))
    os.chdir(root)
    check("pivot_root", libc().pivot_root(b".", b"."))
    check("umount2", libc().umount2(b".", DETACH))
    os.chdir("/")
    config["folder"] = "/homework"
    config["command"] = [part.replace(os.path.dirname(__file__), "/runner") for part in config["command"]]


def seen_from_inside(libraries):
    """Folders to show: by the name under which Python knows them, and by their own."""
    paths = {path for name in [*SYSTEM, *libraries] for path in (name, os.path.realpath(name)) if os.path.exists(path)}
    return [p for p in sorted(paths - {"/"}) if not any(p.startswith(other + "/") for other in paths - {"/"})]


def show(path, root, read_only=True):
    """The same file or folder at the same place below `root`, whatever is mounted in it included."""
    inside = root + path
    os.makedirs(os.path.dirname(inside), 0o755, exist_ok=True)
    if os.path.islink(path):
        os.symlink(os.readlink(path), inside)
        return
    if os.path.isdir(path):
        os.makedirs(inside, 0o755)
    else:
        os.close(os.open(inside, os.O_CREAT))
    mount(path, inside, BIND | RECURSIVE)
    if read_only:
        attributes = (ctypes.c_uint64 * 4)(READ_ONLY | NO_SETUID)
        done = libc().syscall(SYS_MOUNT_SETATTR, AT_FDCWD, inside.encode(), AT_RECURSIVE, ctypes.byref(attributes), 32)
        check(f"mount_setattr {path}", done)


def hide(path, root):
    """Nothing in the place of a forbidden package, so that its text cannot be read either."""
    inside = root + path
    if os.path.isdir(inside):
        mount("minires", inside, READ_ONLY, "tmpfs", "mode=0")
    elif os.path.exists(inside):
        mount(os.devnull, inside, BIND)


def mount(source, target, flags, kind=None, options=None):
    encoded = [text if text is None else text.encode() for text in (source, target, kind, options)]
    done = libc().mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3])
    check(f"mount {target}", done)


def prctl(option, value):
    check(
        f"prctl {option}",
        libc().prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)),
    )


def end_first():
    """Where the machine has no memory left, the kernel ends what is in here, and not the grader."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:  # within bwrap's walls there is no /proc
        return


def leave_keyring():
    """Take an empty session keyring, because no wall holds back the passwords and tokens in that of the grader."""
    number = SYS_KEYCTL.get(os.uname().machine)
    if number is None or libc().syscall(number, JOIN_SESSION_KEYRING, None) >= 0:
        return
    if ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):  # where keys are refused, a submission gets none either
        check("keyctl", -1)


def libc():
    return ctypes.CDLL(None, use_errno=True)


def check(what, result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), what)


def on_linux(do):
    return do() if sys.platform == "linux" else None


if __name__ == "__main__":
    main()
