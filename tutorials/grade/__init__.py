"""Marks the exercises in notebooks that students hand in: `python -m tutorials.grade --help`."""
