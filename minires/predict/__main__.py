"""python -m minires.predict: what a trained network sees in images."""

import argparse
import json
import sys

from minires import console
from minires.console import whole
from minires.errors import DataError
from minires.predict.classifier import Classifier, classes_of
from minires.predict.files import add_arguments, image_files

NAME = "minires.predict"
DESCRIPTION = """\
Say what a trained network sees in images: the most probable classes of each,
with their probabilities."""
EPILOG = """\
Weights are a checkpoint of minires.train, which says all that is needed, or a
file of safetensors, NumPy or PyTorch (.pth), which is read without PyTorch.
The network is found by the names and shapes of the weights; --model says it,
and is quicker. For 1,000 classes the names are ImageNet's.

examples, each after python -m minires.predict:
  cat.jpg --weights mobilenet_v2-b0353104.pth
  photos/ --weights runs/photos-resnet18/checkpoint.safetensors --top 1
  a.png b.png --weights w.pth --model resnet18 --labels classes.txt --json

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
    parser.add_argument("--top", type=whole(1), default=5, metavar="N", help="how many classes (default: 5)")
    parser.add_argument("--json", action="store_true", help="print one JSON object an image, a line each")
    return parser


@console.command(NAME)
def main(argv=None):
    args = make_parser().parse_args(argv)
    paths = list(image_files(args.images))
    classifier = Classifier.load(args.weights, args.model, classes_of(args.labels) if args.labels else None)
    if args.model is None:
        console.say("predict", f"{args.weights} has the weights of {classifier.name}")
    unread = 0
    for path in paths:
        try:
            found = classifier.top(path, args.top)
        except DataError as error:
            console.say("predict", error)
            unread += 1
            continue
        print(_line(path, found) if args.json else _lines(path, found))
    return 1 if unread else 0


def _lines(path, found):
    rows = "\n".join(f"  {probability:6.1%}  {name}" for name, probability in found)
    return f"{path}\n{rows}"


def _line(path, found):
    top = [{"class": name, "probability": round(probability, 6)} for name, probability in found]
    return json.dumps({"image": str(path), "top": top}, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(console.entry(main))
