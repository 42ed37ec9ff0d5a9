"""What setup.cfg cannot say: the page on PyPI is README.md with its links made absolute."""

import runpy
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
absolute = runpy.run_path(str(HERE / "docs" / "links.py"))["absolute"]

setup(
    long_description=absolute((HERE / "README.md").read_text(encoding="utf-8")),
    long_description_content_type="text/markdown",
)
