"""The checkpoints that a run keeps: the newest, and some from before it, which count when the newest cannot be read.

The newest is checkpoint.safetensors, and one from step 300 is checkpoint-300.safetensors. Before the newest is
replaced, it gets its second name. So at every moment there are as many sound checkpoints as there were.
"""

import contextlib
import errno
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minires import console
from minires.errors import CheckpointError
from minires.storage import atomic_write, load_checkpoint
from minires.storage.atomic import keep_as
from minires.train.folder import CHECKPOINT, checkpoints, step_of

CURVES = 500_000  # bytes of the picture
MOMENTS = {"sgd": 1, "adamw": 2}  # arrays of an optimizer for each parameter


@dataclass
class Found:
    """The newest checkpoint that could be read, and those after it that could not, each with the reason."""

    path: Path
    sections: dict[str, dict[str, Any]]
    state: dict[str, Any]
    unread: list[tuple[Path, str]]

    def settle(self, step, on_notice):
        """Move away what could not be read, make this checkpoint the newest, and say so in a sentence.

        Nothing is deleted: a file that cannot be read is renamed to NAME.unreadable.
        """
        newest = self.path.parent / CHECKPOINT
        for path, reason in self.unread:
            aside = _set_aside(path)
            moved = f" (it is {aside.name} now)" if aside else ""
            on_notice(f"{reason}{moved}; going on from step {step} with {self.path}")
        if self.path != newest:
            try:
                atomic_write(newest, self.path.read_bytes())  # a copy: what damages one file leaves the other
            except OSError:  # it has no room
                keep_as(self.path, newest)


def newest_sound(folder):
    """The newest checkpoint of a folder that can be read.

    Raises CheckpointError if there is none; it says what is wrong with the newest.
    """
    newest = Path(folder) / CHECKPOINT
    there = checkpoints(folder)
    unread = [] if newest in there else [(newest, f"{newest} is missing")]
    first = None
    for path in there:
        try:
            return Found(path, *load_checkpoint(path), unread)
        except CheckpointError as error:
            first = first or error
            unread.append((path, str(error).partition("; ")[0]))
    raise first or CheckpointError(f"there is no run to resume in {folder} (no {CHECKPOINT})")


def _set_aside(path):
    """Rename a file or folder to the first free NAME.unreadable[-N] -> its new path; None if it is not there."""
    number = 1
    while True:
        aside = path.with_name(f"{path.name}.unreadable" + (f"-{number}" if number > 1 else ""))
        if not aside.exists():
            break
        number += 1
    try:
        return path.rename(aside)
    except FileNotFoundError:
        return None


def keep_before(folder, step, on_notice):
    """Give the newest checkpoint, which is from this step, the name that it has when another is the newest.

    If that fails, on_notice(text) is called, because the next checkpoint is to be written all the same.
    """
    try:
        keep_as(folder / CHECKPOINT, folder / f"checkpoint-{step}.safetensors")
    except OSError as error:
        on_notice(f"the checkpoint before is not kept: {console.reason(error)}")


def remove_older(folder, keep, step):
    """Delete checkpoints so that `keep` are left, the newest, from this step, among them. Those in the way may stay."""
    older = [path for path in checkpoints(folder) if path.name != CHECKPOINT]
    surplus = [path for path in older if step_of(path) >= step]
    surplus += [path for path in older if step_of(path) < step][keep - 1 :]
    for path in surplus:
        with contextlib.suppress(OSError):
            path.unlink()


def save(run, arrays, state, save_checkpoint):
    """Replace the newest checkpoint of a run by this one, and keep as many from before as its config says."""
    if run.config.keep > 1 and run.saved_step not in (None, run.step):
        keep_before(run.folder, run.saved_step, run.notice)
    save_checkpoint(run.checkpoint_path, arrays, state)
    remove_older(run.folder, run.config.keep, run.step)


def check_room(run):
    """Raise OSError if the disk is too full for all checkpoints that are kept, and for the next one beside them."""
    weights = sum(array.nbytes for array in run.model.state_dict().values())
    size = weights * (1 + MOMENTS[run.config.optimizer] + bool(run.config.ema))
    steps = run.config.epochs * len(run.loader)
    needed = size * (min(run.config.keep, steps + 1) + 1) + CURVES
    free = shutil.disk_usage(run.folder).free
    if free < needed:
        raise OSError(
            errno.ENOSPC, f"{free / 1e6:.1f} MB are free, and checkpoints need {needed / 1e6:.1f} MB", str(run.folder)
        )
