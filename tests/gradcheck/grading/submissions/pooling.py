"""Pooling, with the ways to divide dy at a tie."""

from submissions.table import Table

TABLE = Table()

POOL = """
def max_pool(x, size=2, s=None, pad=0):
    s = s or size
    N, C, H, W = x.shape
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), constant_values=-np.inf)
    OH, OW = (H + 2 * pad - size) // s + 1, (W + 2 * pad - size) // s + 1
    y = np.zeros((N, C, OH, OW))
    for i in range(OH):
        for j in range(OW):
            y[:, :, i, j] = xp[:, :, i * s:i * s + size, j * s:j * s + size].max((2, 3))
    def backward(dy):
        dx = np.zeros_like(xp)
        for i in range(OH):
            for j in range(OW):
                window = xp[:, :, i * s:i * s + size, j * s:j * s + size]
                mask = window == y[:, :, i, j][:, :, None, None]
                TIES
                dx[:, :, i * s:i * s + size, j * s:j * s + size] += mask * dy[:, :, i, j][:, :, None, None]
        return dx[:, :, pad:pad + H, pad:pad + W]
    return y, backward
"""
SHARED = POOL.replace("TIES", "mask = mask / mask.sum((2, 3), keepdims=True)")
BLANK = """
def max_pool(x, size=2, s=None, pad=0):
    y = None
    return y, lambda dy: None
"""
TABLE.with_mistakes(
    "pool, equal shares at ties", "max_pool2d", "max_pool", SHARED, ("size] += mask", "size] = mask"), BLANK
)

TABLE.add("pool, all of dy to each at ties", "max_pool2d", "max_pool", POOL.replace("TIES", "pass"), "failed")

FIRST = POOL.replace(
    "TIES", "flat = mask.reshape(N, C, -1); mask = (np.cumsum(flat, 2) * flat == 1).reshape(mask.shape)"
)
TABLE.add("pool, the first at ties", "max_pool2d", "max_pool", FIRST)

TABLE.add("pool, padded with zeros", "max_pool2d", "max_pool", FIRST.replace("-np.inf", "0"), "failed")
TABLE.add(
    "pool, its maximum begins with 0",
    "max_pool2d",
    "max_pool",
    FIRST.replace(".max((2, 3))", ".max((2, 3), initial=0)"),
    "failed",
)

CS231N_POOL = """
def max_pool_forward_naive(x, pool_param):
    ph, pw, s = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    N, C, H, W = x.shape
    out = np.zeros((N, C, (H - ph) // s + 1, (W - pw) // s + 1))
    for i in range(out.shape[2]):
        for j in range(out.shape[3]):
            out[:, :, i, j] = np.max(x[:, :, i * s:i * s + ph, j * s:j * s + pw], axis=(2, 3))
    return out, (x, pool_param)

def max_pool_backward_naive(dout, cache):
    x, pool_param = cache
    ph, pw, s = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    dx = np.zeros_like(x)
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            for i in range(dout.shape[2]):
                for j in range(dout.shape[3]):
                    part = x[n, c, i * s:i * s + ph, j * s:j * s + pw]
                    a, b = np.unravel_index(part.argmax(), part.shape)
                    dx[n, c, i * s + a, j * s + b] += dout[n, c, i, j]
    return dx
"""
BLANK = """
def max_pool_forward_naive(x, pool_param):
    out = None
    return out, (x, pool_param)
def max_pool_backward_naive(dout, cache):
    return None
"""
TABLE.with_mistakes(
    "CS231n pool",
    "max_pool2d",
    "max_pool_forward_naive,max_pool_backward_naive",
    CS231N_POOL,
    [
        ("j * s + b] +=", "j * s + b] ="),
        ('pool_param["pool_width"], pool_param["stride"]', 'pool_param["pool_width"], pool_param["pool_height"]'),
    ],
    BLANK,
)

CEILED = POOL.replace("pad=0)", "pad=0, ceil_mode=False)").replace(
    "TIES", "mask = mask / mask.sum((2, 3), keepdims=True)"
)
CEILED = CEILED.replace("(pad, pad), (pad, pad))", "(pad, pad + s * ceil_mode), (pad, pad + s * ceil_mode))")
CEILED = CEILED.replace("- size) //", "- size + (s - 1) * ceil_mode) //")
CEILED = CEILED.replace(
    "    y = np", "    OH, OW = OH - ((OH - 1) * s >= H + pad), OW - ((OW - 1) * s >= W + pad)\n    y = np", 1
)
TABLE.with_mistakes(
    "pool that rounds up, where it is asked to",
    "max_pool2d",
    "max_pool",
    CEILED,
    [("(s - 1) * ceil_mode", "0 * ceil_mode")],
)

AVERAGE = """
class AvgPool:
    def __init__(self, kernel_size, stride=None, padding=0):
        self.k, self.s, self.p = kernel_size, stride or kernel_size, padding
    def forward(self, x):
        k, s, p = self.k, self.s, self.p
        self.shape = x.shape
        xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        self.padded = xp.shape
        OH, OW = (xp.shape[2] - k) // s + 1, (xp.shape[3] - k) // s + 1
        return np.stack([np.stack([xp[:, :, i * s:i * s + k, j * s:j * s + k].mean((2, 3)) for j in range(OW)], -1) for i in range(OH)], 2)
    def backward(self, grad):
        k, s, p = self.k, self.s, self.p
        dx = np.zeros(self.padded)
        for i in range(grad.shape[2]):
            for j in range(grad.shape[3]):
                dx[:, :, i * s:i * s + k, j * s:j * s + k] += grad[:, :, i, j][:, :, None, None] / k ** 2
        return dx[:, :, p:p + self.shape[2], p:p + self.shape[3]]
"""
TABLE.with_mistakes("class of a pool", "avg_pool2d", "AvgPool", AVERAGE, ("/ k ** 2", "/ k"))

SOURCE = """
def pool_forward(A_prev, hparameters):
    m, H, W, C = A_prev.shape
    f, s = hparameters["f"], hparameters["stride"]
    out = np.zeros((m, (H-f)//s+1, (W-f)//s+1, C))
    for i in range(out.shape[1]):
        for j in range(out.shape[2]):
            out[:, i, j] = A_prev[:, i*s:i*s+f, j*s:j*s+f].max((1, 2))
    return out, (A_prev, hparameters)
def pool_backward(dA, cache):
    A_prev, hparameters = cache
    f, s = hparameters["f"], hparameters["stride"]
    dx = np.zeros_like(A_prev)
    for i in range(dA.shape[1]):
        for j in range(dA.shape[2]):
            w = A_prev[:, i*s:i*s+f, j*s:j*s+f]
            mask = w == w.max((1, 2), keepdims=True)
            dx[:, i*s:i*s+f, j*s:j*s+f] += mask / mask.sum((1,2),keepdims=True) * dA[:, i, j][:, None, None]
    return dx
"""
TABLE.add("NHWC pool NG", "max_pool2d", "pool_forward,pool_backward", SOURCE)

SOURCE = """
def maxpool2x2(x):
    N, C, H, W = x.shape
    r = x[:, :, :H//2*2, :W//2*2].reshape(N, C, H//2, 2, W//2, 2)
    y = r.max((3, 5))
    def backward(dy):
        m = r == y[:, :, :, None, :, None]
        m = m / m.sum((3,5), keepdims=True)
        dx = np.zeros_like(x)
        dx[:, :, :H//2*2, :W//2*2] = (m * dy[:, :, :, None, :, None]).reshape(N, C, H//2*2, W//2*2)
        return dx
    return y, backward
"""
TABLE.add("fixed 2x2 pool", "max_pool2d", "maxpool2x2", SOURCE)

SOURCE = """
def gap(x):
    N, C, H, W = x.shape
    return x.mean((2,3),keepdims=True), lambda dy: np.broadcast_to(dy/(H*W), x.shape).copy()
"""
TABLE.add("global avg pool", "adaptive_avg_pool2d", "gap", SOURCE)

TILES = """
def max_pool_forward(x, pool_param):
    N, C, H, W = x.shape
    h, w, s = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    assert h == w == s, "Invalid pool params"
    assert H % h == 0 and W % w == 0
    tiles = x.reshape(N, C, H // h, h, W // w, w)
    return tiles.max((3, 5)), tiles

def max_pool_backward(dout, cache):
    tiles = cache
    mask = tiles == tiles.max((3, 5), keepdims=True)
    mask = mask / mask.sum((3, 5), keepdims=True)
    N, C, H, h, W, w = tiles.shape
    return (mask * dout[:, :, :, None, :, None]).reshape(N, C, H * h, W * w)
"""
TABLE.with_mistakes(
    "CS231n pool by reshape, which refuses windows that overlap",
    "max_pool2d",
    "max_pool_forward,max_pool_backward",
    TILES,
    [
        ("mask = mask / mask.sum((3, 5), keepdims=True)", "mask = mask / mask.sum(5, keepdims=True)"),
        ("assert H % h == 0", "assert H == 6 and H % h == 0"),
    ],
)

FIXED = SHARED.replace("size=2, s=None, pad=0):", "):\n    size, s, pad = 3, 2, 1").replace("    s = s or size\n", "")
TABLE.with_mistakes("3×3 pool of stride 2 and padding 1 inside", "max_pool2d", "max_pool", FIXED, ("-np.inf", "99"))

CUT = """
def max_pool(x):
    N, C, H, W = x.shape
    tiles = x.reshape(N, C, H // 2, 2, W // 2, 2)
    y = tiles.max((3, 5))
    def backward(dy):
        mask = tiles == tiles.max((3, 5), keepdims=True)
        mask = mask / mask.sum((3, 5), keepdims=True)
        return (mask * dy[:, :, :, None, :, None]).reshape(x.shape)
    return y, backward
"""
TABLE.with_mistakes(
    "2×2 pool by reshape, which cannot cut an odd size",
    "max_pool2d",
    "max_pool",
    CUT,
    [
        ("mask = mask / mask.sum((3, 5), keepdims=True)", "mask = mask / mask.sum(5, keepdims=True)"),
        ("N, C, H // 2, 2, W // 2, 2", "N, C, 2, H // 2, W // 2, 2"),
        ("C, H // 2, 2, W // 2, 2)\n", "C, H // 2, 2, W // 2, 2 + (H == 6))\n"),
    ],
)
