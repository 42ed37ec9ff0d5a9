"""Grading a function from a file: in a process of its own, with hints for its author and files for graders."""
