"""Images beside each other, with a title above each."""

import numpy as np

from minires.plots.files import finished, new_figure

SIDE = 0.62  # inches of an image
TITLE = 0.2  # inches above it
FONT = 8
DPI = 200


def plot_images(images, titles=(), columns=8, path=None):
    """Draw images (N,C,H,W), of 1 or 3 channels, in rows of so many. -> Figure

    Bytes (uint8) are from 0 to 255. Other numbers may have any range: the smallest of all images is black, the largest
    white. titles: what stands above each image.
    """
    images = np.asarray(images)
    shown = images if images.dtype == np.uint8 else _as_bytes(images)
    columns = max(1, min(columns, len(shown)))
    rows = -(-len(shown) // columns)
    height = SIDE * shown.shape[2] / shown.shape[3] + (TITLE if len(titles) else 0.05)
    figure = new_figure(SIDE * columns + 0.1, height * rows + 0.1)
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    grid = figure.subplots(rows, columns, squeeze=False).flat
    for k, axes in enumerate(grid):
        axes.axis("off")
        if k < len(shown):
            axes.imshow(shown[k].transpose(1, 2, 0), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        if k < min(len(shown), len(titles)):
            axes.set_title(str(titles[k]), fontsize=FONT, pad=2)
    return finished(figure, path, DPI)


def _as_bytes(images):
    """The range of all images together as 0 … 255."""
    low = images.min()
    span = (images.max() - low) or 1
    return np.round((images - low) * (255 / span)).astype(np.uint8)
