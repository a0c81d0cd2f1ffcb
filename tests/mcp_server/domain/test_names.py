"""Names as SQL writes them, and names that are looked up."""

import pytest

from mcp_server.domain.names import Ambiguous, Found, NotFound, find_name, quoted, read_table_name


@pytest.mark.parametrize(
    ("written", "schema", "table"),
    [
        ("orders", None, "orders"),
        ("demo.orders", "demo", "orders"),
        ('demo."my-table"', "demo", "my-table"),
        ("demo.my-table", "demo", "my-table"),
        ('"my schema"."my.table"', "my schema", "my.table"),
        ('"say ""hi"""', None, 'say "hi"'),
        ("demo.a.b", "demo", "a.b"),
        ('"', None, '"'),
        (".orders", None, ".orders"),
        ("demo.", None, "demo."),
        ('a"b', None, 'a"b'),
        ("", None, ""),
    ],
)
def test_a_written_name_is_read(written: str, schema: str | None, table: str) -> None:
    assert read_table_name(written) == (schema, table)


@pytest.mark.parametrize("name", ["orders", "my-table", "my.table", 'say "hi"', "Ünïcode", "1st"])
def test_what_is_quoted_is_read_back(name: str) -> None:
    assert read_table_name(f"{quoted('my schema')}.{quoted(name)}") == ("my schema", name)
    assert read_table_name(quoted(name)) == (None, name)


def test_names_are_found_by_spelling_then_by_case_then_by_likeness() -> None:
    assert find_name("a", ["A", "a"]) == Found("a")
    assert find_name("ORDERS", ["orders"]) == Found("orders")
    assert find_name("ORDERS", ["orders", "Orders"]) == Ambiguous(("orders", "Orders"))
    assert find_name("order", ["orders", "people"]) == NotFound(("orders",))
    assert find_name("xyz", ["orders"]) == NotFound(())
