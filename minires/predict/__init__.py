"""What a trained network sees in an image.

>>> from minires.predict import Classifier
>>> classifier = Classifier.load("resnet50.pth")
>>> classifier.top("cat.jpg", 5)
[('Egyptian cat', 0.72), …]
"""

from minires.predict.classifier import Classifier
from minires.predict.which import fitting

__all__ = ["Classifier", "fitting"]
