"""What belongs to the grader, the teacher or another: files, processes, the network."""

from cheats.cheat import HONEST, cheat
from minires.gradcheck.grading.errors import EndedError, RaisedError

CHEATS = [
    cheat(
        "kills its parent",
        (EndedError, RaisedError, HONEST),
        "def f(x):\n    os.kill(os.getppid(), 9); return 2 * x",
        only="another user",
    ),
    cheat(
        "kills everybody",
        (EndedError, RaisedError, HONEST),
        "def f(x):\n    os.kill(-1, 9); return 2 * x",
        only="another user",
    ),
    cheat(
        "reads the grader's memory",
        HONEST,
        """
        def f(x):
            for pid in GRADER:
                for name in ("mem", "environ", "maps", "fd/1", "root/etc/shadow", "cwd/x"):
                    try:
                        open(f"/proc/{pid}/{name}", "rb").read(1)
                        return f"read {pid} {name}"
                    except OSError:
                        pass
                if ctypes.CDLL(None).ptrace(16, pid, 0, 0) == 0: return "traced"
            return 2 * x
        """,
        only="another user",
    ),
    cheat(
        "edits what is installed",
        HONEST,
        """
        def f(x):
            folders = [os.path.dirname(np.__file__), os.path.dirname(os.__file__), *site.getsitepackages(), *INSTALLED]
            for folder in folders:
                for name in ("__init__.py", "sitecustomize.py", "a.pth", "usercustomize.py", "grading/judge.py"):
                    try:
                        open(os.path.join(folder, name), "a").close()
                        return os.path.join(folder, name)
                    except OSError:
                        pass
                try:
                    os.chmod(folder, 0o777)
                    return folder
                except OSError:
                    pass
            return 2 * x
        """,
        only="another user",
    ),
    cheat(
        "reads files of others",
        HONEST,
        """
        def f(x):
            for path in ("/etc/shadow", TEACHER, os.path.dirname(TEACHER), "/proc/1/environ", "/home", "/var"):
                try:
                    os.listdir(path) if os.path.isdir(path) else open(path).read()
                    return path
                except OSError:
                    pass
            return 2 * x
        """,
        only="walls",
    ),
    cheat(
        "climbs over the walls",
        HONEST,
        """
        def f(x):
            libc = ctypes.CDLL(None, use_errno=True)
            libc.unshare(0x10000000); libc.unshare(0x00020000)
            try:
                os.mkdir("old")
            except OSError:
                pass
            for way in (lambda: libc.chroot(b"old"), lambda: libc.umount2(b"/usr", 2), lambda: libc.umount2(b"/", 2),
                        lambda: libc.mount(b"none", b"/usr", None, 32, None), lambda: libc.setuid(0)):
                way()
            for _ in range(50):
                os.chdir("..")
            return [p for p in ("etc/shadow", "proc/1", "var") if os.path.exists(p)] or 2 * x
        """,
        only="walls",
    ),
    cheat(
        "calls home",
        HONEST,
        """
        def f(x):
            for port in PORTS:
                try:
                    socket.create_connection(("127.0.0.1", port), 1)
                    return "connected"
                except OSError:
                    pass
            return 2 * x
        """,
        only="walls",
    ),
    cheat(
        "leaves files for the next",
        HONEST,
        """
        def f(x):
            for folder in {"/tmp", "/var/tmp", "/dev/shm", os.path.expanduser("~"), os.getcwd(), tempfile_of()}:
                try:
                    open(os.path.join(folder, "minires-left-behind.py"), "w").close()
                except OSError:
                    pass
            return 2 * x
        def tempfile_of():
            import tempfile
            return tempfile.gettempdir()
        """,
        only="walls",
    ),
    cheat(
        "removes the guard over imports",
        (HONEST, RaisedError),
        """
        sys.meta_path[:] = [m for m in sys.meta_path if "Finder" not in repr(m) or "importlib" in repr(m)]
        def f(x):
            for folder in sys.path:
                for path in glob.glob(os.path.join(folder, "hypothesis", "**", "*.py"), recursive=True):
                    return open(path).read(100)
            return 2 * x
        """,
        only="walls",
        forbid=["hypothesis"],
    ),
]
