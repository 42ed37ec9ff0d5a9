"""Makes notebooks of the lessons' sources: `python -m tutorials.build --help`."""
