"""What a model can look up about the SQL: the dialect, the functions, the limits."""

from collections.abc import Sequence

from mcp.types import Resource, TextResourceContents

from mcp_server.engine.limits import Limits
from mcp_server.planning.access_path import FULL_SCAN_BYTES
from mcp_server.sql.gate.allowed_functions import TOPICS
from mcp_server.surface.call import Call
from mcp_server.surface.resources.served_resource import Contents, ServedResource
from shared_kernel import scope

_MARKDOWN = "text/markdown"
_SQL = """\
# SQL over DynamoDB

One SELECT in DuckDB's dialect: joins, aggregates, CTEs, window functions, subqueries, set operations, VALUES, PIVOT,
nested access. Nothing can be written.

## Names

- A table is `table` or `schema.table`. Quote odd names: `"my-table"`.
- Columns are the attributes that a sample of the items has; a missing attribute is NULL.
- `_doc` is the whole item as JSON and not part of `*`: `SELECT _doc->>'$.rare' FROM t` reaches an attribute that the
  sample did not show.

## Types

S is VARCHAR, or DATE where every sampled value is an ISO date; N is BIGINT, DECIMAL or DOUBLE; BOOL is BOOLEAN; B is
BLOB; M is a STRUCT, L a list, or JSON where they have no one shape; sets are lists. Read parts as `address.city`,
`lines[1].sku`, `unnest(lines)`; of JSON as `doc->>'key'`. describe_table tells the type of each column.

## What is cheap

- `=` or `IN` on every key attribute reads single items.
- `=` or `IN` on the hashKey of a table or an index, and a range or prefix on its sortKey, reads only those items.
- Everything else scans the table. Other conditions save transfer, but no read units.

Pass values as parameters: `WHERE id = ?`.
"""


def references(limits: Limits) -> tuple[ServedResource, ...]:
    """The three references; `limits` are those of this server."""
    return (
        _reference("sql", "SQL reference", "Names, types, and which conditions are cheap.", _SQL),
        _reference("functions", "SQL functions", "Every function that a statement may call, by topic.", _functions()),
        _reference("limitations", "Limits", "What one call may take, and what is refused.", _limitations(limits)),
    )


def _reference(name: str, title: str, description: str, text: str) -> ServedResource:
    uri = f"dynamosql://reference/{name}"

    async def read(_call: Call) -> Contents:
        return [TextResourceContents(uri=uri, mime_type=_MARKDOWN, text=text)]

    definition = Resource(uri=uri, name=f"reference-{name}", title=title, description=description, mime_type=_MARKDOWN)
    return ServedResource(definition, frozenset({scope.QUERY}), read)


def _functions() -> str:
    topics = [f"## {topic}\n\n{' '.join(sorted(names.split()))}" for topic, names in TOPICS.items()]
    return _document("Functions", "What is not named here is refused.", topics)


def _limitations(limits: Limits) -> str:
    taken = [
        f"- A query may take {limits.deadline_seconds:g} seconds and consume {limits.read_units:,.0f} read units.",
        f"- Reading the whole of a table with more than {limits.full_scan_items:,} items or "
        f"{FULL_SCAN_BYTES // 1_000_000} MB needs allow_full_scan. What is likely to end early (LIMIT, EXISTS, a page) "
        "does not, and ends after as much: a page with a cursor, anything else with an error.",
        *(
            [
                f"- A query that is expected to take more than {limits.confirm_read_units:,.0f} read units needs a "
                "person's yes, or max_read_units."
            ]
            if limits.confirm_read_units
            else []
        ),
        f"- A reply holds at most {limits.page_rows:,} rows, a result {limits.result_rows:,}; the rest comes by "
        f"cursor, which works for {limits.cursor_seconds // 60} minutes.",
        f"- {limits.queries_per_principal} of your queries run at a time; further ones wait.",
    ]
    refused = [
        "- More than one statement, and everything but SELECT.",
        "- Functions that read files, settings or the environment, run text as SQL, or take lambdas.",
        "- USING and NATURAL beside commas or joins in parentheses: write ON.",
    ]
    parts = ["## Bounds\n\n" + "\n".join(taken), "## Refused\n\n" + "\n".join(refused)]
    return _document("Limits", "A call that meets one fails with a code and says what to do.", parts)


def _document(title: str, introduction: str, parts: Sequence[str]) -> str:
    return "\n\n".join((f"# {title}", introduction, *parts)) + "\n"
