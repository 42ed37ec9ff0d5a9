"""Sphinx's settings for the book of lessons."""

project = "minires: ResNet from the gradient up"
author = "The minires authors"
extensions = ["myst_nb"]
templates_path = ["_templates"]
exclude_patterns = ["_templates"]

nb_execution_mode = "off"  # the notebooks come with their outputs
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
suppress_warnings = ["mystnb.unknown_mime_type"]

html_theme = "sphinx_book_theme"
html_title = "minires lessons"
html_favicon = "_static/icon.svg"
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_js_files = ["language.js", "run.js"]
html_copy_source = False
html_show_sphinx = False
mathjax_path = "tex-svg.js"
html_theme_options = {
    "repository_url": "https://github.com/minires/minires",
    "use_repository_button": True,
    "use_download_button": False,
    "use_fullscreen_button": False,  # a phone has no room for it
    "article_header_end": ["run.html", "language.html", "article-header-buttons.html"],
    "footer_content_items": ["authors.html"],
    "show_toc_level": 2,
}
