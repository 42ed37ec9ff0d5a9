"""python -m minires.probes: draw how much gradient reaches each block, with and without shortcuts."""

import argparse
import sys

from minires import data, models
from minires.errors import MiniresError
from minires.plots import plot_gradients
from minires.probes.gradients import gradient_norms


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m minires.probes",
        description="Measure the norm of the loss gradient at the output of every block of freshly initialised CIFAR "
                    "networks, with shortcuts and without, on one batch of handwritten digits, and draw it over depth.")
    parser.add_argument("--depths", type=int, nargs="+", default=[20, 56, 110], metavar="L",
                        help="layers, each of 20 32 44 56 110 (default: 20 56 110)")
    parser.add_argument("--batch-size", type=int, default=64, help="pictures in the batch (default: 64)")
    parser.add_argument("--seed", type=int, default=0, help="of the initial weights (default: 0)")
    parser.add_argument("--out", default="gradients.png", metavar="FILE", help="the picture (default: gradients.png)")
    args = parser.parse_args(argv)
    try:
        digits, _ = data.load("digits")
        digits = digits.limit(args.batch_size)
        images, labels = next(iter(data.Loader(digits, args.batch_size)))
        norms = {}
        for depth in args.depths:
            for kind in ("plain", "resnet"):
                model = models.create(f"{kind}{depth}", in_channels=1, rng=args.seed)
                values = norms[f"{kind}{depth}"] = gradient_norms(model, images, labels)
                print(f"{kind + str(depth):<10} first block {values[0]:>9.3g}   last block {values[-1]:>9.3g}   ratio "
                      f"{values[0] / values[-1]:>9.3g}", flush=True)
        plot_gradients(norms, args.out)
    except (MiniresError, OSError) as error:
        print(f"minires.probes: {error}", file=sys.stderr)
        return 2
    print(args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
