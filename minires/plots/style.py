"""The style of lines. Each kind has its own color, dash and marker, and any one of the three identifies it.

The colors are those of Okabe and Ito, which color-blind readers can tell apart.
"""

BLUE, VERMILION, GREEN, BLACK = "#0072B2", "#D55E00", "#009E73", "#222222"
GUIDE = {"color": "0.55", "linewidth": 1, "zorder": 1}  # of theory, beside what was measured
NOTE = {"color": "0.35", "fontsize": 9}


def line(color, dash, marker):
    return {"color": color, "linestyle": dash, "marker": marker, "markersize": 4.5, "linewidth": 1.4}


STYLES = {
    "complex step": line(BLUE, "-", "o"),
    "2-point": line(VERMILION, (0, (5, 1.5)), "s"),
    "4-point": line(BLACK, (0, (1, 1)), "^"),
    "train": line(VERMILION, (0, (4, 2)), "s"),
    "test": line(BLUE, "-", "o"),
    "averaged": line(GREEN, (0, (4, 1, 1, 1)), "^"),
    "shortcut": line(BLUE, "-", "o"),
    "branch": line(VERMILION, (0, (4, 1.5)), "s"),
    "arriving": line(BLACK, ":", ""),
    "plain": line(VERMILION, (0, (5, 1.5)), "s"),
    "residual": line(BLUE, "-", "o"),
    "other": line(GREEN, (0, (4, 1, 1, 1)), "^"),
    "paper": line("0.45", (0, (1, 1)), "D"),
}
DASHES = ("-", (0, (6, 1.5)), (0, (3, 1.5)), (0, (1, 1)), (0, (6, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v")


def variant(kind, k):
    """The k-th style of a kind. Plain networks have hollow markers, which can be told apart in gray, too."""
    style = STYLES[kind]
    first = 0 if kind == "plain" else MARKERS.index(style["marker"])
    face = "white" if kind == "plain" else style["color"]
    marker = MARKERS[(first + k) % len(MARKERS)]
    return {**style, "linestyle": DASHES[k % len(DASHES)], "marker": marker, "markerfacecolor": face}


def several(color, count):
    """`count` styles of one color."""
    return [line(color, DASHES[k % len(DASHES)], MARKERS[k % len(MARKERS)]) for k in range(count)]


def marked(points, k=0, most=10):
    """Which points of a line have markers: at most `most`, and not the same ones as on the k lines before it."""
    step = max(1, -(-points // most))
    return (k * step // 3 % step, step)
