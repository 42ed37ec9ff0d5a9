"""python -m minires, or minires: its version, and its commands, as in `minires train --epochs 2`."""

import sys
from importlib import import_module

from minires import __version__, console
from minires.settings import similar

COMMANDS = {
    "minires.train": "train a network, watch it, stop it and go on",
    "minires.gradcheck": "measure every gradient, or your own function's",
    "minires.lab": "repeat what the papers claim, with a verdict",
    "minires.summary": "print a network as a table, with what it costs",
    "minires.convert": "list weights, or write them in another format",
    "minires.predict": "say what a trained network sees in images",
    "minires.explain": "draw where it looks",
    "minires.evaluate": "say how often it is right",
    "minires.export": "write a network as ONNX, or for PyTorch",
    "minires.compare": "find where another program's network differs",
    "minires.probes": "draw how much gradient reaches each block",
    "minires.gpucheck": "check minires on your GPU, and time it",
}
EXAMPLES = """\
examples:
  python -m minires.train                             handwritten digits
  python -m minires.train --dataset cifar10 --epochs 60
  python -m minires.train --dataset FOLDER            one sub-folder a class
  python -m minires.train --resume                    go on with the newest run
  python -m minires.gradcheck conv2d batch_norm
  python -m minires.gradcheck homework.py:my_conv --like conv2d
  python -m minires.lab degradation
  python -m minires.summary resnet50
  python -m minires.probes --depths 20 56

`minires train` and `python -m minires train` are the same as
`python -m minires.train`, and so for all. Each has --help. In a clone,
python -m benchmarks compares minires' speed.
exit status of all: 0 done, 1 a check failed, 2 a setting or a file is wrong,
130 stopped"""


@console.command("minires")
def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    word, rest = (argv[0], argv[1:]) if argv else ("--help", [])
    if word in ("-v", "-V", "--version"):
        print(f"minires {__version__}")
    elif word in ("-h", "--help"):
        commands = "\n".join(f"  python -m {name:<20}{what}" for name, what in COMMANDS.items())
        print(f"minires {__version__}: ResNet from the gradient up, on NumPy or CuPy\n\n{commands}\n\n{EXAMPLES}")
    elif f"minires.{word.removeprefix('minires.')}" in COMMANDS:
        command = import_module(f"minires.{word.removeprefix('minires.')}.__main__")
        return command.main(rest)
    else:
        known = {name.removeprefix("minires."): name for name in (*COMMANDS, "benchmarks")}
        close = similar(word.removeprefix("minires."), known, most=1)
        console.say(
            "minires",
            f"there is no command {word!r} here; "
            + (f"did you mean python -m {known[close[0]]}?" if close else "see python -m minires --help"),
        )
        return 2


def script():
    """The command `minires`, which an installation puts beside `python`."""
    console.entry(main)


if __name__ == "__main__":
    script()
