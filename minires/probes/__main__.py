"""python -m minires.probes: draw how much gradient reaches each block, with and without shortcuts."""

import argparse

from minires import console, data, models
from minires.console import new_file, whole
from minires.plots import check_plot, plot_gradients
from minires.probes.gradients import gradient_norms

DESCRIPTION = """\
Measure the norm of the loss gradient at the output of every block of freshly
initialized CIFAR networks, with shortcuts and without, on one batch of
handwritten digits, and draw it over depth."""
EPILOG = """\
examples:
  python -m minires.probes                         the figure of the README
  python -m minires.probes --depths 20 32 --seed 1 --out mine.png

python -m minires lists the other commands.
exit status: 0 done, 2 a setting or a file is wrong, 130 stopped"""


def depth(given):
    """The type of --depths: layers of a network that there is with shortcuts and without."""
    names = models.names()
    plain = [name.removeprefix("plain") for name in names if name.startswith("plain")]
    depths = sorted((n for n in plain if f"resnet{n}" in names), key=int)
    if given not in depths:
        raise argparse.ArgumentTypeError(f"there are networks of {' '.join(depths)} layers, got {given!r}")
    return int(given)


def make_parser():
    parser = console.Parser(
        prog="python -m minires.probes",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--depths",
        type=depth,
        nargs="+",
        default=[20, 56, 110],
        metavar="L",
        help="layers, each of 8 18 20 32 34 44 56 110 (default: 20 56 110)",
    )
    parser.add_argument(
        "--batch-size", type=whole(1), default=64, metavar="N", help="images in the batch (default: 64)"
    )
    parser.add_argument("--seed", type=whole(0), default=0, metavar="S", help="of the initial weights (default: 0)")
    parser.add_argument(
        "--out",
        type=new_file,
        default="gradients.png",
        metavar="FILE",
        help="the figure: PNG, SVG, PDF, JPEG or WebP by its ending (default: gradients.png)",
    )
    return parser


@console.command("minires.probes")
def main(argv=None):
    args = make_parser().parse_args(argv)
    check_plot(args.out)
    digits, _ = data.load("digits")
    digits = digits.limit(min(args.batch_size, len(digits)))
    images, labels = next(iter(data.ArrayLoader(digits, len(digits))))
    networks = {
        f"{kind}{depth}": models.create(f"{kind}{depth}", in_channels=1, rng=args.seed)
        for depth in dict.fromkeys(args.depths)
        for kind in ("plain", "resnet")
    }
    norms = {}
    try:
        for name, model in networks.items():
            values = norms[name] = gradient_norms(model, images, labels)
            print(
                f"{name:<10} first block {values[0]:>9.3g}   last block {values[-1]:>9.3g}   ratio "
                f"{values[0] / values[-1]:>9.3g}",
                flush=True,
            )
    finally:  # draw what was measured, even if printing failed
        if norms:
            plot_gradients(norms, args.out)
    print(args.out)


if __name__ == "__main__":
    console.entry(main)
