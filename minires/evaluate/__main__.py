"""python -m minires.evaluate: how often a trained network is right on labelled images."""

import argparse
import csv
import io
import json
import os
import sys

import numpy as np

from minires import console, data
from minires.console import Table, new_file, text, whole
from minires.console.progress import progress_bar
from minires.data.imagefolder import labelled_images
from minires.errors import OptionError
from minires.evaluate.measure import Evaluation
from minires.plots import check_plot, plot_confusion
from minires.predict.classifier import Classifier, classes_of
from minires.settings import did_you_mean
from minires.storage import atomic_write, check_writable

NAME = "minires.evaluate"
MOST_SHOWN = 20  # classes in the printed table
DESCRIPTION = """\
Say how often a trained network is right: its first guess (top-1), its first
five (top-5), each class, and whether its probabilities can be believed."""
EPILOG = """\
--data is digits, cifar10 or a folder with one sub-folder of images a class.
The test images are taken: of folders train and val those of val, and without
them every image. Classes have the names of the network's classes, or --map
says which is which: by a number, or by a name. Where the network's classes have
no names, and the data has as many, they are taken to be the same.
The calibration error compares how sure the network is with how often it is
right: 0 is best [Guo et al. 2017].

examples, each after python -m minires.evaluate:
  --weights runs/digits-resnet20/checkpoint.safetensors --data digits
  --weights mobilenet_v2.pth --data photos/val --map ants=310,bees=309
  --weights w.pth --model resnet18 --data photos --labels classes.txt \\
      --csv confusion.csv --plot confusion.png --json numbers.json

python -m minires lists the other commands.
exit status: 0 done, 2 a setting or a file is wrong, 130 stopped"""


def make_parser():
    parser = console.Parser(
        prog=f"python -m {NAME}",
        usage=f"python -m {NAME} --weights FILE --data FOLDER|cifar10|digits [SETTINGS]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--weights", type=text, required=True, metavar="FILE", help="a checkpoint, or weights")
    parser.add_argument("--data", type=text, required=True, metavar="DATA", help="digits, cifar10 or a folder")
    parser.add_argument("--root", type=text, metavar="FOLDER", help="a local copy of cifar10")
    parser.add_argument("--model", type=text, metavar="NAME", help="the network, such as resnet50 (it is found)")
    parser.add_argument("--labels", type=text, metavar="FILE", help="the names of the network's classes, one a line")
    parser.add_argument("--map", type=text, metavar="A=B,...", help="which class of the network a class of the data is")
    parser.add_argument("--batch-size", type=whole(1), default=32, metavar="N", help="images at a time (default: 32)")
    parser.add_argument("--csv", type=new_file, metavar="FILE", help="write the confusion matrix: rows are the truth")
    parser.add_argument("--plot", type=new_file, metavar="FILE", help="draw it (PNG, SVG, PDF)")
    parser.add_argument("--json", type=new_file, metavar="FILE", help="write the numbers")
    return parser


@console.command(NAME)
def main(argv=None):
    args = make_parser().parse_args(argv)
    check_plot(args.plot)
    check_writable(*filter(None, (args.csv, args.json)))
    classifier = Classifier.load(args.weights, args.model, classes_of(args.labels) if args.labels else None)
    images, labels, classes = test_images(args.data, args.root, classifier)
    if not classifier.are_named and args.map is None and len(classes) == len(classifier.classes):
        classifier.classes = list(classes)  # as many, so that they are taken to be the same, in the same order
    numbers = np.array(matched(classes, classifier.classes, _pairs(args.map)))[labels]
    probabilities = measured(classifier, images, labels, args.batch_size)
    found = Evaluation(probabilities, numbers, classifier.classes)
    show(found)
    if args.csv:
        atomic_write(args.csv, as_csv(found).encode())
    if args.plot:
        plot_confusion(found.confusion, found.classes, args.plot)
    if args.json:
        atomic_write(args.json, (json.dumps(found.as_dict(), indent=1, ensure_ascii=False) + "\n").encode())
    return 0


def test_images(name, root, classifier):
    """(what gives the images of some indices, labels (N,), names of the classes) of a data set."""
    if data.dataset_name(name) is None and os.path.exists(name) and root is None:
        part = labelled_images(name, classifier.size)
        part.check()
        return (lambda at: [classifier.read(part.paths[i]) for i in at]), part.labels, part.classes
    _, part = data.load(name, root)
    return part.pixels, part.labels, part.classes


def measured(classifier, images, labels, batch_size):
    """The probabilities (N,K) of all images, with a bar for who waits."""
    found = []
    with progress_bar()(total=len(labels), unit="image", disable=None, leave=False) as bar:
        for start in range(0, len(labels), batch_size):
            at = np.arange(start, min(start + batch_size, len(labels)))
            found.append(classifier.probabilities(images(at)))
            bar.update(len(at))
    return np.concatenate(found)


def _pairs(given):
    """{class of the data: class of the network} of --map."""
    pairs = {}
    for word in (given or "").split(",") if given else []:
        ours, equals, theirs = (part.strip() for part in word.partition("="))
        if not (equals and ours and theirs) or ours in pairs:
            raise OptionError(f"--map {given}: write each class once, as in ants=310,bees=309")
        pairs[ours] = theirs
    return pairs


def matched(classes, known, pairs):
    """The number of the network's class of each class of the data. Raises OptionError for one that has none."""
    unknown = [name for name in pairs if name not in classes]
    if unknown:
        raise OptionError(f"--map: the data has no class {unknown[0]!r}; it has {', '.join(classes)}")
    numbers = []
    for name in classes:
        wanted = pairs.get(name, name)
        if wanted in known:
            numbers.append(known.index(wanted))
        elif name in pairs and wanted.isdecimal() and int(wanted) < len(known):
            numbers.append(int(wanted))
        else:
            hint = did_you_mean(wanted, known, "it is none of them", most=1)
            raise OptionError(
                f"the network has {len(known)} classes, and none is called {wanted!r}: write --map "
                f"{name}=NAME or {name}=NUMBER ({hint})"
            )
    return numbers


def show(found):
    """Print the numbers, and the classes that are most often wrong."""
    n = len(found.labels)
    for name, right in (("top-1", found.right(1)), ("top-5", found.right(5))):
        print(f"{name}  {right / n:6.2%}  {right} of {n} images")
    print(f"calibration error  {found.calibration_error:.4f}")
    print()
    rows = sorted(found.rows(), key=lambda row: row[3])
    table = Table({"class": 24, "images": -7, "right": -7, "": -7, "taken for": 24})
    for name, images, right, share, other, times in rows[:MOST_SHOWN]:
        table.row(name, images, right, f"{share:.1%}", f"{other} ({times})" if other else "")
    if len(rows) > MOST_SHOWN:
        print(f"… and {len(rows) - MOST_SHOWN} more classes, which are right more often")


def as_csv(found):
    """The confusion matrix: a row for each true class, a column for each that is seen."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["", *found.classes])
    for name, counts in zip(found.classes, found.confusion):
        writer.writerow([name, *counts.tolist()])
    return out.getvalue()


if __name__ == "__main__":
    sys.exit(console.entry(main))
