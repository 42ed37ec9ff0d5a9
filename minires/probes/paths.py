"""The gradient at a block's input as a sum of two parts: one came through the shortcut, one through the branch."""

import copy
import math
from dataclasses import dataclass, field

import numpy as np

from minires import ops
from minires.arrays import array_module, to_device
from minires.mode import complex_step
from minires.models.blocks import Block, PadShortcut
from minires.nn import BatchNorm2d, Conv2d, Identity, Module, Sequential
from minires.tensor import Tensor

STEP = 1e-20


@dataclass
class BlockGradient:
    """The gradient at one block H(x), with g = ∂L/∂H: the norms of g and of the two parts of ∂L/∂x, and the parts.

    H = relu(S(x) + F(x)) with the shortcut S and J_F = ∂F/∂x. The gradient behind the ReLU is m = mask ⊙ g, and

        ∂L/∂x = Sᵀ·m + J_Fᵀ·m  [He et al. 2015].

    Without a ReLU after the add, m = g [He et al. 2016].
    """

    name: str
    formula: str  # of ∂L/∂x, for this kind of block
    upstream: float  # ‖g‖
    identity: float | None  # ‖Sᵀ·m‖; None in a plain block
    branch: float  # ‖J_Fᵀ·m‖
    total: float  # ‖∂L/∂x‖
    cosine: float | None  # of the angle between the two parts; None if one of them is missing or 0
    rounding: float  # ‖Sᵀ·m + J_Fᵀ·m − ∂L/∂x‖ / ‖∂L/∂x‖, with ∂L/∂x from the whole network's backward
    block: Block = field(repr=False)
    x: np.ndarray = field(repr=False)
    m: np.ndarray = field(repr=False)
    branch_part: np.ndarray = field(repr=False)  # J_Fᵀ·m
    identity_part: np.ndarray | None = field(repr=False)  # Sᵀ·m


def residual_paths(model, images, labels):
    """A BlockGradient for each block of a network, first block first, from one batch.

    images (N,C,H,W), labels (N,). The network is copied to float64, and runs in the mode it is in.
    """
    model = copy.deepcopy(model).to(np.float64)
    kept = []

    def keep(block, inputs, output):
        inputs[0].retain_grad()
        output.retain_grad()
        kept.append((block, inputs[0], output))

    removers = [m.register_forward_hook(keep) for m in model.modules() if isinstance(m, Block)]
    # it requires a gradient, so that the first block's input has one even without a stem
    x = Tensor(array_module(images).asarray(images, dtype=float), requires_grad=True)
    ops.cross_entropy(model(x), labels).backward()
    for remove in removers:
        remove()
    names = {id(module): name for name, module in model.named_modules()}
    return [_block_gradient(names[id(block)], block, x, h) for block, x, h in kept]


def _block_gradient(name, block, x, h):
    g, dx = h.grad, x.grad
    m = g * (h.data > 0) if block.ends_in_relu else g
    branch = _pull_back(block.branch, x.data, m)
    identity = None if block.downsample is None else _pull_back(block.shortcut, x.data, m)
    total = branch if identity is None else identity + branch
    lengths = None if identity is None else _norm(identity) * _norm(branch)
    cosine = float((identity * branch).sum()) / lengths if lengths else None
    return BlockGradient(
        name,
        _formula(block),
        _norm(g),
        None if identity is None else _norm(identity),
        _norm(branch),
        _norm(dx),
        cosine,
        _relative(_norm(total - dx), _norm(dx)),
        block,
        x.data,
        m,
        branch,
        identity,
    )


def _pull_back(function, x, m):
    """Jᵀ·m for J the derivative of a function of Tensors at x."""
    x = Tensor(x, requires_grad=True)
    y = function(x)
    if y is x:  # the identity
        return m
    y.backward(m)
    return x.grad


def _norm(a):
    return math.sqrt(float((a * a).sum()))


def _relative(difference, size):
    """difference/size; 0/0 is 0, and NaN becomes infinity, because max() could ignore a NaN."""
    if difference == 0:
        return 0.0
    return difference / size if size and not math.isnan(difference / size) else math.inf


def _formula(block):
    what = "J_F" if block.downsample is None else f"({_derivative(block)} + J_F)"
    return f"{what}ᵀ·{'(mask ⊙ g)' if block.ends_in_relu else 'g'}"


def _derivative(block):
    """The symbol of ∂S/∂x: I for the identity, P for padding, W_s for a projection, J_S for any other shortcut."""
    if getattr(block, "projects", False):  # a projection of relu(norm(x))
        return "J_S"
    shortcut = block.downsample
    kinds = {type(module) for module in shortcut.modules()} if isinstance(shortcut, Module) else {None}
    if kinds <= {Identity, Sequential}:
        return "I"
    if kinds <= {PadShortcut, Identity, Sequential}:
        return "P"
    return "W_s" if kinds <= {Conv2d, BatchNorm2d, Identity, Sequential} else "J_S"


def branch_by_jvp(gradient, rng, directions=2):
    """The error of a BlockGradient's branch part, by Jacobian-vector products that use the branch's forward only.

    ⟨J_F·v, m⟩ = ⟨v, J_Fᵀ·m⟩ must hold for any v. J_F·v is measured by the complex step, always on the CPU.
    -> the largest difference, relative to ‖v‖·‖J_Fᵀ·m‖/√size, which is the size of ⟨v, J_Fᵀ·m⟩ for a random v.
    """
    rng = np.random.default_rng(rng)
    worst = 0.0
    block = copy.deepcopy(gradient.block).to("cpu")
    x, m, branch_part = (to_device(a, "cpu") for a in (gradient.x, gradient.m, gradient.branch_part))
    for _ in range(directions):
        v = rng.standard_normal(x.shape)
        moved = Tensor(x)
        moved.data = x + 1j * STEP * v
        with complex_step():
            jvp = block.branch(moved).data.imag / STEP
        difference = abs(float((jvp * m).sum() - (v * branch_part).sum()))
        worst = max(worst, _relative(difference, _norm(v) * _norm(branch_part) / math.sqrt(v.size)))
    return worst
