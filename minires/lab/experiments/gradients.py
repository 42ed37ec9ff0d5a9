"""Shattered gradients: with depth the gradient of a plain network becomes white noise, that of a residual one does not.

The networks map one number to one number, so that a gradient can be drawn over its input. Each begins with
x_1 = W_1·x and ends with y = w·relu(N(x_L)). N subtracts the mean over the inputs, or it is batch norm:

    plain      x_l = W_l·relu(x_{l−1} − mean)
    plain-bn   x_l = W_l·relu(BN(x_{l−1}))
    residual   x_l = α·x_{l−1} + β·W_l·relu(BN(x_{l−1}))

α scales the shortcut, so that α = 0 cuts it. β scales the branch. These networks are ours, after the paper's.
All weights are normal with the variance 2/fan_in  [He et al. 2015b].
"""

import math
from dataclasses import dataclass

import numpy as np

from minires import ops
from minires.lab.experiment import Common, Experiment, Table, Trial
from minires.lab.statistics import Comparison
from minires.lab.training import spread
from minires.plots import Line, Panel
from minires.storage.schema import Integer, Number, OneOf, TupleOf, setting
from minires.tensor import Tensor

KINDS = ("plain", "plain-bn", "residual")
NOISES = ("white-noise", "brown-noise")
LAGS = 20


@dataclass(frozen=True)
class Settings(Common):
    dataset: str = setting("grid", OneOf("grid"), "the numbers from −2 to 2 at equal distances")
    seeds: int = setting(10, Integer(1, 1000), "how often everything is repeated, with the seeds 0, 1, …", metavar="N")
    depths: tuple[int, ...] = setting((2, 10, 50), TupleOf(Integer(1)), "hidden layers of the networks")
    width: int = setting(200, Integer(1), "units of a hidden layer")
    inputs: int = setting(256, Integer(LAGS + 1), "numbers in the grid", metavar="N")
    beta: float = setting(0.1, Number(0), "β, the scale of a residual branch")
    alpha: float = setting(1.0, Number(0), "α, the scale of a shortcut; 0 cuts it")
    tolerance: float = setting(0.2, Number(0), "how far from white noise a deep plain network's autocorrelation may be")
    plain: str = setting("plain", OneOf(*KINDS), f"the network without shortcuts: {', '.join(KINDS)}")
    normalized: str = setting("plain-bn", OneOf(*KINDS), "the network with batch norm, but without shortcuts")
    residual: str = setting("residual", OneOf(*KINDS), "the network with shortcuts")


class Gradients(Experiment):
    name = "gradients"
    needs_data = False
    claim = (
        "With depth the gradient of a plain network becomes white noise over its inputs, with batch norm or without. "
        "With shortcuts and small branches (β) the gradients at neighboring inputs stay more correlated."
    )
    source = "Balduzzi et al. 2017, arXiv:1702.08591, §2, Fig. 1 and 3"
    method = (
        "Networks of one input and one output are initialized, not trained. The gradient of their output is taken at "
        "each number of a grid from −2 to 2. What is compared is its autocorrelation at lag 1, that is between "
        "neighbors in the grid: 0 in white noise, near 1 in brown noise. Longer lags are drawn, and not judged. A "
        "deep plain gradient counts as white noise if its autocorrelation is as near to 0 as that of so many random "
        "numbers, but for the tolerance. The statistics of the grid are part of the graph, so the output is summed "
        "over the grid. (The paper draws curves and prints no numbers.)"
    )
    refuted_by = (
        "the gradient of the deepest plain network is more correlated than that of the shallowest, or of the residual "
        "network of its depth; it is further from white noise than the tolerance"
    )
    sizes = {
        "tiny": Settings(),
        "small": Settings(depths=(2, 4, 10, 24, 50), seeds=20),
        "full": Settings(depths=(2, 4, 10, 24, 50), seeds=30),
    }

    def trials(self, s):
        kinds = dict.fromkeys((s.plain, s.normalized, s.residual))
        networks = [(kind, depth) for depth in sorted(set(s.depths), reverse=True) for kind in kinds]
        return [
            trial
            for seed in range(s.seeds)
            for trial in (
                *[Trial(f"{kind}{depth}", seed, depth, {"kind": kind, "depth": depth}) for kind, depth in networks],
                *[Trial(noise, seed, 1, {"kind": noise}) for noise in NOISES],
            )
        ]

    def measure(self, trial, s, place):
        rng = np.random.default_rng(trial.seed)
        kind = trial.inputs["kind"]
        if kind in NOISES:
            white = rng.standard_normal(s.inputs)
            return {"autocorrelation": autocorrelation(white if kind == "white-noise" else white.cumsum())}
        gradient, norms = input_gradient(kind, trial.inputs["depth"], s, rng)
        return {
            "autocorrelation": autocorrelation(gradient),
            "norms": norms,
            "gradient": (gradient / gradient.std()).tolist(),
        }

    def compare(self, s, results):
        low = min(s.depths)
        high = max(s.depths)
        deep = {kind: lag_1(results, f"{kind}{high}") for kind in (s.plain, s.normalized, s.residual)}

        def part(what, differences, margin=0.0):
            return Comparison(what, tuple(differences), margin=margin)

        white = np.abs(lag_1(results, "white-noise"))
        parts = []
        for kind in (s.plain, s.normalized):
            name = f"{kind}{high}"
            parts += [
                part(
                    f"autocorrelation of {kind}{low} above that of {name}", lag_1(results, f"{kind}{low}") - deep[kind]
                ),
                part(
                    f"|autocorrelation| of white noise above that of {name}", white - np.abs(deep[kind]), -s.tolerance
                ),
                part(f"autocorrelation of {s.residual}{high} above that of {name}", deep[s.residual] - deep[kind]),
            ]
        return parts

    def table(self, s, results):
        rows = []
        for kind in dict.fromkeys((s.plain, s.normalized, s.residual)):
            for depth in sorted(set(s.depths)):
                norms = results.of(f"{kind}{depth}", "norms")
                ratio = np.exp(np.log(norms[:, 0] / norms[:, -1]).mean())
                rows.append((f"{kind}{depth}", spread(lag_1(results, f"{kind}{depth}")), f"{ratio:.3g}"))
        rows += [(noise.replace("-", " "), spread(lag_1(results, noise)), "") for noise in NOISES]
        return Table(
            ("network", "autocorrelation at lag 1", "‖∂L/∂x₁‖ / ‖∂L/∂x_L‖"),
            rows,
            "The mean over the seeds ± the standard deviation; the geometric mean of the ratio of gradient norms, "
            "that in the first layer to that in the last.",
        )

    def panels(self, s, results):
        high = max(s.depths)
        grid = np.linspace(-2, 2, s.inputs)
        looks = {s.plain: ("plain", 0), s.normalized: ("plain", 2), s.residual: ("residual", 0)}
        panels = []
        for kind in dict.fromkeys((s.plain, s.residual)):
            gradient = results[f"{kind}{high}", 0]["gradient"]
            name = f"{kind}, {high} layers"
            line = Line(name, grid, gradient, looks[kind][0], bare=True)
            panels.append(Panel("input x", "∂y/∂x (in std. dev.)", [line], title=name))
        correlations = [(f"{kind}{high}", f"{kind}, {high} layers", *look) for kind, look in looks.items()]
        correlations += [("brown-noise", "brown noise", "other", 0), ("white-noise", "white noise", "other", 3)]
        lines = [
            Line(label, range(LAGS + 1), results.of(arm, "autocorrelation").mean(0), kind, variant)
            for arm, label, kind, variant in correlations
        ]
        panels.append(Panel("lag (steps of the grid)", "autocorrelation of ∂y/∂x", lines, whole=True))
        lines = []
        for kind, look in looks.items():
            norms = results.of(f"{kind}{high}", "norms")
            lines.append(Line(f"{kind}, {high} layers", range(1, high + 1), norms / norms[:, -1:], *look))
        panels.append(
            Panel("layer l, from input to loss", r"$\|∂L/∂x_l\|\,/\,\|∂L/∂x_L\|$", lines, yscale="log", whole=True)
        )
        return panels


def network(x, kind, depth, s, rng):
    """A new network at x (N,1). -> (y (N,1), the layers x_1 … x_L as Tensors (N,width))"""
    ones = np.ones(s.width)
    zeros = np.zeros(s.width)

    def normalized(h):
        if kind == "plain":
            return h - h.mean(dim=0, keepdim=True)
        return ops.batch_norm(h, ones, zeros, training=True)

    def weight(fan_out, fan_in):
        return rng.standard_normal((fan_out, fan_in)) * math.sqrt(2 / fan_in)

    h = ops.linear(x, weight(s.width, 1))  # (N,1) -> (N,width)
    layers = [h]
    for _ in range(depth - 1):
        f = ops.linear(ops.relu(normalized(h)), weight(s.width, s.width))
        h = s.alpha * h + s.beta * f if kind == "residual" else f
        layers.append(h)
    return ops.linear(ops.relu(normalized(h)), weight(1, s.width)), layers


def input_gradient(kind, depth, s, rng):
    """∂L/∂x of a network at each input, with L = Σ y, and ‖∂L/∂x_l‖ for each layer l. -> ((inputs,), list of floats)"""
    x = Tensor(np.linspace(-2, 2, s.inputs)[:, None], requires_grad=True)
    y, layers = network(x, kind, depth, s, rng)
    for h in layers:
        h.retain_grad()
    y.sum().backward()
    return x.grad[:, 0], [math.sqrt(float((h.grad * h.grad).sum())) for h in layers]


def autocorrelation(g):
    """ρ(k) = Σ_i (g_i − ḡ)(g_{i+k} − ḡ) / Σ_i (g_i − ḡ)² for the lags k = 0 … 20. g (N,) -> list of floats"""
    g = g - g.mean()
    return [float(g[: len(g) - k] @ g[k:] / (g @ g)) for k in range(LAGS + 1)]


def lag_1(results, arm):
    return results.of(arm, "autocorrelation")[:, 1]
