"""What the checkpoint of a run may hold: everything is checked before any of it is used."""

import numpy as np

from minires.arrays import array_module
from minires.errors import CheckpointError, OptionError
from minires.storage.schema import Fields, Float, Many, Named, Number, OneOf, Text, Whole, shown
from minires.train.config import Config

CONFIG = Fields(
    optional=Config.NEWER, **{name: f.metadata["allowed"] for name, f in Config.__dataclass_fields__.items()}
)
TOTALS = Fields(seen=Whole(0), seconds=Number(0), loss=Number(0), correct=Whole(0))
ROW = Fields(
    epoch=Whole(1),
    step=Whole(1),
    lr=Number(0),
    train_loss=Number(0),
    train_accuracy=Number(0, 1),
    test_loss=Float(),
    test_accuracy=Number(0, 1),
    images_per_second=Number(0),
    seconds=Number(0),
)
GENERATOR = Fields(
    bit_generator=OneOf("PCG64"),
    has_uint32=Whole(0, 1),
    uinteger=Whole(0, 2**32 - 1),
    state=Fields(state=Whole(0, 2**128 - 1), inc=Whole(0, 2**128 - 1)),
)
DATASET = Fields(name=Text(), classes=Many(Text()), shape=Many(Whole(1), 3), mean=Many(Number()), std=Many(Number()))
STATE = Fields(
    optional=("dataset",),
    config=CONFIG,
    epoch=Whole(0),
    batch=Whole(0),
    totals=TOTALS,
    history=Many(ROW),
    rng=Named(GENERATOR),
    dataset=DATASET,
)
SECTIONS = {"model", "optimizer"}


def check_state(path, sections, state):
    """The Config in the state. Raises CheckpointError for what does not fit by itself, naming it."""
    fault = STATE.fault("", state).strip()
    if not fault and set(sections) != SECTIONS:
        fault = f"its sections must be {', '.join(sorted(SECTIONS))}, got {', '.join(sorted(sections)) or 'none'}"
    if fault:
        raise refused(path, fault)
    try:
        config = Config(**state["config"])
    except OptionError as error:
        raise refused(path, f"config: {error}") from error
    epoch, history = state["epoch"], state["history"]
    if epoch > config.epochs:
        fault = Whole(0, config.epochs).fault("epoch", epoch)
    elif len(history) != epoch:
        fault = f"history must have a row for each of the {epoch} epochs, got {len(history)}"
    for number, row in enumerate(history, 1):
        fault = fault or OneOf(number).fault(f"history[{number - 1}].epoch", row["epoch"])
    if fault:
        raise refused(path, fault)
    return config


def check_place(path, state, run):
    """That the place in the run is one that it can reach. Raises CheckpointError."""
    steps = len(run.loader)
    size = len(run.loader.dataset)
    totals = state["totals"]
    seen = min(state["batch"] * run.config.batch_size, size)
    faults = [
        Whole(0, steps).fault("batch", state["batch"]),
        OneOf(seen).fault("totals.seen", totals["seen"]),
        Whole(0, seen).fault("totals.correct", totals["correct"]),
    ]
    if state["epoch"] == run.config.epochs:
        faults.append(OneOf(0).fault("batch", state["batch"]))
    faults += [
        OneOf((i + 1) * steps).fault(f"history[{i}].step", row["step"]) for i, row in enumerate(state["history"])
    ]
    drawing = {name for name, module in run.model.named_modules() if hasattr(module, "rng")}
    if set(state["rng"]) != drawing:
        faults.append(f"rng must hold the generators of {sorted(drawing)}, got {sorted(state['rng'])}")
    if "dataset" in state:
        faults += [
            f"dataset.{key} was {shown(old)} and is {shown(new)} in {run.config.dataset}: bring back the images "
            "of before, or start a new run"
            for key, new in describe(run.train_set).items()
            if key != "name" and (old := state["dataset"][key]) != new
        ]
    for fault in filter(None, faults):
        raise refused(path, fault)


def check_arrays(path, sections, run):
    """That the arrays are numbers of the types that the network and its optimiser have. Raises CheckpointError."""
    own = run.model.state_dict()
    for name, array in sections["model"].items():
        if name in own and array.dtype != own[name].dtype:
            raise refused(path, f"model/{name} is of {array.dtype}, the network's of {own[name].dtype}")
        if name.endswith(("running_var", "num_batches_tracked")) and (array < 0).any():
            raise refused(path, f"model/{name} holds numbers below 0")
    fresh = run.optimizer.state_dict()
    floats = {array.dtype for array in own.values() if array.dtype.kind == "f"}
    for name, array in sections["optimizer"].items():
        if name in fresh and array.dtype != fresh[name].dtype:
            raise refused(path, f"optimizer/{name} is of {array.dtype}, the optimizer's of {fresh[name].dtype}")
        if name not in fresh and array.dtype not in floats:  # what it keeps for a parameter
            raise refused(path, f"optimizer/{name} is of {array.dtype}, which no parameter is")
        if (
            name.startswith("group.")
            and not name.endswith(".lr")
            and name in fresh
            and array.tobytes() != fresh[name].tobytes()
        ):
            raise refused(path, f"optimizer/{name} is {array}, the run's configuration makes it {fresh[name]}")
    fault = not_finite(sections)
    if fault:
        raise refused(path, f"{fault}: the run had diverged; start a new one with a smaller --lr")


def check_steps(path, run):
    """That the optimiser has done as many steps as the run. Raises CheckpointError."""
    counted = {int(t) for t in run.optimizer.steps}
    if max(counted) != run.step:  # fewer where a parameter was frozen; below 0 the optimiser has refused
        raise refused(path, f"optimizer/steps must be {run.step}, as many as the run has done, got {sorted(counted)}")


def not_finite(sections):
    """Which array holds NaN or infinity, as a sentence; "" if none does."""
    for section, arrays in sections.items():
        for name, array in arrays.items():
            if array.dtype.kind == "f" and not array_module(array).isfinite(array).all():
                return f"{section}/{name} holds NaN or infinite numbers"
    return ""


def describe(dataset):
    """What must be known of a data set to use a network that was trained on it, as plain values."""

    def floats(values):
        return [float(value) for value in np.asarray(values).reshape(-1)]

    return {
        "name": str(dataset.name),
        "classes": [str(name) for name in dataset.classes],
        "shape": [int(n) for n in dataset.shape],
        "mean": floats(dataset.mean),
        "std": floats(dataset.std),
    }


def refused(path, fault):
    """The one error of all that is wrong with a checkpoint."""
    return CheckpointError(f"{path} is no checkpoint that a run can go on from: {fault}")
