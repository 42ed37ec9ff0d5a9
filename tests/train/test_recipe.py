"""Optimizer, smoothing, mixup, averages, parts and clipping in a run: against PyTorch, and resumed to the same bits."""

import numpy as np
import pytest

from minires import models, nn, ops
from minires.errors import CheckpointError, OptionError
from minires.parallel import unsupported_reason
from minires.storage import load_checkpoint, save_checkpoint
from minires.train import Config, Run
from minires.train.average import Average
from minires.train.freezing import train_mode

SMALL = {"model": "resnet8", "epochs": 2, "limit": 48, "batch_size": 16, "processes": 1}
ALL = {
    "optimizer": "adamw",
    "lr": 0.01,
    "head_lr": 0.02,
    "label_smoothing": 0.1,
    "mixup": 0.4,
    "ema": 0.9,
    "accumulate": 3,
    "clip_grad_norm": 0.5,
    "freeze": "conv1,bn1",
}


def small(name, *, rng, num_classes, in_channels):
    """A network whose layers PyTorch has under the same names."""
    return nn.Sequential(
        nn.Conv2d(in_channels, 6, 3, bias=False, rng=rng),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Conv2d(6, 5, 3, rng=rng + 1),
        nn.GroupNorm(5, 5),
        nn.Flatten(),
        nn.Linear(80, num_classes, rng=rng + 2),
    )


def small_of_torch(torch):
    t = torch.nn
    layers = t.Conv2d(1, 6, 3, bias=False), t.BatchNorm2d(6), t.ReLU(), t.Conv2d(6, 5, 3), t.GroupNorm(5, 5)
    return t.Sequential(*layers, t.Flatten(), t.Linear(80, 10)).double()


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("decay_norms", [False, True])
def test_steps_with_everything_are_those_of_torch_in_float64(monkeypatch, optimizer, decay_norms):
    torch = pytest.importorskip("torch")
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    monkeypatch.setattr(models, "create", small)
    settings = {**ALL, "freeze": "0,1", "optimizer": optimizer, "decay_norms": decay_norms, "weight_decay": 0.1}
    run = Run(Config(**{**SMALL, **settings}, schedule="constant"))
    run.model.double()
    rng = np.random.default_rng(3)
    run.model[1].running_mean[...] = rng.standard_normal(6)
    run.model[1].running_var[...] = rng.random(6) + 0.5
    run.average = Average(run.model, 0.9)
    train_mode(run.model, "0,1")

    theirs = small_of_torch(torch)
    theirs.load_state_dict({name: torch.tensor(array) for name, array in run.model.state_dict().items()})
    theirs[1].eval()
    for p in (*theirs[0].parameters(), *theirs[1].parameters()):
        p.requires_grad = False
    conv, norm, head = theirs[3], theirs[4], theirs[6]
    decay = 0.1 if decay_norms else 0.0
    groups = [
        {"params": [conv.weight], "weight_decay": 0.1},
        {"params": [conv.bias, norm.weight, norm.bias], "weight_decay": decay},
        {"params": [head.weight], "weight_decay": 0.1, "lr": 0.02},
        {"params": [head.bias], "weight_decay": decay, "lr": 0.02},
    ]
    kinds = {
        "adamw": lambda: torch.optim.AdamW(groups, 0.01),
        "sgd": lambda: torch.optim.SGD(groups, 0.01, momentum=0.9),
    }
    other = kinds[optimizer]()
    averaged = AveragedModel(theirs, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    for batch in range(4):
        N = 16 - batch  # parts of different sizes
        images = rng.standard_normal((N, 1, 8, 8))
        labels = rng.integers(0, 10, N)
        stream = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(0, batch, 1)))
        share = stream.beta(0.4, 0.4)
        run.batch = batch
        run._step(images, labels)

        x = torch.tensor(images)
        hot = torch.nn.functional.one_hot(torch.tensor(labels), 10).double()
        logits = theirs(share * x + (1 - share) * x.roll(1, 0))
        loss = torch.nn.functional.cross_entropy(
            logits, share * hot + (1 - share) * hot.roll(1, 0), label_smoothing=0.1
        )
        other.zero_grad()
        loss.backward()
        norm_before = torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
        assert norm_before > 0.5  # it was clipped
        other.step()
        averaged.update_parameters(theirs)
    for name, expected in theirs.state_dict().items():
        np.testing.assert_allclose(run.model.state_dict()[name], expected.numpy(), rtol=1e-9, atol=1e-9, err_msg=name)
    for name, expected in averaged.module.state_dict().items():
        np.testing.assert_allclose(run.average.kept.arrays[name], expected.numpy(), rtol=1e-9, atol=1e-9, err_msg=name)


def state(run):
    """Everything that a run has learned, as bytes."""
    arrays = {**run.model.state_dict(), **{f"optimizer {k}": v for k, v in run.optimizer.state_dict().items()}}
    arrays |= {f"ema {k}": v for k, v in (run.average.kept.arrays if run.average.kept else {}).items()}
    return {name: array.tobytes() for name, array in arrays.items()}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """What a run learns with none of these settings."""
    run = Run.start(Config(**SMALL, out=str(tmp_path_factory.mktemp("plain") / "run")))
    run.fit()
    return state(run)


@pytest.mark.parametrize("settings", [ALL, *({name: ALL[name]} for name in ALL if name != "freeze")], ids=str)
def test_a_run_resumes_to_the_same_bits_and_each_setting_counts(tmp_path, monkeypatch, plain, settings):
    monkeypatch.setattr("os.fsync", lambda handle: None)
    settings = {**SMALL, **settings}
    whole = Run.start(Config(**settings, out=str(tmp_path / "whole")))
    assert whole.fit()
    stopped = Run.start(Config(**settings, out=str(tmp_path / "stopped")))
    assert not stopped.fit(stop=lambda: stopped.step >= 2)
    resumed = Run.resume(tmp_path / "stopped")
    assert resumed.step == 2
    assert resumed.fit()
    assert state(resumed) == state(whole)
    timing = ("images_per_second", "seconds")
    rows = [[{k: v for k, v in row.items() if k not in timing} for row in run.history] for run in (resumed, whole)]
    assert rows[0] == rows[1]
    assert state(whole) != plain


@pytest.mark.skipif(unsupported_reason(models.resnet8()) != "", reason="one process only")
def test_two_processes_make_the_steps_of_one_and_resume_to_the_same_bits(tmp_path):
    """Probabilities as targets, parts and clipping go through the processes, too; the sums are rounded differently."""
    settings = {**SMALL, **ALL, "epochs": 1, "optimizer": "sgd"}
    alone = Run.start(Config(**settings, out=str(tmp_path / "alone")))
    alone.fit()
    settings["processes"] = 2
    whole = Run.start(Config(**settings, out=str(tmp_path / "whole")))
    whole.fit()
    for a, b in zip(alone.history, whole.history, strict=True):
        assert a["train_loss"] == pytest.approx(b["train_loss"], rel=1e-4)
        assert a["train_accuracy"] == b["train_accuracy"]
    stopped = Run.start(Config(**settings, out=str(tmp_path / "stopped")))
    stopped.fit(stop=lambda: stopped.step >= 2)
    resumed = Run.resume(tmp_path / "stopped")
    resumed.fit()
    assert state(resumed) == state(whole)


def test_the_average_is_tested_logged_saved_and_drawn(tmp_path):
    run = Run.start(Config(**SMALL, ema=0.5, out=str(tmp_path / "run")))
    run.fit()
    run.draw()
    network = models.resnet8(in_channels=1, rng=9)
    network.load(run.checkpoint_path)  # the average, which is what one wants of such a run
    assert not np.array_equal(network.conv1.weight.data, run.model.conv1.weight.data)
    images = np.concatenate([images for images, _ in run.test_loader.epoch(0)])
    labels = np.concatenate([labels for _, labels in run.test_loader.epoch(0)])
    logits = network.eval()(images)
    row = run.history[-1]
    assert row["ema_loss"] == pytest.approx(ops.cross_entropy(logits, labels).item(), rel=1e-5)
    assert row["ema_accuracy"] == pytest.approx((logits.data.argmax(axis=1) == labels).mean())
    assert "ema_accuracy" in run.log_path.read_text().splitlines()[0]


def test_a_checkpoint_without_its_average_or_with_an_impossible_one_is_refused(tmp_path):
    run = Run.start(Config(**SMALL, ema=0.5, optimizer="adamw", out=str(tmp_path / "run")))
    run.fit(stop=lambda: run.step >= 1)
    sections, state = load_checkpoint(run.checkpoint_path)

    def refused(message, **changed):
        save_checkpoint(run.checkpoint_path, {**sections, **changed}, state)
        with pytest.raises(CheckpointError, match=message):
            Run.resume(run.folder)

    average, optimizer = sections["ema"], sections["optimizer"]
    refused("ema/bn1.running_var holds values below 0", ema={**average, "bn1.running_var": -np.ones(16, np.float32)})
    refused("ema: .*missing: conv1.weight", ema={k: v for k, v in average.items() if k != "conv1.weight"})
    refused("ema/linear.bias holds NaN", ema={**average, "linear.bias": np.full(10, np.nan, np.float32)})
    name = next(name for name in optimizer if name.startswith("exp_avg_sq."))
    refused(f"optimizer/{name} holds values below 0", optimizer={**optimizer, name: -1 - optimizer[name]})
    save_checkpoint(run.checkpoint_path, {k: v for k, v in sections.items() if k != "ema"}, state)
    with pytest.raises(CheckpointError, match="its sections must be ema, model, optimizer, got model, optimizer"):
        Run.resume(run.folder)


def test_the_defaults_are_those_that_people_use():
    usual = {
        name: (c.lr, c.head_lr, c.weight_decay, c.decay_norms)
        for name, c in {
            "sgd": Config(),
            "adamw": Config(optimizer="adamw"),
            "sgd, tuned": Config(weights="w.pth"),
            "adamw, tuned": Config(weights="w.pth", optimizer="adamw"),
        }.items()
    }
    assert usual == {
        "sgd": (0.1, 0.1, 5e-4, True),
        "adamw": (1e-3, 1e-3, 1e-2, False),
        "sgd, tuned": (0.01, 0.01, 5e-4, True),
        "adamw, tuned": (1e-4, 1e-4, 1e-2, False),
    }
    assert Config(optimizer="adamw", lr=0.1).lr == 0.1
    assert (Config().model, Config(weights="w.pth").model) == ("resnet20", None)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ema": 1}, "ema must be below 1"),
        ({"ema": -0.1}, "ema must be at least 0"),
        ({"label_smoothing": 1.1}, "label_smoothing must be at most 1"),
        ({"mixup": -1}, "mixup must be at least 0"),
        ({"accumulate": 0}, "accumulate must be at least 1"),
        ({"accumulate": 9}, "accumulate must be at most half the batch_size, 16, because each part has two images"),
        ({"clip_grad_norm": float("nan")}, "clip_grad_norm must be a finite number"),
        ({"optimizer": "adam"}, "optimizer must be one of sgd, adamw, got 'adam'"),
        ({"lr": -1}, "lr must be at least 0, got -1; leave it out to have what is usual"),
        ({"head_lr": 0.1, "lr": 0}, "lr must be above 0 where a group has its own"),
    ],
    ids=str,
)
def test_what_a_setting_cannot_be_is_said(settings, message):
    with pytest.raises(OptionError, match=message):
        Run(Config(**{**SMALL, **settings}))
