"""The guide's programs run, and the build of the site notices what is missing, undocumented, lost or broken."""

import importlib.util
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from minires import nn

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GUIDE = (DOCS / "guide.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", GUIDE, re.S)


@pytest.fixture
def build(monkeypatch):
    """The script docs/build.py as a module."""
    pytest.importorskip("pdoc", reason="pdoc is not installed; .[docs] brings it")
    monkeypatch.syspath_prepend(DOCS)
    spec = importlib.util.spec_from_file_location("docs_build", DOCS / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("links", None)


@pytest.mark.parametrize(("file", "name"), re.findall(r"\((\.\./[^()#]+)#?([^()]*)\)", GUIDE))
def test_the_guides_links_lead_to_files_that_define_the_name(file, name):
    text = (DOCS / file).read_text(encoding="utf-8")
    assert not name or re.search(rf"(def|class) {name.rpartition('.')[2]}\b", text)


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_the_guides_programs_run(program, own_ops):
    exec(compile(program, "guide.md", "exec"), {})


def test_each_of_the_guides_eleven_questions_has_an_answer():
    answers = re.findall(r"<details><summary>[^<]+\?</summary>\n\n([^<]+)\n\n</details>", GUIDE)
    assert len(answers) == len(re.findall(r"^\*\*\d+\. ", GUIDE, re.M)) == 11


def test_what_the_examples_write_into_the_clone_is_ignored_by_git():
    ignored = ROOT / ".gitignore"
    if not ignored.exists():
        pytest.skip("the archive of the sources has no .gitignore")
    pages = [ROOT / "README.md", *DOCS.glob("*.md"), *ROOT.glob("minires/*/__main__.py")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    written = set(re.findall(r"(?:--(?:plot|csv|json|gradescope) |figure\(\"|default=\")([a-z]+\.[a-z]+)\b", text))
    assert written >= {"growth.png", "steps.png", "marks.csv", "gradients.png", "gpucheck.json"}
    assert {f"/{name}" for name in written} <= set(ignored.read_text().splitlines())


@pytest.mark.parametrize(
    "docstring",
    [
        "y = a*b*c, x_1_y and __all__.",
        "|x| <= 1 & y < 2 → max(x, 0)",
        "[He et al. 2015](1) and ![no](image)",
        "# no heading",
        "- no list\n- at all",
        "1. no list",
        "γ·s·(∂y − ⟨∂y⟩ − x̂·⟨∂y·x̂⟩), 2⁻⁵³, x ** 2 ** 3 ~~x~~",
        "`a*b` and `c_d`:\n\n    indented = a * b\n\n>>> f(a_b, *c)\n",
        "a \\* b",
        "<b>x</b> &amp; $x$ {y}",
        "| a | b |\n|---|---|\n| 1 | 2 |",
    ],
)
def test_every_character_of_a_docstring_is_shown(build, docstring):
    assert build.to_html(docstring)


def test_an_indented_formula_inside_a_paragraph_has_a_line_of_its_own(build):
    found = build.html.unescape(build.to_html("In training, with m values:\n    ∂x = a*b_1\n    ∂w = c\nOtherwise 0."))
    assert re.findall(r"<p>(.*?)</p>", found) == ["In training, with m values:", "Otherwise 0."]
    assert "∂x = a*b_1\n∂w = c" in re.sub("<[^>]+>", "", found)


def test_a_lost_character_is_noticed(build, monkeypatch):
    monkeypatch.setattr(build, "as_text", lambda docstring: docstring)
    with pytest.raises(build.BuildError, match="lost between docstring and page"):
        build.to_html("y = a*b*c")


def test_a_link_to_a_files_name_leads_to_the_reference(build, tmp_path):
    text = build.guide_page(DOCS / "guide.md", tmp_path)
    assert 'href="minires/ops.html#residual_add"' in text
    assert 'href="minires.html#Tensor.backward"' in text
    assert 'href="contributing.html"' in text
    assert 'href="marking.html"' in text
    assert "<p><details>" not in text


def test_the_readmes_of_both_languages_link_to_each_other_and_have_the_same_parts(build, tmp_path):
    english = build.guide_page(ROOT / "README.md", tmp_path)
    translated = build.guide_page(ROOT / "README.ko.md", tmp_path)
    assert 'href="korean.html"' in english
    assert 'href="index.html"' in translated
    [heading] = re.findall('href="#([^"]+)"', translated)
    assert f'id="{heading}"' in translated
    parts = re.compile(r"<(h\d|table|pre|blockquote|ul|img)\b")
    assert parts.findall(english) == parts.findall(translated)


def test_a_missing_and_an_undocumented_name_are_noticed(build):
    page = build.pdoc.doc.Module(nn)
    members = dict(page.members)
    del members["Linear"]
    members["ReLU"] = SimpleNamespace(docstring="")
    with pytest.raises(build.BuildError) as caught:
        build.check_names({"minires.nn": SimpleNamespace(members=members)})
    assert str(caught.value) == ("minires.nn.Linear is missing from the reference; minires.nn.ReLU has no docstring"), (
        "in the order of __all__"
    )


@pytest.mark.parametrize(
    ("link", "dead"),
    [
        ("b.html", False),
        ("b.html#here", False),
        ("https://example.org/gone", False),
        ("#here", True),
        ("c.html", True),
        ("b.html#gone", True),
        ("../a.html", True),
    ],
)
def test_a_dead_link_is_noticed(build, tmp_path, link, dead):
    (tmp_path / "a.html").write_text(f'<a href="{link}">x</a>')
    (tmp_path / "b.html").write_text('<h1 id="here">b</h1>')
    if dead:
        with pytest.raises(build.BuildError, match=re.escape(f"a.html links to {link}, which is not there")):
            build.check_links(tmp_path)
    else:
        build.check_links(tmp_path)


def test_a_warning_ends_the_build_with_one_line(build, monkeypatch, tmp_path):
    monkeypatch.setattr(
        build, "build", lambda folder: build.warnings.warn("an annotation cannot be read", stacklevel=1)
    )
    with pytest.raises(SystemExit, match=r"^docs/build\.py: an annotation cannot be read$"):
        build.main([str(tmp_path)])


def test_every_room_that_minires_names_is_in_the_reference(build):
    import minires

    tools = {"gpucheck"}  # a command only
    assert {
        f"minires.{room}"
        for room in minires.__dir__()
        if hasattr(getattr(minires, room), "__path__") and room not in tools
    } <= set(build.MODULES)
