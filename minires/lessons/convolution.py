"""The exercises of lesson 2: a convolution is im2col, and its backward is col2im."""

import numpy as np

from minires.lessons.exercise import exercise


@exercise("2.1", gives="columns")
def im2col(x, kernel_size, stride):
    """Put each window of one image x (C,H,W) into a column: x -> columns (C·K·K, OH·OW), K = kernel_size."""
    C, H, W = x.shape
    OH = (H - kernel_size) // stride + 1
    OW = (W - kernel_size) // stride + 1
    columns = np.zeros((C * kernel_size * kernel_size, OH * OW))
    for oh in range(OH):
        for ow in range(OW):
            h = oh * stride
            w = ow * stride
            columns[:, oh * OW + ow] = x[:, h : h + kernel_size, w : w + kernel_size].ravel()
    return columns


@im2col.draw
def _(rng):
    C, K = rng.integers(2, 5, 2).tolist()
    yield "the image of the example", (rng.standard_normal((2, 4, 5)), 3, 1)
    yield "a larger image", (rng.standard_normal((C, K + 3, K + 5)), K, 1)
    yield "stride 2", (rng.standard_normal((3, 7, 9)), 3, 2)
    yield "a stride that leaves rows and columns over", (rng.standard_normal((C, 8, 10)), 3, 3)
    yield "a kernel as large as the image", (rng.standard_normal((C, K, K)), K, 1)
    yield "a kernel of one element", (rng.standard_normal((C, 3, 4)), 1, 2)


@im2col.mistake
def _(x, kernel_size, stride):
    """your windows are the rows: each window belongs in a column, so transpose"""
    return im2col(x, kernel_size, stride).T


@im2col.mistake
def _(x, kernel_size, stride):
    """your windows ignore the stride: window (oh, ow) begins at row oh·stride and column ow·stride"""
    _, H, W = x.shape
    OH = (H - kernel_size) // stride + 1
    OW = (W - kernel_size) // stride + 1
    rows = x[:, : OH + kernel_size - 1, : OW + kernel_size - 1]
    return im2col(rows, kernel_size, 1)


@im2col.mistake
def _(x, kernel_size, stride):
    """your windows ignore the stride, and there are too many: OH = (H − K) // stride + 1"""
    return im2col(x, kernel_size, 1)


@im2col.mistake
def _(x, kernel_size, stride):
    """the channel runs fastest in your columns: it runs slowest, in the order (C,K,K)"""
    columns = im2col(x, kernel_size, stride)
    return columns.reshape(len(x), kernel_size**2, -1).transpose(1, 0, 2).reshape(columns.shape)


@im2col.mistake
def _(x, kernel_size, stride):
    """your windows are numbered column by column: the next window is the one to the right, oh·OW + ow"""
    columns = im2col(x, kernel_size, stride)
    OH = (x.shape[1] - kernel_size) // stride + 1
    return columns.reshape(len(columns), OH, -1).transpose(0, 2, 1).reshape(columns.shape)


@im2col.mistake
def _(x, kernel_size, stride):
    """your numbers are in the order (C,OH,OW,K,K): reshape does not transpose, bring the axes to (C,K,K,OH,OW) first"""
    columns = im2col(x, kernel_size, stride)
    OH = (x.shape[1] - kernel_size) // stride + 1
    parts = columns.reshape(len(x), kernel_size, kernel_size, OH, -1)
    return parts.transpose(0, 3, 4, 1, 2).reshape(columns.shape)


@im2col.mistake
def _(x, kernel_size, stride):
    """your numbers are in the order (OH,OW,C,K,K): reshape does not transpose, take the transpose of the windows"""
    columns = im2col(x, kernel_size, stride)
    return columns.T.reshape(columns.shape)


@im2col.mistake
def _(x, kernel_size, stride):
    """your windows are numbered oh·OH + ow: a row of windows has OW of them, so the number is oh·OW + ow"""
    columns = im2col(x, kernel_size, stride)
    OH = (x.shape[1] - kernel_size) // stride + 1
    OW = columns.shape[1] // OH
    numbered = np.zeros(columns.shape)
    for k in range(columns.shape[1]):
        numbered[:, k // OW * OH + k % OW] = columns[:, k]
    return numbered


@im2col.mistake
def _(x, kernel_size, stride):
    """your columns have the first channel only: a column has all channels, C·K·K numbers"""
    return im2col(x[:1], kernel_size, stride)


@im2col.mistake
def _(x, kernel_size, stride):
    """your channels are added up: a column keeps them apart, C·K·K numbers"""
    return im2col(x.sum(0, keepdims=True), kernel_size, stride)


@im2col.mistake
def _(x, kernel_size, stride):
    """your kernel's rows and columns are exchanged: inside a window the column index kw runs fastest"""
    columns = im2col(x, kernel_size, stride)
    parts = columns.reshape(len(x), kernel_size, kernel_size, -1)
    return parts.transpose(0, 2, 1, 3).reshape(columns.shape)


@im2col.mistake
def _(x, kernel_size, stride):
    """your windows are turned by 180°: the layer is a cross-correlation, and reads them as they are"""
    columns = im2col(x, kernel_size, stride)
    parts = columns.reshape(len(x), kernel_size**2, -1)
    return parts[:, ::-1].reshape(columns.shape)


@im2col.mistake
def _(x, kernel_size, stride):
    """your last row and column of windows are missing: there are (H − K) // stride + 1 windows below one another"""
    _, H, W = x.shape
    OH = (H - kernel_size) // stride
    OW = (W - kernel_size) // stride
    columns = im2col(x, kernel_size, stride)
    return columns.reshape(len(columns), OH + 1, OW + 1)[:, :OH, :OW].reshape(len(columns), OH * OW)


@exercise("2.2", gives="x")
def col2im(columns, shape, kernel_size, stride):
    """Add each column back to the window that it came from: columns (C·K·K, OH·OW) -> an image of this shape."""
    C, H, W = shape
    OH = (H - kernel_size) // stride + 1
    OW = (W - kernel_size) // stride + 1
    x = np.zeros(shape)
    for oh in range(OH):
        for ow in range(OW):
            h = oh * stride
            w = ow * stride
            window = columns[:, oh * OW + ow].reshape(C, kernel_size, kernel_size)
            x[:, h : h + kernel_size, w : w + kernel_size] += window
    return x


@col2im.draw
def _(rng):
    """Whole numbers, so that the adjoint identity can be held to without rounding."""
    for label, (x, kernel_size, stride) in im2col.cases(rng):
        columns = rng.integers(-9, 10, im2col(x, kernel_size, stride).shape).astype(float)
        yield label, (columns, x.shape, kernel_size, stride)


@col2im.remark
def _(x, columns, shape, kernel_size, stride):
    image = np.arange(np.prod(shape)).reshape(shape) % 7
    left = float(np.sum(im2col(image, kernel_size, stride) * columns))
    right = float(np.sum(image * x)) if x.shape == image.shape else left
    return f"for an image v, ⟨im2col(v), columns⟩ is {left:g}, and ⟨v, x⟩ is {right:g}" if left != right else ""


@col2im.mistake
def _(columns, shape, kernel_size, stride):
    """windows overlap, and the last one wins in your image: add (+=), do not assign (=)"""
    return _assigned(columns, shape, kernel_size, stride)


@col2im.mistake
def _(columns, shape, kernel_size, stride):
    """your image is a mean over the windows that overlap: the adjoint is their sum, it does not undo im2col"""
    counts = col2im(np.ones_like(columns), shape, kernel_size, stride)
    return col2im(columns, shape, kernel_size, stride) / np.maximum(counts, 1)


@col2im.mistake
def _(columns, shape, kernel_size, stride):
    """your windows ignore the stride: window (oh, ow) is added at row oh·stride and column ow·stride"""
    C, H, W = shape
    OH = (H - kernel_size) // stride + 1
    OW = (W - kernel_size) // stride + 1
    x = np.zeros(shape)
    x[:, : OH + kernel_size - 1, : OW + kernel_size - 1] = col2im(
        columns, (C, OH + kernel_size - 1, OW + kernel_size - 1), kernel_size, 1
    )
    return x


@col2im.mistake
def _(columns, shape, kernel_size, stride):
    """you read the windows from the rows of a column in the order (K,K,C): it is (C,K,K), as im2col writes them"""
    parts = columns.reshape(kernel_size, kernel_size, shape[0], -1).transpose(2, 0, 1, 3)
    return col2im(parts.reshape(columns.shape), shape, kernel_size, stride)


@col2im.mistake
def _(columns, shape, kernel_size, stride):
    """you take the windows column by column: column number oh·OW + ow is the window in row oh"""
    OW = (shape[2] - kernel_size) // stride + 1
    parts = columns.reshape(len(columns), OW, -1).transpose(0, 2, 1)
    return col2im(parts.reshape(columns.shape), shape, kernel_size, stride)


def _assigned(columns, shape, kernel_size, stride):
    C, _, W = shape
    OW = (W - kernel_size) // stride + 1
    x = np.zeros(shape)
    for k in range(columns.shape[1]):
        h = k // OW * stride
        w = k % OW * stride
        x[:, h : h + kernel_size, w : w + kernel_size] = columns[:, k].reshape(C, kernel_size, kernel_size)
    return x


@exercise("2.3", gives="dw")
def filter_gradient(dy, x, kernel_size, stride):
    """The gradient of the filters without padding, dW = dY·columnsᵀ: dy (O,OH,OW), x (C,H,W) -> dw (O,C,K,K)."""
    dW = dy.reshape(len(dy), -1) @ im2col(x, kernel_size, stride).T
    return dW.reshape(len(dy), len(x), kernel_size, kernel_size)


@filter_gradient.draw
def _(rng):
    for label, (x, kernel_size, stride) in im2col.cases(rng):
        _, H, W = x.shape
        OH = (H - kernel_size) // stride + 1
        OW = (W - kernel_size) // stride + 1
        filters = 2 if label == "the image of the example" else int(rng.integers(2, 6))
        yield label, (rng.standard_normal((filters, OH, OW)), x, kernel_size, stride)


@filter_gradient.mistake
def _(dy, x, kernel_size, stride):
    """the last window wins in your dw: each window adds its part (+=), because all of them used the filter"""
    window = im2col(x, kernel_size, stride)[:, -1].reshape(len(x), kernel_size, kernel_size)
    return dy[:, -1, -1].reshape(-1, 1, 1, 1) * window


@filter_gradient.mistake
def _(dy, x, kernel_size, stride):
    """your windows ignore the stride: output (oh, ow) saw the window at row oh·stride and column ow·stride"""
    OH, OW = dy.shape[1:]
    return filter_gradient(dy, x[:, : OH + kernel_size - 1, : OW + kernel_size - 1], kernel_size, 1)


@filter_gradient.mistake
def _(dy, x, kernel_size, stride):
    """your dw is a mean over the windows: the gradient of a filter is the sum over all of them"""
    return filter_gradient(dy, x, kernel_size, stride) / dy[0].size


@filter_gradient.mistake
def _(dy, x, kernel_size, stride):
    """your dw is turned by 180°: dw[kh, kw] belongs to the pixel at row kh and column kw of the window"""
    return filter_gradient(dy, x, kernel_size, stride)[:, :, ::-1, ::-1]


@filter_gradient.mistake
def _(dy, x, kernel_size, stride):
    """you reshape the columns to (OH·OW, C·K·K): reshape does not transpose, take columns.T"""
    columns = im2col(x, kernel_size, stride)
    dW = dy.reshape(len(dy), -1) @ columns.reshape(-1, len(columns))
    return dW.reshape(len(dy), len(x), kernel_size, kernel_size)


@filter_gradient.mistake
def _(dy, x, kernel_size, stride):
    """you reshape dy to (OH·OW, O): reshape does not transpose, reshape it to (O, OH·OW)"""
    dW = dy.reshape(-1, len(dy)).T @ im2col(x, kernel_size, stride).T
    return dW.reshape(len(dy), len(x), kernel_size, kernel_size)


@filter_gradient.mistake
def _(dy, x, kernel_size, stride):
    """your dW is (C·K·K, O) before the reshape, which does not transpose: take its transpose first"""
    dw = filter_gradient(dy, x, kernel_size, stride)
    return dw.reshape(len(dy), -1).T.reshape(dw.shape)


@filter_gradient.mistake
def _(dy, x, kernel_size, stride):
    """your kernel's rows and columns are exchanged: dw[o, c, kh, kw], with the column index kw last"""
    return filter_gradient(dy, x, kernel_size, stride).swapaxes(2, 3)


@filter_gradient.mistake
def _(dy, x, kernel_size, stride):
    """your dw is the sum over the filters: each filter has its own, made of its own dy[o]"""
    return filter_gradient(dy, x, kernel_size, stride).sum(0)


@filter_gradient.mistake
def _(dy, x, kernel_size, stride):
    """filters and channels are exchanged in your dw: it is (O,C,K,K), the filter first"""
    return filter_gradient(dy, x, kernel_size, stride).swapaxes(0, 1)


@filter_gradient.mistake
def _(dy, x, kernel_size, stride):
    """you read a row of dW in the order (K,K,C): it is (C,K,K), as im2col writes the columns"""
    dw = filter_gradient(dy, x, kernel_size, stride)
    return dw.reshape(len(dy), kernel_size, kernel_size, len(x)).transpose(0, 3, 1, 2)


@filter_gradient.mistake
def _(dy, x, kernel_size, stride):
    """your dw has the shape of W, (O, C·K·K): give it that of the filters, (O,C,K,K)"""
    return filter_gradient(dy, x, kernel_size, stride).reshape(len(dy), -1)


@filter_gradient.mistake
def _(dy, x, kernel_size, stride):
    """your dw ignores dy: multiply each window by the dy of its output"""
    return filter_gradient(np.ones_like(dy), x, kernel_size, stride)
