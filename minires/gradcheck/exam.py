"""The checker examined: it must fail for every planted bug, and for nothing else."""

import time

from minires.console import Table
from minires.errors import need
from minires.gradcheck.bugs import catalogue, planted
from minires.gradcheck.cases import cases_of
from minires.gradcheck.checker import check_case, check_op
from minires.gradcheck.report import Report
from minires.tensor import registry

KILLED = {"op": 20, "planted": -8, "killed": -7, "survivors": 29}
REQUIRED = 0.98


def is_found(bug, seed=0):
    """Whether the check fails for the op with this bug in its backward; it stops at the first case that does."""
    return any(not check_case(bug.op, case, planted(bug), seed=seed).passed for case in cases_of(bug.op, seed))


def examine_with_bugs(names=(), *, seed=0, quiet=False):
    """Plant the bugs of the catalogue one by one, print a row an op. -> whether 98 % or more were killed"""
    started, table, survivors, count = time.perf_counter(), Table(KILLED, quiet), [], 0
    for op in sorted({bug.op for bug in catalogue if not names or bug.op in names}):
        bugs = [bug for bug in catalogue if bug.op == op]
        alive = [bug for bug in bugs if not is_found(bug, seed)]
        table.row(op, len(bugs), len(bugs) - len(alive), "; ".join(bug.name for bug in alive), passed=not alive)
        survivors += alive
        count += len(bugs)
    if not quiet:
        print()
    for bug in survivors:
        print(f"SURVIVED {bug.op}: {bug.name} ({bug.hint})")
    killed = count - len(survivors)
    print(f"{killed} of {count} planted bugs killed ({100 * killed / max(count, 1):.3g} %) "
          f"in {time.perf_counter() - started:.1f} s")
    return killed >= REQUIRED * count


def count_false_alarms(names=(), *, first=0, seeds=1000, device="cpu"):
    """Check all ops on fresh cases from each of many seeds, which must all pass. -> whether they did"""
    started, cases, alarms, worst = time.perf_counter(), 0, [], Report("none")
    progress = need("tqdm", "data", for_what="the progress bar").tqdm(
        range(first, first + seeds), unit="seed", disable=None, dynamic_ncols=True)
    for seed in progress:
        for name in names or sorted(registry):
            for report in check_op(name, seed=seed, device=device):
                cases += 1
                if not report.passed:
                    report.name += f", seed {seed}"
                    alarms.append(report)
                    progress.write(str(report))
                elif report.worst and (not worst.worst or report.worst.error > worst.worst.error):
                    report.name += f", seed {seed}"
                    worst = report
        progress.set_postfix_str(f"{len(alarms)} false alarms")
    print(f"{len(alarms)} false alarms in {cases} cases of {seeds} seeds, {time.perf_counter() - started:.0f} s; "
          f"closest: {worst}")
    return not alarms
