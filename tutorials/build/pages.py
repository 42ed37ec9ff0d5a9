"""The pages in two languages that are no lessons: NAME.md is the source, and NAME.ko.md its Korean edition.

The texts of a page are its headings and paragraphs, which are parted by empty lines. A heading is named by its words,
and what follows by the heading and a number: begin, begin-1, begin-2. Code is the same in both languages.
"""

import re
from functools import cached_property
from pathlib import Path

from tutorials.build import korean
from tutorials.build.lesson import HERE, LessonError, lessons

ROOT = HERE.parent
FENCE = "```"
HEADING = re.compile(r"#+ (.+)")
ANCHOR = re.compile(r"\]\(((?!\w+:)[^)\s#]*\.md|)#([^)\s]+)\)")


class Page:
    """A page of the repository. path: its source, NAME.md."""

    part = "paragraph"  # what a text of it is called

    def __init__(self, path):
        self.path = Path(path)

    @property
    def name(self):
        """README.md, tutorials/README.md"""
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def texts(self):
        """{name: English text}, in order. Raises LessonError for two headings of the same words."""
        found = {}
        section = "top"
        number = 0
        for text in paragraphs(self.path.read_text(encoding="utf-8")):
            heading = HEADING.match(text)
            if heading:
                section = re.sub("[^a-z0-9]+", "-", heading[1].lower()).strip("-")
            number = 0 if heading else number + 1
            name = f"{section}-{number}" if number else section
            if name in found:
                raise LessonError(f"{self.path.name} has two paragraphs of the name {name}; change a heading")
            found[name] = text
        return found

    @property
    def code(self):
        """{name: text} of the blocks of code, which no language changes."""
        return {name: text for name, text in self.texts.items() if text.startswith(FENCE)}

    def text_in(self, language):
        """{name: text} in a language. Raises LessonError for a page that is not translated, and as korean.texts."""
        if language == "en":
            return self.texts
        if not korean.is_begun(self):
            raise LessonError(f"{korean.path_of(self).name} is missing")
        return korean.texts(self)


def paragraphs(text):
    """What is parted by empty lines; those inside of code part nothing."""
    found = [[]]
    inside = False
    for line in text.splitlines():
        inside ^= line.startswith(FENCE)
        if line or inside:
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return ["\n".join(lines) for lines in found if lines]


def anchors(path):
    """What may stand behind the # of a link to a page: its headings, as GitHub writes them."""
    text = korean.MARK.sub("", path.read_text(encoding="utf-8"))
    headings = map(HEADING.match, paragraphs(text))
    return {re.sub(r"[^\w -]", "", found[1].lower()).replace(" ", "-") for found in headings if found}


def dead_anchors(texts, path):
    """[(name, link)] of links in texts of a page to headings that are not there."""
    links = [(name, *link) for name, text in texts.items() for link in ANCHOR.findall(text)]
    return [
        (name, f"{target}#{anchor}")
        for name, target, anchor in links
        if anchor not in anchors(path.parent / target if target else path)
    ]


README = Page(ROOT / "README.md")
COURSE = Page(HERE / "README.md")
GLOSSARY = Page(HERE / "glossary.md")
PAGES = (README, COURSE, GLOSSARY)


def choose(names=()):
    """(lessons, pages) of these names; all without a name. Raises LessonError for one that is not there."""
    pages = [page for page in PAGES if not names or page.name in names]
    others = [name for name in names if name not in [page.name for page in PAGES]]
    return lessons(others) if others or not names else [], pages
