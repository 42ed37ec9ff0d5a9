"""How fast minires is: against PyTorch, DeZero and MyGrad, and against what the machine could do at best.

`python -m benchmarks --help`; run it in the root of the repository. A module in_X.py makes the steps of contender X.
"""
