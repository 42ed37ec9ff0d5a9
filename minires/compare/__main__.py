"""python -m minires.compare: where a network of PyTorch begins to differ from the one here, and why."""

import argparse
import sys

from minires import console, export, storage
from minires.compare.layers import IMAGES, TOLERANCE, compare
from minires.compare.pictures import explained
from minires.console import text
from minires.errors import DataError, OptionError
from minires.predict import Classifier

NAME = "minires.compare"
DESCRIPTION = """\
Compare a network with the same network in PyTorch, layer by layer: the first that
differs, by how much, and why."""
EPILOG = f"""\
Each layer here is given what PyTorch gave to its own, so that it differs by itself
or not at all. Where it does, other ways to compute it are tried: eps, training
mode, momentum, a stride on another convolution, padding as in TensorFlow, ReLU6,
GELU by tanh, ceil_mode, BGR, normalization and more. A cause is named if the
difference vanishes with it. Layers differ if {TOLERANCE:g} of their largest value is
between them.

--image FILE prepares an image here, and compares it with the first that PyTorch's
network was given: colors, normalization, resizing.

examples, each after python -m minires.compare:
  --script > store.py              ten lines for PyTorch: run them there
  resnet50.pth --model resnet50 --activations activations.npz

python -m minires lists the other commands.
exit status: 0 all layers agree, 1 some differ, 2 a setting or a file is wrong,
130 stopped"""

SCRIPT = """\
# Stores what each layer of a PyTorch network gives. Put in your model and images, run it, and then
#   python -m minires.compare weights.pth --activations activations.npz
import functools, numpy as np, torch, torchvision
model = torchvision.models.resnet18(weights="DEFAULT").eval()  # your network
images = torch.randn(2, 3, 224, 224)  # as you give them to it
found = {"images": images.numpy()}
def keep(name, module, inputs, output):
    found.setdefault(name or "logits", (output[0] if isinstance(output, tuple) else output).float().numpy().copy())
for name, module in model.named_modules():
    module.register_forward_hook(functools.partial(keep, name))
with torch.no_grad():
    model(images)
np.savez("activations.npz", **found)
"""


def make_parser():
    parser = console.Parser(
        prog=f"python -m {NAME}",
        usage=f"python -m {NAME} WEIGHTS --activations FILE [SETTINGS]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("weights", nargs="?", type=text, metavar="WEIGHTS", help="the weights of both networks")
    parser.add_argument("--activations", type=text, metavar="FILE", help="what PyTorch's layers gave, as .npz")
    parser.add_argument("--model", type=text, metavar="NAME", help="the network, such as resnet50 (it is found)")
    parser.add_argument("--image", type=text, metavar="FILE", help="the first image that PyTorch's network was given")
    parser.add_argument("--all", action="store_true", help="print a line for each layer")
    parser.add_argument("--script", action="store_true", help="print a script that stores the activations, and end")
    return parser


@console.command(NAME)
def main(argv=None):
    args = make_parser().parse_args(argv)
    if args.script:
        print(SCRIPT, end="")
        return 0
    if args.weights is None or args.activations is None:
        raise OptionError("name WEIGHTS and --activations FILE; --script prints what makes the second")
    activations = _activations(args.activations)
    network = Classifier.load(args.weights, args.model)
    recording = export.record(network.model, activations[IMAGES].shape[1:])
    if "logits" in activations and "logits" not in recording.parts:
        activations[""] = activations.pop("logits")  # of the whole network
    image_differs = args.image is not None and _say_image(args.image, network, activations[IMAGES])
    found = compare(recording, activations)
    for difference in found if args.all else ():
        print(_line(difference))
    _say(found, len(recording.parts))
    return 1 if image_differs or any(difference.differs for difference in found) else 0


def _activations(path):
    arrays, _ = storage.load(path)
    images = arrays.get(IMAGES)
    if images is None or images.ndim != 4 or not len(images):
        raise DataError(f"{path} needs {IMAGES!r}, what the network was given, (N,C,H,W); --script makes such a file")
    return arrays


def _say_image(path, network, there):
    """Print how the image differs. Returns whether it does."""
    error, cause = explained(path, network, there)
    if not cause and error <= TOLERANCE * 100:
        print(f"{path} is prepared there as here")
        return False
    print(f"{path} is prepared otherwise: it differs by {error:.2g} of the largest value")
    print(f"  {cause or 'none of the ways that were tried gives what the network was given there'}")
    return True


def _say(found, count):
    """Print the first layer that differs and its cause, and how many others do."""
    differ = [difference for difference in found if difference.differs]
    if not differ:
        print(f"{console.counted(len(found), 'layer')} of {count} compared, all agree")
        return
    first, *rest = differ
    before = found.index(first)
    print(f"{first.layer or 'the logits'} is the first layer that differs, after {before} that agree")
    print(f"  {_line(first)}")
    print(f"  {_cause(first)}")
    causes = {}
    for difference in rest:
        causes.setdefault(_cause(difference), []).append(difference.layer or "the logits")
    for cause, layers in causes.items():
        also = f"{layers[0]} and {len(layers) - 1} more" if len(layers) > 1 else layers[0]
        print(f"then {also}, each by itself: {cause}")


def _cause(difference):
    nothing = f"none of {difference.tried} other ways to compute it explains that; compare the weights of this layer"
    return difference.cause or nothing


def _line(difference):
    shape = "×".join(map(str, difference.shape))
    if difference.shape != difference.shape_there:
        there = "×".join(map(str, difference.shape_there))
        return f"{difference.layer or 'logits'} ({difference.op}): {there} there, {shape} here"
    how = "differs by" if difference.differs else "agrees within"
    return (
        f"{difference.layer or 'logits'} ({difference.op}, {shape}) {how} {difference.error:.2g} of the largest value"
    )


if __name__ == "__main__":
    sys.exit(console.entry(main))
