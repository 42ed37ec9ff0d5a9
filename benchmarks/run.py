"""Measuring one workload, and printing the results."""

import statistics
import textwrap
from functools import partial

from benchmarks import floor, machine
from benchmarks.timing import interleave, ratio, seconds_a_step
from minires.console import WIDTH, Table
from minires.probes.machine import copy, product

TABLE = {"workload": 32, "unit": 8, "minires": -8, "against": 7, "theirs": -8, "ratio": -6, "least – most": -13}
BUSY = 0.15  # cores that other programs use: above this the ratios cannot be trusted
PROFILE = {"of a step of one process": 26, "ms": -9, "share": -7, "floor ms": -9, "× floor": -8}


def measure(workload, contenders, pairs, *, tiny=False):
    """All results of one workload as a dict, ready for JSON; minires is the first of the contenders."""
    contenders = [c for c in contenders if c.name in ("minires", *workload.rivals)]
    for contender in contenders:
        contender.make(workload)
    timed = workload.unit != "MB"
    timers = {c.name: c.seconds if timed else c.value for c in contenders}
    work = {}
    if workload.network:  # the machine is measured in the same turns, because its speed changes
        for name, (step, amount) in (
            ("GEMM", product(64 if tiny else 2048)),
            ("copy", copy(1 << 12 if tiny else 1 << 28)),
        ):
            timers[name] = partial(seconds_a_step, step)
            work[name] = amount
    with machine.OtherPrograms(contenders) as others:
        measured = interleave(timers, min(pairs, workload.pairs), quick=tiny or not timed)
    medians = {name: statistics.median(values) for name, values in measured.items()}
    result = {
        "name": workload.name,
        "unit": workload.unit,
        "amount": workload.amount,
        "measured": measured,  # seconds, or megabytes
        "values": {c.name: workload.value(medians[c.name]) for c in contenders},
        "ratios": {c.name: ratio(measured[c.name], measured["minires"])._asdict() for c in contenders[1:]},
    }
    result["cores_taken_by_others"] = others.cores
    if workload.network:
        rates = {name: amount / medians[name] for name, amount in work.items()}
        needed, profile = contenders[0].on_step(floor.analyse, min(pairs, 3))
        result["floor"] = _against_floor(needed, profile, rates, medians["minires"])
    return result


def _against_floor(needed, profile, rates, seconds):
    least = floor.seconds_by_kind(needed, rates["GEMM"], rates["copy"])
    by_kind, whole = profile
    return {
        "flops": sum(c.flops for c in needed),
        "bytes": sum(c.nbytes for c in needed),
        "flops_per_second": rates["GEMM"],
        "bytes_per_second": rates["copy"],
        "seconds": sum(least.values()),
        "step": seconds,
        "over_floor": seconds / sum(least.values()),
        "floor_by_kind": least,
        "profile": by_kind,
        "profiled_step": whole,
    }


def number(value):
    """A number with three digits, or as an integer from 100 on."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def print_heading(described, threads):
    """The machine, the versions and the settings."""
    versions = ", ".join(f"{name} {version}" for name, version in described["versions"].items())
    lines = [
        f"{described['cpu']}, {threads} thread{'s' * (threads > 1)}, {versions}",
        f"BLAS under NumPy: {described['blas']}",
    ]
    if described["environment"]:
        lines.append(
            "set here, and may favour one side: "
            + " ".join(f"{name}={value}" for name, value in described["environment"].items())
        )
    for line in lines:
        print(textwrap.fill(line, WIDTH))


def print_results(results):
    """The table, then the floor and the profile of each training step."""
    table = Table(TABLE)
    for r in results:
        ours = number(r["values"]["minires"])
        for name, found in r["ratios"].items():
            found = {k: f"{v:.2f}" for k, v in found.items()}
            table.row(
                r["name"],
                r["unit"],
                ours,
                name,
                number(r["values"][name]),
                found["median"],
                f"{found['low']} – {found['high']}",
            )
        if not r["ratios"]:
            table.row(r["name"], r["unit"], ours, "-")
    print("ratio: their time (or memory) / minires', median of the pairs; above 1 minires is ahead")
    busy = [r["cores_taken_by_others"] for r in results if (r["cores_taken_by_others"] or 0) > BUSY]
    if busy:
        print(
            f"WARNING: other programs took up to {max(busy):.1f} cores during {len(busy)} of {len(results)} "
            "workloads;\nthis slows the contenders unequally: measure these again on an idle machine"
        )
    for r in results:
        if "floor" in r:
            _print_floor(r["name"], r["floor"])


def _print_floor(name, f):
    print(
        f"\n{name}: {f['flops'] / 1e9:.3g} GFLOP and {f['bytes'] / 1e9:.3g} GB a step, on a machine of "
        f"{f['flops_per_second'] / 1e9:.0f} GFLOP/s and {f['bytes_per_second'] / 1e9:.1f} GB/s:\n"
        f"floor {f['seconds']:.4g} s, measured {f['step']:.4g} s = {f['over_floor']:.2f} × floor"
    )
    table = Table(PROFILE)
    least = f["floor_by_kind"]
    for kind, seconds in sorted(f["profile"].items(), key=lambda pair: -pair[1]):
        known = least.get(kind)
        table.row(
            kind,
            f"{1e3 * seconds:.4g}",
            f"{seconds / f['profiled_step']:.1%}",
            f"{1e3 * known:.4g}" if known else "-",
            f"{seconds / known:.2f}" if known else "-",
        )
