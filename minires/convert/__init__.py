"""python -m minires.convert: what is in a file of weights, and the same weights in another format."""
