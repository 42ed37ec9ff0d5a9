"""How fast minires is, compared with PyTorch, DeZero and MyGrad, and with the best that the machine could do.

Run `python -m benchmarks --help` in the root of the repository. A module in_X.py makes the steps of contender X.
"""
