"""The page of MCP Apps is whole, and its library the one that was looked at."""

import hashlib
import re
from importlib.resources import files

from mcp_server.surface import view

CHART_JS_4_6_1 = "fae96e55c6daa9ea7b3f60b6e6ea153904f510f6e00f59ed5ba3be21df231cd2"
"""The digest of dist/chart.umd.min.js of the npm package chart.js 4.6.1, without the link to its source map."""


def test_the_library_is_what_its_authors_published() -> None:
    content = (files(view.__name__) / "chart.umd.min.js").read_bytes()
    assert hashlib.sha256(content).hexdigest() == CHART_JS_4_6_1


def test_the_page_holds_all_that_it_needs() -> None:
    page = view.page()
    assert not re.search(r"/\*[a-z.]+\.(css|js)\*/", page)
    assert not re.search(r"(src|href)=|@import|url\(", page.replace(view_library(), ""))
    assert page.count("</script>") == page.count("<script>") == 2


def view_library() -> str:
    """The text of the library."""
    return (files(view.__name__) / "chart.umd.min.js").read_text("utf-8")
