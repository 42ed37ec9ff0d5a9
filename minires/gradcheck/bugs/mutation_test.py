"""The mutation test of the gradient check: each planted bug (a mutant) must make it fail, else it has survived."""

import time

from minires.console import Table
from minires.gradcheck.bugs import catalogue, planted
from minires.gradcheck.cases import cases_of
from minires.gradcheck.checks.checker import check_case

KILLED = {"op": 20, "planted": -8, "killed": -7, "survivors": 29}
REQUIRED = 0.98


def is_killed(bug, seed=0):
    """Whether the check fails for the op with this bug in its backward; it stops at the first case that does."""
    return any(not check_case(bug.op, case, planted(bug), seed=seed).passed for case in cases_of(bug.op, seed))


def run_mutation_test(names=(), *, seed=0, quiet=False):
    """Plant the bugs of the catalogue one by one, print a row an op. -> whether 98 % or more were killed"""
    started = time.perf_counter()
    table = Table(KILLED, quiet)
    survivors = []
    count = 0
    for op in sorted({bug.op for bug in catalogue if not names or bug.op in names}):
        bugs = [bug for bug in catalogue if bug.op == op]
        alive = [bug for bug in bugs if not is_killed(bug, seed)]
        table.row(op, len(bugs), len(bugs) - len(alive), "; ".join(bug.name for bug in alive), passed=not alive)
        survivors += alive
        count += len(bugs)
    if not quiet:
        print()
    for bug in survivors:
        print(f"SURVIVED {bug.op}: {bug.name} ({bug.hint})")
    killed = count - len(survivors)
    print(
        f"{killed} of {count} planted bugs killed ({100 * killed / max(count, 1):.3g} %) "
        f"in {time.perf_counter() - started:.1f} s"
    )
    return killed >= REQUIRED * count
