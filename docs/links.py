"""Links of this repository's Markdown files for readers outside of GitHub: on PyPI, or on the site of build.py."""

import re

PLACE = "minires/minires"  # on GitHub
PAGES = f"https://github.com/{PLACE}/blob/main/"
IMAGES = f"https://raw.githubusercontent.com/{PLACE}/main/"
LINK = re.compile(r"(!?)\[([^\[\]]*)\]\(([^()\s]+)\)")


def absolute(text, images=IMAGES):
    """The text with links to GitHub for its links within the repository, and with its images below `images`."""

    def changed(match):
        is_image, words, target = match.groups()
        if re.match(r"\w+:|#", target):
            return match[0]
        return f"{is_image}[{words}]({images if is_image else PAGES}{target})"

    return LINK.sub(changed, text)
