"""The demo's schemas file is one that mcp-server takes, and its virtual tables have all items of their table."""

from pathlib import Path

from deploy.local import single_table
from deploy.local.demo_data import schemas_file
from mcp_server.adapters import schemas_file as reader
from mcp_server.adapters.decoding.virtual_items import of_virtual_table


def test_every_item_of_the_single_table_is_of_one_virtual_table(tmp_path: Path) -> None:
    file = tmp_path / "schemas.toml"
    file.write_text(schemas_file("http://127.0.0.1:8042"), "utf-8")
    [schema] = reader.read(file).schemas
    items = list(single_table.items())
    counts = {name: len(of_virtual_table(items, table)) for name, table in schema.virtual_tables.items()}
    assert counts["app_customers"] == single_table.CUSTOMERS
    assert all(counts.values())
    assert sum(counts.values()) == len(items)
    assert schema.tables is not None
    assert {table.source for table in schema.virtual_tables.values()} <= schema.tables
