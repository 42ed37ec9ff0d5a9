"""python -m minires.summary: the parts of a network, with sizes, parameters, multiply-adds, fields and memory."""

import argparse
import csv
import io
import json
from contextlib import nullcontext

from minires import console, models
from minires.console import new_file, text, whole
from minires.errors import OptionError, ShapeError
from minires.kernels import shapes_only
from minires.plots import check_plot, plot_networks
from minires.storage import atomic_write, check_writable
from minires.summary.drawing import drawing
from minires.summary.network import Row, in_short, pair_text, size_text, summary
from minires.summary.paper import table1
from minires.summary.several import comparison

NAME = "minires.summary"
DESCRIPTION = """\
Print the parts of a network: the size of each output, how many parameters and
multiply-adds there are, what each part sees of the image, and what it keeps in
memory. Several networks have a line each. Without a name, list them."""
EPILOG = """\
A multiply-add is one multiplication with its addition. Many papers call it a
FLOP, as He et al. do; others count two FLOPs. Only convolutions, linear layers
and products of matrices are counted. Biases, batch norm, ReLU, pooling and the
residual add are not. Parameters are weights and biases, those of batch norm,
too. Its running statistics are buffers. All images of --input are counted.

A receptive field is what an output sees of the image through its windows, as
Araujo et al. (2019) compute it; "all" where a pool or attention sees all of it.
--memory runs the network in training mode on all images of --input, and counts
the arrays that its graph keeps for backward, beside weights and the images.

examples:
  python -m minires.summary resnet50               stages and blocks
  python -m minires.summary resnet50 --depth 4     and all their layers
  python -m minires.summary resnet20 --options "shortcut='B', num_classes=100"
  python -m minires.summary resnet50 --receptive-field --depth 3
  python -m minires.summary resnet20 --memory --input 128,3,32,32
  python -m minires.summary resnet34 plain34 vgg19     a line for each
  python -m minires.summary resnet34 plain34 vgg19 --plot networks.png
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
        usage=f"python -m {NAME} [MODEL ... | --table1] [SETTINGS]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("models", nargs="*", type=text, metavar="MODEL", help="networks, such as resnet50")
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
        "--receptive-field",
        action="store_true",
        default=None,
        help="show what each output sees of the image, in place of the counts",
    )
    parser.add_argument(
        "--memory", action="store_true", default=None, help="measure what is kept for backward in training"
    )
    parser.add_argument(
        "--options", type=text, metavar="OPTIONS", help="options of the network, as --model-options of minires.train"
    )
    parser.add_argument(
        "--csv", type=new_file, metavar="FILE", help="write the rows; - prints them in place of a table"
    )
    parser.add_argument("--json", type=new_file, metavar="FILE", help="write rows and totals; - as with --csv")
    parser.add_argument(
        "--plot",
        type=new_file,
        metavar="FILE",
        help="draw the networks beside each other as boxes and arcs: PNG, SVG, PDF by the file's ending",
    )
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
    elif not args.models:
        width = max(map(len, models.names())) + 1
        print("\n".join(f"{name:<{width}}{_structure(name)}" for name in models.names()))
    else:
        report(args)


def _check(args):
    """Raise OptionError for a flag that would be ignored, and OSError for a file that cannot be written."""
    names = ("input", "depth", "receptive_field", "memory", "options", "csv", "json", "plot")
    settings = {f"--{name.replace('_', '-')}": getattr(args, name) for name in names}
    given = [flag for flag, value in settings.items() if value is not None]
    if args.table1 and (args.models or given):
        raise OptionError(f"--table1 has networks of its own; leave {[*args.models, *given][0]} out")
    if given and not args.models:
        raise OptionError(f"{given[0]} goes with a network; name one, such as resnet50")
    if len(args.models) > 1 and args.depth:
        raise OptionError("--depth goes with one network; several networks have a line each")
    if args.csv == args.json == "-":
        raise OptionError("--csv - and --json - print both; leave one of them out")
    check_plot(args.plot)
    check_writable(*(file for file in (args.csv, args.json) if file != "-"))


def _structure(name):
    """How a network is made of its class: the first line of its documentation."""
    return getattr(models, name).__doc__.splitlines()[0].removesuffix(".")


def report(args):
    """Print the table of a network, or of several, or write it, as the flags say."""
    columns = []
    tables = {name: _summary(args, name, columns) for name in args.models}
    [one, *others] = tables.values()
    printed = comparison(tables) if others else str(one)
    for file, content in ((args.csv, as_csv), (args.json, as_json)):
        if file == "-":
            printed = content(tables).rstrip("\n")
        elif file:
            atomic_write(file, content(tables).encode())
    if args.plot:
        plot_networks(columns, args.plot)
    print(printed)
    if args.plot and "-" not in (args.csv, args.json):
        print(f"\n{args.plot}")


def _summary(args, name, columns):
    """The Summary of a network; for a figure its column is added, too."""
    options = models.read_options(args.options or "")
    try:
        # weights take memory, and drawing them takes longer than all else
        with nullcontext() if args.memory else shapes_only():
            model = models.create(name, **options)
    except TypeError as error:
        raise OptionError(f"--options: {error}") from error
    size = getattr(model, "image_size", 224)
    shape = args.input or (1, options.get("in_channels", 3), size, size)
    settings = {"receptive_fields": bool(args.receptive_field), "memory": bool(args.memory)}
    try:
        table = summary(model, shape, depth=args.depth or 2, **settings)
        if args.plot:
            counts = f"{in_short(table.parameters)} parameters\n{in_short(table.multiply_adds)} multiply-adds"
            columns.append(drawing(model, shape, f"{name}\n{counts}"))
        return table
    except ShapeError as error:
        raise OptionError(f"--input {','.join(map(str, shape))} does not fit {name}: {error}") from error


def as_csv(tables):
    """The rows of a Summary, one a line; of several Summaries, a line each."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if len(tables) > 1:
        writer.writerow(["model", *TOTALS])
        writer.writerows([name, *_totals(table).values()] for name, table in tables.items())
        return out.getvalue()
    writer.writerow(Row._fields)
    for row in next(iter(tables.values())).rows:
        cells = row._asdict()
        cells["output_size"] = size_text(row.output_size)
        for name in ("field_size", "field_stride", "field_start"):
            cells[name] = cells[name] and pair_text(cells[name])
        writer.writerow(cells.values())
    return out.getvalue()


TOTALS = ("parameters", "trainable_parameters", "buffers", "multiply_adds", "kept_bytes")


def _totals(table):
    return {name: getattr(table, name) for name in TOTALS}


def as_json(tables):
    """Rows and totals of a Summary; of several Summaries, {"networks": {name: the same}}."""
    parts = {
        name: {"input_size": table.input_size, **_totals(table), "rows": [row._asdict() for row in table.rows]}
        for name, table in tables.items()
    }
    content = {"networks": parts} if len(parts) > 1 else next(iter(parts.values()))
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    console.entry(main)
