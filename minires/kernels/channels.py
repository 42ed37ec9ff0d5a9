"""Sums and products by channel: what batch normalisation and a convolution's bias are made of."""

from functools import reduce

from minires.arrays import array_module, is_channels_last
from minires.kernels.workers import blocks, share

ROW = 512  # numbers that a row is folded to, so that few channels do not make short loops
TILE = 64  # rows added in x's own precision before float64 takes over: an error of at most TILE·u·Σ|x|


def per_channel(v, x):
    """v (C,) in x's dtype, shaped to meet x (N,C,H,W) in broadcasting.

    In channels-last memory it is repeated along W, so that NumPy's inner loop runs over W·C numbers and not over C.
    """
    v = v.astype(x.dtype, copy=False)
    if is_channels_last(x):
        W = x.shape[3]
        return array_module(x).tile(v, W).reshape(1, 1, W, -1).transpose(0, 3, 1, 2)  # (1,1,W,C) -> (1,C,1,W)
    return v.reshape(1, -1, 1, 1)


def channel_sums(function, *maps):
    """Σ over N, H and W of each map that function(*maps) returns, added up in float64 -> a (C,) float64 array for each.

    function is elementwise and is called on a few pictures at a time: what it makes never leaves the cache.
    channel_sums(lambda dy: (dy,), dy) is a bias's gradient. Complex maps give complex128.
    """
    def part(some):
        products = function(*(x[some] for x in maps))
        return array_module(*products).stack([_sum(x) for x in products])
    parts = share(part, blocks(maps[0]) or [slice(0, 0)])
    return tuple(reduce(lambda a, b: a + b, parts))


def _sum(x):
    xp = array_module(x)
    N, C, H, W = x.shape
    wide = xp.result_type(x.dtype, xp.float64)
    if not is_channels_last(x):
        return x.reshape(N, C, H * W).sum(axis=2).sum(axis=0, dtype=wide)
    # (N,C,H,W) -> (M,C), f of which make a row; a product with a row of ones adds up to TILE rows at once
    pixels = x.transpose(0, 2, 3, 1).reshape(-1, C)
    f = max(1, ROW // C)
    rows, whole = len(pixels) // f, len(pixels) // f // TILE * TILE
    tiles = xp.ones((1, TILE), x.dtype) @ pixels[:whole * f].reshape(-1, TILE, f * C)
    rest = xp.ones((1, rows - whole), x.dtype) @ pixels[whole * f:rows * f].reshape(-1, f * C)
    return ((tiles.sum(axis=0, dtype=wide) + rest).reshape(f, C).sum(axis=0)
            + pixels[rows * f:].sum(axis=0, dtype=wide))


def moments(x):
    """Mean and biased variance of each channel of x (N,C,H,W) -> (C,), (C,) in float64.

    Shifted data [Chan, Golub & LeVeque 1983, §1]: with s near the mean, d = x − s is exact or nearly so, and
    var = E[d²] − E[d]² loses nothing, where E[x²] − E[x]² loses everything once |mean| >> std.
    s is the mean of the first picture.
    """
    m = x.shape[0] * x.shape[2] * x.shape[3]
    shift = (_sum(x[:1]) / (x.shape[2] * x.shape[3])).astype(x.dtype)
    s = per_channel(shift, x)

    def powers(x):
        d = x - s
        return d, d * d
    first, second = channel_sums(powers, x)
    return shift + first / m, second / m - (first / m) ** 2
