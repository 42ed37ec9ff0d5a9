"""False alarms: whether the check fails for right ops, on new cases from many seeds."""

import time

from minires import console
from minires.gradcheck.checks.checker import check_op
from minires.gradcheck.checks.report import Report
from minires.op import registry


def count_false_alarms(names=(), *, first=0, seeds=1000, device="cpu"):
    """Check all ops on new cases from each of many seeds. -> whether all passed"""
    started = time.perf_counter()
    cases = 0
    alarms = []
    worst = Report("none")
    progress = console.progress_bar()(range(first, first + seeds), unit="seed", disable=None, dynamic_ncols=True)
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
    print(
        f"{len(alarms)} false alarms in {cases} cases of {seeds} seeds, {time.perf_counter() - started:.0f} s; "
        f"closest: {worst}"
    )
    return not alarms
