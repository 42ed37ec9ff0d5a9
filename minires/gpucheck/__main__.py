"""python -m minires.gpucheck: check minires on your GPU, and write a report that can be sent to us."""

import argparse
import json
import time
import traceback
from contextlib import contextmanager

from minires import console, cuda
from minires.console import Table, verdict
from minires.errors import describe
from minires.gpucheck import compare, speed
from minires.gpucheck.settings import machine, settings, stands_in
from minires.gradcheck.checks.checker import known_op
from minires.gradcheck.checks.full_check import check_ops
from minires.op import registry
from minires.probes.training_step import training_parts
from minires.settings import meant
from minires.storage import atomic_write, check_writable

DESCRIPTION = """\
Check minires on the GPU of this machine: every op against NumPy, with CUB and
TF32 switched on and off, everything twice; the gradient check; launches and
memory of a training step; the time of training steps compared with the best
that the GPU can do. It takes a minute or more, most of it for compiling."""
EPILOG = """\
examples:
  python -m minires.gpucheck                    everything
  python -m minires.gpucheck conv2d relu        two ops, and the training steps

Please attach the JSON file to an issue if your GPU is no H100 or H200, because
we have seen no other. python -m minires lists the other commands.
exit status: 0 all agree, 1 something differs, 2 no GPU can be used (and why)
or a file cannot be written, 130 stopped (what was found is written)"""
STEPS = {  # height and width of an image, batch
    "resnet20": (32, 128),
    "resnet50": (224, 32),
    "vgg16": (224, 32),
    "resnext50_32x4d": (224, 32),
    "se_resnet50": (224, 32),
    "densenet121": (224, 32),
    "mobilenet_v2": (224, 32),
    "efficientnet_b0": (224, 32),
    "vit_b_16": (224, 32),
}
SMALL = {"resnet20": (16, 4), "resnet50": (33, 2)}


@console.command("minires.gpucheck")
def main(argv=None):
    parser = console.Parser(
        prog="python -m minires.gpucheck",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("ops", nargs="*", metavar="OP", help="check these ops only (default: all)")
    parser.add_argument(
        "--json",
        type=console.new_file,
        default="gpucheck.json",
        metavar="FILE",
        help="the report (default: gpucheck.json)",
    )
    parser.add_argument(
        "--small",
        action="store_true",
        help="small images and matrices: the times mean nothing (the default with a stand-in for a GPU)",
    )
    args = parser.parse_args(argv)
    names = [known_op(meant(name, registry) or name) for name in args.ops] or sorted(registry)
    check_writable(args.json)
    cuda.module("a GPU is to be checked")  # raises if something is missing
    return check(names, args.json, args.small or bool(stands_in()))


def check(names, path, small):
    """Run everything, print it, and write it to path after each part. -> exit status"""
    report = {"machine": machine(), "small": small, "date": time.strftime("%Y-%m-%d"), "failed": [], "errors": {}}
    for what, value in report["machine"].items():
        if value != "":
            print(f"{what:<20}{value}")
    failed = report["failed"]
    try:
        for part in (
            lambda: check_values(names, report),
            lambda: check_gradients(names, report),
            lambda: check_speed(report, small),
        ):
            part()
            atomic_write(path, json.dumps(report, indent=1).encode())
    except (KeyboardInterrupt, console.OutputError) as end:
        atomic_write(path, json.dumps(report, indent=1).encode())
        message = f"{str(end) or 'stopped'}; what was found so far is in {path}"
        if isinstance(end, KeyboardInterrupt):
            return console.stopped("minires.gpucheck", message)
        console.say("minires.gpucheck", message)
        return 2
    checks = 2 * len(names) + len(SMALL if small else STEPS)
    print(
        f"\n{len(failed)} of {checks} checks failed: {', '.join(failed)}"
        if failed
        else f"\nall {checks} checks passed",
        f"({path})",
    )
    return 1 if failed else 0


@contextmanager
def going_on(what, report):
    """An error inside is printed, written into the report and counted as failed, and the other checks go on."""
    try:
        yield
    except console.OutputError:
        raise
    except Exception as error:  # a GPU may raise anything
        print(f"{what}: {verdict(False)}, {describe(error)}", flush=True)
        report["errors"][what] = "".join(traceback.format_exception(error))
        report["failed"].append(what)


def check_values(names, report):
    """Print each op's worst error for each setting."""
    print("\nfloat32 on the GPU against float64 of NumPy: worst error, relative to the largest element")
    switches = settings()
    table = Table({"op": 22, **{name: -max(len(name), 9) for name in switches}, "twice": -10})
    report["values"] = {}
    for name in names:
        with going_on(f"values of {name}", report):
            found = {setting: compare.compare(name, how) for setting, how in switches.items()}
            same = all(agree for _, agree in found.values())
            right = all(error <= compare.ALLOWED[switches[setting]["tf32"]] for setting, (error, _) in found.items())
            table.row(
                name,
                *(f"{error:.1e}" for error, _ in found.values()),
                "same bits" if same else "DIFFERENT",
                passed=right and same,
            )
            report["values"][name] = {"errors": {s: error for s, (error, _) in found.items()}, "same bits twice": same}
            report["failed"] += [] if right and same else [f"values of {name}"]


def check_gradients(names, report):
    """The gradient check, each case once."""
    print("\ngradients on the GPU, measured")
    report["gradients"] = {}
    table = Table({"op": 22, "cases": -5, "measured by": 13, "error": -8})
    for name in names:
        with going_on(f"gradients of {name}", report):
            found = check_ops([name], seed=0, samples=1, device="cuda", quiet=True)
            passed = all(r.passed for r in found)
            worst = max((w.error for r in found for w in r.arguments), default=0.0)
            table.row(name, len(found), found[0].method, f"{worst:.1e}", passed=passed)
            report["gradients"][name] = {
                "cases": len(found),
                "method": found[0].method,
                "error": worst,
                "passed": passed,
            }
            report["failed"] += [] if passed else [f"gradients of {name}"]


def check_speed(report, small):
    """Print launches, memory, times and the roofline."""
    rounds = 3 if small else 10
    report["steps"] = {}
    for name, (size, count) in (SMALL if small else STEPS).items():
        with going_on(f"a step of {name}", report):
            show_step(name, size, count, report, rounds, small)


def show_step(name, size, count, report, rounds, small):
    """The same for one network."""
    if "copy bytes/s" not in report:
        bandwidth, rate = speed.rates(1 << (20 if small else 28), 64 if small else 4096, rounds)
        print(f"\na copy moves {bandwidth / 1e9:.4g} GB/s, a matrix product makes {rate / 1e9:.4g} GFLOP/s")
        report |= {"copy bytes/s": bandwidth, "product flop/s": rate}
    parts = training_parts(name, size, count, "cuda")
    by_kind, counted = speed.launches(parts)
    took, host = speed.seconds(lambda: speed.train_step(*parts), rounds)
    least = speed.floor(parts, report["copy bytes/s"], report["product flop/s"])
    print(
        f"\n{name}, {count} images of {size}×{size}: {1000 * took:.4g} ms a training step, {count / took:.4g} "
        f"images/s; operations and bytes need {1000 * least:.4g} ms, {least / took:.0%} of it, launching "
        f"{1000 * host:.4g} ms"
    )
    for kind, n in by_kind.items():
        print(f"  {kind:<32}{n:>6} launches")
    print(f"  {'all of minires':<32}{sum(by_kind.values()):>6}")
    if counted:
        print(
            f"  {'all, with what is CuPy’s own':<32}{counted['launch'] + counted['blas']:>6}; copies to the host "
            f"{counted['d2h']}, waits {counted['sync']}"
        )
    print(f"  {cuda.memory_summary()}")
    report["steps"][name] = {
        "size": size,
        "count": count,
        "seconds": took,
        "host seconds": host,
        "floor": least,
        "launches": by_kind,
        "counters": counted,
        "memory": cuda.memory_summary(),
    }


if __name__ == "__main__":
    console.entry(main)
