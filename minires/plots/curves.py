"""Loss and error over epochs, and gradient norms over depth."""

import math

from minires.plots.files import as_text, block_ticks, finished, new_figure, plain_numbers, tidy, whole_numbers
from minires.plots.style import BLUE, STYLES, VERMILION, marked, several


def plot_curves(history, path=None, *, title=""):
    """Draw loss and error of training and test over the epochs of a history, the rows of a log. -> Figure

    Averaged weights, where there are any, have a third line.
    """
    figure = new_figure(9, 3.8)
    epochs = [row["epoch"] for row in history]
    left, right = figure.subplots(1, 2)
    lines = {"train": "train", "test": "test"} | ({"averaged": "ema"} if "ema_loss" in history[0] else {})
    for k, (name, column) in enumerate(lines.items()):
        style = {**STYLES[name], "markevery": marked(len(epochs), k)}
        errors = [100 * (1 - row[f"{column}_accuracy"]) for row in history]
        left.plot(epochs, [row[f"{column}_loss"] for row in history], **style, label=name)
        right.plot(epochs, errors, **style, label=f"{name}, last {errors[-1]:.2f} %")
    figure.suptitle(as_text(title), parse_math=False)  # a folder's name may hold a $
    left.set(xlabel="epoch", ylabel="cross-entropy")
    if any(0 < row[f"{split}_loss"] < math.inf for row in history for split in lines.values()):
        left.set_yscale("log")
        plain_numbers(left)
    right.set(xlabel="epoch", ylabel="error (%)", ylim=(0, 1.06 * right.dataLim.ymax or 1))
    for axes in (left, right):
        tidy(axes, legend="above")
        whole_numbers(axes.xaxis, epochs[0], epochs[-1])
    return finished(figure, path)


def plot_gradients(norms, path=None):
    """Draw {network name: gradient norm of each block}, with plain networks and ResNets in two panels. -> Figure"""
    figure = new_figure(9, 3.8)
    panels = figure.subplots(1, 2, sharey=True)
    deepest = max(map(len, norms.values()))
    for axes, kind, color, title in zip(
        panels, ("plain", "resnet"), (VERMILION, BLUE), ("without shortcuts", "with shortcuts")
    ):
        chosen = {name: values for name, values in norms.items() if name.startswith(kind)}
        for k, ((name, values), style) in enumerate(zip(chosen.items(), several(color, len(chosen)))):
            axes.plot(range(1, len(values) + 1), values, **style, markevery=marked(len(values), k))
            axes.annotate(
                name, (1, values[0]), xytext=(-6, 0), textcoords="offset points", ha="right", va="center", color=color
            )
        axes.set(xlabel="block, from the input to the loss", yscale="log", title=title, xticks=block_ticks(deepest))
        axes.set_xlim(1 - 0.28 * deepest, 1.03 * deepest)
        tidy(axes, legend=None)
    panels[0].set_ylabel("‖∂L/∂H‖ at the block's output")
    return finished(figure, path)
