"""What the ranks of a test do: `mpiexec -n N python mpi_program.py TASK FOLDER [FLAGS]`."""

import os
import signal
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np

from minires import console, models, parallel, train
from minires.train import __main__ as command
from minires.train import loop


def in_float64():
    """Let a run compute in float64, so that two orders of the same sums agree in twelve digits or more."""
    make_model, make_loader = loop.make_model, loop.make_loader

    def double_loader(*arguments):
        loader = make_loader(*arguments)
        transform = loader.transform
        loader.transform = lambda images, rng: transform(images, rng).astype(np.float64)
        return loader

    loop.make_model = lambda *arguments: make_model(*arguments).double()
    loop.make_loader = double_loader
    array_loader = loop.data.ArrayLoader

    class Doubled(array_loader):
        def _transformed(self, images, rng):
            return super()._transformed(images, rng).astype(np.float64)

    loop.data.ArrayLoader = Doubled


def exact(ranks, folder, sync_norm, accumulate, epochs):
    """Epochs of five steps with all that a recipe may ask for -> losses, and all weights, in FOLDER/RANK.npz."""
    in_float64()
    settings = {"mixup": 0.2, "label_smoothing": 0.1, "ema": 0.9, "clip_grad_norm": 1.0, "accumulate": accumulate}
    config = train.Config(
        model="resnet8", limit=150, batch_size=32, epochs=epochs, lr=0.05, threads=1, processes=1,
        sync_norm=sync_norm, out=str(folder / "run"), **settings,
    )  # fmt: skip
    losses = []
    with closing(train.Run.start(config, ranks)) as run:
        run.fit(on_step=lambda run, images: losses.append(run.progress()[0]))
    tested = [[row["test_loss"], row["test_accuracy"], row["ema_loss"]] for row in run.history]
    averaged = {f"ema/{name}": array for name, array in run.average.kept.arrays.items()}
    np.savez(folder / f"{ranks.rank}.npz", losses=losses, tested=tested, **run.model.state_dict(), **averaged)


def one_batch(ranks, folder):
    """Gradients and running statistics of one batch of five images, with batch norm over each rank's part."""
    rng = np.random.default_rng(0)
    network = models.create("resnet8", num_classes=3, rng=0).double()
    with parallel.Distributed(network, ranks) as distributed:
        found = distributed.gradients(rng.normal(size=(5, 3, 8, 8)), np.array([0, 1, 2, 1, 0]))
        gradients = {f"grad/{name}": p.grad.copy() for name, p in network.named_parameters()}
    np.savez(folder / f"{ranks.rank}.npz", found=found, **gradients, **network.state_dict())


def failing(how, rank, flags):
    """`python -m minires.train FLAGS`, in which one rank fails after three steps."""
    step = train.Run._step

    def until_step_three(run, *arguments):
        if run.step == 3 and run.ranks.rank == rank:
            Path("failed_at").write_text(str(time.time()))
            if how == "raise":
                raise RuntimeError("a bug in one rank")
            os.kill(os.getpid(), {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}[how])
        step(run, *arguments)
        if run.step == 2:
            run.save()

    train.Run._step = until_step_three
    sys.argv[1:] = flags
    console.entry(command.main)


if __name__ == "__main__":
    task, *arguments = sys.argv[1:]
    if task in ("raise", "kill", "stop"):
        failing(task, int(arguments[0]), arguments[1:])
    else:
        connected = parallel.connect()
        with connected.together():
            if task == "one_batch":
                one_batch(connected, Path(arguments[0]))
            else:
                exact(connected, Path(arguments[0]), task == "sync_norm", *map(int, arguments[1:]))
