"""python -m minires.lab: repeat what the papers claim, and say whether it holds."""

import argparse
import shlex
import sys
from dataclasses import fields
from pathlib import Path

from minires import console
from minires.console import text, whole
from minires.kernels import get_num_threads
from minires.lab.collection import write_collection
from minires.lab.experiment import SIZES, SPELLINGS
from minires.lab.experiments import EXPERIMENTS
from minires.lab.place import StoppedError
from minires.lab.running import Watch, run
from minires.plots import check_plot
from minires.settings import did_you_mean, meant

NAME = "minires.lab"
DESCRIPTION = """\
Repeat what the papers claim. Each experiment trains or measures networks over
several seeds, and says whether the claim held, was refuted, or cannot be told.
It writes DIR/NAME.json, .md, .png and .svg. Ctrl-C saves; --resume goes on."""
EPILOG = """\
examples:
  python -m minires.lab                         the experiments and their claims
  python -m minires.lab degradation             in seconds, on handwritten digits
  python -m minires.lab degradation --size small --depths 8 20 32
  python -m minires.lab degradation --size small --resume
  python -m minires.lab degradation --help      its claim, source and settings
  python -m minires.lab report                  one page of all that were run

exit status: 0 done, whatever the verdict; 2 a setting or a file is wrong;
130 stopped and saved"""
OUT = "runs/lab"
BAR = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"


def listing():
    """The experiments and their claims, for a person."""
    width = max(map(len, EXPERIMENTS)) + 2
    lines = []
    for name, experiment in EXPERIMENTS.items():
        lines += console.wrapped(f"  {name:<{width}}", f"{experiment.claim} [{experiment.source.split(',')[0]}]")
    return "\n".join(lines)


def make_parser(experiment=None):
    """The flags of an experiment; without one, those that all of them have."""
    if experiment is None:
        parser = console.Parser(
            prog=f"python -m {NAME}",
            usage=f"python -m {NAME} [NAME | report] [SETTINGS]",
            description=f"{DESCRIPTION}\n\nexperiments:\n{listing()}",
            epilog=EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument("name", nargs="?", metavar="NAME", help="an experiment, or: report")
        parser.add_argument(
            "--out", type=text, default=OUT, metavar="DIR", help=f"folder of the files (default: {OUT})"
        )
        return parser
    about = [("claim", experiment.claim), ("source", experiment.source), ("method", experiment.method)]
    about.append(("refuted if", experiment.refuted_by))
    parser = console.Parser(
        prog=f"python -m {NAME} {experiment.name}",
        description="\n".join(line for head, body in about for line in console.wrapped(f"{head:<12}", body)),
        epilog="The defaults of the settings are those of the size. "
        f"tiny: {_shown(experiment, 'tiny')}. As tiny, but for small: {_shown(experiment, 'small')}; "
        f"and for full: {_shown(experiment, 'full')}.",
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "\n".join(console.wrapped("", parser.epilog))
    parser.add_argument(
        "--size",
        choices=SIZES,
        default="tiny",
        help="tiny: seconds; small: minutes; full: as in the paper (default: tiny)",
    )
    parser.add_argument("--out", type=text, default=OUT, metavar="DIR", help=f"folder of the files (default: {OUT})")
    parser.add_argument("--resume", action="store_true", help="go on with what is in --out")
    parser.add_argument(
        "--jobs",
        type=whole(1),
        default=get_num_threads(),
        metavar="N",
        help="trials at once, each on one core (default: one a core)",
    )
    for f in fields(experiment.sizes["tiny"]):
        many = isinstance(f.default, tuple)
        of = type((*f.default, "")[0]) if many else type(f.default)  # an empty tuple is one of texts
        flag = {**console.flag_of(of), **({"nargs": "+"} if many else {}), **f.metadata["flag"]}
        name = "--" + f.name.replace("_", "-")
        parser.add_argument(name, default=argparse.SUPPRESS, help=f.metadata["help"], **flag)
    return parser


def _shown(experiment, size):
    """The settings of the size tiny, and of another one those that differ from them."""
    s = experiment.sizes[size]
    tiny = experiment.sizes["tiny"]
    changed = [f.name for f in fields(s) if size == "tiny" or getattr(s, f.name) != getattr(tiny, f.name)]
    given = [name for name in changed if getattr(s, name) not in ("", ())]
    return ", ".join(f"--{name.replace('_', '-')} {_plain(getattr(s, name))}" for name in given)


def _plain(value):
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


class Bar(Watch):
    """A progress bar over the whole experiment on a terminal, and a line for each trial."""

    def __init__(self, stop):
        self._stop = stop
        self._bar = None

    def start(self, name, total, done):
        tqdm = console.progress_bar()
        self._bar = tqdm(total=total, initial=done, desc=name, disable=None, dynamic_ncols=True, bar_format=BAR)

    def progress(self, done):
        self._bar.update(done - self._bar.n)

    def finished(self, trial, numbers, seconds):
        self._bar.write(f"{trial.name:<28} {seconds:>8.1f} s")

    def stop(self):
        return self._stop()

    def end(self):
        self._bar.close()


def lab(argv):
    """Do what the arguments say. -> exit status"""
    parser = make_parser()
    if not argv:
        print(
            f"Experiments, each with its claim and source:\n\n{listing()}\n\n"
            f"python -m {NAME} NAME runs one; --help says more."
        )
        return 0
    name, *rest = argv
    if name == "report":
        args = parser.parse_args(argv)
        print("\n".join(map(str, write_collection(args.out))))
        return 0
    if name.startswith("-"):
        parser.parse_known_args(argv)  # answers --help
        parser.error(f"name the experiment before its settings ({' '.join(argv)})")
    known = meant(SPELLINGS.get(name, name), EXPERIMENTS)
    if known is None:
        hint = did_you_mean(name, ["report", *EXPERIMENTS], "without a name they are listed")
        parser.error(f"there is no experiment {name!r}; {hint}")
    settings = vars(make_parser(EXPERIMENTS[known]).parse_args(rest))
    settings = {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
    return conduct(EXPERIMENTS[known], settings)


def conduct(experiment, settings):
    """Run the experiment, show its progress, and print the verdict. -> exit status"""
    out = Path(settings["out"])
    check_plot(str(out / f"{experiment.name}.png"))
    with console.stop_requests(NAME) as stop:
        try:
            report = run(experiment, watch=Bar(stop), **settings)
        except StoppedError:
            folder = shlex.quote(str(out))
            print(f"stopped and saved; go on with: python -m {NAME} {experiment.name} --out {folder} --resume")
            return console.STOPPED
    print()
    lines = [("claim    ", experiment.claim), ("source   ", experiment.source)]
    lines += [("  ", str(comparison)) for comparison in report.comparisons]
    lines += [("verdict  ", f"{report.verdict}. {report.sentence}")]
    for head, body in lines:
        print("\n".join(console.wrapped(head, body)))
    print(f"files    {out / experiment.name}.json, .md, .png, .svg")
    return 0


@console.command(NAME)
def main(argv=None):
    return lab(sys.argv[1:] if argv is None else argv)


if __name__ == "__main__":
    console.entry(main)
