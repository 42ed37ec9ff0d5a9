"""A function that an exercise hands to an answer, as in numerical_gradient(f, x, h)."""

import numpy as np

NAMES = {"np": np}


class Function:
    """A function that is kept as text: "lambda x: np.sum(x**2)". Only text reaches the process of a submission."""

    def __init__(self, text):
        self.text = text
        self.function = eval(text, dict(NAMES))

    def __call__(self, *arguments):
        return self.function(*arguments)

    def __eq__(self, other):
        return isinstance(other, Function) and self.text == other.text

    def __hash__(self):
        return hash(self.text)

    def __deepcopy__(self, memo):
        return self

    def __repr__(self):
        return self.text
