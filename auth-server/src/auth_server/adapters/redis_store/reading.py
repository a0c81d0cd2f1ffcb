"""Reads of whole things: one, or all of a kind in pieces, so that no script keeps others waiting for long."""

from collections.abc import AsyncIterator, Sequence

from auth_server.adapters.redis_store.database import Database
from auth_server.adapters.redis_store.fields import Fields, fields

PIECE = 500
"""Things that one script reads."""


async def read(database: Database, kind: str, identifier: str) -> Fields | None:
    """The fields of a thing; None if it is unknown."""
    (found,) = await database.run("read", kind, identifier)
    return fields(found) if found else None


async def read_all(database: Database, kind: str) -> AsyncIterator[Fields]:
    """The fields of every client, user or workspace, oldest first."""
    for piece in pieces(await identifiers(database, kind)):
        for found in await database.run("read", kind, *piece):
            if found:
                yield fields(found)


async def read_of_users(database: Database, kind: str, user_ids: Sequence[str]) -> list[Fields]:
    """The fields of every session or grant of these people, in no order."""
    found = []
    for piece in pieces(user_ids):
        found += [fields(each) for each in await database.run("of_users", kind, *piece) if each]
    return found


async def identifiers(database: Database, kind: str) -> list[str]:
    """The ids of all clients, users or workspaces, oldest first."""
    return [each.decode("utf-8", "surrogatepass") for each in await database.run("list", f"{kind}s")]


def pieces(identifiers: Sequence[str]) -> list[Sequence[str]]:
    """The same, a PIECE at a time."""
    return [identifiers[start : start + PIECE] for start in range(0, len(identifiers), PIECE)]
