"""python -m minires.summary: the parts of a network, with sizes, parameters and multiply-adds."""

import argparse
import csv
import io
import json

from minires import console, models
from minires.console import new_file, text, whole
from minires.errors import OptionError, ShapeError
from minires.kernels import shapes_only
from minires.storage import atomic_write, check_writable
from minires.summary.network import Row, size_text, summary
from minires.summary.paper import table1

NAME = "minires.summary"
DESCRIPTION = """\
Print the parts of a network: the size of each output, and how many parameters
and multiply-adds there are. Without a name, list the networks."""
EPILOG = """\
A multiply-add is one multiplication with its addition. Many papers call it a
FLOP, as He et al. do; others count two FLOPs. Only convolutions, linear layers
and products of matrices are counted. Biases, batch norm, ReLU, pooling and the
residual add are not. Parameters are weights and biases, those of batch norm,
too. Its running statistics are buffers. All images of --input are counted.

examples:
  python -m minires.summary resnet50               stages and blocks
  python -m minires.summary resnet50 --depth 4     and all their layers
  python -m minires.summary resnet20 --options "shortcut='B', num_classes=100"
  python -m minires.summary resnet18 --csv -       for a spreadsheet
  python -m minires.summary --table1               the table of the paper

In Python, for a network of your own:
  from minires.summary import summary
  print(summary(network, (1, 3, 32, 32)))

python -m minires lists the other commands.
exit status: 0 done, 2 a setting or a file is wrong, 130 stopped"""


def images(given):
    """The type of --input: 1,3,224,224."""
    try:
        shape = tuple(int(n) for n in given.split(","))
    except ValueError:
        shape = ()
    if len(shape) != 4 or min(shape) < 1:
        raise argparse.ArgumentTypeError(f"it must be N,C,H,W, such as 1,3,224,224, got {given!r}")
    return shape


def make_parser():
    parser = console.Parser(
        prog=f"python -m {NAME}",
        usage=f"python -m {NAME} [MODEL | --table1] [SETTINGS]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", nargs="?", type=text, metavar="MODEL", help="a network, such as resnet50")
    parser.add_argument(
        "--input",
        type=images,
        metavar="N,C,H,W",
        help="images, their channels, height and width (default: one image of the size that the network is made for)",
    )
    parser.add_argument(
        "--depth",
        type=whole(1),
        metavar="N",
        help="1 for the parts of the network, 2 for the parts of these, and so on (default: 2, stages and blocks)",
    )
    parser.add_argument(
        "--options", type=text, metavar="OPTIONS", help="options of the network, as --model-options of minires.train"
    )
    parser.add_argument(
        "--csv", type=new_file, metavar="FILE", help="write the rows; - prints them in place of a table"
    )
    parser.add_argument("--json", type=new_file, metavar="FILE", help="write rows and totals; - as with --csv")
    parser.add_argument(
        "--table1",
        action="store_true",
        help="print Table 1 of He et al. 2015, computed from the networks of minires, and those for CIFAR-10",
    )
    return parser


@console.command(NAME)
def main(argv=None):
    args = make_parser().parse_args(argv)
    _check(args)
    if args.table1:
        print(table1())
    elif args.model is None:
        width = max(map(len, models.names())) + 1
        print("\n".join(f"{name:<{width}}{_structure(name)}" for name in models.names()))
    else:
        report(args)


def _check(args):
    """Raise OptionError for a flag that would be ignored, and OSError for a file that cannot be written."""
    settings = {f"--{name}": getattr(args, name) for name in ("input", "depth", "options", "csv", "json")}
    given = [flag for flag, value in settings.items() if value is not None]
    if args.table1 and (args.model or given):
        raise OptionError(f"--table1 has networks of its own; leave {args.model or given[0]} out")
    if given and args.model is None:
        raise OptionError(f"{given[0]} goes with a network; name one, such as resnet50")
    if args.csv == args.json == "-":
        raise OptionError("--csv - and --json - print both; leave one of them out")
    check_writable(*(file for file in (args.csv, args.json) if file != "-"))


def _structure(name):
    """How a network is made of its class: the first line of its documentation."""
    return getattr(models, name).__doc__.splitlines()[0].removesuffix(".")


def report(args):
    """Print the table of a network, or write it, as the flags say."""
    options = models.read_options(args.options or "")
    try:
        with shapes_only():  # because weights take memory, and drawing them takes longer than all else
            model = models.create(args.model, **options)
    except TypeError as error:
        raise OptionError(f"--options: {error}") from error
    size = getattr(model, "image_size", 224)
    shape = args.input or (1, options.get("in_channels", 3), size, size)
    try:
        table = summary(model, shape, depth=args.depth or 2)
    except ShapeError as error:
        raise OptionError(f"--input {','.join(map(str, shape))} does not fit {args.model}: {error}") from error
    printed = str(table)
    for file, content in ((args.csv, as_csv), (args.json, as_json)):
        if file == "-":
            printed = content(table).rstrip("\n")
        elif file:
            atomic_write(file, content(table).encode())
    print(printed)


def as_csv(table):
    """The rows of a Summary, one a line."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(Row._fields)
    for row in table.rows:
        writer.writerow(row._replace(output_size=size_text(row.output_size)))
    return out.getvalue()


def as_json(table):
    """Rows and totals of a Summary."""
    names = ("input_size", "parameters", "trainable_parameters", "buffers", "multiply_adds")
    whole = {name: getattr(table, name) for name in names}
    return json.dumps({**whole, "rows": [row._asdict() for row in table.rows]}, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    console.entry(main)
