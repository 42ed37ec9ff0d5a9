"""Build the site: an API reference from all docstrings, and the guide. `python docs/build.py` writes it to docs/site.

    pip install -e ".[docs]" && python docs/build.py

pdoc renders the reference. In a docstring, `code`, indented blocks and >>> examples are shown as code. All other
characters appear unchanged, because they are formulas. The build fails if there is a warning, if a character of a
docstring is lost, if a public name is missing or has no docstring, or if a link is broken.
"""

import argparse
import builtins
import html
import inspect
import re
import shutil
import sys
import unicodedata
import warnings
from importlib import import_module
from pathlib import Path

import numpy
import pdoc.doc
from links import PAGES, absolute
from pdoc import render, render_helpers

import minires

HERE = Path(__file__).parent
ROOT = HERE.parent
MODULES = [
    "minires",
    *(
        f"minires.{name}"
        for name in (
            "ops",
            "nn",
            "nn.functional",
            "nn.init",
            "nn.utils",
            "optim",
            "models",
            "data",
            "storage",
            "gradcheck",
            "kernels",
            "kernels.readable",
            "parallel",
            "probes",
            "summary",
            "explain",
            "export",
            "plots",
            "train",
            "lab",
            "cuda",
            "errors",
        )
    ),
]
GUIDE = {
    "index.html": ("README", ROOT / "README.md"),
    "korean.html": ("한국어", ROOT / "README.ko.md"),
    "guide.html": ("A way through the library", HERE / "guide.md"),
    "marking.html": ("Marking homework", HERE / "marking.md"),
    "lab.html": ("The lab", HERE / "lab.md"),
    "nothing-lost.html": ("What may happen to a run", HERE / "nothing-lost.md"),
    "ranks.html": ("Training on several machines", HERE / "ranks.md"),
    "contributing.html": ("Contributing", ROOT / "CONTRIBUTING.md"),
}
CODE = re.compile(r"(`[^`]+`|^(?: {4}|>>>|\.\.\.).*$)", re.M)  # unchanged by Markdown


class BuildError(Exception):
    """The site would be wrong or incomplete."""


def as_text(docstring):
    """Markdown that shows each character of a docstring, and an indented formula on lines of its own."""
    docstring = re.sub(r"^((?! {4}|>>>|\.\.\.).*\S)\n(?= {4})", r"\1\n\n", docstring, flags=re.M)  # or they are joined
    docstring = re.sub(r"^( {4}.*)\n(?=\S)", r"\1\n\n", docstring, flags=re.M)
    parts = CODE.split(docstring)
    parts[::2] = [re.sub(r"[^\w\s,:;()]|_", lambda sign: f"&#{ord(sign[0])};", part) for part in parts[::2]]
    return "".join(parts)


def to_html(docstring):
    """A docstring as HTML. Raises BuildError if a character is lost."""
    found = render_helpers.to_html(as_text(docstring))
    shown, written = (re.sub(r"[\s`]", "", text) for text in (html.unescape(re.sub("<[^>]+>", "", found)), docstring))
    if shown != written:
        raise BuildError(f"lost between docstring and page:\n{docstring}\n--- became\n{shown}")
    return found


def public_names(module):
    """The public names of a module: __all__, or the names defined in it without an underscore."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def check_names(documented):
    """Raise BuildError for a public name that is missing from the reference, or that has no docstring."""
    wrong = []
    for name, page in documented.items():
        module = import_module(name)
        for public in public_names(module):
            value = getattr(module, public)
            if inspect.ismodule(value):
                continue
            if public not in page.members:
                wrong.append(f"{name}.{public} is missing from the reference")
            elif callable(value) and not page.members[public].docstring:
                wrong.append(f"{name}.{public} has no docstring")
    if wrong:
        raise BuildError("; ".join(wrong))


def check_links(folder):
    """Raise BuildError for a broken link or a missing image."""
    texts = {
        file: re.sub("(?s)<script.*?</script>", "", file.read_text(encoding="utf-8")) for file in folder.rglob("*.html")
    }
    ids = {file.resolve(): set(re.findall(r'\bid="([^"]+)"', text)) for file, text in texts.items()}
    for file, text in texts.items():
        for target in re.findall(r'\b(?:href|src)="([^"]+)"', text):
            if re.match(r"\w+:", target):
                continue
            path, _, anchor = html.unescape(target).partition("#")
            place = (file.parent / path).resolve() if path else file.resolve()
            if not place.is_file() or (anchor and place in ids and anchor not in ids[place]):
                raise BuildError(f"{file.relative_to(folder)} links to {target}, which is not there")


def reference(file, name):
    """The place of a name in the reference: ("minires/ops/norm", "batch_norm") -> "minires/ops.html#batch_norm"."""
    module = file
    while module.replace("/", ".") not in MODULES:
        module = module.rpartition("/")[0]
    return f"{module}.html#{name}"


def guide_page(path, folder):
    """A Markdown file of the repository as HTML, with links that work on the site."""
    text = absolute(path.read_text(encoding="utf-8").replace("](../", "]("), images="")
    for page, (_, source) in GUIDE.items():
        text = text.replace(f"({PAGES}{source.relative_to(ROOT).as_posix()})", f"({page})")
    text = re.sub(rf"\({PAGES}(\S+)\.py#(\S+)\)", lambda link: f"({reference(link[1], link[2])})", text)
    for image in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text):
        (folder / image).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / image, folder / image)
    made = render_helpers.to_html(text)
    made = unicodedata.normalize("NFC", made)  # because markdown2 takes the Korean letters of a heading's name apart
    return re.sub(r"<p>(</?details>.*?)</p>", r"\1", made)  # which may not be in a paragraph


def build(folder):
    """Write the site into the folder; what was in it is deleted."""
    shutil.rmtree(folder, ignore_errors=True)
    builtins.np = numpy  # an annotation may be a string that names np, in a module that does not import it
    render.configure(
        docformat="markdown",
        template_directory=HERE,
        edit_url_map={"minires": f"{PAGES}minires/"},
        footer_text=f"minires {minires.__version__}",
    )
    render.env.filters["to_html"] = to_html
    documented = {name: pdoc.doc.Module.from_name(name) for name in MODULES}
    check_names(documented)
    for name, page in documented.items():
        file = folder / (name.replace(".", "/") + ".html")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(render.html_module(page, documented), encoding="utf-8")
    template = render.env.get_template("page.html.jinja2")
    for file, (title, source) in GUIDE.items():
        text = template.render(
            title=f"minires: {title}",
            text=guide_page(source, folder),
            language="ko" if source.name.endswith(".ko.md") else "en",
            all_modules=documented,
            pages={page: title for page, (title, _) in GUIDE.items()},
        )
        (folder / file).write_text(text, encoding="utf-8")
    (folder / "search.js").write_text(render.search_index(documented), encoding="utf-8")
    (folder / ".nojekyll").touch()  # GitHub Pages then serves the files as they are
    check_links(folder)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=HERE / "site")
    folder = parser.parse_args(argv).folder
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            build(folder)
        except (BuildError, Warning) as error:
            sys.exit(f"docs/build.py: {error}")
    print(folder / "index.html")


if __name__ == "__main__":
    main()
