"""Mistakes of batch, layer and group norm."""

import itertools
import string

import numpy as np

from minires.gradcheck.grading.plan import CONSTANTS

NORMS = ("batch_norm", "batch_norm_relu", "layer_norm", "group_norm")
UNBIASED = (
    "you divide the variance by m − 1 (ddof=1, torch.var's default): within the batch it is the biased one, over m"
)
OUTSIDE = "your ε stands outside the root, σ + ε: it belongs under the root, √(σ² + ε)"
FIXED = "your ε is {eps:g}, whatever ε is given: take the eps that is handed over"
COUNTED = "your {what} divided by N: a channel has N·H·W elements"
MEANS = "your dx takes sums over {axes} where means are wanted: divide it by m, the number of elements of these"
SIGNS = {  # factors of −⟨dy⟩ and of −x̂·⟨dy·x̂⟩ that are wrong
    (-1, 1): "your dx adds ⟨dy⟩: subtract it",
    (1, -1): "your dx adds x̂·⟨dy·x̂⟩: subtract it",
    (-1, -1): "your dx adds ⟨dy⟩ and x̂·⟨dy·x̂⟩: subtract both",
    (0, 1): "your dx misses −⟨dy⟩: the mean depends on x too",
    (1, 0): "your dx misses −x̂·⟨dy·x̂⟩: the variance depends on x too",
    (0, 0): "your dx treats mean and variance as constants: both depend on x, which adds two terms",
    (1, 0.5): "your dx has half of −x̂·⟨dy·x̂⟩: the ½ from the root cancels with the 2 from the square",
}


class Norm:
    """A norm taken apart: y = γ·x̂ + β, x̂ = (x − mean)·inv_std. Its statistics may be others than those that are right.

    x is `grouped`, so that mean and variance are those over `axes`.
    """

    def __init__(self, wrong):
        self.x, *affine = wrong.case.arrays
        full = wrong.settings
        self.op, self.dy, self.eps = wrong.op, wrong.dy, full["eps"]
        ndim = self.x.ndim
        self.letters = {2: "NC", 3: "NCL", 4: "NCHW"}.get(ndim, string.ascii_uppercase[:ndim])
        self.axes = (0, *range(2, ndim))
        shape = self.x.shape
        if self.op == "layer_norm":
            inner = np.size(full["normalized_shape"])
            self.axes = tuple(range(ndim - inner, ndim))
        if self.op == "group_norm":
            G = full["num_groups"]
            shape = (shape[0], G, shape[1] // G, *shape[2:])
            self.axes = tuple(range(2, ndim + 1))
            self.letters = f"NGC{self.letters[2:]}"
        self.grouped = self.x.reshape(shape)
        self.per_channel = None if self.op == "layer_norm" else [1, -1, *[1] * (ndim - 2)]
        self.gamma, self.beta = [self._spread(a) for a in affine] or [1.0, 0.0]
        self.count = int(np.prod([shape[a] for a in self.axes]))
        self.tells_N = len(self.x) not in self.x.shape[1:]  # else it may be another size that was taken
        self.evaluated = full.get("training") is False
        self.mean = self.grouped.mean(self.axes, keepdims=True)
        self.var = self.grouped.var(self.axes, keepdims=True)
        if self.evaluated:
            self.mean, self.var = (self._spread(full[name]) for name in ("running_mean", "running_var"))

    def _spread(self, a):
        return a.reshape(self.per_channel) if self.per_channel else a

    def over(self, axes):
        """Axes in words: N, H and W."""
        *most, last = [self.letters[a] for a in sorted(axes)]
        return f"{', '.join(most)} and {last}" if most else last

    def other_axes(self):
        """All axes that mean and variance may be taken over by mistake; none where one element hides an axis."""
        ndim = 0 if 1 in self.grouped.shape else self.grouped.ndim
        for count in range(1, ndim + 1):
            yield from (axes for axes in itertools.combinations(range(ndim), count) if axes != self.axes)

    def inv_std(self, eps=None):
        return 1 / np.sqrt(self.var + (self.eps if eps is None else eps))

    def x_hat(self, mean, inv_std):
        return ((self.grouped - mean) * inv_std).reshape(self.x.shape)

    def y(self, mean=None, inv_std=None):
        """y with another mean or 1/√(σ² + ε)."""
        mean = self.mean if mean is None else mean
        y = self.x_hat(mean, self.inv_std() if inv_std is None else inv_std) * self.gamma + self.beta
        return np.maximum(y, 0) if self.op.endswith("_relu") else y

    def upstream(self):
        """dy where the ReLU after the norm lets it pass."""
        return self.dy * (self.y() > 0) if self.op.endswith("_relu") else self.dy

    def dx(self, factors=(1, 1), inv_std=None, x_hat=None, mean_of=None):
        """dx with factors for its two terms, and other statistics or means."""
        g = (self.upstream() * self.gamma).reshape(self.grouped.shape)
        inv_std = self.inv_std() if inv_std is None else inv_std
        h = (self.x_hat(self.mean, self.inv_std()) if x_hat is None else x_hat).reshape(g.shape)
        mean_of = mean_of or (lambda a: a.mean(self.axes, keepdims=True))
        first, second = (0, 0) if self.evaluated else factors
        return (inv_std * (g - first * mean_of(g) - second * h * mean_of(g * h))).reshape(self.x.shape)

    def dgamma(self, x_hat):
        affine_axes = [k for k in range(self.x.ndim) if k != 1]
        if not self.per_channel:
            affine_axes = range(self.x.ndim - np.ndim(self.gamma))
        return (self.upstream() * x_hat).sum(tuple(affine_axes))


def ys(wrong):
    """(y, hint) of each mistake of a forward."""
    if wrong.op not in NORMS or not wrong.case.arrays[0].size:
        return
    norm = Norm(wrong)
    if not norm.evaluated and norm.count > 1:
        yield norm.y(inv_std=1 / np.sqrt(norm.var * norm.count / (norm.count - 1) + norm.eps)), UNBIASED
    yield norm.y(inv_std=1 / (np.sqrt(norm.var) + norm.eps)), OUTSIDE
    yield norm.y(inv_std=norm.inv_std(0)), "your forward has no ε: divide by √(σ² + ε)"
    yield norm.y(inv_std=1 / (norm.var + norm.eps)), "you divide by the variance: divide by its root, √(σ² + ε)"
    yield norm.y(inv_std=1 / norm.inv_std()), "your y is multiplied by √(σ² + ε): divide x − μ by it"
    if norm.op == "batch_norm":
        yield wrong.right - norm.beta, "your y misses β (bias): add it"
    for eps in CONSTANTS["eps"]:
        if eps != norm.eps:
            yield norm.y(inv_std=norm.inv_std(eps)), FIXED.format(eps=eps)
    if norm.evaluated:
        mean = norm.grouped.mean(norm.axes, keepdims=True)
        var = norm.grouped.var(norm.axes, keepdims=True)
        hint = "your y is normalized by the batch in evaluation: take the running mean and variance there"
        yield norm.y(mean, 1 / np.sqrt(var + norm.eps)), hint
        return
    if norm.op.startswith("batch_norm"):
        yield from _counted(norm)
    yield from _over_other_axes(norm)


def _counted(norm):
    """Sums over a batch norm's channel, divided by the number of images."""
    elements = norm.count / len(norm.x)  # of one image
    if elements == 1 or not norm.tells_N:
        return
    mean = norm.mean * elements
    var = ((norm.x - mean) ** 2).mean(norm.axes, keepdims=True) * elements
    hint = COUNTED.format(what="mean and variance are")
    yield norm.y(mean, 1 / np.sqrt(var + norm.eps)), hint
    yield norm.y(inv_std=1 / np.sqrt(norm.var * elements + norm.eps)), COUNTED.format(what="variance is")
    yield norm.y(mean), COUNTED.format(what="mean is")


def _over_other_axes(norm):
    for axes in norm.other_axes():
        mean = norm.grouped.mean(axes, keepdims=True)
        var = norm.grouped.var(axes, keepdims=True)
        inv_std = 1 / np.sqrt(var + norm.eps)
        own = f"over {norm.over(axes)}: take it over {norm.over(norm.axes)}"
        both = f"mean and variance are taken over {norm.over(axes)}: take them over {norm.over(norm.axes)}"
        if norm.op == "layer_norm" and norm.x.ndim == 2 and axes == (0,):
            both = "y is normalized over axis 0, as in batch norm: each sample has its own mean, write axis=-1"
        yield norm.y(mean, inv_std), f"your {both}"
        yield norm.y(mean), f"your mean is taken {own}"
        yield norm.y(inv_std=inv_std), f"your variance is taken {own}"


def gradients(wrong):
    """(gradient, hint) of each mistake of a backward that is not in the catalogue."""
    if wrong.op not in NORMS or not wrong.case.arrays[0].size:
        return
    norm = Norm(wrong)
    others = [(eps, FIXED.format(eps=eps)) for eps in CONSTANTS["eps"] if eps != norm.eps]
    statistics = [(norm.inv_std(eps), hint) for eps, hint in others]
    if not norm.evaluated and norm.count > 1:
        var = norm.var * norm.count / (norm.count - 1)
        statistics.insert(0, (1 / np.sqrt(var + norm.eps), UNBIASED))
    statistics.append((1 / (np.sqrt(norm.var) + norm.eps), OUTSIDE))
    for inv_std, hint in statistics:
        x_hat = norm.x_hat(norm.mean, inv_std)
        if wrong.is_first:
            yield norm.dx(inv_std=inv_std, x_hat=x_hat), hint
            yield norm.dx(inv_std=inv_std), hint
        elif wrong.name == "weight":
            yield norm.dgamma(x_hat), hint
    if wrong.name == "weight" and norm.op == "batch_norm":
        yield np.ravel(norm.gamma) * wrong.right, "your dweight has the factor γ: it is the sum of dy·x̂ alone"
    if wrong.is_first and not norm.evaluated:
        yield from _dxs(norm)
        if norm.op == "batch_norm":
            yield from _of_factors(norm)
            yield from _of_x_hat(norm)


def _of_factors(norm):
    """The factor γ/√(σ² + ε) of dx, wrong."""
    inv_std = norm.inv_std()
    dx = norm.dx()
    yield dx * inv_std, "your dx has the factor 1/√(σ² + ε) twice: multiply by it once"
    yield dx / inv_std**2, "your dx is multiplied by √(σ² + ε): divide by it"
    yield dx / inv_std * norm.var, "your dx is multiplied by the variance: divide by its root, √(σ² + ε)"
    yield dx * norm.gamma, "your dx has the factor γ (weight) twice: multiply by it once"


def _of_x_hat(norm):
    """dx, where something else stands in −x̂·⟨dy·x̂⟩."""
    x_hat = norm.x_hat(norm.mean, norm.inv_std())
    for what, v in (("x − μ", norm.x - norm.mean), ("x", norm.x), ("y", norm.y())):
        for a, b in ((v, v), (v, x_hat), (x_hat, v)):
            terms = [h.mean(norm.axes, keepdims=True) for h in (norm.dy, norm.dy * b)]
            dx = norm.gamma * norm.inv_std() * (norm.dy - terms[0] - a * terms[1])
            yield dx, f"your −x̂·⟨dy·x̂⟩ has {what} where x̂ is meant, x̂ = (x − μ)/√(σ² + ε)"


def _dxs(norm):
    is_batch = norm.op.startswith("batch_norm")
    for factors, hint in SIGNS.items():
        if not is_batch:  # γ is no common factor there
            hint = hint.replace("dy", "g").replace(":", ", g = γ·dy:")
        yield norm.dx(factors), hint
    if is_batch and norm.tells_N:
        elements = norm.count / len(norm.x)
        yield norm.dx((elements, elements)), COUNTED.format(what="sums are")
        yield elements * norm.dx(), COUNTED.format(what="dx is")
    yield norm.count * norm.dx(), MEANS.format(axes=norm.over(norm.axes))
    for axes in norm.other_axes():
        part = np.prod([norm.grouped.shape[a] for a in axes]) / norm.count
        hint = f"your dx takes its means over {norm.over(axes)}: take them over {norm.over(norm.axes)}"
        yield norm.dx(mean_of=lambda a, axes=axes: a.mean(axes, keepdims=True)), hint
        yield norm.dx(mean_of=lambda a, axes=axes, part=part: a.mean(axes, keepdims=True) * part), hint
