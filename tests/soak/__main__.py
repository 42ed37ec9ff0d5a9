"""python -m tests.soak: harm runs in many ways, resume each, and compare it with the uninterrupted run."""

import json
import os
import sys
import tempfile
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: a fork has only one thread

from minires import console
from minires.storage import atomic_write
from minires.system import fcntl

NAME = "tests.soak"


def parse(argv):
    parser = console.Parser(prog=f"python -m {NAME}", description=__doc__.partition(": ")[2].strip())
    parser.add_argument(
        "--minutes", type=console.number, default=15.0, metavar="M", help="stop after so long (default: 15)"
    )
    parser.add_argument(
        "--seed", type=console.whole(0), default=None, metavar="S", help="what is drawn (default: another each time)"
    )
    parser.add_argument("--json", metavar="FILE", help="also write the table to a file")
    return parser.parse_args(argv)


def soak(bench, minutes, seed):
    """Do the cases until the time is over -> {row: counts}, sentences about what was lost, how many were not done."""
    from tests.soak.cases import plan

    tqdm = console.progress_bar()
    tqdm.monitor_interval = 0  # its thread would be in the way of forks
    ends = time.monotonic() + 60 * minutes
    bench.whole()
    cases = plan(bench, seed)
    rows = {}
    losses = []
    left = 0
    with tqdm(total=len(cases), unit="run", disable=None) as bar:
        for name, case in cases:
            row = rows.setdefault(name, dict.fromkeys(("times", "killed", "said", "went on", "lost", "not here"), 0))
            if time.monotonic() > ends:
                left += 1
                continue
            bench.clear()
            outcome = case(bench)
            bar.update()
            if outcome is None:
                row["not here"] += 1
                continue
            row["times"] += 1
            if outcome.how in row:
                row[outcome.how] += 1
            if outcome.lost:
                row["lost"] += 1
                losses.append(f"{name}, number {row['times']}: {outcome.lost}")
    return rows, losses, left


def report(rows, losses, left, seed):
    """The table as text."""
    lines = [f"{'what was done':<34} {'times':>6} {'killed':>7} {'said':>6} {'went on':>8} {'lost':>6}"]
    for name, row in rows.items():
        numbers = f"{row['times']:>6} {row['killed']:>7} {row['said']:>6} {row['went on']:>8} {row['lost']:>6}"
        lines.append(f"{name:<34} {numbers}" + ("  not possible here" if row["not here"] else ""))
    total = {key: sum(row[key] for row in rows.values()) for key in ("times", "killed", "said", "went on", "lost")}
    lines.append(
        f"{'in all':<34} {total['times']:>6} {total['killed']:>7} {total['said']:>6} {total['went on']:>8} "
        f"{total['lost']:>6}"
    )
    lines += ["", *losses] if losses else []
    lines.append(
        f"\nseed {seed}; " + (f"{left} cases were left out, because the time was over" if left else "all done")
    )
    lines.append(f"lost: {len(losses) or 'nothing'}")
    return "\n".join(lines)


@console.command(NAME)
def main(argv=None):
    args = parse(argv)
    if fcntl is None or not hasattr(os, "fork"):
        console.say(NAME, "this system cannot fork processes, which the soak needs")
        return 2
    from tests.soak.cases import Bench

    seed = int.from_bytes(os.urandom(3), "big") if args.seed is None else args.seed
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        os.chmod(scratch, 0o755)  # another user is to find the read-only folder
        rows, losses, left = soak(Bench(scratch), args.minutes, seed)
    print(report(rows, losses, left, seed))
    if args.json:
        text = json.dumps({"seed": seed, "rows": rows, "losses": losses, "left": left}, indent=2)
        atomic_write(args.json, (text + "\n").encode())
    return 1 if losses else 0


if __name__ == "__main__":
    sys.exit(main())
