"""Finding out what a GPU makes of minires: `python -m minires.gpucheck`, whose report can be sent to us."""
