"""What stands in a row in many networks, as one op each, with fewer maps made and read than by one op after another.

kernels/readable/fused.py has the sums that conv_norm is made of.
Networks need not call these. They call their layers by way of nn.chain, which puts these in their place where the
result is the same.
"""

from minires import kernels
from minires.errors import ShapeError
from minires.kernels import Window
from minires.op import op
from minires.ops.norm import as_map, batch_norm_gradients, check_norm, statistics
from minires.ops.residual import check_same_shape


@op
def batch_norm_relu(x, weight, bias, *, running_mean=None, running_var=None, training=False, momentum=0.1, eps=1e-5):
    """y = max(γ·x̂ + β, 0): relu(batch_norm(x)) in one pass over memory, to the same bits.

    Its gradients are batch_norm's, with ∂L/∂y taken as 0 where y = 0. Shapes, settings and errors are batch_norm's.
    """
    shape = x.shape
    x = as_map("batch_norm_relu", x)
    mean, inv_std = statistics("batch_norm_relu", x, weight, bias, running_mean, running_var, training, momentum, eps)
    y = kernels.normalize(x, mean, inv_std, weight, bias, True)

    def backward(dy):
        dy = kernels.relu_dx(dy.reshape(x.shape), y)
        dx, dw, db = batch_norm_gradients(dy, x, mean, inv_std, weight, training, out=dy)
        return dx.reshape(shape), dw, db

    return y.reshape(shape), backward


@op
def residual_add_relu(x, f):
    """y = max(x + f, 0): relu(residual_add(x, f)) in one pass over memory, to the same bits.

    ∂L/∂x = ∂L/∂f = ∂L/∂y where y > 0, else 0. Shapes and errors are residual_add's.
    """
    check_same_shape("residual_add_relu", x, f)
    y = kernels.add_relu(x, f)

    def backward(dy):
        dh = kernels.relu_dx(dy, y)
        return dh, dh

    return y, backward


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

    With a = γ·s it is a convolution again, and a constant: y = (a·w) ⋆ x + (β − a·μ)  [Ioffe & Szegedy 2015, §3.1 and
    Alg. 2, for evaluation; what follows for training is derived from Alg. 1]. Nor do its gradients need z. Let
    G = Σ ∂L/∂y·x be what a convolution without norm would call dw, then for each output channel Σ ∂L/∂y·z = Σ w·G, so
        ∂L/∂γ = s·(Σ w·G − μ·Σ ∂L/∂y)        ∂L/∂β = Σ ∂L/∂y
    and in evaluation, where μ and σ² are running statistics and constants,
        ∂L/∂x: that of a convolution with a·w        ∂L/∂w = a·G.

    In training they are the batch's. z = W·x at each of the m pixels of a 1×1 convolution, so that they follow from x:
        μ = W·⟨x⟩        σ²_o = (W·S·Wᵀ)_oo/m        S = Σ (x − ⟨x⟩)(x − ⟨x⟩)ᵀ, the scatter matrix of the pixels,
    and as they depend on x and w, ∂L/∂z = a·∂L/∂y − b·W·(x − ⟨x⟩) − c with b = a·s·∂L/∂γ/m and c = a·⟨∂L/∂y⟩:
        ∂L/∂x = Wᵀ·∂L/∂z        ∂L/∂W = a·G − b·W·S − c·m·⟨x⟩ᵀ.
    Where few channels become many, S is found in less time than z is written and read. In float32 y and dx are as exact
    as those of conv2d and batch_norm; the errors of dw and ∂L/∂γ are up to 1.5 and 4 times theirs (root mean square),
    for they are made of G, which is rounded.

    x (N,C,H,W), weight w (O,C/groups,KH,KW), gamma and beta (O,) -> y (N,O,OH,OW). Settings and errors are those of
    conv2d and batch_norm, and ShapeError in training for what is no 1×1 convolution without stride, padding and groups.
    """
    win = Window.of(x.shape, weight.shape, stride, padding, dilation, groups, op="conv_norm")
    m = win.N * win.OH * win.OW
    count = check_norm(
        "conv_norm",
        f"weight has {win.O} output channels",
        win.O,
        m,
        gamma,
        beta,
        running_mean,
        running_var,
        training,
        momentum,
        eps,
    )
    W = mean_x = WS = None
    if training:
        if not win.is_pointwise or win.groups > 1:
            raise ShapeError(
                f"conv_norm: training needs a 1×1 convolution without stride, padding and groups, weight is "
                f"{weight.shape}, {stride=}, {padding=}, {groups=}; use batch_norm(conv2d(x, weight))"
            )
        W = weight[:, :, 0, 0]
        mean_x, S = kernels.scatter_matrix(x)
        WS = W @ S
        mean, var = kernels.joint_mean_var(m, W @ mean_x, (WS * W).sum(axis=1) / m)
        if running_mean is not None:
            kernels.update_running_stats(running_mean, running_var, mean, var, momentum, count)
    else:
        mean = running_mean.copy()
        var = running_var  # a copy, for training changes it in place before some backward
    s = kernels.inv_std(var, eps)
    a = gamma * s
    y = kernels.conv_affine(x, weight, win, a, beta - a * mean, relu)
    rectified = y if relu else None  # backward keeps what it names, and without a ReLU it needs no y

    def backward(dy, needs=(True, True, True, True)):
        if relu:
            dy = kernels.relu_dx(dy, rectified)
        aw = a.astype(weight.dtype, copy=False).reshape(-1, 1, 1, 1) * weight
        if not training and not any(needs[1:]):
            return kernels.conv_dx(dy, aw, win), None, None, None
        dx, G = kernels.conv_dx_dw(dy, x, aw, win) if needs[0] else (None, kernels.conv_dw(dy, x, win))
        dbeta, dy_z = kernels.product_sums(dy, weight, G)  # Σ ∂L/∂y, Σ ∂L/∂y·z
        dgamma = s * (dy_z - mean * dbeta)
        dw = a.astype(G.dtype, copy=False).reshape(-1, 1, 1, 1) * G
        if training:
            b = a * s * dgamma / m
            c = a * dbeta / m + b * (W @ mean_x - mean)  # what is added is 0 unless x is only a part of the batch
            dw -= (b[:, None] * WS + c[:, None] * (m * mean_x)).reshape(weight.shape)
            if needs[0]:
                dx = kernels.add(dx, _statistics_terms(x, W.T @ (b[:, None] * W), mean_x, c @ W), dx)
        return dx, dw, dgamma.astype(dy.dtype, copy=False), dbeta.astype(dy.dtype, copy=False)

    return y, backward


def _statistics_terms(x, WbW, mean_x, Wc):
    """−Wᵀ·b·W·(x − ⟨x⟩) − Wᵀ·c at every pixel, which is a 1×1 convolution of x and a constant."""
    w = -WbW.astype(x.dtype, copy=False)[:, :, None, None]
    return kernels.conv_affine(x, w, Window.of(x.shape, w.shape), None, WbW @ mean_x - Wc)
