"""What the tests of marks share: a right submission, and how marks are read."""

import csv

GOOD = "import numpy as np\ndef relu(x):\n    return np.maximum(x, 0), lambda dy: dy * (x > 0)\n"


def rows_of(path):
    """The rows of a CSV file of marks."""
    with path.open(encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def verdicts(out):
    """{file or folder: verdict} of the lines of a class."""
    rows = [line.split() for line in out.splitlines() if "submissions:" not in line and not line.startswith("seed")]
    return {row[0].rpartition("in/")[2]: " ".join(row[1:4]) if row[1] == "could" else row[1] for row in rows}
