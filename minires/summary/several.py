"""Several networks beside each other, a line each."""

from minires.console import Table
from minires.summary.network import megabytes, pair_text, seen_text


def comparison(tables):
    """The lines of {name: Summary}: parameters, multiply-adds, the largest receptive field, and memory if measured."""
    rows = [
        ("network", "parameters", "multiply-adds", "sees", "stride", "kept"),
        *(_row(*each) for each in tables.items()),
    ]
    if all(table.kept_bytes is None for table in tables.values()):
        rows = [row[:-1] for row in rows]
    first, *others = [max(map(len, column)) for column in zip(*rows)]
    lines = []
    table = Table(
        dict(zip(rows[0], [first, *(-width for width in others)])), show=lambda line, **how: lines.append(line)
    )
    for row in rows[1:]:
        table.row(*row)
    return "\n".join([*lines, "", *_notes(tables)])


def _row(name, table):
    field = table.largest_field
    seen = (seen_text(field.size, field.is_global), pair_text(field.stride)) if field else ("-", "-")
    kept = "-" if table.kept_bytes is None else megabytes(table.kept_bytes)
    return name, f"{table.parameters:,}", f"{table.multiply_adds:,}", *seen, kept


def _notes(tables):
    sizes = {"×".join(map(str, shape)) for table in tables.values() for shape in table.input_size}
    yield f"for an input of {' or '.join(sorted(sizes))}"
    yield "sees: pixels in each direction that one output of the last map depends on; stride: from one to the next"
    if any(table.largest_field and table.largest_field.is_global for table in tables.values()):
        yield "all: the whole image, by a pool over all of it or by attention; in brackets what windows alone see"
