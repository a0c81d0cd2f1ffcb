"""One Redis: runs a verb's script in bounded time, and says StoreUnavailable for whatever goes wrong."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any

import structlog
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError

from auth_server.adapters.redis_store.connections import Command, Connections, Reply
from auth_server.adapters.redis_store.scripts import Script, scripts
from auth_server.domain.workspace import DEFAULT_WORKSPACE
from auth_server.ports.store import StoreUnavailable

PATIENCE = 2.0
"""Seconds in which a verb is done or fails."""
_WAIT_SHARE = 0.5
"""The part of the patience that replicas may take to confirm."""
_SCANNED = 1000
"""Keys that one step of a scan visits."""
Argument = str | bytes | float | int | bool | None


class Database:
    """Runs scripts over the keys of one store.

    A server that does not answer keeps one caller waiting at a time: the others fail at once until it is back.
    """

    def __init__(
        self,
        connections: Connections,
        store_key: str,
        *,
        place: str,
        wait_replicas: int = 0,
        patience: float = PATIENCE,
    ) -> None:
        self._connections, self._store_key, self._place = connections, store_key, place
        self._wait_replicas, self._patience = wait_replicas, patience
        self._wait_milliseconds = int(1000 * patience * _WAIT_SHARE)
        self._log = structlog.get_logger("store")
        self._is_away = self._is_probed = False
        self.store_id = ""

    async def run(
        self,
        name: str,
        *arguments: Argument,
        repeatable: bool = True,
        durable: bool = False,
        patience: float | None = None,
    ) -> Any:
        """What the script of that name returns.

        `repeatable`: the verb may be sent again, marked as such, when the connection breaks before the reply.
        `durable`: the replicas that the operator asks for must confirm it. Raises StoreUnavailable.
        """
        script, values = scripts()[name], [_encoded(argument) for argument in arguments]
        replicas = self._wait_replicas if durable else 0
        if probes := self._is_away:
            if self._is_probed:
                raise StoreUnavailable
            self._is_probed = True
        try:
            async with asyncio.timeout(patience or self._patience):
                try:
                    reply = await self._evaluated(script, ["", *values], replicas)
                except (RedisConnectionError, OSError):
                    if not repeatable:
                        raise
                    reply = await self._evaluated(script, ["1", *values], replicas)
        except ResponseError as error:
            self._log.error("store_fault", cause=str(error))
            raise StoreUnavailable from error
        except (RedisError, OSError, TimeoutError) as error:
            if patience is None:  # one who waits less than others may only have been impatient
                self._note_silence(error)
            raise StoreUnavailable from error
        finally:
            self._is_probed = self._is_probed and not probes
        self._note_answer()
        return reply

    def key(self, kind: str, identifier: str | None = None) -> str:
        """The key of a thing, or of what there is once."""
        stem = f"{self._store_key.removesuffix('store')}{kind}"
        return stem if identifier is None else f"{stem}:{identifier}"

    async def scan(self, kind: str) -> list[str]:
        """The ids of all things of a kind, in no order. Raises StoreUnavailable."""
        found, cursor, stem = set[str](), "0", self.key(kind, "")
        while True:
            try:
                reply = await self.command("SCAN", cursor, "MATCH", f"{_literal(stem)}*", "COUNT", _SCANNED)
            except (RedisError, OSError, TimeoutError) as error:
                raise StoreUnavailable from error
            cursor = reply[0].decode()
            found.update(each.decode("utf-8", "surrogatepass").removeprefix(stem) for each in reply[1])
            if cursor == "0":
                return sorted(found)

    async def command(self, *command: str | int) -> Any:
        """What one command answers. Raises RedisError, OSError, TimeoutError."""
        async with asyncio.timeout(self._patience):
            (reply,) = await self._connections.exchange([command])
        return _checked(reply)

    async def find_node(self) -> None:
        """Has the connections go to the node of a cluster that holds the store. Raises as command() does."""
        await self.command("EXISTS", self._store_key)

    async def create(self, new_id: str, schema: int) -> tuple[str, int]:
        """Creates the store unless it is there, or migrates it; its id and schema.

        Raises RedisError, OSError, TimeoutError.
        """
        async with asyncio.timeout(self._patience):
            (reply,) = await self._connections.exchange(
                [("EVAL", scripts()["open"].text, 1, self._store_key, new_id, schema, DEFAULT_WORKSPACE.name)]
            )
        found_id, found_schema = _checked(reply)
        self.store_id = found_id.decode()
        return self.store_id, int(found_schema)

    async def close(self) -> None:
        """Closes the connections."""
        await self._connections.close()

    async def _evaluated(self, script: Script, values: list[str | bytes], replicas: int) -> Any:
        tail: Sequence[str | bytes | int] = (1, self._store_key, self.store_id, *values)
        confirmation: list[Command] = [("WAIT", replicas, self._wait_milliseconds)] if replicas else []
        replies = await self._connections.exchange([("EVALSHA", script.sha, *tail), *confirmation])
        if isinstance(replies[0], NoScriptError):  # nothing has run: the server was restarted, or is another one
            replies = await self._connections.exchange([("EVAL", script.text, *tail), *confirmation])
        result, *confirmed = [_checked(reply) for reply in replies]
        if confirmed and confirmed[0] < replicas:
            # The change is there, and may be lost with this server.
            raise ResponseError(f"NOREPLICAS {confirmed[0]} of {replicas} replicas have confirmed")
        return result

    def _note_silence(self, error: Exception) -> None:
        if not self._is_away:
            self._log.error("store_away", place=self._place, cause=str(error) or type(error).__name__)
        self._is_away = True

    def _note_answer(self) -> None:
        if self._is_away:
            self._log.warning("store_back", place=self._place)
        self._is_away = False


def _literal(text: str) -> str:
    """The text as a pattern."""
    return re.sub(r"[][?*\\^]", r"\\\g<0>", text)


def _checked(reply: Reply) -> Any:
    if isinstance(reply, ResponseError):
        raise reply
    return reply


def _encoded(argument: Argument) -> str | bytes:
    match argument:
        case None:
            return ""
        case bool():
            return "1" if argument else "0"
        case int() | float():
            return repr(argument)
        case _:
            return argument
