"""The figure of the ratios of times."""

from minires.plots.files import finished, new_figure, tidy
from minires.plots.style import BLUE, GREEN, MARKERS, VERMILION

DIRECTIONS = ("forward", "dx", "dw")
ROW = 0.27  # inches
COLORS = {"torch": BLUE, "dezero": VERMILION, "mygrad": GREEN}


def plot_speed(ratios, path=None):
    """Draw {workload: {rival: {"median": …, "low": …, "high": …}}} into a file: medians and their spread. -> Figure

    The axis is logarithmic: twice as fast and half as fast are equally far from 1. A convolution is timed forward, for
    dx and for dw: it has one row with three markers, in a panel of its own.
    """
    rows = {}
    for workload, rivals in ratios.items():
        name, _, direction = workload.rpartition("/")
        name, direction = (name, direction) if direction in DIRECTIONS else (workload, "")
        for rival, found in rivals.items():
            rows.setdefault(name, []).append((rival, direction, found))
    split = {name for name, points in rows.items() if any(direction for _, direction, _ in points)}
    panels = [[name for name in rows if name not in split], [name for name in rows if name in split]]
    panels = [names for names in panels if names]
    figure = new_figure(4.3 * len(panels) + 1, 1.4 + ROW * max(map(len, panels)))
    rivals = list(dict.fromkeys(rival for points in rows.values() for rival, _, _ in points))
    for axes, names in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels):
        _draw(axes, [(name, rows[name]) for name in names], rivals)
    figure.supxlabel("their time (or memory) / minires': above 1 minires is ahead", fontsize="medium")
    return finished(figure, path)


def _draw(axes, rows, rivals):
    kinds = [(rival, direction) for rival in rivals for direction in ("", *DIRECTIONS)]
    labelled = set()
    for y, (_, points) in enumerate(rows):
        for k, (rival, direction, found) in enumerate(sorted(points, key=lambda point: kinds.index(point[:2]))):
            text = ", ".join(filter(None, ("" if direction and len(rivals) == 1 else f"against {rival}", direction)))
            offset = 0.24 * (k - (len(points) - 1) / 2)
            median = found["median"]
            axes.errorbar(
                median,
                y + offset,
                xerr=[[median - found["low"]], [found["high"] - median]],
                fmt=MARKERS[("", *DIRECTIONS).index(direction) % len(MARKERS)],
                markersize=4.5,
                lw=1,
                color=COLORS.get(rival, "0.3"),
                label=None if text in labelled else text,
            )
            labelled.add(text)
    axes.axvline(1, color="0.2", lw=1)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(range(len(rows)), [name for name, _ in rows], fontsize=9)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    tidy(axes, legend="above", ncols=3 if len(rivals) == 1 else 2)
