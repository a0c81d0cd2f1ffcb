"""The view in a browser, in a host that speaks the protocol of MCP Apps and lets it fetch nothing."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from playwright.sync_api import BrowserContext, FrameLocator, Page

from mcp_server.surface import view
from mcp_server.surface.resources.view import EXTENSION, URI
from tests.support.browser import Browser
from tests.support.demo_data import DemoTables
from tests.support.mcp_wire import ERAS, MODERN, Era, Wire, rpc_reply
from tests.support.services import AuthServer, McpServer

pytestmark = pytest.mark.slow

HOST = """<!doctype html><meta charset="utf-8"><body style="margin:0">
<script>
  const seen = [], frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "allow-scripts");
  frame.style.cssText = "width:820px;height:640px;border:0";
  const context = () => ({ theme: window.theme, styles: { variables: window.variables ?? {} } });
  const send = (message) => frame.contentWindow.postMessage({ jsonrpc: "2.0", ...message }, "*");
  addEventListener("message", ({ data, source }) => {
    if (source !== frame.contentWindow) return;
    seen.push(data);
    if (data.method === "ui/initialize" && window.refuses) {
      send({ id: data.id, error: { code: -32602, message: "Unsupported protocol version" } });
    } else if (data.method === "ui/initialize") {
      const hostInfo = { name: "harness", version: "1" };
      const result = { protocolVersion: "2026-01-26", hostInfo, hostCapabilities: {}, hostContext: context() };
      send({ id: data.id, result });
    }
    if (data.method === "ui/notifications/initialized") {
      send({ method: "ui/notifications/tool-input", params: { arguments: {} } });
      send({ method: "ui/notifications/tool-result", params: window.result });
    }
  });
  const open_ = (html) => { frame.srcdoc = html; document.body.append(frame); };
</script>"""
CSP = "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
"""What a host applies to a view that asks for nothing (apps.mdx, Content Security Policy)."""


def shown(
    browser: Browser,
    result: dict[str, Any],
    look: Callable[[Page, FrameLocator], None],
    *,
    theme: str = "light",
    refuses: bool = False,
) -> None:
    """Shows a tool's result as a host does, and looks at it; nothing may be fetched, and no script may fail."""

    def use(context: BrowserContext) -> None:
        page = context.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: wrong.append(request.url))
        page.set_content(HOST)
        html = view.page().replace("<head>", f'<head><meta http-equiv="Content-Security-Policy" content="{CSP}">', 1)
        page.evaluate(
            "([html, told]) => { Object.assign(window, told); open_(html); }",
            [html, {"result": result, "theme": theme, "refuses": refuses}],
        )
        look(page, page.frame_locator("iframe"))
        assert [each for each in wrong if not each.startswith(("about:", "data:"))] == []

    browser.visit(use)


def rows(columns: list[tuple[str, str]], values: list[list[Any]], **more: Any) -> dict[str, Any]:
    """The result of run_sql."""
    document = {
        "columns": [{"name": name, "type": type_} for name, type_ in columns],
        "rows": values,
        "row_count": len(values),
        "next_cursor": None,
        "stop_reason": "complete",
        "statistics": {"plan_ms": 1, "exec_ms": 1, "items_read": 1234, "pages_read": 1, "read_units": 12.5},
        "warnings": [],
    }
    return {"content": [], "structuredContent": document | more}


SALES = rows(
    [("region", "VARCHAR"), ("total", "DECIMAL(38,2)"), ("orders", "BIGINT")],
    [["Oslo", "9.50", 3], ["Lyon", "100.25", 12], [None, None, None], ["Accra", "-20.00", 7]],
    warnings=['Column "x" is read as text.'],
)


def column(frame: FrameLocator, place: int) -> list[str]:
    """The texts of a column."""
    return frame.locator(f"tbody tr td:nth-child({place})").all_inner_texts()


def test_rows_are_a_table_that_sorts_by_value(browser: Browser) -> None:
    def look(page: Page, frame: FrameLocator) -> None:
        frame.get_by_role("heading", name="4 rows").wait_for()
        assert "1,234 items read · 12.5 read units" in frame.locator(".facts").inner_text()
        assert frame.locator(".notes").inner_text() == 'Column "x" is read as text.'
        assert column(frame, 1) == ["Oslo", "Lyon", "null", "Accra"]
        header = frame.get_by_role("button", name="total")
        header.click()
        assert column(frame, 2) == ["-20.00", "9.50", "100.25", "null"]
        assert frame.locator("th").nth(1).get_attribute("aria-sort") == "ascending"
        header.press("Enter")
        assert column(frame, 2) == ["100.25", "9.50", "-20.00", "null"]
        sizes = page.evaluate("seen.filter(one => one.method === 'ui/notifications/size-changed').length")
        assert sizes >= 1

    shown(browser, SALES, look)


@pytest.mark.parametrize(
    ("type_", "values", "ordered"),
    [
        (
            "BIGINT",
            ["9007199254740993", "9007199254740992", 5, "-9007199254740993", "-9007199254740992"],
            ["-9007199254740993", "-9007199254740992", "5", "9007199254740992", "9007199254740993"],
        ),
        (
            "DECIMAL(38,20)",
            ["0.10000000000000000002", "0.10000000000000000001", "-2.5", "0.1"],
            ["-2.5", "0.1", "0.10000000000000000001", "0.10000000000000000002"],
        ),
        (
            "DOUBLE",
            ["NaN", 1.5, "-Infinity", "Infinity", "NaN", 2],
            ["-Infinity", "1.5", "2", "Infinity", "NaN", "NaN"],
        ),
    ],
)
def test_numbers_that_a_double_would_round_are_sorted(
    browser: Browser, type_: str, values: list[Any], ordered: list[str]
) -> None:
    def look(_page: Page, frame: FrameLocator) -> None:
        frame.get_by_role("button", name="n").click()
        assert column(frame, 1) == ordered

    shown(browser, rows([("n", type_)], [[value] for value in values]), look)


def test_a_host_that_refuses_is_not_told_that_all_is_well(browser: Browser) -> None:
    def look(page: Page, frame: FrameLocator) -> None:
        page.wait_for_function("seen.some(one => one.method === 'ui/initialize')")
        frame.get_by_text("Waiting for the result").wait_for()
        page.evaluate("send({ id: 7, method: 'ping' })")  # what comes after the refusal
        page.wait_for_function("seen.some(one => one.id === 7)")
        assert not page.evaluate("seen.some(one => one.method === 'ui/notifications/initialized')")

    shown(browser, SALES, look, refuses=True)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_numbers_are_drawn(browser: Browser, theme: str) -> None:
    def look(_page: Page, frame: FrameLocator) -> None:
        frame.get_by_role("tab", name="Chart").click()
        canvas = frame.get_by_role("img", name="total, orders by region")
        canvas.wait_for()
        drawn = canvas.evaluate(
            "c => new Set(new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size"
        )
        assert drawn > 10
        assert frame.locator("html").get_attribute("data-theme") == theme
        ground = frame.locator("body").evaluate("b => getComputedStyle(b).backgroundColor")
        assert ground == ("rgb(255, 255, 255)" if theme == "light" else "rgb(28, 29, 32)")
        frame.get_by_role("tab", name="Table").click()
        assert column(frame, 1)[0] == "Oslo"

    shown(browser, SALES, look, theme=theme)


def drawn(browser: Browser, result: dict[str, Any]) -> dict[str, Any]:
    """What the chart of a result is made of."""
    found: dict[str, Any] = {}

    def look(_page: Page, frame: FrameLocator) -> None:
        frame.get_by_role("tab", name="Chart").click()
        canvas = frame.locator("canvas")
        canvas.wait_for()
        found.update(
            canvas.evaluate(
                "c => { const { data, scales } = Chart.getChart(c); return { labels: data.labels, "
                "series: data.datasets.map(one => [one.label, one.yAxisID]), scales: Object.keys(scales).sort() }; }"
            )
        )

    shown(browser, result, look)
    return found


def test_a_series_that_is_small_beside_another_has_an_axis_of_its_own(browser: Browser) -> None:
    columns = [("segment", "VARCHAR"), ("customers", "BIGINT"), ("balance", "DECIMAL(38,2)"), ("half", "DOUBLE")]
    made = drawn(browser, rows(columns, [["a", 337, "1444587.80", 7e5], ["b", 302, "-395695.72", 3e5]]))
    assert made["series"] == [["customers (right)", "right"], ["balance", "y"], ["half", "y"]]
    assert made["scales"] == ["right", "x", "y"]
    assert drawn(browser, SALES)["scales"] == ["x", "y"]


def test_a_column_of_next_to_nothing_is_not_drawn(browser: Browser) -> None:
    columns = [("who", "VARCHAR"), ("points", "BIGINT"), ("age", "BIGINT")]
    assert drawn(browser, rows(columns, [["a", None, 30], ["b", 5, 40], ["c", None, 50]]))["series"] == [["age", "y"]]

    def look(_page: Page, frame: FrameLocator) -> None:
        frame.get_by_role("heading", name="2 rows").wait_for()
        assert frame.get_by_role("tab").count() == 0

    shown(browser, rows(columns[:2], [["a", None], ["b", 5]]), look)


def test_days_are_not_written_as_moments(browser: Browser) -> None:
    columns, days = [("at", "TIMESTAMP"), ("n", "BIGINT")], ["1997-01-01T00:00:00", None, "1997-02-01T00:00:00"]
    assert drawn(browser, rows(columns, [[day, 1] for day in days]))["labels"] == ["1997-01-01", "1997-02-01", "null"]
    moments = ["1997-01-01T00:00:00", "1997-01-01T06:00:00"]
    assert drawn(browser, rows(columns, [[moment, 1] for moment in moments]))["labels"] == moments


def test_hostile_values_are_texts(browser: Browser) -> None:
    hostile = "<img src=x onerror=\"parent.postMessage({jsonrpc:'2.0',method:'broken'},'*')\"><script>1</script>"
    result = rows(
        [(hostile, "VARCHAR"), ("n", "JSON")],
        [[hostile, {"a": hostile}], ["x" * 100_000, [1, None]], ["\u202e\x00", None]],
        warnings=[hostile],
    )

    def look(page: Page, frame: FrameLocator) -> None:
        frame.get_by_role("heading", name="3 rows").wait_for()
        assert column(frame, 1)[0] == hostile
        assert frame.locator("img").count() == 0
        assert len(column(frame, 1)[1]) == 500
        assert not page.evaluate("seen.some(one => one.method === 'broken')")

    shown(browser, result, look)


def test_a_thousand_rows_and_none(browser: Browser) -> None:
    def many(_page: Page, frame: FrameLocator) -> None:
        frame.get_by_role("heading", name="1,000 rows").wait_for()
        assert frame.locator("tbody tr").count() == 1000

    def none(_page: Page, frame: FrameLocator) -> None:
        frame.get_by_role("heading", name="0 rows").wait_for()
        assert frame.get_by_role("tab").count() == 0

    shown(
        browser, rows([("n", "BIGINT"), ("d", "DATE")], [[n, "2026-01-01"] for n in range(1000)], next_cursor="c"), many
    )
    shown(browser, rows([("n", "BIGINT")], []), none)


def test_a_failure_says_what_to_do(browser: Browser) -> None:
    failure = {"code": "unknown_table", "message": "There is no table x.", "next_action": "Call list_tables."}

    def look(_page: Page, frame: FrameLocator) -> None:
        frame.get_by_text("There is no table x.").wait_for()
        assert frame.get_by_text("Call list_tables.").is_visible()

    shown(browser, {"isError": True, "content": [{"type": "text", "text": json.dumps(failure)}]}, look)


Branch = tuple[str, list["Branch"]]
"""A line of a tree, and the lines below it."""

LEVELS = """tree => {
  const level = (list) => [...list.children].map((item) => {
    const below = [...item.children].find((one) => one.nodeName === "UL");
    const own = [...item.childNodes].filter((one) => one !== below).map((one) => one.textContent).join("");
    return [own.trim(), below ? level(below) : []];
  });
  return level(tree);
}"""


def tree_of(frame: FrameLocator) -> list[Branch]:
    """The plan that is shown, level by level."""

    def branch(line: str, below: list[Any]) -> Branch:
        return line, [branch(*one) for one in below]

    return [branch(*one) for one in frame.locator(".tree").evaluate(LEVELS)]


def estimate(items: int, read_units: float) -> dict[str, Any]:
    """What a read is expected to take."""
    return {"items": items, "read_units": read_units, "confidence": "estimated"}


PLAN: dict[str, Any] = {
    "plan": "a text",
    "scans": [
        {
            "table": "shop.orders",
            "access": "Query",
            "index": "by_customer",
            "key_condition": "customer = 'c1'",
            "pushed_filters": ["total > 5", "status = 'open'"],
            "residual_filters": [],
            "rejected_indexes": [{"name": "by_day", "reason": "it is sparse", "read_units": 1234567.5}],
            "estimate": estimate(1200, 12.5),
        },
        {"table": "shop.people", "access": "Scan", "estimate": estimate(30, 0.5)},
    ],
    "cost": estimate(1230, 13.0),
    "verdict": "It may run as it is.",
}


def test_a_plan_is_a_tree_of_its_reads_and_their_sum(browser: Browser) -> None:
    def taken(items: str, read_units: str) -> list[Branch]:
        return [(f"items: {items}", []), (f"read units: {read_units}", []), ("confidence: estimated", [])]

    def look(_page: Page, frame: FrameLocator) -> None:
        frame.get_by_role("heading", name="Plan").wait_for()
        assert frame.locator(".facts").inner_text() == "It may run as it is."
        rejected: list[Branch] = [("name: by_day", []), ("reason: it is sparse", []), ("read units: 1,234,570", [])]
        orders: list[Branch] = [
            ("index: by_customer", []),
            ("key condition: customer = 'c1'", []),
            ("pushed filters:", [("total > 5", []), ("status = 'open'", [])]),
            ("rejected indexes:", [("", rejected)]),
            ("estimate:", taken("1,200", "12.5")),
        ]
        assert tree_of(frame) == [
            ("shop.orders Query", orders),
            ("shop.people Scan", [("estimate:", taken("30", "0.5"))]),
            ("in all:", taken("1,230", "13")),
        ]
        assert frame.locator(".tree .scan").all_inner_texts() == ["Scan"], "what is dear is marked"

    shown(browser, {"content": [], "structuredContent": PLAN}, look)


def test_what_the_server_answers_is_shown(
    browser: Browser, auth_server: AuthServer, mcp_server: McpServer, demo_tables: DemoTables
) -> None:
    """The whole way: the tool names the view, the resource is it, and shows what the tools answer."""
    del demo_tables
    wire = Wire(mcp_server.resource, auth_server.token())
    [contents] = wire.result("resources/read", {"uri": URI})["contents"]
    assert contents["text"] == view.page()
    assert contents["mimeType"] == "text/html;profile=mcp-app"
    sql = "SELECT n_name, n_regionkey FROM nation WHERE n_nationkey IN (1, 2) ORDER BY 1"

    def rows_shown(_page: Page, frame: FrameLocator) -> None:
        frame.get_by_text("ARGENTINA").first.wait_for()

    shown(browser, wire.result("tools/call", {"name": "run_sql", "arguments": {"sql": sql}}), rows_shown)
    sql = f"SELECT count(*) FROM ({sql}) n JOIN region r ON r.r_regionkey = n.n_regionkey"
    plan = wire.result("tools/call", {"name": "explain_sql", "arguments": {"sql": sql}})
    document = plan["structuredContent"]
    units = sum(scan["estimate"]["read_units"] for scan in document["scans"])

    def plan_shown(_page: Page, frame: FrameLocator) -> None:
        frame.get_by_role("heading", name="Plan").wait_for()
        *reads, in_all = tree_of(frame)
        assert [line for line, _ in reads] == [f"{scan['table']} {scan['access']}" for scan in document["scans"]]
        assert {line.split(".")[1].split()[0] for line, _ in reads} == {"nation", "region"}
        assert all("estimate:" in dict(below) for _, below in reads)
        assert in_all[0] == "in all:"
        assert (f"read units: {units:g}", []) in in_all[1]
        assert frame.locator(".facts").inner_text() == document["verdict"]

    shown(browser, plan, plan_shown)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("mime_types", [["text/html;profile=mcp-app"], ["text/html"], [], None])
def test_the_view_is_offered_to_those_who_can_show_it(
    auth_server: AuthServer, mcp_server: McpServer, era: Era, mime_types: list[str] | None
) -> None:
    request = Wire(mcp_server.resource, auth_server.token(), era).request("tools/list")
    document = json.loads(request.content)
    if era == MODERN:
        capabilities = {"extensions": {EXTENSION: {"mimeTypes": mime_types}}} if mime_types is not None else {}
        document["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities
    headers = {name: value for name, value in request.headers.items() if name != "content-length"}
    tools = rpc_reply(httpx2.post(mcp_server.resource, json=document, headers=headers))["result"]["tools"]
    named = {tool["name"]: tool.get("_meta", {}).get("ui", {}).get("resourceUri") for tool in tools}
    # The handshake revisions say what they can in another exchange, which nobody remembers.
    expected = URI if era != MODERN or "text/html;profile=mcp-app" in (mime_types or ()) else None
    assert (named["run_sql"], named["explain_sql"], named["list_tables"]) == (expected, expected, None)
