"""conv2d as two functions with a cache, as CS231n has it."""

from submissions.table import Table

TABLE = Table()

CS231N = """
def conv_forward_naive(x, w, b, conv_param):
    out = None
    s, p = conv_param["stride"], conv_param["pad"]
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), mode="constant")
    out = np.zeros((N, F, 1 + (H + 2 * p - HH) // s, 1 + (W + 2 * p - WW) // s))
    for n in range(N):
        for f in range(F):
            for i in range(out.shape[2]):
                for j in range(out.shape[3]):
                    out[n, f, i, j] = np.sum(xp[n, :, i * s:i * s + HH, j * s:j * s + WW] * w[f]) + b[f]
    cache = (x, w, b, conv_param)
    return out, cache

def conv_backward_naive(dout, cache):
    dx, dw, db = None, None, None
    x, w, b, conv_param = cache
    s, p = conv_param["stride"], conv_param["pad"]
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), mode="constant")
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    for n in range(N):
        for f in range(F):
            for i in range(dout.shape[2]):
                for j in range(dout.shape[3]):
                    dw[f] += dout[n, f, i, j] * xp[n, :, i * s:i * s + HH, j * s:j * s + WW]
                    dxp[n, :, i * s:i * s + HH, j * s:j * s + WW] += dout[n, f, i, j] * w[f]
    dx = dxp[:, :, p:p + H, p:p + W]
    db = dout.sum(axis=(0, 2, 3))
    return dx, dw, db
"""
BLANK_CS231N = """
def conv_forward_naive(x, w, b, conv_param):
    out = None
    # YOUR CODE HERE
    cache = (x, w, b, conv_param)
    return out, cache

def conv_backward_naive(dout, cache):
    dx, dw, db = None, None, None
    return dx, dw, db
"""
PAIR = "conv_forward_naive,conv_backward_naive"
FITS = CS231N.replace(
    "    xp =", '    assert (H + 2 * p - HH) % s == 0 and (W + 2 * p - WW) % s == 0, "does not fit"\n    xp =', 1
)
TABLE.with_mistakes(
    "CS231n pair that refuses rows left over", "conv2d", PAIR, FITS, ("% s == 0 and", "% s == 0 == s - 1 and")
)
SAYS = (
    FITS.replace("assert (", "if (")
    .replace("== 0 and", "or")
    .replace(' == 0, "does not fit"', ':\n        raise ValueError(f"stride {s} does not fit")')
)
TABLE.with_mistakes(
    "CS231n pair that raises for rows left over", "conv2d", PAIR, SAYS, ("dw[f] += dout", "dw[f] = dout")
)

TABLE.with_mistakes(
    "CS231n pair",
    "conv2d",
    PAIR,
    CS231N,
    [
        ("dw[f] += dout", "dw[f] = dout"),
        ('s, p = conv_param["stride"],', "s, p = 1,"),
        ('= cache\n    s, p = conv_param["stride"],', "= cache\n    s, p = 1,"),
        ("axis=(0, 2, 3)", "axis=(0, 2)"),
    ],
    BLANK_CS231N,
)

TABLE.add("CS231n, forward named alone", "conv2d", "conv_forward_naive", CS231N)

TABLE.add("CS231n, backward named alone", "conv2d", "conv_backward_naive", CS231N)

TABLE.add(
    "CS231n, forward done, backward blank",
    "conv2d",
    PAIR,
    CS231N[: CS231N.index("def conv_backward")] + BLANK_CS231N[BLANK_CS231N.index("def conv_backward") :],
    "not done",
)
