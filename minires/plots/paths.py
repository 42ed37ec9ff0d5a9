"""The two parts of the gradient at each block, over depth."""

from minires.plots.files import block_ticks, finished, new_figure, tidy
from minires.plots.style import STYLES, marked


def plot_paths(networks, path=None):
    """Draw {network name: list of probes.BlockGradient} into a file: the gradient norms of each block. -> Figure"""
    figure = new_figure(4.8 * len(networks), 4.2)
    panels = figure.subplots(1, len(networks), sharey=True, squeeze=False)[0]
    for axes, (name, blocks) in zip(panels, networks.items()):
        _draw(axes, blocks)
        axes.set_title(f"{name}:  ∂L/∂x = {blocks[-1].formula}", fontsize="medium")
        axes.set(xlabel="block, from the input to the loss", yscale="log", xticks=block_ticks(len(blocks)))
        tidy(axes)
    panels[0].set_ylabel("norm of the gradient")
    return finished(figure, path)


def _draw(axes, blocks):
    x = range(1, len(blocks) + 1)
    plain = blocks[-1].identity is None
    changes = [i for i, b in zip(x, blocks) if b.x.shape != b.m.shape]
    axes.plot(x, [b.upstream for b in blocks], **STYLES["arriving"], zorder=4, label="‖g‖ = ‖∂L/∂H‖, arriving")
    axes.plot(
        x,
        [b.total for b in blocks],
        color="0.78",
        lw=5,
        solid_capstyle="round",
        label="‖∂L/∂x‖, leaving" + ("" if plain else ": both together"),
    )
    if not plain:
        axes.plot(
            x,
            [b.identity for b in blocks],
            **STYLES["shortcut"],
            markevery=marked(len(x)),
            label="through the shortcut",
        )
    axes.plot(
        x, [b.branch for b in blocks], **STYLES["branch"], markevery=marked(len(x), 1), label="through the branch F"
    )
    for i in changes:
        axes.axvline(i, color="0.92", lw=6, zorder=0, label="the shape changes" if i == changes[0] else None)
