"""Cheats, by what they attack: each module has CHEATS, a list of rows for pytest."""

from cheats import exceptions, grader, machine, messages, runner, values

CHEATS = [row for module in (values, messages, runner, exceptions, machine, grader) for row in module.CHEATS]
