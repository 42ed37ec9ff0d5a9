"""conv2d as a function: with a closure, a backward alone, and gradients in a dict."""

from submissions.table import Table

TABLE = Table()

CONV = """
def conv2d(x, w, b=None, stride=1, padding=0):
    N, C, H, W = x.shape
    O, _, KH, KW = w.shape
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    OH, OW = (H + 2 * padding - KH) // stride + 1, (W + 2 * padding - KW) // stride + 1
    y = np.zeros((N, O, OH, OW))
    for i in range(OH):
        for j in range(OW):
            window = xp[:, :, i * stride:i * stride + KH, j * stride:j * stride + KW]
            y[:, :, i, j] = np.einsum("nckl,ockl->no", window, w)
    if b is not None:
        y += b[:, None, None]

    def backward(dy):
        dxp, dw = np.zeros_like(xp), np.zeros_like(w)
        for i in range(OH):
            for j in range(OW):
                at = np.s_[:, :, i * stride:i * stride + KH, j * stride:j * stride + KW]
                dxp[at] += np.einsum("no,ockl->nckl", dy[:, :, i, j], w)
                dw += np.einsum("no,nckl->ockl", dy[:, :, i, j], xp[at])
        dx = dxp[:, :, padding:padding + H, padding:padding + W]
        return (dx, dw) if b is None else (dx, dw, dy.sum((0, 2, 3)))
    return y, backward
"""
BLANK = """
def conv2d(x, w, b=None, stride=1, padding=0):
    raise NotImplementedError
"""
TABLE.with_mistakes(
    "closure",
    "conv2d",
    "conv2d",
    CONV,
    [
        ("dw += np", "dw = np"),
        ("dy.sum((0, 2, 3))", "dy.mean((0, 2, 3))"),
        ("dxp[at] +=", "dxp[at] ="),
        ("padding:padding + H, padding:padding + W", ":H, :W"),
    ],
    BLANK,
)

NO_BIAS = CONV.replace("b=None, ", "").replace("    if b is not None:\n        y += b[:, None, None]\n", "")
NO_BIAS = NO_BIAS.replace("(dx, dw) if b is None else (dx, dw, dy.sum((0, 2, 3)))", "dx, dw")
PADDED = "xp = np.pad("
TABLE.with_mistakes(
    "closure without bias",
    "conv2d",
    "conv2d",
    NO_BIAS,
    [
        (PADDED, 'if stride != 1: raise ValueError("stride")\n    xp = np.pad('),
        (PADDED, "if padding: undefined\n    xp = np.pad("),
        ("np.zeros_like(xp)", "np.zeros_like(x)"),
    ],
)

CALLED = CONV.replace("conv2d(x, w, b=None, stride=1, padding=0)", "my_conv(image, kernel, bias=None, step=1, pad=0)")
CALLED = CALLED.replace("    N, C", "    x, w, b, stride, padding = image, kernel, bias, step, pad\n    N, C", 1)
BLANK = """
def my_conv(image, kernel, bias=None, step=1, pad=0):
    ...
"""
TABLE.with_mistakes(
    "other names",
    "conv2d",
    "my_conv",
    CALLED,
    (
        "at = np.s_[:, :, i * stride:i * stride + KH, j * stride:j * stride + KW]",
        "at = np.s_[:, :, i:i + KH, j:j + KW]",
    ),
    BLANK,
)

BACKWARD = """
def conv2d_backward(DY, x, w, b, stride=1, padding=0):
    N, C, H, W = x.shape
    O, _, KH, KW = w.shape
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    for i in range(DY.shape[2]):
        for j in range(DY.shape[3]):
            at = np.s_[:, :, i * stride:i * stride + KH, j * stride:j * stride + KW]
            dxp[at] += np.einsum("no,ockl->nckl", DY[:, :, i, j], w)
            dw += np.einsum("no,nckl->ockl", DY[:, :, i, j], xp[at])
    return dxp[:, :, padding:padding + H, padding:padding + W], dw, DY.sum((0, 2, 3))
"""
for upstream in ("dy", "dout", "grad_output", "g"):
    TABLE.with_mistakes(
        f"alone, {upstream} first",
        "conv2d",
        "conv2d_backward",
        BACKWARD.replace("DY", upstream),
        (
            f'dw += np.einsum("no,nckl->ockl", {upstream}[:, :, i, j]',
            'dw += np.einsum("no,nckl->ockl", 1 + 0 * ' + f"{upstream}[:, :, i, j]",
        ),
    )

LAST = BACKWARD.replace("(DY, x, w, b, stride=1, padding=0)", "(x, w, b, DY, stride=1, padding=0)")
for upstream in ("dout", "g", "upstream_grad"):
    TABLE.with_mistakes(
        f"alone, {upstream} last",
        "conv2d",
        "conv2d_backward",
        LAST.replace("DY", upstream),
        ("padding:padding + H, padding:padding + W", "0:H, 0:W"),
    )

SOURCE = """
def conv2d_backward(dout, x, w, b, stride=1, padding=0):
    pass
"""
TABLE.add("alone, blank", "conv2d", "conv2d_backward", SOURCE, "not done")

DICT = (
    BACKWARD.replace("DY", "dout")
    .replace("return dxp", 'return {"dx": dxp')
    .replace("W], dw, dout.sum((0, 2, 3))", 'W], "dw": dw, "db": dout.sum((0, 2, 3))}')
)
BLANK = """
def conv2d_backward(dout, x, w, b, stride=1, padding=0):
    return {'dx': None, 'dw': None, 'db': None}
"""
TABLE.with_mistakes("dict of gradients", "conv2d", "conv2d_backward", DICT, ('"dw": dw', '"dw": dw / len(x)'), BLANK)

FLOAT32 = CONV.replace("np.zeros((N, O, OH, OW))", "np.zeros((N, O, OH, OW), np.float32)").replace(
    "np.zeros_like(xp), np.zeros_like(w)", "np.zeros(xp.shape, np.float32), np.zeros(w.shape, np.float32)"
)
TABLE.with_mistakes("float32 inside", "conv2d", "conv2d", FLOAT32, ("dw += np", "dw += 1.001 * np"))

SOURCE = """
def conv(x, w, b, stride, padding):
    (sh, sw), (ph, pw) = stride, padding
    xp = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    KH, KW = w.shape[2:]
    OH, OW = (xp.shape[2] - KH) // sh + 1, (xp.shape[3] - KW) // sw + 1
    at = [(k, l, np.s_[:, :, k:k + OH * sh:sh, l:l + OW * sw:sw]) for k in range(KH) for l in range(KW)]
    y = sum(np.einsum("nchw,oc->nohw", xp[s][:, :, :OH, :OW], w[:, :, k, l]) for k, l, s in at) + b[:, None, None]
    def backward(dy):
        dxp, dw = np.zeros_like(xp), np.zeros_like(w)
        for k, l, s in at:
            dxp[s][:, :, :OH, :OW] += np.einsum("nohw,oc->nchw", dy, w[:, :, k, l])
            dw[:, :, k, l] = np.einsum("nohw,nchw->oc", dy, xp[s][:, :, :OH, :OW])
        return dxp[:, :, ph:ph + x.shape[2], pw:pw + x.shape[3]], dw, dy.sum((0, 2, 3))
    return y, backward
"""
TABLE.add("pairs only", "conv2d", "conv", SOURCE)

TABLE.add(
    "arguments in another order",
    "conv2d",
    "conv_backward",
    BACKWARD.replace("DY", "dout")
    .replace("conv2d_backward(dout, x, w, b,", "conv_backward(dout, w, b, x,")
    .replace(
        "return dxp[:, :, padding:padding + H, padding:padding + W], dw, dout.sum((0, 2, 3))",
        "return dw, dout.sum((0, 2, 3)), dxp[:, :, padding:padding + H, padding:padding + W]",
    ),
)

SOURCE = """
def conv(x, w, stride=1, padding=0): return conv2d(x, w, None, stride, padding)
"""
TABLE.add("conv without bias", "conv2d", "conv", CONV + SOURCE)

SOURCE = """
def conv(x, w, b=None, **kw):
    return conv2d(x, w, b, kw.get("stride", 1), kw.get("padding", 0))
"""
TABLE.add("kwargs", "conv2d", "conv", CONV + SOURCE)

SAME = """
def conv3x3(x, w, b):
    H, W = x.shape[2:]
    xp = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    y = b[None, :, None, None] + sum(
        np.einsum("nchw,oc->nohw", xp[:, :, i:i + H, j:j + W], w[:, :, i, j]) for i in range(3) for j in range(3)
    )
    def backward(dy):
        dxp, dw = np.zeros_like(xp), np.zeros_like(w)
        for i in range(3):
            for j in range(3):
                dxp[:, :, i:i + H, j:j + W] += np.einsum("nohw,oc->nchw", dy, w[:, :, i, j])
                dw[:, :, i, j] = np.einsum("nohw,nchw->oc", dy, xp[:, :, i:i + H, j:j + W])
        return dxp[:, :, 1:-1, 1:-1], dw, dy.sum((0, 2, 3))
    return y, backward
"""
TABLE.with_mistakes(
    "3×3 with a padding of 1 inside",
    "conv2d",
    "conv3x3",
    SAME,
    [("1:-1, 1:-1", ":-2, :-2"), ("(1, 1)))", "(1, 1)), mode='edge')"), ("range(3) for j", "range(2) for j")],
)

RETURNED = "(dx, dw) if b is None else (dx, dw, dy.sum((0, 2, 3)))"
for names, dict_ in (
    ("the parameters' names", '{"image": dx, "noyau": dw, "biais": dy.sum((0, 2, 3))}'),
    ("d and the parameters' names", '{"d_image": dx, "dnoyau": dw, "dbiais": dy.sum((0, 2, 3))}'),
):
    source = CONV.replace(RETURNED, dict_).replace("conv2d(x, w, b=None,", "conv2d(image, noyau, biais,")
    source = source.replace("    N, C", "    x, w, b = image, noyau, biais\n    N, C", 1)
    TABLE.with_mistakes(f"a dict by {names}", "conv2d", "conv2d", source, ("dw += np", "dw = np"))
    TABLE.add(f"a dict by {names}, one unknown", "conv2d", "conv2d", source.replace('biais"', 'q"'), "could not run")

NESTED = CONV.replace(RETURNED, "(dx, (dw,)) if b is None else (dx, (dw, dy.sum((0, 2, 3))))")
TABLE.with_mistakes("nested gradients", "conv2d", "conv2d", NESTED, ("(dw, dy.sum", "(0 * dw, dy.sum"))

LISTS = CONV.replace(RETURNED, "[g.tolist() for g in (dx, dw, dy.sum((0, 2, 3)))][: 2 + (b is not None)]")
LISTS = LISTS.replace("return y, b", "return y.tolist(), b")
TABLE.with_mistakes("y and gradients as lists", "conv2d", "conv2d", LISTS, ("dw += np", "dw = np"))

TABLE.with_mistakes(
    "convolution by lists, which has no empty batch",
    "conv2d",
    "conv",
    """
def conv(x, w, b):
    KH, KW = w.shape[2:]
    H, W = x.shape[2] - KH + 1, x.shape[3] - KW + 1
    y = np.array([[[[(image[:, i:i+KH, j:j+KW] * f).sum() + c for j in range(W)] for i in range(H)]
                   for f, c in zip(w, b)] for image in x])
    def backward(dy):
        dx, dw = np.zeros(x.shape), np.zeros(w.shape)
        for i in range(H):
            for j in range(W):
                dx[:, :, i:i+KH, j:j+KW] += np.einsum("no,ocij->ncij", dy[:, :, i, j], w)
                dw += np.einsum("no,ncij->ocij", dy[:, :, i, j], x[:, :, i:i+KH, j:j+KW])
        return dx, dw, dy.sum((0, 2, 3))
    return y, backward
""",
    ("dw +=", "dw ="),
)
