"""Sphinx, for site/build.py. Nothing here asks the network for anything."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

project = "mp3lib"
html_title = "Masked position prediction"
copyright = "the mp3lib authors, MIT license"
extensions = ["myst_nb", "sphinx.ext.autodoc", "docstrings", "mathematics"]
exclude_patterns = ["README.md", "as-stored", ".built"]
root_doc = "index"

# notebooks are shown as they are stored
nb_execution_mode = "off"
nb_merge_streams = True
nb_render_markdown_format = "myst"  # tables in outputs
myst_enable_extensions = ["dollarmath", "amsmath", "html_image"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]

# the reference
default_role = "literal"
autodoc_inherit_docstrings = False
autodoc_typehints = "signature"
autodoc_type_aliases = {"ArrayLike": "ArrayLike"}
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 90
add_module_names = False
toc_object_entries_show_parents = "hide"

# the look
html_theme = "furo"
SITE = Path(__file__).resolve().parent
DARK = SITE.parent / "labextensions" / "mp3lib" / "static" / "dark.css"  # figures on a dark page
html_static_path = [str(SITE / "_static"), str(DARK)]
html_css_files = ["site.css", "dark.css"]
html_favicon = str(Path(__file__).resolve().parent / "_static" / "favicon.svg")
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
highlight_language = "none"  # of blocks that name no language, such as printed tables
pygments_style = "default"
pygments_dark_style = "github-dark"
html_math_renderer = "svg"
