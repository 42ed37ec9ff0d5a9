"""Which shortcut, and which order of a block's parts: the identity, and everything before the add."""

from dataclasses import dataclass

from minires.lab.experiment import Experiment, Table, Trial
from minires.lab.statistics import Comparison
from minires.lab.training import CIFAR10, Training, final, not_learned, spread, train
from minires.plots import Bars
from minires.storage.schema import Integer, OneOf, TupleOf, setting


@dataclass(frozen=True)
class Arm:
    """A network, what the figure calls it, and the paper's test error in %, of ResNet-110 on CIFAR-10."""

    label: str
    options: str = ""
    paper: float | str | None = None
    family: str = "resnet"


SHORTCUTS = {  # He et al. 2016, Table 1
    "identity": Arm("identity", "", 6.61),
    "none": Arm("none", "shortcut=None", "fails (> 20)"),
    "scale": Arm("½·x + ½·F(x)", "shortcut='scale'", 12.35),
    "exclusive_gate": Arm("exclusive gate", "shortcut='exclusive_gate'", 8.70),
    "shortcut_gate": Arm("gate on x only", "shortcut='shortcut_gate'", 12.86),
    "conv": Arm("1×1 convolution (C)", "shortcut='C'", 12.22),
    "dropout": Arm("dropout", "shortcut='dropout'", "fails (> 20)"),
    "projection": Arm("identity, 1×1 to widen (B)", "shortcut='B'"),
}
ORDERS = {  # Table 2
    "norm_after_add": Arm("norm after the add", "order='norm_after_add'", 8.17),
    "relu_before_add": Arm("ReLU before the add", "order='relu_before_add'", 7.84),
    "relu_first": Arm("ReLU first", "order='relu_first'", 6.71),
    "preact": Arm("full pre-activation", "", 6.37, "preact_resnet"),
}
ARMS = SHORTCUTS | ORDERS


@dataclass(frozen=True)
class Settings(Training):
    depth: int = setting(20, Integer(8), "layers of the networks, 6n + 2")
    best: str = setting("identity", OneOf(*ARMS), "what is said to be better", choices=list(ARMS))
    worse: tuple[str, ...] = setting(
        ("none", "scale", "shortcut_gate", "dropout"),
        TupleOf(OneOf(*ARMS)),
        f"what is said to be worse: {', '.join(ARMS)}",
    )
    shown: tuple[str, ...] = setting(
        ("preact",), TupleOf(OneOf(*ARMS)), "what else stands in table and figure; it has no part in the verdict"
    )

    @property
    def arms(self):
        """All of them, each once, in the order of the paper's tables."""
        return [arm for arm in ARMS if arm in {self.best, *self.worse, *self.shown}]


class Shortcuts(Experiment):
    name = "shortcuts"
    claim = (
        "The identity is the best shortcut: with another one in its place, or none, the test error is higher. Judged "
        "are the arms of the setting `worse`, which may hold orders of a block's parts, too."
    )
    source = (
        "He et al. 2016, arXiv:1603.05027, Table 1 (shortcuts) and Table 2 (orders); He et al. 2015, arXiv:1512.03385, "
        "Table 3 (options A, B, C)"
    )
    method = (
        "Networks that differ in their shortcuts alone, or in the order of a block's parts, are trained with the same "
        "settings. The error is that on the test images after the last epoch. A full run judges all that is clearly "
        "worse in the paper, and a smaller one fewer. Where a shortcut has weights, the weights of the branches begin "
        "with other random numbers, because all come from one generator. Where the channels change, x is padded "
        "(option A) before a shortcut changes it. The exclusive gate starts with b_g = −6, the paper's best. The gate "
        "on x alone starts with 0 (12.86 % in the paper; with −6, nearly an identity, 6.91 %). The 1×1 convolution is "
        "option C, with batch norm. A training whose loss becomes infinite counts as a guess. Where both "
        "of two arms err more than half as often as a guess, nothing is decided. The paper's networks "
        "have 110 layers, and its numbers are medians of five runs."
    )
    refuted_by = "an arm of `worse` has a lower test error than `best`, the identity"
    sizes = {
        "tiny": Settings(depth=8, epochs=4, limit=1000, shown=("identity",)),
        "small": Settings(
            epochs=5,
            worse=("none", "scale", "exclusive_gate", "shortcut_gate", "conv", "dropout", "norm_after_add"),
            shown=("projection", "relu_before_add", "relu_first", "preact"),
        ),
        "full": Settings(
            **{**CIFAR10, "seeds": 5},
            depth=110,
            worse=(
                *("none", "scale", "exclusive_gate", "shortcut_gate", "conv", "dropout"),
                *("norm_after_add", "relu_before_add"),
            ),
            shown=("projection", "relu_first", "preact"),
        ),
    }

    def trials(self, s):
        return [Trial(arm, seed, cost=s.depth) for seed in range(s.seeds) for arm in s.arms]

    def measure(self, trial, s, place):
        arm = ARMS[trial.arm]
        _, curves = train(place, s, trial.seed, f"{arm.family}{s.depth}", arm.options)
        return curves

    def compare(self, s, results):
        best = final(results, s.best, "test_error")

        def reason(arm):  # one that fails is a result; two tell nothing of each other
            of = [
                not_learned(ARMS[a].label, final(results, a, "test_error"), results.of(a, "guess"))
                for a in (s.best, arm)
            ]
            return of[0] if all(of) else ""

        return [
            Comparison(
                f"test error with {ARMS[arm].label} above that with {ARMS[s.best].label}",
                tuple(final(results, arm, "test_error") - best),
                "points",
                reason=reason(arm),
            )
            for arm in s.worse
        ]

    def table(self, s, results):
        rows = []
        for name in s.arms:
            arm = ARMS[name]
            errors = (spread(final(results, name, key)) for key in ("train_error", "test_error"))
            paper = f"{arm.paper:.2f}" if isinstance(arm.paper, float) else arm.paper or ""
            rows.append((arm.label, *errors, str(sum(results.of(name, "diverged"))), paper))
        columns = (
            "shortcut or order",
            "training error (%)",
            "test error (%)",
            "diverged",
            "the paper's test error (%)",
        )
        return Table(
            columns,
            rows,
            "Errors are the mean over the seeds ± the standard deviation; diverged: how many seeds. The paper's are of "
            "ResNet-110 on CIFAR-10. Options A, B and C on ImageNet: 25.03, 24.52, 24.19 % (ResNet-34, top-1).",
        )

    def panels(self, s, results):
        panels = []
        for arms, title in ((SHORTCUTS, "shortcut"), ({"identity": ARMS["identity"], **ORDERS}, "order")):
            names = [name for name in arms if name in s.arms]
            if len(names) > (title == "order"):
                labels = [
                    arms[name].label if title == "shortcut" or name != "identity" else "original" for name in names
                ]
                panels.append(
                    Bars(
                        "test error (%)",
                        labels,
                        [final(results, name, "test_error") for name in names],
                        [
                            "plain" if name == "none" else "residual" if name in (s.best, "identity") else "other"
                            for name in names
                        ],
                        [arms[name].paper if isinstance(arms[name].paper, float) else None for name in names],
                        "the paper's, of ResNet-110 on CIFAR-10",
                        wide=True,
                    )
                )
        return panels
