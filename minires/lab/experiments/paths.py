"""Paths: the gradient of a residual network comes through short paths."""

from dataclasses import dataclass

import numpy as np

from minires.lab.experiment import Experiment, Table
from minires.lab.statistics import Comparison
from minires.lab.trained import TrainingOrWeights, trained, trials
from minires.lab.training import CIFAR10
from minires.plots import Line, Panel
from minires.probes import PathGradients, mean_length, residual_paths, shares_of_paths
from minires.storage.schema import Integer, Text, setting


@dataclass(frozen=True)
class Settings(TrainingOrWeights):
    images: int = setting(64, Integer(2, 100_000), "training images whose gradient is taken apart", metavar="N")
    samples: int = setting(10, Integer(1, 1_000_000), "random paths of each length")
    plain: str = setting(
        "plain20", Text(), "the network without shortcuts, for the table; it has no part in the verdict"
    )
    residual: str = setting("resnet20", Text(), "the network with shortcuts")


class Paths(Experiment):
    name = "paths"
    claim = (
        "The gradient of a path through a residual network shrinks with the path's length. So the paths that carry the "
        "gradient are shorter on average than all paths, whose mean length is half of the blocks."
    )
    source = "Veit et al. 2016, arXiv:1605.06431, §3 and §5, Fig. 6"
    method = (
        "A network of n blocks has 2^n paths, C(n, k) of them with length k: through k branches and n - k shortcuts. "
        "After training, one batch goes forward in training mode. Then the gradient goes back along random paths of "
        "each length. The gradient of a length is the number of its paths times their mean norm, as in the paper. "
        "Beside it stands the norm of the exact sum over all paths of a length, because paths may cancel. The norms "
        "are those at the first block's input; the paper's are at the network's. The paper takes new batches for each "
        "path, here all paths share one. The paper also counts how few paths carry the gradient; the table shows it."
    )
    refuted_by = "longer paths carry more gradient, or the mean length by gradient is above n/2"
    sizes = {
        "tiny": Settings(),
        "small": Settings(epochs=10, samples=50, plain="plain32", residual="resnet32"),
        "full": Settings(**CIFAR10, samples=1000, plain="plain110", residual="resnet110"),
    }

    def trials(self, s):
        return trials(s, (s.plain, s.residual))

    def measure(self, trial, s, place):
        net = trained(trial, s, place)
        images, labels = net.train_batch(s.images)
        net.model.train()
        blocks = residual_paths(net.model, images, labels)
        paths = PathGradients(net.model, images, labels)
        rng = np.random.default_rng(trial.seed)
        norms = []
        for k in range(paths.n + 1):
            norms.append(float(paths.sampled_norms(k, s.samples, rng).mean()))
            place.progress(0.7 + 0.3 * k / paths.n)
        shares = shares_of_paths(paths.n)
        return {
            "identity": [block.identity for block in blocks],
            "branch": [block.branch for block in blocks],
            "norm_of_a_path": norms,
            "share_of_paths": shares,
            "share_of_gradient": normalized([share * norm for share, norm in zip(shares, norms)]),
            "share_of_exact_sums": normalized(paths.norms_by_length()),
        }

    def compare(self, s, results):
        residual = length_by_gradient(results, s.residual)
        blocks = number_of_blocks(results, s.residual)
        return [
            Comparison(
                f"length of the paths that carry the gradient of {s.residual}, below the mean length of all",
                tuple(blocks / 2 - residual),
                "blocks",
            ),
            Comparison(
                f"how much a path's gradient shrinks with each more branch in {s.residual}",
                tuple(shrinking(results, s.residual)),
                "%",
            ),
        ]

    def table(self, s, results):
        rows = []
        for arm in dict.fromkeys((s.plain, s.residual)):
            blocks = number_of_blocks(results, arm)[0]
            exact = [mean_length(results[arm, seed]["share_of_exact_sums"]) for seed in results.seeds(arm)]
            shares = results.of(arm, "share_of_gradient").mean(0)
            low, high = middle(shares)
            paths = results.of(arm, "share_of_paths")[0][low : high + 1].sum()
            has_one = results[arm, results.seeds(arm)[0]]["identity"][0] is None
            rows.append(
                (
                    arm,
                    f"{blocks:.0f}" if has_one else f"{blocks / 2:.1f}",
                    f"{length_by_gradient(results, arm).mean():.2f}",
                    f"{np.mean(exact):.2f}",
                    f"{low} to {high}",
                    "100 %" if has_one else f"{100 * paths:.2g} %",
                )
            )
        columns = ("network", "mean length of its paths", "weighted by gradient", "by the exact sums")
        columns += ("lengths with 90 % of the gradient", "their share of the paths")
        return Table(
            columns,
            rows,
            "Lengths in blocks. In the paper, with 54 blocks and a mean length of 27, nearly all gradient comes "
            "through paths of 5 to 17 blocks, which are 0.45 % of the paths.",
        )

    def panels(self, s, results):
        n = int(number_of_blocks(results, s.residual)[0])
        lengths = range(n + 1)
        ratio = Line("", range(1, n + 1), identity_over_branch(results, s.residual))
        norms = Line("", lengths, positive(results.of(s.residual, "norm_of_a_path")))
        paths = Line("number of paths", lengths, 100 * results.of(s.residual, "share_of_paths")[0], "other")
        gradient = Line("gradient: number × norm", lengths, 100 * results.of(s.residual, "share_of_gradient"))
        exact = Line("gradient: exact sums", lengths, 100 * results.of(s.residual, "share_of_exact_sums"), variant=1)
        length = f"branches of paths in {s.residual}"
        return [
            Panel(f"block of {s.residual}", "‖gradient via shortcut‖ / ‖via branch‖", [ratio], whole=True),
            Panel(length, "‖gradient‖ of one path", [norms], whole=True, yscale="log"),
            Panel(length, "share of all (%)", [paths, gradient], whole=True),
            Panel(length, "share of all (%)", [paths, exact], whole=True),
        ]


def normalized(weights):
    """The weights, divided by their sum."""
    total = sum(weights)
    return [weight / total if total else 0.0 for weight in weights]


def number_of_blocks(results, arm):
    return np.array([len(results[arm, seed]["branch"]) for seed in results.seeds(arm)])


def length_by_gradient(results, arm):
    """The mean length of the paths, weighted by the gradient they carry, for each seed."""
    return np.array([mean_length(results[arm, seed]["share_of_gradient"]) for seed in results.seeds(arm)])


def shrinking(results, arm):
    """By how many % the norm of a path's gradient falls with each more branch: the slope of log ‖g‖ over the length.

    NaN, so undecided, where paths carry no gradient at all, as in a plain network.
    """
    norms = results.of(arm, "norm_of_a_path")
    if not (norms > 0).all():
        return np.full(len(norms), np.nan)
    return np.array([100 * (1 - np.exp(np.polyfit(range(len(of)), np.log(of), 1)[0])) for of in norms])


def identity_over_branch(results, arm):
    """‖Sᵀ·m‖ / ‖J_Fᵀ·m‖ of each block, for each seed; NaN without a shortcut."""
    return results.of(arm, "identity").astype(float) / results.of(arm, "branch")


def middle(shares, most=0.9):
    """(low, high): the fewest lengths in a row that hold this much of the gradient."""
    n = len(shares)
    spans = [(low, high) for low in range(n) for high in range(low, n) if sum(shares[low : high + 1]) >= most - 1e-9]
    return min(spans, key=lambda span: span[1] - span[0], default=(0, n - 1))


def positive(values):
    """The values, with NaN for 0, which a logarithmic axis cannot show."""
    return np.where(values > 0, values, np.nan)
