"""What all commands share: however a command ends, it is one line and the right exit status, on any console.

A command is a function main(argv=None) that returns its exit status (None is 0):

    def make_parser():
        return console.Parser(prog="python -m minires.train", description=…)   # argparse's; a mistake costs one line

    @console.command("minires.train")
    def main(argv=None):
        args = make_parser().parse_args(argv)
        …
        return 0

    if __name__ == "__main__":
        console.entry(main)

`command` turns what main raises into a line on standard error, `minires.train: …`, and an exit status:

    MiniresError, OSError, MemoryError    2, with the path or the sizes that are to blame
    OutputError                           2: standard output is full
    KeyboardInterrupt                     130
    anything else                         a traceback and 1, because it is a bug of ours

So a command catches such an error itself only when it has something to save or to add (`stopped` prints the line). What
must not be lost is written before it is printed, or in a `finally`, because every print may raise OutputError.

The reader of standard output may leave early, as `| head -1` does. Then the command goes on to its end without a word,
and its status is what it would have been: a check that fails is not passed because its verdict was not read. Only after
`need_reader()` it stops with an OutputError; training calls it, because a reader that watched it wants no more of it.

`entry` prepares the process and ends it with main's status. Letters that the console cannot show become "?", and closed
streams become os.devnull (streams.py). SIGTERM and SIGHUP are treated as Ctrl-C, and two Ctrl-C in a row count as one
(signals.py). A warning is one line.

arguments.py checks what is typed, letters.py shows what a terminal would obey, and table.py prints tables.
"""

from minires.console.arguments import Parser, flag_of, new_file, number, seconds, text, whole
from minires.console.letters import visible
from minires.console.process import command, counted, entry, reason, say, stop_requests, stopped
from minires.console.progress import progress_bar
from minires.console.signals import DOUBLE_TAP, SIGNALS, STOPPED, on_signals, starting
from minires.console.streams import OutputError, need_reader
from minires.console.table import GREEN, RED, WIDTH, Table, colored, verdict, wrapped

__all__ = [
    "DOUBLE_TAP",
    "GREEN",
    "RED",
    "SIGNALS",
    "STOPPED",
    "WIDTH",
    "OutputError",
    "Parser",
    "Table",
    "colored",
    "command",
    "counted",
    "entry",
    "flag_of",
    "need_reader",
    "new_file",
    "number",
    "on_signals",
    "progress_bar",
    "reason",
    "say",
    "seconds",
    "starting",
    "stop_requests",
    "stopped",
    "text",
    "verdict",
    "visible",
    "whole",
    "wrapped",
]
