"""python -m benchmarks: how fast minires is, compared with other libraries, and with the machine's best."""

import argparse
import datetime
import json
import sys
from importlib.util import find_spec

from benchmarks.contender import Contender
from benchmarks.machine import describe
from benchmarks.plot import plot_speed
from benchmarks.run import measure, number, print_heading, print_results
from benchmarks.workloads import RIVALS, catalogue, select
from minires import console, kernels
from minires.errors import MiniresError, OptionError
from minires.plots import check_plot
from minires.storage import atomic_write, check_writable

DESCRIPTION = """\
Time minires and other libraries on the same work in turn (A B A B ...). The machine must be idle:
beside other programs the ratios change, and a warning says so. Training steps are also compared
with the least time that the machine needs, and a profile shows where the time goes."""
EXAMPLES = """
A NAME is a workload, a part of its name between slashes, or a pattern; without one, all are run:
  python -m benchmarks                                        everything, in ten to twenty minutes
  python -m benchmarks resnet20                               its training step and its inference
  python -m benchmarks train --json results.json              the training steps of three networks
  python -m benchmarks resnet20/train --against torch dezero mygrad
  python -m benchmarks 'conv/3x3*' dw --pairs 15 --plot ratios.png
  python -m benchmarks step peak                              training steps of VGG and what followed, their memory
  python -m benchmarks memory                                 the peak memory of a ResNet-50 step
  python -m benchmarks scaling                                with the batch size, and with the threads

The ratio is their time / minires' time, of each pair: above 1 minires is faster. All libraries use
the same number of threads: PyTorch in channels-last memory, DeZero and MyGrad in the BLAS, minires
as threads, or as processes for whole networks. Each runs in a process of its own, with its usual
malloc. A variable that tunes one library only, such as OPENBLAS_CORETYPE, changes the ratios, so
those that are set are printed and written.

exit status: 0 done, 2 could not run, 130 stopped (what was measured is printed and written)"""


def make_parser():
    parser = console.Parser(
        prog="python -m benchmarks",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to run (see below, and --list)")
    parser.add_argument(
        "--against",
        nargs="*",
        choices=RIVALS,
        default=["torch"],
        metavar="LIBRARY",
        help="torch (the default), dezero, mygrad or several of them, after the NAMEs; empty: minires alone",
    )
    parser.add_argument(
        "--threads", type=console.whole(1, 1024), metavar="N", help="threads of each (default: one a core)"
    )
    parser.add_argument(
        "--pairs",
        type=console.whole(1),
        default=None,
        metavar="N",
        help="measurements of each, after one that warms up (default 7, with --tiny 1)",
    )
    parser.add_argument(
        "--json", type=console.new_file, metavar="FILE", help="write the machine, the versions and all timings"
    )
    parser.add_argument(
        "--plot",
        type=console.new_file,
        metavar="FILE",
        help="draw the ratios (PNG, SVG, PDF, JPEG or WebP by the file's ending)",
    )
    parser.add_argument("--tiny", action="store_true", help="toy sizes, in seconds: the numbers mean nothing")
    parser.add_argument("--list", action="store_true", help="print the names of the workloads and stop")
    return parser


def installed(rivals):
    """The rivals that are installed; a line says how to install each of the others."""
    rivals = list(dict.fromkeys(rivals))
    missing = [name for name in rivals if find_spec(name) is None]
    for name in missing:
        print(f"{name} is not installed and is left out; install it with: pip install {name}", file=sys.stderr)
    return [name for name in rivals if name not in missing]


@console.command("benchmarks")
def main(argv=None):
    args = make_parser().parse_args(argv)
    if args.threads:
        kernels.set_num_threads(args.threads)
    workloads = select(args.names, catalogue(args.tiny))
    if args.list:
        print("\n".join(w.name for w in workloads))
        return 0
    check_writable(args.json)
    check_plot(args.plot)
    return benchmark(args, workloads)


def benchmark(args, workloads):
    """Measure, show and write. -> exit status"""
    threads = kernels.get_num_threads()
    rivals = installed(args.against)
    if args.plot and not rivals:
        raise OptionError(
            "--plot draws ratios, and there is no library to compare with; name an installed one by "
            "--against, or leave --plot out"
        )
    pairs = args.pairs or (1 if args.tiny else 7)
    report = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "threads": threads,
        "pairs": pairs,
        "tiny": args.tiny,
        "machine": describe(rivals),
        "results": [],
    }
    results, contenders, status = report["results"], [], 0
    try:
        for name in ("minires", *rivals):
            contenders.append(Contender(name, threads))
        for i, workload in enumerate(workloads):
            results.append(measure(workload, contenders, pairs, tiny=args.tiny))
            said = ", ".join(f"{name} {number(value)}" for name, value in results[-1]["values"].items())
            print(f"[{i + 1}/{len(workloads)}] {workload.name}: {said} {workload.unit}", file=sys.stderr, flush=True)
            if args.json:  # after each, so that a long run that is killed leaves its results
                atomic_write(args.json, json.dumps(report, indent=1).encode())
    except (KeyboardInterrupt, MiniresError, OSError) as stop:
        status = console.STOPPED if isinstance(stop, KeyboardInterrupt) else 2
        said = "stopped" if status == console.STOPPED else console.reason(stop)
        console.say("benchmarks", f"{said}; {'what' if results else 'nothing'} was measured so far")
    finally:
        for contender in contenders:
            contender.stop()
    try:
        print_heading(report["machine"], threads)
        if results:
            print_results(results)
    finally:  # draw what was measured, even if printing failed
        ratios = {r["name"]: r["ratios"] for r in results if r["ratios"]}
        if args.plot and ratios:
            plot_speed(ratios, args.plot)
        elif args.plot and results:
            console.say("benchmarks", f"{args.plot} is not drawn: of these workloads only minires was measured")
    return status


if __name__ == "__main__":
    console.entry(main)
