"""Error of a measured derivative against its step."""

import numpy as np

from minires.plots.files import new_figure, tidy, write

U = 2.0**-53


def plot_steps(op, steps, errors, path):
    """Draw {method: error at each step} into a PNG, with the slopes that theory gives each method."""
    figure = new_figure(8, 5)
    axes = figure.subplots()
    for (name, values), color in zip(errors.items(), ("C2", "C3", "C0")):
        axes.loglog(steps, np.maximum(values, U / 2), ".-", color=color, lw=1, ms=3, label=_label(name, steps, values))
    tall = [v for name, v in errors.items() if name != "complex step"]
    at_right = max(float(np.nanmax(v[np.isfinite(v)])) for v in tall)
    for power, style, side in ((2, ":", errors.get("2-point")), (4, "--", errors.get("4-point"))):
        h0, e0 = _anchor(steps, side)
        if h0:
            h = steps[(steps <= 1) & (steps >= 1e-8)]
            axes.loglog(h, e0 * (h / h0) ** power, style, color="0.5", lw=1)
            axes.annotate("h²" if power == 2 else "h⁴", (h0, e0), xytext=(6, -12), textcoords="offset points",
                          color="0.4")
    axes.loglog(steps, U / steps, "-.", color="0.7", lw=1)
    axes.annotate("rounding: u/h", (1e-12, U / 1e-12), xytext=(6, 4), textcoords="offset points", color="0.4")
    axes.axhline(U, color="0.85", lw=1)
    axes.annotate("u = 2⁻⁵³", (steps[0], U), xytext=(2, -12), textcoords="offset points", color="0.5")
    axes.set(xlabel="step h", ylabel="relative error of the derivative", title=f"{op}: error against step size",
             ylim=(1e-18, max(10.0, 2 * min(at_right, 1e3))))
    tidy(axes)
    write(figure, path)


def _label(name, steps, values):
    best = int(np.nanargmin(values))
    if name == "complex step":
        return f"complex step: at most {np.nanmax(values[steps <= 1e-9]):.0e} for h ≤ 1e-9"
    return f"{name}: {values[best]:.0e} at best, h = {steps[best]:.0e}"


def _anchor(steps, values):
    """A point on the truncation side of the V, two decades right of its foot; (None, None) where there is none."""
    best = int(np.nanargmin(values))
    right = best + 4
    return (steps[right], values[right]) if right < len(steps) and values[right] > 20 * values[best] else (None, None)
