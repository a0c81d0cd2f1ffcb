"""What a Redis must be to hold this store, looked at before the first verb."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from auth_server.adapters.redis_store.address import Address
from auth_server.adapters.redis_store.connections import Connections
from auth_server.adapters.redis_store.database import PATIENCE, Database
from auth_server.ports.store import UnusableStore
from shared_kernel.entropy import Entropy

SCHEMA = 2
"""The version of the keys that docs/storage.md describes."""
_OLDEST = (6, 2)
_SETTINGS = ("maxmemory", "maxmemory-policy", "save", "appendonly")
_ID_BYTES = 16

_log = structlog.get_logger("store")


@asynccontextmanager
async def open_database(address: Address, entropy: Entropy, *, patience: float = PATIENCE) -> AsyncIterator[Database]:
    """The database behind an address. Raises UnusableStore."""
    connections = Connections(address)
    database = Database(
        connections,
        f"{{{address.prefix}}}:store",
        place=address.place,
        wait_replicas=address.wait_replicas,
        patience=patience,
    )
    try:
        try:
            await database.find_node()
            await _check_server(database, address)
            await _open_store(database, entropy)
        except AuthenticationError as error:
            message = f"Redis at {address.place} refuses the user or the password"
            raise UnusableStore(message) from error
        except (RedisError, OSError, TimeoutError) as error:
            message = f"Redis at {address.place} cannot be used: {str(error) or 'no answer'}"
            raise UnusableStore(message) from error
        yield database
    finally:
        await connections.close()


async def _open_store(database: Database, entropy: Entropy) -> None:
    _, schema = await database.create(entropy.bytes(_ID_BYTES).hex(), SCHEMA)
    if schema > SCHEMA:
        message = f"the store has schema {schema}, this release knows {SCHEMA}: it was written by a newer release"
        raise UnusableStore(message)


async def _check_server(database: Database, address: Address) -> None:
    info = _lines(await database.command("INFO", "server")) | _lines(await database.command("INFO", "replication"))
    check_version(info)
    if info.get("role") != "master":
        raise UnusableStore("this Redis is a replica, which takes no writes: name the primary")
    try:
        settings = {name: await _setting(database, name) for name in _SETTINGS}
    except ResponseError as error:  # managed services forbid it
        _log.warning("store_settings_unknown", place=address.place, cause=str(error))
        return
    if settings["maxmemory"] != "0" and settings["maxmemory-policy"] != "noeviction":
        message = (
            f"Redis may evict keys (maxmemory-policy is {settings['maxmemory-policy']}), and with them revocations and "
            "used codes: CONFIG SET maxmemory-policy noeviction"
        )
        raise UnusableStore(message)
    if settings["appendonly"] != "yes" and not settings["save"]:
        raise UnusableStore("Redis keeps nothing on disk: CONFIG SET appendonly yes")


def check_version(info: Mapping[str, str]) -> None:
    """Raises UnusableStore for a Redis that is too old; `info` is what INFO says."""
    version = info.get("valkey_version") or info.get("redis_version", "0")
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
        message = f"Redis {version} is too old: it must be {_OLDEST[0]}.{_OLDEST[1]} or newer, or Valkey"
        raise UnusableStore(message)


async def _setting(database: Database, name: str) -> str:
    reply = await database.command("CONFIG", "GET", name)
    return str(reply[1].decode()) if reply else ""


def _lines(reply: bytes) -> dict[str, str]:
    """The names and values of INFO."""
    lines = (line.partition(":") for line in reply.decode().splitlines())
    return {name: value for name, _, value in lines}
