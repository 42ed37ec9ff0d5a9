"""Written for one sample, with a forward that does not fail on a batch."""

from submissions.table import Table

TABLE = Table()

SOURCE = """
def softmax(z):
    e = np.exp(z - np.max(z))
    return e / np.sum(e)
def softmax_backward(dout, z):
    s = softmax(z)
    return (np.diag(s) - np.outer(s, s)).dot(dout)
"""
TABLE.with_mistakes(
    "softmax of one sample", "softmax", "softmax,softmax_backward", SOURCE, ("np.outer(s, s)", "np.outer(s, z)")
)

SOURCE = """
def cross_entropy(z, t):
    p = np.exp(z - z.max())
    p /= p.sum()
    return -np.sum(t * np.log(p)), p - t
"""
TABLE.with_mistakes("cross entropy of one one-hot sample", "cross_entropy", "cross_entropy", SOURCE, ("p - t", "t - p"))

SOURCE = """
def layer_norm(x, gamma, beta, eps=1e-5):
    s = np.sqrt(x.var() + eps)
    x_hat = (x - x.mean()) / s
    def backward(dy):
        d = dy * gamma
        return (d - d.mean() - x_hat * (d * x_hat).mean()) / s, dy * x_hat, dy
    return gamma * x_hat + beta, backward
"""
TABLE.with_mistakes("layer norm of one sample", "layer_norm", "layer_norm", SOURCE, ("d - d.mean()", "d"))

SOURCE = """
def softmax(x):
    e = np.exp(x - x.max())
    s = e / e.sum()
    return s, lambda dy: s * (dy - (dy * s).sum())
"""
TABLE.add("softmax over the whole array", "softmax", "softmax", SOURCE, "failed")
