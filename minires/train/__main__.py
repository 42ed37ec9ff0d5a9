"""python -m minires.train: train a ResNet, watch it, stop and resume it."""

import argparse
import shlex
from contextlib import closing

from minires import console, cuda, models
from minires.errors import DataError, MiniresError, OptionError
from minires.parallel import Alone, connect, rank_and_size
from minires.parallel.ranks import PATIENCE, first_rank_speaks
from minires.train import show
from minires.train.config import Config, add_flags
from minires.train.folder import unfinished_run
from minires.train.loop import Run

NAME = "minires.train"
DESCRIPTION = """\
Train a network, or fine-tune one (--weights) on images of your own. Writes
checkpoint.safetensors, the one before it, log.csv and curves.png into --out.
Ctrl-C saves and stops; --resume goes on, with the same bits as if the run had
not been stopped."""
EPILOG = """\
examples:
  python -m minires.train                              digits, in half a minute
  python -m minires.train --dataset cifar10 --batch-size 128 --epochs 60
  python -m minires.train --dataset FOLDER --model resnet18
  python -m minires.train --weights mobilenet_v2-b0353104.pth --dataset FOLDER \\
      --freeze features --head-lr 0.001 --epochs 5     fine-tunes its last layer
  python -m minires.train --resume                     the newest unfinished run
  python -m minires.train --resume DIR --epochs 40
      makes a run with --schedule constant longer; the other schedules depend
      on the number of epochs at the start

  mpiexec -n 4 python -m minires.train --sync-norm ...
      four processes, on one machine or many, which share each batch
      (pip install "minires[mpi]" mpich)

python -m minires lists the other commands.
exit status: 0 done, 2 a setting or a file is wrong, 130 stopped and saved"""


def parse(argv):
    parser = console.Parser(
        prog=f"python -m {NAME}",
        usage=f"python -m {NAME} [--resume] [SETTINGS]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_flags(parser)
    parser.add_argument(
        "--resume",
        nargs="?",
        const="",
        metavar="DIR",
        help="go on with the run in DIR or --out, with its settings (default: the newest one in runs/ that is not "
        "finished)",
    )
    parser.add_argument("--list-models", action="store_true", help="print the names of the models and stop")
    return vars(parser.parse_args(argv))


def make_run(flags, ranks):
    """The run that the flags ask for: a new one, or one that is resumed."""
    resume = flags.pop("resume")
    if resume is None:
        return Run.start(Config(**flags), ranks)
    if resume and flags.setdefault("out", resume) != resume:
        raise OptionError(f"--resume {resume} and --out {flags['out']} name two folders; give only one of them")
    folder = flags.get("out") or ranks.from_first(lambda: unfinished_run(flags.get("epochs")))
    return Run.resume(folder, flags, ranks, lambda text: console.say(NAME, text))


def train(flags, ranks=None):
    """Start or resume the run, show its progress, and print the results. -> exit status"""
    console.progress_bar()  # before a folder is made, so that it is missed now
    console.need_reader()
    with closing(make_run(flags, ranks or Alone())) as run:
        if run.finished and run.history:
            print(
                f"{run.folder} is finished, with {console.counted(run.config.epochs, 'epoch')}"
                + ("; --epochs N makes it longer" if run.config.schedule == "constant" else "")
            )
        else:
            try:
                with console.stop_requests(NAME) as stop:
                    finished = show.fit(run, stop, lambda text: console.say(NAME, text))
            except (DataError, OSError, MemoryError) as error:  # the user can remove the cause, and resume
                console.say(NAME, f"{console.reason(error)}; {where_to_go_on(run)}")
                return 2
            except KeyboardInterrupt:
                return console.stopped(NAME, where_to_go_on(run))
            if not finished:
                print(f"stopped and saved; {how_to_go_on(run)}")
                return console.STOPPED
        if not run.history:
            print(f"no epoch to train; the untrained network is in {run.checkpoint_path}")
            return 0
        return report(run) if run.ranks.rank == 0 else 0


def how_to_go_on(run):
    start = f"mpiexec -n {run.ranks.size} " if run.ranks.size > 1 else ""
    return f"go on with: {start}python -m {NAME} --resume --out {shlex.quote(str(run.folder))}"


def where_to_go_on(run):
    return (
        "stopped before the first step"
        if run.saved_step is None
        else f"stopped, and saved at step {run.saved_step}; {how_to_go_on(run)}"
    )


def report(run):
    """Draw the curves, and print accuracy and files. -> exit status"""
    status, curves = 0, run.curves_path
    try:
        run.draw()
    except KeyboardInterrupt:
        status = console.stopped(NAME, "stopped while drawing; the run is finished and saved")
        curves = "not drawn"
    except (MiniresError, OSError, MemoryError) as error:
        console.say(NAME, f"the curves are not drawn: {console.reason(error)}")
        status, curves = 2, "not drawn"
    last = run.history[-1]
    print(
        f"\ntest accuracy {last['test_accuracy']:.2%}\n"
        + (
            f"averaged      {last['ema_accuracy']:.2%}, with the weights that predict and evaluate take\n"
            if "ema_accuracy" in last
            else ""
        )
        + f"checkpoint    {run.checkpoint_path}\nlog           {run.log_path}\ncurves        {curves}"
    )
    if run.config.device != "cpu":
        print(cuda.memory_summary())
    return status


@console.command(NAME)
def main(argv=None):
    with first_rank_speaks():
        flags = parse(argv)
        if flags.pop("list_models"):
            print("\n".join(models.names()))
            return 0
        if rank_and_size()[1] == 1:
            return train(flags)
        ranks = connect(flags.get("patience", PATIENCE))
    with ranks.together(), first_rank_speaks():
        return train(flags, ranks)


if __name__ == "__main__":
    console.entry(main)
