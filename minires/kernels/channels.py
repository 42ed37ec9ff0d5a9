"""Sums and products by channel: what batch normalisation and a convolution's bias are made of."""

from minires.arrays import array_module, is_channels_last

TILE = 256  # rows added in x's own precision before float64 takes over: an error of at most TILE·u·Σ|x|


def per_channel(v, x):
    """v (C,) shaped to meet x (N,C,H,W) in broadcasting.

    In channels-last memory it is repeated along W, so that NumPy's inner loop runs over W·C numbers and not over C.
    """
    if is_channels_last(x):
        W = x.shape[3]
        return array_module(x).tile(v, W).reshape(1, 1, W, -1).transpose(0, 3, 1, 2)  # (1,1,W,C) -> (1,C,1,W)
    return v.reshape(1, -1, 1, 1)


def channel_sum(x):
    """Σ over N, H and W of x (N,C,H,W), added up in float64 -> (C,) float64 (complex128 for complex x)."""
    xp = array_module(x)
    N, C, H, W = x.shape
    wide = xp.result_type(x.dtype, xp.float64)
    if not is_channels_last(x):
        return x.reshape(N, C, H * W).sum(axis=2).sum(axis=0, dtype=wide)
    # (N,C,H,W) -> (M,C); a product with a row of ones adds TILE rows at once
    rows = x.transpose(0, 2, 3, 1).reshape(-1, C)
    whole = len(rows) // TILE * TILE
    tiles = xp.ones((1, TILE), x.dtype) @ rows[:whole].reshape(-1, TILE, C)
    return tiles.sum(axis=(0, 1), dtype=wide) + rows[whole:].sum(axis=0, dtype=wide)


def centred(x):
    """x − mean, mean and biased variance of each channel of x (N,C,H,W) -> (N,C,H,W), (C,), (C,).

    Shifted data [Chan, Golub & LeVeque 1983, §1]: with s near the mean, d = x − s is exact or nearly so, and
    var = E[d²] − E[d]² loses nothing, where E[x²] − E[x]² loses everything once |mean| >> std.
    s is the mean of the first picture, rounded to x's precision; mean and variance are float64.
    """
    m = x.shape[0] * x.shape[2] * x.shape[3]
    shift = x[0].mean(axis=(1, 2))
    d = x - per_channel(shift, x)
    mean_d = channel_sum(d) / m
    var = channel_sum(d * d) / m - mean_d * mean_d
    d -= per_channel(mean_d.astype(x.dtype), x)
    return d, shift + mean_d, var
