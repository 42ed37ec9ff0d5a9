"""One page of all experiments that were run: report.html with the figures in it, and report.md beside them."""

import base64
import html
import json
import re
from pathlib import Path

from minires.errors import DataError
from minires.storage import atomic_write

STYLE = """\
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: 1rem 0 } td, th { padding: .2rem .8rem; border-bottom: 1px solid #ccc }
td, th { text-align: left } img { max-width: 100% } .held { color: #00694b } .refuted { color: #a84a00 }
code { background: #f2f2f2; padding: 0 .2rem }"""


def write_collection(folder):
    """Write report.md and report.html of the experiments whose JSON files are in the folder. -> their paths

    Raises DataError if there are none, or if a file is no report of an experiment.
    """
    folder = Path(folder)
    found = {path.stem: _read(path) for path in sorted(folder.glob("*.json"))}
    if not found:
        raise DataError(f"there is no experiment in {folder}; run one with: python -m minires.lab NAME --out {folder}")
    summary = ["| experiment | verdict | on |", "| --- | --- | --- |"]
    summary += [
        f"| [{name}](#{name}) | {content['verdict']} | {content['settings']['dataset']}, {content['size']} |"
        for name, content in found.items()
    ]
    bodies = [(folder / f"{name}.md").read_text(encoding="utf-8") for name in found]
    markdown = "\n\n".join(["# Experiments", "\n".join(summary), *(re.sub(r"^# ", "## ", body) for body in bodies)])
    paths = [folder / "report.md", folder / "report.html"]
    atomic_write(paths[0], markdown.encode())
    atomic_write(paths[1], _page(markdown, folder).encode())
    return paths


def _read(path):
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["verdict"], content["size"], content["settings"]["dataset"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is no report of an experiment ({error}); move it away") from error
    return content


def _page(markdown, folder):
    """The page as one HTML file: our reports use headings, paragraphs, lists, tables, bold, code and images only."""
    parts = []
    for block in re.split(r"\n\n+", markdown.strip()):
        lines = block.split("\n")
        heading = re.match(r"(#+) (.*)", block)
        if heading:
            level = len(heading[1])
            text = heading[2]
            name, _, verdict = text.partition(": ")
            parts.append(
                f'<h{level} id="{html.escape(name)}" class="{html.escape(verdict)}">{_inline(text, folder)}</h{level}>'
            )
        elif lines[0].startswith("|"):
            rows = [[_inline(cell.strip(), folder) for cell in line.strip("|").split("|")] for line in lines]
            head = "".join(f"<th>{cell}</th>" for cell in rows[0])
            body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows[2:])
            parts.append(f"<table><tr>{head}</tr>{body}</table>")
        elif lines[0].startswith("- "):
            parts.append("<ul>" + "".join(f"<li>{_inline(line[2:], folder)}</li>" for line in lines) + "</ul>")
        else:
            parts.append(f"<p>{_inline(block, folder)}</p>")
    head = f'<meta charset="utf-8"><title>minires: experiments</title><style>{STYLE}</style>'
    return f'<!doctype html><html lang="en">{head}' + "\n".join(parts)


def _inline(text, folder):
    text = html.escape(text, quote=False)
    text = re.sub(r"!\[(.*?)\]\((.*?)\)", lambda match: _image(match[1], folder / match[2]), text)
    text = re.sub(r"\[(.*?)\]\((.*?)\)", r'<a href="\2">\1</a>', text)
    text = re.sub(r"\*\*(.*?)\*\*", r"<b>\1</b>", text)
    return re.sub(r"`(.*?)`", r"<code>\1</code>", text)


def _image(text, path):
    content = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{html.escape(text)}" src="data:image/png;base64,{content}">'
