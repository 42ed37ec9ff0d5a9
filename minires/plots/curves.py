"""Curves over epochs and over depth."""

from minires.plots.files import new_figure, tidy, write


def plot_curves(history, path, *, title=""):
    """Draw loss and error by epoch, training and test, into a PNG; history is a list of the log's rows (dicts)."""
    figure = new_figure(9, 3.6)
    epochs = [row["epoch"] for row in history]
    marker = "o" if len(epochs) < 3 else None  # a line through one point shows nothing
    left, right = figure.subplots(1, 2)
    for part, style in (("train", "--"), ("test", "-")):
        left.plot(epochs, [row[f"{part}_loss"] for row in history], style, color="C0", marker=marker, label=part)
        errors = [100 * (1 - row[f"{part}_accuracy"]) for row in history]
        right.plot(epochs, errors, style, color="C3", marker=marker, label=f"{part}, last {errors[-1]:.2f} %")
    left.set(xlabel="epoch", ylabel="cross-entropy", yscale="log", title=title)
    right.set(xlabel="epoch", ylabel="error (%)", ylim=(0, None))
    for axes in (left, right):
        tidy(axes)
        axes.xaxis.get_major_locator().set_params(integer=True)
    write(figure, path)


def plot_gradients(norms, path):
    """Draw {network name: gradient norm by block} over relative depth into a PNG, plain nets against ResNets."""
    figure = new_figure(9, 3.6)
    for axes, kind, color, note in zip(figure.subplots(1, 2, sharey=True), ("plain", "resnet"), ("C3", "C0"),
                                       ("without shortcuts", "with shortcuts")):
        chosen = {name: values for name, values in norms.items() if name.startswith(kind)}
        for i, (name, values) in enumerate(chosen.items()):
            axes.plot(range(1, len(values) + 1), values, color=color, alpha=(i + 1) / len(chosen), label=name)
        axes.set(xlabel="block, from the input to the loss", yscale="log", title=note)
        tidy(axes)
    figure.axes[0].set_ylabel("‖∂L/∂H‖ at the block's output")
    write(figure, path)
