"""Whatever ends a command costs one line and the right exit status."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

import minires
from minires import console
from minires.__main__ import COMMANDS
from minires.__main__ import main as minires_command
from minires.errors import OptionError

posix = pytest.mark.skipif(os.name == "nt", reason="signals and descriptors are POSIX's")


def script(body):
    """A Python command line whose main() has this body."""
    return [
        sys.executable,
        "-c",
        textwrap.dedent("""
        import os, signal, sys, time
        from minires import console
        @console.command("me")
        def main(argv=None):
        """)
        + textwrap.indent(textwrap.dedent(body), "    ")
        + "\nconsole.entry(main)\n",
    ]


def said(body, **options):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(
        script(body), stderr=subprocess.PIPE, text=True, timeout=60, **{"env": environment, **options}
    )


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OptionError("lr must be\nat least 0"), "me: lr must be at least 0\n"),
        (OSError(28, "No space left on device", "runs/x"), "me: runs/x: No space left on device\n"),
        (OSError(18, "Invalid cross-device link", "a", None, "b"), "me: a -> b: Invalid cross-device link\n"),
        (PermissionError("no"), "me: no\n"),
        (
            MemoryError("Unable to allocate 7 GiB"),
            "me: out of memory (Unable to allocate 7 GiB); fewer or smaller images at once need less\n",
        ),
    ],
)
def test_a_users_mistake_is_one_line_and_status_2(capsys, error, line):
    @console.command("me")
    def main(argv=None):
        raise error

    assert main() == 2
    assert capsys.readouterr().err == line


def test_control_c_is_one_line_and_status_130(capsys):
    @console.command("me")
    def main(argv=None):
        raise KeyboardInterrupt

    assert main() == 130
    assert capsys.readouterr().err == "\nme: stopped\n"


def test_a_bug_of_ours_keeps_its_traceback():
    found = said("raise RuntimeError('ours')")
    assert found.returncode == 1
    assert "Traceback" in found.stderr


@posix
def test_a_full_output_is_told_once_and_what_follows_is_done(tmp_path):
    body = f"""
        try:
            for _ in range(10_000):
                print("a line")
        finally:
            print("and another")
            open({str(tmp_path / "kept")!r}, "w").close()
        """
    with open("/dev/full", "w") as full:
        found = said(body, stdout=full)
    assert (found.returncode, found.stderr) == (2, "me: standard output cannot be written: No space left on device\n")
    assert (tmp_path / "kept").exists()


@posix
def test_a_reader_that_leaves_is_no_traceback():
    reader, writer = os.pipe()
    os.close(reader)
    found = said("print('few words, which stay in the buffer until the end', end='')", stdout=writer)
    os.close(writer)
    assert (found.returncode, found.stderr) == (2, "me: standard output cannot be written: Broken pipe\n")


@posix
def test_help_that_cannot_be_shown_is_status_2():
    with open("/dev/full", "w") as full:
        found = said("console.Parser(prog='me').parse_args(['--help'])", stdout=full)
    assert (found.returncode, found.stderr) == (2, "me: standard output cannot be written: No space left on device\n")


@posix
@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_closed_stream_ends_nothing_and_no_file_takes_its_place(tmp_path, closed):
    """The descriptor closed; the file that is opened must not get it, or prints would land in it."""
    body = f"""
        with open({str(tmp_path / "file")!r}, "w") as file:
            print("out"); print("err", file=sys.stderr); os.write(1, b""); os.write(2, b"")
            file.write(str(file.fileno() > 2))
        """
    found = subprocess.run(
        ["bash", "-c", f'"$@" {closed}{"<" if closed == 0 else ">"}&-', "-", *script(body)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert found.returncode == 0, found.stderr
    assert (tmp_path / "file").read_text() == "True"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_a_console_without_the_letters_shows_question_marks(encoding):
    found = said(
        "print('∂L/∂x of ü: done')",
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        encoding=encoding,
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout == f"?L/?x of {'?' if encoding == 'ascii' else 'ü'}: done\n"


def after(process, word):
    line = process.stdout.readline()
    assert line == word + "\n"


@posix
@pytest.mark.parametrize("number", console.SIGNALS)
def test_two_signals_in_a_row_are_one_and_what_must_be_saved_is(number):
    body = """
        try:
            print("ready", flush=True)
            time.sleep(60)
        finally:
            time.sleep(0.5)
            print("saved")
        """
    process = subprocess.Popen(script(body), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    after(process, "ready")
    process.send_signal(number)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "saved\n", "\nme: stopped\n")


@posix
@pytest.mark.parametrize("began", [0.0, 0.5, 1000.0])
def test_a_second_signal_within_a_second_is_a_double_tap_and_a_later_one_is_not(monkeypatch, began):
    """The clock may have begun with this process."""
    clock = [began]
    monkeypatch.setattr(console.time, "monotonic", lambda: clock[0])
    undo = console._listen()
    try:
        for later, counts in ((0, True), (0.75, False), (0.75, False), (1.0, True)):
            clock[0] += later
            pressed = False
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                pressed = True
            assert pressed == counts, clock
    finally:
        undo()


@posix
def test_what_listens_to_signals_gives_them_back():
    before = [signal.getsignal(number) for number in console.SIGNALS]
    undo = console.on_signals(lambda number, frame: None)
    during = [signal.getsignal(number) for number in console.SIGNALS]
    undo()
    assert [signal.getsignal(number) for number in console.SIGNALS] == before
    assert not any(a is b for a, b in zip(before, during, strict=True))


@posix
@pytest.mark.parametrize("number", console.SIGNALS)
def test_a_signal_while_python_takes_itself_down_does_not_spoil_the_status(number):
    """An object that is deleted as one of the last sends it."""
    body = f"""
        console.starting()
        class Late:
            kill = staticmethod(os.kill)
            def __del__(self, process=os.getpid()):
                self.kill(process, {int(number)})
        sys.modules["late"] = Late()
        """
    found = said(body, stdout=subprocess.PIPE)
    assert (found.returncode, found.stderr) == (0, "")


@posix
def test_a_hangup_that_nohup_ignores_stays_ignored():
    body = """
        os.kill(os.getpid(), signal.SIGHUP)
        print("still here")
        """
    found = subprocess.run(
        ["nohup", *script(body)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert found.stdout == "still here\n"


@posix
def test_a_forked_process_dies_of_the_signal_without_a_word():
    body = """
        child = os.fork()
        if not child:
            time.sleep(60)
        time.sleep(0.2)
        os.kill(child, signal.SIGTERM)
        print(-os.waitpid(child, 0)[1] == -signal.SIGTERM)
        """
    found = said(body, stdout=subprocess.PIPE)
    assert (found.stdout, found.stderr) == ("True\n", "")


@posix
@pytest.mark.parametrize("command", [*sorted(COMMANDS), "minires"])
def test_control_c_during_the_imports_is_one_line(tmp_path, command):
    """A module that is imported early presses it."""
    (tmp_path / "numpy.py").write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    found = subprocess.run(
        [sys.executable, "-m", command],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert (found.returncode, found.stdout, found.stderr) == (130, "", "\nstopped\n")


def test_importing_minires_leaves_a_programs_signals_alone():
    code = "import signal; before = signal.getsignal(2); import minires.train; assert signal.getsignal(2) is before"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_mistyped_flag_costs_one_line_with_the_flag_that_was_meant(capsys):
    parser = console.Parser(prog="me")
    parser.add_argument("--weight-decay", type=float)
    for flags, line in (
        (
            ["--wieght-decay", "1"],
            "me: unrecognized arguments: --wieght-decay 1; did you mean --weight-decay?; see me --help\n",
        ),
        (["--weight-decay", "x"], "me: argument --weight-decay: invalid float value: 'x'; see me --help\n"),
    ):
        with pytest.raises(SystemExit) as ended:
            parser.parse_args(flags)
        assert ended.value.code == 2
        assert capsys.readouterr().err == line


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_python_m_minires_says_what_it_is_and_lists_the_commands(capsys, arguments):
    assert minires_command(arguments) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"minires {minires.__version__}: ResNet from the gradient up")
    assert all(f"python -m {name} " in out for name in COMMANDS)
    assert max(map(len, out.splitlines())) <= 80


def test_the_version_is_one_line(capsys):
    assert minires_command(["--version"]) == 0
    assert capsys.readouterr() == (f"minires {minires.__version__}\n", "")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("trian", "did you mean python -m minires.train?"),
        ("GradCheck", "did you mean python -m minires.gradcheck?"),
        ("benchmark", "did you mean python -m benchmarks?"),
        ("benchmarks", "did you mean python -m benchmarks?"),
        ("-v", "see python -m minires --help"),
        ("", "see python -m minires --help"),
        ("minires", "see python -m minires --help"),
        ("nn", "see python -m minires --help"),
    ],
)
def test_a_word_that_is_no_command_is_one_line_with_what_was_meant(capsys, word, meant):
    assert minires_command([word]) == 2
    assert capsys.readouterr() == ("", f"minires: there is no command {word!r} here; {meant}\n")


@pytest.mark.parametrize("spelling", ["minires.{}", "{}"])
def test_a_command_runs_as_a_word_of_minires(capsys, spelling):
    assert minires_command([spelling.format("gradcheck"), "--list"]) == 0
    assert "residual_add\n" in capsys.readouterr().out
    assert minires_command([spelling.format("gradcheck"), "conv3d"]) == 2
    assert capsys.readouterr().err == "gradcheck: there is no op 'conv3d'; did you mean conv2d?\n"
    with pytest.raises(SystemExit) as ended:
        minires_command([spelling.format("train"), "--epoch", "x"])
    assert ended.value.code == 2


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_that_is_listed_runs_as_a_word(capsys, name):
    with pytest.raises(SystemExit) as ended:
        minires_command([name.removeprefix("minires."), "--help"])
    assert ended.value.code == 0
    assert f"python -m {name}" in capsys.readouterr().out


@pytest.fixture
def installed(tmp_path):
    """The command `minires` as an installation makes it."""
    place = tmp_path / "bin" / "minires"
    place.parent.mkdir()
    place.write_text(
        "import sys\nfrom minires.__main__ import script\nif __name__ == '__main__':\n    sys.exit(script())\n"
    )
    return [sys.executable, str(place)]


def test_the_command_minires_prepares_its_process(installed, tmp_path):
    """Neighbours of a function are found, files named as modules hide none, and no letter is too much for a console."""
    for name in ("random", "json"):
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('this is {name}')\n")
    (tmp_path / "helper.py").write_text("def larger(x):\n    return x * (x > 0)\n")
    (tmp_path / "homework.py").write_text(
        "import helper\n\ndef relu(x):\n    return helper.larger(x), lambda dy: dy * (x > 0)\n"
    )
    found = subprocess.run(
        [*installed, "gradcheck", "homework.py:relu"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert (found.returncode, found.stderr) == (0, ""), found.stdout
    assert "passed" in found.stdout


def test_the_command_minires_is_stopped_in_one_line_while_it_imports(installed, tmp_path):
    (tmp_path / "numpy.py").write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    found = subprocess.run(
        [*installed, "train"], capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": path}
    )
    assert (found.returncode, found.stdout, found.stderr) == (130, "", "\nstopped\n")


@pytest.mark.parametrize(("flag", "status"), [("--help", 0), ("--no-such-flag", 2)])
def test_a_process_ends_with_the_status_of_its_parser(flag, status):
    said = subprocess.run([sys.executable, "-m", "minires.train", flag], capture_output=True, text=True)
    assert said.returncode == status
    assert "Traceback" not in said.stderr
