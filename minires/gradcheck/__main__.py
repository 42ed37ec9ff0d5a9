"""python -m minires.gradcheck: prove every gradient of minires by measuring it."""

import argparse
import sys
import time

import numpy as np

from minires.errors import MiniresError
from minires.gradcheck.checker import TOLERANCE, check_module, check_op
from minires.models import resnet8
from minires.models.blocks import BasicBlock, Bottleneck
from minires.tensor import registry

LINE = "{:<22} {:<26} {:>5}  {:<13} {:>9}  {}"


def networks(seed):
    """(name, module, pictures) for the checks beyond single ops."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((3, 4, 6, 5))
    yield "BasicBlock", BasicBlock(4, 4, rng=rng), x
    yield "BasicBlock, option A", BasicBlock(4, 8, stride=2, shortcut="A", rng=rng), x
    yield "Bottleneck, option B", Bottleneck(4, 2, stride=2, rng=rng), x
    yield "plain block", BasicBlock(4, 4, shortcut=None, rng=rng), x
    yield "resnet8 in training", resnet8(in_channels=1, rng=rng), rng.standard_normal((3, 1, 8, 8))
    yield "resnet8 in evaluation", resnet8(in_channels=1, rng=rng).eval(), rng.standard_normal((3, 1, 8, 8))


def rows_of(name, reports):
    """One table row for each argument: the worst over all cases."""
    for argument in dict.fromkeys(w.argument for r in reports for w in r.arguments):
        found = [(w.error, r) for r in reports for w in r.arguments if w.argument == argument]
        error, report = max(found, key=lambda pair: pair[0])
        ok = all(e <= TOLERANCE[r.method] for e, r in found)
        yield LINE.format(name[:22], argument[:26], len(found), report.method, f"{error:.1e}", "ok" if ok else "FAILED")


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m minires.gradcheck",
        description="Check every backward pass against measured derivatives (complex step to 1e-12, else 4-point "
                    "differences to 1e-8), then residual blocks and a whole ResNet. Exit status: 0 all passed, "
                    "1 something failed, 2 could not run.")
    parser.add_argument("ops", nargs="*", metavar="OP", help="check these ops only (default: all, and the networks)")
    parser.add_argument("--seed", type=int, default=0, help="seed of inputs and upstream gradients (default: 0)")
    parser.add_argument("--list", action="store_true", help="print the names of the ops and stop")
    args = parser.parse_args(argv)
    if args.list:
        print("\n".join(sorted(registry)))
        return 0

    started, failures, count = time.perf_counter(), [], 0
    header = LINE.format("op", "input", "cases", "method", "error", "verdict")

    def show(name, reports):
        nonlocal count
        if not count:
            print(header)
        count += len(reports)
        for row in rows_of(name, reports):
            print(row, flush=True)
        failures.extend(report for report in reports if not report.passed)

    try:
        for name in args.ops or sorted(registry):
            show(name, check_op(name, seed=args.seed))
    except MiniresError as error:
        print(f"gradcheck: {error}", file=sys.stderr)
        return 2
    if not args.ops:
        for name, module, x in networks(args.seed):
            report = check_module(module, x, seed=args.seed, name=name)
            inputs = [w for w in report.arguments if w.argument.startswith("input")]
            parameters = max((w for w in report.arguments if w not in inputs), key=lambda w: w.error)
            print(LINE.format(name, "x", 1, report.method, f"{inputs[0].error:.1e}",
                              "ok" if inputs[0].error <= TOLERANCE[report.method] else "FAILED"))
            print(LINE.format(name, f"{len(report.arguments) - 1} parameters", 1, report.method,
                              f"{parameters.error:.1e}",
                              "ok" if parameters.error <= TOLERANCE[report.method] else "FAILED"))
            count += 1
            failures.extend([] if report.passed else [report])
    for report in failures:
        print(report)
    print(f"{count - len(failures)} of {count} cases passed in {time.perf_counter() - started:.1f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
