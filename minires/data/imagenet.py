"""The names of ImageNet's 1,000 classes, in the order of torchvision's and timm's weights  [Deng et al. 2009]."""

from pathlib import Path

FILE = Path(__file__).with_name("imagenet.txt")  # a line a class


def imagenet_classes() -> list[str]:
    """The 1,000 names; "ant" is number 310."""
    return FILE.read_text(encoding="utf-8").splitlines()
