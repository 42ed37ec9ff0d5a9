"""How much faster, or slower: ratios of times."""

from minires.plots.files import new_figure, tidy, write

COLORS = {"torch": "C1", "dezero": "C2", "mygrad": "C4"}


def plot_speed(ratios, path):
    """Draw {workload: {rival: {"median": …, "low": …, "high": …}}} into a PNG, as bars from 1 on, with their spread.

    The axis is logarithmic: twice as fast and half as fast are equally far from 1.
    """
    bars = [(name, rival, found) for name, rivals in ratios.items() for rival, found in rivals.items()]
    several = len({rival for _, rival, _ in bars}) > 1
    figure = new_figure(8, 1.2 + 0.26 * len(bars))
    axes = figure.subplots()
    for rival in dict.fromkeys(rival for _, rival, _ in bars):
        own = [(y, found) for y, (_, other, found) in enumerate(bars) if other == rival]
        medians = [found["median"] for _, found in own]
        spread = [[found["median"] - found["low"] for _, found in own],
                  [found["high"] - found["median"] for _, found in own]]
        axes.barh([y for y, _ in own], [m - 1 for m in medians], left=1, color=COLORS.get(rival, "C0"), alpha=0.8,
                  label=f"against {rival}", xerr=spread, error_kw={"ecolor": "0.3", "lw": 1, "capsize": 2})
    axes.axvline(1, color="0.2", lw=1)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(range(len(bars)), [f"{name}, {rival}" if several else name for name, rival, _ in bars], fontsize=8)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.set_xlabel("their time (or memory) / minires': above 1 minires is ahead")
    tidy(axes)
    write(figure, path)
