"""python -m minires.convert: what is in a file of weights, and the same weights in another format."""

import argparse
import io
import sys
from pathlib import Path

import numpy as np

from minires import console, storage
from minires.console import new_file, text
from minires.errors import OptionError
from minires.storage import atomic_write, check_writable

NAME = "minires.convert"
ENDINGS = (".safetensors", ".npz", ".pth")
DESCRIPTION = """\
Print what is in a file of weights, and write the same weights in another
format. PyTorch is not needed, and nothing in a file is run."""
EPILOG = """\
Read are safetensors, also in several files (*.index.json), NumPy's .npz, and
PyTorch's .pth, .pt, .th and .tar; bfloat16 becomes float32. Written is what the
ending of OUT says: .safetensors, .npz, or .pth, which torch.load reads. In a
checkpoint of minires.train the network is taken.

examples:
  python -m minires.convert resnet50.pth                       what is inside
  python -m minires.convert resnet50.pth resnet50.safetensors
  python -m minires.convert runs/a/checkpoint.safetensors for_torch.pth
  python -m minires.convert run.tar w.npz --part state_dict_ema

python -m minires lists the other commands.
exit status: 0 done, 2 a setting or a file is wrong, 130 stopped"""


def make_parser():
    parser = console.Parser(
        prog=f"python -m {NAME}",
        usage=f"python -m {NAME} IN [OUT] [--part NAME]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", type=text, metavar="IN", help="a file of weights")
    parser.add_argument("target", nargs="?", type=new_file, metavar="OUT", help="the file to write")
    parser.add_argument(
        "--part", type=text, metavar="NAME", help="which weights of a PyTorch file that has several, such as model_ema"
    )
    return parser


@console.command(NAME)
def main(argv=None):
    args = make_parser().parse_args(argv)
    if args.target is not None:
        if Path(args.target).suffix not in ENDINGS:
            raise OptionError(f"{args.target}: the ending says the format, one of {', '.join(ENDINGS)}")
        if Path(args.target).exists() and Path(args.target).samefile(args.source):
            raise OptionError(f"{args.target} would be written over itself: name another file")
        check_writable(args.target)
    arrays = storage.load_weights(args.source, args.part)
    for line in inside(arrays):
        print(line)
    if args.target is not None:
        write(args.target, arrays)
        print(f"wrote {args.target}")
    return 0


def inside(arrays):
    """A line for each array, with its shape and type, and one for all."""
    shapes = {name: "×".join(map(str, array.shape)) or "one number" for name, array in arrays.items()}
    widths = max(map(len, arrays), default=0), max(map(len, shapes.values()), default=0)
    for name, array in arrays.items():
        yield f"{name:<{widths[0]}}  {shapes[name]:<{widths[1]}}  {array.dtype}"
    total = sum(array.size for array in arrays.values())
    size = sum(array.nbytes for array in arrays.values())
    yield f"{len(arrays)} arrays, {total:,} numbers, {size / 1e6:,.1f} MB"


def write(target, arrays):
    """Write the arrays, to a temporary file first."""
    if Path(target).suffix != ".npz":
        storage.save(target, arrays)
        return
    content = io.BytesIO()
    np.savez(content, **arrays)
    atomic_write(target, content.getvalue())


if __name__ == "__main__":
    sys.exit(console.entry(main))
