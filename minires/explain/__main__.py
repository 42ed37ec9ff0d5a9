"""python -m minires.explain: which part of an image speaks for a class, as Grad-CAM and occlusion see it."""

import argparse
import sys

import numpy as np

from minires import console
from minires.console import new_file, text
from minires.console.progress import progress_bar
from minires.errors import DataError, OptionError
from minires.explain.maps import grad_cam, last_map, occlusion, squares
from minires.plots import check_plot, plot_explanations
from minires.plots.explanations import Explanation, HeatMap
from minires.predict.classifier import Classifier, classes_of
from minires.predict.files import add_arguments, image_files
from minires.settings import did_you_mean

NAME = "minires.explain"
MOST_IMAGES = 40  # in one figure
DESCRIPTION = """\
Draw where a trained network looks: beside each image what it sees in it, and
two maps of what speaks for one class."""
EPILOG = """\
Grad-CAM weighs the maps of one layer by the gradient of the class, and shows
what raises it. Occlusion covers the image with a gray square, place by place,
and shows how much the class's probability falls (red) or rises (blue) when
that part is hidden. A vision transformer has no map of features behind its
attention, so Grad-CAM is left out for it, and occlusion is drawn alone.
Weights, --model and --labels are those of minires.predict.

examples, each after python -m minires.explain:
  bee.jpg --weights mobilenet_v2-b0353104.pth
  photos/ --weights mobilenet_v2-b0353104.pth --class bee --out bees.png
  a.png --weights w.pth --model resnet18 --layer layer3

python -m minires lists the other commands.
exit status: 0 done, 1 some images could not be read, 2 a setting or a file is
wrong, 130 stopped"""


def make_parser():
    parser = console.Parser(
        prog=f"python -m {NAME}",
        usage=f"python -m {NAME} IMAGE|FOLDER [...] --weights FILE [SETTINGS]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    parser.add_argument(
        "--class",
        dest="target",
        type=text,
        metavar="NAME|INDEX",
        help="the class to be explained (default: the most probable one of each image)",
    )
    parser.add_argument(
        "--layer", type=text, metavar="NAME", help="whose maps Grad-CAM weighs (default: the last one with maps)"
    )
    parser.add_argument(
        "--out",
        type=new_file,
        default="explanation.png",
        metavar="FILE",
        help="the figure: PNG, SVG, PDF by its ending (default: explanation.png)",
    )
    return parser


@console.command(NAME)
def main(argv=None):
    args = make_parser().parse_args(argv)
    check_plot(args.out)
    paths = list(image_files(args.images))
    if len(paths) > MOST_IMAGES:
        raise OptionError(f"there are {len(paths)} images, and a figure holds {MOST_IMAGES}; name fewer")
    classifier = Classifier.load(args.weights, args.model, classes_of(args.labels) if args.labels else None)
    if args.model is None:
        console.say("explain", f"{args.weights} has the weights of {classifier.name}")
    classifier.model.requires_grad_(False)
    target = None if args.target is None else _class(args.target, classifier.classes)
    layer = args.layer or last_map(classifier.model, (1, classifier.in_channels, classifier.size, classifier.size))
    if layer is None:
        console.say(
            "explain", f"{classifier.name} has no map of features behind its attention: occlusion alone is drawn"
        )
    shown = []
    for path in paths:
        try:
            pixels = classifier.read(path)
        except DataError as error:
            console.say("explain", error)
            continue
        shown.append(_explained(classifier, path, pixels, target, layer))
        print(_line(path, shown[-1]), flush=True)
    if not shown:
        raise DataError("none of the images could be read, so nothing was drawn")
    plot_explanations(shown, args.out)
    print(args.out)
    return 1 if len(shown) < len(paths) else 0


def _class(given, classes):
    """The number of a class that is named, or given by its number."""
    lowered = [name.lower() for name in classes]
    if given.lower() in lowered:
        return lowered.index(given.lower())
    if given.isdecimal() and int(given) < len(classes):
        return int(given)
    hint = did_you_mean(given, classes, f"the last class has the number {len(classes) - 1}", most=1)
    raise OptionError(f"--class: there is no class {given!r}; {hint}")


def _explained(classifier, path, pixels, target, layer):
    """The Explanation of one image."""
    probabilities = classifier.probabilities([pixels])[0]
    c = int(np.argmax(probabilities)) if target is None else target
    p = float(probabilities[c])
    maps = []
    if layer is not None:
        cam = grad_cam(classifier.model, classifier.prepared([pixels]), c, layer)
        maps.append(HeatMap(f"Grad-CAM, {layer}", cam))
    n = classifier.size
    size = max(1, n // 7)
    stride = max(1, size // 2)
    total = len(squares(n, size, stride)) ** 2
    with progress_bar()(total=total, desc=path.name, unit="place", disable=None, leave=False) as bar:
        covered = occlusion(classifier.probabilities, pixels, c, size, stride, bar.update)
    falls = p - covered
    strongest = falls.flat[np.abs(falls).argmax()]
    how = "falls" if strongest >= 0 else "rises"
    maps.append(HeatMap(f"occlusion: p {how} by up to {abs(strongest):.1%}", falls, is_signed=True, border=size / 2))
    seen = classifier.best(probabilities, 3)
    return Explanation(pixels, path.name, seen, (classifier.classes[c], p), maps)


def _line(path, shown):
    name, p = shown.explained
    return f"{path}  {name} {p:.1%}"


if __name__ == "__main__":
    sys.exit(console.entry(main))
