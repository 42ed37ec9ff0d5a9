"""The loss landscape: without shortcuts a deep network's surface is sharper, and its loss higher around the weights."""

from dataclasses import dataclass

import numpy as np

from minires.lab.experiment import Experiment, Table
from minires.lab.statistics import Comparison
from minires.lab.trained import TrainingOrWeights, trained, trials
from minires.plots import Bars, Contour, Line, Panel, round_levels
from minires.probes import LossSurface, extreme_eigenvalues, hessian_product
from minires.storage.schema import Integer, Number, Text, TupleOf, setting

# test errors in % of Li et al. 2018, Fig. 5 and Table 1: ResNets, and the same without shortcuts
PAPER = {"resnet": {20: 7.37, 56: 5.89, 110: 5.79}, "plain": {20: 8.18, 56: 13.31, 110: 16.44}}
ENOUGH_PRODUCTS = 30  # for λ_min: six gave a ratio of 0.00 where it is 0.035
TRAINING = 0.6  # the part of a trial's time


@dataclass(frozen=True)
class Settings(TrainingOrWeights):
    depths: tuple[int, ...] = setting((20,), TupleOf(Integer(8)), "layers of the networks, 6n + 2 each")
    lr: float = setting(0.02, Number(0), "maximum learning rate; plain networks of 56 layers need a small one")
    weight_decay: float = setting(5e-4, Number(0), "L2 penalty on all parameters")
    images: int = setting(64, Integer(1), "how many training images the loss is the mean of", metavar="N")
    directions: int = setting(2, Integer(2, 1000), "random directions of the 1-D slices, for each seed", metavar="N")
    points: int = setting(11, Integer(3, 1001), "steps from −1 to 1 along a direction, an odd number", metavar="N")
    products: int = setting(6, Integer(2, 1000), "Hessian-vector products for the eigenvalues at a point", metavar="N")
    plain: str = setting("plain", Text(), "the networks without shortcuts; their depth is appended")
    residual: str = setting("resnet", Text(), "the networks with shortcuts; their depth is appended")


class Landscape(Experiment):
    name = "landscape"
    claim = (
        "Without shortcuts the loss surface of a trained deep network is sharper at its weights, and the loss is "
        "higher at a distance of 1 from them."
    )
    source = "Li et al. 2018, arXiv:1712.09913, §4–6, Fig. 5 and 7"
    method = (
        "A plain and a residual network of each depth are trained in the same way. The deepest two are judged. Each "
        "filter of a random direction has the length of the filter of the weights; biases and batch norm stay. Batch "
        "norm uses its running statistics. The loss at a distance of 1 is the mean of log₁₀ L over both ends of "
        "random directions. It is not divided by the loss L₀ at the weights, which stands beside it. Where L₀ "
        "differs, a part of the difference is that of the training, not of the rise. The planes are those of seed 0. "
        "The sharpness is the highest eigenvalue λ_max of the Hessian at the weights. Each filter is measured in its "
        "own length, so that the filters' sizes do not matter. Lanczos' method finds it from products H·v, which are "
        "central differences of exact gradients. A network that is trained less has another λ_max, so its L₀ belongs "
        "to this number, too. The ratio −λ_min/λ_max tells how far the surface is from a convex one. λ_min is found "
        f"later than λ_max, so the table leaves the ratio out for fewer than {ENOUGH_PRODUCTS} products. The paper "
        "maps it over the plane (Fig. 7, with the plain Hessian). Here it is measured at the weights, and not "
        "judged. The paper trained plain networks of 56 layers with a smaller learning rate, 0.01; here it is the "
        "same for both. At full size the loss is that of 2000 images, not of all."
    )
    refuted_by = "the deep residual network is sharper than the plain one, or its loss is higher at a distance of 1"
    sizes = {
        "tiny": Settings(),
        "small": Settings(depths=(8, 32), epochs=15, images=128, directions=5, points=21, products=10),
        "full": Settings(
            dataset="cifar10",
            depths=(20, 56),
            epochs=300,
            batch_size=128,
            lr=0.01,
            schedule="multistep",
            images=2000,
            directions=5,
            points=51,
            products=40,
            seeds=3,
        ),
    }

    def trials(self, s):
        arms = {f"{family}{depth}": depth for depth in s.depths for family in (s.plain, s.residual)}
        return trials(s, arms, costs=arms)

    def measure(self, trial, s, place):
        surface = self._surface(trial, s, place)
        rng = np.random.default_rng(trial.seed)
        w0 = surface.w0
        sizes = surface.filter_norms()
        directions = [surface.random_direction(rng) for _ in range(s.directions)]
        steps = np.linspace(-1, 1, s.points)
        rows = steps if trial.seed == 0 else []
        done = 0
        total = s.directions + len(rows) + s.products
        begun = 0.0 if s.weights else TRAINING

        def one_more():
            nonlocal done
            done += 1
            place.progress(begun + (1 - begun) * done / (total + 1))

        def along(direction, start):
            one_more()
            return surface.along(direction, steps, start)

        def product(v):  # D·H·D·v, with the lengths of the filters in D
            one_more()
            return sizes * hessian_product(surface.gradient, w0, sizes * v)

        lowest, highest = extreme_eigenvalues(product, len(w0), steps=s.products, rng=rng)
        return {
            "loss": surface.loss(w0),
            "lowest": lowest,
            "highest": highest,
            "slices": [along(d, w0) for d in directions],
            "plane": [along(directions[0], w0 + beta * directions[1]) for beta in rows],
        }

    def _surface(self, trial, s, place):
        """The loss surface of the trial's network on some training images."""
        network = trained(trial, s, place, until=TRAINING)
        return LossSurface(network.model, *network.train_batch(s.images))

    def compare(self, s, results):
        deep = max(s.depths)
        plain, residual = f"{s.plain}{deep}", f"{s.residual}{deep}"
        return [
            Comparison(
                f"sharpness of {plain} above that of {residual}",
                tuple(sharpness(results, plain) - sharpness(results, residual)),
                "powers of ten",
            ),
            Comparison(
                f"loss at a distance of 1 from {plain} above that of {residual}",
                tuple(far(results, plain) - far(results, residual)),
                "powers of ten",
            ),
        ]

    def table(self, s, results):
        rows = []
        for arm, family, depth in self._arms(s):
            paper = PAPER.get(family, {}).get(depth)
            ratio = (-results.of(arm, "lowest") / results.of(arm, "highest")).mean()
            rows.append(
                (
                    arm,
                    f"{start(results, arm):.3g}",
                    f"{10 ** sharpness(results, arm).mean():.3g}",
                    f"{10 ** far(results, arm).mean():.3g}",
                    f"{ratio:.2f}" if s.products >= ENOUGH_PRODUCTS else "",
                    f"{paper:.2f}" if paper else "",
                )
            )
        columns = (
            "network",
            "loss L₀ at the weights",
            "sharpness λ_max",
            "loss at a distance of 1",
            "−λ_min/λ_max",
            "the paper's test error on CIFAR-10 (%)",
        )
        note = (
            "Means over the seeds, of sharpness and losses the geometric ones. −λ_min/λ_max is not above 0 where the "
            f"surface is convex; below {ENOUGH_PRODUCTS} products it is not measured."
        )
        deep = max(s.depths)
        plain = start(results, f"{s.plain}{deep}")
        residual = start(results, f"{s.residual}{deep}")
        if not 0.5 <= plain / residual <= 2:
            note += (
                f" Mind that L₀ of {s.plain}{deep} is {plain / residual:.2g} times that of {s.residual}{deep}: "
                "their losses at a distance of 1 begin at different heights, and λ_max is that of different stages of "
                "training."
            )
        return Table(columns, rows, note)

    def panels(self, s, results):
        steps = np.linspace(-1, 1, s.points)
        arms = list(self._arms(s))
        planes = {arm: np.array(results[arm, 0]["plane"]) for arm, _, _ in arms}
        finite = np.concatenate([z[np.isfinite(z) & (z > 0)] for z in planes.values()])
        levels = round_levels(finite.min(), finite.max()) if len(finite) else [1.0]
        kinds = {s.residual: "residual", s.plain: "plain"}
        contours = [
            Contour("along δ", "along η", steps, steps, planes[arm], levels, f"loss of {arm}, seed 0", kinds[family])
            for arm, family, _ in arms
        ]
        depths = sorted(s.depths)
        slices = [
            Line(arm, steps, np.exp(np.log(results.of(arm, "slices")).mean(axis=1)), kinds[family], depths.index(depth))
            for arm, family, depth in arms
        ]
        return [
            *contours,
            Panel("distance from the weights", "loss", slices, yscale="log"),
            Bars(
                r"sharpness $\lambda_{max}$",
                [arm for arm, _, _ in arms],
                [results.of(arm, "highest") for arm, _, _ in arms],
                [kinds[family] for _, family, _ in arms],
            ),
        ]

    def _arms(self, s):
        """(name, family, depth) of each network once, from deep to shallow, plain ones first."""
        for depth in sorted(s.depths, reverse=True):
            for family in dict.fromkeys((s.plain, s.residual)):
                yield f"{family}{depth}", family, depth


def sharpness(results, arm):
    """log₁₀ λ_max for each seed."""
    return _log(results.of(arm, "highest"))


def far(results, arm):
    """log₁₀ of the loss at a distance of 1: the mean over both ends of all slices, for each seed."""
    slices = results.of(arm, "slices")  # (seeds, directions, points)
    return _log(slices[:, :, [0, -1]]).mean(axis=(1, 2))


def start(results, arm):
    """L₀, the loss at the weights: the geometric mean over the seeds."""
    return 10 ** _log(results.of(arm, "loss")).mean()


def _log(values):
    """log₁₀, where what is not positive counts as 1e-6, below the accuracy of an eigenvalue."""
    return np.log10(np.maximum(values, 1e-6))
