"""The page that shows results and plans in hosts of MCP Apps: one document, without anything to fetch."""

import re
from functools import cache
from importlib.resources import files

_PARTS = re.compile(r"/\*([a-z.]+\.(?:css|js))\*/")


@cache
def page() -> str:
    """The document, with its style and scripts in it; chart.umd.min.js is Chart.js 4.6.1, see chart.LICENSE.md."""
    here = files(__name__)
    return _PARTS.sub(lambda part: (here / part[1]).read_text("utf-8"), (here / "view.html").read_text("utf-8"))
