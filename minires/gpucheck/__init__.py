"""A check of minires on a GPU: `python -m minires.gpucheck` writes a report that can be sent to us."""
