"""The state in the checkpoint of a run, and the checks of all of it before any of it is used."""

import numpy as np

from minires.arrays import array_module
from minires.errors import CheckpointError, OptionError
from minires.storage.schema import DictOf, Fields, Float, Integer, ListOf, Number, OneOf, Text, shown
from minires.train.average import SECTION
from minires.train.config import Config

CONFIG = Fields(
    optional=Config.ADDED_LATER, **{name: f.metadata["allowed"] for name, f in Config.__dataclass_fields__.items()}
)
TOTALS = Fields(seen=Integer(0), seconds=Number(0), loss=Number(0), correct=Integer(0))
ROW = Fields(
    optional=("ema_loss", "ema_accuracy"),  # with --ema
    epoch=Integer(1),
    step=Integer(1),
    lr=Number(0),
    train_loss=Number(0),
    train_accuracy=Number(0, 1),
    test_loss=Float(),
    test_accuracy=Number(0, 1),
    ema_loss=Float(),
    ema_accuracy=Number(0, 1),
    images_per_second=Number(0),
    seconds=Number(0),
)
GENERATOR = Fields(
    bit_generator=OneOf("PCG64"),
    has_uint32=Integer(0, 1),
    uinteger=Integer(0, 2**32 - 1),
    state=Fields(state=Integer(0, 2**128 - 1), inc=Integer(0, 2**128 - 1)),
)
DATASET = Fields(
    optional=("resize",),
    name=Text(),
    classes=ListOf(Text()),
    shape=ListOf(Integer(1), 3),
    mean=ListOf(Number()),
    std=ListOf(Number()),
    resize=Integer(1),
)
CONTENTS = Fields(counts=ListOf(Integer(0)), digest=Text(r"[0-9a-f]{16}|", "16 hex digits"))
STATE = Fields(
    optional=("dataset", "images"),  # the first versions did not write them
    config=CONFIG,
    epoch=Integer(0),
    batch=Integer(0),
    totals=TOTALS,
    history=ListOf(ROW),
    rng=DictOf(GENERATOR),
    dataset=DATASET,
    images=Fields(train=CONTENTS, test=CONTENTS),
)


def sections_of(config):
    """The sections of a run's checkpoint."""
    return {"model", "optimizer"} | ({SECTION} if config.ema else set())


def state_of(run, totals):
    """The state of a run as its checkpoint holds it; totals: those of the current epoch, as numbers."""
    return {
        "config": run.config.as_dict(),
        "epoch": run.epoch,
        "batch": run.batch,
        "totals": totals,
        "history": run.history,
        "rng": {name: module.rng.bit_generator.state for name, module in _drawing(run.model).items()},
        "dataset": describe(run.train_set),
        "images": run.contents,
    }


def _drawing(model):
    """{name: module} of the modules that draw random numbers."""
    # hasattr(module, "rng") would compose an error's text for each module without one
    return {
        name: module for name, module in model.named_modules() if "rng" in vars(module) or hasattr(type(module), "rng")
    }


def check_state(path, sections, state):
    """The Config in the state. Raises CheckpointError that names a wrong value."""
    fault = STATE.fault("", state).strip()
    if fault:
        raise checkpoint_error(path, fault)
    try:
        config = Config(**state["config"])
    except OptionError as error:
        raise checkpoint_error(path, f"config: {error}") from error
    expected = sections_of(config)
    if set(sections) != expected:
        fault = f"its sections must be {', '.join(sorted(expected))}, got {', '.join(sorted(sections)) or 'none'}"
        raise checkpoint_error(path, fault)
    fault = ""
    epoch, history = state["epoch"], state["history"]
    if epoch > config.epochs:
        fault = Integer(0, config.epochs).fault("epoch", epoch)
    elif len(history) != epoch:
        fault = f"history must have a row for each of the {epoch} epochs, got {len(history)}"
    for number, row in enumerate(history, 1):
        fault = fault or OneOf(number).fault(f"history[{number - 1}].epoch", row["epoch"])
    if fault:
        raise checkpoint_error(path, fault)
    return config


def check_data(path, state, run, where):
    """Raise CheckpointError that says what has changed in the images of the run, which are in the data set `where`."""
    fault = ""
    if "dataset" in state:
        changes = (
            f"dataset.{key} was {shown(old)} and is {shown(new)} in {where}"
            for key, new in describe(run.train_set).items()
            if key != "name" and (old := state["dataset"].get(key)) != new
        )
        fault = next(changes, "")
    for part, use in (("train", "for training"), ("test", "for the test")) if "images" in state else ():
        old = state["images"][part]
        new = run.contents[part]
        fault = fault or ListOf(Integer(0), len(new["counts"])).fault(f"images.{part}.counts", old["counts"])
        fault = fault or _changed_images(run.train_set.classes, old, new, use, where)
    if fault:
        raise checkpoint_error(path, f"{fault}: bring back the images from before, or start a new run")


def _changed_images(classes, old, new, use, where):
    """A sentence that says what has changed between two contents(); "" if nothing."""
    changed = [i for i, count in enumerate(new["counts"]) if count != old["counts"][i]]
    if changed:
        i = changed[0]
        more = f" ({len(changed)} of {len(classes)} classes have changed)" if len(changed) > 1 else ""
        had = shown(old["counts"][i])
        return f"class {classes[i]!r} had {had} images {use} and has {new['counts'][i]} in {where}{more}"
    if old["digest"] not in ("", new["digest"]):
        return f"the {sum(new['counts'])} images {use} in {where} are as many as before, but not the same ones"
    return ""


def check_place(path, state, run):
    """Raise CheckpointError if the run cannot reach this place."""
    steps = len(run.loader)
    size = len(run.loader.dataset)
    totals = state["totals"]
    seen = min(state["batch"] * run.config.batch_size, size)
    faults = [
        Integer(0, steps).fault("batch", state["batch"]),
        OneOf(seen).fault("totals.seen", totals["seen"]),
        Integer(0, seen).fault("totals.correct", totals["correct"]),
    ]
    if state["epoch"] == run.config.epochs:
        faults.append(OneOf(0).fault("batch", state["batch"]))
    faults += [
        OneOf((i + 1) * steps).fault(f"history[{i}].step", row["step"]) for i, row in enumerate(state["history"])
    ]
    drawing = set(_drawing(run.model))
    if set(state["rng"]) != drawing:
        faults.append(f"rng must hold the generators of {sorted(drawing)}, got {sorted(state['rng'])}")
    # the first versions did not write which images there were; then this is the first that one learns of a change
    remedy = "" if "images" in state else "; if the images have changed, bring back those from before"
    for fault in filter(None, faults):
        raise checkpoint_error(path, fault + remedy)


def check_arrays(path, sections, run):
    """Raise CheckpointError if an array has a wrong dtype or an impossible value."""
    own = run.model.state_dict()
    weights = ((section, *item) for section in ("model", SECTION) for item in sections.get(section, {}).items())
    for section, name, array in weights:
        if name in own and array.dtype != own[name].dtype:
            raise checkpoint_error(path, f"{section}/{name} is of {array.dtype}, the network's of {own[name].dtype}")
        if name.endswith(("running_var", "num_batches_tracked")) and (array < 0).any():
            raise checkpoint_error(path, f"{section}/{name} holds values below 0")
    fresh = run.optimizer.state_dict()
    floats = {array.dtype for array in own.values() if array.dtype.kind == "f"}
    for name, array in sections["optimizer"].items():
        if name in fresh and array.dtype != fresh[name].dtype:
            raise checkpoint_error(
                path, f"optimizer/{name} is of {array.dtype}, the optimizer's of {fresh[name].dtype}"
            )
        if name not in fresh and array.dtype not in floats:  # a momentum buffer
            raise checkpoint_error(path, f"optimizer/{name} is of {array.dtype}, which no parameter is")
        if name.startswith("exp_avg_sq.") and (array < 0).any():  # a mean of squares
            raise checkpoint_error(path, f"optimizer/{name} holds values below 0")
        is_setting = name.startswith("group.") and not name.endswith(".lr")
        if is_setting and name in fresh and array.tobytes() != fresh[name].tobytes():
            raise checkpoint_error(path, f"optimizer/{name} is {array}, the run's configuration makes it {fresh[name]}")
    fault = not_finite(sections)
    if fault:
        raise checkpoint_error(path, f"{fault}: the run had diverged; start a new one with a smaller --lr")


def check_steps(path, run):
    """Raise CheckpointError unless the optimizer has done as many steps as the run."""
    counted = {int(t) for t in run.optimizer.steps}
    if max(counted) != run.step:  # a parameter that was frozen has fewer
        raise checkpoint_error(
            path, f"optimizer/steps must be {run.step}, as many as the run has done, got {sorted(counted)}"
        )


def restore(run, path, sections, state):
    """Give the run the state of its checkpoint. Raises CheckpointError that names what does not fit."""
    check_place(path, state, run)
    check_arrays(path, sections, run)
    run.epoch = state["epoch"]
    run.batch = state["batch"]
    run.totals = type(run.totals)(**state["totals"])
    run.history = state["history"]
    try:
        run.model.load_state_dict(sections["model"])
        run.optimizer.load_state_dict(sections["optimizer"])
        run.average.restore(sections, run.step)
    except CheckpointError as error:
        raise checkpoint_error(path, error) from error
    check_steps(path, run)
    run.saved_step = run.step
    for name, generator in state["rng"].items():
        run.model.get_submodule(name).rng.bit_generator.state = generator


def not_finite(sections):
    """A sentence that names an array with NaN or infinity in it; "" if there is none."""
    for section, arrays in sections.items():
        for name, array in arrays.items():
            if array.dtype.kind == "f" and not array_module(array).isfinite(array).all():
                return f"{section}/{name} holds NaN or infinite numbers"
    return ""


def describe(dataset):
    """What one must know of a data set to use a network that was trained on it, as plain Python values."""

    def floats(values):
        return [float(value) for value in np.asarray(values).reshape(-1)]

    return {
        "name": str(dataset.name),
        "classes": [str(name) for name in dataset.classes],
        "shape": [int(n) for n in dataset.shape],
        "mean": floats(dataset.mean),
        "std": floats(dataset.std),
        **({} if dataset.resize is None else {"resize": int(dataset.resize)}),
    }


def contents(dataset):
    """What tells the images of a data set from others: how many each class has, and a digest ("" for any)."""
    return {"counts": list(dataset.counts), "digest": dataset.digest()}


def checkpoint_error(path, fault):
    """The error for a checkpoint that no run can resume from."""
    return CheckpointError(f"{path} is no checkpoint that a run can resume from: {fault}")
