"""The error of measured derivatives over their step size."""

import numpy as np

from minires.plots.files import finished, new_figure, tidy
from minires.plots.style import GUIDE, NOTE, STYLES, marked

U = 2.0**-53
POWERS = {"2-point": (2, "h²", (-24, 2)), "4-point": (4, "h⁴", (8, -10))}


def plot_steps(op, steps, errors, path=None):
    """Draw {method: error at each step}, with the slope that theory gives each method. -> Figure"""
    figure = new_figure(8, 5.6)
    axes = figure.subplots()
    for k, (name, values) in enumerate(errors.items()):
        axes.loglog(
            steps,
            np.maximum(values, U / 2),
            **STYLES[name],
            markevery=marked(len(steps), k, most=16),
            label=_label(name, steps, values),
        )
    for name, (power, text, place) in POWERS.items():
        h0, e0 = _truncation(steps, errors[name], power)
        if h0:
            h = np.array([max(h0 * (U / e0) ** (1 / power), steps[0]), 1.0])
            axes.loglog(h, e0 * (h / h0) ** power, **GUIDE)
            axes.annotate(text, (h0, e0), xytext=place, textcoords="offset points", **NOTE)
    axes.loglog(steps, U / steps, **GUIDE)
    axes.annotate("rounding: u/h", (1e-12, U / 1e-12), xytext=(8, 4), textcoords="offset points", **NOTE)
    axes.axhline(U, **GUIDE)
    axes.annotate(
        "u = 2⁻⁵³",
        (1, U),
        xycoords=("axes fraction", "data"),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        annotation_clip=False,
        **NOTE,
    )
    largest = max(float(np.nanmax(v[np.isfinite(v)])) for name, v in errors.items() if name in POWERS)
    axes.set(xlabel="step h", ylabel="relative error of the derivative", ylim=(1e-17, max(10.0, 2 * min(largest, 1e3))))
    figure.suptitle(f"{op}: error against step size")
    tidy(axes, legend="above")
    return finished(figure, path)


def _label(name, steps, values):
    best = int(np.nanargmin(values))
    if name == "complex step":
        return f"complex step: at most {np.nanmax(values[steps <= 1e-9]):.0e} for h ≤ 1e-9"
    return f"{name}: {values[best]:.0e} at best, h = {steps[best]:.0e}"


def _truncation(steps, values, power):
    """A point (h, error) where the error grows as h^power over two decades; (None, None) if there is none."""
    decade = round(1 / np.log10(steps[1] / steps[0]))
    for end in range(len(steps) - 1, 2 * decade, -1):
        three = values[[end - 2 * decade, end - decade, end]]
        if np.all(three > 0) and np.all(np.isfinite(three)) and np.allclose(np.diff(np.log10(three)), power, atol=0.15):
            return steps[end - decade], values[end - decade]
    return None, None
