"""What came after ResNet, at equal cost: the networks that keep an identity path, and one that drops convolution."""

from dataclasses import dataclass

from minires import data
from minires.lab.equal_cost import COSTS, Family, at_cost, costs
from minires.lab.experiment import Experiment, Table, Trial
from minires.lab.statistics import Comparison
from minires.lab.training import CIFAR10, Training, final, not_learned, spread, train
from minires.plots import Bars
from minires.storage.schema import Number, OneOf, TupleOf, setting

VIT = "hidden_dim"
FAMILIES = {
    "plain": Family("plain20"),
    "resnet": Family("resnet20"),
    "preact": Family("preact_resnet20"),
    "resnext": Family("resnext20", options="width_per_group=16"),
    "se": Family("se_resnet20"),
    "densenet": Family("densenet_bc22", "growth_rate"),
    "mobilenet": Family("mobilenet21"),
    "vit": Family("vit_tiny_cifar", VIT, 4, "num_heads=4"),
}
LABELS = {
    "plain": "plain",
    "resnet": "ResNet",
    "preact": "pre-activation",
    "resnext": "ResNeXt",
    "se": "SE-ResNet",
    "densenet": "DenseNet-BC",
    "mobilenet": "MobileNetV2",
    "vit": "ViT",
}
CONVOLUTIONS = tuple(name for name in FAMILIES if name != "vit")


@dataclass(frozen=True)
class Settings(Training):
    base: str = setting("plain", OneOf(*FAMILIES), "what is said to be worse", choices=list(FAMILIES))
    better: tuple[str, ...] = setting(
        CONVOLUTIONS[1:], TupleOf(OneOf(*FAMILIES)), f"what is said to be better: {', '.join(FAMILIES)}"
    )
    without_pretraining: str = setting(
        "vit", OneOf(*FAMILIES), "what is said to be worse than `beside`", choices=list(FAMILIES)
    )
    beside: str = setting("resnet", OneOf(*FAMILIES), "what it is compared with", choices=list(FAMILIES))
    reference: str = setting(
        "resnet", OneOf(*FAMILIES), "whose cost all others get, at its own width", choices=list(FAMILIES)
    )
    costs: tuple[str, ...] = setting(
        tuple(COSTS), TupleOf(OneOf(*COSTS)), f"what is held equal: {', '.join(COSTS)}, one after the other"
    )
    vit_lr: float = setting(0.002, Number(0), "maximum learning rate of the vision transformer, by AdamW")
    vit_weight_decay: float = setting(0.05, Number(0), "AdamW's weight decay for it")

    @property
    def families(self):
        """All that are trained, each once, in the order of their years."""
        return [f for f in FAMILIES if f in {self.base, *self.better, self.without_pretraining, self.beside}]


class Successors(Experiment):
    name = "successors"
    claim = (
        "At equal parameters, and at equal multiply-adds, a ResNet and its successors err less than a plain network. A "
        "small vision transformer that was not trained on more images before errs more than a ResNet."
    )
    source = (
        "He et al. 2015, arXiv:1512.03385, Fig. 6 (plain, ResNet); He et al. 2016, arXiv:1603.05027 (pre-activation); "
        "Xie et al. 2017, arXiv:1611.05431 (ResNeXt); Hu et al. 2018, arXiv:1709.01507 (SE); Huang et al. 2017, "
        "arXiv:1608.06993 (DenseNet); Sandler et al. 2018, arXiv:1801.04381 (MobileNetV2); Dosovitskiy et al. 2021, "
        "arXiv:2010.11929, §1 and §4.3 (ViT)"
    )
    method = (
        "Each family gets the width at which its cost is nearest to that of the reference, a network of 20 layers. The "
        "table shows how near. All but DenseNet and ViT have the three stages of a CIFAR ResNet, and differ in their "
        "blocks. All are trained with the same settings and, seed by seed, the same order of images. The vision "
        "transformer alone is trained by AdamW, with settings of its own, because it learns little by SGD. The error "
        "is that on the test images after the last epoch. Where both of two networks err more than half as often as a "
        "guess, nothing is decided. The papers compare larger networks, each trained as suits it; that SE-ResNet, "
        "ResNeXt and DenseNet err less than a ResNet of equal cost is asked with `--base resnet`."
    )
    refuted_by = "the plain network errs less than one of the others, or the vision transformer less than the ResNet"
    sizes = {
        "tiny": Settings(epochs=3, limit=1000, costs=("parameters",)),
        "small": Settings(epochs=20),
        "full": Settings(**CIFAR10),
    }

    def trials(self, s):
        train_set, _ = data.load(s.dataset, s.data or None)
        shape = tuple(train_set.shape)
        classes = len(train_set.classes)
        reference = _family(s.reference, shape)
        wanted = costs(reference.model, "", shape, classes)
        trials = []
        for cost in s.costs:
            for name in s.families:
                family = _family(name, shape)
                options = at_cost(family, cost, wanted[cost], shape, classes)
                found = costs(family.model, options, shape, classes)
                inputs = {"model": family.model, "options": options, "how": _training(name, s)} | found
                trials += [Trial(_arm(name, cost), seed, inputs=inputs) for seed in range(s.seeds)]
        return trials

    def measure(self, trial, s, place):
        network = trial.inputs
        _, curves = train(place, s, trial.seed, network["model"], network["options"], **network["how"])
        return curves | network

    def compare(self, s, results):
        parts = []
        for cost in s.costs:
            for name in s.better:
                reasons = [self._not_learned(results, arm, cost) for arm in (s.base, name)]
                reason = reasons[0] if all(reasons) else ""  # one that fails is a result; two tell nothing
                parts.append(self._comparison(results, s.base, name, cost, reason))
            reason = self._not_learned(results, s.without_pretraining, cost)  # its training was too short for it
            parts.append(self._comparison(results, s.without_pretraining, s.beside, cost, reason))
        return parts

    def _comparison(self, results, above, below, cost, reason):
        return Comparison(
            f"test error of {LABELS[above]} above that of {LABELS[below]} at equal {COSTS[cost]}",
            tuple(self._errors(results, above, cost) - self._errors(results, below, cost)),
            "points",
            reason=reason,
        )

    def _errors(self, results, name, cost):
        return final(results, _arm(name, cost), "test_error")

    def _not_learned(self, results, name, cost):
        return not_learned(LABELS[name], self._errors(results, name, cost), results.of(_arm(name, cost), "guess"))

    def table(self, s, results):
        rows = []
        for cost in s.costs:
            for name in s.families:
                arm = _arm(name, cost)
                first = results[arm, 0]
                errors = (spread(final(results, arm, key)) for key in ("train_error", "test_error"))
                counted = (f"{first[key]:,}" for key in COSTS)
                network = f"{LABELS[name]}: `{first['model']}`, {first['options']}"
                rows.append((COSTS[cost], network, *counted, *errors))
        columns = ("equal", "network", *COSTS.values(), "training error (%)", "test error (%)")
        note = "Multiply-adds are those of one image. Errors are the mean over the seeds ± the standard deviation."
        return Table(columns, rows, note)

    def panels(self, s, results):
        kinds = {"plain": "plain", "vit": "other"}
        return [
            Bars(
                f"test error (%), equal {COSTS[cost]}",
                [LABELS[name] for name in s.families],
                [self._errors(results, name, cost) for name in s.families],
                [kinds.get(name, "residual") for name in s.families],
                wide=True,
            )
            for cost in s.costs
        ]


def _family(name, shape):
    """A Family for images (C,H,W): a vision transformer knows their size, and cuts small ones into small patches."""
    if name != "vit":
        return FAMILIES[name]
    size = shape[1]
    if size == 8:
        return Family("vit_tiny_digits", VIT, 4, "num_heads=4")
    return Family("vit_tiny_cifar", VIT, 4, f"num_heads=4, image_size={size}")


def _training(name, s):
    """The settings of minires.train in which a family differs from the others."""
    return {"optimizer": "adamw", "lr": s.vit_lr, "weight_decay": s.vit_weight_decay} if name == "vit" else {}


def _arm(name, cost):
    return f"{name}-{cost}"
