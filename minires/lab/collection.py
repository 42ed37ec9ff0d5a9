"""One page of all experiments that were run: report.html with the figures in it, and report.md beside them."""

import base64
import html
import re
from pathlib import Path

from minires.errors import DataError
from minires.lab.experiments import EXPERIMENTS
from minires.lab.statistics import HELD, REFUTED, UNDECIDED
from minires.storage import atomic_write
from minires.storage.json_text import parse

INTRODUCTION = f"""\
# What the papers claim, measured again

Each claim is a difference between networks, measured over several seeds. **{HELD}**: its 95 % interval lies on the
paper's side. **{REFUTED}**: it lies on the other side. **{UNDECIDED}**: neither, so these data cannot tell."""

STYLE = """\
:root { color-scheme: light dark; --text: #222; --page: #fff; --line: #ccc; --code: #f2f2f2; --link: #0063a3;
  --held: #00694b; --refuted: #a84a00; --undecided: #595959 }
@media (prefers-color-scheme: dark) { :root { --text: #ddd; --page: #1b1b1b; --line: #444; --code: #2c2c2c;
  --link: #79bdf2; --held: #4fd1a5; --refuted: #ff9a5c; --undecided: #aaa } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem;
  color: var(--text); background: var(--page); overflow-wrap: break-word }
a { color: var(--link) } h1 { line-height: 1.2 }
h2 { margin-top: 4rem; padding-top: 1rem; border-top: 2px solid var(--line) }
.table { overflow-x: auto } table { border-collapse: collapse; margin: 1rem 0 }
td, th { padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top }
img { display: block; width: 100%; max-width: 40rem; margin: 0 auto; background: #fff; border-radius: 4px }
.held { color: var(--held) } .refuted { color: var(--refuted) } .undecided { color: var(--undecided) }
code { background: var(--code); padding: 0 .2rem; overflow-wrap: anywhere }
@media (max-width: 40rem) { td, th { font-size: .85rem; padding-right: .6rem } }
@media print { h2 { break-before: page; border: 0 } }"""


def write_collection(folder):
    """Write report.md and report.html of the experiments whose JSON files are in the folder. -> their paths

    Raises DataError if there are none, or if a file is no report of an experiment.
    """
    folder = Path(folder)
    found = {path.stem: _read(path) for path in sorted(folder.glob("*.json"), key=_in_order)}
    if not found:
        raise DataError(f"there is no experiment in {folder}; run one with: python -m minires.lab NAME --out {folder}")
    summary = ["| experiment | claim | verdict | on |", "| --- | --- | --- | --- |"]
    summary += [
        f"| [{name}](#{_anchor(name + ': ' + content['verdict'])}) | {content['claim']} | {content['verdict']} | "
        f"{content['settings']['dataset']}, {content['size']} |"
        for name, content in found.items()
    ]
    bodies = [(folder / f"{name}.md").read_text(encoding="utf-8").strip() for name in found]
    markdown = "\n\n".join([INTRODUCTION, "\n".join(summary), *(re.sub(r"^# ", "## ", body) for body in bodies)])
    paths = [folder / "report.md", folder / "report.html"]
    atomic_write(paths[0], f"{markdown}\n".encode())
    atomic_write(paths[1], _page(markdown, folder).encode())
    return paths


def _in_order(path):
    """Experiments in the order of `python -m minires.lab`, then others by their name."""
    known = list(EXPERIMENTS)
    return (known.index(path.stem) if path.stem in known else len(known), path.stem)


def _read(path):
    try:
        content = parse(path.read_text(encoding="utf-8"))
        content["verdict"], content["claim"], content["size"], content["settings"]["dataset"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is no report of an experiment ({error}); move it away") from error
    return content


def _anchor(heading):
    """The name of a heading in links, as GitHub makes it: "paths: held" -> "paths-held"."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _page(markdown, folder):
    """The page as one HTML file: our reports use headings, paragraphs, lists, tables, bold, code and images only."""
    parts = [_block(block, folder) for block in re.split(r"\n\n+", markdown.strip())]
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>minires: experiments</title><style>{STYLE}</style>"
    )
    return f'<!doctype html><html lang="en"><head>{head}</head><body>' + "\n".join(parts) + "</body></html>\n"


def _block(block, folder):
    """One block of Markdown, between blank lines, as HTML."""
    lines = block.split("\n")
    heading = re.match(r"(#+) (.*)", block)
    if heading:
        level = len(heading[1])
        text = re.sub(rf"\b({HELD}|{REFUTED}|{UNDECIDED})$", r'<span class="\1">\1</span>', _inline(heading[2], folder))
        return f'<h{level} id="{html.escape(_anchor(heading[2]))}">{text}</h{level}>'
    if lines[0].startswith("|"):
        rows = [[_inline(cell.strip(), folder) for cell in line.strip("|").split("|")] for line in lines]
        head = "".join(f"<th>{cell}</th>" for cell in rows[0])
        body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows[2:])
        return f'<div class="table"><table><tr>{head}</tr>{body}</table></div>'
    if lines[0].startswith("- "):
        return "<ul>" + "".join(f"<li>{_inline(line[2:], folder)}</li>" for line in lines) + "</ul>"
    return f"<p>{_inline(block, folder)}</p>"


def _cell(text):
    return f'<td class="{text}">{text}</td>' if text in (HELD, REFUTED, UNDECIDED) else f"<td>{text}</td>"


def _inline(text, folder):
    text = html.escape(text, quote=False)
    text = re.sub(r"!\[(.*?)\]\((.*?)\)", lambda match: _image(match[1], folder / match[2]), text)
    text = re.sub(r"\[(.*?)\]\((.*?)\)", r'<a href="\2">\1</a>', text)
    text = re.sub(r"\*\*(.*?)\*\*", r"<b>\1</b>", text)
    text = re.sub(r"^\*(.*)\*$", r"<em>\1</em>", text)
    return re.sub(r"`(.*?)`", r"<code>\1</code>", text)


def _image(text, path):
    content = base64.b64encode(path.read_bytes()).decode()
    alt = text.replace('"', "&quot;")  # the rest is escaped already
    return f'<img alt="{alt}" src="data:image/png;base64,{content}">'
