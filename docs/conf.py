"""How Sphinx builds these pages: ``make docs``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from crony import __version__

project = "Crony"
author = "the Crony developers"
release = __version__
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {
    "description": "RESTful scheduling as a service",
    "fixed_sidebar": True,
    "page_width": "1080px",
}
html_show_copyright = False
