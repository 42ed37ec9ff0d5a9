"""A convolution and the batch norm behind it as one op, which never makes the feature map between them."""

from minires import kernels
from minires.errors import ShapeError
from minires.kernels import Window
from minires.op import op
from minires.ops.norm_checks import RunningStats, check_channels, check_statistics


@op(needs=True)
def conv_norm(
    x,
    weight,
    gamma,
    beta,
    *,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    running_mean=None,
    running_var=None,
    training=False,
    momentum=0.1,
    eps=1e-5,
    relu=False,
):
    """y = γ·(z − μ)·s + β with z = w ⋆ x and s = 1/√(σ² + ε): batch_norm(conv2d(x, w)), and z is never made.

    With a = γ·s it is a convolution and a constant: y = (a·w) ⋆ x + (β − a·μ)  [Ioffe & Szegedy 2015, §3.1 and
    Alg. 2, for evaluation; the rest is derived from Alg. 1]. The gradients do not need z either. Let G = Σ ∂L/∂y·x,
    the dw of a convolution without norm. Then Σ ∂L/∂y·z = Σ w·G for each output channel, so
        ∂L/∂γ = s·(Σ w·G − μ·Σ ∂L/∂y)        ∂L/∂β = Σ ∂L/∂y.
    In evaluation μ and σ² are the running statistics, and constants:
        ∂L/∂x: that of a convolution with a·w        ∂L/∂w = a·G.

    In training they are the batch's. Let the convolution be 1×1, and W its weight as a matrix (O,C). Then z = W·x at
    each of the m pixels, and with the scatter matrix of the pixels, S = Σ (x − ⟨x⟩)(x − ⟨x⟩)ᵀ,
        μ = W·⟨x⟩        σ²_o = (W·S·Wᵀ)_oo/m.
    They depend on x and w. So z has two more ways to y, as x has in kernels/readable/norm.py:
        ∂L/∂z = a·∂L/∂y − b·W·(x − ⟨x⟩) − c
        through σ²: b = a·s·∂L/∂γ/m        through μ: c = a·⟨∂L/∂y⟩
        ∂L/∂x = Wᵀ·∂L/∂z        ∂L/∂W = a·G − b·W·S − c·m·⟨x⟩ᵀ.

    Where few channels become many, S is found in less time than z is written and read. In float32 y and dx are as exact
    as those of conv2d and batch_norm. The errors of dw and ∂L/∂γ are up to 1.5 and 4 times theirs (root mean square),
    because they are made of G, which is rounded.

    x (N,C,H,W), weight w (O,C/groups,KH,KW), gamma and beta (O,) -> y (N,O,OH,OW); kernels/readable/fused.py computes
    the sums. Settings and errors are those of conv2d and batch_norm. In training it raises ShapeError unless the
    convolution is 1×1 without stride, padding and groups.
    """
    win = Window.of(x.shape, weight.shape, stride, padding, dilation, groups, op="conv_norm")
    m = win.N * win.OH * win.OW
    count = kernels.batch_count(m)  # of the whole batch, of which x may be the part of one process
    running = RunningStats(running_mean, running_var, momentum)
    vectors = {"gamma": gamma, "beta": beta, "running_mean": running_mean, "running_var": running_var}
    check_channels("conv_norm", win.O, "y", **vectors)
    check_statistics("conv_norm", count, running, training, eps)
    W = mean_x = WS = None
    if training:
        if not win.is_pointwise or win.groups > 1:
            raise ShapeError(
                f"conv_norm: training needs a 1×1 convolution without stride, padding and groups, weight is "
                f"{weight.shape}, {stride=}, {padding=}, {groups=}; use batch_norm(conv2d(x, weight))"
            )
        W = weight[:, :, 0, 0]  # (O,C,1,1) -> (O,C)
        mean_x, S = kernels.scatter_matrix(x)
        WS = W @ S
        mean, var = kernels.joint_mean_var(m, W @ mean_x, (WS * W).sum(axis=1) / m)  # μ, σ²
        if running_mean is not None:
            kernels.update_running_stats(running_mean, running_var, mean, var, momentum, count)
    else:
        mean = running_mean.copy()  # because training may change it before backward runs
        var = running_var
    inv_std = kernels.inv_std(var, eps)  # s
    scale = gamma * inv_std  # a
    y = kernels.conv_affine(x, weight, win, scale, beta - scale * mean, relu)  # (a·w) ⋆ x + (β − a·μ)
    y_of_relu = y if relu else None  # without a ReLU backward must not keep y in memory

    def backward(dy, needs=(True, True, True, True)):
        if relu:
            dy = kernels.relu_dx(dy, y_of_relu)
        aw = _of_each_output(scale, weight) * weight  # a·w
        if not training and not any(needs[1:]):
            return kernels.conv_dx(dy, aw, win), None, None, None
        dx, G = kernels.conv_dx_dw(dy, x, aw, win) if needs[0] else (None, kernels.conv_dw(dy, x, win))
        dbeta, dy_z = kernels.product_sums(dy, weight, G)  # Σ ∂L/∂y, Σ w·G
        dgamma = inv_std * (dy_z - mean * dbeta)
        dw = _of_each_output(scale, G) * G
        if training:
            through_var = scale * inv_std * dgamma / m  # b
            through_mean = scale * dbeta / m  # c
            through_mean += through_var * (W @ mean_x - mean)  # 0 unless x is only a part of the batch
            dw -= (through_var[:, None] * WS + through_mean[:, None] * (m * mean_x)).reshape(weight.shape)
            if needs[0]:
                dx = kernels.add(dx, _dx_of_statistics(x, W, mean_x, through_var, through_mean), dx)
        return dx, dw, dgamma.astype(dy.dtype, copy=False), dbeta.astype(dy.dtype, copy=False)

    return y, backward


def _of_each_output(v, weight):
    """v (O,) beside a weight (O,C/groups,KH,KW), in its precision: (O,1,1,1)."""
    return v.astype(weight.dtype, copy=False).reshape(-1, 1, 1, 1)


def _dx_of_statistics(x, W, mean_x, b, c):
    """−Wᵀ·(b·W·(x − ⟨x⟩) + c) at every pixel, which is a 1×1 convolution of x and a constant."""
    WbW = W.T @ (b[:, None] * W)
    w = -WbW.astype(x.dtype, copy=False)[:, :, None, None]
    return kernels.conv_affine(x, w, Window.of(x.shape, w.shape), None, WbW @ mean_x - c @ W)
