"""python -m minires.train: train a ResNet, watch it, stop it and go on."""

import argparse
import signal
import sys
from contextlib import contextmanager
from pathlib import Path

from minires import cuda, kernels, models
from minires.errors import MiniresError, OptionError, need
from minires.train.config import Config, add_flags
from minires.train.loop import Run


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="python -m minires.train",
        description="Train a network with SGD. Writes checkpoint.safetensors, log.csv and curves.png into --out; "
                    "Ctrl-C saves and stops, --resume goes on to the same bits.",
        epilog="Exit status: 0 done, 2 a setting or file is wrong, 130 stopped and saved.")
    add_flags(parser)
    parser.add_argument("--resume", action="store_true",
                        help="go on with the run in --out (default: the newest in runs/), with its settings")
    parser.add_argument("--list-models", action="store_true", help="print the names of the models and stop")
    return vars(parser.parse_args(argv))


@contextmanager
def interrupts():
    """Yields stop() -> whether Ctrl-C (or a polite kill) has come: the step under way is finished first, so that the
    checkpoint is whole. A second Ctrl-C leaves at once."""
    came = []

    def note(number, frame):
        if came:
            raise KeyboardInterrupt
        came.append(number)
        print("\nstopping after this step ...", file=sys.stderr, flush=True)
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def newest_run():
    """The folder under runs/ whose checkpoint is the youngest."""
    found = sorted(Path("runs").glob("*/checkpoint.safetensors"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise OptionError("there is no run to resume in runs/; name its folder with --out")
    return found[-1].parent


def train(flags):
    """Make or resume the run, show its progress, and say at the end what lies where. -> exit status"""
    tqdm = need("tqdm", "data", for_what="the progress bar").tqdm
    resume = flags.pop("resume")
    run = Run.resume(flags.get("out") or newest_run(), flags) if resume else Run.start(Config(**flags))
    config = run.config
    if config.threads:
        kernels.set_num_threads(config.threads)

    total = config.epochs * len(run.train_set)
    done = run.epoch * len(run.train_set) + run.totals.seen
    print(f"{config.model} on {run.train_set.name}: {len(run.train_set)} pictures, {len(run.test_set)} for the test, "
          f"{config.epochs} epochs of {len(run.loader)} steps -> {run.folder}")
    if done:
        print(f"resumed at epoch {run.epoch + 1}, step {run.step}")
    # disable=None: a bar on a terminal, plain lines in a file
    with interrupts() as stop, tqdm(total=total, initial=done, unit="img", disable=None, dynamic_ncols=True,
                                    smoothing=0.1) as bar:
        def on_step(run, pictures):
            bar.set_description(f"epoch {run.epoch + 1}/{config.epochs}", refresh=False)
            if bar.update(pictures):  # it has been drawn: time to look at the numbers, for which a GPU must be waited
                loss, accuracy = run.progress()
                bar.set_postfix_str(f"loss {loss:.3f}, accuracy {accuracy:.1%}", refresh=False)

        def on_epoch(run, row):
            bar.write(f"epoch {row['epoch']:>3}/{config.epochs}  loss {row['train_loss']:.4f}  train "
                      f"{row['train_accuracy']:.2%}  test {row['test_accuracy']:.2%}  {row['images_per_second']:.0f} "
                      "images/s")
        finished = run.go(stop=stop, on_step=on_step, on_epoch=on_epoch)
    if not finished:
        print(f"stopped and saved; go on with: python -m minires.train --resume --out {run.folder}")
        return 130
    if not run.history:
        run.save()
        print(f"no epoch to train; the untrained network is in {run.checkpoint_path}")
        return 0
    run.draw()
    print(f"\ntest accuracy {run.history[-1]['test_accuracy']:.2%}\ncheckpoint    {run.checkpoint_path}\n"
          f"log           {run.log_path}\ncurves        {run.curves_path}")
    if config.device != "cpu":
        print(cuda.memory_summary())
    return 0


def main(argv=None):
    flags = parse(argv)
    if flags.pop("list_models"):
        print("\n".join(models.names()))
        return 0
    try:
        return train(flags)
    except (MiniresError, OSError) as error:
        print(f"minires.train: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
