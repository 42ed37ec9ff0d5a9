"""The display of a run: a progress bar on a terminal, and a line for each epoch."""

import os
from contextlib import closing

import numpy as np

from minires import console, kernels
from minires.console import counted
from minires.nn import count_parameters
from minires.train.loop import Run

BUSY = 0.9  # a core in use; below 1, because a program adds less than 1 to the load of its first minutes
# leaves ten of 80 columns for the bar itself
BAR = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining} {rate_noinv_fmt}{postfix}"


def run(config):
    """Train as `python -m minires.train` does, with its display and files. -> the log: a list of dicts, one an epoch

    >>> history = train.run(train.Config(epochs=5))
    >>> history[-1]["test_accuracy"]
    """
    with closing(Run.start(config)) as started:
        fit(started)
        if started.history:
            started.draw()
        return started.history


def cores_are_busy(processes):
    """Whether the load of the last minute leaves fewer idle cores than these processes need. False if it is unknown."""
    try:
        return os.getloadavg()[0] + processes > (os.cpu_count() or 1) + BUSY
    except (AttributeError, OSError):  # on Windows, or hidden by the system
        return False


def fit(run, stop=lambda: False, on_notice=print):
    """run.fit() with its display. -> whether it has trained to the end"""
    tqdm = console.progress_bar()
    config = run.config
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if config.threads:
        kernels.set_num_threads(config.threads)
    elif run.ranks.size > 1:  # the ranks on this machine share its cores
        kernels.set_num_threads(max(1, min(kernels.get_num_threads(), cores // run.ranks.neighbours)))
    unit = "processes" if run.ranks.size == 1 else "ranks"
    at_once = f", all {config.batch_size} images at once" if config.batch_size == len(run.train_set) > 1 else ""
    print(
        f"{config.model} on {run.train_set.name}: {counted(len(run.train_set), 'image')} of "
        f"{'×'.join(map(str, run.train_set.shape))}, {len(run.test_set)} for the test\n"
        f"{counted(config.epochs, 'epoch')} of {counted(len(run.loader), 'step')}{at_once}"
        f"{f' by {run.replicas.n} {unit}' if run.replicas.n > 1 else ''} -> {run.folder}"
    )
    if run.origin:
        print(run.origin)
    if config.freeze:
        trained = sum(p.numel() for p in run.model.parameters() if p.requires_grad)
        print(f"frozen: {config.freeze}; trained: {trained:,} of {count_parameters(run.model):,} parameters")
    if run.ranks.size == 1 and run.replicas.n > 1 and cores_are_busy(run.replicas.n):
        print(f"the cores are busy (load {os.getloadavg()[0]:.1f}): beside other programs --processes 1 may be faster")
    if config.threads > cores:
        on_notice(f"{config.threads} threads on {counted(cores, 'core')}: more than one a core makes nothing faster")
    if config.lr == 0 and config.epochs:
        on_notice("the learning rate is 0, so no weight changes; leave --lr out to have what is usual")
    present = np.unique(run.train_set.labels)
    if len(present) == 1:
        on_notice(
            f"all images for training are of one class, {run.train_set.classes[present[0]]!r}: there is nothing "
            "to learn, and an accuracy of 100% means nothing"
        )
    if run.loader.drop_last:
        print("the last image of each epoch is left out: this network's batch norm needs more than one image")
    done = run.epoch * len(run.train_set) + run.totals.seen
    if done:
        print(f"resumed at epoch {run.epoch + 1}, step {run.step}")
    # disable=None: no bar unless standard error is a terminal
    with tqdm(
        total=config.epochs * len(run.train_set),
        initial=done,
        unit="img",
        disable=None,
        dynamic_ncols=True,
        smoothing=0.1,
        bar_format=BAR,
    ) as bar:

        def on_step(run, images):
            bar.set_description_str(f"epoch {run.epoch + 1}/{config.epochs}", refresh=False)
            if bar.update(images):  # it was drawn; only now read the loss, because that waits for a GPU
                loss, accuracy = run.progress()
                bar.set_postfix_str(f"loss {loss:.3f}, acc {accuracy:.0%}", refresh=False)

        def on_epoch(run, row):
            bar.write(
                f"epoch {row['epoch']:>3}/{config.epochs}  loss {row['train_loss']:.4f}  train "
                f"{row['train_accuracy']:.2%}  test {row['test_accuracy']:.2%}"
                + (f"  averaged {row['ema_accuracy']:.2%}" if "ema_accuracy" in row else "")
                + f"  {row['images_per_second']:.0f} images/s"
            )

        return run.fit(stop=stop, on_step=on_step, on_epoch=on_epoch, on_notice=on_notice)
