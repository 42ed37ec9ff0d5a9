"""python -m minires: which commands there are."""

import sys

from minires import console
from minires.settings import near

COMMANDS = {
    "minires.train": "train a network, watch it, stop it and go on",
    "minires.gradcheck": "measure every gradient, or your own function's",
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
  python -m minires.probes --depths 20 56

Each has --help. In a clone, python -m benchmarks compares minires' speed.
exit status of all: 0 done, 1 a check failed, 2 a setting or a file is wrong,
130 stopped"""


@console.command("minires")
def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    if argv and argv[0] not in ("-h", "--help"):
        known = {name.removeprefix("minires."): name for name in (*COMMANDS, "benchmarks")}
        close = near(argv[0].removeprefix("minires."), known, most=1)
        console.say("minires", f"there is no command {argv[0]!r} here; "
                    + (f"did you mean python -m {known[close[0]]}?" if close else "see python -m minires --help"))
        return 2
    print("minires: ResNet from the gradient up, on NumPy or CuPy\n")
    for name, what in COMMANDS.items():
        print(f"  python -m {name:<20}{what}")
    print(f"\n{EXAMPLES}")


if __name__ == "__main__":
    console.entry(main)
