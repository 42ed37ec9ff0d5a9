"""The pages in two languages: what the Korean edition must have, and what of it comes from the English text."""

import re

import pytest

from tutorials.build import editions, korean
from tutorials.build.__main__ import check, main
from tutorials.build.lesson import LessonError, lessons
from tutorials.build.pages import COURSE, GLOSSARY, PAGES, README, Page, choose
from tutorials.build.site import write_source

ENGLISH = """\
# A page

[한국어](PAGE.ko.md)

It has 67 ops, see [this](there.py) and `--seeds`.

## Begin

```bash
echo one

echo two
```

- One point, 1.5 times.
- Another.
"""
KOREAN = """\
<!-- a-page 00000000 -->
# 문서

<!-- a-page-1 00000000 -->
[English](PAGE.md)

<!-- a-page-2 00000000 -->
연산이 67개 있습니다. `--seeds`와 [이것](there.py)을 보세요.

<!-- begin 00000000 -->
## 시작하기

<!-- begin-2 00000000 -->
- 한 가지, 1.5배.
- 또 하나.
"""


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A page with a Korean edition, as the command `translated` leaves it."""
    monkeypatch.setattr("tutorials.build.pages.ROOT", tmp_path)
    monkeypatch.setattr("tutorials.build.__main__.ROOT", tmp_path)
    (tmp_path / "there.py").touch()
    (tmp_path / "PAGE.md").write_text(ENGLISH, encoding="utf-8")
    (tmp_path / "PAGE.ko.md").write_text(KOREAN, encoding="utf-8")
    made = Page(tmp_path / "PAGE.md")
    assert korean.accept(made) == ["a-page", "a-page-1", "a-page-2", "begin", "begin-2"]
    return made


def change(page, old, new, korean_too=True):
    """The page after a change of its Korean edition, or of its English text only."""
    path = korean.path_of(page) if korean_too else page.path
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return Page(page.path)


def test_paragraphs_are_named_by_their_headings_and_code_is_one_of_them(page):
    assert list(page.texts) == ["a-page", "a-page-1", "a-page-2", "begin", "begin-1", "begin-2"]
    assert page.code == {"begin-1": "```bash\necho one\n\necho two\n```"}


def test_code_is_written_into_the_korean_edition_and_nothing_is_stale(page):
    assert page.text_in("ko")["begin-1"] == page.texts["begin-1"]
    assert page.text_in("ko")["begin"] == "## 시작하기"
    assert page.text_in("en") == page.texts
    assert korean.stale(page) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("67개", "68개", "PAGE.ko.md, a-page-2 lacks 67, which its English text has"),
        ("`--seeds`와", "시드와", "PAGE.ko.md, a-page-2 lacks `--seeds`"),
        ("](there.py)", "](elsewhere.py)", "PAGE.ko.md, a-page-2 lacks there.py"),
        ("- 또 하나.", "또 하나.", "begin-2 has not the headings, points or rows of its English text"),
        ("## 시작하기", "# 시작하기", "PAGE.ko.md, begin has not the headings"),
        ("echo two", "echo 2", "begin-1: the code is not that of PAGE.md; to write it: .*translated --lessons PAGE.md"),
        ("- 한 가지, 1.5배.\n- 또 하나.\n", "", "PAGE.ko.md has no paragraph begin-2"),
        ("<!-- begin-2", "<!-- end", "has no paragraph begin-2 and has end too many"),
        ("<!-- a-page ", "문서\n<!-- a-page ", "has text before its first mark"),
        ("<!-- a-page-2 ", "<!-- a-page-1 ", "has a paragraph twice"),
    ],
)
def test_what_the_korean_edition_lacks_is_an_error(page, old, new, message):
    with pytest.raises(LessonError, match=message):
        change(page, old, new).text_in("ko")


def test_paragraphs_in_another_order_are_an_error(page):
    path = korean.path_of(page)
    start, code, points = re.split(r"(?=<!-- begin-)", path.read_text(encoding="utf-8"))
    path.write_text(f"{start}{points}\n{code}", encoding="utf-8")
    with pytest.raises(LessonError, match="has its texts in another order, from begin-1 on"):
        page.text_in("ko")
    korean.accept(page)
    assert page.text_in("ko")


def test_a_change_of_the_english_text_makes_a_paragraph_stale_and_a_number_an_error(page, capsys):
    check(change(page, "It has", "It has all", korean_too=False), None)
    assert capsys.readouterr().out == "PAGE.ko.md: the paragraph a-page-2 is stale: its English text has changed\n"
    with pytest.raises(LessonError, match="a-page-2 lacks 70"):
        check(change(page, "67", "70", korean_too=False), None)


def test_a_new_paragraph_is_missing(page):
    with pytest.raises(LessonError, match="has no paragraph begin-3"):
        check(change(page, "- Another.\n", "- Another.\n\nThe end.\n", korean_too=False), None)


def test_a_dead_link_is_found_in_both_languages(page):
    page.path.with_name("there.py").unlink()
    with pytest.raises(LessonError, match=r"PAGE\.md: dead links: there\.py \(paragraph a-page-2\)"):
        check(page, None)


def test_a_dead_heading_is_found_of_the_page_itself_and_of_another(page):
    english = change(page, "](there.py)", "](#a-page)", korean_too=False)
    change(english, "](there.py)", "](PAGE.ko.md#문서)")
    korean.accept(english)
    check(english, None)
    with pytest.raises(LessonError, match=r"PAGE\.ko\.md: dead links: PAGE\.ko\.md#a-page \(paragraph a-page-2\)"):
        check(change(english, "#문서", "#a-page"), None)


def test_two_headings_of_one_name_and_no_korean_edition_are_errors(page):
    with pytest.raises(LessonError, match="two paragraphs of the name begin"):
        _ = change(page, "# A page", "# Begin", korean_too=False).texts
    korean.path_of(page).unlink()
    with pytest.raises(LessonError, match=r"PAGE\.ko\.md is missing"):
        page.text_in("ko")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_korean_edition_is_complete(page, capsys):
    check(page, None)
    assert page.text_in("ko").keys() == page.texts.keys()


def test_both_readmes_begin_with_a_link_to_the_other_language():
    for page in (README, COURSE):
        assert list(page.texts.values())[1] == "[한국어](README.ko.md)"
        assert list(page.text_in("ko").values())[1] == "[English](README.md)"


def test_the_glossary_has_the_same_terms_in_both_languages():
    tables = [list(GLOSSARY.text_in(language).values())[-1] for language in ("en", "ko")]
    english, translated = ([re.findall(r"[^|]+", line) for line in table.splitlines()[2:]] for table in tables)
    assert len(english) > 100
    assert [(a.strip(), b.strip()) for a, b, _ in english] == [(b.strip(), a.strip()) for a, b, _ in translated]
    terms = [row[0].strip().lower() for row in english]
    assert terms == sorted(terms, key=lambda term: term.replace("-", " "))


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_book_has_the_glossary_and_links_to_its_own_pages(language, tmp_path):
    pytest.importorskip("sphinx_book_theme", reason="the packages of the book are not installed")
    chosen = lessons(["6"])
    write_source(chosen, language, tmp_path)
    first = (tmp_path / "index.md").read_text(encoding="utf-8")
    assert "](glossary.md)" in first
    assert "](06_one_plus.ipynb)" in first
    assert f"]({editions.REPOSITORY}tutorials/05_deeper_is_worse.ipynb)" in first  # which is not in this book
    assert "README" not in first
    assert re.search(r"06_one_plus\nglossary\n```", first)
    assert "<!--" not in first
    assert "\n(page-begin)=\n## " in first  # where the link to the other language leads
    assert "| 합성곱 |" in (tmp_path / "glossary.md").read_text(encoding="utf-8")


def test_pages_are_chosen_by_name_and_make_no_notebooks(capsys):
    chosen, pages = choose(["README.md", "6"])
    assert [lesson.number for lesson in chosen] == [6]
    assert pages == [README]
    assert choose(["README.md"]) == ([], [README])
    assert choose()[1] == list(PAGES)
    assert main(["student", "--lessons", "README.md"]) == 2
    assert "student is made of lessons, and README.md is none" in capsys.readouterr().err
