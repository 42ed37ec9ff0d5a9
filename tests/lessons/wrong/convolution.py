"""Wrong answers to the exercises of lesson 2."""

import numpy as np
from planted_answers import wrong


@wrong("2.1", "transpose")
def im2col(x, kernel_size, stride):
    _, H, W = x.shape
    rows = []
    for i in range(0, H - kernel_size + 1, stride):
        for j in range(0, W - kernel_size + 1, stride):
            rows.append(x[:, i : i + kernel_size, j : j + kernel_size].flatten())
    return np.array(rows)


@wrong("2.1", "stride")
def im2col(x, kernel_size, stride):  # noqa: F811 - the name is what the exercise asks for
    _, H, W = x.shape
    out_h = (H - kernel_size) // stride + 1
    out_w = (W - kernel_size) // stride + 1
    cols = []
    for i in range(out_h):
        for j in range(out_w):
            cols.append(x[:, i : i + kernel_size, j : j + kernel_size].reshape(-1))
    return np.stack(cols, axis=1)


@wrong("2.1", "channel runs fastest")
def im2col(x, kernel_size, stride):  # noqa: F811 - as above
    image = np.transpose(x, (1, 2, 0))
    cols = []
    for i in range(0, x.shape[1] - kernel_size + 1, stride):
        for j in range(0, x.shape[2] - kernel_size + 1, stride):
            cols.append(image[i : i + kernel_size, j : j + kernel_size].ravel())
    return np.array(cols).T


@wrong("2.1", "missing")
def im2col(x, kernel_size, stride):  # noqa: F811 - as above
    C, H, W = x.shape
    cols = []
    for i in range((H - kernel_size) // stride):
        for j in range((W - kernel_size) // stride):
            a, b = i * stride, j * stride
            cols.append(x[:, a : a + kernel_size, b : b + kernel_size].ravel())
    return np.array(cols).reshape(-1, C * kernel_size * kernel_size).T


@wrong("2.1", "180°")
def im2col(x, kernel_size, stride):  # noqa: F811 - as above
    cols = []
    for i in range(0, x.shape[1] - kernel_size + 1, stride):
        for j in range(0, x.shape[2] - kernel_size + 1, stride):
            window = x[:, i : i + kernel_size, j : j + kernel_size]
            cols.append(window[:, ::-1, ::-1].ravel())
    return np.array(cols).T


@wrong("2.1", "int")
def im2col(x, kernel_size, stride):  # noqa: F811 - as above
    C, H, W = x.shape
    out_h = (H - kernel_size) // stride + 1
    out_w = (W - kernel_size) // stride + 1
    cols = np.zeros((C * kernel_size**2, out_h * out_w), dtype=int)
    for k in range(out_h * out_w):
        i, j = k // out_w * stride, k % out_w * stride
        cols[:, k] = x[:, i : i + kernel_size, j : j + kernel_size].ravel()
    return cols


@wrong("2.1", "constants")
def im2col(x, kernel_size, stride):  # noqa: F811 - as above
    cols = np.zeros((18, 6))
    for k in range(6):
        i, j = k // 3, k % 3
        cols[:, k] = x[:2, i : i + 3, j : j + 3].ravel()
    return cols


@wrong("2.2", "do not assign")
def col2im(columns, shape, kernel_size, stride):
    C, H, W = shape
    image = np.zeros(shape)
    k = 0
    for i in range(0, H - kernel_size + 1, stride):
        for j in range(0, W - kernel_size + 1, stride):
            image[:, i : i + kernel_size, j : j + kernel_size] = columns[:, k].reshape(C, kernel_size, kernel_size)
            k += 1
    return image


@wrong("2.2", "mean")
def col2im(columns, shape, kernel_size, stride):  # noqa: F811 - as above
    C, H, W = shape
    image = np.zeros(shape)
    times = np.zeros(shape)
    k = 0
    for i in range(0, H - kernel_size + 1, stride):
        for j in range(0, W - kernel_size + 1, stride):
            image[:, i : i + kernel_size, j : j + kernel_size] += columns[:, k].reshape(C, kernel_size, kernel_size)
            times[:, i : i + kernel_size, j : j + kernel_size] += 1
            k += 1
    times[times == 0] = 1
    return image / times


@wrong("2.2", "stride")
def col2im(columns, shape, kernel_size, stride):  # noqa: F811 - as above
    C, _, W = shape
    out_w = (W - kernel_size) // stride + 1
    image = np.zeros(shape)
    for k in range(columns.shape[1]):
        i, j = k // out_w, k % out_w
        image[:, i : i + kernel_size, j : j + kernel_size] += columns[:, k].reshape(C, kernel_size, kernel_size)
    return image


@wrong("2.2", "column by column")
def col2im(columns, shape, kernel_size, stride):  # noqa: F811 - as above
    C, H, W = shape
    image = np.zeros(shape)
    k = 0
    for j in range(0, W - kernel_size + 1, stride):
        for i in range(0, H - kernel_size + 1, stride):
            image[:, i : i + kernel_size, j : j + kernel_size] += columns[:, k].reshape(C, kernel_size, kernel_size)
            k += 1
    return image


@wrong("2.3", "the last window wins")
def filter_gradient(dy, x, kernel_size, stride):
    O, OH, OW = dy.shape
    dw = np.zeros((O, x.shape[0], kernel_size, kernel_size))
    for o in range(O):
        for i in range(OH):
            for j in range(OW):
                h, w = i * stride, j * stride
                dw[o] = dy[o, i, j] * x[:, h : h + kernel_size, w : w + kernel_size]
    return dw


@wrong("2.3", "ignore the stride")
def filter_gradient(dy, x, kernel_size, stride):  # noqa: F811 - as above
    O, OH, OW = dy.shape
    dw = np.zeros((O, x.shape[0], kernel_size, kernel_size))
    for kh in range(kernel_size):
        for kw in range(kernel_size):
            dw[:, :, kh, kw] = np.einsum("ohw,chw->oc", dy, x[:, kh : kh + OH, kw : kw + OW])
    return dw


@wrong("2.3", "exchanged")
def filter_gradient(dy, x, kernel_size, stride):  # noqa: F811 - as above
    O, OH, OW = dy.shape
    C = len(x)
    dw = np.zeros((C, O, kernel_size, kernel_size))
    for i in range(OH):
        for j in range(OW):
            window = x[:, i * stride : i * stride + kernel_size, j * stride : j * stride + kernel_size]
            dw += window[:, None] * dy[:, i, j].reshape(1, O, 1, 1)
    return dw


@wrong("2.3", "mean over the windows")
def filter_gradient(dy, x, kernel_size, stride):  # noqa: F811 - as above
    _, OH, OW = dy.shape
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel_size, kernel_size), (1, 2))
    windows = windows[:, ::stride, ::stride]
    return np.einsum("ohw,chwkl->ockl", dy, windows) / (OH * OW)


@wrong("2.3", "shape of W")
def filter_gradient(dy, x, kernel_size, stride):  # noqa: F811 - as above
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel_size, kernel_size), (1, 2))
    columns = windows[:, ::stride, ::stride].transpose(1, 2, 0, 3, 4).reshape(dy[0].size, -1)
    return dy.reshape(len(dy), -1) @ columns


@wrong("2.4", "padding once")
def cost(C, H, W, O, kernel_size, stride, padding):
    oh = (H - kernel_size + padding) // stride + 1
    ow = (W - kernel_size + padding) // stride + 1
    return oh, ow, oh * ow * C * O * kernel_size**2


@wrong("2.4", "round up")
def cost(C, H, W, O, kernel_size, stride, padding):  # noqa: F811 - as above
    oh = int(np.ceil((H - kernel_size + 2 * padding) / stride)) + 1
    ow = int(np.ceil((W - kernel_size + 2 * padding) / stride)) + 1
    return oh, ow, oh * ow * C * O * kernel_size**2


@wrong("2.4", "lacks the channels")
def cost(C, H, W, O, kernel_size, stride, padding):  # noqa: F811 - as above
    oh = (H - kernel_size + 2 * padding) // stride + 1
    ow = (W - kernel_size + 2 * padding) // stride + 1
    return oh, ow, oh * ow * O * kernel_size**2


@wrong("2.4", "one multiply-add")
def cost(C, H, W, O, kernel_size, stride, padding):  # noqa: F811 - as above
    oh = (H - kernel_size + 2 * padding) // stride + 1
    ow = (W - kernel_size + 2 * padding) // stride + 1
    return oh, ow, 2 * oh * ow * C * O * kernel_size**2


@wrong("2.4", "pixels of the image")
def cost(C, H, W, O, kernel_size, stride, padding):  # noqa: F811 - as above
    oh = (H - kernel_size + 2 * padding) // stride + 1
    ow = (W - kernel_size + 2 * padding) // stride + 1
    return [oh, ow, H * W * C * O * kernel_size * kernel_size]


@wrong("2.1", "(C,OH,OW,K,K)")
def im2col(x, kernel_size, stride):  # noqa: F811 - as above
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel_size, kernel_size), (1, 2))[:, ::stride, ::stride]
    return windows.reshape(len(x) * kernel_size**2, -1)


@wrong("2.1", "(OH,OW,C,K,K)")
def im2col(x, kernel_size, stride):  # noqa: F811 - as above
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel_size, kernel_size), (1, 2))[:, ::stride, ::stride]
    return windows.transpose(1, 2, 0, 3, 4).reshape(len(x) * kernel_size**2, -1)


@wrong("2.1", "in the shape")
def im2col(x, kernel_size, stride):  # noqa: F811 - as above
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel_size, kernel_size), (1, 2))[:, ::stride, ::stride]
    return windows.transpose(0, 3, 4, 1, 2).reshape(len(x), kernel_size**2, -1)


@wrong("2.1", "the first channel only")
def im2col(x, kernel_size, stride):  # noqa: F811 - as above
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel_size, kernel_size), (1, 2))[:, ::stride, ::stride]
    return windows[0].transpose(2, 3, 0, 1).reshape(kernel_size**2, -1)


@wrong("2.1", "your channels are added up")
def im2col(x, kernel_size, stride):  # noqa: F811 - as above
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel_size, kernel_size), (1, 2))[:, ::stride, ::stride]
    return windows.sum(0).transpose(2, 3, 0, 1).reshape(kernel_size**2, -1)


@wrong("2.1", "oh·OH + ow")
def im2col(x, kernel_size, stride):  # noqa: F811 - as above
    C, H, W = x.shape
    OH = (H - kernel_size) // stride + 1
    OW = (W - kernel_size) // stride + 1
    cols = np.zeros((C * kernel_size**2, OH * OW))
    for i in range(OH):
        for j in range(OW):
            a, b = i * stride, j * stride
            cols[:, i * OH + j] = x[:, a : a + kernel_size, b : b + kernel_size].ravel()
    return cols


@wrong("2.3", "take columns.T")
def filter_gradient(dy, x, kernel_size, stride):  # noqa: F811 - as above
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel_size, kernel_size), (1, 2))[:, ::stride, ::stride]
    columns = windows.transpose(0, 3, 4, 1, 2).reshape(len(x) * kernel_size**2, -1)
    dY = dy.reshape(len(dy), -1)
    return (dY @ columns.reshape(-1, len(columns))).reshape(len(dy), len(x), kernel_size, kernel_size)


@wrong("2.3", "reshape it to (O, OH·OW)")
def filter_gradient(dy, x, kernel_size, stride):  # noqa: F811 - as above
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel_size, kernel_size), (1, 2))[:, ::stride, ::stride]
    columns = windows.transpose(0, 3, 4, 1, 2).reshape(len(x) * kernel_size**2, -1)
    return (dy.reshape(-1, len(dy)).T @ columns.T).reshape(len(dy), len(x), kernel_size, kernel_size)


@wrong("2.3", "take its transpose first")
def filter_gradient(dy, x, kernel_size, stride):  # noqa: F811 - as above
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel_size, kernel_size), (1, 2))[:, ::stride, ::stride]
    columns = windows.transpose(0, 3, 4, 1, 2).reshape(len(x) * kernel_size**2, -1)
    dY = dy.reshape(len(dy), -1)
    return (columns @ dY.T).reshape(len(dy), len(x), kernel_size, kernel_size)


@wrong("2.3", "rows and columns are exchanged")
def filter_gradient(dy, x, kernel_size, stride):  # noqa: F811 - as above
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel_size, kernel_size), (1, 2))[:, ::stride, ::stride]
    columns = windows.transpose(0, 3, 4, 1, 2).reshape(len(x) * kernel_size**2, -1)
    dY = dy.reshape(len(dy), -1)
    return (dY @ columns.T).reshape(len(dy), len(x), kernel_size, kernel_size).transpose(0, 1, 3, 2)


@wrong("2.3", "sum over the filters")
def filter_gradient(dy, x, kernel_size, stride):  # noqa: F811 - as above
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel_size, kernel_size), (1, 2))[:, ::stride, ::stride]
    columns = windows.transpose(0, 3, 4, 1, 2).reshape(len(x) * kernel_size**2, -1)
    dY = dy.reshape(len(dy), -1)
    return (dY.sum(0) @ columns.T).reshape(len(x), kernel_size, kernel_size)


@wrong("2.3", "where do you use stride")
def filter_gradient(dy, x, kernel_size, stride):  # noqa: F811 - as above
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel_size, kernel_size), (1, 2))
    return np.einsum("ohw,chwkl->ockl", dy, windows)
