"""Stochastic depth: train short networks, use deep ones."""

import copy
from dataclasses import dataclass

import numpy as np

from minires import models
from minires.lab.experiment import Experiment, Table, Trial
from minires.lab.statistics import Comparison
from minires.lab.training import CIFAR10, Training, final, not_learned, spread, train
from minires.mode import no_grad
from minires.models.blocks import Block
from minires.plots import Bars, Line, Panel
from minires.storage.schema import Integer, Text, setting
from minires.tensor import Tensor

PASSES = 50  # over which computed blocks are counted
PAPER = {"constant": 6.41, "stochastic": 5.25}  # test errors in %, ResNet-110 on CIFAR-10


@dataclass(frozen=True)
class Settings(Training):
    depth: int = setting(20, Integer(8), "layers of the network, 6n + 2")
    constant: str = setting("", Text(), "options of the network that is always whole", metavar="OPTIONS")
    stochastic: str = setting(
        "stochastic_depth=0.5", Text(), "options of the network that leaves blocks out", metavar="OPTIONS"
    )


class StochasticDepth(Experiment):
    name = "stochastic-depth"
    claim = (
        "Leaving blocks out at random in training, the last one half of the time, lowers the test error, though fewer "
        "blocks are computed."
    )
    source = "Huang et al. 2016, arXiv:1603.09382, §3 (eq. 2, 4 and 5), Fig. 3 and Table 1"
    method = (
        "A ResNet is trained with and without stochastic depth, with the same settings and first weights. Block l of "
        "L is computed with probability p_l = 1 − l/L·(1 − p_L), p_L = 0.5; otherwise the whole batch passes by its "
        "shortcut. What is saved is counted in blocks and not in time, which depends on the machine. They are counted "
        f"over {PASSES} passes in training mode. The paper multiplies a branch by p_l in evaluation; here it is "
        "divided by p_l in training, as in torchvision, which has the same mean. With 54 blocks 25.5 % are saved on "
        "average, and the paper reports a quarter of the time. A block that is left out gets no gradient, and so no "
        "momentum or weight decay in that step. That blocks are saved is a check of the code: it is so by "
        "construction. Where a network errs more than half as often as a guess, their errors decide nothing."
    )
    refuted_by = "the whole network has the lower test error, or more blocks are computed"
    sizes = {
        "tiny": Settings(epochs=3),
        "small": Settings(depth=32, epochs=16),
        "full": Settings(**{**CIFAR10, "epochs": 500}, depth=110),
    }

    def trials(self, s):
        return [Trial(arm, seed, cost=s.depth) for seed in range(s.seeds) for arm in ("constant", "stochastic")]

    def measure(self, trial, s, place):
        options = getattr(s, trial.arm)
        run, curves = train(place, s, trial.seed, f"resnet{s.depth}", options)
        model = run.model if run else models.create(f"resnet{s.depth}", rng=trial.seed, **models.read_options(options))
        return {**curves, "computed": computed_blocks(model, PASSES)}

    def compare(self, s, results):
        error = {arm: final(results, arm, "test_error") for arm in ("constant", "stochastic")}
        computed = {arm: 100 * results.of(arm, "computed").mean(axis=1) for arm in ("constant", "stochastic")}
        reasons = [not_learned(f"the {arm} network", error[arm], results.of(arm, "guess")) for arm in error]
        return [
            Comparison(
                "test error of the whole network above",
                tuple(error["constant"] - error["stochastic"]),
                "points",
                reason=next(filter(None, reasons), ""),
            ),
            Comparison(
                "check: blocks saved in training",
                tuple(computed["constant"] - computed["stochastic"]),
                "% of all blocks",
            ),
        ]

    def table(self, s, results):
        rows = []
        for arm in ("constant", "stochastic"):
            errors = [spread(final(results, arm, key)) for key in ("train_error", "test_error")]
            computed = results.of(arm, "computed")
            depth = f"{computed.sum(axis=1).mean():.2f} of {computed.shape[1]}"
            rows.append((arm, *errors, depth, f"{PAPER[arm]:.2f}"))
        columns = ("depth", "training error (%)", "test error (%)", "blocks computed", "the paper's test error (%)")
        return Table(
            columns,
            rows,
            "Errors are the mean over the seeds ± the standard deviation. The training error is measured while blocks "
            "are left out. The paper's are of ResNet-110 on CIFAR-10; 40.25 of its 54 blocks are computed on average.",
        )

    def panels(self, s, results):
        epochs = range(1, s.epochs + 1)
        kinds = {"constant": "residual", "stochastic": "other"}
        errors = [
            Line(f"{arm} depth", epochs, results.of(arm, "test_error"), kind, variant)
            for variant, (arm, kind) in enumerate(kinds.items())
        ]
        computed = results.of("stochastic", "computed")
        blocks = np.arange(1, computed.shape[1] + 1)
        shares = [
            Line("stochastic depth", blocks, 100 * computed, "other", 1),
            Line("$p_l$ of the paper", blocks, 100 * (1 - blocks / len(blocks) / 2), "paper", 3, bare=True),
        ]
        return [
            Panel("epoch", "test error (%)", errors, whole=True),
            Panel("block l", "computed passes (%)", shares, whole=True),
            Bars(
                "final test error (%)",
                [f"{arm} depth" for arm in kinds],
                [final(results, arm, "test_error") for arm in kinds],
                list(kinds.values()),
                [PAPER[arm] for arm in kinds],
                "the paper's, of ResNet-110 on CIFAR-10",
            ),
        ]


def computed_blocks(model, passes):
    """For each block, first block first, in which part of so many passes in training mode its branch is computed."""
    model = copy.deepcopy(model).train()
    blocks = [module for module in model.modules() if isinstance(module, Block)]
    counts = np.zeros(len(blocks))

    def count(i):
        def hook(conv, inputs, y):
            counts[i] += 1

        return hook

    for i, block in enumerate(blocks):
        block.conv1.register_forward_hook(count(i))
    images = Tensor(np.zeros((2, model.conv1.weight.shape[1], 4, 4), np.float32))
    with no_grad():
        for _ in range(passes):
            model(images)
    return (counts / passes).tolist()
