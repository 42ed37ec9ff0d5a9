"""python -m minires.gradcheck: prove every gradient of minires, or of your own code, by measuring it.

Its exit status is the verdict, also after `| head -1`, which leaves before the verdict is printed.
"""

import argparse
import secrets

from minires import console, cuda, models
from minires.console import new_file, seconds, text, whole
from minires.errors import OptionError
from minires.gradcheck.bugs.mutation_test import run_mutation_test
from minires.gradcheck.checks.checker import known_op
from minires.gradcheck.checks.false_alarms import count_false_alarms
from minires.gradcheck.checks.full_check import full_check
from minires.gradcheck.checks.step_size import STEPS, errors_by_step
from minires.gradcheck.grading.batch import check_targets
from minires.gradcheck.grading.folders import is_target
from minires.gradcheck.grading.standard import shape_of
from minires.gradcheck.paths import show_paths
from minires.op import registry
from minires.plots import check_plot, plot_steps
from minires.settings import meant
from minires.storage import check_writable

DESCRIPTION = """\
Check backward passes against measured derivatives: by the complex step to
1e-12, where a function takes no complex numbers by 4-point differences to
1e-8. Without names: all ops on hard cases, all linear maps on integers,
residual blocks and whole ResNets."""
THEIRS = """\
FILE.py:NAME or FILE.ipynb:NAME in place of OP, FILE.py:FORWARD,BACKWARD,
a class, or a folder or pattern with --function NAME. Understood are
(arrays, settings) -> (y, backward); a backward alone, given dy (dout,
grad_output, ...) and the arrays; a forward -> (y, cache) and its backward
(dout, cache); -> (loss, dx); classes with forward and backward. Each runs in
a process of its own, behind limits; what it prints is not shown. That is no
jail: mark strangers' work in a container, see docs/marking.md."""
EXAMPLES = """
examples, each after python -m minires.gradcheck:
                                            everything, in seconds
  conv2d relu --seed 7 --samples 20         two ops, each case drawn 20 times
  homework.py:my_conv --like conv2d         your own function
  handed_in/ --function my_conv --like conv2d --csv marks.csv
                                            a class of forty
  batch_norm --plot steps.png               error against step size
  --paths --model resnet20                  the gradient through shortcuts and
                                            branches

exit status: 0 all passed, 1 something failed, 2 could not run, 130 stopped"""


OPS = "the check of ops"
# What each kind of work looks at. Whatever else is given would be ignored, so it is refused.
TAKES = {
    "--list": {"list"},
    "--bugs": {"bugs", "ops", "seed", "quiet"},
    "--seeds": {"seeds", "ops", "seed", "backend"},
    "--paths": {"paths", "model", "variant", "dataset", "batch_size", "seed", "plot", "backend", "quiet"},
    "a function in a file": {
        *(
            "ops",
            "like",
            "reference",
            "shapes",
            "function",
            "seed",
            "samples",
            "timeout",
            "forbid",
            "allow_minires",
            "helper",
            "jobs",
            "json",
            "csv",
        ),
        *("gradescope", "numbers_only", "quiet"),
    },
    "--plot": {"plot", "ops", "seed"},
    OPS: {"ops", "seed", "samples", "backend", "quiet"},
}


def given_flags(parser, argv):
    """{name: value} of what was typed, also where it is the default."""
    empty = argparse.Namespace(**dict.fromkeys(vars(parser.parse_args([]))))
    typed = vars(parser.parse_args(argv, empty))
    typed["ops"] += typed.pop("op") or []
    return {name: value for name, value in typed.items() if value not in (None, [])}


def check_flags(given, work):
    """Raise OptionError for a flag that was given and that this work does not look at."""
    for name in given:
        if name not in TAKES[work]:
            flag = f"the name {given['ops'][0]!r}" if name == "ops" else f"--{name.replace('_', '-')}"
            if work == OPS and name in TAKES["--paths"]:
                raise OptionError(f"{flag} goes with --paths: add --paths, or leave {flag} out")
            raise OptionError(f"{flag} means nothing with {work}; leave one of the two out")


def shape(given):
    """The type of --shapes: 2,3,8,8, or 5, or () for a single number, or 8:10 for eight labels of ten classes."""
    try:
        return shape_of(given)
    except ValueError:
        raise argparse.ArgumentTypeError(f"it must be a shape such as 2,3,8,8, got {given!r}") from None


def make_parser():
    """The command line."""
    parser = console.Parser(
        prog="python -m minires.gradcheck",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("ops", nargs="*", metavar="OP", help="ops to check, or functions FILE.py:NAME")
    parser.add_argument("--op", action="append", default=[], metavar="OP", help="the same, as an option")
    parser.add_argument("--list", action="store_true", help="print the names of the ops and stop")
    parser.add_argument(
        "--seed",
        type=whole(0),
        metavar="S",
        help="what sizes, settings and values are drawn from (default 0; for functions in files a random one)",
    )
    parser.add_argument("--samples", type=whole(1), default=3, metavar="N", help="draw every case N times (default 3)")
    parser.add_argument(
        "--backend",
        choices=("numpy", "cupy"),
        default="numpy",
        help="where minires computes (with ops, --seeds and --paths)",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print what failed and the last line only")
    parser.add_argument(
        "--plot",
        type=new_file,
        metavar="FILE",
        help="with one op: draw the error of three methods "
        "against their step; with --paths: draw the paths of a ResNet and its plain twin (PNG, SVG, "
        "PDF, JPEG or WebP by the file's ending)",
    )

    checker = parser.add_argument_group("the checker itself")
    checker.add_argument(
        "--bugs",
        action="store_true",
        help="plant the bugs of the catalogue one by one: each should be noticed, 98 %% of them must",
    )
    checker.add_argument(
        "--seeds",
        type=whole(1),
        metavar="N",
        help="check the ops with N seeds in a row, looking for false alarms (1000 take some minutes)",
    )

    theirs = parser.add_argument_group("your own function, or homework", THEIRS)
    theirs.add_argument(
        "--like", type=text, metavar="OP", help="the op that it is to be like (default: the op it is named after)"
    )
    theirs.add_argument(
        "--reference",
        type=text,
        metavar="FILE.py:F",
        help="a function of yours, or F,G or a class, that it is to be like; with --shapes",
    )
    theirs.add_argument(
        "--shapes",
        type=shape,
        nargs="+",
        metavar="N,M",
        help="shapes of its arrays, or 8:10 for eight labels of ten classes; without --reference it is measured by "
        "differences, for advice",
    )
    theirs.add_argument("--function", type=text, metavar="NAME", help="the function, class or pair F,G in each file")
    theirs.add_argument(
        "--forbid", type=text, nargs="+", default=[], metavar="MODULE", help="modules not to be imported"
    )
    theirs.add_argument(
        "--allow-minires", action="store_true", help="let submissions import minires, whose ops are the answers"
    )
    theirs.add_argument(
        "--helper",
        type=text,
        nargs="+",
        default=[],
        metavar="FILE",
        help="files and folders that all submissions may use",
    )
    theirs.add_argument("--timeout", type=seconds, default=10.0, metavar="S", help="seconds for each call (default 10)")
    theirs.add_argument("--jobs", type=whole(1), default=1, metavar="N", help="submissions at a time (default 1)")
    theirs.add_argument("--numbers-only", action="store_true", help="let work in place on dy pass, with a note")
    theirs.add_argument("--json", type=new_file, metavar="FILE", help="write all results, for a grader's script")
    theirs.add_argument("--csv", type=new_file, metavar="FILE", help="write a line a submission")
    theirs.add_argument("--gradescope", type=new_file, metavar="FILE", help="write them as a Gradescope results.json")

    paths = parser.add_argument_group("the residual path")
    paths.add_argument(
        "--paths",
        action="store_true",
        help="print for each block how much gradient comes back through "
        "the shortcut and how much through the branch, and prove the branch's part",
    )
    paths.add_argument("--model", type=text, default="resnet20", help="a network with blocks (default resnet20)")
    paths.add_argument("--variant", choices=("v1", "v1.5"), help="where its bottlenecks stride")
    paths.add_argument(
        "--dataset", type=text, default="digits", help="digits, cifar10 or a folder of images (default digits)"
    )
    paths.add_argument("--batch-size", type=whole(1), default=64, metavar="N", help="images (default 64)")
    return parser


@console.command("minires.gradcheck")
def main(argv=None):
    parser = make_parser()
    args = parser.parse_args(argv)
    args.ops += args.op
    given = given_flags(parser, argv)
    check_writable(args.json, args.csv, args.gradescope)
    check_plot(args.plot)
    if args.list:
        check_flags(given, "--list")
        print("\n".join(sorted(registry)))
        return 0
    device = "cuda" if args.backend == "cupy" else "cpu"
    if device != "cpu":
        cuda.module("--backend cupy")  # says what is missing
    targets = args.ops if args.function else [word for word in args.ops if is_target(word)]
    if device != "cpu" and (targets or args.bugs or (args.plot and not args.paths)):
        raise OptionError(
            "--backend cupy goes with ops, --seeds and --paths; functions in files, --bugs and --plot of "
            "an op are for NumPy"
        )
    if targets:
        if len(targets) < len(args.ops):
            raise OptionError("name either ops or functions in files, not both")
        check_flags(given, "a function in a file")
        return check_targets(
            targets,
            args.like and (meant(args.like, registry) or args.like),
            function=args.function or "",
            reference=args.reference or "",
            shapes=args.shapes,
            seed=secrets.randbits(32) if args.seed is None else args.seed,
            samples=args.samples,
            timeout=args.timeout,
            forbid=tuple(args.forbid),
            helpers=tuple(args.helper),
            allow_minires=args.allow_minires,
            jobs=args.jobs,
            json_file=args.json,
            csv_file=args.csv,
            gradescope_file=args.gradescope,
            quiet=args.quiet,
            numbers_only=args.numbers_only,
        )
    if args.like or args.json or args.csv or args.gradescope or args.reference or args.shapes or args.function:
        raise OptionError(
            "--like, --json and --gradescope go with a function: FILE.py:NAME; and so do --csv, --reference, --shapes "
            "and --function"
        )
    args.seed = args.seed or 0
    args.ops = [known_op(meant(op, registry) or op) for op in args.ops]
    if args.paths:
        if args.ops:
            raise OptionError(f"--paths shows a network (--model), not the op {args.ops[0]}")
        check_flags(given, "--paths")
        model = meant(args.model, models.names()) or args.model  # an unknown one is said where it is looked for
        return (
            0
            if show_paths(
                model,
                args.dataset,
                variant=args.variant,
                batch_size=args.batch_size,
                seed=args.seed,
                plot=args.plot,
                device=device,
                quiet=args.quiet,
            )
            else 1
        )
    work = next((f"--{name}" for name in ("plot", "bugs", "seeds") if getattr(args, name)), OPS)
    check_flags(given, work)
    if args.plot:
        if len(args.ops) != 1:
            raise OptionError("--plot draws one op: name it, or add --paths")
        plot_steps(args.ops[0], STEPS, errors_by_step(args.ops[0], args.seed), args.plot)
        print(args.plot)
        return 0
    if args.bugs:
        return 0 if run_mutation_test(args.ops, seed=args.seed, quiet=args.quiet) else 1
    if args.seeds:
        return 0 if count_false_alarms(args.ops, first=args.seed, seeds=args.seeds, device=device) else 1
    return 0 if full_check(args.ops, seed=args.seed, samples=args.samples, device=device, quiet=args.quiet) else 1


if __name__ == "__main__":
    console.entry(main)
