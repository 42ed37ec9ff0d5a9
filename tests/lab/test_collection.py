"""The page of all experiments: in their order, with links that lead somewhere, as HTML and as Markdown."""

import json
import re

import pytest

from minires.errors import DataError
from minires.lab.collection import write_collection


def keep(folder, name, verdict):
    content = {"verdict": verdict, "claim": f"{name} < all", "size": "tiny", "settings": {"dataset": "digits"}}
    (folder / f"{name}.json").write_text(json.dumps(content))
    (folder / f"{name}.png").write_bytes(b"an image")
    (folder / f"{name}.md").write_text(
        f"# {name}: {verdict}\n\n**Claim.** {name} < all\n\n- a part: {verdict}\n\n![{name} < all]({name}.png)\n\n"
        "| network | error |\n| --- | --- |\n| plain20 | 8.75 |\n\n`python -m minires.lab x` measures it again.\n"
    )


@pytest.fixture
def pages(tmp_path):
    for name, verdict in (("lesion", "held"), ("degradation", "refuted"), ("my-own", "undecided")):
        keep(tmp_path, name, verdict)
    return [path.read_text() for path in write_collection(tmp_path)]


def test_experiments_stand_in_the_order_in_which_they_are_listed(pages):
    for page in pages:
        places = [page.index(f"{name}: ") for name in ("degradation", "lesion", "my-own")]
        assert places == sorted(places)


def test_each_link_leads_to_a_heading(pages):
    markdown, page = pages
    links = {"degradation-refuted", "lesion-held", "my-own-undecided"}
    assert set(re.findall(r"\]\(#(.*?)\)", markdown)) == set(re.findall(r'href="#(.*?)"', page)) == links
    assert links <= set(re.findall(r'<h2 id="(.*?)"', page))


def test_the_page_is_one_file_for_light_and_dark_and_for_a_phone(pages):
    page = pages[1]
    assert page.count("data:image/png;base64,") == 3
    assert 'alt="lesion &lt; all"' in page
    assert '<meta name="viewport"' in page
    assert "prefers-color-scheme: dark" in page
    assert '<td class="held">held</td>' in page
    assert "**" not in page
    assert "| " not in page.split("<body>")[1]


def test_what_is_no_report_is_named(tmp_path):
    with pytest.raises(DataError, match="there is no experiment in"):
        write_collection(tmp_path)
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(DataError, match=r"a\.json is no report of an experiment"):
        write_collection(tmp_path)
