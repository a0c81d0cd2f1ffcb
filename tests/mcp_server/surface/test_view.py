"""The page of MCP Apps is whole, and its library the one that was looked at."""

import hashlib
import re
from importlib.resources import files

from mcp_server.surface import view

CHART_JS_4_6_1 = "87364cc2b2a76a6684929e7d6b80b18a897794db38400caff1fcf1791c6925d2"
"""The digest of dist/chart.umd.min.js in the npm package chart.js 4.6.1."""


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
