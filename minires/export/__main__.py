"""python -m minires.export: a network with its weights for other programs, as ONNX or as a Python file for PyTorch."""

import argparse
import sys
from inspect import signature
from pathlib import Path

from minires import console, export, models, storage
from minires.console import new_file, text, whole
from minires.errors import CheckpointError, OptionError, need
from minires.export.onnx_graph import OPSET
from minires.nn.loading import fill
from minires.predict import Classifier
from minires.predict.which import classes_in
from minires.storage import atomic_write, check_writable

NAME = "minires.export"
DESCRIPTION = """\
Write a network with its weights as ONNX, which onnxruntime and many other
programs run, or as a Python file for PyTorch. Any number of images can go in."""
EPILOG = """\
IN is a file of weights, a checkpoint of minires.train, or the name of a network,
whose first weights are written then. Without --model the network is found by the
names and shapes of the weights.

The network is run, and the ops that it calls are written down, in evaluation.
The list of them is computed again, and must give the same logits. The ONNX file
has class names, image size, mean and std as metadata. It needs the package onnx:
pip install "minires[export]"

The Python file needs PyTorch only. Its parameters have the names and shapes of
the weights. If IN is not a file that it loads as it is, one is written beside it.

examples, each after python -m minires.export:
  resnet18.pth resnet18.onnx
  runs/digits-resnet20/checkpoint.safetensors digits.onnx --torch digits.py
  vit.safetensors vit.onnx --model vit_b_16 --image-size 384

python -m minires lists the other commands.
exit status: 0 done, 2 a setting or a file is wrong, 130 stopped"""


def make_parser():
    parser = console.Parser(
        prog=f"python -m {NAME}",
        usage=f"python -m {NAME} IN [OUT.onnx] [--torch FILE.py] [SETTINGS]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", type=text, metavar="IN", help="a file of weights, or the name of a network")
    parser.add_argument("target", nargs="?", type=new_file, metavar="OUT.onnx", help="the ONNX file to write")
    parser.add_argument("--torch", type=new_file, metavar="FILE.py", help="the Python file for PyTorch to write")
    parser.add_argument("--model", type=text, metavar="NAME", help="the network, such as resnet50 (it is found)")
    parser.add_argument(
        "--image-size", type=whole(1), metavar="N", help="height and width of the images (default: the network's)"
    )
    parser.add_argument(
        "--opset", type=whole(1), default=OPSET, metavar="K", help=f"version of ONNX's operators (default: {OPSET})"
    )
    return parser


@console.command(NAME)
def main(argv=None):
    args = make_parser().parse_args(argv)
    _check_targets(args)
    network = _network(args)
    size = args.image_size or network.size
    recording = export.record(network.model, (network.in_channels, size, size))
    name = network.name or "network"
    if args.target is not None:
        export.save_onnx(args.target, recording, name=name, metadata=_metadata(args, network, size), opset=args.opset)
        print(f"wrote {args.target}: {name}, {_ends(recording)}, ONNX with opset {args.opset}")
    if args.torch is not None:
        _write_torch(args, network.model, recording, name)
    return 0


def _check_targets(args):
    """Raise before long work what would be raised after it."""
    if args.target is None and args.torch is None:
        raise OptionError("name a file to write: OUT.onnx, --torch FILE.py, or both")
    for path, ending in ((args.target, ".onnx"), (args.torch, ".py")):
        if path is not None and Path(path).suffix != ending:
            raise OptionError(f"{path} must end in {ending}")
    if args.torch is not None and not Path(args.torch).stem.isidentifier():
        raise OptionError(f"{args.torch}: Python imports a file whose name has letters, digits and _ only")
    check_writable(args.target, args.torch)
    if args.target is not None:
        need("onnx", "export", for_what="writing ONNX")


def _network(args):
    """A Classifier: the network, and how its images are made."""
    if Path(args.source).exists():
        network = Classifier.load(args.source, args.model)
        if args.model is None:
            console.say("export", f"{args.source} has the weights of {network.name}")
    elif args.model is not None or Path(args.source).suffix:
        raise CheckpointError(f"there is no file {args.source}")
    else:
        model = models.create(args.source)  # which says what names there are
        console.say("export", f"there is no file {args.source}, so the network of this name has its first weights")
        classes = [f"class {k}" for k in range(classes_in(model.state_dict(), args.source))]
        network = Classifier(model, classes, size=model.image_size, name=args.source)
    if (
        args.image_size not in (None, network.size)
        and "image_size" in signature(getattr(models, network.name)).parameters
    ):
        network.model = _resized(args, network)
    return network


def _resized(args, network):
    """The same network for images of another size: a Vision Transformer interpolates its positions."""
    kind = {"num_classes": len(network.classes), "in_channels": network.in_channels, "image_size": args.image_size}
    model = models.create(network.name, **kind)
    fill(model, args.source, network.model.state_dict())
    return model.eval()


def _ends(recording):
    shapes = (",".join(map(str, x.shape)) for x in (recording.images, recording.logits))
    return " -> ".join(f"({shape})" for shape in shapes)


def _metadata(args, network, size):
    """What a program needs to look at an image: strings, or JSON."""
    known = {"model": network.name, "image_size": size}
    if Path(args.source).exists():
        known |= {"resize": network.resize, "mean": network.mean, "std": network.std}
        known |= {"classes": network.classes if network.are_named else None}
    return {key: value for key, value in known.items() if value is not None}


def _write_torch(args, model, recording, name):
    """The Python file, and beside it the weights if PyTorch would not load IN under these names."""
    state = model.state_dict()
    weights = args.source
    if not _is_state(weights, state):
        weights = str(Path(args.torch).with_suffix(".pth"))
        storage.save(weights, state)
        print(f"wrote {weights}: the weights for it")
    trained = [n for n, _ in model.named_parameters()]
    in_safetensors = weights.endswith(".safetensors")
    loads = f"load_file({weights!r})" if in_safetensors else f"torch.load({weights!r}, weights_only=True)"
    module = Path(args.torch).stem
    source = export.to_torch(recording, state, trained, name=name, module=module, load=loads)
    atomic_write(args.torch, source.encode())
    print(f"wrote {args.torch}: {name} for PyTorch")


def _is_state(path, state):
    """Whether a file holds exactly these names and shapes, so that load_state_dict takes it as it is."""
    if not Path(path).exists() or Path(path).suffix not in (".safetensors", ".pth", ".pt"):
        return False
    try:
        arrays, _ = storage.load(path)
    except CheckpointError:  # of a run, which holds more
        return False
    return {n: a.shape for n, a in arrays.items()} == {n: a.shape for n, a in state.items()}


if __name__ == "__main__":
    sys.exit(console.entry(main))
