"""Where tests make tables: in an emulator, or in memory for the doubles."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from tests.mcp_server.doubles.tables import HeldIndex, HeldTable, HeldTables, Key, definition


class TableStore(Protocol):
    """Where tables are made, filled and dropped."""

    async def create(self, name: str, key: Key, indexes: Sequence[HeldIndex] = ()) -> None: ...

    async def put(self, name: str, items: list[dict[str, Any]]) -> None: ...

    async def delete(self, name: str, key: dict[str, Any]) -> None: ...

    async def drop(self, name: str) -> None: ...


class EmulatedTables:
    """Tables of an emulator."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.made: set[str] = set()

    async def create(self, name: str, key: Key, indexes: Sequence[HeldIndex] = ()) -> None:
        await self.client.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **definition(key, indexes))
        self.made.add(name)

    async def put(self, name: str, items: list[dict[str, Any]]) -> None:
        batches = [items[start : start + 25] for start in range(0, len(items), 25)]
        for start in range(0, len(batches), 8):
            await asyncio.gather(
                *(
                    self.client.batch_write_item(
                        RequestItems={name: [{"PutRequest": {"Item": item}} for item in batch]}
                    )
                    for batch in batches[start : start + 8]
                )
            )

    async def delete(self, name: str, key: dict[str, Any]) -> None:
        await self.client.delete_item(TableName=name, Key=key)

    async def drop(self, name: str) -> None:
        await self.client.delete_table(TableName=name)
        self.made.remove(name)


@asynccontextmanager
async def tables_of_module(client: Any) -> AsyncIterator[EmulatedTables]:
    """Tables of an emulator that other modules use too: those made here are dropped, so that names are free again."""
    tables = EmulatedTables(client)
    yield tables
    for name in list(tables.made):
        await tables.drop(name)


class TablesInMemory:
    """The tables behind the doubles."""

    def __init__(self) -> None:
        self.held: HeldTables = {}

    async def create(self, name: str, key: Key, indexes: Sequence[HeldIndex] = ()) -> None:
        assert name not in self.held
        self.held[name] = HeldTable(name, key, indexes=indexes)

    async def put(self, name: str, items: list[dict[str, Any]]) -> None:
        self.held[name].put(items)

    async def delete(self, name: str, key: dict[str, Any]) -> None:
        self.held[name].delete(key)

    async def drop(self, name: str) -> None:
        del self.held[name]
